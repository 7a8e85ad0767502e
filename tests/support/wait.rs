//! Waiting for a condition, never for a time.

use std::time::{Duration, Instant};

/// Longest wait for anything.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Between two looks at a condition nobody announces.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Looks until `condition` gives something.
///
/// # Panics
/// When it never does; the message says what was awaited.
#[track_caller]
pub fn wait_until<T>(awaited: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < end, "{awaited}: not within {DEADLINE:?}");
        std::thread::sleep(LOOK_EVERY);
    }
}
