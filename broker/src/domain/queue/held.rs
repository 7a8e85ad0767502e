//! Messages that were handed out: in memory, or known by their place on disk.
//!
//! A message that is out, or has come back, is not needed in memory before it is delivered
//! again or dead-lettered. Owns what is kept of one that is not, and what it costs; knows
//! nothing of who has it.

use super::page::Sum;
use super::ready::Entry;

/// A message that was handed out.
#[derive(Debug, Clone)]
pub enum Held {
    /// In memory.
    Here(Entry),
    /// On disk.
    Away(Stub),
}

/// What is known of a message on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stub {
    position: u64,
    expires_at_ms: u64,
    /// The key of the block that holds it; 0: the queue's log has it.
    block: u64,
    body_len: u32,
    acquired: u32,
    failures: u16,
    priority: u8,
    persistent: bool,
}

impl Stub {
    /// Of a message the queue's log has.
    #[must_use]
    pub fn logged(entry: &Entry) -> Self {
        Self::in_block(entry, 0)
    }

    /// Of a message that was written as part of a block.
    #[must_use]
    pub fn in_block(entry: &Entry, block: u64) -> Self {
        Self {
            position: entry.position,
            expires_at_ms: entry.expires_at_ms,
            block,
            body_len: entry.message.body_len(),
            acquired: entry.acquired,
            failures: entry.failures,
            priority: entry.priority,
            persistent: entry.message.is_persistent(),
        }
    }

    /// Its place in the queue's life.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Its level.
    #[must_use]
    pub fn priority(&self) -> u8 {
        self.priority
    }

    /// The block that holds it; `None`: the queue's log has it.
    #[must_use]
    pub fn block(&self) -> Option<u64> {
        (self.block != 0).then_some(self.block)
    }

    /// Whether both are read from the same place.
    #[must_use]
    pub fn is_beside(&self, other: &Self) -> bool {
        self.block == other.block && (self.block != 0 || self.priority == other.priority)
    }

    /// The message as it was, from what was read; `None` when that is another.
    #[must_use]
    pub fn restore(&self, read: Entry) -> Option<Entry> {
        let same = read.position == self.position && read.message.body_len() == self.body_len;
        same.then_some(Entry {
            expires_at_ms: self.expires_at_ms,
            acquired: self.acquired,
            failures: self.failures,
            priority: self.priority,
            logged: self.block == 0,
            ..read
        })
    }

    /// It alone.
    #[must_use]
    pub fn sum(&self) -> Sum {
        Sum { messages: 1, bytes: self.body_len.into() }
    }
}

impl Held {
    /// Its place in the queue's life.
    #[must_use]
    pub fn position(&self) -> u64 {
        match self {
            Self::Here(entry) => entry.position,
            Self::Away(stub) => stub.position,
        }
    }

    /// When it expires, in milliseconds since the epoch; 0: never.
    #[must_use]
    pub fn expires_at_ms(&self) -> u64 {
        match self {
            Self::Here(entry) => entry.expires_at_ms,
            Self::Away(stub) => stub.expires_at_ms,
        }
    }

    /// Length of the body in bytes.
    #[must_use]
    pub fn body_len(&self) -> u32 {
        match self {
            Self::Here(entry) => entry.message.body_len(),
            Self::Away(stub) => stub.body_len,
        }
    }

    /// Its level.
    #[must_use]
    pub fn priority(&self) -> u8 {
        match self {
            Self::Here(entry) => entry.priority,
            Self::Away(stub) => stub.priority,
        }
    }

    /// Whether it is to survive a restart in a durable queue.
    #[must_use]
    pub fn is_persistent(&self) -> bool {
        match self {
            Self::Here(entry) => entry.message.is_persistent(),
            Self::Away(stub) => stub.persistent,
        }
    }

    /// Whether the queue's log holds it.
    #[must_use]
    pub fn is_logged(&self) -> bool {
        match self {
            Self::Here(entry) => entry.logged,
            Self::Away(stub) => stub.block == 0,
        }
    }

    /// How often its delivery failed.
    #[must_use]
    pub fn failures(&self) -> u16 {
        match self {
            Self::Here(entry) => entry.failures,
            Self::Away(stub) => stub.failures,
        }
    }

    /// How often it was handed out.
    #[must_use]
    pub fn acquired(&self) -> u32 {
        match self {
            Self::Here(entry) => entry.acquired,
            Self::Away(stub) => stub.acquired,
        }
    }

    /// Bytes of memory it takes.
    #[must_use]
    pub fn cost(&self) -> u64 {
        match self {
            Self::Here(entry) => entry.cost(),
            Self::Away(_) => size_of::<Self>() as u64,
        }
    }

    /// One more failed delivery; how many there are now.
    pub fn fail(&mut self) -> u16 {
        let failures = match self {
            Self::Here(entry) => &mut entry.failures,
            Self::Away(stub) => &mut stub.failures,
        };
        *failures = failures.saturating_add(1);
        *failures
    }
}

/// Memory of messages that are out or came back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resident {
    /// Of those the queue's log has.
    pub logged: u64,
    /// Of the others.
    pub other: u64,
}

impl Resident {
    /// A message more.
    pub fn add(&mut self, held: &Held) {
        if let Held::Here(entry) = held {
            *self.of(entry.logged) += entry.cost();
        }
    }

    /// A message less.
    pub fn subtract(&mut self, held: &Held) {
        if let Held::Here(entry) = held {
            *self.of(entry.logged) -= entry.cost();
        }
    }

    fn of(&mut self, logged: bool) -> &mut u64 {
        if logged { &mut self.logged } else { &mut self.other }
    }

    /// Both together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self { logged: self.logged + other.logged, other: self.other + other.other }
    }

    /// All of it.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.logged + self.other
    }
}
