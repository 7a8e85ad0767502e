//! Configure, write and read patterns, topic permissions, and the decision.

use super::name::{ExchangeName, UserName, VhostName};

/// Longest accepted pattern, in bytes.
pub const PATTERN_BYTES_MAX: usize = 1024;

/// What a user may do in a vhost: three unanchored regular expressions; empty matches only the empty name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    /// Who.
    pub user: UserName,
    /// Where.
    pub vhost: VhostName,
    /// Pattern of names that may be created, changed, deleted.
    pub configure: String,
    /// Pattern of names that may be written to.
    pub write: String,
    /// Pattern of names that may be read from.
    pub read: String,
}

/// What routing keys a user may publish and bind with on one topic exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPermissions {
    /// Who.
    pub user: UserName,
    /// Where.
    pub vhost: VhostName,
    /// On which exchange.
    pub exchange: ExchangeName,
    /// Pattern of routing keys for publishing; may hold `{username}` and `{vhost}`.
    pub write: String,
    /// Pattern of binding keys; likewise.
    pub read: String,
}
