//! A stretch of a log's index: packed as long as nothing moves, plain where records do.

use super::super::disk::SegmentId;
use super::super::slot::Slot;
use super::run::Run;

/// Records of one packed stretch at most; its dead ones are bits of one number.
pub const CHUNK_RECORDS: usize = u128::BITS as usize;

/// Records of one log in one segment, in position and in place order.
#[derive(Debug)]
pub struct Packed {
    first: u64,
    last: u64,
    place: u64,
    segment: SegmentId,
    records: u16,
    live: u16,
    /// Which of them were removed, by number.
    dead: u128,
    live_bytes: u64,
    live_weight: u64,
    code: Box<[u8]>,
}

impl Packed {
    /// Packs the longest stretch that begins `slots`; says how many it took.
    #[must_use]
    pub fn pack(slots: &[Slot]) -> Option<(Self, usize)> {
        let first = slots.first()?;
        let follows = |pair: &[Slot]| pair[1].segment() == first.segment() && pair[1].place() >= pair[0].end();
        let count = 1 + slots.windows(2).take(CHUNK_RECORDS - 1).take_while(|pair| follows(pair)).count();
        let slots = &slots[..count];
        let mut code = Vec::with_capacity(count * 3);
        let mut run = Run::from(first.position(), first.place());
        slots.iter().for_each(|slot| run.put(&mut code, slot));
        let packed = Self {
            first: first.position(),
            last: slots[count - 1].position(),
            place: first.place(),
            segment: first.segment(),
            records: count as u16,
            live: count as u16,
            dead: 0,
            live_bytes: slots.iter().map(|slot| slot.bytes() as u64).sum(),
            live_weight: slots.iter().map(|slot| u64::from(slot.weight())).sum(),
            code: code.into_boxed_slice(),
        };
        Some((packed, count))
    }

    fn slots(&self) -> PackedSlots<'_> {
        PackedSlots { packed: self, run: Run::from(self.first, self.place), code: &self.code, number: 0 }
    }

    /// Bytes of its code.
    #[cfg(test)]
    pub fn code_bytes(&self) -> usize {
        self.code.len()
    }

    fn is_dense(&self) -> bool {
        self.dead == 0 && self.last - self.first + 1 == u64::from(self.records)
    }

    fn remove(&mut self, first: u64, last: u64, removed: &mut impl FnMut(SegmentId, u64, u64)) {
        let (mut records, mut bytes, mut weight, mut dead) = (0, 0, 0, 0);
        let mut slots = self.slots();
        while let Some(slot) = slots.next() {
            if slot.position() > last {
                break;
            }
            if slot.position() >= first {
                dead |= 1 << (slots.number - 1);
                records += 1;
                bytes += slot.bytes() as u64;
                weight += u64::from(slot.weight());
            }
        }
        if records > 0 {
            self.dead |= dead;
            self.live -= records as u16;
            self.live_bytes -= bytes;
            self.live_weight -= weight;
            removed(self.segment, records, bytes);
        }
    }
}

/// The live records of a packed stretch.
#[derive(Debug)]
pub struct PackedSlots<'p> {
    packed: &'p Packed,
    run: Run,
    code: &'p [u8],
    /// Number of the record that comes next.
    number: u32,
}

impl Iterator for PackedSlots<'_> {
    type Item = Slot;

    fn next(&mut self) -> Option<Slot> {
        loop {
            let slot = self.run.take(&mut self.code, self.packed.segment)?;
            self.number += 1;
            if self.packed.dead >> (self.number - 1) & 1 == 0 {
                return Some(slot);
            }
        }
    }
}

/// A stretch of an index.
#[derive(Debug)]
pub enum Chunk {
    /// Nothing in it moved.
    Packed(Packed),
    /// Being consumed, or its records are being moved.
    Plain(Vec<Slot>),
}

impl Chunk {
    /// Position of its first record.
    pub fn first(&self) -> u64 {
        match self {
            Self::Packed(packed) => packed.first,
            Self::Plain(slots) => slots.first().map_or(u64::MAX, Slot::position),
        }
    }

    /// Position of its last record.
    pub fn last(&self) -> u64 {
        match self {
            Self::Packed(packed) => packed.last,
            Self::Plain(slots) => slots.last().map_or(0, Slot::position),
        }
    }

    /// Number and weight of the live records.
    pub fn sums(&self) -> (u64, u64) {
        match self {
            Self::Packed(packed) => (u64::from(packed.live), packed.live_weight),
            Self::Plain(slots) => (slots.len() as u64, slots.iter().map(|slot| u64::from(slot.weight())).sum()),
        }
    }

    /// Whether nothing lives here.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Packed(packed) => packed.live == 0,
            Self::Plain(slots) => slots.is_empty(),
        }
    }

    /// First and last position, when everything between them lives.
    pub fn dense(&self) -> Option<(u64, u64)> {
        match self {
            Self::Packed(packed) => packed.is_dense().then_some((packed.first, packed.last)),
            Self::Plain(_) => None,
        }
    }

    /// The live records, in order.
    pub fn live(&self) -> Live<'_> {
        match self {
            Self::Packed(packed) => Live::Packed(packed.slots()),
            Self::Plain(slots) => Live::Plain(slots.iter()),
        }
    }

    /// The live record at a position.
    pub fn get(&self, position: u64) -> Option<Slot> {
        match self {
            Self::Packed(packed) => packed.slots().find(|slot| slot.position() == position),
            Self::Plain(slots) => {
                let at = slots.binary_search_by_key(&position, Slot::position).ok()?;
                slots.get(at).copied()
            }
        }
    }

    /// Its records, to be changed.
    pub fn plain(&mut self) -> &mut Vec<Slot> {
        if let Self::Packed(packed) = self {
            *self = Self::Plain(packed.slots().collect());
        }
        match self {
            Self::Plain(slots) => slots,
            Self::Packed(_) => unreachable!("it has just been made plain"),
        }
    }

    /// Tells segment, number and bytes of all its live records.
    pub fn tell(&self, told: &mut impl FnMut(SegmentId, u64, u64)) {
        match self {
            Self::Packed(packed) => told(packed.segment, u64::from(packed.live), packed.live_bytes),
            Self::Plain(slots) => slots.iter().for_each(|slot| told(slot.segment(), 1, slot.bytes() as u64)),
        }
    }

    /// Removes the records in `first..=last`, and tells them like [`Self::tell`].
    pub fn remove(&mut self, first: u64, last: u64, removed: &mut impl FnMut(SegmentId, u64, u64)) {
        match self {
            Self::Packed(packed) => packed.remove(first, last, removed),
            Self::Plain(slots) => {
                let from = slots.partition_point(|slot| slot.position() < first);
                let to = slots.partition_point(|slot| slot.position() <= last);
                for slot in slots.drain(from..to) {
                    removed(slot.segment(), 1, slot.bytes() as u64);
                }
            }
        }
    }
}

/// The live records of a chunk.
#[derive(Debug)]
pub enum Live<'c> {
    /// Of a packed one.
    Packed(PackedSlots<'c>),
    /// Of a plain one.
    Plain(std::slice::Iter<'c, Slot>),
}

impl Iterator for Live<'_> {
    type Item = Slot;

    fn next(&mut self) -> Option<Slot> {
        match self {
            Self::Packed(slots) => slots.next(),
            Self::Plain(slots) => slots.next().copied(),
        }
    }
}
