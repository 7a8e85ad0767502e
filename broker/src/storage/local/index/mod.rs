//! Which records of a log live, and where they lie in the journal.
//!
//! Owns three or four bytes per live record of a long log, and nothing of its content. The
//! end that grows is plain; behind it everything is packed in stretches, see [`chunk`].
//! Knows no file.

mod chunk;
mod run;

use std::collections::VecDeque;

use chunk::{CHUNK_RECORDS, Chunk, Packed};
pub use run::{Run, put_number, take_number};

use super::disk::SegmentId;
use super::slot::Slot;
use crate::storage::{LogSummary, Position};

/// The end of the index is packed down to [`CHUNK_RECORDS`] when it gets this long.
const TAIL_RECORDS_MAX: usize = 2 * CHUNK_RECORDS;

/// Spare room is given back when less than a quarter of this many stretches, or more, is used.
const SHRINK_MIN: usize = 64;

/// The live records of one log, in position order.
#[derive(Debug)]
pub struct LogIndex {
    generation: u32,
    chunks: VecDeque<Chunk>,
    /// Behind all chunks.
    tail: VecDeque<Slot>,
    live: usize,
    /// Greatest position ever seen.
    last: Option<u64>,
}

impl LogIndex {
    /// A log that begins.
    #[must_use]
    pub fn new(generation: u32) -> Self {
        Self { generation, chunks: VecDeque::new(), tail: VecDeque::new(), live: 0, last: None }
    }

    /// What records appended from now on carry, see [`super::record::Header`].
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// A new owner goes on behind the last live record.
    pub fn begin(&mut self, generation: u32) {
        self.generation = generation;
        self.last = self.live_from_behind();
    }

    fn live_from_behind(&self) -> Option<u64> {
        let tail = self.tail.back().map(Slot::position);
        // A chunk without live records is not kept.
        tail.or_else(|| self.chunks.back()?.live().last().map(|slot| slot.position()))
    }

    /// Live records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live
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
        self.chunks.iter().flat_map(Chunk::live).chain(self.tail.iter().copied())
    }

    /// What lives here.
    #[must_use]
    pub fn summary(&self) -> LogSummary {
        let mut summary = LogSummary::default();
        for chunk in &self.chunks {
            let (records, weight) = chunk.sums();
            summary.records += records;
            summary.weight += weight;
            match chunk.dense() {
                Some((first, last)) => add_range(&mut summary, first, last),
                None => chunk.live().for_each(|slot| add_range(&mut summary, slot.position(), slot.position())),
            }
        }
        for slot in &self.tail {
            summary.records += 1;
            summary.weight += u64::from(slot.weight());
            add_range(&mut summary, slot.position(), slot.position());
        }
        summary
    }

    /// First chunk that reaches `position`.
    fn chunk_at(&self, position: u64) -> usize {
        self.chunks.partition_point(|chunk| chunk.last() < position)
    }

    /// The live record at `position`.
    #[must_use]
    pub fn get(&self, position: u64) -> Option<Slot> {
        match self.chunks.get(self.chunk_at(position)) {
            Some(chunk) => chunk.get(position),
            None => {
                let at = self.tail.binary_search_by_key(&position, Slot::position).ok()?;
                self.tail.get(at).copied()
            }
        }
    }

    /// The live records in `first..=last`, in order.
    pub fn live_in(&self, first: u64, last: u64) -> impl Iterator<Item = Slot> {
        let start = self.tail.partition_point(|slot| slot.position() < first);
        self.chunks
            .range(self.chunk_at(first)..)
            .take_while(move |chunk| chunk.first() <= last)
            .flat_map(Chunk::live)
            .skip_while(move |slot| slot.position() < first)
            .chain(self.tail.range(start..).copied())
            .take_while(move |slot| slot.position() <= last)
    }

    /// Adds a record; returns the one whose place it takes. Cheap when positions grow, as they do.
    pub fn insert(&mut self, slot: Slot) -> Option<Slot> {
        let position = slot.position();
        self.advance(position);
        let chunk = match self.tail.front() {
            Some(front) if front.position() <= position => self.chunks.len(),
            _ => self.chunk_at(position),
        };
        if chunk == self.chunks.len() {
            return self.insert_into_tail(slot);
        }
        let lies_before = self.chunks[chunk].first() > position;
        let slots = match (lies_before, chunk.checked_sub(1).map(|before| &mut self.chunks[before])) {
            // Moved records come in rows: they are added at the end of one plain chunk.
            (true, Some(Chunk::Plain(_))) => self.chunks[chunk - 1].plain(),
            (true, _) => {
                self.chunks.insert(chunk, Chunk::Plain(Vec::new()));
                self.chunks[chunk].plain()
            }
            (false, _) => self.chunks[chunk].plain(),
        };
        match slots.binary_search_by_key(&position, Slot::position) {
            Ok(at) => Some(std::mem::replace(&mut slots[at], slot)),
            Err(at) => {
                slots.insert(at, slot);
                self.live += 1;
                None
            }
        }
    }

    fn insert_into_tail(&mut self, slot: Slot) -> Option<Slot> {
        let grows = self.tail.back().is_none_or(|last| last.position() < slot.position());
        let at =
            if grows { Err(self.tail.len()) } else { self.tail.binary_search_by_key(&slot.position(), Slot::position) };
        match at {
            Ok(at) => return Some(std::mem::replace(&mut self.tail[at], slot)),
            Err(at) => {
                self.tail.insert(at, slot);
                self.live += 1;
            }
        }
        if self.tail.len() >= TAIL_RECORDS_MAX {
            let slots = self.tail.make_contiguous();
            if let Some((packed, count)) = Packed::pack(&slots[..CHUNK_RECORDS]) {
                self.tail.drain(..count);
                self.chunks.push_back(Chunk::Packed(packed));
            }
        }
        None
    }

    /// Points a live record to another place. Call [`Self::repack`] when done with a segment.
    pub fn relocate(&mut self, slot: Slot) {
        let at = self.chunk_at(slot.position());
        let found = match self.chunks.get_mut(at) {
            Some(chunk) if chunk.first() > slot.position() => None,
            Some(chunk) => {
                let slots = chunk.plain();
                slots.binary_search_by_key(&slot.position(), Slot::position).ok().map(|at| &mut slots[at])
            }
            None => {
                let at = self.tail.binary_search_by_key(&slot.position(), Slot::position).ok();
                at.map(|at| &mut self.tail[at])
            }
        };
        if let Some(found) = found {
            *found = slot;
        }
    }

    /// Packs what was made plain.
    pub fn repack(&mut self) {
        if !self.chunks.iter().any(|chunk| matches!(chunk, Chunk::Plain(_))) {
            return;
        }
        for chunk in std::mem::take(&mut self.chunks) {
            let Chunk::Plain(slots) = chunk else {
                self.chunks.push_back(chunk);
                continue;
            };
            let mut rest = slots.as_slice();
            while let Some((packed, count)) = Packed::pack(rest) {
                self.chunks.push_back(Chunk::Packed(packed));
                rest = &rest[count..];
            }
        }
    }

    /// Removes all live records in `first..=last`, telling segment, number and bytes of them.
    /// Whole stretches go without being looked into.
    pub fn remove(&mut self, first: u64, last: u64, mut removed: impl FnMut(SegmentId, u64, u64)) {
        let mut count = 0;
        let mut removed = |segment, records, bytes| {
            count += records as usize;
            removed(segment, records, bytes);
        };
        let start = match self.chunks.front() {
            // Consumers mostly take from the front: no search.
            Some(front) if first <= front.last() => 0,
            _ => self.chunk_at(first),
        };
        let (mut empty_from, mut empty_to) = (start, start);
        for (at, chunk) in self.chunks.iter_mut().enumerate().skip(start) {
            if chunk.first() > last {
                break;
            }
            if first <= chunk.first() && chunk.last() <= last {
                chunk.tell(&mut removed);
                empty_to = at + 1;
                continue;
            }
            if at == 0 {
                // What is consumed record by record is not decoded again for each.
                chunk.plain();
            }
            chunk.remove(first, last, &mut removed);
            if chunk.is_empty() {
                empty_to = at + 1;
            } else if empty_to == empty_from {
                empty_from = at + 1;
                empty_to = at + 1;
            }
        }
        self.chunks.drain(empty_from..empty_to);
        let from = self.tail.partition_point(|slot| slot.position() < first);
        let to = self.tail.partition_point(|slot| slot.position() <= last);
        for slot in self.tail.drain(from..to.max(from)) {
            removed(slot.segment(), 1, slot.bytes() as u64);
        }
        self.live -= count;
        self.shrink();
    }

    fn shrink(&mut self) {
        if self.chunks.capacity() >= SHRINK_MIN && self.chunks.len() < self.chunks.capacity() / 4 {
            self.chunks.shrink_to(self.chunks.len() * 2);
        }
        if self.live == 0 && self.tail.capacity() > CHUNK_RECORDS {
            self.tail.shrink_to(0);
        }
    }

    /// Tells segment, number and bytes of all live records.
    pub fn tell(&self, mut told: impl FnMut(SegmentId, u64, u64)) {
        self.chunks.iter().for_each(|chunk| chunk.tell(&mut told));
        self.tail.iter().for_each(|slot| told(slot.segment(), 1, slot.bytes() as u64));
    }

    /// Gives up the records of a segment.
    pub fn remove_segment(&mut self, id: SegmentId) {
        for chunk in &mut self.chunks {
            if chunk.live().any(|slot| slot.segment() == id) {
                chunk.plain().retain(|slot| slot.segment() != id);
            }
        }
        self.chunks.retain(|chunk| !chunk.is_empty());
        self.tail.retain(|slot| slot.segment() != id);
        self.live = self.live().count();
        self.repack();
    }
}

fn add_range(summary: &mut LogSummary, first: u64, last: u64) {
    match summary.ranges.last_mut() {
        Some(range) if range.end().0.checked_add(1) == Some(first) => *range = *range.start()..=Position(last),
        _ => summary.ranges.push(Position(first)..=Position(last)),
    }
}

#[cfg(test)]
mod tests;
