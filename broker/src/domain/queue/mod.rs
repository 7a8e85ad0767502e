//! Queues as values, and the queue state machine.

pub mod consumer;
pub mod dead_letter;
pub mod delayed;
pub mod held;
mod level;
pub mod page;
mod positions;
pub mod ready;
pub mod state;
pub mod unacked;

use std::fmt;

use super::name::{QueueName, UserName};
use super::value::FieldTable;

/// What sort of queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum QueueKind {
    /// `classic`
    #[default]
    Classic,
    /// `quorum`
    Quorum,
    /// `stream`
    Stream,
}

impl QueueKind {
    /// The type's name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Quorum => "quorum",
            Self::Stream => "stream",
        }
    }

    /// The type of that name.
    #[must_use]
    pub fn from_wire(name: &str) -> Option<Self> {
        Some(match name {
            "classic" => Self::Classic,
            "quorum" => Self::Quorum,
            "stream" => Self::Stream,
            _ => return None,
        })
    }
}

impl fmt::Display for QueueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Identity of a queue over its whole life, never reused: a queue of the same name
/// declared again is another queue, so its old messages cannot come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueId(pub u64);

/// Identity of a connection within this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// A queue as declared.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueSpec {
    /// Its identity.
    pub id: QueueId,
    /// Its name.
    pub name: QueueName,
    /// What sort of queue.
    pub kind: QueueKind,
    /// Survives a restart.
    pub durable: bool,
    /// Goes when the last of its consumers goes.
    pub auto_delete: bool,
    /// The connection that alone may use it.
    pub exclusive_owner: Option<ConnectionId>,
    /// Arguments as declared, with `x-queue-type` always present.
    pub arguments: FieldTable,
    /// Who declared it.
    pub declared_by: UserName,
}

/// One life of one channel: a number that is opened again is another session, so
/// what was meant for the earlier one cannot reach the later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId {
    /// The connection.
    pub connection: ConnectionId,
    /// The channel number.
    pub channel: u16,
    /// Counts the times the connection opened a channel.
    pub epoch: u32,
}

/// A connection's name for one of its consumers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConsumerKey(pub u32);

/// A queue's name for one of its consumers. Slots are used again, lives are not, so a
/// message that is out with a consumer that left is never charged to its successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConsumerId {
    /// Its place.
    pub slot: u32,
    /// Which consumer of that place.
    pub life: u32,
}
