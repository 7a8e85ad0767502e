//! Sums over everything there is, for whoever watches the node: no object is described,
//! so a look costs little however many there are.

use std::sync::Arc;

use super::{Broker, QueueTotals};
use crate::domain::queue::QueueKind;
use crate::metrics::{AtomicTraffic, Traffic};
use crate::storage::IoCounters;

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

    /// What messages cost the disk since the application started.
    #[must_use]
    pub fn io(&self) -> IoCounters {
        self.inner.vhosts.io()
    }

    /// Sums over live connections and channels.
    #[must_use]
    pub fn live_sums(&self) -> LiveSums {
        self.registry().sums()
    }

    /// Shows the kind, the counts and (of a stream) the segments of every live queue, in no order.
    pub fn each_queue_totals(&self, mut show: impl FnMut(QueueKind, QueueTotals, u64)) {
        for vhost in self.inner.vhosts.all() {
            vhost.topology().each_queue(|queue| show(queue.spec().kind, queue.totals(), queue.segments().0));
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
        let Self {
            ready,
            unacknowledged,
            ready_bytes,
            unacknowledged_bytes,
            ready_paged,
            ready_paged_bytes,
            unacknowledged_paged,
            unacknowledged_paged_bytes,
            persistent,
            persistent_bytes,
            consumers,
            dead,
            dead_bytes,
            delayed,
            delayed_bytes,
        } = *other;
        self.ready += ready;
        self.unacknowledged += unacknowledged;
        self.ready_bytes += ready_bytes;
        self.unacknowledged_bytes += unacknowledged_bytes;
        self.ready_paged += ready_paged;
        self.ready_paged_bytes += ready_paged_bytes;
        self.unacknowledged_paged += unacknowledged_paged;
        self.unacknowledged_paged_bytes += unacknowledged_paged_bytes;
        self.persistent += persistent;
        self.persistent_bytes += persistent_bytes;
        self.consumers += consumers;
        self.dead += dead;
        self.dead_bytes += dead_bytes;
        self.delayed += delayed;
        self.delayed_bytes += delayed_bytes;
    }

    /// All messages: those that are ready, out, dead or delayed.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.ready + self.unacknowledged + self.dead + self.delayed
    }

    /// Bytes of the bodies of those that will be delivered: they are ready, or delayed.
    #[must_use]
    pub fn waiting_bytes(&self) -> u64 {
        self.ready_bytes + self.delayed_bytes
    }

    /// Bytes of the bodies of all.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.waiting_bytes() + self.unacknowledged_bytes + self.dead_bytes
    }

    /// Ready messages that are in memory.
    #[must_use]
    pub fn ready_in_memory(&self) -> u64 {
        self.ready.saturating_sub(self.ready_paged)
    }

    /// Unacknowledged messages of which the body is in memory.
    #[must_use]
    pub fn unacknowledged_in_memory(&self) -> u64 {
        self.unacknowledged.saturating_sub(self.unacknowledged_paged)
    }

    /// Messages in memory; dead ones are not.
    #[must_use]
    pub fn in_memory(&self) -> u64 {
        self.messages().saturating_sub(self.ready_paged + self.unacknowledged_paged + self.dead)
    }

    /// Bytes of their bodies.
    #[must_use]
    pub fn bytes_in_memory(&self) -> u64 {
        self.bytes().saturating_sub(self.ready_paged_bytes + self.unacknowledged_paged_bytes + self.dead_bytes)
    }
}
