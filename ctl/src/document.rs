//! JSON documents given as words: reading them and showing them again.

use serde_json::Value;

use crate::call::Call;
use crate::exit::{Failure, Kind};
use crate::output::binary;

/// The document of a word. What is none is refused as the reference's node refuses it.
pub fn parse(call: &Call, text: &str) -> Result<Value, Failure> {
    match serde_json::from_str(text) {
        Ok(value) => Ok(value),
        Err(_) => {
            call.require()?;
            let text = format!("Could not parse JSON document: {{error,{{failed_to_decode_json,{}}}}}", binary(text));
            Err(Failure::refused(Kind::Unavailable, text))
        }
    }
}

/// The same, which must be an object.
pub fn parse_object(call: &Call, text: &str) -> Result<serde_json::Map<String, Value>, Failure> {
    match parse(call, text)? {
        Value::Object(entries) => Ok(entries),
        other => {
            call.require()?;
            Err(Failure::refused(Kind::Unavailable, format!("a JSON object is needed here, not {other}")))
        }
    }
}

/// A document on one line, the keys of its objects in order.
pub fn show(value: &Value) -> String {
    sorted(value).to_string()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by(|one, other| one.0.cmp(other.0));
            Value::Object(entries.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}
