//! Reading a request body: its size limit, and JSON objects the way the reference takes them.
//!
//! Fields are read one by one from the parsed object instead of into a type, because the
//! reference accepts more spellings than a type would (numbers and booleans as text) and
//! names what is missing in its own form.

use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use serde_json::{Map, Value, json};

use crate::error::ApiError;

/// How much of a body that is too large is read and dropped, so that a client still
/// sending sees the refusal instead of a reset connection.
const DRAINED_BYTES_MAX: usize = 64_000_000;

/// Longest wait for the next piece of a body.
const FRAME_TIMEOUT: Duration = Duration::from_secs(60);

/// Reads a body of at most `bytes_max` to its end.
pub(crate) async fn read(mut body: Body, bytes_max: usize) -> Result<Bytes, ApiError> {
    let mut taken = BytesMut::new();
    let mut seen = 0_usize;
    loop {
        let next = tokio::time::timeout(FRAME_TIMEOUT, body.frame()).await;
        let Some(frame) = next.map_err(|_| ApiError::bare(StatusCode::REQUEST_TIMEOUT))? else { break };
        let frame = frame.map_err(|_| ApiError::bad_request("the request body broke off"))?;
        let Ok(data) = frame.into_data() else { continue };
        seen += data.len();
        if seen <= bytes_max {
            taken.extend_from_slice(&data);
        } else if seen - bytes_max > DRAINED_BYTES_MAX {
            break;
        }
    }
    if seen > bytes_max {
        return Err(ApiError::bad_request("Exceeded HTTP request body size limit"));
    }
    Ok(taken.freeze())
}

/// The fields of a JSON object.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(pub(crate) Map<String, Value>);

impl Fields {
    /// Parses a body. Nothing, `null` and the word `undefined` are an empty object.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        if body.is_empty() || body == b"undefined" {
            return Ok(Self::default());
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(Value::Null) => Ok(Self::default()),
            Ok(Value::String(_)) => Err(ApiError::bad_request(
                "invalid payload: the request body JSON-decoded to a string. Is the input doubly-JSON-encoded?",
            )),
            Ok(_) | Err(_) => Err(ApiError::bad_request("not_json")),
        }
    }

    /// The value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Refuses when one of the fields is missing, naming all that are.
    pub(crate) fn require(&self, names: &[&str]) -> Result<(), ApiError> {
        let missing: Vec<_> = names
            .iter()
            .filter(|name| !self.0.contains_key(**name))
            .map(|name| format!("{{key_missing,{name}}}"))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        // The reference prints the list as a term, broken where a line would pass 80 columns.
        let on_one_line = missing.iter().map(|term| term.len() + 1).sum::<usize>() < 80;
        let separator = if on_one_line { "," } else { ",\n " };
        Err(ApiError::bad_request(format!("[{}]", missing.join(separator))))
    }

    /// A field that must be text when it is there.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, ApiError> {
        match self.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(ApiError::bad_request(json!(["not_string", name, other]))),
        }
    }

    /// A required field of text.
    pub(crate) fn required_text(&self, name: &str) -> Result<&str, ApiError> {
        self.require(&[name])?;
        self.text(name)?.ok_or_else(|| ApiError::bad_request(json!(["not_string", name, null])))
    }

    /// A boolean, also spelled as text.
    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, ApiError> {
        self.get(name).map(boolean).transpose()
    }
}

/// A boolean, also spelled as text.
pub(crate) fn boolean(value: &Value) -> Result<bool, ApiError> {
    match value {
        Value::Bool(value) => Ok(*value),
        Value::String(text) if text == "true" => Ok(true),
        Value::String(text) if text == "false" => Ok(false),
        other => Err(ApiError::bad_request(json!(["not_boolean", other]))),
    }
}

/// An integer, also spelled as digits.
pub(crate) fn integer(value: &Value) -> Result<i64, ApiError> {
    let parsed = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    parsed.ok_or_else(|| ApiError::bad_request(json!(["not_integer", value])))
}
