//! A queue's arguments, read once into the settings its owner obeys.

use super::{DEAD_LETTER_EXCHANGE, exchange_name};
use crate::domain::name::ExchangeName;
use crate::domain::queue::QueueKind;
use crate::domain::queue::dead_letter::DeadLetterTo;
use crate::domain::queue::delayed::DelayedRetry;
use crate::domain::queue::state::{Overflow, QueueLimits};
use crate::domain::stream::{Retention, age_ms};
use crate::domain::value::{FieldTable, FieldValue};

/// Failed deliveries a quorum queue allows when nothing else is said.
pub const DELIVERY_LIMIT_DEFAULT: u64 = 20;

/// Highest priority of a quorum queue, which orders by priority without being asked to.
const QUORUM_PRIORITY_MAX: u8 = 31;

/// How safely dead letters are handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeadLetterStrategy {
    /// Sent and forgotten.
    #[default]
    AtMostOnce,
    /// Kept until taken.
    AtLeastOnce,
}

/// What a queue's arguments come to. Values that were accepted without meaning anything
/// leave the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EffectiveArguments {
    /// What sort of queue.
    pub kind: QueueKind,
    /// Longest life of a message, in milliseconds.
    pub message_ttl_ms: Option<u64>,
    /// Deleted when unused for so many milliseconds.
    pub expires_ms: Option<u64>,
    /// Most ready messages.
    pub max_length: Option<u64>,
    /// Most bytes of ready messages.
    pub max_length_bytes: Option<u64>,
    /// What happens beyond.
    pub overflow: Overflow,
    /// Where dead letters go.
    pub dead_letter_exchange: Option<ExchangeName>,
    /// Their routing key, instead of their own.
    pub dead_letter_routing_key: Option<String>,
    /// How safely they are handed over.
    pub dead_letter_strategy: DeadLetterStrategy,
    /// Highest priority; `None`: not a priority queue.
    pub max_priority: Option<u8>,
    /// Serves one consumer at a time.
    pub single_active_consumer: bool,
    /// Failed deliveries before a message is dropped; `None`: any number.
    pub delivery_limit: Option<u64>,
    /// Longest time a delivery may stay unacknowledged, in milliseconds.
    pub consumer_timeout_ms: Option<u64>,
    /// Segments of a stream are dropped when they are older, in milliseconds.
    pub max_age_ms: Option<u64>,
    /// Size of a stream's segments in bytes.
    pub segment_bytes: Option<u64>,
    /// Which returned messages wait before they come again.
    pub delayed_retry: Option<DelayedRetry>,
}

impl EffectiveArguments {
    /// Reads arguments that passed their checks.
    #[must_use]
    pub fn new(kind: QueueKind, arguments: &FieldTable) -> Self {
        let natural =
            |name: &str| arguments.get(name).and_then(FieldValue::as_i64).and_then(|value| u64::try_from(value).ok());
        let text = |name: &str| arguments.get(name).and_then(FieldValue::as_text);
        let delivery_limit = match arguments.get("x-delivery-limit").and_then(FieldValue::as_i64) {
            Some(limit) => u64::try_from(limit).ok(),
            None => Some(DELIVERY_LIMIT_DEFAULT),
        };
        Self {
            kind,
            message_ttl_ms: natural("x-message-ttl"),
            expires_ms: natural("x-expires"),
            max_length: natural("x-max-length"),
            max_length_bytes: natural("x-max-length-bytes"),
            overflow: match (text("x-overflow"), kind) {
                (Some("reject-publish"), _) => Overflow::RejectPublish,
                (Some("reject-publish-dlx"), QueueKind::Classic) => Overflow::RejectPublishDlx,
                _ => Overflow::DropHead,
            },
            dead_letter_exchange: exchange_name(arguments, DEAD_LETTER_EXCHANGE),
            dead_letter_routing_key: text("x-dead-letter-routing-key").map(str::to_owned),
            dead_letter_strategy: match text("x-dead-letter-strategy") {
                Some("at-least-once") => DeadLetterStrategy::AtLeastOnce,
                _ => DeadLetterStrategy::AtMostOnce,
            },
            max_priority: natural("x-max-priority").and_then(|value| u8::try_from(value).ok()),
            single_active_consumer: arguments.get("x-single-active-consumer") == Some(&FieldValue::Boolean(true)),
            delivery_limit: delivery_limit.filter(|_| kind == QueueKind::Quorum),
            consumer_timeout_ms: natural("x-consumer-timeout"),
            max_age_ms: text("x-max-age").and_then(age_ms),
            segment_bytes: natural("x-stream-max-segment-size-bytes"),
            delayed_retry: DelayedRetry::resolve(
                text("x-delayed-retry-type"),
                natural("x-delayed-retry-min"),
                natural("x-delayed-retry-max"),
            )
            .filter(|_| kind == QueueKind::Quorum),
        }
    }

    /// The part the queue's state machine obeys.
    #[must_use]
    pub fn limits(&self) -> QueueLimits {
        QueueLimits {
            kind: self.kind,
            message_ttl_ms: self.message_ttl_ms,
            max_length: self.max_length,
            max_length_bytes: self.max_length_bytes,
            overflow: self.overflow,
            max_priority: match self.kind {
                QueueKind::Quorum => QUORUM_PRIORITY_MAX,
                QueueKind::Classic | QueueKind::Stream => self.max_priority.unwrap_or(0),
            },
            single_active_consumer: self.single_active_consumer,
            delivery_limit: self.delivery_limit,
            delayed_retry: self.delayed_retry,
            dead_letters: self.dead_letter_to().is_some(),
        }
    }

    /// What a stream keeps.
    #[must_use]
    pub fn retention(&self) -> Retention {
        Retention { max_bytes: self.max_length_bytes, max_age_ms: self.max_age_ms, segment_bytes: self.segment_bytes }
    }

    /// Whether dead letters stay until another queue took them. That takes a queue which
    /// drops nothing for its length; any other sends them at most once, as in RabbitMQ.
    #[must_use]
    pub fn letters_must_arrive(&self) -> bool {
        self.kind == QueueKind::Quorum
            && self.dead_letter_strategy == DeadLetterStrategy::AtLeastOnce
            && self.overflow == Overflow::RejectPublish
    }

    /// Where dead letters go.
    #[must_use]
    pub fn dead_letter_to(&self) -> Option<DeadLetterTo> {
        let exchange = self.dead_letter_exchange.clone()?;
        Some(DeadLetterTo { exchange, routing_key: self.dead_letter_routing_key.clone() })
    }
}
