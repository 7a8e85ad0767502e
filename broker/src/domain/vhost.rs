//! A virtual host: metadata, limits, default queue type, deletion protection.

use super::name::VhostName;
use super::queue::QueueKind;

/// Limits of one vhost; `None` or a negative number means unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VhostLimits {
    /// Open AMQP connections.
    pub max_connections: Option<i64>,
    /// Queues.
    pub max_queues: Option<i64>,
}

/// A virtual host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vhost {
    /// Its name.
    pub name: VhostName,
    /// Free text.
    pub description: String,
    /// Tags in the order given.
    pub tags: Vec<String>,
    /// Type of queues declared without `x-queue-type`.
    pub default_queue_type: QueueKind,
    /// Refuses deletion while true. `None`: never set (the reference then leaves it out of its metadata).
    pub protected_from_deletion: Option<bool>,
    /// Whether messages are copied to `amq.rabbitmq.trace`. Not kept over a restart.
    pub tracing: bool,
    /// Its limits.
    pub limits: VhostLimits,
}
