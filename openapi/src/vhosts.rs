//! Virtual hosts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::arguments::QueueType;
use crate::endpoint::{Access, Endpoint, OBJECT, Operation, PAGED, Status, wire, wire_list};
use crate::statistics::Details;
use crate::traffic::{MessageStats, QueueTotals};
use crate::users::Tags;

/// A virtual host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Vhost {
    /// Its name.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Type of queues declared without one.
    #[schema(value_type = QueueType)]
    pub default_queue_type: String,
    /// Whether it refuses to be deleted.
    pub protected_from_deletion: bool,
    /// What was set on it.
    pub metadata: VhostMetadata,
    /// Whether messages are copied to the tracing exchange.
    pub tracing: bool,
    /// How it stands on each node.
    pub cluster_state: BTreeMap<String, String>,
    /// Counters, once there was traffic: bytes, messages, what happened to messages.
    #[serde(flatten)]
    #[schema(value_type = VhostCounters)]
    pub more: Map<String, Value>,
}

/// What is counted on a virtual host, once there was traffic.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VhostCounters {
    /// Messages in its queues.
    #[serde(flatten)]
    pub totals: QueueTotals,
    /// Bytes received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, required = false)]
    pub recv_oct: Option<u64>,
    /// How fast.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Details, required = false)]
    pub recv_oct_details: Option<Details>,
    /// Bytes sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, required = false)]
    pub send_oct: Option<u64>,
    /// How fast.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Details, required = false)]
    pub send_oct_details: Option<Details>,
    /// What happened to messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = MessageStats, required = false)]
    pub message_stats: Option<MessageStats>,
}

/// What was set on a virtual host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VhostMetadata {
    /// Free text.
    pub description: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Type of queues declared without one.
    #[schema(value_type = QueueType)]
    pub default_queue_type: String,
    /// Whether it refuses to be deleted; absent when that was never said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protected_from_deletion: Option<bool>,
}

/// What a virtual host is to become.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PutVhost {
    /// Free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Tags, comma-separated; an array is taken too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Tags>)]
    pub tags: Option<String>,
    /// Type of queues declared without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<QueueType>)]
    pub default_queue_type: Option<String>,
    /// Whether messages are copied to the tracing exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracing: Option<bool>,
}

/// All virtual hosts.
pub const VHOSTS: Endpoint = Endpoint::new(
    "/vhosts",
    &[Operation::get(Access::Any, "Virtual hosts the caller may enter").query(PAGED).gives(wire_list::<Vhost>())],
);

/// One virtual host.
pub const VHOST: Endpoint = Endpoint::new(
    "/vhosts/{vhost}",
    &[
        Operation::get(Access::Administrator, "One virtual host").query(OBJECT).gives(wire::<Vhost>()),
        Operation::put(Access::Administrator, "Creates or changes a virtual host").may_take(wire::<PutVhost>()),
        Operation::delete(Access::Administrator, "Deletes a virtual host with everything in it")
            .status(Status::new(412, "It is protected from deletion")),
    ],
);

/// Deletion protection.
pub const DELETION_PROTECTION: Endpoint = Endpoint::new(
    "/vhosts/{vhost}/deletion/protection",
    &[
        Operation::get(Access::Administrator, "Whether a virtual host refuses to be deleted").gives(wire::<bool>()),
        Operation::post(Access::Administrator, "Protects a virtual host from deletion"),
        Operation::delete(Access::Administrator, "Lets a virtual host be deleted again"),
    ],
)
.without_head();

/// Starting it on a node.
pub const START: Endpoint = Endpoint::new(
    "/vhosts/{vhost}/start/{node}",
    &[Operation::post(Access::Administrator, "Starts a virtual host on a node")],
);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[VHOSTS, VHOST, DELETION_PROTECTION, START];
