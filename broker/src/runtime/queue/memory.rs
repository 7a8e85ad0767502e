//! Memory all queues of the node take together for messages that could be on disk instead,
//! and how much one may have of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::domain::queue::ready::Paging;

/// One queue keeps at most this share of the machine's memory, or its control group's, for
/// messages that would have to be written to leave it.
const QUEUE_SHARE: u64 = 32;

/// Whatever the share is, within these bounds.
const QUEUE_BYTES_MIN: u64 = 16 << 20;
const QUEUE_BYTES_MAX: u64 = 256 << 20;

/// Memory of all queues beyond which each keeps but a little, in what one may have.
const QUEUES_MAX: u64 = 2;

/// A queue reports its memory when it changed by this much, so that the shared counter
/// does not move with every message.
const REPORT_BYTES: u64 = 32 << 10;

/// What the queues of a node share.
#[derive(Debug)]
pub(crate) struct QueueMemory {
    resident_bytes: AtomicU64,
    /// Beyond it memory is scarce.
    resident_bytes_max: u64,
    roomy: Paging,
    scarce: Paging,
}

impl QueueMemory {
    /// For a node that may use so many bytes.
    pub(crate) fn of_node(memory_bytes: u64) -> Self {
        let all_bytes = (memory_bytes / QUEUE_SHARE).clamp(QUEUE_BYTES_MIN, QUEUE_BYTES_MAX);
        let roomy = Paging { all_bytes, ..Paging::ROOMY };
        let resident_bytes_max = QUEUES_MAX * all_bytes;
        Self { resident_bytes: AtomicU64::new(0), resident_bytes_max, roomy, scarce: Paging::SCARCE }
    }

    /// As if every queue had only that much, for tests.
    #[cfg(test)]
    pub(crate) fn tiny(paging: Paging) -> Self {
        Self { resident_bytes: AtomicU64::new(0), resident_bytes_max: u64::MAX, roomy: paging, scarce: paging }
    }

    /// What one queue may keep in memory now.
    pub(in crate::runtime) fn paging(&self) -> Paging {
        match self.resident_bytes.load(Relaxed) > self.resident_bytes_max {
            true => self.scarce,
            false => self.roomy,
        }
    }
}

/// One queue's part of it.
#[derive(Debug)]
pub(in crate::runtime) struct MemoryShare {
    of: Arc<QueueMemory>,
    reported_bytes: u64,
}

impl MemoryShare {
    pub(in crate::runtime) fn new(of: Arc<QueueMemory>) -> Self {
        Self { of, reported_bytes: 0 }
    }

    pub(in crate::runtime) fn of(&self) -> &QueueMemory {
        &self.of
    }

    /// The queue takes that much now.
    pub(in crate::runtime) fn report(&mut self, bytes: u64) {
        if bytes.abs_diff(self.reported_bytes) >= REPORT_BYTES {
            self.of.resident_bytes.fetch_add(bytes.wrapping_sub(self.reported_bytes), Relaxed);
            self.reported_bytes = bytes;
        }
    }
}

impl Drop for MemoryShare {
    fn drop(&mut self) {
        self.of.resident_bytes.fetch_sub(self.reported_bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_machine_keeps_less_in_memory() {
        for (memory_bytes, expected) in [(256 << 20, 16 << 20), (2 << 30, 64 << 20), (64 << 30, 256 << 20)] {
            assert_eq!(QueueMemory::of_node(memory_bytes).paging().all_bytes, expected);
        }
    }

    #[test]
    fn queues_get_less_when_they_have_too_much_together() {
        let memory = Arc::new(QueueMemory::of_node(4 << 30));
        let (roomy, max) = (Paging { all_bytes: 128 << 20, ..Paging::ROOMY }, 256 << 20);
        let (mut first, mut second) = (MemoryShare::new(memory.clone()), MemoryShare::new(memory.clone()));
        first.report(max);
        assert_eq!(second.of().paging(), roomy);
        second.report(REPORT_BYTES);
        assert_eq!(first.of().paging(), Paging::SCARCE);
        first.report(max - REPORT_BYTES);
        assert_eq!(first.of().paging(), roomy);
        second.report(2 * REPORT_BYTES);
        assert_eq!(first.of().paging(), Paging::SCARCE);
        drop(second);
        drop(first);
        assert_eq!(memory.resident_bytes.load(Relaxed), 0);
    }
}
