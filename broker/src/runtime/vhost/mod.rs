//! One vhost: who checks, records and publishes changes of its topology.
//!
//! The owner task takes requests in batches: it applies each to its working picture,
//! writes everything durable of a batch to the store at once, publishes the next snapshot
//! and only then answers, so whoever was answered sees what it asked for. Others hold a
//! [`VhostHandle`]: they route on its snapshot and send it requests. The owner waits for
//! its queues and for storage, never for a connection.

mod access;
mod bind;
mod command;
mod declare;
mod delay;
mod delete;
mod event_exchange;
mod forwarding;
mod handle;
mod history;
mod import;
mod owner;
mod pump;
mod recover;
mod registry;
mod replies;
mod row;
#[cfg(test)]
mod tests;

pub(crate) use access::Access;
pub(crate) use handle::VhostHandle;
pub(crate) use history::Histories;
pub(crate) use registry::VhostRegistry;
pub(crate) use replies::{Replies, Reply, ReplyListener, ReplyRoom};
pub(crate) use row::{RowDone, RowRequest};

#[cfg(test)]
pub(crate) use command::DeclaredQueue;
pub(crate) use import::{Held, Part, Rules};

use std::sync::Arc;

use super::queue::QueueHandle;
use crate::domain::queue::QueueSpec;
use crate::domain::topology::QueueRef;

/// The picture of a vhost with live queues.
pub(crate) type LiveTopology = crate::domain::topology::Topology<QueueHandle>;

impl QueueRef for QueueHandle {
    fn spec(&self) -> &Arc<QueueSpec> {
        Self::spec(self)
    }
}
