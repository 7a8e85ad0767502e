//! The broker at a glance.

use crate::endpoint::{Access, Endpoint, OBJECT, Operation};
use crate::parameter::VHOST_HEADER;

/// The broker at a glance.
pub const OVERVIEW: Endpoint = Endpoint::new(
    "/overview",
    &[Operation::get(Access::Any, "The broker at a glance: versions, totals, listeners")
        .header(VHOST_HEADER)
        .query(OBJECT)],
);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[OVERVIEW];
