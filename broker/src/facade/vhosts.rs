//! Virtual hosts.

use super::{Broker, Put};
use crate::domain::name::{UserName, VhostName};
use crate::domain::queue::QueueKind;
use crate::domain::vhost::VhostLimits;
use crate::error::Error;
use crate::runtime::directory::vhosts;

/// What a vhost is to become: a put replaces description, tags and default queue type as
/// a whole, so a field left out goes back to its default (transcript `v43_vhosts`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutVhost {
    /// The name.
    pub name: VhostName,
    /// Free text.
    pub description: String,
    /// All tags.
    pub tags: Vec<String>,
    /// Type of queues declared without one.
    pub default_queue_type: QueueKind,
    /// `None` keeps what is set.
    pub protected_from_deletion: Option<bool>,
    /// `None` keeps what is set.
    pub tracing: Option<bool>,
}

/// What a vhost holds, in sums.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VhostTotals {
    /// Queues.
    pub queues: u64,
    /// Exchanges.
    pub exchanges: u64,
    /// Consumers of its queues.
    pub consumers: u64,
    /// Ready messages.
    pub messages_ready: u64,
    /// Delivered and not yet acknowledged.
    pub messages_unacknowledged: u64,
}

impl Broker {
    /// Creates or changes a vhost; the creator gets full permissions on a new one.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn put_vhost(&self, vhost: PutVhost, creator: Option<&UserName>) -> Result<Put, Error> {
        let creator = creator.cloned();
        self.change(move |directory| vhosts::put(directory, vhost, creator.as_ref())).await
    }

    /// Deletes a vhost with everything in it; its connections are closed with 320.
    ///
    /// # Errors
    /// [`Error::NoSuchVhost`], [`Error::ProtectedVhost`].
    pub async fn delete_vhost(&self, vhost: &VhostName) -> Result<(), Error> {
        let name = vhost.clone();
        self.change(move |directory| vhosts::delete(directory, &name)).await
    }

    /// Sets or clears the limits of a vhost.
    ///
    /// # Errors
    /// [`Error::NoSuchVhost`].
    pub async fn set_vhost_limits(&self, vhost: &VhostName, limits: VhostLimits) -> Result<(), Error> {
        let name = vhost.clone();
        self.change(move |directory| vhosts::set_limits(directory, &name, limits)).await
    }

    /// Sums over a vhost's queues, at the same cost however many there are.
    #[must_use]
    pub fn queue_sums(&self, vhost: &VhostName) -> VhostTotals {
        let Some(vhost) = self.inner.vhosts.get(vhost) else { return VhostTotals::default() };
        let (queues, exchanges) = {
            let topology = vhost.published().load();
            (topology.queue_count() as u64, topology.exchange_count() as u64)
        };
        let sums = vhost.queue_sums();
        VhostTotals {
            queues,
            exchanges,
            consumers: sums.consumers,
            messages_ready: sums.ready,
            messages_unacknowledged: sums.unacknowledged,
        }
    }
}
