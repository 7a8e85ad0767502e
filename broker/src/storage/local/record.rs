//! The bytes of a journal record and of a segment's head.
//!
//! Owns the format, its version and its checks. Knows no file, no queue and no state.
//! All numbers are little endian; records start at multiples of 8.
//!
//! ```text
//! segment:         | head 8192 bytes | record | record | … | zeros or end of file
//! closed segment:  | head 8192 bytes | record | record | … | table record | end record |
//!
//! head, written at 0 and again at 4096 (two pages, either copy serves):
//!   0  magic "WARRENJL"      8   format u32        12  segment id u32
//!   16 nonce u64             24  previous id u32   28  crc32c of bytes 0..28 and 32..48
//!   32 previous bytes u64    40  flags u64         (previous: the segment closed before, and
//!                                                   its length then; flag 1: single record)
//!
//! record:
//!   0  marker u32            4   crc32c u32        8   payload bytes u32
//!   12 kind u8, zero u8      14  group u16         16  log u64
//!   24 position u64          32  generation u32    36  meta, first 12 bytes
//!   48 weight u32            52  meta, last 4 bytes
//!   56 payload, zeros up to a multiple of 8
//! ```
//!
//! The check of a record covers, besides its bytes from 8 on, the journal's random nonce,
//! the segment id and the place in it. So neither a stale or misdirected block nor bytes
//! that a client sent inside a message can pass for a record when the journal looks for
//! the next whole record after damage.

use super::disk::SegmentId;

/// Version of the layout drawn above.
pub const JOURNAL_FORMAT: u32 = 2;

/// The version before, which knew neither tables nor flags: its segments are read whole, and
/// go as their messages do.
const JOURNAL_FORMAT_WITHOUT_TABLES: u32 = 1;

/// Bytes before the first record of a segment.
pub const HEAD_BYTES: usize = 8192;

/// Bytes of a record before its payload.
pub const RECORD_HEADER_BYTES: usize = 56;

/// Records start at multiples of this.
pub const RECORD_ALIGN: usize = 8;

/// Longest payload of one record.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 30;

/// Bytes of one range in the payload of a remove record.
pub const RANGE_BYTES: usize = 16;

/// Ranges in one remove record.
pub const RANGES_PER_RECORD_MAX: usize = 4096;

const HEAD_MAGIC: [u8; 8] = *b"WARRENJL";
const HEAD_COPY_AT: usize = 4096;
const HEAD_USED_BYTES: usize = 48;
const HEAD_CHECK_AT: usize = 28;
const MARKER: [u8; 4] = [0xD7, 0x57, 0x4A, 0xC3];
const CHECKED_FROM: usize = 8;
const SINGLE: u64 = 1;

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A record of a log.
    Data,
    /// Records of this and earlier generations of a log are gone; payload: ranges of
    /// positions.
    Remove,
    /// All records of this and earlier generations of a log are gone.
    Delete,
    /// The table of a closed segment, see [`super::table`].
    Table,
    /// A record of a log whose payload is that of a data record earlier in the segment;
    /// payload: its place.
    Share,
    /// The last record of a closed segment; its position is the place of the table.
    End,
}

impl Kind {
    fn to_byte(self) -> u8 {
        match self {
            Self::Data => 1,
            Self::Remove => 2,
            Self::Delete => 3,
            Self::Table => 4,
            Self::End => 5,
            Self::Share => 6,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Data),
            2 => Some(Self::Remove),
            3 => Some(Self::Delete),
            4 => Some(Self::Table),
            5 => Some(Self::End),
            6 => Some(Self::Share),
            _ => None,
        }
    }
}

/// A record without its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What it says.
    pub kind: Kind,
    /// Of which log.
    pub log: u64,
    /// Grows whenever the positions of a log may begin anew: when it is deleted, and when
    /// it is opened (its owner then goes on behind the last live record, where removed ones
    /// may have been). Within a generation a position is given out once.
    pub generation: u32,
    /// Position of a data record; otherwise 0.
    pub position: u64,
    /// Number of the group it was synced with; wraps.
    pub group: u16,
    /// Caller's facts about a data record; otherwise zeros.
    pub meta: [u8; 16],
    /// Caller's weight of a data record; otherwise 0.
    pub weight: u32,
}

/// Bytes of a record with this payload, padding included.
#[must_use]
pub const fn record_bytes(payload: usize) -> usize {
    (RECORD_HEADER_BYTES + payload).next_multiple_of(RECORD_ALIGN)
}

/// Seeds the checks of one segment's records.
#[derive(Debug, Clone, Copy)]
pub struct Checker(u32);

impl Checker {
    /// For one segment of the journal with this nonce.
    #[must_use]
    pub fn new(nonce: u64, segment: SegmentId) -> Self {
        Self(crc32c::crc32c_append(crc32c::crc32c(&nonce.to_le_bytes()), &segment.to_le_bytes()))
    }

    fn check(self, place: u64, header: &[u8], payload: &[u8]) -> u32 {
        let seed = crc32c::crc32c_append(self.0, &place.to_le_bytes());
        crc32c::crc32c_append(crc32c::crc32c_append(seed, header), payload)
    }

    /// The header's bytes for a record at `place`. The caller keeps the payload within
    /// [`PAYLOAD_BYTES_MAX`].
    #[must_use]
    pub fn encode(self, place: u64, header: &Header, payload: &[u8]) -> [u8; RECORD_HEADER_BYTES] {
        let mut bytes = [0; RECORD_HEADER_BYTES];
        bytes[0..4].copy_from_slice(&MARKER);
        bytes[8..12].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        bytes[12] = header.kind.to_byte();
        bytes[16..24].copy_from_slice(&header.log.to_le_bytes());
        bytes[24..32].copy_from_slice(&header.position.to_le_bytes());
        bytes[14..16].copy_from_slice(&header.group.to_le_bytes());
        bytes[32..36].copy_from_slice(&header.generation.to_le_bytes());
        bytes[36..48].copy_from_slice(&header.meta[..12]);
        bytes[48..52].copy_from_slice(&header.weight.to_le_bytes());
        bytes[52..56].copy_from_slice(&header.meta[12..]);
        let check = self.check(place, &bytes[CHECKED_FROM..], payload);
        bytes[4..8].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    /// The whole record that starts `bytes`, which start at `place`; `None` when there is
    /// no such record.
    #[must_use]
    pub fn decode(self, place: u64, bytes: &[u8]) -> Option<(Header, &[u8])> {
        let (head, rest) = bytes.split_first_chunk::<RECORD_HEADER_BYTES>()?;
        if head[0..4] != MARKER {
            return None;
        }
        let payload = rest.get(..u32_at(head, 8) as usize)?;
        if self.check(place, &head[CHECKED_FROM..], payload) != u32_at(head, 4) {
            return None;
        }
        let mut meta = [0; 16];
        meta[..12].copy_from_slice(&head[36..48]);
        meta[12..].copy_from_slice(&head[52..56]);
        let header = Header {
            kind: Kind::from_byte(head[12])?,
            log: u64_at(head, 16),
            position: u64_at(head, 24),
            generation: u32_at(head, 32),
            group: u16::from_le_bytes([head[14], head[15]]),
            meta,
            weight: u32_at(head, 48),
        };
        Some((header, payload))
    }
}

/// The place that a share record refers to; `None` when it is none before `place`.
#[must_use]
pub fn shared_place(place: u64, payload: &[u8]) -> Option<u64> {
    let shared = u64::from_le_bytes(*payload.first_chunk()?);
    (payload.len() == size_of::<u64>() && shared >= HEAD_BYTES as u64 && shared < place).then_some(shared)
}

/// Payload bytes that the record starting `bytes` claims to have, unchecked; for readers
/// that fetch a record in two steps.
#[must_use]
pub fn claimed_payload_bytes(bytes: &[u8]) -> Option<usize> {
    let head = bytes.first_chunk::<RECORD_HEADER_BYTES>()?;
    (head[0..4] == MARKER).then(|| u32_at(head, 8) as usize).filter(|bytes| *bytes <= PAYLOAD_BYTES_MAX)
}

/// Offset of the next place in `bytes` from `from` on where a record could start.
#[must_use]
pub fn next_candidate(bytes: &[u8], from: usize) -> Option<usize> {
    (from.next_multiple_of(RECORD_ALIGN)..bytes.len().saturating_sub(RECORD_HEADER_BYTES - 1))
        .step_by(RECORD_ALIGN)
        .find(|at| bytes[*at..*at + 4] == MARKER)
}

/// Appends a range to the payload of a remove record.
pub fn encode_range(payload: &mut Vec<u8>, first: u64, last: u64) {
    payload.extend_from_slice(&first.to_le_bytes());
    payload.extend_from_slice(&last.to_le_bytes());
}

/// The ranges of a remove record.
pub fn decode_ranges(payload: &[u8]) -> impl ExactSizeIterator<Item = (u64, u64)> {
    payload.chunks_exact(RANGE_BYTES).map(|range| (u64_at(range, 0), u64_at(range, 8)))
}

/// The facts at the start of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its own number.
    pub segment: SegmentId,
    /// Random number of the journal.
    pub nonce: u64,
    /// The segment closed before this one was begun; 0 for none.
    pub previous: SegmentId,
    /// That segment's length when it was closed.
    pub previous_bytes: u64,
    /// It holds one large record, and counts only when it is closed.
    pub is_single: bool,
}

/// What stands where a head should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadState {
    /// A head of this format.
    Whole(Head),
    /// A head of a format that this program does not read.
    Foreign(u32),
    /// Neither copy is whole.
    Damaged,
}

impl Head {
    /// Both copies, with the zeros around them.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut copy = [0; HEAD_USED_BYTES];
        copy[0..8].copy_from_slice(&HEAD_MAGIC);
        copy[8..12].copy_from_slice(&JOURNAL_FORMAT.to_le_bytes());
        copy[12..16].copy_from_slice(&self.segment.to_le_bytes());
        copy[16..24].copy_from_slice(&self.nonce.to_le_bytes());
        copy[24..28].copy_from_slice(&self.previous.to_le_bytes());
        copy[32..40].copy_from_slice(&self.previous_bytes.to_le_bytes());
        let flags = if self.is_single { SINGLE } else { 0 };
        copy[40..48].copy_from_slice(&flags.to_le_bytes());
        let check = head_check(&copy);
        copy[28..32].copy_from_slice(&check.to_le_bytes());
        let mut bytes = vec![0; HEAD_BYTES];
        bytes[..HEAD_USED_BYTES].copy_from_slice(&copy);
        bytes[HEAD_COPY_AT..HEAD_COPY_AT + HEAD_USED_BYTES].copy_from_slice(&copy);
        bytes
    }

    /// Reads either copy.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> HeadState {
        for at in [0, HEAD_COPY_AT] {
            let Some(copy) = bytes.get(at..at + HEAD_USED_BYTES) else { continue };
            if copy[0..8] != HEAD_MAGIC || head_check(copy) != u32_at(copy, HEAD_CHECK_AT) {
                continue;
            }
            return match u32_at(copy, 8) {
                format @ (JOURNAL_FORMAT | JOURNAL_FORMAT_WITHOUT_TABLES) => HeadState::Whole(Self {
                    segment: u32_at(copy, 12),
                    nonce: u64_at(copy, 16),
                    previous: u32_at(copy, 24),
                    previous_bytes: u64_at(copy, 32),
                    is_single: format == JOURNAL_FORMAT && u64_at(copy, 40) & SINGLE != 0,
                }),
                format => HeadState::Foreign(format),
            };
        }
        HeadState::Damaged
    }
}

fn head_check(copy: &[u8]) -> u32 {
    let end = match u32_at(copy, 8) {
        JOURNAL_FORMAT_WITHOUT_TABLES => HEAD_USED_BYTES - 8,
        _ => HEAD_USED_BYTES,
    };
    crc32c::crc32c_append(crc32c::crc32c(&copy[..HEAD_CHECK_AT]), &copy[HEAD_CHECK_AT + 4..end])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header =
        Header { kind: Kind::Data, log: 7, generation: 2, position: 9, group: 3, meta: [5; 16], weight: 4 };

    fn encoded(payload: &[u8]) -> Vec<u8> {
        let mut bytes = Checker::new(1, 2).encode(4096, &HEADER, payload).to_vec();
        bytes.extend_from_slice(payload);
        bytes.resize(record_bytes(payload.len()), 0);
        bytes
    }

    #[test]
    fn decode_returns_what_was_encoded() {
        for payload in [&b""[..], b"x", b"12345678", &[0xD7; 1000]] {
            assert_eq!(Checker::new(1, 2).decode(4096, &encoded(payload)), Some((HEADER, payload)));
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_seen() {
        let whole = encoded(b"payload");
        for bit in 0..(RECORD_HEADER_BYTES + 7) * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Checker::new(1, 2).decode(4096, &bytes), None, "bit {bit}");
        }
        for length in 0..RECORD_HEADER_BYTES + 7 {
            assert_eq!(Checker::new(1, 2).decode(4096, &whole[..length]), None, "cut at {length}");
        }
    }

    #[test]
    fn a_record_is_valid_only_where_it_was_written() {
        let whole = encoded(b"payload");
        assert_eq!(Checker::new(2, 2).decode(4096, &whole), None, "other journal");
        assert_eq!(Checker::new(1, 3).decode(4096, &whole), None, "other segment");
        assert_eq!(Checker::new(1, 2).decode(4104, &whole), None, "other place");
    }

    #[test]
    fn head_survives_the_loss_of_either_copy() {
        let head = Head { segment: 3, nonce: 99, previous: 2, previous_bytes: 12345, is_single: false };
        let bytes = head.encode();
        for bit in 0..HEAD_USED_BYTES * 8 {
            for copy in [0, HEAD_COPY_AT] {
                let mut damaged = bytes.clone();
                damaged[copy + bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Head::decode(&damaged), HeadState::Whole(head));
            }
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            damaged[HEAD_COPY_AT + bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Head::decode(&damaged), HeadState::Damaged);
        }
    }

    #[test]
    fn candidates_are_found_at_aligned_places_only() {
        let mut bytes = vec![0; 200];
        bytes[12..16].copy_from_slice(&MARKER);
        bytes[40..44].copy_from_slice(&MARKER);
        assert_eq!(next_candidate(&bytes, 0), Some(40));
        assert_eq!(next_candidate(&bytes, 41), None);
        assert_eq!(next_candidate(&bytes[..60], 0), None);
    }
}
