//! How far long work is: a bar on standard error, on a terminal only.
//!
//! Knows no command.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Work of fewer steps is over before anybody looks.
const STEPS_MIN: usize = 20;

/// How often a spinner turns.
const TURN_EVERY: Duration = Duration::from_millis(120);

/// A bar, or nothing.
pub struct Progress(Option<ProgressBar>);

impl Progress {
    /// A bar of that many steps.
    pub fn start(what: &'static str, steps: usize) -> Self {
        if steps < STEPS_MIN || !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::new(u64::try_from(steps).unwrap_or(u64::MAX));
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}, {eta} left") {
            bar.set_style(style);
        }
        bar.set_message(what);
        Self(Some(bar))
    }

    /// A sign of life for one long step.
    pub fn wait(what: String) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::new_spinner();
        bar.set_message(what);
        bar.enable_steady_tick(TURN_EVERY);
        Self(Some(bar))
    }

    /// One step further.
    pub fn advance(&self) {
        if let Some(bar) = &self.0 {
            bar.inc(1);
        }
    }

    /// The work is over: the bar goes.
    pub fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
