//! Finds the records in the bytes of a segment, whatever is broken between them.
//!
//! Owns resynchronisation. Judges nothing; `recover` does.

use super::record::{Checker, HEAD_BYTES, Header, Kind, RECORD_ALIGN, next_candidate, record_bytes, shared_place};

/// Zeros to compare reserved space with.
const ZEROS: [u8; 4096] = [0; 4096];

/// A whole record of a segment.
pub struct Found {
    /// What it says.
    pub header: Header,
    /// Where it starts.
    pub place: usize,
    /// Bytes of its payload.
    pub payload: usize,
}

/// What stands in a segment.
pub struct Scan {
    /// All whole records, in order.
    pub records: Vec<Found>,
    /// Bytes that are no record, with records behind them: from, to, group behind.
    pub holes: Vec<(usize, usize, u16)>,
    /// End of the last whole record.
    pub end: usize,
    /// Whether anything but zeros follows.
    pub rubbish: bool,
}

impl Scan {
    fn has_payload_at(&self, place: u64) -> bool {
        let found = self.records.binary_search_by_key(&place, |record| record.place as u64);
        found.is_ok_and(|at| self.records[at].header.kind == Kind::Data)
    }
}

/// Finds every whole record, also behind damage.
pub fn scan(checker: Checker, bytes: &[u8]) -> Scan {
    let mut scan = Scan { records: Vec::new(), holes: Vec::new(), end: HEAD_BYTES.min(bytes.len()), rubbish: false };
    let mut place = scan.end;
    while place < bytes.len() {
        let whole = checker.decode(place as u64, &bytes[place..]);
        // Whoever scans has no use for a table, and one cut short is no damage.
        let whole = whole.filter(|(header, payload)| match header.kind {
            Kind::Table | Kind::End => false,
            // Without its payload it is not whole.
            Kind::Share => shared_place(place as u64, payload).is_some_and(|at| scan.has_payload_at(at)),
            Kind::Data | Kind::Remove | Kind::Delete => true,
        });
        if let Some((header, payload)) = whole {
            if place > scan.end {
                scan.holes.push((scan.end, place, header.group));
            }
            scan.records.push(Found { header, place, payload: payload.len() });
            // Padding of the very last record may be cut off.
            place = (place + record_bytes(payload.len())).min(bytes.len());
            scan.end = place;
        } else {
            if place == scan.end && is_zero(&bytes[place..]) {
                return scan;
            }
            match next_candidate(bytes, place + RECORD_ALIGN) {
                Some(next) => place = next,
                None => break,
            }
        }
    }
    scan.rubbish = !is_zero(&bytes[scan.end..]);
    scan
}

/// Whether nothing was ever written here.
pub fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(ZEROS.len()).all(|chunk| *chunk == ZEROS[..chunk.len()])
}
