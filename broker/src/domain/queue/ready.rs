//! The ready messages of a queue, in delivery order.
//!
//! Fresh messages arrive in position order; returned ones go back to their original
//! place. Both are kept apart, so the common path is a ring buffer and a requeue costs
//! a tree insert, never a shift of the whole queue.

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
    pub delivery_count: u32,
    /// Whether it was handed out before.
    pub redelivered: bool,
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
    fn returned_first(&self) -> Option<bool> {
        match (self.returned.first_key_value(), self.fresh.front()) {
            (None, None) => None,
            (None, Some(_)) => Some(false),
            (Some(_), None) => Some(true),
            (Some((position, _)), Some(fresh)) => Some(*position < fresh.position),
        }
    }

    fn peek(&self) -> Option<&Entry> {
        if self.returned.is_empty() {
            return self.fresh.front();
        }
        match self.returned_first()? {
            true => self.returned.first_key_value().map(|(_, entry)| entry),
            false => self.fresh.front(),
        }
    }

    fn pop(&mut self) -> Option<Entry> {
        if self.returned.is_empty() {
            return self.fresh.pop_front();
        }
        match self.returned_first()? {
            true => self.returned.pop_first().map(|(_, entry)| entry),
            false => self.fresh.pop_front(),
        }
    }
}

/// Ready messages by priority, then position.
#[derive(Debug)]
pub struct ReadyList {
    levels: Vec<Level>,
    len: usize,
    bytes: u64,
}

/// Entries a drained ring may keep allocated; a burst's memory goes back beyond that.
const IDLE_CAPACITY_ENTRIES_MAX: usize = 1024;

impl ReadyList {
    /// An empty list of `max_priority + 1` levels.
    #[must_use]
    pub fn new(max_priority: u8) -> Self {
        Self { levels: (0..=max_priority).map(|_| Level::default()).collect(), len: 0, bytes: 0 }
    }

    fn level_of(&self, priority: u8) -> usize {
        usize::from(priority).min(self.levels.len() - 1)
    }

    /// Adds a message with a position above all earlier ones.
    pub fn push(&mut self, entry: Entry) {
        self.len += 1;
        self.bytes += u64::from(entry.message.body_len());
        let level = self.level_of(entry.priority);
        self.levels[level].fresh.push_back(entry);
    }

    /// Puts a message back to its place.
    pub fn put_back(&mut self, entry: Entry) {
        self.len += 1;
        self.bytes += u64::from(entry.message.body_len());
        let level = self.level_of(entry.priority);
        self.levels[level].returned.insert(entry.position, entry);
    }

    /// The next message to deliver.
    #[must_use]
    pub fn peek(&self) -> Option<&Entry> {
        self.levels.iter().rev().find_map(Level::peek)
    }

    /// Takes the next message to deliver.
    pub fn pop(&mut self) -> Option<Entry> {
        let entry = self.levels.iter_mut().rev().find_map(Level::pop)?;
        self.account_removed(&entry);
        Some(entry)
    }

    /// Takes the message to drop first when the queue is too long: the oldest of the lowest priority.
    pub fn pop_to_drop(&mut self) -> Option<Entry> {
        let entry = self.levels.iter_mut().find_map(Level::pop)?;
        self.account_removed(&entry);
        Some(entry)
    }

    fn account_removed(&mut self, entry: &Entry) {
        self.len -= 1;
        self.bytes -= u64::from(entry.message.body_len());
        if self.len == 0 {
            for level in &mut self.levels {
                level.fresh.shrink_to(IDLE_CAPACITY_ENTRIES_MAX);
            }
        }
    }

    /// The message that expires first among the heads of all levels.
    #[must_use]
    pub fn next_expiry_ms(&self) -> Option<u64> {
        self.levels.iter().filter_map(Level::peek).map(|entry| entry.expires_at_ms).filter(|&at| at != 0).min()
    }

    /// Takes a head that has expired.
    pub fn pop_expired(&mut self, now_ms: u64) -> Option<Entry> {
        let level = self.levels.iter_mut().find(|level| {
            level.peek().is_some_and(|entry| entry.expires_at_ms != 0 && entry.expires_at_ms <= now_ms)
        })?;
        let entry = level.pop()?;
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
