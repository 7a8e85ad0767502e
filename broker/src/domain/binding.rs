//! A binding: source exchange, destination, key and arguments are its identity.

use super::name::{ExchangeName, QueueName};
use super::value::FieldTable;

/// Where a binding leads.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Destination {
    /// To a queue.
    Queue(QueueName),
    /// To another exchange.
    Exchange(ExchangeName),
}

/// One binding.
#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    /// The exchange messages come from.
    pub source: ExchangeName,
    /// Where they go.
    pub destination: Destination,
    /// The binding key, at most 255 bytes.
    pub routing_key: String,
    /// Matching arguments (headers exchanges).
    pub arguments: FieldTable,
}
