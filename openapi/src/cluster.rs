//! The cluster's name.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::endpoint::{Access, CHANGED, Endpoint, OBJECT, Operation, wire};

/// The cluster's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClusterName {
    /// The name.
    pub name: String,
}

/// The cluster's name.
pub const CLUSTER_NAME: Endpoint = Endpoint::new(
    "/cluster-name",
    &[
        Operation::get(Access::Any, "The cluster's name").query(OBJECT).gives(wire::<ClusterName>()),
        Operation::put(Access::Administrator, "Names the cluster").takes(wire::<ClusterName>()).status(CHANGED),
    ],
);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[CLUSTER_NAME];
