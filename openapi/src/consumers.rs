//! Consumers.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::arguments::ConsumerArguments;
use crate::endpoint::{Access, Endpoint, LISTING, Operation, wire_list};
use crate::parameter::VHOST_HEADER;

/// A consumer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Consumer {
    /// Arguments of `basic.consume`.
    #[schema(value_type = ConsumerArguments)]
    pub arguments: Map<String, Value>,
    /// Manual acknowledgement.
    pub ack_required: bool,
    /// Whether it is being served.
    pub active: bool,
    /// `up`, `waiting`, `single_active`, …
    pub activity_status: String,
    /// Its channel.
    pub channel_details: ChannelDetails,
    /// Its tag.
    pub consumer_tag: String,
    /// How long a delivery may stay unacknowledged, in milliseconds.
    pub consumer_timeout: u64,
    /// Alone on its queue.
    pub exclusive: bool,
    /// Its limit of unacknowledged messages; 0 means none.
    pub prefetch_count: u16,
    /// The queue it reads.
    pub queue: QueueName,
}

/// The channel of a consumer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelDetails {
    /// Name of its connection.
    pub connection_name: String,
    /// Its name.
    pub name: String,
    /// Its node.
    pub node: String,
    /// Its number.
    pub number: u16,
    /// Peer address.
    pub peer_host: String,
    /// Peer port.
    pub peer_port: u16,
    /// Who.
    pub user: String,
    /// Identity in the form of the command line tools.
    pub pid: String,
}

/// A queue by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueueName {
    /// Its name.
    pub name: String,
    /// Its virtual host.
    pub vhost: String,
}

/// All consumers.
pub const CONSUMERS: Endpoint = Endpoint::new(
    "/consumers",
    &[Operation::get(Access::Any, "Consumers the caller may see")
        .header(VHOST_HEADER)
        .query(LISTING)
        .gives(wire_list::<Consumer>())],
);

/// Consumers in a virtual host.
pub const OF_VHOST: Endpoint = Endpoint::new(
    "/consumers/{vhost}",
    &[Operation::get(Access::Any, "Consumers in a virtual host, of those the caller may see")
        .query(LISTING)
        .gives(wire_list::<Consumer>())],
);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[CONSUMERS, OF_VHOST];
