//! Time as the run counts it: nanoseconds since 1970 that never step back.
//!
//! Wall-clock based so that a stamp written by one process means something to another on the same machine;
//! monotonic within a process so that a correction of the wall clock does not bend a measurement.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A clock started once and copied to every thread.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    started_ns: u64,
}

impl Clock {
    /// Reads the wall clock, once.
    pub fn start() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), started_ns: u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX) }
    }

    /// Nanoseconds now.
    #[inline]
    pub fn now_ns(&self) -> u64 {
        self.started_ns + self.started.elapsed().as_nanos() as u64
    }
}
