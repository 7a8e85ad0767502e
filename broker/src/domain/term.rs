//! How the reference compares field values, and how its refusals print them.
//!
//! The reference is written in Erlang, and its refusal texts print values in that
//! language's notation; clients match on those texts, so this file speaks it. It knows
//! nothing of arguments or bindings.

use std::fmt::{self, Write as _};

use super::value::{FieldTable, FieldValue};

/// A field value in term notation: `5`, `true`, `<<"text">>`, `[{signedint,1}]`.
#[derive(Debug, Clone, Copy)]
pub struct Term<'a>(pub &'a FieldValue);

impl fmt::Display for Term<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            FieldValue::Boolean(value) => write!(f, "{value}"),
            FieldValue::F32(value) => write_float(f, f64::from(*value)),
            FieldValue::F64(value) => write_float(f, *value),
            FieldValue::Decimal(scale, unscaled) => write!(f, "{{{scale},{unscaled}}}"),
            FieldValue::LongString(bytes) | FieldValue::ByteArray(bytes) => write_binary(f, bytes),
            FieldValue::Timestamp(seconds) => write!(f, "{seconds}"),
            FieldValue::Void => f.write_str("undefined"),
            FieldValue::Array(values) => {
                f.write_char('[')?;
                for (at, value) in values.iter().enumerate() {
                    let comma = if at == 0 { "" } else { "," };
                    write!(f, "{comma}{{{},{}}}", value.type_name(), Term(value))?;
                }
                f.write_char(']')
            }
            FieldValue::Table(table) => write_table(f, table),
            integer => write!(f, "{}", integer.as_i64().unwrap_or_default()),
        }
    }
}

/// Text in term notation: `"text"`.
#[derive(Debug, Clone, Copy)]
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        write_escaped(f, self.0)?;
        f.write_char('"')
    }
}

fn write_table(f: &mut fmt::Formatter<'_>, table: &FieldTable) -> fmt::Result {
    f.write_char('[')?;
    for (at, (key, value)) in table.iter().enumerate() {
        f.write_str(if at == 0 { "{" } else { ",{" })?;
        write_binary(f, key.as_bytes())?;
        write!(f, ",{},{}}}", value.type_name(), Term(value))?;
    }
    f.write_char(']')
}

/// Shortest digits that read back as the same number, always with a fraction.
fn write_float(f: &mut fmt::Formatter<'_>, value: f64) -> fmt::Result {
    write!(f, "{value:?}")
}

fn write_binary(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    let printable =
        |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\u{8}' | '\u{b}' | '\u{c}' | '\u{1b}');
    match std::str::from_utf8(bytes) {
        Ok("") => f.write_str("<<>>"),
        Ok(text) if text.chars().all(printable) => {
            f.write_str("<<\"")?;
            write_escaped(f, text)?;
            f.write_str(if text.is_ascii() { "\">>" } else { "\"/utf8>>" })
        }
        _ => {
            f.write_str("<<")?;
            for (at, byte) in bytes.iter().enumerate() {
                let comma = if at == 0 { "" } else { "," };
                write!(f, "{comma}{byte}")?;
            }
            f.write_str(">>")
        }
    }
}

fn write_escaped(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    text.chars().try_for_each(|c| match c {
        '"' => f.write_str("\\\""),
        '\\' => f.write_str("\\\\"),
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        '\u{8}' => f.write_str("\\b"),
        '\u{b}' => f.write_str("\\v"),
        '\u{c}' => f.write_str("\\f"),
        '\u{1b}' => f.write_str("\\e"),
        other => f.write_char(other),
    })
}

/// Whether two values are the same whatever widths they were sent in: integers by
/// number, floats by number, text by bytes. An integer is never the same as a float.
#[must_use]
pub fn same_value(one: &FieldValue, other: &FieldValue) -> bool {
    if let (Some(one), Some(other)) = (one.as_i64(), other.as_i64()) {
        return one == other;
    }
    match (as_float(one), as_float(other)) {
        (Some(one), Some(other)) => return one == other,
        (None, None) => {}
        _ => return false,
    }
    match (as_bytes(one), as_bytes(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

fn as_float(value: &FieldValue) -> Option<f64> {
    match *value {
        FieldValue::F32(value) => Some(f64::from(value)),
        FieldValue::F64(value) => Some(value),
        _ => None,
    }
}

fn as_bytes(value: &FieldValue) -> Option<&[u8]> {
    match value {
        FieldValue::LongString(bytes) | FieldValue::ByteArray(bytes) => Some(bytes),
        _ => None,
    }
}

/// A table as bytes that are equal exactly when the tables hold the same keys with
/// values of the same types, in whatever order.
#[must_use]
pub fn canonical(table: &FieldTable) -> Vec<u8> {
    let mut bytes = Vec::new();
    canonical_table(table, &mut bytes);
    bytes
}

fn canonical_table(table: &FieldTable, into: &mut Vec<u8>) {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_unstable_by_key(|&(key, _)| key);
    length(entries.len(), into);
    for (key, value) in entries {
        length(key.len(), into);
        into.extend_from_slice(key.as_bytes());
        canonical_value(value, into);
    }
}

fn canonical_value(value: &FieldValue, into: &mut Vec<u8>) {
    // The type's name, so that values which print alike stay apart.
    into.extend_from_slice(value.type_name().as_bytes());
    into.push(0);
    match value {
        FieldValue::Boolean(value) => into.push(u8::from(*value)),
        FieldValue::F32(value) => into.extend_from_slice(&value.to_bits().to_be_bytes()),
        FieldValue::F64(value) => into.extend_from_slice(&value.to_bits().to_be_bytes()),
        FieldValue::Decimal(scale, unscaled) => {
            into.push(*scale);
            into.extend_from_slice(&unscaled.to_be_bytes());
        }
        FieldValue::LongString(bytes) | FieldValue::ByteArray(bytes) => {
            length(bytes.len(), into);
            into.extend_from_slice(bytes);
        }
        FieldValue::Timestamp(seconds) => into.extend_from_slice(&seconds.to_be_bytes()),
        FieldValue::Void => {}
        FieldValue::Array(values) => {
            length(values.len(), into);
            for value in values {
                canonical_value(value, into);
            }
        }
        FieldValue::Table(table) => canonical_table(table, into),
        integer => into.extend_from_slice(&integer.as_i64().unwrap_or_default().to_be_bytes()),
    }
}

fn length(length: usize, into: &mut Vec<u8>) {
    into.extend_from_slice(&(length as u64).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn table(entries: &[(&str, FieldValue)]) -> FieldTable {
        entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
    }

    #[test]
    fn values_print_as_recorded() {
        let nested = table(&[("a", FieldValue::I32(1))]);
        for (value, expected) in [
            (FieldValue::I32(-3), "-3"),
            (FieldValue::Boolean(true), "true"),
            (FieldValue::Void, "undefined"),
            (FieldValue::F64(1.0), "1.0"),
            (FieldValue::text("a'b"), "<<\"a'b\">>"),
            (FieldValue::text("a\nb"), "<<\"a\\nb\">>"),
            (FieldValue::text("é"), "<<\"é\"/utf8>>"),
            (FieldValue::ByteArray(Bytes::from_static(&[255, 1])), "<<255,1>>"),
            (FieldValue::Table(nested), "[{<<\"a\">>,signedint,1}]"),
            (FieldValue::Array(vec![FieldValue::I32(1), FieldValue::text("a")]), "[{signedint,1},{longstr,<<\"a\">>}]"),
        ] {
            assert_eq!(Term(&value).to_string(), expected);
        }
    }

    #[test]
    fn widths_do_not_matter_but_kinds_of_number_do() {
        for (one, other, same) in [
            (FieldValue::I8(1), FieldValue::I64(1), true),
            (FieldValue::I32(1), FieldValue::I32(2), false),
            (FieldValue::F32(0.5), FieldValue::F64(0.5), true),
            (FieldValue::I32(1), FieldValue::F64(1.0), false),
            (FieldValue::text("a"), FieldValue::ByteArray(Bytes::from_static(b"a")), true),
            (FieldValue::text("1"), FieldValue::I32(1), false),
            (FieldValue::Timestamp(1), FieldValue::Timestamp(1), true),
            (FieldValue::Void, FieldValue::Void, true),
        ] {
            assert_eq!(same_value(&one, &other), same, "{one:?} {other:?}");
            assert_eq!(same_value(&other, &one), same, "{other:?} {one:?}");
        }
    }

    #[test]
    fn canonical_bytes_ignore_order_and_keep_types() {
        let ab = table(&[("a", FieldValue::I32(1)), ("b", FieldValue::Void)]);
        let ba = table(&[("b", FieldValue::Void), ("a", FieldValue::I32(1))]);
        assert_eq!(canonical(&ab), canonical(&ba));
        let nest = |inner: &FieldTable| table(&[("t", FieldValue::Table(inner.clone()))]);
        assert_eq!(canonical(&nest(&ab)), canonical(&nest(&ba)));
        for other in [
            table(&[("a", FieldValue::I64(1)), ("b", FieldValue::Void)]),
            table(&[("a", FieldValue::F64(1.0)), ("b", FieldValue::Void)]),
            table(&[("a", FieldValue::I32(1))]),
            nest(&ab),
        ] {
            assert_ne!(canonical(&ab), canonical(&other), "{other:?}");
        }
    }
}
