//! One priority of the ready messages.

use std::collections::{BTreeMap, VecDeque};

use super::held::Held;
use super::page::Behind;
use super::ready::Entry;

/// The messages of one priority, in delivery order: returned, fresh, behind.
///
/// Messages leave `fresh` in the order of their positions, so everything returned is older
/// than everything else.
#[derive(Debug, Default)]
pub(super) struct Level {
    pub(super) returned: BTreeMap<u64, Held>,
    pub(super) fresh: VecDeque<Entry>,
    /// `None` as long as everything fits into memory.
    pub(super) behind: Option<Box<Behind>>,
}

impl Level {
    pub(super) fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.returned.is_empty() && self.behind.is_none()
    }

    /// The first message; `None` also when it is on disk.
    pub(super) fn peek(&self) -> Option<&Entry> {
        match self.returned.first_key_value() {
            Some((_, Held::Here(entry))) => Some(entry),
            Some((_, Held::Away(_))) => None,
            None => self.fresh.front(),
        }
    }

    /// When the first message expires, as far as that is known; 0: never.
    pub(super) fn head_expires_at_ms(&self) -> u64 {
        match self.returned.first_key_value() {
            Some((_, held)) => held.expires_at_ms(),
            None => self.fresh.front().map_or(0, |entry| entry.expires_at_ms),
        }
    }

    /// Whether the first message came back and is on disk.
    pub(super) fn is_returned_away(&self) -> bool {
        matches!(self.returned.first_key_value(), Some((_, Held::Away(_))))
    }

    /// Whether the first message is on a page.
    pub(super) fn is_away(&self) -> bool {
        self.fresh.is_empty() && self.returned.is_empty() && self.behind.is_some()
    }
}
