//! Accounting of one segment: how much of it still matters, and to whom.
//!
//! Owns counters and the set of older segments that this one's remove records speak of.
//! Knows no file; `compact` decides what follows from the figures.

use std::collections::{BTreeMap, BTreeSet};

use super::disk::SegmentId;
use super::record::HEAD_BYTES;

/// A segment is closed when the next record would make it longer than this. A single
/// longer record gets a segment of its own.
pub const SEGMENT_BYTES: u64 = 16 * 1024 * 1024;

/// Why a segment has to be rewritten before any other one may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Suspicion {
    /// Nothing is wrong with it.
    #[default]
    None,
    /// It holds records that are dead without a remove record to say so: second copies of
    /// records that were being rewritten when the process died, or remains of a log whose
    /// deletion the crash interrupted.
    HalfRewritten,
    /// Parts of it failed their check; the original is kept in quarantine.
    Damaged,
}

/// Figures of one segment.
#[derive(Debug, Default)]
pub struct Segment {
    /// Bytes used, head included.
    pub bytes: u64,
    /// Live data records.
    pub live_records: u64,
    /// Their bytes.
    pub live_bytes: u64,
    /// Bytes of remove and delete records.
    pub remove_bytes: u64,
    /// Older segments holding records that this one's remove records removed.
    pub targets: BTreeSet<SegmentId>,
    /// Whether it must be rewritten.
    pub suspicion: Suspicion,
}

impl Segment {
    /// Counts live records.
    pub fn add_live(&mut self, records: u64, bytes: u64) {
        self.live_records += records;
        self.live_bytes += bytes;
    }

    /// Live records were removed or moved elsewhere.
    pub fn drop_live(&mut self, records: u64, bytes: u64) {
        self.live_records -= records;
        self.live_bytes -= bytes;
    }

    /// Bytes of records.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.bytes - (HEAD_BYTES as u64).min(self.bytes)
    }

    /// Bytes that would have to be rewritten to delete it.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.live_bytes + if self.targets.is_empty() { 0 } else { self.remove_bytes }
    }
}

/// Records that died, by segment.
#[derive(Debug, Default)]
pub struct Dead(Vec<(SegmentId, u64, u64)>);

impl Dead {
    /// Notes some. Neighbours mostly share their segment, so the list stays short.
    pub fn note(&mut self, segment: SegmentId, records: u64, bytes: u64) {
        match self.0.last_mut() {
            Some((last, total, total_bytes)) if *last == segment => {
                *total += records;
                *total_bytes += bytes;
            }
            _ => self.0.push((segment, records, bytes)),
        }
    }

    /// Whether none died.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes them out of the figures; returns their bytes and their segments.
    pub fn settle(&mut self, segments: &mut BTreeMap<SegmentId, Segment>) -> (u64, Vec<SegmentId>) {
        let mut touched = Vec::with_capacity(self.0.len());
        let mut total = 0;
        for (id, records, bytes) in self.0.drain(..) {
            if let Some(segment) = segments.get_mut(&id) {
                segment.drop_live(records, bytes);
            }
            touched.push(id);
            total += bytes;
        }
        (total, touched)
    }
}
