//! Reading a request body: its size limit, and JSON objects the way the reference takes them.
//!
//! Fields are read one by one from the parsed object instead of into a type, because the
//! reference accepts more spellings than a type would (numbers and booleans as text) and
//! names what is missing in its own form.

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use serde_json::{Map, Value, json};

use crate::error::ApiError;

/// Longest wait for a whole body, however many pieces it comes in.
const WHOLE_TIMEOUT: Duration = Duration::from_secs(300);

/// Reads a body of at most `bytes_max` to its end. One that says it is larger is not read;
/// that a client still sending sees the refusal is the connection's care.
pub(crate) async fn read(
    body: Body,
    headers: &HeaderMap,
    bytes_max: usize,
    piece_timeout: Duration,
) -> Result<Bytes, ApiError> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|declared| declared > bytes_max as u64) {
        return Err(ApiError::body_too_large(bytes_max));
    }
    let whole = tokio::time::timeout(WHOLE_TIMEOUT, read_pieces(body, bytes_max, piece_timeout));
    whole.await.unwrap_or_else(|_| Err(ApiError::body_too_slow()))
}

async fn read_pieces(mut body: Body, bytes_max: usize, piece_timeout: Duration) -> Result<Bytes, ApiError> {
    let mut taken = BytesMut::new();
    loop {
        let next = tokio::time::timeout(piece_timeout, body.frame()).await;
        let Some(frame) = next.map_err(|_| ApiError::body_too_slow())? else { break };
        let frame = frame.map_err(|_| ApiError::bad_request("the request body broke off"))?;
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > bytes_max - taken.len() {
            return Err(ApiError::body_too_large(bytes_max));
        }
        taken.extend_from_slice(&data);
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
        let on_one_line = missing.iter().map(|term| term.len() + 1).sum::<usize>() < 79;
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
