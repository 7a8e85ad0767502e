//! Sums over the queues of one vhost, kept while they change: a look at them costs the same
//! however many queues there are.
//!
//! A queue's owner adds what changed in a pass, so each queue is in the sums with what its
//! own counters say. Knows no queue.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::handle::QueueStats;

/// What is summed, of one queue or of all of a vhost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Ready messages.
    pub(crate) ready: u64,
    /// Delivered and not yet acknowledged.
    pub(crate) unacknowledged: u64,
    /// Consumers.
    pub(crate) consumers: u64,
}

/// The sums of one vhost.
#[derive(Debug, Default)]
pub(crate) struct QueueSums {
    ready: AtomicU64,
    unacknowledged: AtomicU64,
    consumers: AtomicU64,
}

impl QueueSums {
    /// The sums now.
    pub(crate) fn load(&self) -> Counted {
        Counted {
            ready: self.ready.load(Relaxed),
            unacknowledged: self.unacknowledged.load(Relaxed),
            consumers: self.consumers.load(Relaxed),
        }
    }
}

impl QueueStats {
    /// Counts that have become others, for the queue and for the sums it is part of. Its owner
    /// alone calls this.
    pub(crate) fn count(&self, now: Counted, sums: &QueueSums) {
        let change = |own: &AtomicU64, sum: &AtomicU64, now: u64| {
            let before = own.load(Relaxed);
            if before != now {
                own.store(now, Relaxed);
                // Wraps around for what became less, as the addition does.
                sum.fetch_add(now.wrapping_sub(before), Relaxed);
            }
        };
        change(&self.ready, &sums.ready, now.ready);
        change(&self.unacknowledged, &sums.unacknowledged, now.unacknowledged);
        change(&self.consumers, &sums.consumers, now.consumers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_what_each_counts_last() {
        let sums = QueueSums::default();
        let queues = [QueueStats::default(), QueueStats::default()];
        let count = |queue: usize, ready, unacknowledged, consumers| {
            queues[queue].count(Counted { ready, unacknowledged, consumers }, &sums);
            let Counted { ready, unacknowledged, consumers } = sums.load();
            (ready, unacknowledged, consumers)
        };
        assert_eq!(count(0, 5, 0, 1), (5, 0, 1));
        assert_eq!(count(1, 7, 2, 0), (12, 2, 1));
        assert_eq!(count(0, 1, 4, 1), (8, 6, 1));
        assert_eq!(count(0, 0, 0, 0), (7, 2, 0));
        assert_eq!(count(1, 0, 0, 0), (0, 0, 0));
    }
}
