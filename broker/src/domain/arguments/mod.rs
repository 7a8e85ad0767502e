//! Every `x-` argument declared once: name, check, and who accepts it.
//!
//! A row of [`QUEUE_ARGUMENTS`], [`CONSUMER_ARGUMENTS`] or [`EXCHANGE_ARGUMENTS`] is all
//! there is to an argument: declare-time checks, equivalence on redeclaration and the
//! documentation read the tables. An argument no table knows is kept and never compared.
//! Texts of refusals are the reference's, recorded.

mod check;
mod effective;
mod equivalence;

use super::name::ExchangeName;
use super::queue::QueueKind;
use super::value::{FieldTable, FieldValue};
use crate::error::{Error, Resource};

pub use check::Check;
pub use effective::{DeadLetterStrategy, EffectiveArguments};
pub use equivalence::{Redeclared, check_exchange_equivalence, check_queue_equivalence};

/// The argument that names the queue's type.
pub const QUEUE_TYPE: &str = "x-queue-type";

/// The argument that names where an exchange sends what it does not route.
pub const ALTERNATE_EXCHANGE: &str = "alternate-exchange";

/// The argument that names where a queue sends dead letters.
pub const DEAD_LETTER_EXCHANGE: &str = "x-dead-letter-exchange";

/// Which queue types take an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kinds {
    /// Classic queues.
    pub classic: bool,
    /// Quorum queues.
    pub quorum: bool,
    /// Streams.
    pub stream: bool,
}

impl Kinds {
    const ALL: Self = Self { classic: true, quorum: true, stream: true };
    const QUEUES: Self = Self { classic: true, quorum: true, stream: false };
    const CLASSIC: Self = Self { classic: true, quorum: false, stream: false };
    const QUORUM: Self = Self { classic: false, quorum: true, stream: false };
    const STREAM: Self = Self { classic: false, quorum: false, stream: true };

    /// Whether that type does.
    #[must_use]
    pub fn accept(self, kind: QueueKind) -> bool {
        match kind {
            QueueKind::Classic => self.classic,
            QueueKind::Quorum => self.quorum,
            QueueKind::Stream => self.stream,
        }
    }
}

/// One argument of `queue.declare` or `basic.consume`.
#[derive(Debug, Clone, Copy)]
pub struct Argument {
    /// Its name.
    pub name: &'static str,
    /// What its value must be.
    pub check: Check,
    /// Who accepts it: on other types it is refused.
    pub kinds: Kinds,
    /// What it does, in one line.
    pub summary: &'static str,
}

macro_rules! arguments {
    ($($name:literal, $kinds:ident, $check:expr, $summary:literal;)*) => {
        &[$(Argument { name: $name, check: $check, kinds: Kinds::$kinds, summary: $summary }),*]
    };
}

/// Arguments of `queue.declare`. Each is compared when the queue is declared again.
/// The order is that of the checks, and so of which refusal comes first.
#[rustfmt::skip]
pub const QUEUE_ARGUMENTS: &[Argument] = arguments![
    "x-expires", QUEUES, Check::Duration { zero: false }, "Delete the queue when unused for this many milliseconds";
    "x-message-ttl", QUEUES, Check::Duration { zero: true }, "Drop messages older than this many milliseconds";
    "x-dead-letter-exchange", QUEUES, Check::Text, "Where rejected, expired and dropped messages go";
    "x-dead-letter-routing-key", QUEUES, Check::DeadLetterRoutingKey, "Their routing key, instead of their own";
    "x-dead-letter-strategy", QUORUM, Check::OneOf { values: &["at-most-once", "at-least-once"], reason: "invalid_dlx_strategy" }, "How safely they are handed over";
    "x-max-length", QUEUES, Check::NotNegative, "Most ready messages";
    "x-max-length-bytes", ALL, Check::NotNegative, "Most bytes of ready messages";
    "x-max-in-memory-length", QUORUM, Check::NotNegative, "Accepted, without effect";
    "x-max-in-memory-bytes", QUORUM, Check::NotNegative, "Accepted, without effect";
    "x-max-priority", CLASSIC, Check::AtMost { max: 255 }, "Highest message priority";
    "x-overflow", QUEUES, Check::OneOf { values: &["drop-head", "reject-publish", "reject-publish-dlx"], reason: "invalid_overflow" }, "What happens beyond the maximum length";
    "x-queue-mode", CLASSIC, Check::Anything, "Accepted, without effect";
    "x-queue-version", CLASSIC, Check::QueueVersion, "Accepted when 2, without effect";
    "x-single-active-consumer", QUEUES, Check::Boolean, "Serve one consumer at a time";
    "x-consumer-timeout", QUORUM, Check::NotNegative, "Longest time a delivery may stay unacknowledged, in milliseconds";
    "x-consumer-disconnected-timeout", QUORUM, Check::NotNegative, "How long a disconnected consumer keeps its place, in milliseconds";
    "x-queue-type", ALL, Check::QueueType, "classic, quorum or stream";
    "x-delivery-limit", QUORUM, Check::Anything, "Failed deliveries before a message is dropped; -1: no limit";
    "x-delayed-retry-type", QUORUM, Check::Anything, "Which returned messages are delivered again with a delay";
    "x-delayed-retry-min", QUORUM, Check::Anything, "Shortest such delay, in milliseconds";
    "x-delayed-retry-max", QUORUM, Check::Anything, "Longest such delay, in milliseconds";
    "x-quorum-initial-group-size", QUORUM, Check::Positive, "Replicas to start with";
    "x-max-age", STREAM, Check::Age, "Drop segments older than this: a number and one of Y M D h m s";
    "x-stream-max-segment-size-bytes", STREAM, Check::Within { min: 0, max: 3_000_000_000, sentence: "Exceeded max value for x-stream-max-segment-size-bytes" }, "Size of a segment";
    "x-stream-filter-size-bytes", STREAM, Check::Within { min: 16, max: 255, sentence: "Invalid value for x-stream-filter-size-bytes" }, "Size of a segment's filter";
    "x-initial-cluster-size", STREAM, Check::Positive, "Replicas to start with";
    "x-queue-leader-locator", ALL, Check::OneOf { values: &["client-local", "balanced", "random", "least-leaders", "min-masters"], reason: "invalid_queue_locator_arg" }, "Where the leader is placed";
    "x-queue-master-locator", CLASSIC, Check::Denied { feature: "queue_master_locator" }, "No longer permitted";
];

/// Arguments of `basic.consume`.
#[rustfmt::skip]
pub const CONSUMER_ARGUMENTS: &[Argument] = arguments![
    "x-priority", QUEUES, Check::Integer, "Consumers of higher priority are served first";
    "x-consumer-timeout", QUORUM, Check::NotNegative, "Longest time a delivery may stay unacknowledged, in milliseconds";
    "x-stream-offset", STREAM, Check::StreamOffset, "Where to start: first, last, next, an offset, a timestamp or an interval";
    "x-stream-filter", STREAM, Check::Anything, "Filter values";
    "x-stream-match-unfiltered", STREAM, Check::Anything, "Whether messages without a filter value come too";
];

/// Arguments of `exchange.declare` with a meaning. Each is text and compared on redeclaration.
pub const EXCHANGE_ARGUMENTS: &[(&str, &str)] = &[(ALTERNATE_EXCHANGE, "Where messages go that match no binding")];

/// A queue's arguments with its type made explicit.
///
/// Without `x-queue-type` (an empty one and `undefined` count as none) the vhost's default
/// is taken, unless exclusive, auto-delete or transient queues cannot be of that type:
/// then it is a classic queue, silently. Arguments it is added to come back in name order.
#[must_use]
pub fn with_queue_type(arguments: &FieldTable, default: QueueKind, fits_any_kind: bool) -> FieldTable {
    let mut entries: Vec<(String, FieldValue)> =
        arguments.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect();
    if !names_type(arguments) {
        let kind = if fits_any_kind { default } else { QueueKind::Classic };
        entries.retain(|(name, _)| name != QUEUE_TYPE);
        entries.push((QUEUE_TYPE.to_owned(), FieldValue::text(kind.as_str())));
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    }
    entries.into_iter().collect()
}

fn names_type(arguments: &FieldTable) -> bool {
    arguments.get(QUEUE_TYPE).is_some_and(|value| !matches!(value.as_text(), Some("" | "undefined")))
}

/// Arguments as they are compared with those of a queue that exists: a type that counts
/// as none for a new queue is none it could have.
#[must_use]
pub fn as_asked(given: &FieldTable, with_type: &FieldTable) -> FieldTable {
    let nameless = given.get(QUEUE_TYPE).is_some() && !names_type(given);
    if nameless { given.clone() } else { with_type.clone() }
}

/// Checks the arguments and properties of a new queue; `arguments` come from
/// [`with_queue_type`]. Returns the queue's type.
///
/// # Errors
/// [`Error::InvalidArgument`] with the reference's sentence.
pub fn check_new_queue(
    queue: &Resource,
    arguments: &FieldTable,
    durable: bool,
    exclusive: bool,
    auto_delete: bool,
) -> Result<QueueKind, Error> {
    check_exchange_name(queue, arguments, DEAD_LETTER_EXCHANGE)?;
    let kind = queue_kind(queue, arguments)?;
    check_arguments(queue, QUEUE_ARGUMENTS, arguments, kind)?;
    if kind != QueueKind::Classic {
        let refused = [(auto_delete, "auto-delete"), (exclusive, "exclusive-owner"), (!durable, "non-durable")];
        if let Some((_, property)) = refused.into_iter().find(|(refused, _)| *refused) {
            return Err(Error::InvalidArgument(format!("invalid property '{property}' for {queue}")));
        }
    }
    Ok(kind)
}

/// An argument that asks for a deprecated feature.
#[must_use]
pub fn denied_argument(arguments: &FieldTable) -> Option<&'static str> {
    let denied = |argument: &&Argument| matches!(argument.check, Check::Denied { .. });
    let found = QUEUE_ARGUMENTS.iter().filter(denied).find(|argument| arguments.get(argument.name).is_some());
    found.map(|argument| argument.name)
}

/// The type `x-queue-type` names.
///
/// # Errors
/// [`Error::InvalidArgument`] with the reference's sentence.
pub fn queue_kind(queue: &Resource, arguments: &FieldTable) -> Result<QueueKind, Error> {
    let Some(value) = arguments.get(QUEUE_TYPE) else { return Ok(QueueKind::Classic) };
    Check::QueueType.check(QUEUE_TYPE, value, arguments, queue)?;
    Ok(value.as_text().and_then(QueueKind::from_wire).unwrap_or_default())
}

/// Whether a type can be given a name by the broker.
///
/// # Errors
/// [`Error::InvalidArgument`] for quorum queues and streams.
pub fn check_server_named(kind: QueueKind) -> Result<(), Error> {
    match kind {
        QueueKind::Classic => Ok(()),
        QueueKind::Quorum | QueueKind::Stream => {
            Err(Error::InvalidArgument(format!("Cannot declare a server-named queue for type rabbit_{kind}_queue")))
        }
    }
}

/// Checks the arguments of `basic.consume`.
///
/// # Errors
/// [`Error::InvalidArgument`] with the reference's sentence.
pub fn check_consumer(queue: &Resource, arguments: &FieldTable, kind: QueueKind) -> Result<(), Error> {
    check_arguments(queue, CONSUMER_ARGUMENTS, arguments, kind)
}

/// Checks the arguments of a new exchange.
///
/// # Errors
/// [`Error::InvalidArgument`] with the reference's sentence.
pub fn check_new_exchange(exchange: &Resource, arguments: &FieldTable) -> Result<(), Error> {
    EXCHANGE_ARGUMENTS.iter().try_for_each(|(name, _)| check_exchange_name(exchange, arguments, name))
}

/// The exchange an `alternate-exchange` argument names.
#[must_use]
pub fn alternate_exchange(arguments: &FieldTable) -> Option<ExchangeName> {
    exchange_name(arguments, ALTERNATE_EXCHANGE)
}

/// The exchange an argument names.
#[must_use]
pub fn exchange_name(arguments: &FieldTable, argument: &str) -> Option<ExchangeName> {
    arguments.get(argument).and_then(FieldValue::as_text).and_then(|name| ExchangeName::new(name).ok())
}

/// An exchange named by an argument must be text.
///
/// # Errors
/// [`Error::InvalidArgument`] with the reference's sentence.
pub fn check_exchange_name(of: &Resource, arguments: &FieldTable, argument: &str) -> Result<(), Error> {
    match arguments.get(argument) {
        None => Ok(()),
        // One that no exchange can have is the name of a missing one.
        Some(FieldValue::LongString(_)) => Ok(()),
        Some(other) => {
            Err(Error::InvalidArgument(format!("invalid type '{}' for arg '{argument}' in {of}", other.type_name())))
        }
    }
}

fn check_arguments(of: &Resource, table: &[Argument], arguments: &FieldTable, kind: QueueKind) -> Result<(), Error> {
    for row in table.iter().filter(|row| row.kinds.accept(kind)) {
        if let Some(value) = arguments.get(row.name) {
            row.check.check(row.name, value, arguments, of)?;
        }
    }
    let foreign = |name: &str| table.iter().any(|row| row.name == name && !row.kinds.accept(kind));
    match arguments.iter().find(|(name, _)| foreign(name)) {
        Some((name, _)) => {
            Err(Error::InvalidArgument(format!("invalid arg '{name}' for {of} of queue type rabbit_{kind}_queue")))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
