//! The ready messages of a queue, in delivery order.
//!
//! Fresh messages arrive in position order. Returned ones of a classic queue go back to
//! their original place; those of a quorum queue go before everything else, in the order
//! they were returned. Both are kept apart from the fresh ones, so the common path is a
//! ring buffer and a requeue never shifts the whole queue.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::message::Message;

/// A message in a queue.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its place in the queue's life; grows with every publish.
    pub position: u64,
    /// The message.
    pub message: Message,
    /// When it expires, in milliseconds since the epoch; 0: never.
    pub expires_at_ms: u64,
    /// How often it was handed out.
    pub acquired: u32,
    /// How often that failed: it was rejected or its channel closed.
    pub failures: u16,
    /// Whether the log holds it.
    pub logged: bool,
    /// Its level in a priority queue; 0 elsewhere.
    pub priority: u8,
}

#[derive(Debug, Default)]
struct Level {
    fresh: VecDeque<Entry>,
    returned: BTreeMap<u64, Entry>,
}

impl Level {
    fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.returned.is_empty()
    }

    /// Whether a returned message comes before the fresh ones.
    fn returned_first(&self) -> bool {
        match (self.returned.first_key_value(), self.fresh.front()) {
            (Some((position, _)), Some(fresh)) => *position < fresh.position,
            (returned, _) => returned.is_some(),
        }
    }

    fn peek(&self) -> Option<&Entry> {
        match self.returned_first() {
            true => self.returned.first_key_value().map(|(_, entry)| entry),
            false => self.fresh.front(),
        }
    }

    fn pop(&mut self) -> Option<Entry> {
        if self.returned.is_empty() {
            return self.fresh.pop_front();
        }
        match self.returned_first() {
            true => self.returned.pop_first().map(|(_, entry)| entry),
            false => self.fresh.pop_front(),
        }
    }
}

/// Where returned messages go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Return {
    /// To their original place.
    ToPlace,
    /// Before all others, in the order they return.
    First,
}

/// Ready messages by priority, then position.
#[derive(Debug)]
pub struct ReadyList {
    levels: Vec<Level>,
    /// The highest level with messages, when there are any.
    top: usize,
    returns: Return,
    /// Returned messages that come before all others.
    first: VecDeque<Entry>,
    len: usize,
    bytes: u64,
    /// How many of them expire.
    expiring: usize,
}

/// Entries a drained ring may keep allocated; a burst's memory goes back beyond that.
const IDLE_CAPACITY_ENTRIES_MAX: usize = 1024;

impl ReadyList {
    /// An empty list of `max_priority + 1` levels.
    #[must_use]
    pub fn new(max_priority: u8, returns: Return) -> Self {
        let levels = (0..=max_priority).map(|_| Level::default()).collect();
        Self { levels, top: 0, returns, first: VecDeque::new(), len: 0, bytes: 0, expiring: 0 }
    }

    fn level_for(&mut self, entry: &Entry) -> &mut Level {
        self.len += 1;
        self.bytes += u64::from(entry.message.body_len());
        self.expiring += usize::from(entry.expires_at_ms != 0);
        let level = usize::from(entry.priority).min(self.levels.len() - 1);
        self.top = self.top.max(level);
        &mut self.levels[level]
    }

    /// Adds a message with a position above all earlier ones.
    pub fn push(&mut self, entry: Entry) {
        self.level_for(&entry).fresh.push_back(entry);
    }

    /// Puts a message back.
    pub fn put_back(&mut self, entry: Entry) {
        let returns = self.returns;
        let level = self.level_for(&entry);
        match returns {
            Return::ToPlace => {
                level.returned.insert(entry.position, entry);
            }
            Return::First => self.first.push_back(entry),
        }
    }

    /// The next message to deliver.
    #[must_use]
    pub fn peek(&self) -> Option<&Entry> {
        self.first.front().or_else(|| self.levels[self.top].peek())
    }

    /// Takes the next message to deliver, which is also the first to drop when there are too many.
    pub fn pop(&mut self) -> Option<Entry> {
        let entry = match self.first.pop_front() {
            Some(entry) => entry,
            None => self.levels[self.top].pop()?,
        };
        self.account_removed(&entry);
        Some(entry)
    }

    fn account_removed(&mut self, entry: &Entry) {
        self.len -= 1;
        self.bytes -= u64::from(entry.message.body_len());
        self.expiring -= usize::from(entry.expires_at_ms != 0);
        while self.top > 0 && self.levels[self.top].is_empty() {
            self.top -= 1;
        }
        if self.len == 0 {
            self.first.shrink_to(IDLE_CAPACITY_ENTRIES_MAX);
            for level in &mut self.levels {
                level.fresh.shrink_to(IDLE_CAPACITY_ENTRIES_MAX);
            }
        }
    }

    /// When the first of the heads expires. What stands behind a head does not expire before it.
    #[must_use]
    pub fn next_expiry_ms(&self) -> Option<u64> {
        if self.expiring == 0 {
            return None;
        }
        let heads = self.first.front().into_iter().chain(self.levels.iter().filter_map(Level::peek));
        heads.map(|entry| entry.expires_at_ms).filter(|&at| at != 0).min()
    }

    /// Takes a head that has expired.
    pub fn pop_expired(&mut self, now_ms: u64) -> Option<Entry> {
        let expired = |entry: &Entry| entry.expires_at_ms != 0 && entry.expires_at_ms <= now_ms;
        if self.expiring == 0 {
            return None;
        }
        let entry = match self.first.front() {
            Some(entry) if expired(entry) => self.first.pop_front()?,
            _ => self.levels.iter_mut().find(|level| level.peek().is_some_and(expired))?.pop()?,
        };
        self.account_removed(&entry);
        Some(entry)
    }

    /// Number of messages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of their bodies.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_waits_stays_small() {
        // Millions may wait; what is added here is added to each.
        assert!(size_of::<Entry>() <= 80, "{}", size_of::<Entry>());
    }
}
