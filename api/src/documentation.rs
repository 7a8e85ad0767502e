//! The document and the page that describe this API.

use std::sync::LazyLock;

use axum::http::StatusCode;
use bytes::Bytes;
use openapi::documentation as wire;
use openapi::endpoint::Format;

use crate::call::Call;
use crate::reply::{JSON, Reply};
use crate::route::{Answer, Mounts};

/// The document never changes within a process.
static DOCUMENT: LazyLock<Result<Bytes, String>> =
    LazyLock::new(|| openapi::spec::document().to_json().map(Bytes::from).map_err(|error| error.to_string()));

static PAGE: LazyLock<Bytes> = LazyLock::new(|| openapi::reference::page().into());

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::DOCUMENT).get(get_document);
    on.at(&wire::PAGE).get(get_page);
}

async fn get_document(_call: Call) -> Answer {
    match &*DOCUMENT {
        Ok(document) => Ok(Reply::with_body(StatusCode::OK, JSON, document.clone())),
        Err(error) => Err(crate::error::ApiError::internal(error.as_str())),
    }
}

async fn get_page(_call: Call) -> Answer {
    Ok(Reply::with_body(StatusCode::OK, Format::Html.content_type(), PAGE.clone()))
}
