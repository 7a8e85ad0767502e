//! The document and the page that describe this API.

use crate::endpoint::{Access, Endpoint, Format, Operation};

/// The OpenAPI 3.1 document of this API.
pub const DOCUMENT: Endpoint =
    Endpoint::new("/openapi.json", &[Operation::get(Access::Public, "This document (OpenAPI 3.1)")]);

/// The same for people.
pub const PAGE: Endpoint =
    Endpoint::new("/index.html", &[Operation::get(Access::Public, "Every endpoint on one page").format(Format::Html)]);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[DOCUMENT, PAGE];
