//! The OpenAPI document.

use crate::endpoint::{Access, Endpoint, Operation};

/// The OpenAPI 3.1 document of this API.
pub const DOCUMENT: Endpoint =
    Endpoint::new("/openapi.json", &[Operation::get(Access::Public, "This document (OpenAPI 3.1)")]);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[DOCUMENT];
