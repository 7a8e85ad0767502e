//! JSON answers in Erlang's external term format, for clients that ask for `application/bert`.
//!
//! Owns which form an object takes: the reference sends most as lists of pairs with atoms as keys,
//! some as maps, and what users name freely as maps with binary keys, so that no client makes
//! atoms of it. Text is binary; `true`, `false` and `null` are atoms.

use serde_json::{Map, Number, Value};

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

const SMALL_TUPLE: u8 = 104;

/// Fields whose objects have keys that users choose.
const FREELY_KEYED: &[&str] = &[
    "arguments",
    "client_properties",
    "definition",
    "effective_policy_definition",
    "headers",
    "limits",
    "metadata",
    "properties",
    "server_properties",
    "value",
    "variable_map",
];

/// Resources whose objects are maps.
const OF_MAPS: &[&str] = &["/vhosts", "/health/checks"];

/// The resource whose objects are maps that go into user's hands.
const DEFINITIONS: &str = "/definitions";

/// The form of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Pairs, with atoms as keys.
    Pairs,
    /// A map with atoms as keys.
    Map,
    /// The same, with maps of binary keys within.
    MapOfFree,
    /// A map with binary keys, and so is what it holds.
    Free,
}

/// A value of a resource's answer as a term. `None` when a part is larger than the format's
/// lengths.
pub(crate) fn encode(value: &Value, path: &str) -> Option<Vec<u8>> {
    let form = if path.starts_with(DEFINITIONS) {
        Form::MapOfFree
    } else if OF_MAPS.iter().any(|resource| path.starts_with(resource)) {
        Form::Map
    } else {
        Form::Pairs
    };
    let mut term = vec![VERSION];
    put(value, form, &mut term)?;
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

/// Writes an object.
fn put_object(fields: &Map<String, Value>, form: Form, term: &mut Vec<u8>) -> Option<()> {
    let of_pairs = form == Form::Pairs;
    if of_pairs && fields.is_empty() {
        term.push(NIL);
        return Some(());
    }
    term.push(if of_pairs { LIST } else { MAP });
    put_length(fields.len(), term)?;
    for (name, value) in fields {
        if of_pairs {
            term.extend([SMALL_TUPLE, 2]);
        }
        if form == Form::Free {
            put_text(name, term)?
        } else {
            put_atom(name, term)?
        }
        let within = match form {
            Form::MapOfFree | Form::Free => Form::Free,
            Form::Pairs | Form::Map if FREELY_KEYED.contains(&name.as_str()) => Form::Free,
            Form::Pairs | Form::Map => form,
        };
        put(value, within, term)?;
    }
    if of_pairs {
        term.push(NIL);
    }
    Some(())
}

fn put(value: &Value, form: Form, term: &mut Vec<u8>) -> Option<()> {
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
                    put(item, form, term)?;
                }
            }
            term.push(NIL);
        }
        Value::Object(fields) => put_object(fields, form, term)?,
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
            (json!({}), vec![131, 106]),
            (json!({"k": 1}), vec![131, 108, 0, 0, 0, 1, 104, 2, 119, 1, b'k', 97, 1, 106]),
        ] {
            assert_eq!(encode(&value, "/whoami"), Some(term), "{value}");
        }
    }

    /// The forms the reference gives objects.
    #[test]
    fn objects_are_pairs_or_maps_as_the_resource_has_it() {
        for (path, value, term) in [
            ("/vhosts/{vhost}", json!({"k": 1}), vec![131, 116, 0, 0, 0, 1, 119, 1, b'k', 97, 1]),
            ("/health/checks/alarms", json!({"k": []}), vec![131, 116, 0, 0, 0, 1, 119, 1, b'k', 106]),
            (
                "/definitions",
                json!({"k": [{"n": 1}]}),
                [
                    &[131, 116, 0, 0, 0, 1, 119, 1, b'k', 108, 0, 0, 0, 1][..],
                    &[116, 0, 0, 0, 1, 109, 0, 0, 0, 1, b'n', 97, 1, 106],
                ]
                .concat(),
            ),
            (
                "/queues",
                json!({"arguments": {"x": {}}}),
                [
                    &[131, 108, 0, 0, 0, 1, 104, 2, 119, 9][..],
                    b"arguments",
                    &[116, 0, 0, 0, 1, 109, 0, 0, 0, 1, b'x', 116, 0, 0, 0, 0, 106],
                ]
                .concat(),
            ),
        ] {
            assert_eq!(encode(&value, path), Some(term), "{path}");
        }
        // What is too long for an atom is no key of ours.
        assert_eq!(encode(&json!({"k".repeat(256): 1}), "/queues"), None);
    }
}
