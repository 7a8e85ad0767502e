//! The clock of delays: the wall clock as it was at the start, and the time since.
//!
//! A delay is a length of time, so a wall clock that is set neither shortens nor stretches
//! it. Only what is left of it after a restart goes by the wall clock.

use tokio::time::{Duration, Instant};

use crate::runtime::clock::now_ms;

/// Counts milliseconds since the epoch, evenly.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    start: Instant,
    start_ms: u64,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), start_ms: now_ms() }
    }

    /// Milliseconds since the epoch.
    pub(super) fn now_ms(&self) -> u64 {
        self.start_ms + self.start.elapsed().as_millis() as u64
    }

    /// When it will be so late.
    pub(super) fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms.saturating_sub(self.start_ms))
    }
}
