//! Sums over everything there is, for whoever watches the node: no object is described,
//! so a look costs little however many there are.

use std::sync::Arc;

use super::{Broker, QueueTotals};
use crate::domain::queue::QueueKind;
use crate::metrics::{AtomicTraffic, Traffic};

/// Sums over live connections and their channels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LiveSums {
    /// Connections.
    pub connections: u64,
    /// Channels.
    pub channels: u64,
    /// Channels that have published.
    pub publishers: u64,
    /// Consumers of channels.
    pub consumers: u64,
    /// Delivered and not yet acknowledged.
    pub messages_unacknowledged: u64,
    /// Published and not yet confirmed.
    pub messages_unconfirmed: u64,
    /// Published in open transactions.
    pub messages_uncommitted: u64,
    /// Acknowledged in open transactions.
    pub acks_uncommitted: u64,
    /// Prefetch of consumers to come.
    pub prefetch_count: u64,
    /// Prefetch of whole channels.
    pub global_prefetch_count: u64,
    /// Bytes waiting to be written.
    pub send_pend: u64,
}

impl Broker {
    /// What passed through the node since the application started. Never falls.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.traffic_counters().load()
    }

    /// Sums over live connections and channels.
    #[must_use]
    pub fn live_sums(&self) -> LiveSums {
        self.registry().sums()
    }

    /// Shows the kind and the counts of every live queue, in no order.
    pub fn each_queue_totals(&self, mut show: impl FnMut(QueueKind, QueueTotals)) {
        for vhost in self.inner.vhosts.all() {
            vhost.topology().each_queue(|queue| show(queue.spec().kind, queue.totals()));
        }
    }

    /// What owners add to.
    pub(crate) fn traffic_counters(&self) -> &Arc<AtomicTraffic> {
        self.inner.vhosts.traffic()
    }
}

impl QueueTotals {
    /// Adds those of another queue.
    pub fn add(&mut self, other: &Self) {
        self.ready += other.ready;
        self.unacknowledged += other.unacknowledged;
        self.ready_bytes += other.ready_bytes;
        self.unacknowledged_bytes += other.unacknowledged_bytes;
        self.ready_paged += other.ready_paged;
        self.ready_paged_bytes += other.ready_paged_bytes;
        self.persistent += other.persistent;
        self.persistent_bytes += other.persistent_bytes;
        self.consumers += other.consumers;
    }
}
