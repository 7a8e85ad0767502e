//! Messages that came back and are on disk: which to read next, and taking what was read.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use super::paging::{LOAD_RUNS_MAX, Load};
use super::{Entry, ReadyList};
use crate::domain::queue::held::{Held, Resident, Stub};
use crate::domain::queue::page::Sum;

/// Messages looked at for what to read together with the first.
pub const LOOK_AHEAD_MAX: usize = 4096;

/// Messages that are being read, by position.
#[derive(Debug)]
pub struct Asked {
    /// In growing order.
    positions: Vec<u64>,
    /// The first of them.
    like: Stub,
}

impl Asked {
    /// What to read of messages on disk that are to come in this order: the first, and those
    /// soon behind it that lie beside it. `None` when there is none.
    pub fn of<'s>(stubs: impl Iterator<Item = &'s Stub>) -> Option<(Load, Self)> {
        let mut stubs = stubs.take(LOOK_AHEAD_MAX).peekable();
        let like = **stubs.peek()?;
        let mut positions: Vec<u64> = stubs.filter(|stub| stub.is_beside(&like)).map(Stub::position).collect();
        positions.sort_unstable();
        let Some(key) = like.block() else {
            let mut runs = runs_of(&positions);
            // The first must be among them.
            let first = runs.iter().position(|run| run.contains(&like.position())).unwrap_or_default();
            runs.drain(..first);
            runs.truncate(LOAD_RUNS_MAX);
            let (start, end) = (runs.first().map_or(0, |run| *run.start()), runs.last().map_or(0, |run| *run.end()));
            positions.retain(|position| (start..=end).contains(position));
            return Some((Load::Logged(runs), Self { positions, like }));
        };
        Some((Load::Kept(key), Self { positions, like }))
    }

    /// Takes what was read: everything asked for below `next`, or all of it. Of each message
    /// asked for tells whether it was read; of one that is further on, nothing.
    #[must_use]
    pub fn answered(&self, entries: Vec<Entry>, next: Option<u64>) -> Answered<'_> {
        let read = entries.into_iter().map(|entry| (entry.position, entry)).collect();
        Answered { asked: self, next, read }
    }

    /// The block that was read, if it was one.
    #[must_use]
    pub fn block(&self) -> Option<u64> {
        self.like.block()
    }
}

/// What came of a read.
#[derive(Debug)]
pub struct Answered<'a> {
    asked: &'a Asked,
    next: Option<u64>,
    read: HashMap<u64, Entry>,
}

impl Answered<'_> {
    /// The message of a stub: `None` when it was not asked for, or is further on; an error when
    /// it is lost.
    pub fn take(&mut self, stub: &Stub) -> Option<Result<Entry, Lost>> {
        let position = stub.position();
        let looked_at = stub.is_beside(&self.asked.like)
            && self.next.is_none_or(|next| position < next)
            && self.asked.positions.binary_search(&position).is_ok();
        looked_at.then(|| self.read.remove(&position).and_then(|read| stub.restore(read)).ok_or(Lost))
    }
}

/// A message cannot be read any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost;

/// What a read changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Loaded {
    /// What turned out to be lost.
    pub lost: Sum,
    /// The part of it that was persistent.
    pub lost_persistent: Sum,
    /// A block, and how many of its messages are no longer needed there.
    pub from_block: Option<(u64, usize)>,
}

impl ReadyList {
    pub(super) fn account_returned(&mut self, held: &Held) {
        self.returned.add(held);
        if let Held::Away(stub) = held {
            self.returned_away = self.returned_away.with(stub.sum());
        }
    }

    pub(super) fn account_not_returned(&mut self, held: &Held) {
        self.returned.subtract(held);
        if let Held::Away(stub) = held {
            self.returned_away = self.returned_away.without(stub.sum());
        }
    }

    /// Memory of messages that came back.
    #[must_use]
    pub fn returned(&self) -> Resident {
        self.returned
    }

    /// Whether the next message came back and is on disk.
    pub(super) fn is_returned_away(&self) -> bool {
        match self.first.front() {
            Some(held) => matches!(held, Held::Away(_)),
            None => self.levels[self.top].is_returned_away(),
        }
    }

    /// What to read when the next message came back and is on disk.
    pub(super) fn next_returned(&self) -> Option<(Load, Asked)> {
        if !self.is_returned_away() {
            return None;
        }
        fn away(held: &Held) -> Option<&Stub> {
            match held {
                Held::Away(stub) => Some(stub),
                Held::Here(_) => None,
            }
        }
        match self.first.is_empty() {
            true => Asked::of(self.levels[self.top].returned.values().take(LOOK_AHEAD_MAX).filter_map(away)),
            false => Asked::of(self.first.iter().take(LOOK_AHEAD_MAX).filter_map(away)),
        }
    }

    pub(super) fn loaded_returned(&mut self, asked: &Asked, entries: Vec<Entry>, next: Option<u64>) -> Loaded {
        let (mut come, mut gone) = (Vec::new(), Vec::new());
        let mut answered = asked.answered(entries, next);
        let mut look = |held: &mut Held| {
            let Held::Away(stub) = *held else { return };
            match answered.take(&stub) {
                Some(Ok(entry)) => {
                    *held = Held::Here(entry);
                    come.push(stub.sum());
                    self.returned.add(held);
                }
                Some(Err(Lost)) => gone.push(Held::Away(stub)),
                None => {}
            }
        };
        // Meanwhile messages may have left before those asked for, and others come to their place.
        let level = usize::from(asked.like.priority()).min(self.levels.len() - 1);
        for position in &asked.positions {
            if let Some(held) = self.levels[level].returned.get_mut(position) {
                look(held);
            }
        }
        self.first.iter_mut().take(LOOK_AHEAD_MAX).for_each(look);
        for sum in &come {
            self.returned_away = self.returned_away.without(*sum);
        }
        let mut loaded =
            Loaded { from_block: asked.block().map(|key| (key, come.len() + gone.len())), ..Loaded::default() };
        if !gone.is_empty() {
            self.first.retain(|held| !gone.iter().any(|gone| gone.position() == held.position()));
        }
        for held in gone {
            self.levels[level].returned.remove(&held.position());
            self.account_not_returned(&held);
            self.account_removed(&held);
            loaded.lost.add(held.body_len());
            if held.is_persistent() {
                loaded.lost_persistent.add(held.body_len());
            }
        }
        loaded
    }
}

/// Growing positions as runs.
fn runs_of(positions: &[u64]) -> Vec<RangeInclusive<u64>> {
    let joins = |pair: &[u64]| pair[0] + 1 == pair[1];
    let mut runs = Vec::new();
    for run in positions.chunk_by(|&a, &b| joins(&[a, b])) {
        if let (Some(&first), Some(&last)) = (run.first(), run.last()) {
            runs.push(first..=last);
        }
    }
    runs
}
