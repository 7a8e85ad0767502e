//! Headers matching: a binding's arguments against a message's headers.
//!
//! `x-match` says how: `all` (the default) or `any` of the arguments, without those whose
//! names start with `x-`; `all-with-x` and `any-with-x` look at those too (at `x-match`
//! itself never). A void argument asks for presence only. Values compare by content,
//! whatever integer width they were sent in.

use std::sync::Arc;

use imbl::OrdMap;

use super::{Bound, Sink};
use crate::domain::term::{Term, same_value};
use crate::domain::value::{FieldTable, FieldValue};

/// The argument that says how to match.
const X_MATCH: &str = "x-match";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    All,
    Any,
    AllWithX,
    AnyWithX,
}

impl Mode {
    fn of(arguments: &FieldTable) -> Self {
        match arguments.get(X_MATCH).and_then(text) {
            Some("any") => Self::Any,
            Some("all-with-x") => Self::AllWithX,
            Some("any-with-x") => Self::AnyWithX,
            _ => Self::All,
        }
    }

    fn looks_at(self, name: &str) -> bool {
        match self {
            Self::All | Self::Any => !name.starts_with("x-"),
            Self::AllWithX | Self::AnyWithX => name != X_MATCH,
        }
    }
}

fn text(value: &FieldValue) -> Option<&str> {
    value.as_text()
}

/// Why a headers exchange refuses these binding arguments; `None` when it takes them.
#[must_use]
pub fn refusal(arguments: &FieldTable) -> Option<String> {
    match arguments.get(X_MATCH)? {
        FieldValue::LongString(mode) if matches!(&mode[..], b"all" | b"any" | b"all-with-x" | b"any-with-x") => None,
        other @ FieldValue::LongString(_) => {
            Some(format!("Invalid x-match field value {}; expected all, any, all-with-x, or any-with-x", Term(other)))
        }
        other => {
            Some(format!("Invalid x-match field type {} (value {}); expected longstr", other.type_name(), Term(other)))
        }
    }
}

/// Whether headers satisfy a binding's arguments.
#[must_use]
pub fn matches(arguments: &FieldTable, headers: &FieldTable) -> bool {
    let mode = Mode::of(arguments);
    let mut looked_at = arguments.iter().filter(|(name, _)| mode.looks_at(name));
    let satisfied = |(name, wanted): (&str, &FieldValue)| match (headers.get(name), wanted) {
        (None, _) => false,
        (Some(_), FieldValue::Void) => true,
        (Some(value), wanted) => same_value(value, wanted),
    };
    match mode {
        Mode::All | Mode::AllWithX => looked_at.all(satisfied),
        Mode::Any | Mode::AnyWithX => looked_at.any(satisfied),
    }
}

/// Bindings of a headers exchange; each is tried in turn.
#[derive(Debug, Clone)]
pub struct HeadersMatcher<B> {
    bindings: OrdMap<u64, (Arc<FieldTable>, B)>,
}

impl<B> Default for HeadersMatcher<B> {
    fn default() -> Self {
        Self { bindings: OrdMap::new() }
    }
}

impl<B: Bound> HeadersMatcher<B> {
    /// Adds a binding.
    pub fn insert(&mut self, arguments: &FieldTable, bound: B) {
        self.bindings.insert(bound.number(), (Arc::new(arguments.clone()), bound));
    }

    /// Removes a binding.
    pub fn remove(&mut self, bound: &B) {
        self.bindings.remove(&bound.number());
    }

    /// Whether there is no binding, so that nobody needs the headers.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }

    /// Hands every binding these headers satisfy to `sink`.
    pub fn matches(&self, headers: &FieldTable, sink: &mut impl Sink<B>) {
        for (arguments, bound) in self.bindings.values() {
            if matches(arguments, headers) {
                sink.matched(bound);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{Collected, Numbered};
    use super::*;

    fn table(entries: &[(&str, FieldValue)]) -> FieldTable {
        entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
    }

    #[test]
    fn arguments_against_headers() {
        let int = |value| FieldValue::I32(value);
        let say = FieldValue::text;
        for (arguments, headers, expected) in [
            (vec![], vec![("a", int(1))], true),
            (vec![("x-match", say("any"))], vec![("a", int(1))], false),
            (vec![("a", int(1)), ("b", say("x"))], vec![("a", FieldValue::I64(1)), ("b", say("x"))], true),
            (vec![("a", int(1)), ("b", say("x"))], vec![("a", int(1))], false),
            (vec![("x-match", say("any")), ("a", int(1)), ("b", say("x"))], vec![("a", int(1))], true),
            (vec![("a", FieldValue::Void)], vec![("a", int(9))], true),
            (vec![("a", FieldValue::Void)], vec![("b", int(9))], false),
            (vec![("x-a", int(1))], vec![], true),
            (vec![("x-match", say("all-with-x")), ("x-a", int(1))], vec![], false),
            (vec![("x-match", say("all-with-x")), ("x-a", int(1))], vec![("x-a", int(1))], true),
            (vec![("x-match", say("any")), ("x-a", int(1))], vec![("x-a", int(1))], false),
            (vec![("x-match", say("any-with-x")), ("x-a", int(1))], vec![("x-a", int(1))], true),
            (vec![("a", FieldValue::F64(1.0))], vec![("a", int(1))], false),
            (vec![("a", int(1))], vec![("a", FieldValue::Void)], false),
        ] {
            assert_eq!(matches(&table(&arguments), &table(&headers)), expected, "{arguments:?} {headers:?}");
        }
    }

    #[test]
    fn refusals_as_recorded() {
        for (value, expected) in [
            (FieldValue::text("all"), None),
            (FieldValue::text("any-with-x"), None),
            (
                FieldValue::text("foo"),
                Some("Invalid x-match field value <<\"foo\">>; expected all, any, all-with-x, or any-with-x"),
            ),
            (FieldValue::I32(5), Some("Invalid x-match field type signedint (value 5); expected longstr")),
            (FieldValue::Void, Some("Invalid x-match field type void (value undefined); expected longstr")),
        ] {
            assert_eq!(refusal(&table(&[("x-match", value)])).as_deref(), expected);
        }
    }

    fn any_value() -> impl Strategy<Value = FieldValue> {
        prop_oneof![
            (0i32..2).prop_map(FieldValue::I32),
            (0i64..2).prop_map(FieldValue::I64),
            "[ab]".prop_map(|text| FieldValue::text(&text)),
            Just(FieldValue::Void),
        ]
    }

    fn any_table() -> impl Strategy<Value = FieldTable> {
        proptest::collection::vec(("(x-)?[abc]", any_value()), 0..4).prop_map(|entries| entries.into_iter().collect())
    }

    proptest! {
        #[test]
        fn the_matcher_finds_what_one_by_one_matching_finds(
            mode in proptest::option::of(proptest::sample::select(vec!["all", "any", "all-with-x", "any-with-x"])),
            bindings in proptest::collection::vec(any_table(), 1..8),
            headers in any_table(),
        ) {
            let with_x = mode.is_some_and(|mode| mode.ends_with("-with-x"));
            let any = mode.is_some_and(|mode| mode.starts_with("any"));
            let mut matcher = HeadersMatcher::default();
            let mut expected = Vec::new();
            for (number, mut arguments) in bindings.into_iter().enumerate() {
                let mut results = Vec::new();
                for (name, value) in arguments.iter().filter(|(name, _)| with_x || !name.starts_with("x-")) {
                    results.push(headers.iter().any(|(key, found)| {
                        key == name
                            && (*value == FieldValue::Void
                                || found.as_i64().zip(value.as_i64()).is_some_and(|(a, b)| a == b)
                                || found == value)
                    }));
                }
                if if any { results.contains(&true) } else { !results.contains(&false) } {
                    expected.push(number as u64);
                }
                if let Some(mode) = mode {
                    arguments.insert(X_MATCH, FieldValue::text(mode));
                }
                matcher.insert(&arguments, Numbered(number as u64));
            }
            let mut sink = Collected::default();
            matcher.matches(&headers, &mut sink);
            prop_assert_eq!(sink.0, expected);
        }
    }
}
