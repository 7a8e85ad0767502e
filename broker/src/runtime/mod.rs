//! The owners of live state: one task each.

#[allow(dead_code, reason = "the node that starts it comes with a later change")]
pub(crate) mod credentials;
#[allow(dead_code, unused_imports, reason = "the node that starts it comes with a later change")]
pub(crate) mod directory;
#[allow(dead_code, reason = "the node that starts it comes with a later change")]
pub(crate) mod follower;
#[allow(dead_code, unused_imports, reason = "the vhost owner and the AMQP listener come with later changes")]
pub(crate) mod queue;
#[allow(dead_code, reason = "the owners of topology and of the directory come with later changes")]
pub(crate) mod record;
#[allow(dead_code, unused_imports, reason = "the façade and the AMQP listener come with later changes")]
pub(crate) mod vhost;
