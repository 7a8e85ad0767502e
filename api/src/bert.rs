//! JSON answers in Erlang's external term format, for clients that ask for
//! `application/bert`. Objects are maps, text is binary, words are atoms.

use serde_json::{Number, Value};

/// Content type.
pub(crate) const BERT: &str = "application/bert";

const VERSION: u8 = 131;
const NEW_FLOAT: u8 = 70;
const SMALL_INTEGER: u8 = 97;
const INTEGER: u8 = 98;
const NIL: u8 = 106;
const LIST: u8 = 108;
const BINARY: u8 = 109;
const SMALL_BIG: u8 = 110;
const MAP: u8 = 116;
const SMALL_ATOM_UTF8: u8 = 119;

/// A value as a term. `None` when a part is larger than the format's 32-bit lengths.
pub(crate) fn encode(value: &Value) -> Option<Vec<u8>> {
    let mut term = vec![VERSION];
    put(value, &mut term)?;
    Some(term)
}

fn put_length(length: usize, term: &mut Vec<u8>) -> Option<()> {
    term.extend_from_slice(&u32::try_from(length).ok()?.to_be_bytes());
    Some(())
}

fn put_text(text: &str, term: &mut Vec<u8>) -> Option<()> {
    term.push(BINARY);
    put_length(text.len(), term)?;
    term.extend_from_slice(text.as_bytes());
    Some(())
}

fn put_atom(name: &str, term: &mut Vec<u8>) -> Option<()> {
    term.push(SMALL_ATOM_UTF8);
    term.push(u8::try_from(name.len()).ok()?);
    term.extend_from_slice(name.as_bytes());
    Some(())
}

fn put_number(number: &Number, term: &mut Vec<u8>) {
    let (negative, magnitude) = match (number.as_i64(), number.as_u64()) {
        (Some(small @ 0..=255), _) => {
            term.extend([SMALL_INTEGER, small.to_be_bytes()[7]]);
            return;
        }
        (Some(number), _) => match i32::try_from(number) {
            Ok(number) => {
                term.push(INTEGER);
                term.extend_from_slice(&number.to_be_bytes());
                return;
            }
            Err(_) => (number < 0, number.unsigned_abs()),
        },
        (None, Some(number)) => (false, number),
        (None, None) => {
            term.push(NEW_FLOAT);
            term.extend_from_slice(&number.as_f64().unwrap_or_default().to_be_bytes());
            return;
        }
    };
    term.extend([SMALL_BIG, 8, u8::from(negative)]);
    term.extend_from_slice(&magnitude.to_le_bytes());
}

fn put(value: &Value, term: &mut Vec<u8>) -> Option<()> {
    match value {
        Value::Null => put_atom("null", term)?,
        Value::Bool(true) => put_atom("true", term)?,
        Value::Bool(false) => put_atom("false", term)?,
        Value::Number(number) => put_number(number, term),
        Value::String(text) => put_text(text, term)?,
        Value::Array(items) => {
            if !items.is_empty() {
                term.push(LIST);
                put_length(items.len(), term)?;
                for item in items {
                    put(item, term)?;
                }
            }
            term.push(NIL);
        }
        Value::Object(fields) => {
            term.push(MAP);
            put_length(fields.len(), term)?;
            for (name, value) in fields {
                put_text(name, term)?;
                put(value, term)?;
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_become_terms() {
        for (value, term) in [
            (json!(5), vec![131, 97, 5]),
            (json!(-1), vec![131, 98, 255, 255, 255, 255]),
            (json!(4_294_967_296_i64), vec![131, 110, 8, 0, 0, 0, 0, 0, 1, 0, 0, 0]),
            (json!(true), vec![131, 119, 4, b't', b'r', b'u', b'e']),
            (json!([]), vec![131, 106]),
            (json!(["a"]), vec![131, 108, 0, 0, 0, 1, 109, 0, 0, 0, 1, b'a', 106]),
            (json!({"k": 1}), vec![131, 116, 0, 0, 0, 1, 109, 0, 0, 0, 1, b'k', 97, 1]),
        ] {
            assert_eq!(encode(&value), Some(term), "{value}");
        }
    }
}
