//! Runtime and global parameters: named documents.

use std::fmt;

use super::name::VhostName;
use crate::error::Error;

/// A parameter's value. The reference defines these as JSON documents that travel
/// unchanged from whoever sets them to whoever reads them, so the broker holds the
/// document instead of inventing a second tree for it.
pub type Document = serde_json::Value;

/// Deepest nesting of arrays and objects in a document: far beyond any real one, and
/// within what every JSON reader on the way accepts.
pub const DOCUMENT_NESTING_MAX: usize = 64;

/// A runtime parameter of a vhost.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Where.
    pub vhost: VhostName,
    /// Whose parameter: `shovel`, `federation-upstream`, …
    pub component: String,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Document,
}

/// Component under which the limits of a vhost can be set and are shown.
pub const VHOST_LIMITS: &str = "vhost-limits";
/// Component under which operator policies stand in definition files.
pub const OPERATOR_POLICY: &str = "operator_policy";
/// Component of user policies, which have a section of their own.
pub const POLICY: &str = "policy";

/// The frame the reference puts around what a validator finds.
#[must_use]
pub fn validation_failed(refusals: &[impl fmt::Display]) -> Error {
    let mut text = String::from("Validation failed\n\n");
    for refusal in refusals {
        text.push_str(&refusal.to_string());
        text.push('\n');
    }
    Error::InvalidValue(text)
}

/// Refuses a document nested too deep to be stored and read again.
///
/// # Errors
/// [`Error::InvalidValue`]
pub fn check_nesting(document: &Document) -> Result<(), Error> {
    fn fits(document: &Document, levels: usize) -> bool {
        let Some(levels) = levels.checked_sub(1) else { return false };
        match document {
            Document::Array(values) => values.iter().all(|value| fits(value, levels)),
            Document::Object(entries) => entries.values().all(|value| fits(value, levels)),
            _ => true,
        }
    }
    if fits(document, DOCUMENT_NESTING_MAX + 1) {
        return Ok(());
    }
    Err(Error::InvalidValue(format!("value is nested more than {DOCUMENT_NESTING_MAX} levels deep")))
}

/// A document in the notation of the reference's refusals: `5`, `<<"text">>`, `#{<<"k">> => 1}`.
#[must_use]
pub fn as_term(document: &Document) -> String {
    match document {
        Document::Null => "null".into(),
        Document::Bool(value) => value.to_string(),
        Document::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => float_term(float),
            _ => number.to_string(),
        },
        Document::String(text) => text_term(text),
        Document::Array(values) => array_term(values),
        Document::Object(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by_key(|(name, _)| name.as_str());
            let terms: Vec<_> =
                entries.into_iter().map(|(name, value)| format!("{} => {}", text_term(name), as_term(value))).collect();
            format!("#{{{}}}", terms.join(","))
        }
    }
}

fn text_term(text: &str) -> String {
    if text.is_empty() {
        return "<<>>".into();
    }
    if text.chars().any(|character| character.is_control() && !"\n\r\t".contains(character)) {
        return format!("<<{}>>", text.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(","));
    }
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    let escaped = escaped.replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t");
    let encoding = if text.is_ascii() { "" } else { "/utf8" };
    format!("<<\"{escaped}\"{encoding}>>")
}

/// A list of small integers prints as text, as it does in the reference.
fn array_term(values: &[Document]) -> String {
    let characters = values.iter().map(|value| {
        let code = u8::try_from(value.as_u64()?).ok()?;
        (code.is_ascii_graphic() || code == b' ').then_some(char::from(code))
    });
    match characters.collect::<Option<String>>() {
        Some(text) if !text.is_empty() => format!("{text:?}"),
        _ => format!("[{}]", values.iter().map(as_term).collect::<Vec<_>>().join(",")),
    }
}

/// The shorter of decimal and scientific notation.
fn float_term(float: f64) -> String {
    let with_fraction = |digits: String| if digits.contains('.') { digits } else { digits + ".0" };
    let decimal = with_fraction(float.to_string());
    let scientific = format!("{float:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return decimal };
    let scientific = format!("{}e{exponent}", with_fraction(digits.to_owned()));
    if scientific.len() < decimal.len() { scientific } else { decimal }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_print_as_the_reference_prints_them() {
        for (document, expected) in [
            (json!(null), "null"),
            (json!(true), "true"),
            (json!(-1), "-1"),
            (json!(1_000_000_000_000_000_000_u64), "1000000000000000000"),
            (json!(1.5), "1.5"),
            (json!(1.0), "1.0"),
            (json!(1e30), "1.0e30"),
            (json!(100_000.0), "1.0e5"),
            (json!(12_345_678.9), "12345678.9"),
            (json!(0.1), "0.1"),
            (json!("x"), "<<\"x\">>"),
            (json!(""), "<<>>"),
            (json!("\u{7}"), "<<7>>"),
            (json!("a\"\n\\"), "<<\"a\\\"\\n\\\\\">>"),
            (json!("水"), "<<\"水\"/utf8>>"),
            (json!([]), "[]"),
            (json!([1]), "[1]"),
            (json!([97, 98]), "\"ab\""),
            (json!([1, "x", {"z": null}]), "[1,<<\"x\">>,#{<<\"z\">> => null}]"),
            (json!({"c": [], "b": 1.0}), "#{<<\"b\">> => 1.0,<<\"c\">> => []}"),
        ] {
            assert_eq!(as_term(&document), expected);
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!({ "k": inner }));
        assert!(check_nesting(&nested(DOCUMENT_NESTING_MAX)).is_ok());
        assert!(check_nesting(&nested(DOCUMENT_NESTING_MAX + 1)).is_err());
    }
}
