//! Channels.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::consumers::Consumer;
use crate::endpoint::{Access, Endpoint, LISTING, OBJECT, Operation, PAGED, wire, wire_list};
use crate::queues::OwnerDetails;
use crate::traffic::{Flow, MessageStats};

/// A channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Channel {
    /// Name of its connection, and its number in brackets.
    pub name: String,
    /// Identity in the form of the command line tools.
    pub pid: String,
    /// Its number.
    pub number: u16,
    /// Who.
    pub user: String,
    /// Where.
    pub vhost: String,
    /// Consumers on it; as what follows, absent with `disable_stats`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u32, required = false)]
    pub consumer_count: Option<u32>,
    /// Delivered and not acknowledged.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, required = false)]
    pub messages_unacknowledged: Option<u64>,
    /// Its node.
    #[schema(required = false)]
    pub node: String,
    /// Who opened it.
    #[schema(required = false)]
    pub user_who_performed_action: String,
    /// Its connection, as the command line tools name it.
    #[schema(required = false)]
    pub connection: String,
    /// Its connection.
    #[schema(required = false)]
    pub connection_details: OwnerDetails,
    /// `running`, `flow`, …
    #[schema(required = false)]
    pub state: String,
    /// Since when nothing happened.
    #[schema(required = false)]
    pub idle_since: Option<String>,
    /// Whether publishes are confirmed.
    #[schema(required = false)]
    pub confirm: bool,
    /// Whether it is in a transaction.
    #[schema(required = false)]
    pub transactional: bool,
    /// Published and not yet confirmed.
    #[schema(required = false)]
    pub messages_unconfirmed: u64,
    /// Published in a transaction that is open.
    #[schema(required = false)]
    pub messages_uncommitted: u64,
    /// Acknowledged in a transaction that is open.
    #[schema(required = false)]
    pub acks_uncommitted: u64,
    /// Most unacknowledged messages of each further consumer; 0 means none.
    #[schema(required = false)]
    pub prefetch_count: u64,
    /// Most unacknowledged messages of the channel; 0 means none.
    #[schema(required = false)]
    pub global_prefetch_count: u64,
    /// Always 0: what waits for a replicated log waits in its queue.
    #[schema(required = false)]
    pub pending_raft_commands: u64,
    /// What happened to messages, once something did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = MessageStats, required = false)]
    pub message_stats: Option<MessageStats>,
    /// Its consumers; only of a single channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<Consumer>, required = false)]
    pub consumer_details: Option<Vec<Consumer>>,
    /// What it was delivered, by queue; only of a single channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<Flow>, required = false)]
    pub deliveries: Option<Vec<Flow>>,
    /// What it published, by exchange; only of a single channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<Flow>, required = false)]
    pub publishes: Option<Vec<Flow>>,
}

const fn list(access: Access, summary: &'static str) -> Operation {
    Operation::get(access, summary).query(PAGED).gives(wire_list::<Channel>())
}

/// All channels.
pub const CHANNELS: Endpoint = Endpoint::new("/channels", &[list(Access::Any, "Channels the caller may see")]);

/// Channels in a virtual host.
pub const OF_VHOST: Endpoint = Endpoint::new(
    "/vhosts/{vhost}/channels",
    &[Operation::get(Access::Vhost, "Channels in a virtual host").query(LISTING).gives(wire_list::<Channel>())],
);

/// Channels of a connection.
pub const OF_CONNECTION: Endpoint =
    Endpoint::new("/connections/{connection}/channels", &[list(Access::Own, "Channels of a connection")]);

/// One channel.
pub const CHANNEL: Endpoint = Endpoint::new(
    "/channels/{channel}",
    &[Operation::get(Access::Own, "One channel with its consumers").query(OBJECT).gives(wire::<Channel>())],
);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[CHANNELS, OF_VHOST, OF_CONNECTION, CHANNEL];
