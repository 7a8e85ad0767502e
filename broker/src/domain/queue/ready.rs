//! The ready messages of a queue, in delivery order: what is in memory here, what is on
//! disk in `paging`.
//!
//! Fresh messages arrive in position order. Returned ones of a classic queue go back to
//! their original place; those of a quorum queue go before everything else, in the order
//! they were returned. Both are kept apart from the fresh ones, so the common path is a
//! ring buffer and a requeue never shifts the whole queue.

mod paging;
mod returned;

use std::collections::VecDeque;

use self::paging::Loading;
pub use self::paging::{Load, Paging, Purged, Spilling};
pub use self::returned::{Asked, LOOK_AHEAD_MAX, Loaded, Lost};
use super::held::{Held, Resident};
use super::level::Level;
use super::page::Sum;
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

impl Entry {
    /// A message that was not handed out in this queue yet; `expires_at_ms` 0: never.
    #[must_use]
    pub fn published(position: u64, message: Message, expires_at_ms: u64, priority: u8, logged: bool) -> Self {
        // A dead letter that failed elsewhere comes with its failures.
        let failures = message.provenance().failures.into();
        Self { position, message, expires_at_ms, acquired: 0, failures, logged, priority }
    }

    /// Bytes of memory it takes.
    #[must_use]
    pub fn cost(&self) -> u64 {
        (size_of::<Self>() + self.message.buffer().len()) as u64
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
    first: VecDeque<Held>,
    len: usize,
    bytes: u64,
    /// How many of those in memory expire, and how many pages may hold one that does.
    expiring: usize,
    /// Memory of what could be on disk instead: fresh messages and tails.
    resident_bytes: u64,
    /// The part of it that the queue's log holds.
    resident_logged_bytes: u64,
    /// What is on pages.
    paged: Sum,
    /// Memory of what came back.
    returned: Resident,
    /// What came back and is on disk.
    returned_away: Sum,
    paging: Paging,
    spilling: bool,
    next_key: u64,
    loading: Option<Loading>,
}

/// Entries a drained ring may keep allocated; a burst's memory goes back beyond that.
const IDLE_CAPACITY_ENTRIES_MAX: usize = 1024;

impl ReadyList {
    /// An empty list of `max_priority + 1` levels.
    #[must_use]
    pub fn new(max_priority: u8, returns: Return) -> Self {
        let levels = (0..=max_priority).map(|_| Level::default()).collect();
        Self {
            levels,
            top: 0,
            returns,
            first: VecDeque::new(),
            len: 0,
            bytes: 0,
            expiring: 0,
            resident_bytes: 0,
            resident_logged_bytes: 0,
            paged: Sum::default(),
            returned: Resident::default(),
            returned_away: Sum::default(),
            paging: Paging::ROOMY,
            spilling: true,
            next_key: 1,
            loading: None,
        }
    }

    fn level_for(&mut self, priority: u8, body_len: u32, expires_at_ms: u64) -> usize {
        self.len += 1;
        self.bytes += u64::from(body_len);
        self.expiring += usize::from(expires_at_ms != 0);
        let level = usize::from(priority).min(self.levels.len() - 1);
        self.top = self.top.max(level);
        level
    }

    /// Adds a message with a position above all earlier ones.
    pub fn push(&mut self, entry: Entry) {
        let level = self.level_for(entry.priority, entry.message.body_len(), entry.expires_at_ms);
        if self.levels[level].behind.is_some() {
            return self.push_behind(level, entry);
        }
        self.account_resident(&entry);
        self.levels[level].fresh.push_back(entry);
    }

    fn account_resident(&mut self, entry: &Entry) {
        let cost = entry.cost();
        self.resident_bytes += cost;
        if entry.logged {
            self.resident_logged_bytes += cost;
        }
    }

    fn account_not_resident(&mut self, entry: &Entry) {
        let cost = entry.cost();
        self.resident_bytes -= cost;
        if entry.logged {
            self.resident_logged_bytes -= cost;
        }
    }

    /// Puts a message back that was not lately published.
    pub fn put_back(&mut self, held: Held) {
        let level = self.level_for(held.priority(), held.body_len(), held.expires_at_ms());
        self.account_returned(&held);
        match self.returns {
            Return::ToPlace => {
                self.levels[level].returned.insert(held.position(), held);
            }
            Return::First => self.first.push_back(held),
        }
    }

    /// The next message to deliver; `None` also when it is on disk, see [`Self::is_head_away`].
    #[must_use]
    pub fn peek(&self) -> Option<&Entry> {
        match self.first.front() {
            Some(Held::Here(entry)) => Some(entry),
            Some(Held::Away(_)) => None,
            None => self.levels[self.top].peek(),
        }
    }

    /// Takes the next message to deliver; `None` also when it is on disk.
    pub fn pop(&mut self) -> Option<Entry> {
        if self.first.is_empty() && self.levels[self.top].returned.is_empty() {
            // Nothing came back, as nearly always: the message is moved once.
            let entry = self.levels[self.top].fresh.pop_front()?;
            self.account_not_resident(&entry);
            self.account_left(entry.message.body_len(), entry.expires_at_ms);
            return Some(entry);
        }
        if self.is_returned_away() {
            return None;
        }
        match self.pop_held()? {
            Held::Here(entry) => Some(entry),
            Held::Away(_) => None,
        }
    }

    /// Takes the first message, which is the first to drop when there are too many; `None`
    /// also when it is on a page.
    pub fn pop_held(&mut self) -> Option<Held> {
        let held = match self.first.pop_front() {
            Some(held) => {
                self.account_not_returned(&held);
                held
            }
            None => self.pop_from(self.top)?,
        };
        self.account_removed(&held);
        Some(held)
    }

    fn pop_from(&mut self, at: usize) -> Option<Held> {
        let level = &mut self.levels[at];
        if !level.returned.is_empty() {
            let (_, held) = level.returned.pop_first()?;
            self.account_not_returned(&held);
            return Some(held);
        }
        let entry = level.fresh.pop_front()?;
        self.account_not_resident(&entry);
        Some(Held::Here(entry))
    }

    fn account_removed(&mut self, held: &Held) {
        self.account_left(held.body_len(), held.expires_at_ms());
    }

    fn account_left(&mut self, body_len: u32, expires_at_ms: u64) {
        self.len -= 1;
        self.bytes -= u64::from(body_len);
        self.expiring -= usize::from(expires_at_ms != 0);
        self.lower_top();
    }

    fn lower_top(&mut self) {
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

    /// When the first of the heads in memory expires. What stands behind a head does not
    /// expire before it.
    #[must_use]
    pub fn next_expiry_ms(&self) -> Option<u64> {
        if self.expiring == 0 {
            return None;
        }
        let first = self.first.front().map_or(0, Held::expires_at_ms);
        let heads = self.levels.iter().map(Level::head_expires_at_ms).chain([first]);
        heads.filter(|&at| at != 0).min()
    }

    /// Takes a head that has expired.
    pub fn pop_expired(&mut self, now_ms: u64) -> Option<Held> {
        let expired = |at_ms: u64| at_ms != 0 && at_ms <= now_ms;
        if self.expiring == 0 {
            return None;
        }
        let held = match self.first.front() {
            Some(held) if expired(held.expires_at_ms()) => {
                let held = self.first.pop_front()?;
                self.account_not_returned(&held);
                held
            }
            _ => {
                let level = self.levels.iter().position(|level| expired(level.head_expires_at_ms()))?;
                self.pop_from(level)?
            }
        };
        self.account_removed(&held);
        Some(held)
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
mod tests;
