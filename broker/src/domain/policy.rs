//! Policies and operator policies as values.

use super::name::VhostName;
use super::parameter::Document;

/// Which objects a policy may apply to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ApplyTo {
    /// Queues and exchanges.
    #[default]
    All,
    /// Queues and streams.
    Queues,
    /// Exchanges.
    Exchanges,
    /// Classic queues.
    ClassicQueues,
    /// Quorum queues.
    QuorumQueues,
    /// Streams.
    Streams,
}

impl ApplyTo {
    /// Every kind, in the order the reference lists them.
    pub const ALL: [Self; 6] =
        [Self::Queues, Self::ClassicQueues, Self::QuorumQueues, Self::Streams, Self::Exchanges, Self::All];

    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Queues => "queues",
            Self::Exchanges => "exchanges",
            Self::ClassicQueues => "classic_queues",
            Self::QuorumQueues => "quorum_queues",
            Self::Streams => "streams",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_wire(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|apply_to| apply_to.as_str() == name)
    }
}

/// Whose policy it is: each object has at most one of either kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PolicyKind {
    /// A user policy.
    User,
    /// An operator policy: fewer keys, and the last word on most of them.
    Operator,
}

/// A user or operator policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Where.
    pub vhost: VhostName,
    /// Its name.
    pub name: String,
    /// Unanchored regular expression on object names.
    pub pattern: String,
    /// Which kinds of object.
    pub apply_to: ApplyTo,
    /// Highest wins.
    pub priority: i64,
    /// Settings by key; never empty.
    pub definition: Vec<(String, Document)>,
}
