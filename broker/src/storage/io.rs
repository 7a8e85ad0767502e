//! What an engine asked of its disk: calls, bytes and time, counted by whoever makes the
//! calls and read by anybody. It knows no file.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Calls of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IoCalls {
    /// How many.
    pub count: u64,
    /// Bytes they moved.
    pub bytes: u64,
    /// How long they took together.
    pub time: Duration,
}

impl IoCalls {
    /// Average time of a call; zero before the first.
    #[must_use]
    pub fn average(&self) -> Duration {
        match self.count {
            0 => Duration::ZERO,
            count => Duration::from_nanos(u64::try_from(self.time.as_nanos() / u128::from(count)).unwrap_or(u64::MAX)),
        }
    }
}

/// What a disk did since the engine was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IoCounters {
    /// Reads.
    pub reads: IoCalls,
    /// Writes.
    pub writes: IoCalls,
    /// Syncs; they move no bytes of their own.
    pub syncs: IoCalls,
}

#[derive(Debug, Default)]
struct AtomicCalls {
    count: AtomicU64,
    bytes: AtomicU64,
    nanos: AtomicU64,
}

impl AtomicCalls {
    fn measured<T>(&self, bytes: usize, call: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let outcome = call();
        let nanos = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.count.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
        self.nanos.fetch_add(nanos, Relaxed);
        outcome
    }

    fn load(&self) -> IoCalls {
        IoCalls {
            count: self.count.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            time: Duration::from_nanos(self.nanos.load(Relaxed)),
        }
    }
}

/// [`IoCounters`] that threads add to.
#[derive(Debug, Default)]
pub(super) struct AtomicIo {
    reads: AtomicCalls,
    writes: AtomicCalls,
    syncs: AtomicCalls,
}

impl AtomicIo {
    /// Makes a call that reads.
    pub(super) fn read<T>(&self, bytes: usize, call: impl FnOnce() -> T) -> T {
        self.reads.measured(bytes, call)
    }

    /// Makes a call that writes.
    pub(super) fn write<T>(&self, bytes: usize, call: impl FnOnce() -> T) -> T {
        self.writes.measured(bytes, call)
    }

    /// Makes a call that syncs.
    pub(super) fn sync<T>(&self, call: impl FnOnce() -> T) -> T {
        self.syncs.measured(0, call)
    }

    /// The counters now.
    pub(super) fn load(&self) -> IoCounters {
        IoCounters { reads: self.reads.load(), writes: self.writes.load(), syncs: self.syncs.load() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_kind_with_their_bytes() {
        let io = AtomicIo::default();
        assert_eq!(io.write(7, || 'a'), 'a');
        io.write(5, || ());
        io.read(3, || ());
        io.sync(|| ());
        let IoCounters { reads, writes, syncs } = io.load();
        assert_eq!((writes.count, writes.bytes), (2, 12));
        assert_eq!((reads.count, reads.bytes, syncs.count, syncs.bytes), (1, 3, 1, 0));
        assert_eq!(writes.average() * 2, Duration::from_nanos((writes.time.as_nanos() as u64) / 2 * 2));
        assert_eq!(IoCalls::default().average(), Duration::ZERO);
    }
}
