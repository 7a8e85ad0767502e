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
