//! Small things an operator asks of a node: statistics reset, rebalancing, the
//! configuration in effect, extensions of the user interface.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::endpoint::{Access, Endpoint, Format, Operation, wire_list};

/// Forgets collected statistics.
pub const RESET: Endpoint = Endpoint::new(
    "/reset",
    &[Operation::delete(Access::Administrator, "Forgets the statistics collected on all nodes")],
);

/// The same on one node.
pub const RESET_NODE: Endpoint = Endpoint::new(
    "/reset/{node}",
    &[Operation::delete(Access::Administrator, "Forgets the statistics collected on a node")],
);

/// Spreads queue leaders over the nodes.
pub const REBALANCE: Endpoint = Endpoint::new(
    "/rebalance/queues",
    &[Operation::post(Access::Administrator, "Spreads queue leaders over the nodes")],
);

/// The configuration in effect.
pub const EFFECTIVE_CONFIG: Endpoint = Endpoint::new(
    "/config/effective",
    &[Operation::get(Access::Administrator, "The configuration in effect, as text").format(Format::Text)],
);

/// An extension of the user interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Extension {
    /// Its files.
    pub javascript: Vec<String>,
}

/// Extensions of the user interface.
pub const EXTENSIONS: Endpoint = Endpoint::new(
    "/extensions",
    &[Operation::get(Access::Any, "Extensions of the user interface").gives(wire_list::<Extension>())],
);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[RESET, RESET_NODE, REBALANCE, EFFECTIVE_CONFIG, EXTENSIONS];
