//! Publishing to an exchange and fetching from a queue without a channel.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder};
use utoipa::openapi::{Ref, RefOr, Schema};

use crate::endpoint::{Access, Endpoint, Operation, wire, wire_list};
use crate::fields::{Field, Form, field, object, of, one_of, schema};

/// A message to publish.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Publish {
    /// Its routing key.
    #[schema(max_length = 255)]
    pub routing_key: String,
    /// Its properties by name.
    #[schema(value_type = MessageProperties)]
    pub properties: Map<String, Value>,
    /// Its body, in the encoding named next.
    pub payload: String,
    /// `string` or `base64`.
    #[schema(value_type = PayloadEncoding)]
    pub payload_encoding: String,
}

const SHORT: Form = Form::Short;

const OCTET: Form = Form::Integer { min: 0, max: 255 };

/// Properties of a message.
#[rustfmt::skip]
pub const PROPERTIES: &[Field] = &[
    field("content_type", SHORT, "What the body is, as a media type."),
    field("content_encoding", SHORT, "How it is packed."),
    field("headers", Form::Object, "Whatever the application wants to say, by name; headers exchanges look at them."),
    field("delivery_mode", OCTET, "2: the message outlives a restart, in a durable queue."),
    field("priority", OCTET, "In a queue with priorities higher ones come first."),
    field("correlation_id", SHORT, "To which request this is the reply."),
    field("reply_to", SHORT, "The queue where the reply is awaited."),
    field("expiration", SHORT, "Milliseconds after which it is dropped from a queue, in digits."),
    field("message_id", SHORT, "Its name."),
    field("timestamp", Form::INTEGER, "When it was made, in seconds since the epoch."),
    field("type", SHORT, "What kind of message it is."),
    field("user_id", SHORT, "Who publishes it; must be the truth."),
    field("app_id", SHORT, "Which application publishes it."),
    field("cluster_id", SHORT, "Without meaning."),
];

schema!(
    /// Properties of a message; fields that are none are passed over.
    MessageProperties => |summary| {
        let example = json!({"content_type": "text/plain", "delivery_mode": 2, "headers": {"attempt": 1}});
        of(object(summary, PROPERTIES, true).examples([example]))
    }
);

schema!(
    /// Properties of a fetched message; an empty list stands for none.
    FetchedProperties => |summary: &str| {
        let none = ArrayBuilder::new().items(Form::Any.object()).max_items(Some(0)).build();
        let some = Ref::from_schema_name("MessageProperties");
        let either = AnyOfBuilder::new().item(some).item(none).description(Some(summary)).build();
        RefOr::T(Schema::AnyOf(either))
    }
);

schema!(
    /// How a body is written in JSON.
    PayloadEncoding => |summary| one_of(summary, &["string", "base64"])
);

schema!(
    /// How bodies are to be written: as text where they are text, or in any case as base64.
    FetchEncoding => |summary| one_of(summary, &["auto", "base64"])
);

schema!(
    /// What becomes of the messages that are fetched: whether they are acknowledged or rejected, and whether they go
    /// back to the queue.
    AckMode => |summary| {
        one_of(summary, &["ack_requeue_true", "ack_requeue_false", "reject_requeue_true", "reject_requeue_false"])
    }
);

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Published {
    /// Whether it reached a queue.
    pub routed: bool,
}

/// What to fetch, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Get {
    /// Most messages; further ones stay in the queue.
    #[schema(minimum = 0)]
    pub count: i64,
    /// `ack_requeue_true`, `ack_requeue_false`, `reject_requeue_true` or `reject_requeue_false`.
    #[schema(value_type = AckMode)]
    pub ackmode: String,
    /// `auto` (text where the body is UTF-8) or `base64`.
    #[schema(value_type = FetchEncoding)]
    pub encoding: String,
    /// Cuts bodies after this many bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0)]
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
    #[schema(value_type = FetchedProperties)]
    pub properties: Value,
    /// Its body, perhaps cut.
    pub payload: String,
    /// `string` or `base64`.
    #[schema(value_type = PayloadEncoding)]
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
