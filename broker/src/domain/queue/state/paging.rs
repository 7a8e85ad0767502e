//! The part of a queue's messages that is on disk.

use std::ops::RangeInclusive;

use super::{Effects, QueueState};
use crate::domain::queue::page::Sum;
use crate::domain::queue::ready::{Entry, Load, Paging, Purged, Spilling};

impl QueueState {
    /// Messages published from now on stand behind this position.
    pub fn start_behind(&mut self, position: u64) {
        self.next_position = self.next_position.max(position + 1);
    }

    /// Puts messages the log holds into an otherwise untouched queue; `sum` tells how many
    /// there are and the bytes of their bodies.
    pub fn recover(&mut self, priority: u8, positions: &[RangeInclusive<u64>], sum: Sum) {
        if let Some(last) = positions.last() {
            self.start_behind(*last.end());
            self.persistent = self.persistent.with(sum);
            self.ready.recover_paged(priority, positions.iter().cloned(), sum);
        }
    }

    /// How much is kept in memory from now on.
    pub fn set_paging(&mut self, paging: Paging) {
        self.ready.set_paging(paging);
    }

    /// Whether what the log does not have may leave memory.
    pub fn set_spilling(&mut self, spilling: bool) {
        self.ready.set_spilling(spilling);
    }

    /// Bytes of memory that messages which could be on disk take.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        self.ready.resident_bytes() + self.unacked.resident().bytes()
    }

    /// Ready messages that are on disk.
    #[must_use]
    pub fn paged(&self) -> Sum {
        self.ready.paged()
    }

    /// Messages that are out, of which the body is on disk alone.
    #[must_use]
    pub fn out_paged(&self) -> Sum {
        self.unacked.away()
    }

    /// Whether there is a next message, but on disk.
    #[must_use]
    pub fn is_head_away(&self) -> bool {
        self.ready.is_head_away()
    }

    /// Moves messages to disk when there are too many in memory. What it returns must be
    /// kept until it is loaded or forgotten.
    pub fn page_out(&mut self) -> Vec<Spilling> {
        self.ready.page_out()
    }

    /// What to read now, unless something is being read; `wanted`: somebody takes messages;
    /// `letters`: dead letters have room.
    pub fn next_load(&mut self, wanted: bool, letters: bool) -> Option<Load> {
        let first = if letters { self.next_letters() } else { None };
        first.or_else(|| self.ready.next_load(wanted))
    }

    /// Takes what was read: of logged messages everything asked for below `next`, or all of
    /// it. Answers with what turned out to be lost.
    pub fn loaded(&mut self, entries: Vec<Entry>, next: Option<u64>, effects: &mut impl Effects) -> Sum {
        let loaded = match self.letters_loaded(entries, next, effects) {
            Ok(loaded) => loaded,
            Err(entries) => self.ready.loaded(entries, next),
        };
        self.persistent = self.persistent.without(loaded.lost_persistent);
        if let Some((key, count)) = loaded.from_block {
            self.release(key, count, effects);
        }
        loaded.lost
    }

    /// Drops ready messages in up to `steps` steps. Answers with how many, and whether there
    /// are more. What is being read meanwhile must not be given to [`Self::loaded`].
    pub fn purge_some(&mut self, steps: usize, effects: &mut impl Effects) -> (u64, bool) {
        let mut purged = 0;
        self.cancel_letters();
        for _ in 0..steps {
            match self.ready.purge_next() {
                Some(Purged::Held(held)) => {
                    self.finish_held(&held, effects);
                    purged += 1;
                }
                Some(Purged::Logged(run)) => effects.forget_through(*run.start(), *run.end()),
                Some(Purged::Page { all, persistent, spilled }) => {
                    purged += all.messages;
                    self.persistent = self.persistent.without(persistent);
                    if let Some(key) = spilled {
                        effects.forget_spilled(key);
                    }
                }
                None => return (purged, false),
            }
        }
        (purged, !self.ready.is_empty())
    }
}
