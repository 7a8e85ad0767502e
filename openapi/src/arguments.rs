//! Well-known arguments of queues, exchanges, consumers and bindings.
//!
//! Any other argument is kept and sent back as it is. Which queue type takes which argument, and what is said when it
//! does not, is the broker's to decide.

use serde_json::json;

use crate::fields::{Field, Form, field, object, of, one_of, schema};

/// Longest time an argument may ask for: ten years, in milliseconds.
const MILLISECONDS_MAX: i64 = 315_360_000_000;

/// A number above zero and a unit of time.
pub(crate) const AGE: Form = Form::Matching("^[0-9]*[1-9][0-9]*[YMDhms]$");

const SEGMENT_BYTES: Form = Form::Integer { min: 0, max: 3_000_000_000 };

const FILTER_BYTES: Form = Form::Integer { min: 16, max: 255 };

/// Arguments of a queue.
#[rustfmt::skip]
pub const QUEUE: &[Field] = &[
    field("x-queue-type", Form::OneOf(QUEUE_TYPES), "The type; the virtual host's default when left out."),
    field("x-expires", Form::Integer { min: 1, max: MILLISECONDS_MAX }, "Deletes the queue when unused for this many milliseconds; not of streams."),
    field("x-message-ttl", Form::Integer { min: 0, max: MILLISECONDS_MAX }, "Drops messages older than this many milliseconds; not of streams."),
    field("x-dead-letter-exchange", Form::Text, "Where rejected, expired and dropped messages go; not of streams."),
    field("x-dead-letter-routing-key", Form::Text, "Their routing key, instead of their own; beside a dead letter exchange."),
    field("x-dead-letter-strategy", Form::OneOf(&["at-most-once", "at-least-once"]), "How safely they are handed over; of quorum queues."),
    field("x-max-length", Form::COUNT, "Most ready messages; not of streams."),
    field("x-max-length-bytes", Form::COUNT, "Most bytes of ready messages."),
    field("x-max-in-memory-length", Form::COUNT, "Accepted, without effect; of quorum queues."),
    field("x-max-in-memory-bytes", Form::COUNT, "Accepted, without effect; of quorum queues."),
    field("x-max-priority", Form::Integer { min: 0, max: 255 }, "Highest priority of a message; of classic queues."),
    field("x-overflow", Form::OneOf(&["drop-head", "reject-publish", "reject-publish-dlx"]), "What happens beyond the maximum length; not of streams."),
    field("x-queue-mode", Form::Any, "Accepted, without effect; of classic queues."),
    field("x-queue-version", Form::Integer { min: 2, max: 2 }, "Accepted when 2, without effect; of classic queues."),
    field("x-single-active-consumer", Form::Boolean, "Serves one consumer at a time; not of streams."),
    field("x-consumer-timeout", Form::COUNT, "Longest time a delivery may stay unacknowledged, in milliseconds; of quorum queues."),
    field("x-consumer-disconnected-timeout", Form::COUNT, "How long a disconnected consumer keeps its place, in milliseconds; of quorum queues."),
    field("x-delivery-limit", Form::Any, "Failed deliveries before a message is dropped or dead-lettered, -1: no limit; of quorum queues."),
    field("x-delayed-retry-type", Form::Any, "Which returned messages wait before they come again: `all`, `failed`, `returned`, `disabled`; of quorum queues."),
    field("x-delayed-retry-min", Form::Any, "Shortest such wait, in milliseconds; of quorum queues."),
    field("x-delayed-retry-max", Form::Any, "Longest such wait, in milliseconds; of quorum queues."),
    field("x-quorum-initial-group-size", Form::POSITIVE, "Replicas to start with; of quorum queues."),
    field("x-max-age", AGE, "Drops segments older than this, a number and one of Y M D h m s; of streams."),
    field("x-stream-max-segment-size-bytes", SEGMENT_BYTES, "Size of a segment; of streams."),
    field("x-stream-filter-size-bytes", FILTER_BYTES, "Size of a segment's filter; of streams."),
    field("x-initial-cluster-size", Form::POSITIVE, "Replicas to start with; of streams."),
    field("x-queue-leader-locator", Form::OneOf(&["client-local", "balanced", "random", "least-leaders", "min-masters"]), "Where the leader is placed."),
];

/// Arguments of an exchange.
pub const EXCHANGE: &[Field] = &[
    field("alternate-exchange", Form::Text, "Where messages go that match no binding."),
    field("x-delayed-type", Form::Any, "The type by which an exchange of type `x-delayed-message` routes."),
];

/// Arguments of a consumer.
#[rustfmt::skip]
pub const CONSUMER: &[Field] = &[
    field("x-priority", Form::INTEGER, "Consumers of higher priority are served first; not of streams."),
    field("x-consumer-timeout", Form::COUNT, "Longest time a delivery may stay unacknowledged, in milliseconds; of quorum queues."),
    field("x-stream-offset", Form::Any, "Where to start: `first`, `last`, `next`, an offset, a timestamp or an interval; of streams."),
    field("x-stream-filter", Form::Any, "Values to filter by; of streams."),
    field("x-stream-match-unfiltered", Form::Any, "Whether messages without such a value come too; of streams."),
];

/// Arguments of a binding. An exchange looks at those that concern it.
pub const BINDING: &[Field] = &[field(
    "x-match",
    Form::Any,
    "How many of the headers must match: `all`, `any`, `all-with-x`, `any-with-x`; of bindings to headers exchanges.",
)];

/// The types of queues.
pub const QUEUE_TYPES: &[&str] = &["classic", "quorum", "stream"];

/// What leads a binding.
pub const DESTINATION_TYPES: &[&str] = &["queue", "exchange"];

schema!(
    /// Arguments of a queue: well-known ones, and whatever else its declarer wanted to keep with it.
    QueueArguments => |summary| {
        let example = json!({"x-queue-type": "quorum", "x-delivery-limit": 20, "x-max-length": 100_000});
        of(object(summary, QUEUE, true).examples([example]))
    }
);

schema!(
    /// Arguments of an exchange: well-known ones, and whatever else its declarer wanted to keep with it.
    ExchangeArguments => |summary| {
        of(object(summary, EXCHANGE, true).examples([json!({"alternate-exchange": "unrouted"})]))
    }
);

schema!(
    /// Arguments of a consumer: well-known ones, and whatever else its client sent.
    ConsumerArguments => |summary| of(object(summary, CONSUMER, true).examples([json!({"x-priority": 10})]))
);

schema!(
    /// Arguments of a binding; to a headers exchange, the headers to look for.
    BindingArguments => |summary| {
        of(object(summary, BINDING, true).examples([json!({"x-match": "all", "format": "pdf"})]))
    }
);

schema!(
    /// A type of queue.
    QueueType => |summary| one_of(summary, QUEUE_TYPES)
);

schema!(
    /// What a binding leads to.
    DestinationType => |summary| one_of(summary, DESTINATION_TYPES)
);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique() {
        for table in [QUEUE, EXCHANGE, CONSUMER, BINDING] {
            let names: BTreeSet<_> = table.iter().map(|field| field.name).collect();
            assert_eq!(names.len(), table.len());
        }
    }
}
