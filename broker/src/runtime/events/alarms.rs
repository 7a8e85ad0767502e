//! Events of resource alarms that begin and end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::Events;
use crate::domain::alarm::{Scarce, Verdict};
use crate::domain::event::Event;

/// Tells what changed since the last verdict.
pub(crate) struct AlarmEvents {
    events: Arc<Events>,
    was_scarce: [(Scarce, AtomicBool); 3],
}

impl AlarmEvents {
    /// Nothing is scarce yet.
    pub(crate) fn new(events: Arc<Events>) -> Self {
        let was_scarce =
            [Scarce::Disk, Scarce::Memory, Scarce::Storage].map(|resource| (resource, AtomicBool::new(false)));
        Self { events, was_scarce }
    }

    /// Takes a verdict.
    pub(crate) fn tell(&self, verdict: &Verdict) {
        for (resource, was_scarce) in &self.was_scarce {
            let is_scarce = verdict.is_scarce(*resource);
            if was_scarce.swap(is_scarce, Relaxed) == is_scarce {
                continue;
            }
            let key = if is_scarce { "alarm.set" } else { "alarm.cleared" };
            let node = self.events.node();
            self.events.tell(|| Event::new(key).text("source", resource.name()).text("node", node));
        }
    }
}
