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

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[DOCUMENT, PAGE];
