//! The owners of live state: one task each (the registry and the login counters: leaf locks).

pub(crate) mod access;
pub(crate) mod alarms;
pub(crate) mod chance;
pub(crate) mod clock;
pub(crate) mod credentials;
pub(crate) mod directory;
pub(crate) mod events;
pub(crate) mod flows;
pub(crate) mod follower;
pub(crate) mod publish;
pub(crate) mod queue;
pub(crate) mod record;
pub(crate) mod registry;
pub(crate) mod stream;
pub(crate) mod system;
pub(crate) mod vhost;
