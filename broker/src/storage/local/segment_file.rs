//! What can be learnt of one segment from its file: head, table, whether it is whole.
//!
//! Judges nothing; `recover` does.

use std::io::Result;

use super::disk::{Disk, DiskFile, SegmentId};
use super::record::{
    Checker, HEAD_BYTES, Head, HeadState, Kind, RECORD_HEADER_BYTES, claimed_payload_bytes, record_bytes,
};
use super::scan::{Scan, is_zero};
use super::table::TableBuilder;

/// Bytes given up together when the disk cannot read them.
pub const PAGE_BYTES: usize = 4096;

/// Whether it is of a segment that holds one large record.
pub fn is_single(head: &HeadState) -> bool {
    matches!(head, HeadState::Whole(head) if head.is_single)
}

/// Whether a large record without its table was written to its end: the body is synced before
/// the table is begun, and until then the file reaches no further. What was confirmed is
/// among these, so it is not given up for the sake of its table.
pub fn is_written(file: &dyn DiskFile, length: u64) -> bool {
    let place = HEAD_BYTES as u64;
    if length < place + RECORD_HEADER_BYTES as u64 {
        return false;
    }
    let mut header = [0; RECORD_HEADER_BYTES];
    let unreadable = file.read(&mut header, place).is_err();
    match claimed_payload_bytes(&header) {
        Some(payload) => length > place + record_bytes(payload) as u64,
        None => unreadable || !is_zero(&header),
    }
}

/// The head of a segment.
///
/// # Errors
/// The disk's, on opening; what cannot be read counts as zeros.
pub fn read_head(disk: &dyn Disk, id: SegmentId) -> Result<HeadState> {
    let file = disk.open(id)?;
    let mut bytes = vec![0; HEAD_BYTES.min(file.bytes()? as usize)];
    read_around(file.as_ref(), &mut bytes);
    Ok(Head::decode(&bytes))
}

/// Fills `bytes` from a file; pages that cannot be read stay zero. Returns the first such
/// place and the system's reason.
pub fn read_around(file: &dyn DiskFile, bytes: &mut [u8]) -> Option<(u64, std::io::Error)> {
    file.read(bytes, 0).err()?;
    let mut first = None;
    for (page, bytes) in bytes.chunks_mut(PAGE_BYTES).enumerate() {
        let place = (page * PAGE_BYTES) as u64;
        if let Err(error) = file.read(bytes, place) {
            bytes.fill(0);
            first.get_or_insert((place, error));
        }
    }
    first
}

/// The table of a segment that was read whole.
pub fn table_of(scan: &Scan, bytes: &[u8]) -> TableBuilder {
    let mut table = TableBuilder::default();
    for found in &scan.records {
        let payload = &bytes[found.place + RECORD_HEADER_BYTES..][..found.payload];
        table.add(&found.header, found.place as u64, payload);
    }
    table
}

/// The table of a closed segment, its group, and the end of the records before it.
pub fn read_table(file: &dyn DiskFile, checker: Checker, length: u64) -> Option<(Vec<u8>, u16, u64)> {
    let end_at = length.checked_sub(RECORD_HEADER_BYTES as u64).filter(|at| *at >= HEAD_BYTES as u64)?;
    let mut end = [0; RECORD_HEADER_BYTES];
    file.read(&mut end, end_at).ok()?;
    let (header, _) = checker.decode(end_at, &end).filter(|(header, _)| header.kind == Kind::End)?;
    let place = header.position;
    let mut record = vec![0; usize::try_from(end_at.checked_sub(place)?).ok()?];
    file.read(&mut record, place).ok()?;
    let (found, payload) = checker.decode(place, &record).filter(|(header, _)| header.kind == Kind::Table)?;
    debug_assert_eq!(found.group, header.group);
    let payload = RECORD_HEADER_BYTES..RECORD_HEADER_BYTES + payload.len();
    record.truncate(payload.end);
    record.drain(..payload.start);
    Some((record, header.group, place))
}
