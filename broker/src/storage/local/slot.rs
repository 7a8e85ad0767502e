//! Where one record lies.

use super::disk::SegmentId;
use super::record::RECORD_ALIGN;

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

    /// The caller's weight of it.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// Where the next record could start.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.place() + u64::from(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_small_and_returns_what_it_was_given() {
        assert_eq!(size_of::<Slot>(), 24);
        let slot = Slot::new(u64::MAX - 5, 7, 1 << 34, 56, 9);
        assert_eq!((slot.position(), slot.segment(), slot.place(), slot.bytes()), (u64::MAX - 5, 7, 1 << 34, 56));
        assert_eq!((slot.weight(), slot.end()), (9, (1 << 34) + 56));
    }
}
