//! Which messages of a stream a consumer wants: those with one of its filter values.
//!
//! Every message is looked at by itself. The value of a message is the text in its header
//! `x-stream-filter-value`; one without has the empty value.

use std::borrow::Cow;

use crate::domain::properties::glance;
use crate::domain::value::{FieldTable, FieldValue};
use crate::domain::wire::Reader;

/// The header that carries a message's filter value.
pub const FILTER_VALUE: &str = "x-stream-filter-value";

/// What a consumer wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    values: Vec<String>,
    unfiltered: bool,
}

impl Filter {
    /// Reads a consumer's arguments; `None`: it wants everything. What is not text filters nothing.
    #[must_use]
    pub fn from_arguments(arguments: &FieldTable) -> Option<Self> {
        let texts = |values: &[FieldValue]| values.iter().filter_map(FieldValue::as_text).map(str::to_owned).collect();
        let values: Vec<String> = match arguments.get("x-stream-filter")? {
            FieldValue::Array(values) => texts(values),
            value => texts(std::slice::from_ref(value)),
        };
        let unfiltered = arguments.get("x-stream-match-unfiltered") == Some(&FieldValue::Boolean(true));
        (!values.is_empty()).then_some(Self { values, unfiltered })
    }

    /// Whether a message with these encoded properties passes.
    #[must_use]
    pub fn passes(&self, properties: &[u8]) -> bool {
        let value = filter_value(properties).unwrap_or_default();
        (self.unfiltered && value.is_empty()) || self.values.iter().any(|wanted| *wanted == value)
    }
}

/// The filter value among encoded properties.
#[must_use]
pub fn filter_value(properties: &[u8]) -> Option<Cow<'_, str>> {
    let headers = glance(properties).ok()?.headers?;
    // A look that spares decoding the headers of most messages.
    if !headers.windows(FILTER_VALUE.len()).any(|window| window == FILTER_VALUE.as_bytes()) {
        return None;
    }
    let table = Reader::new(headers).table().ok()?;
    table.get(FILTER_VALUE)?.as_text().map(|text| Cow::Owned(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::properties::Properties;

    fn properties(value: Option<FieldValue>) -> Vec<u8> {
        let headers = value.map(|value| [(FILTER_VALUE.to_owned(), value)].into_iter().collect());
        Properties { headers, ..Properties::default() }.encode()
    }

    fn filter(value: FieldValue, unfiltered: Option<FieldValue>) -> Option<Filter> {
        let mut arguments = FieldTable::new();
        arguments.insert("x-stream-filter", value);
        if let Some(unfiltered) = unfiltered {
            arguments.insert("x-stream-match-unfiltered", unfiltered);
        }
        Filter::from_arguments(&arguments)
    }

    #[test]
    fn messages_pass_by_their_value() {
        let text = FieldValue::text;
        let (yes, no) = (Some(FieldValue::Boolean(true)), Some(FieldValue::Boolean(false)));
        let messages = [None, Some(text("a")), Some(text("b")), Some(text("")), Some(FieldValue::I32(5))];
        for (value, unfiltered, expected) in [
            (text("a"), None, [false, true, false, false, false]),
            (text("a"), no, [false, true, false, false, false]),
            (text("a"), yes.clone(), [true, true, false, true, true]),
            (text("a"), Some(text("true")), [false, true, false, false, false]),
            (text("z"), None, [false; 5]),
            (text(""), None, [true, false, false, true, true]),
            (FieldValue::Array(vec![text("a"), text("b")]), None, [false, true, true, false, false]),
            (FieldValue::Array(vec![text("a"), FieldValue::I32(5)]), yes, [true, true, false, true, true]),
        ] {
            let filter = filter(value, unfiltered).unwrap();
            let passed = messages.clone().map(|message| filter.passes(&properties(message)));
            assert_eq!(passed, expected, "{filter:?}");
        }
    }

    #[test]
    fn what_is_no_text_filters_nothing() {
        for value in [FieldValue::I32(5), FieldValue::Boolean(true), FieldValue::Void, FieldValue::Array(Vec::new())] {
            assert_eq!(filter(value, None), None);
        }
        assert_eq!(Filter::from_arguments(&FieldTable::new()), None);
    }

    #[test]
    fn a_value_that_merely_names_the_header_is_none() {
        let headers = [("k".to_owned(), FieldValue::text(FILTER_VALUE))].into_iter().collect();
        let properties = Properties { headers: Some(headers), ..Properties::default() }.encode();
        assert_eq!(filter_value(&properties), None);
    }
}
