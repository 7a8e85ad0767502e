//! What passed through the node since the application started.
//!
//! Owners (a connection, a queue) add here what they counted, once a pass and not once a
//! message. So a reader needs no look at objects, and nothing is lost with an object that
//! goes: these numbers never fall. It knows no owner.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{AtomicQueueCounters, QueueCounters};
use crate::domain::queue::QueueKind;
use crate::domain::queue::state::DropReason;

/// Upper bounds of the classes of body sizes, in bytes; a last class has none.
pub const SIZE_BOUNDS_BYTES: [u32; 8] = [100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 50_000_000, 100_000_000];

/// Classes of body sizes.
const SIZES: usize = SIZE_BOUNDS_BYTES.len() + 1;

/// What becomes of messages that leave a queue unacknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadLetterStrategy {
    /// They are gone: the queue names no exchange for them.
    Disabled,
    /// They are published once, whether or not somebody takes them.
    AtMostOnce,
    /// They stay until their targets have confirmed them.
    AtLeastOnce,
}

impl DeadLetterStrategy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Disabled, Self::AtMostOnce, Self::AtLeastOnce];
}

/// Why messages leave a queue unacknowledged.
const REASONS: [DropReason; 4] =
    [DropReason::Rejected, DropReason::Expired, DropReason::MaxLength, DropReason::DeliveryLimit];

/// Kinds of queues.
const KINDS: [QueueKind; 3] = [QueueKind::Classic, QueueKind::Quorum, QueueKind::Stream];

/// Bodies by size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BodySizes {
    /// Bodies of each class of [`SIZE_BOUNDS_BYTES`], and of those beyond; not cumulative.
    pub counts: [u64; SIZES],
    /// Bytes of all.
    pub bytes: u64,
}

impl BodySizes {
    /// Counts one body.
    pub(crate) fn count(&mut self, body_len: u32) {
        let class = SIZE_BOUNDS_BYTES.iter().position(|bound| body_len <= *bound).unwrap_or(SIZES - 1);
        self.counts[class] += 1;
        self.bytes += u64::from(body_len);
    }
}

/// What was published: gathered by one owner during a pass, or summed over all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Publishes {
    /// Taken.
    pub received: u64,
    /// Of those, in confirm mode.
    pub received_confirm: u64,
    /// Copies that queues were given.
    pub routed: u64,
    /// Bodies.
    pub sizes: BodySizes,
}

impl Publishes {
    /// Counts one publish that this many queues are given.
    pub(crate) fn count(&mut self, queues: usize, body_len: u32) {
        self.received += 1;
        self.routed += queues as u64;
        self.sizes.count(body_len);
    }
}

/// Counters since the application started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Publishes of clients.
    pub publishes: Publishes,
    /// Confirmed to publishers.
    pub confirmed: u64,
    /// Returned as unroutable.
    pub return_unroutable: u64,
    /// Dropped as unroutable.
    pub drop_unroutable: u64,
    /// Deliveries to consumers of direct replies.
    pub direct_replies: u64,
    /// Bytes read from connections.
    pub recv_oct: u64,
    /// Frames read.
    pub recv_cnt: u64,
    /// Bytes written to connections.
    pub send_oct: u64,
    /// Frames written.
    pub send_cnt: u64,
    /// Dead letters that must arrive, and that every queue they went to has taken.
    pub dead_letters_confirmed: u64,
    /// Messages that queues read back from disk.
    pub disk_reads: u64,
    /// Messages that queues wrote to disk, each as often as a queue did.
    pub disk_writes: u64,
    classic: QueueCounters,
    quorum: QueueCounters,
    stream: QueueCounters,
    left: [[[u64; REASONS.len()]; DeadLetterStrategy::ALL.len()]; KINDS.len()],
}

impl Traffic {
    /// What happened on all queues of a kind, those that are gone included.
    #[must_use]
    pub fn queues(&self, kind: QueueKind) -> QueueCounters {
        match kind {
            QueueKind::Classic => self.classic,
            QueueKind::Quorum => self.quorum,
            QueueKind::Stream => self.stream,
        }
    }

    /// What happened on all queues, those that are gone included.
    #[must_use]
    pub fn all_queues(&self) -> QueueCounters {
        KINDS.iter().fold(QueueCounters::default(), |sum, kind| sum.plus(&self.queues(*kind)))
    }

    /// Messages that left queues of a kind unacknowledged.
    #[must_use]
    pub fn left(&self, kind: QueueKind, strategy: DeadLetterStrategy, reason: DropReason) -> u64 {
        self.left[kind as usize][strategy as usize][reason as usize]
    }
}

#[derive(Debug, Default)]
struct AtomicPublishes {
    received: AtomicU64,
    received_confirm: AtomicU64,
    routed: AtomicU64,
    sizes: [AtomicU64; SIZES],
    bytes: AtomicU64,
}

/// [`Traffic`] that all owners of a node add to.
#[derive(Debug, Default)]
pub(crate) struct AtomicTraffic {
    publishes: AtomicPublishes,
    pub(crate) confirmed: AtomicU64,
    pub(crate) return_unroutable: AtomicU64,
    pub(crate) drop_unroutable: AtomicU64,
    pub(crate) direct_replies: AtomicU64,
    pub(crate) recv_oct: AtomicU64,
    pub(crate) recv_cnt: AtomicU64,
    pub(crate) send_oct: AtomicU64,
    pub(crate) send_cnt: AtomicU64,
    pub(crate) dead_letters_confirmed: AtomicU64,
    pub(crate) disk_reads: AtomicU64,
    pub(crate) disk_writes: AtomicU64,
    queues: [AtomicQueueCounters; KINDS.len()],
    left: [[[AtomicU64; REASONS.len()]; DeadLetterStrategy::ALL.len()]; KINDS.len()],
}

impl AtomicTraffic {
    /// Adds the publishes of a pass.
    pub(crate) fn published(&self, pass: &Publishes) {
        let sum = &self.publishes;
        sum.received.fetch_add(pass.received, Relaxed);
        if pass.received_confirm > 0 {
            sum.received_confirm.fetch_add(pass.received_confirm, Relaxed);
        }
        sum.routed.fetch_add(pass.routed, Relaxed);
        for (sum, count) in sum.sizes.iter().zip(pass.sizes.counts) {
            if count > 0 {
                sum.fetch_add(count, Relaxed);
            }
        }
        sum.bytes.fetch_add(pass.sizes.bytes, Relaxed);
    }

    /// Adds what happened on a queue between two counts of its owner.
    pub(crate) fn queue_went_on(&self, kind: QueueKind, before: &QueueCounters, now: &QueueCounters) {
        if before != now {
            self.queues[kind as usize].add(&now.minus(before));
        }
    }

    /// Counts messages that left a queue unacknowledged.
    pub(crate) fn message_left(&self, kind: QueueKind, strategy: DeadLetterStrategy, reason: DropReason) {
        self.left[kind as usize][strategy as usize][reason as usize].fetch_add(1, Relaxed);
    }

    /// The counters now.
    pub(crate) fn load(&self) -> Traffic {
        let of = |counter: &AtomicU64| counter.load(Relaxed);
        let publishes = &self.publishes;
        let [classic, quorum, stream] = self.queues.each_ref().map(AtomicQueueCounters::load);
        Traffic {
            publishes: Publishes {
                received: of(&publishes.received),
                received_confirm: of(&publishes.received_confirm),
                routed: of(&publishes.routed),
                sizes: BodySizes { counts: publishes.sizes.each_ref().map(of), bytes: of(&publishes.bytes) },
            },
            confirmed: of(&self.confirmed),
            return_unroutable: of(&self.return_unroutable),
            drop_unroutable: of(&self.drop_unroutable),
            direct_replies: of(&self.direct_replies),
            recv_oct: of(&self.recv_oct),
            recv_cnt: of(&self.recv_cnt),
            send_oct: of(&self.send_oct),
            send_cnt: of(&self.send_cnt),
            dead_letters_confirmed: of(&self.dead_letters_confirmed),
            disk_reads: of(&self.disk_reads),
            disk_writes: of(&self.disk_writes),
            classic,
            quorum,
            stream,
            left: self.left.each_ref().map(|kind| kind.each_ref().map(|strategy| strategy.each_ref().map(of))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_counted_by_the_smallest_bound_they_fit_under() {
        let mut sizes = BodySizes::default();
        for len in [0, 100, 101, 1_000, 100_000_000, 100_000_001] {
            sizes.count(len);
        }
        assert_eq!(sizes.counts, [2, 2, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(sizes.bytes, 200_001_202);
    }

    #[test]
    fn what_owners_add_is_summed_by_kind_strategy_and_reason() {
        let traffic = AtomicTraffic::default();
        for (index, kind) in KINDS.into_iter().enumerate() {
            assert_eq!(kind as usize, index, "kinds are indices");
            let count = index as u64 + 1;
            let before = QueueCounters { ack: 5, publish: 2, ..QueueCounters::default() };
            let now = QueueCounters { ack: 5 + count, publish: 2, ..QueueCounters::default() };
            traffic.queue_went_on(kind, &before, &now);
            traffic.queue_went_on(kind, &now, &now);
            assert_eq!(traffic.load().queues(kind), QueueCounters { ack: count, ..QueueCounters::default() });
        }
        assert_eq!(traffic.load().all_queues().ack, 6);
        for (index, reason) in REASONS.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "reasons are indices");
            for (index, strategy) in DeadLetterStrategy::ALL.into_iter().enumerate() {
                assert_eq!(strategy as usize, index, "strategies are indices");
                traffic.message_left(QueueKind::Quorum, strategy, reason);
                assert_eq!(traffic.load().left(QueueKind::Quorum, strategy, reason), 1);
                assert_eq!(traffic.load().left(QueueKind::Classic, strategy, reason), 0);
            }
        }
        let mut pass = Publishes { received: 2, received_confirm: 1, routed: 3, ..Publishes::default() };
        pass.sizes.count(7);
        traffic.published(&pass);
        traffic.published(&Publishes { received_confirm: 0, ..pass });
        let sum = traffic.load().publishes;
        assert_eq!((sum.received, sum.received_confirm, sum.routed), (4, 1, 6));
        assert_eq!((sum.sizes.counts[0], sum.sizes.bytes), (2, 14));
    }
}
