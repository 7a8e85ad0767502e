//! Publishing to an exchange and fetching from a queue without a channel.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::endpoint::{Access, Endpoint, Operation, wire, wire_list};

/// A message to publish.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Publish {
    /// Its routing key.
    pub routing_key: String,
    /// Its properties by name.
    pub properties: Map<String, Value>,
    /// Its body, in the encoding named next.
    pub payload: String,
    /// `string` or `base64`.
    pub payload_encoding: String,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Published {
    /// Whether it reached a queue.
    pub routed: bool,
}

/// What to fetch, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Get {
    /// Most messages.
    pub count: i64,
    /// `ack_requeue_true`, `ack_requeue_false`, `reject_requeue_true` or `reject_requeue_false`.
    pub ackmode: String,
    /// `auto` (text where the body is UTF-8) or `base64`.
    pub encoding: String,
    /// Cuts bodies after this many bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncate: Option<i64>,
}

/// A fetched message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// Length of the whole body.
    pub payload_bytes: u64,
    /// Whether it had been delivered before.
    pub redelivered: bool,
    /// The exchange it was published to.
    pub exchange: String,
    /// The routing key it was published with.
    pub routing_key: String,
    /// Messages left in the queue after it.
    pub message_count: u64,
    /// Its properties by name; an empty array when there are none.
    pub properties: Value,
    /// Its body, perhaps cut.
    pub payload: String,
    /// `string` or `base64`.
    pub payload_encoding: String,
}

/// Publishing one message.
pub const PUBLISH: Endpoint = Endpoint::new(
    "/exchanges/{vhost}/{exchange}/publish",
    &[Operation::post(Access::Vhost, "Publishes a message and says whether it was routed")
        .takes(wire::<Publish>())
        .gives(wire::<Published>())],
);

/// Fetching messages.
pub const GET: Endpoint = Endpoint::new(
    "/queues/{vhost}/{queue}/get",
    &[Operation::post(Access::Vhost, "Fetches messages").takes(wire::<Get>()).gives(wire_list::<Message>())],
);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[PUBLISH, GET];
