//! What is wrong with the broker at the moment, for whoever checks its health.
//!
//! Knows conditions, not what a check makes of them.

use super::Broker;
use crate::domain::name::{QueueName, VhostName};
use crate::domain::queue::QueueKind;

/// Open connections, and how many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionRoom {
    /// AMQP connections that are open.
    pub open: usize,
    /// How many may be; `None`: as many as the process can hold.
    pub max: Option<u32>,
}

impl ConnectionRoom {
    /// Whether another connection would be refused.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.max.is_some_and(|max| self.open >= max as usize)
    }
}

/// A queue that cannot serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueDown {
    /// Its vhost.
    pub vhost: VhostName,
    /// Its name.
    pub name: QueueName,
    /// Its kind.
    pub kind: QueueKind,
}

impl Broker {
    /// How many connections there are and may be.
    #[must_use]
    pub fn connection_room(&self) -> ConnectionRoom {
        ConnectionRoom { open: self.registry().connection_count(), max: self.settings().connection_max }
    }

    /// Vhosts whose owner has ended: queues there still serve, but nothing can be declared.
    #[must_use]
    pub fn vhosts_down(&self) -> Vec<VhostName> {
        let all = self.inner.vhosts.all();
        all.iter().filter(|vhost| vhost.is_down()).map(|vhost| vhost.name().clone()).collect()
    }

    /// Whether the owner of a vhost has ended.
    #[must_use]
    pub fn is_vhost_down(&self, name: &VhostName) -> bool {
        self.vhost(name).is_some_and(|vhost| vhost.is_down())
    }

    /// Queues whose stored messages cannot be read, or whose owner has ended.
    #[must_use]
    pub fn queues_down(&self) -> Vec<QueueDown> {
        let mut down = Vec::new();
        for vhost in self.inner.vhosts.all() {
            vhost.topology().each_queue(|queue| {
                if queue.is_down() {
                    let spec = queue.spec();
                    down.push(QueueDown { vhost: queue.vhost().clone(), name: spec.name.clone(), kind: spec.kind });
                }
            });
        }
        down.sort_by(|a, b| (&a.vhost, &a.name).cmp(&(&b.vhost, &b.name)));
        down
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::facade::tests::settings;
    use crate::storage::local::LocalStorage;

    #[tokio::test]
    async fn a_vhost_whose_owner_has_ended_is_down() {
        let folder = tempfile::tempdir().unwrap();
        let storage = LocalStorage::open(folder.path()).unwrap();
        let settings = Arc::new(settings(folder.path()));
        let broker = Broker::start(settings, storage.metadata.clone(), storage.log.clone()).await.unwrap();
        assert_eq!((broker.vhosts_down(), broker.queues_down()), (vec![], vec![]));
        let name = VhostName::new("/").unwrap();
        broker.vhost(&name).unwrap().bring_down().await;
        assert!(broker.is_vhost_down(&name));
        assert_eq!(broker.vhosts_down(), [name]);
    }

    #[test]
    fn room_ends_with_the_last_connection_that_may_be() {
        for (open, max, full) in
            [(0, None, false), (5, None, false), (1, Some(2), false), (2, Some(2), true), (0, Some(0), true)]
        {
            assert_eq!(ConnectionRoom { open, max }.is_full(), full, "{open} of {max:?}");
        }
    }
}
