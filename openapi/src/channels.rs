//! Channels.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::endpoint::{Access, Endpoint, OBJECT, Operation, PAGED, wire, wire_list};

/// A channel. The fields listings always have; there are more.
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
    pub consumer_count: Option<u32>,
    /// Delivered and not acknowledged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages_unacknowledged: Option<u64>,
    /// Everything else.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

const fn list(access: Access, summary: &'static str) -> Operation {
    Operation::get(access, summary).query(PAGED).gives(wire_list::<Channel>())
}

/// All channels.
pub const CHANNELS: Endpoint = Endpoint::new("/channels", &[list(Access::Any, "Channels the caller may see")]);

/// Channels in a virtual host.
pub const OF_VHOST: Endpoint =
    Endpoint::new("/vhosts/{vhost}/channels", &[list(Access::Vhost, "Channels in a virtual host")]);

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
