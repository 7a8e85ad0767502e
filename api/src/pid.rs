//! Identities in the form the command line tools show: `<node.a.b.0>`.
//!
//! The first number is the connection, the second the channel (0: the connection
//! itself). Queues have no connection, so theirs is 0.

use broker::domain::queue::{ConnectionId, QueueId};

/// A connection.
pub(crate) fn connection(node: &str, connection: ConnectionId) -> String {
    format!("<{node}.{}.0.0>", connection.0)
}

/// A channel.
pub(crate) fn channel(node: &str, connection: ConnectionId, number: u16) -> String {
    format!("<{node}.{}.{number}.0>", connection.0)
}

/// A queue.
pub(crate) fn queue(node: &str, queue: QueueId) -> String {
    format!("<{node}.0.{}.0>", queue.0)
}
