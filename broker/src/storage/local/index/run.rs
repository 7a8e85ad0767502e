//! Slots of one log in one segment as a run of bytes: two or three for an ordinary record.
//!
//! Owns the code, which is kept in memory and written into segment tables. Places grow
//! along a run; positions mostly grow by one. Per record, all numbers LEB128:
//!
//! ```text
//! | bytes / 8 << 2 | hole << 1 | jump | … jump: zigzag(position - expected) | hole: gap in front / 8 | zigzag(payload room - weight) |
//! ```
//! The room of a payload is the record without its header; a weight is mostly a little less,
//! so the last number is small.

use super::super::disk::SegmentId;
use super::super::record::{RECORD_ALIGN, RECORD_HEADER_BYTES};
use super::super::slot::Slot;

const JUMP: u64 = 1;
const HOLE: u64 = 1 << 1;
const FLAG_BITS: u32 = 2;
const ALIGN: u64 = RECORD_ALIGN as u64;

/// Where the next record of a run is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    position: u64,
    place: u64,
}

impl Run {
    /// A run whose first record is expected there.
    #[must_use]
    pub fn from(position: u64, place: u64) -> Self {
        Self { position, place }
    }

    /// Adds a record. It must lie behind the one before.
    pub fn put(&mut self, code: &mut Vec<u8>, slot: &Slot) {
        let jump = slot.position().wrapping_sub(self.position) as i64;
        let hole = (slot.place() - self.place) / ALIGN;
        let flags = if jump == 0 { 0 } else { JUMP } | if hole == 0 { 0 } else { HOLE };
        put_number(code, (slot.bytes() as u64 / ALIGN) << FLAG_BITS | flags);
        if jump != 0 {
            put_number(code, zigzag(jump));
        }
        if hole != 0 {
            put_number(code, hole);
        }
        let room = slot.bytes() as i64 - RECORD_HEADER_BYTES as i64;
        put_number(code, zigzag(room - i64::from(slot.weight())));
        self.position = slot.position().wrapping_add(1);
        self.place = slot.end();
    }

    /// Takes the next record off `code`; `None` at the end, and where there is no record.
    pub fn take(&mut self, code: &mut &[u8], segment: SegmentId) -> Option<Slot> {
        let head = take_number(code)?;
        if head & JUMP != 0 {
            self.position = self.position.wrapping_add(unzigzag(take_number(code)?) as u64);
        }
        if head & HOLE != 0 {
            self.place = self.place.checked_add(take_number(code)?.checked_mul(ALIGN)?)?;
        }
        let bytes = u32::try_from((head >> FLAG_BITS).checked_mul(ALIGN)?).ok()?;
        let room = i64::from(bytes) - RECORD_HEADER_BYTES as i64;
        let weight = u32::try_from(room.checked_sub(unzigzag(take_number(code)?))?).ok()?;
        let slot = Slot::new(self.position, segment, self.place, bytes as usize, weight);
        self.position = self.position.wrapping_add(1);
        self.place = self.place.checked_add(u64::from(bytes))?;
        Some(slot)
    }
}

/// Appends a number, small ones in one byte.
pub fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Takes a number off `bytes`; `None` when there is none.
pub fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63) as u64
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_run_returns_what_was_put(
            first in any::<u64>(),
            steps in proptest::collection::vec((-3i64..400, 0u64..40, 7usize..3000, 0u32..30_000), 1..200),
        ) {
            let (mut position, mut place, mut slots) = (first, 8192, Vec::new());
            for (jump, hole, size, weight) in steps {
                position = position.wrapping_add(jump as u64);
                place += hole * 8;
                slots.push(Slot::new(position, 3, place, size * 8, weight));
                place += size as u64 * 8;
            }
            let mut code = Vec::new();
            let mut run = Run::from(first, 8192);
            slots.iter().for_each(|slot| run.put(&mut code, slot));
            let (mut run, mut rest) = (Run::from(first, 8192), code.as_slice());
            let back: Vec<Slot> = std::iter::from_fn(|| run.take(&mut rest, 3)).collect();
            prop_assert_eq!(back, slots);
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let (mut run, mut rest) = (Run::from(1, 8192), bytes.as_slice());
            while run.take(&mut rest, 1).is_some() {}
        }
    }

    #[test]
    fn an_ordinary_record_takes_two_or_three_bytes() {
        for (payload, bytes) in [(40usize, 2), (1100, 3)] {
            let size = (RECORD_HEADER_BYTES + payload).next_multiple_of(8);
            let mut code = Vec::new();
            Run::from(5, 8192).put(&mut code, &Slot::new(5, 1, 8192, size, payload as u32 - 30));
            assert_eq!(code.len(), bytes);
        }
    }
}
