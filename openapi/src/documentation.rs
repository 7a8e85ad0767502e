//! The document and the page that describe this API.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::endpoint::{Access, Endpoint, Format, Operation, wire};

/// An OpenAPI document. What its fields mean is said by the specification of OpenAPI.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Document {
    /// Version of OpenAPI it is written in.
    pub openapi: String,
    /// Everything else.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// The OpenAPI 3.1 document of this API.
pub const DOCUMENT: Endpoint = Endpoint::new(
    "/openapi.json",
    &[Operation::get(Access::Public, "This document (OpenAPI 3.1)").gives(wire::<Document>())],
);

/// The same for people.
pub const PAGE: Endpoint =
    Endpoint::new("/index.html", &[Operation::get(Access::Public, "Every endpoint on one page").format(Format::Html)]);

const fn asset(summary: &'static str, format: Format) -> Operation {
    Operation::get(Access::Public, summary).format(format)
}

/// The same to look around in.
pub const VIEWER: Endpoint = Endpoint::new("/docs", &[asset("This document to look around in", Format::Html)]);

/// How that page looks.
pub const VIEWER_STYLE: Endpoint =
    Endpoint::new("/docs/viewer.css", &[asset("How the page of this document looks", Format::Css)]);

/// What that page does.
pub const VIEWER_SCRIPT: Endpoint =
    Endpoint::new("/docs/viewer.js", &[asset("What the page of this document does", Format::Script)]);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[DOCUMENT, PAGE, VIEWER, VIEWER_STYLE, VIEWER_SCRIPT];
