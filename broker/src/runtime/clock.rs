//! The wall clock, as owners and listings count it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Something counts as idle when nothing happened to it for so long.
const IDLE_AFTER_MS: u64 = 1_000;

/// Milliseconds since the epoch.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// Since when something last active at `active_at_ms` is idle; `None` while it is not, or
/// when nothing ever happened to it.
pub(crate) fn idle_since_ms(active_at_ms: u64) -> Option<u64> {
    (active_at_ms != 0 && active_at_ms + IDLE_AFTER_MS <= now_ms()).then_some(active_at_ms)
}
