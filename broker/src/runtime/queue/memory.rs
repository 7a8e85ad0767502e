//! Memory all queues of the node take together for messages that could be on disk instead,
//! and how much one may have of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::domain::queue::ready::Paging;

/// Memory of all queues beyond which each keeps but a little.
const RESIDENT_BYTES_MAX: u64 = 256 << 20;

/// A queue reports its memory when it changed by this much, so that the shared counter
/// does not move with every message.
const REPORT_BYTES: u64 = 32 << 10;

/// What the queues of a node share.
#[derive(Debug)]
pub(crate) struct QueueMemory {
    resident_bytes: AtomicU64,
    roomy: Paging,
    scarce: Paging,
}

impl Default for QueueMemory {
    fn default() -> Self {
        Self { resident_bytes: AtomicU64::new(0), roomy: Paging::ROOMY, scarce: Paging::SCARCE }
    }
}

impl QueueMemory {
    /// As if every queue had only that much, for tests.
    #[cfg(test)]
    pub(crate) fn tiny(paging: Paging) -> Self {
        Self { resident_bytes: AtomicU64::new(0), roomy: paging, scarce: paging }
    }

    /// What one queue may keep in memory now.
    pub(super) fn paging(&self) -> Paging {
        match self.resident_bytes.load(Relaxed) > RESIDENT_BYTES_MAX {
            true => self.scarce,
            false => self.roomy,
        }
    }
}

/// One queue's part of it.
#[derive(Debug)]
pub(super) struct MemoryShare {
    of: Arc<QueueMemory>,
    reported_bytes: u64,
}

impl MemoryShare {
    pub(super) fn new(of: Arc<QueueMemory>) -> Self {
        Self { of, reported_bytes: 0 }
    }

    pub(super) fn of(&self) -> &QueueMemory {
        &self.of
    }

    /// The queue takes that much now.
    pub(super) fn report(&mut self, bytes: u64) {
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
    fn queues_get_less_when_they_have_too_much_together() {
        let memory = Arc::new(QueueMemory::default());
        let (mut first, mut second) = (MemoryShare::new(memory.clone()), MemoryShare::new(memory.clone()));
        first.report(RESIDENT_BYTES_MAX);
        assert_eq!(second.of().paging(), Paging::ROOMY);
        second.report(REPORT_BYTES);
        assert_eq!(first.of().paging(), Paging::SCARCE);
        first.report(RESIDENT_BYTES_MAX - REPORT_BYTES);
        assert_eq!(first.of().paging(), Paging::ROOMY);
        second.report(2 * REPORT_BYTES);
        assert_eq!(first.of().paging(), Paging::SCARCE);
        drop(second);
        drop(first);
        assert_eq!(memory.resident_bytes.load(Relaxed), 0);
    }
}
