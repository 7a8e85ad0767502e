//! Which records of a log live, and where they lie in the journal.
//!
//! Owns 24 bytes per live record and nothing of its content. Knows no file.

use std::collections::VecDeque;

use super::disk::SegmentId;
use super::record::RECORD_ALIGN;
use crate::storage::{LogSummary, Position};

/// Removed slots in the middle are swept when there are this many and they are the majority.
const SWEEP_MIN: usize = 64;

/// Spare room is given back when a log shrinks below a quarter of this many slots or more.
const SHRINK_MIN: usize = 1024;

/// Place of one record. `position` is split so that a slot needs no padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    position: [u32; 2],
    segment: SegmentId,
    place: u32,
    bytes: u32,
    weight: u32,
}

impl Slot {
    /// A record of `bytes` bytes (with header and padding) at `place` of `segment`.
    #[must_use]
    pub fn new(position: u64, segment: SegmentId, place: u64, bytes: usize, weight: u32) -> Self {
        Self {
            position: [(position >> 32) as u32, position as u32],
            segment,
            // Places are multiples of the alignment, so 32 bits reach 32 GiB; a segment is
            // at most its bound and one record long.
            place: (place / RECORD_ALIGN as u64) as u32,
            bytes: bytes as u32,
            weight,
        }
    }

    /// Position in the log.
    #[must_use]
    pub fn position(&self) -> u64 {
        u64::from(self.position[0]) << 32 | u64::from(self.position[1])
    }

    /// The segment that holds it.
    #[must_use]
    pub fn segment(&self) -> SegmentId {
        self.segment
    }

    /// Offset in the segment.
    #[must_use]
    pub fn place(&self) -> u64 {
        u64::from(self.place) * RECORD_ALIGN as u64
    }

    /// Bytes with header and padding.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes as usize
    }

    fn is_live(&self) -> bool {
        self.bytes != 0
    }
}

/// The live records of one log, in position order.
#[derive(Debug)]
pub struct LogIndex {
    generation: u32,
    /// Sorted by position; removed ones in the middle stay, with no bytes, until swept.
    slots: VecDeque<Slot>,
    removed: usize,
    /// Greatest position ever seen.
    last: Option<u64>,
}

impl LogIndex {
    /// A log that begins.
    #[must_use]
    pub fn new(generation: u32) -> Self {
        Self { generation, slots: VecDeque::new(), removed: 0, last: None }
    }

    /// An index of records in position order, each position once.
    #[must_use]
    pub fn from_sorted(generation: u32, slots: impl Iterator<Item = Slot>) -> Self {
        let slots: VecDeque<Slot> = slots.collect();
        let last = slots.back().map(Slot::position);
        Self { generation, slots, removed: 0, last }
    }

    /// What records appended from now on carry, see [`super::record::Header`].
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// A new owner goes on behind the last live record.
    pub fn begin(&mut self, generation: u32) {
        self.generation = generation;
        self.last = self.slots.back().map(Slot::position);
    }

    /// Live records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() - self.removed
    }

    /// Greatest position ever seen.
    #[must_use]
    pub fn last(&self) -> Option<u64> {
        self.last
    }

    /// Notes that positions up to this one were given out.
    pub fn advance(&mut self, position: u64) {
        self.last = self.last.max(Some(position));
    }

    /// The live records in order.
    pub fn live(&self) -> impl Iterator<Item = Slot> {
        self.slots.iter().filter(|slot| slot.is_live()).copied()
    }

    /// What lives here.
    #[must_use]
    pub fn summary(&self) -> LogSummary {
        let mut summary = LogSummary::default();
        for slot in self.live() {
            let position = Position(slot.position());
            summary.records += 1;
            summary.weight += u64::from(slot.weight);
            match summary.ranges.last_mut() {
                Some(last) if last.end().0 + 1 == position.0 => *last = *last.start()..=position,
                _ => summary.ranges.push(position..=position),
            }
        }
        summary
    }

    /// The live record at `position`.
    #[must_use]
    pub fn get(&self, position: u64) -> Option<Slot> {
        let at = self.slots.binary_search_by_key(&position, Slot::position).ok()?;
        self.slots.get(at).filter(|slot| slot.is_live()).copied()
    }

    /// The live records in `first..=last`, in order.
    pub fn live_in(&self, first: u64, last: u64) -> impl Iterator<Item = Slot> {
        let start = self.slots.partition_point(|slot| slot.position() < first);
        self.slots.range(start..).take_while(move |slot| slot.position() <= last).filter(|slot| slot.is_live()).copied()
    }

    /// Gives up the records of a segment.
    pub fn remove_segment(&mut self, id: SegmentId) {
        self.slots.retain(|slot| slot.is_live() && slot.segment() != id);
        self.removed = 0;
    }

    /// Adds a record. Cheap when positions grow, as they do.
    pub fn insert(&mut self, slot: Slot) {
        self.advance(slot.position());
        if self.slots.back().is_none_or(|last| last.position() < slot.position()) {
            self.slots.push_back(slot);
            return;
        }
        match self.slots.binary_search_by_key(&slot.position(), Slot::position) {
            Ok(at) => {
                self.removed -= usize::from(!self.slots[at].is_live());
                self.slots[at] = slot;
            }
            Err(at) => self.slots.insert(at, slot),
        }
    }

    /// Points a live record to another place.
    pub fn relocate(&mut self, slot: Slot) {
        if let Ok(at) = self.slots.binary_search_by_key(&slot.position(), Slot::position)
            && self.slots[at].is_live()
        {
            self.slots[at] = slot;
        }
    }

    /// Removes all live records in `first..=last`, telling each.
    pub fn remove(&mut self, first: u64, last: u64, mut removed: impl FnMut(Slot)) {
        let start = match self.slots.front() {
            // Consumers mostly take from the front: no search.
            Some(front) if first <= front.position() => 0,
            _ => self.slots.partition_point(|slot| slot.position() < first),
        };
        for slot in self.slots.range_mut(start..) {
            if slot.position() > last {
                break;
            }
            if slot.is_live() {
                removed(*slot);
                slot.bytes = 0;
                self.removed += 1;
            }
        }
        self.trim();
    }

    fn trim(&mut self) {
        while self.slots.front().is_some_and(|slot| !slot.is_live()) {
            self.slots.pop_front();
            self.removed -= 1;
        }
        while self.slots.back().is_some_and(|slot| !slot.is_live()) {
            self.slots.pop_back();
            self.removed -= 1;
        }
        if self.removed >= SWEEP_MIN && self.removed * 2 > self.slots.len() {
            self.slots.retain(|slot| slot.is_live());
            self.removed = 0;
        }
        if self.slots.capacity() >= SHRINK_MIN && self.slots.len() < self.slots.capacity() / 4 {
            self.slots.shrink_to(self.slots.len() * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slot(position: u64) -> Slot {
        Slot::new(position, 1, position * 64, 64, 5)
    }

    #[test]
    fn a_slot_is_small_and_returns_what_it_was_given() {
        assert_eq!(size_of::<Slot>(), 24);
        let slot = Slot::new(u64::MAX - 5, 7, 1 << 34, 56, 9);
        assert_eq!((slot.position(), slot.segment(), slot.place(), slot.bytes()), (u64::MAX - 5, 7, 1 << 34, 56));
    }

    proptest! {
        #[test]
        fn index_agrees_with_a_plain_list(steps in proptest::collection::vec((0u64..200, 0u64..30, any::<bool>()), 1..60)) {
            let mut index = LogIndex::new(0);
            let mut model: Vec<u64> = Vec::new();
            let mut next = 0;
            for (first, span, append) in steps {
                if append {
                    for position in next..=next + span {
                        index.insert(slot(position));
                        model.push(position);
                    }
                    next += span + 2;
                } else {
                    let mut removed = Vec::new();
                    index.remove(first, first + span, |slot| removed.push(slot.position()));
                    let expected: Vec<u64> = model.iter().copied().filter(|p| (first..=first + span).contains(p)).collect();
                    prop_assert_eq!(removed, expected);
                    model.retain(|position| !(first..=first + span).contains(position));
                }
                prop_assert_eq!(index.live().map(|slot| slot.position()).collect::<Vec<_>>(), model.clone());
                prop_assert_eq!(index.len(), model.len());
                prop_assert!(model.iter().all(|position| index.get(*position) == Some(slot(*position))));
            }
        }
    }
}
