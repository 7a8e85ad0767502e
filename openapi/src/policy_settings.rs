//! What a policy may set: the keys and the values they take.
//!
//! Unlike arguments, keys that are not known are refused. What a key does to which object is the broker's to decide.

use serde_json::json;
use utoipa::openapi::schema::ObjectBuilder;

use crate::arguments::AGE;
use crate::fields::{Field, Form, field, object, of, one_of, schema};

/// A key, and whether an operator policy may hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The key and its values.
    pub field: Field,
    /// Whether an operator policy may hold it.
    pub operator: bool,
}

const fn user(name: &'static str, form: Form, summary: &'static str) -> Setting {
    Setting { field: field(name, form, summary), operator: false }
}

const fn both(name: &'static str, form: Form, summary: &'static str) -> Setting {
    Setting { field: field(name, form, summary), operator: true }
}

/// Every key, in key order.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    user("alternate-exchange", Form::Text, "Where messages go that match no binding of an exchange."),
    user("consumer-disconnected-timeout", Form::COUNT, "How long a disconnected consumer keeps its place, in milliseconds."),
    user("consumer-timeout", Form::COUNT, "Longest time a delivery may stay unacknowledged, in milliseconds."),
    user("dead-letter-exchange", Form::Text, "Where rejected, expired and dropped messages go."),
    user("dead-letter-routing-key", Form::Text, "Their routing key, instead of their own."),
    user("dead-letter-strategy", Form::OneOf(&["at-most-once", "at-least-once"]), "How safely they are handed over; of quorum queues."),
    both("delayed-retry-max", Form::POSITIVE, "Longest wait of a returned message before it comes again, in milliseconds; of quorum queues."),
    both("delayed-retry-min", Form::POSITIVE, "Shortest such wait, in milliseconds."),
    both("delayed-retry-type", Form::OneOf(&["all", "failed", "returned", "disabled"]), "Which returned messages wait; beside the shortest wait."),
    both("delivery-limit", Form::INTEGER, "Failed deliveries before a message is dropped or dead-lettered; negative: no limit; of quorum queues."),
    both("expires", Form::POSITIVE, "Deletes a queue when unused for this many milliseconds."),
    user("federation-upstream", Form::Text, "Accepted, without effect."),
    user("federation-upstream-pattern", Form::Text, "Accepted, without effect."),
    user("federation-upstream-set", Form::Text, "Accepted, without effect."),
    user("initial-cluster-size", Form::COUNT, "Replicas to start with; of streams."),
    user("max-age", AGE, "Drops segments older than this, a number and one of Y M D h m s; of streams."),
    both("max-in-memory-bytes", Form::COUNT, "Accepted, without effect; of quorum queues."),
    both("max-in-memory-length", Form::COUNT, "Accepted, without effect; of quorum queues."),
    both("max-length", Form::COUNT, "Most ready messages."),
    both("max-length-bytes", Form::COUNT, "Most bytes of ready messages."),
    both("message-ttl", Form::COUNT, "Drops messages older than this many milliseconds."),
    both("overflow", Form::OneOf(&["drop-head", "reject-publish", "reject-publish-dlx"]), "What happens beyond the maximum length."),
    user("queue-leader-locator", Form::OneOf(&["client-local", "balanced", "random", "least-leaders"]), "Where the leader is placed."),
    user("queue-mode", Form::OneOf(&["default", "lazy"]), "Accepted, without effect; of classic queues."),
    both("queue-version", Form::Integer { min: 1, max: 2 }, "Accepted, without effect; of classic queues."),
    user("stream-filter-size-bytes", Form::Integer { min: 16, max: 255 }, "Size of a segment's filter; of streams."),
    user("stream-max-segment-size-bytes", Form::Integer { min: 0, max: 3_000_000_000 }, "Size of a segment; of streams."),
    both("target-group-size", Form::POSITIVE, "Replicas there should be; of quorum queues."),
];

/// What a policy may apply to.
pub const APPLY_TO: &[&str] = &["queues", "classic_queues", "quorum_queues", "streams", "exchanges", "all"];

fn settings(summary: &str, holds: impl Fn(&Setting) -> bool) -> ObjectBuilder {
    let fields: Vec<_> = SETTINGS.iter().filter(|setting| holds(setting)).map(|setting| setting.field).collect();
    object(summary, &fields, false)
}

schema!(
    /// What a policy sets, by key.
    PolicySettings => |summary| {
        of(settings(summary, |_| true).examples([json!({"max-length": 100_000, "overflow": "reject-publish"})]))
    }
);

schema!(
    /// What an operator policy sets, by key.
    OperatorPolicySettings => |summary| {
        of(settings(summary, |setting| setting.operator).examples([json!({"max-length": 1_000_000})]))
    }
);

schema!(
    /// Which objects a policy applies to.
    ApplyTo => |summary| one_of(summary, APPLY_TO)
);
