//! The queue's returned messages that wait before they come again.

use super::{Effects, QueueState};
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
    pub(super) fn come_again(&mut self, entry: Entry, failed: bool, effects: &mut impl Effects) {
        let retry = self.limits.delayed_retry.filter(|_| self.delayed.has_room());
        match retry.and_then(|retry| retry.ready_at_ms(failed, entry.failures, self.now_ms)) {
            Some(ready_at_ms) => {
                effects.delayed(&entry, ready_at_ms);
                self.delayed.insert(ready_at_ms, entry);
            }
            None => self.ready.put_back(entry),
        }
    }

    /// Takes over a message that waited before the last stop.
    pub fn recover_delayed(&mut self, entry: Entry, ready_at_ms: u64) {
        self.start_behind(entry.position);
        self.account_come(&entry.message);
        match self.delayed.has_room() {
            true => self.delayed.insert(ready_at_ms, entry),
            false => self.ready.put_back(entry),
        }
    }

    /// Makes ready what waited long enough.
    pub fn release_delayed(&mut self, now_ms: u64, effects: &mut impl Effects) {
        while let Some(entry) = self.delayed.pop_ready(now_ms) {
            effects.undelayed(entry.position);
            self.ready.put_back(entry);
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
        while let Some(entry) = self.delayed.pop_ready(u64::MAX) {
            effects.undelayed(entry.position);
            self.finish(&entry, effects);
        }
        messages
    }
}
