//! Ctrl-C while something must not be left half done: it is noticed, and acted on between two steps.
//!
//! Knows no command. A second Ctrl-C ends the process at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Exit code of a process that a second Ctrl-C ended, as shells report it.
const ENDED_BY_INTERRUPT: i32 = 130;

/// Whether Ctrl-C was pressed since it was held.
pub struct Held(Arc<AtomicBool>);

impl Held {
    /// Whether it was.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Holds Ctrl-C from now on. Where that is not possible it ends the process, as it always does.
pub fn hold() -> Held {
    let pressed = Arc::new(AtomicBool::new(false));
    let register = || -> std::io::Result<()> {
        // The order counts: the second press finds the flag that the first has set.
        signal_hook::flag::register_conditional_shutdown(
            signal_hook::consts::SIGINT,
            ENDED_BY_INTERRUPT,
            Arc::clone(&pressed),
        )?;
        signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&pressed)).map(drop)
    };
    register().ok();
    Held(pressed)
}
