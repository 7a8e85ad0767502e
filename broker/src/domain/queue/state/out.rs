//! What is out and need not stay in memory: bodies the log has are dropped beyond a bound,
//! others are written in blocks, and what is to be dead-lettered is read back for that.

use std::collections::{HashMap, VecDeque};

use super::{DropReason, Effects, QueueState};
use crate::domain::queue::ConsumerId;
use crate::domain::queue::SessionId;
use crate::domain::queue::held::{Held, Stub};
use crate::domain::queue::page::Sum;
use crate::domain::queue::ready::{Asked, Entry, LOOK_AHEAD_MAX, Load, Loaded, Lost, Spilling};
use crate::domain::queue::unacked::Unacked;

/// Messages that are out and that no log has may take this share of the memory a queue has
/// for such messages.
const OUT_SHARE: u64 = 4;

/// Memory that is written at once at most, so that a pass stays short.
const SPILL_OUT_BYTES_MAX: u64 = 4 << 20;

/// Slots that may be noted beyond those in use before the notes are looked through.
const STALE_SLOTS_MAX: usize = 1024;

/// What is out beyond the bound.
#[derive(Debug, Default)]
pub(super) struct Out {
    /// Slots of messages no log has; those settled meanwhile are still among them.
    noted: Vec<u32>,
    noted_bytes: u64,
    /// Messages of each block that are still needed.
    blocks: HashMap<u64, usize>,
    /// On disk, to be read and dead-lettered.
    leaving: VecDeque<(Stub, DropReason)>,
    reading: Option<Asked>,
}

impl QueueState {
    /// Keeps a message that goes out, without its body where memory is short and the log has it.
    pub(super) fn keep_out(&mut self, entry: Entry, session: SessionId, consumer: Option<ConsumerId>) -> u32 {
        let resident = self.unacked.resident().with(self.ready.returned());
        let (cost, paging) = (entry.cost(), self.ready.paging());
        let (beyond, logged) = match entry.logged {
            true => (resident.logged + cost > paging.logged_bytes, true),
            false => (resident.other + cost > paging.all_bytes / OUT_SHARE, false),
        };
        let held = if beyond && logged { Held::Away(Stub::logged(&entry)) } else { Held::Here(entry) };
        let slot = self.unacked.insert(Unacked { held, session, consumer });
        if beyond && !logged {
            self.out.noted.push(slot);
            self.out.noted_bytes += cost;
        }
        slot
    }

    /// Whether [`Self::spill_out`] has something to do.
    #[must_use]
    pub fn has_out_to_spill(&self) -> bool {
        let noted = self.out.noted.len();
        self.out.noted_bytes >= 2 * self.ready.paging().spill_bytes
            && (self.ready.is_spilling() || noted > 2 * self.unacked.len() + STALE_SLOTS_MAX)
    }

    /// Takes what is out beyond the bound from memory. What it returns must be kept until it is
    /// forgotten.
    pub fn spill_out(&mut self) -> Vec<Spilling> {
        let mut spilling = Vec::new();
        if !self.has_out_to_spill() {
            return spilling;
        }
        let mut slots = std::mem::take(&mut self.out.noted);
        slots.sort_unstable();
        slots.dedup();
        slots.retain(|&slot| self.unacked.spillable(slot).is_some());
        let cost = |slot: u32| self.unacked.spillable(slot).map_or(0, Entry::cost);
        self.out.noted_bytes = slots.iter().map(|&slot| cost(slot)).sum();
        let (block_bytes, mut written) = (self.ready.paging().spill_bytes, 0);
        while self.ready.is_spilling() && self.out.noted_bytes >= block_bytes && written < SPILL_OUT_BYTES_MAX {
            let (key, mut entries, mut bytes) = (self.ready.take_key(), Vec::new(), 0);
            while bytes < block_bytes
                && let Some(slot) = slots.pop()
                && let Some(entry) = self.unacked.spillable(slot)
            {
                bytes += entry.cost();
                entries.push(entry.clone());
                self.unacked.leave(slot, key);
            }
            self.out.noted_bytes = self.out.noted_bytes.saturating_sub(bytes);
            written += bytes.max(1);
            self.out.blocks.insert(key, entries.len());
            spilling.push(Spilling { key, entries });
        }
        self.out.noted = slots;
        spilling
    }

    /// So many messages of a block are no longer needed there.
    pub(super) fn release(&mut self, key: u64, count: usize, effects: &mut impl Effects) {
        if let Some(left) = self.out.blocks.get_mut(&key) {
            *left = left.saturating_sub(count);
            if *left == 0 {
                self.out.blocks.remove(&key);
                effects.forget_spilled(key);
            }
        }
    }

    /// A message is done with.
    pub(super) fn finish_held(&mut self, held: &Held, effects: &mut impl Effects) {
        self.account_gone(held.is_persistent(), held.body_len());
        if held.is_logged() {
            effects.forget(held.position());
        }
        if let Held::Away(stub) = held
            && let Some(key) = stub.block()
        {
            self.release(key, 1, effects);
        }
    }

    /// A message leaves unacknowledged; one on disk is read first when somebody wants it.
    pub(super) fn drop_held(&mut self, held: Held, reason: DropReason, effects: &mut impl Effects) {
        match held {
            Held::Here(entry) => self.drop_entry(entry, reason, effects),
            Held::Away(stub) if self.limits.dead_letters => self.out.leaving.push_back((stub, reason)),
            held @ Held::Away(_) => self.finish_held(&held, effects),
        }
    }

    /// Whether messages on disk wait to be read and dead-lettered.
    #[must_use]
    pub fn is_reading_letters(&self) -> bool {
        !self.out.leaving.is_empty()
    }

    pub(super) fn next_letters(&mut self) -> Option<Load> {
        if self.out.reading.is_some() {
            return None;
        }
        let (load, asked) = Asked::of(self.out.leaving.iter().map(|(stub, _)| stub))?;
        self.out.reading = Some(asked);
        Some(load)
    }

    /// What is being read is not going to be answered.
    pub(super) fn cancel_letters(&mut self) {
        self.out.reading = None;
    }

    /// Takes what was read to be dead-lettered; `Err`: it was read for something else.
    pub(super) fn letters_loaded(
        &mut self,
        entries: Vec<Entry>,
        next: Option<u64>,
        effects: &mut impl Effects,
    ) -> Result<Loaded, Vec<Entry>> {
        let Some(asked) = self.out.reading.take() else { return Err(entries) };
        let mut answered = asked.answered(entries, next);
        let (mut stay, mut gone, mut lost) = (VecDeque::new(), 0, Sum::default());
        let looked_at = self.out.leaving.len().min(LOOK_AHEAD_MAX);
        let behind = self.out.leaving.split_off(looked_at);
        for (stub, reason) in std::mem::replace(&mut self.out.leaving, behind) {
            match answered.take(&stub) {
                Some(Ok(entry)) => self.drop_entry(entry, reason, effects),
                Some(Err(Lost)) => {
                    let held = Held::Away(stub);
                    self.account_gone(held.is_persistent(), held.body_len());
                    lost.add(held.body_len());
                }
                None => {
                    stay.push_back((stub, reason));
                    continue;
                }
            }
            gone += 1;
        }
        stay.into_iter().rev().for_each(|letter| self.out.leaving.push_front(letter));
        if let Some(key) = asked.block() {
            self.release(key, gone, effects);
        }
        Ok(Loaded { lost, ..Loaded::default() })
    }
}
