//! Ready messages that are not in memory: pages on disk, and what stands behind them.
//!
//! ```text
//! delivered next ◀─ fresh ◀─ page ◀─ page ◀─ … ◀─ page ◀─ tail ◀─ published
//!                   memory   ╰──────── disk ────────╯     memory
//! ```
//!
//! A page of logged messages is nothing but their positions, since the queue's log has them:
//! putting them there writes nothing. Any other page was written somewhere as a whole, under
//! a key.

use std::collections::VecDeque;

use super::positions::Positions;
use super::ready::Entry;

/// Messages a page holds at most, so that what is reported damaged is subtracted soon.
const PAGE_MESSAGES_MAX: u64 = 1 << 16;

/// A number of messages and the bytes of their bodies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// Messages.
    pub messages: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
}

impl Sum {
    /// One more message.
    pub fn add(&mut self, body_len: u32) {
        self.messages += 1;
        self.bytes += u64::from(body_len);
    }

    /// What is left without `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self { messages: self.messages.saturating_sub(other.messages), bytes: self.bytes.saturating_sub(other.bytes) }
    }

    /// Both together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self { messages: self.messages + other.messages, bytes: self.bytes + other.bytes }
    }
}

/// Consecutive messages of a level that are on disk.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// Positions of those the queue's log holds: all of them, unless the page was spilled.
    pub(super) positions: Positions,
    pub(super) all: Sum,
    pub(super) persistent: Sum,
    /// Whether one of them expires; also when nobody looked yet.
    pub(super) may_expire: bool,
    /// What the page was written under; `None`: the queue's log has every message of it.
    pub(super) spilled: Option<u64>,
}

impl Page {
    pub(super) fn add(&mut self, entry: &Entry) {
        let body_len = entry.message.body_len();
        self.all.add(body_len);
        if entry.message.is_persistent() {
            self.persistent.add(body_len);
        }
        if entry.logged {
            self.positions.push(entry.position..=entry.position);
        }
        self.may_expire |= entry.expires_at_ms != 0;
    }

    /// Whether logged messages can be added.
    fn is_open(&self) -> bool {
        self.spilled.is_none() && self.all.messages < PAGE_MESSAGES_MAX
    }
}

/// Everything of a level behind its messages in memory. There is a page at least.
#[derive(Debug, Default)]
pub(super) struct Behind {
    pub(super) pages: VecDeque<Page>,
    /// Messages behind the pages.
    pub(super) tail: VecDeque<Entry>,
    /// Memory they take.
    pub(super) tail_bytes: u64,
    /// What the pages hold.
    pub(super) paged: Sum,
}

impl Behind {
    /// Whether the last page takes logged messages, or a new one for them would follow such a page.
    pub(super) fn ends_logged(&self) -> bool {
        self.pages.back().is_some_and(|page| page.spilled.is_none())
    }

    /// Adds a message the queue's log holds behind all pages; true when a page that may
    /// expire was begun or made of one that could not.
    pub(super) fn add_logged(&mut self, entry: &Entry) -> bool {
        self.paged.add(entry.message.body_len());
        let page = match self.pages.back_mut() {
            Some(page) if page.is_open() => page,
            _ => {
                self.pages.push_back(Page::default());
                self.pages.back_mut().expect("a page was pushed just now")
            }
        };
        let before = page.may_expire;
        page.add(entry);
        page.may_expire && !before
    }
}
