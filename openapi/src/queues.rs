//! Queues.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::arguments::{QueueArguments, QueueType};
use crate::bindings::Binding;
use crate::consumers::Consumer;
use crate::endpoint::{Access, Endpoint, LISTING, OBJECT, Operation, PAGED, Query, Status, wire, wire_list};
use crate::fields::{one_of, schema};
use crate::health::Health;
use crate::parameter::{LENGTH_RANGE, MESSAGE_RANGE, VHOST_HEADER};
use crate::policies::PolicySettings;
use crate::statistics::Details;
use crate::traffic::{Flow, MessageStats};

/// A queue. Listings leave out what belongs to a single queue only, and with
/// `disable_stats=true` everything that is counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Its virtual host.
    pub vhost: String,
    /// `classic`, `quorum` or `stream`.
    #[serde(rename = "type")]
    #[schema(value_type = QueueType)]
    pub kind: String,
    /// Survives a restart.
    pub durable: bool,
    /// Goes with its last consumer.
    pub auto_delete: bool,
    /// Belongs to one connection.
    pub exclusive: bool,
    /// Arguments as declared, `x-queue-type` always among them.
    #[schema(value_type = QueueArguments)]
    pub arguments: Map<String, Value>,
    /// Its node.
    pub node: String,
    /// `running`.
    pub state: String,
    /// Whether the broker itself declared it.
    pub internal: bool,
    /// The object it was declared for; `false` when there is none.
    pub internal_owner: bool,
    /// Identity in the form of the command line tools.
    pub pid: String,
    /// Identity of the connection an exclusive queue belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_pid: Option<String>,
    /// The connection an exclusive queue belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_pid_details: Option<OwnerDetails>,
    /// The policy that applies.
    #[schema(required = false)]
    pub policy: Option<String>,
    /// The operator policy that applies.
    #[schema(required = false)]
    pub operator_policy: Option<String>,
    /// What the two policies come to.
    #[schema(required = false, value_type = PolicySettings)]
    pub effective_policy_definition: Map<String, Value>,
    /// What is counted.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = QueueCounts)]
    pub counts: Option<QueueCounts>,
    /// What only a quorum queue or a stream has.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Replication)]
    pub replication: Option<Replication>,
}

/// The connection an exclusive queue belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OwnerDetails {
    /// Name of the connection.
    pub name: String,
    /// Peer address.
    pub peer_host: String,
    /// Peer port.
    pub peer_port: u16,
}

/// What is counted on a queue.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueueCounts {
    /// Messages, ready or not.
    #[schema(required = false)]
    pub messages: u64,
    /// Their change.
    #[schema(required = false)]
    pub messages_details: Details,
    /// Ready for delivery.
    #[schema(required = false)]
    pub messages_ready: u64,
    /// Their change.
    #[schema(required = false)]
    pub messages_ready_details: Details,
    /// Delivered and not yet acknowledged.
    #[schema(required = false)]
    pub messages_unacknowledged: u64,
    /// Their change.
    #[schema(required = false)]
    pub messages_unacknowledged_details: Details,
    /// Held in memory.
    #[schema(required = false)]
    pub messages_ram: u64,
    /// Ready and held in memory.
    #[schema(required = false)]
    pub messages_ready_ram: u64,
    /// Unacknowledged and held in memory.
    #[schema(required = false)]
    pub messages_unacknowledged_ram: u64,
    /// Persistent.
    #[schema(required = false)]
    pub messages_persistent: u64,
    /// Bytes of all bodies.
    #[schema(required = false)]
    pub message_bytes: u64,
    /// Bytes of ready bodies.
    #[schema(required = false)]
    pub message_bytes_ready: u64,
    /// Bytes of unacknowledged bodies.
    #[schema(required = false)]
    pub message_bytes_unacknowledged: u64,
    /// Bytes of bodies held in memory.
    #[schema(required = false)]
    pub message_bytes_ram: u64,
    /// Bytes of persistent bodies.
    #[schema(required = false)]
    pub message_bytes_persistent: u64,
    /// Consumers.
    #[schema(required = false)]
    pub consumers: u64,
    /// Share of time in which consumers would take a message at once.
    #[schema(required = false)]
    pub consumer_capacity: f64,
    /// The same under its older name.
    #[schema(required = false)]
    pub consumer_utilisation: f64,
    /// Bytes of memory it takes, estimated.
    #[schema(required = false)]
    pub memory: u64,
    /// Runtime steps; always 0, there is no such runtime.
    #[schema(required = false)]
    pub reductions: u64,
    /// Their change.
    #[schema(required = false)]
    pub reductions_details: Details,
    /// Tag of the exclusive consumer.
    #[schema(required = false)]
    pub exclusive_consumer_tag: Option<String>,
    /// Tag of the single active consumer.
    #[schema(required = false)]
    pub single_active_consumer_tag: Option<String>,
    /// Since when nothing happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub idle_since: Option<String>,
    /// Timestamp property of the first ready message, in seconds.
    #[schema(required = false)]
    pub head_message_timestamp: Option<u64>,
    /// What happened to its messages, once something did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = MessageStats, required = false)]
    pub message_stats: Option<Map<String, Value>>,
}

/// What only a quorum queue or a stream has.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Replication {
    /// The node that leads.
    #[schema(required = false)]
    pub leader: String,
    /// Nodes with a replica.
    #[schema(required = false)]
    pub members: Vec<String>,
    /// Those of them that are up.
    #[schema(value_type = Option<Vec<String>>, required = false)]
    pub online: Vec<String>,
    /// Open files by node; of a quorum queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub open_files: Option<BTreeMap<String, u64>>,
    /// Deliveries before a message is dropped or dead-lettered; of a quorum queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub delivery_limit: Option<i64>,
    /// Which returned messages wait before they come again; of a quorum queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub delayed_retry: Option<String>,
    /// Publishers it knows; of a quorum queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub publishers: Option<u64>,
    /// Messages that wait before they come again; of a quorum queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub messages_delayed: Option<u64>,
    /// Ready messages that had been delivered; of a quorum queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub messages_ready_returned: Option<u64>,
    /// Messages on their way to a dead letter exchange; of a quorum queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub messages_dlx: Option<u64>,
    /// Bytes of their bodies; of a quorum queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub message_bytes_dlx: Option<u64>,
    /// Priorities with messages; of a quorum queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub messages_active_priorities: Option<u64>,
    /// Messages by priority; of a quorum queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub messages_by_priority: Option<BTreeMap<String, u64>>,
    /// Readers by node; of a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub readers: Option<BTreeMap<String, u64>>,
    /// Segment files; of a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub segments: Option<u64>,
    /// When the first message was taken, in milliseconds since the epoch; of a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub first_timestamp: Option<u64>,
}

/// A queue alone: who is delivered its messages, and what came and went by whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SingleQueue {
    /// The queue.
    #[serde(flatten)]
    pub queue: Queue,
    /// Its consumers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<Consumer>, required = false)]
    pub consumer_details: Option<Vec<Consumer>>,
    /// What was delivered, by channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<Flow>, required = false)]
    pub deliveries: Option<Vec<Flow>>,
    /// What came, by exchange.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<Flow>, required = false)]
    pub incoming: Option<Vec<Flow>>,
}

/// A queue to declare.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PutQueue {
    /// Survives a restart.
    #[serde(default)]
    pub durable: bool,
    /// Goes with its last consumer.
    #[serde(default)]
    pub auto_delete: bool,
    /// Arguments.
    #[serde(default)]
    #[schema(value_type = QueueArguments)]
    pub arguments: Map<String, Value>,
    /// Where to put it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

/// Something to do to a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueueAction {
    /// Its name; none is left that means anything.
    pub action: String,
}

/// A node to give a replica to, or to take it from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplicaNode {
    /// The node.
    pub node: String,
}

/// Which queues get a replica on a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GrowReplicas {
    /// `all` or `even`.
    #[schema(value_type = GrowStrategy)]
    pub strategy: String,
    /// Regular expression on virtual hosts.
    pub vhost_pattern: String,
    /// Regular expression on queues.
    pub queue_pattern: String,
}

schema!(
    /// Whether all matching queues get a replica, or those with an even number of them.
    GrowStrategy => |summary| one_of(summary, &["all", "even"])
);

/// One member of a quorum queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ReplicaStatus {
    /// Its node.
    #[serde(rename = "Node Name")]
    pub node_name: String,
    /// `leader` or `follower`.
    #[serde(rename = "Raft State")]
    pub raft_state: String,
    /// `voter`.
    pub membership: String,
    /// Last entry of its log.
    #[serde(rename = "Last Log Index")]
    pub last_log_index: i64,
    /// Last entry on disk.
    #[serde(rename = "Last Written")]
    pub last_written: i64,
    /// Last entry that took effect.
    #[serde(rename = "Last Applied")]
    pub last_applied: i64,
    /// Last entry that is agreed on.
    #[serde(rename = "Commit Index")]
    pub commit_index: i64,
    /// Last entry in a snapshot; -1 without one.
    #[serde(rename = "Snapshot Index")]
    pub snapshot_index: i64,
    /// Its term.
    pub term: i64,
    /// Version of its state machine.
    #[serde(rename = "Machine Version")]
    pub machine_version: i64,
}

const WITHOUT_STATS: &[Query] = &[Query::flag("disable_stats", "`true` leaves out what is counted.")];
const WITH_TOTALS: &[Query] =
    &[Query::flag("enable_queue_totals", "`true` keeps the message counts with `disable_stats`.")];

const DELETION: &[Query] = &[
    Query::flag("if-unused", "`true` refuses when it has consumers."),
    Query::flag("if-empty", "`true` refuses when it has messages."),
];

const fn list(access: Access, summary: &'static str) -> Operation {
    Operation::get(access, summary)
        .query(PAGED)
        .query(WITHOUT_STATS)
        .query(WITH_TOTALS)
        .query(MESSAGE_RANGE)
        .query(LENGTH_RANGE)
        .gives(wire_list::<Queue>())
}

/// All queues.
pub const QUEUES: Endpoint =
    Endpoint::new("/queues", &[list(Access::Any, "Queues the caller may see").header(VHOST_HEADER)]);

/// All queues with everything known of them.
pub const DETAILED: Endpoint =
    Endpoint::new("/queues/detailed", &[list(Access::Any, "Queues the caller may see, in full").header(VHOST_HEADER)]);

/// Queues of a virtual host.
pub const OF_VHOST: Endpoint = Endpoint::new("/queues/{vhost}", &[list(Access::Vhost, "Queues of a virtual host")]);

/// Queues a user declared.
pub const OF_USER: Endpoint = Endpoint::new(
    "/users/{user}/queues",
    &[list(Access::Any, "Queues a user declared, of those the caller may see").header(VHOST_HEADER)],
);

/// One queue.
pub const QUEUE: Endpoint = Endpoint::new(
    "/queues/{vhost}/{queue}",
    &[
        Operation::get(Access::Vhost, "One queue")
            .query(OBJECT)
            .query(WITHOUT_STATS)
            .query(MESSAGE_RANGE)
            .query(LENGTH_RANGE)
            .gives(wire::<SingleQueue>()),
        Operation::put(Access::Vhost, "Declares a queue").may_take(wire::<PutQueue>()),
        Operation::delete(Access::Vhost, "Deletes a queue").query(DELETION),
    ],
);

/// Bindings of a queue.
pub const BINDINGS: Endpoint = Endpoint::new(
    "/queues/{vhost}/{queue}/bindings",
    &[Operation::get(Access::Vhost, "Bindings of a queue").query(LISTING).gives(wire_list::<Binding>())],
);

/// Messages of a queue.
pub const CONTENTS: Endpoint = Endpoint::new(
    "/queues/{vhost}/{queue}/contents",
    &[Operation::delete(Access::Vhost, "Drops all ready messages of a queue")],
);

/// Things to do to a queue.
pub const ACTIONS: Endpoint = Endpoint::new(
    "/queues/{vhost}/{queue}/actions",
    &[Operation::post(Access::Administrator, "Does something to a queue; no action is left")
        .takes(wire::<QueueAction>())],
);

/// Adding a replica of a quorum queue.
pub const ADD_REPLICA: Endpoint = Endpoint::new(
    "/queues/quorum/{vhost}/{queue}/replicas/add",
    &[Operation::post(Access::Administrator, "Adds a replica of a quorum queue").takes(wire::<ReplicaNode>())],
);

/// Removing a replica of a quorum queue.
pub const DELETE_REPLICA: Endpoint = Endpoint::new(
    "/queues/quorum/{vhost}/{queue}/replicas/delete",
    &[Operation::delete(Access::Administrator, "Removes a replica of a quorum queue").takes(wire::<ReplicaNode>())],
);

/// Adding replicas on a node.
pub const GROW: Endpoint = Endpoint::new(
    "/queues/quorum/replicas/on/{node}/grow",
    &[Operation::post(Access::Administrator, "Adds replicas of quorum queues on a node").takes(wire::<GrowReplicas>())],
);

/// Removing replicas from a node.
pub const SHRINK: Endpoint = Endpoint::new(
    "/queues/quorum/replicas/on/{node}/shrink",
    &[Operation::delete(Access::Administrator, "Removes replicas of quorum queues from a node")
        .status(Status::new(202, "Taken"))],
);

/// Members of a quorum queue.
pub const STATUS: Endpoint = Endpoint::new(
    "/queues/quorum/{vhost}/{queue}/status",
    &[Operation::get(Access::Vhost, "Members of a quorum queue")
        .gives(wire_list::<ReplicaStatus>())
        .status(Status::new(503, "The queue is of a type without such members").gives(wire::<Health>()))],
)
.without_head();

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[
    QUEUES,
    DETAILED,
    OF_VHOST,
    OF_USER,
    QUEUE,
    BINDINGS,
    CONTENTS,
    ACTIONS,
    ADD_REPLICA,
    DELETE_REPLICA,
    GROW,
    SHRINK,
    STATUS,
];
