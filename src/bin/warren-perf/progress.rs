//! A line on a terminal that says how a run is going. Silent when standard error is not a terminal.

use std::io::{IsTerminal, Write, stderr};

use crate::report::grouped;

/// How often the line changes.
const EVERY_NS: u64 = 1_000_000_000;

/// The line.
pub struct Progress {
    shown: bool,
    terminal: bool,
    last_ns: u64,
    last: (u64, u64),
}

impl Progress {
    /// Nothing is written yet.
    pub fn new(now_ns: u64) -> Self {
        Self { shown: false, terminal: stderr().is_terminal(), last_ns: now_ns, last: (0, 0) }
    }

    /// Rewrites the line when it is time.
    pub fn show(&mut self, now_ns: u64, published: u64, delivered: u64) {
        let elapsed_ns = now_ns.saturating_sub(self.last_ns);
        if !self.terminal || elapsed_ns < EVERY_NS {
            return;
        }
        let rate = |now: u64, last: u64| grouped(((now - last) as f64 * 1e9 / elapsed_ns as f64) as u64);
        // Progress is a courtesy: a terminal that went away must not end the run.
        let _ = write!(
            stderr(),
            "\r\x1b[Kpublished {} ({}/s), delivered {} ({}/s)",
            grouped(published),
            rate(published, self.last.0),
            grouped(delivered),
            rate(delivered, self.last.1)
        );
        (self.shown, self.last_ns, self.last) = (true, now_ns, (published, delivered));
    }

    /// Takes the line away.
    pub fn clear(&mut self) {
        if self.shown {
            let _ = write!(stderr(), "\r\x1b[K");
            self.shown = false;
        }
    }
}
