//! Nodes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::endpoint::{Access, Endpoint, LISTING, OBJECT, Operation, wire, wire_list};

/// A node. The fields listings always have; there are more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// `disc`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it runs.
    pub running: bool,
    /// Everything else.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// All nodes.
pub const NODES: Endpoint =
    Endpoint::new("/nodes", &[Operation::get(Access::Monitor, "All nodes").query(LISTING).gives(wire_list::<Node>())]);

/// One node.
pub const NODE: Endpoint =
    Endpoint::new("/nodes/{node}", &[Operation::get(Access::Monitor, "One node").query(OBJECT).gives(wire::<Node>())]);

/// Memory of a node.
pub const MEMORY: Endpoint =
    Endpoint::new("/nodes/{node}/memory", &[Operation::get(Access::Monitor, "Memory of a node, in bytes")]);

/// Memory of a node in shares.
pub const MEMORY_RELATIVE: Endpoint =
    Endpoint::new("/nodes/{node}/memory/relative", &[Operation::get(Access::Monitor, "Memory of a node, in percent")]);

/// Memory of the runtime's tables, of which there are none here.
pub const MEMORY_TABLES: Endpoint =
    Endpoint::new("/nodes/{node}/memory/ets", &[Operation::get(Access::Monitor, "Memory of runtime tables, in bytes")]);

/// The same in shares, or of the tables that match.
pub const MEMORY_TABLES_FILTERED: Endpoint = Endpoint::new(
    "/nodes/{node}/memory/ets/{filter}",
    &[Operation::get(Access::Monitor, "Memory of the runtime tables that match")],
);

/// Both.
pub const MEMORY_TABLES_FILTERED_RELATIVE: Endpoint = Endpoint::new(
    "/nodes/{node}/memory/ets/{filter}/relative",
    &[Operation::get(Access::Monitor, "Memory of the runtime tables that match, in percent")],
);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] =
    &[NODES, NODE, MEMORY, MEMORY_RELATIVE, MEMORY_TABLES, MEMORY_TABLES_FILTERED, MEMORY_TABLES_FILTERED_RELATIVE];
