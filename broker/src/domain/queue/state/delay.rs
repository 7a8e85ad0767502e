//! The queue's returned messages that wait before they come again.

use super::{Effects, QueueState};
use crate::domain::queue::held::{Held, Stub};
use crate::domain::queue::page::Sum;
use crate::domain::queue::ready::Entry;

impl QueueState {
    /// Tells the time, in milliseconds since the epoch, from which delays count.
    pub fn tell_time(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
    }

    /// Whether returned messages may wait.
    #[must_use]
    pub fn delays(&self) -> bool {
        self.limits.delayed_retry.is_some()
    }

    /// Puts a message back, at once or later.
    pub(super) fn come_again(&mut self, held: Held, failed: bool, effects: &mut impl Effects) {
        let retry = self.limits.delayed_retry.filter(|_| self.delayed.has_room());
        match retry.and_then(|retry| retry.ready_at_ms(failed, held.failures(), self.now_ms)) {
            Some(ready_at_ms) => {
                effects.delayed(&held, ready_at_ms);
                self.delayed.insert(ready_at_ms, held);
            }
            None => self.ready.put_back(held),
        }
    }

    /// Takes over a message that waited before the last stop.
    pub fn recover_delayed(&mut self, entry: Entry, ready_at_ms: u64) {
        self.start_behind(entry.position);
        self.account_come(&entry.message);
        match self.delayed.has_room() {
            true => self.delayed.insert(ready_at_ms, Held::Here(entry)),
            // The log has it.
            false => self.ready.put_back(Held::Away(Stub::logged(&entry))),
        }
    }

    /// Makes ready what waited long enough.
    pub fn release_delayed(&mut self, now_ms: u64, effects: &mut impl Effects) {
        while let Some(held) = self.delayed.pop_ready(now_ms) {
            effects.undelayed(held.position());
            self.ready.put_back(held);
        }
    }

    /// When the next message that waits is ready, in milliseconds since the epoch.
    #[must_use]
    pub fn next_delayed_ms(&self) -> Option<u64> {
        self.delayed.next_ms()
    }

    /// Messages that wait, and bytes of their bodies.
    #[must_use]
    pub fn delayed(&self) -> Sum {
        self.delayed.sum()
    }

    /// Drops the messages that wait. Answers with how many there were.
    pub fn purge_delayed(&mut self, effects: &mut impl Effects) -> u64 {
        let messages = self.delayed.sum().messages;
        while let Some(held) = self.delayed.pop_ready(u64::MAX) {
            effects.undelayed(held.position());
            self.finish_held(&held, effects);
        }
        messages
    }
}
