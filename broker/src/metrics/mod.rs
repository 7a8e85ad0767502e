//! Counters kept by each owner, summed by readers; and what passed through the whole node.

mod traffic;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub(crate) use traffic::AtomicTraffic;
pub use traffic::{BodySizes, DeadLetterStrategy, Publishes, SIZE_BOUNDS_BYTES, Traffic};

/// What happened on a queue since it exists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueCounters {
    /// Messages taken.
    pub publish: u64,
    /// Delivered to consumers, acknowledgement wanted.
    pub deliver: u64,
    /// Delivered to consumers, no acknowledgement.
    pub deliver_no_ack: u64,
    /// Fetched, acknowledgement wanted.
    pub get: u64,
    /// Fetched, no acknowledgement.
    pub get_no_ack: u64,
    /// Fetches that found nothing.
    pub get_empty: u64,
    /// Acknowledged.
    pub ack: u64,
    /// Delivered again.
    pub redeliver: u64,
}

impl QueueCounters {
    /// Delivered and fetched, in whatever way.
    #[must_use]
    pub fn deliver_get(&self) -> u64 {
        self.deliver + self.deliver_no_ack + self.get + self.get_no_ack
    }

    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.with(other, u64::wrapping_add)
    }

    /// What happened since `before`, an earlier count of the same queue.
    #[must_use]
    pub fn minus(&self, before: &Self) -> Self {
        self.with(before, u64::wrapping_sub)
    }

    fn with(&self, other: &Self, join: fn(u64, u64) -> u64) -> Self {
        Self {
            publish: join(self.publish, other.publish),
            deliver: join(self.deliver, other.deliver),
            deliver_no_ack: join(self.deliver_no_ack, other.deliver_no_ack),
            get: join(self.get, other.get),
            get_no_ack: join(self.get_no_ack, other.get_no_ack),
            get_empty: join(self.get_empty, other.get_empty),
            ack: join(self.ack, other.ack),
            redeliver: join(self.redeliver, other.redeliver),
        }
    }
}

/// [`QueueCounters`] that one owner writes and anybody reads.
#[derive(Debug, Default)]
pub(crate) struct AtomicQueueCounters {
    pub(crate) publish: AtomicU64,
    pub(crate) deliver: AtomicU64,
    pub(crate) deliver_no_ack: AtomicU64,
    pub(crate) get: AtomicU64,
    pub(crate) get_no_ack: AtomicU64,
    pub(crate) get_empty: AtomicU64,
    pub(crate) ack: AtomicU64,
    pub(crate) redeliver: AtomicU64,
}

impl AtomicQueueCounters {
    /// The counters now.
    pub(crate) fn load(&self) -> QueueCounters {
        QueueCounters {
            publish: self.publish.load(Relaxed),
            deliver: self.deliver.load(Relaxed),
            deliver_no_ack: self.deliver_no_ack.load(Relaxed),
            get: self.get.load(Relaxed),
            get_no_ack: self.get_no_ack.load(Relaxed),
            get_empty: self.get_empty.load(Relaxed),
            ack: self.ack.load(Relaxed),
            redeliver: self.redeliver.load(Relaxed),
        }
    }

    /// Adds what happened; counters that did not move are not touched.
    pub(crate) fn add(&self, counters: &QueueCounters) {
        for (sum, count) in [
            (&self.publish, counters.publish),
            (&self.deliver, counters.deliver),
            (&self.deliver_no_ack, counters.deliver_no_ack),
            (&self.get, counters.get),
            (&self.get_no_ack, counters.get_no_ack),
            (&self.get_empty, counters.get_empty),
            (&self.ack, counters.ack),
            (&self.redeliver, counters.redeliver),
        ] {
            if count > 0 {
                sum.fetch_add(count, Relaxed);
            }
        }
    }

    /// Shows what the owner counted.
    pub(crate) fn store(&self, counters: QueueCounters) {
        self.publish.store(counters.publish, Relaxed);
        self.deliver.store(counters.deliver, Relaxed);
        self.deliver_no_ack.store(counters.deliver_no_ack, Relaxed);
        self.get.store(counters.get, Relaxed);
        self.get_no_ack.store(counters.get_no_ack, Relaxed);
        self.get_empty.store(counters.get_empty, Relaxed);
        self.ack.store(counters.ack, Relaxed);
        self.redeliver.store(counters.redeliver, Relaxed);
    }
}

/// What happened on a channel since it exists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChannelCounters {
    /// Published.
    pub publish: u64,
    /// Confirmed.
    pub confirm: u64,
    /// Returned as unroutable.
    pub return_unroutable: u64,
    /// Dropped as unroutable.
    pub drop_unroutable: u64,
    /// Deliveries and acknowledgements.
    pub queue: QueueCounters,
}

impl ChannelCounters {
    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            publish: self.publish.wrapping_add(other.publish),
            confirm: self.confirm.wrapping_add(other.confirm),
            return_unroutable: self.return_unroutable.wrapping_add(other.return_unroutable),
            drop_unroutable: self.drop_unroutable.wrapping_add(other.drop_unroutable),
            queue: self.queue.plus(&other.queue),
        }
    }
}

/// What came and went since the node booted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Churn {
    /// Connections opened.
    pub connection_created: u64,
    /// Connections closed.
    pub connection_closed: u64,
    /// Channels opened.
    pub channel_created: u64,
    /// Channels closed.
    pub channel_closed: u64,
    /// Queue declarations.
    pub queue_declared: u64,
    /// Queues created.
    pub queue_created: u64,
    /// Queues deleted.
    pub queue_deleted: u64,
}
