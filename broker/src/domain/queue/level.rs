//! One priority of the ready messages.

use std::collections::{BTreeMap, VecDeque};

use super::page::Behind;
use super::ready::Entry;

/// The messages of one priority, in delivery order: returned, fresh, behind.
///
/// Messages leave `fresh` in the order of their positions, so everything returned is older
/// than everything else.
#[derive(Debug, Default)]
pub(super) struct Level {
    pub(super) returned: BTreeMap<u64, Entry>,
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
            Some((_, entry)) => Some(entry),
            None => self.fresh.front(),
        }
    }

    /// Whether the first message is on disk.
    pub(super) fn is_away(&self) -> bool {
        self.fresh.is_empty() && self.returned.is_empty() && self.behind.is_some()
    }
}
