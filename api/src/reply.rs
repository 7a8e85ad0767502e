//! What a handler answers, before the headers common to all answers.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use broker::Put;
use bytes::Bytes;
use serde::Serialize;

use crate::error::ApiError;

/// A successful answer (which a failed health check is too: it has a body of its own).
#[derive(Debug)]
pub(crate) struct Reply {
    /// The status.
    pub(crate) status: StatusCode,
    /// The body and its type.
    pub(crate) body: Option<(&'static str, Bytes)>,
    /// Headers only this answer has.
    pub(crate) headers: HeaderMap,
}

/// Content type of JSON bodies.
pub(crate) const JSON: &str = "application/json";

impl Reply {
    /// A body of some type.
    pub(crate) fn with_body(status: StatusCode, content_type: &'static str, body: Bytes) -> Self {
        Self { status, body: Some((content_type, body)), headers: HeaderMap::new() }
    }

    /// A status alone.
    pub(crate) fn bare(status: StatusCode) -> Self {
        Self { status, body: None, headers: HeaderMap::new() }
    }

    /// `200` with a JSON body that is written already.
    pub(crate) fn json_text(body: Vec<u8>) -> Self {
        Self::with_body(StatusCode::OK, JSON, body.into())
    }

    /// `200` with a JSON body.
    pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, ApiError> {
        Self::json_status(StatusCode::OK, value)
    }

    /// A JSON body under some status.
    pub(crate) fn json_status<T: Serialize + ?Sized>(status: StatusCode, value: &T) -> Result<Self, ApiError> {
        let body = serde_json::to_vec(value).map_err(|error| ApiError::internal(error.to_string()))?;
        Ok(Self::with_body(status, JSON, body.into()))
    }

    /// `204`.
    pub(crate) fn no_content() -> Self {
        Self::bare(StatusCode::NO_CONTENT)
    }

    /// `201`.
    pub(crate) fn created() -> Self {
        Self::bare(StatusCode::CREATED)
    }

    /// With one more header.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}

impl From<Put> for Reply {
    fn from(put: Put) -> Self {
        match put {
            Put::Created => Self::created(),
            Put::Existed => Self::no_content(),
        }
    }
}
