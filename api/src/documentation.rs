//! The document and the pages that describe this API.
//!
//! The viewer is three files of the folder beside this one, embedded: it works where there is no internet, and without any
//! script or style in its page, so the content security policy need not make room for it.

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

const VIEWER: &str = include_str!("documentation/viewer.html");
const VIEWER_STYLE: &str = include_str!("documentation/viewer.css");
const VIEWER_SCRIPT: &str = include_str!("documentation/viewer.js");

/// Stands in the viewer's page where the path prefix of the API belongs.
const PREFIX_MARK: &str = "{prefix}";

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::DOCUMENT).get(get_document);
    on.at(&wire::PAGE).get(get_page);
    on.at(&wire::VIEWER).get(get_viewer);
    on.at(&wire::VIEWER_STYLE).get(get_viewer_style);
    on.at(&wire::VIEWER_SCRIPT).get(get_viewer_script);
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

async fn get_viewer(call: Call) -> Answer {
    let page = VIEWER.replace(PREFIX_MARK, &call.context.facts.http.path_prefix);
    Ok(Reply::with_body(StatusCode::OK, Format::Html.content_type(), page.into()))
}

async fn get_viewer_style(_call: Call) -> Answer {
    Ok(Reply::with_body(StatusCode::OK, Format::Css.content_type(), Bytes::from_static(VIEWER_STYLE.as_bytes())))
}

async fn get_viewer_script(_call: Call) -> Answer {
    Ok(Reply::with_body(StatusCode::OK, Format::Script.content_type(), Bytes::from_static(VIEWER_SCRIPT.as_bytes())))
}
