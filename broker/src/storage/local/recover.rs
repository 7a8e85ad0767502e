//! Reads the journal once at start: what lives, where it lies, and what is broken.
//!
//! Owns the judgement on broken bytes. Segments are read from the newest to the oldest,
//! and each from its end to its start, so every remove record is met before the records
//! it removes, and dead records cost nothing.
//!
//! What is not a whole record:
//! - zeros up to the end of the newest segment: reserved space, the normal end;
//! - anything else after the last whole record of the newest segment: a torn tail, of a
//!   group that was never confirmed. It is cut off, and the log says so;
//! - anything with whole records behind it, and any missing end of an older segment:
//!   damage. The file is kept in quarantine, the log says so, the whole records around
//!   the damage are kept, and the segment is rewritten without it.

use std::collections::{BTreeMap, HashMap};
use std::io::Result;

use super::disk::{Disk, DiskFile, SegmentId};
use super::index::LogIndex;
use super::killed::Killed;
use super::record::{
    Checker, HEAD_BYTES, Head, HeadState, Header, Kind, RECORD_ALIGN, RECORD_HEADER_BYTES, decode_ranges, record_bytes,
};
use super::scan::{Scan, is_zero, scan};
use super::segment::{Segment, Suspicion};
use super::slot::Slot;
use crate::storage::StorageError;

/// Bytes given up together when the disk cannot read them.
const PAGE_BYTES: usize = 4096;

/// Something wrong that was found, and dealt with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The last group was not written to its end.
    TornTail {
        /// Where.
        segment: SegmentId,
        /// First byte cut off.
        at: u64,
        /// Bytes cut off.
        bytes: u64,
    },
    /// Bytes that are no record, with whole records around them.
    Damage {
        /// Where.
        segment: SegmentId,
        /// First byte skipped.
        at: u64,
        /// Bytes skipped.
        bytes: u64,
        /// Whether only records of the very last group follow: then this may also be what
        /// a power loss left of that group, which was never confirmed.
        maybe_unfinished: bool,
        /// The file kept for inspection.
        kept: String,
    },
}

/// The journal as found.
#[derive(Debug)]
pub struct Recovered {
    /// Random number of the journal, when there is one.
    pub nonce: Option<u64>,
    /// All segments.
    pub segments: BTreeMap<SegmentId, Segment>,
    /// All logs with live records.
    pub logs: HashMap<u64, LogIndex>,
    /// The newest segment, when it can be appended to, and its file.
    pub tail: Option<(SegmentId, Box<dyn DiskFile>)>,
    /// Greatest segment number that was ever seen.
    pub last_segment: SegmentId,
    /// Number of the last group.
    pub group: u16,
    /// Generation of all logs from now on.
    pub generation: u32,
    /// What was wrong.
    pub findings: Vec<Finding>,
}

/// Reads the whole journal.
///
/// # Errors
/// [`StorageError::Unavailable`] when the disk does not answer, [`StorageError::Damaged`]
/// when another version wrote it, or nothing in it can be verified.
pub fn recover(disk: &dyn Disk, segment_bytes: u64) -> std::result::Result<Recovered, StorageError> {
    let io = |error: std::io::Error| StorageError::Unavailable(format!("cannot read the journal: {error}"));
    let mut ids = disk.list().map_err(io)?;
    ids.sort_unstable();
    let mut heads = BTreeMap::new();
    for id in &ids {
        heads.insert(*id, read_head(disk, *id).map_err(io)?);
    }
    if let Some((id, HeadState::Foreign(format))) = heads.iter().find(|(_, head)| matches!(head, HeadState::Foreign(_)))
    {
        return Err(StorageError::Damaged(format!(
            "journal segment {id} has format {format}, which is not known here"
        )));
    }
    let nonce = heads.values().rev().find_map(|head| match head {
        HeadState::Whole(head) => Some(head.nonce),
        _ => None,
    });
    let mut recovery = Recovery {
        disk,
        segment_bytes,
        nonce: nonce.unwrap_or_default(),
        newest: ids.last().copied().unwrap_or_default(),
        lengths: heads
            .values()
            .filter_map(|head| match head {
                HeadState::Whole(head) => Some((head.previous, head.previous_bytes)),
                _ => None,
            })
            .collect(),
        segments: BTreeMap::new(),
        found: HashMap::new(),
        killed: HashMap::new(),
        deleted: HashMap::new(),
        generation: 0,
        group: None,
        tail: None,
        findings: Vec::new(),
        bytes: Vec::new(),
    };
    for id in ids.iter().rev() {
        recovery.read(*id, heads[id]).map_err(io)?;
    }
    if nonce.is_none() && !recovery.segments.is_empty() {
        return Err(StorageError::Damaged("no journal segment has a readable head".to_owned()));
    }
    Ok(recovery.finish(nonce))
}

fn read_head(disk: &dyn Disk, id: SegmentId) -> Result<HeadState> {
    let file = disk.open(id)?;
    let mut bytes = vec![0; HEAD_BYTES.min(file.bytes()? as usize)];
    read_around(file.as_ref(), &mut bytes);
    Ok(Head::decode(&bytes))
}

/// Fills `bytes` from a file; pages that cannot be read stay zero. Returns the first such
/// place and the system's reason.
fn read_around(file: &dyn DiskFile, bytes: &mut [u8]) -> Option<(u64, std::io::Error)> {
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

struct Recovery<'d> {
    disk: &'d dyn Disk,
    segment_bytes: u64,
    nonce: u64,
    newest: SegmentId,
    /// What the successor of a segment says of its length.
    lengths: HashMap<SegmentId, u64>,
    segments: BTreeMap<SegmentId, Segment>,
    /// Per log: what lives, with its generation.
    found: HashMap<u64, Vec<(Slot, u32)>>,
    killed: HashMap<u64, Killed>,
    /// Per log: the newest generation deleted, and the segment that says so.
    deleted: HashMap<u64, (u32, SegmentId)>,
    generation: u32,
    group: Option<u16>,
    tail: Option<(SegmentId, Box<dyn DiskFile>)>,
    findings: Vec<Finding>,
    bytes: Vec<u8>,
}

impl Recovery<'_> {
    fn read(&mut self, id: SegmentId, head: HeadState) -> Result<()> {
        let file = self.disk.open(id)?;
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.resize(file.bytes()? as usize, 0);
        let unreadable = read_around(file.as_ref(), &mut bytes);
        if let Some((at, error)) = &unreadable {
            tracing::error!(segment = id, at, "journal: cannot be read: {error}; reading on behind it");
        }
        let empty = is_zero(&bytes) || (head == HeadState::Damaged && is_zero(&bytes[HEAD_BYTES.min(bytes.len())..]));
        if unreadable.is_none() && empty {
            // The process died while it began this segment: nothing was ever in it.
            drop(file);
            self.disk.remove(id)?;
            return Ok(());
        }
        let nonce = match head {
            HeadState::Whole(head) => head.nonce,
            _ => self.nonce,
        };
        let scan = scan(Checker::new(nonce, id), &bytes);
        self.account(id, &scan, &bytes);
        let damaged = self.judge(id, head, file, &scan, bytes.len(), unreadable.map(|(at, _)| at))?;
        if damaged && let Some(segment) = self.segments.get_mut(&id) {
            segment.suspicion = Suspicion::Damaged;
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Finds what lives; from the last record to the first.
    fn account(&mut self, id: SegmentId, scan: &Scan, bytes: &[u8]) {
        let mut segment = Segment { bytes: scan.end as u64, ..Segment::default() };
        for found in scan.records.iter().rev() {
            let header = &found.header;
            self.group = self.group.or(Some(header.group));
            self.generation = self.generation.max(header.generation);
            let size = record_bytes(found.payload);
            match header.kind {
                Kind::Data => {
                    let slot = Slot::new(header.position, id, found.place as u64, size, header.weight);
                    match self.killer(header) {
                        None => self.found.entry(header.log).or_default().push((slot, header.generation)),
                        Some(killer) if killer != id => {
                            if let Some(killer) = self.segments.get_mut(&killer) {
                                killer.targets.insert(id);
                            }
                        }
                        Some(_) => {}
                    }
                }
                Kind::Remove => {
                    segment.remove_bytes += size as u64;
                    let payload = &bytes[found.place + RECORD_HEADER_BYTES..][..found.payload];
                    let killed = self.killed.entry(header.log).or_default();
                    for (first, last) in decode_ranges(payload).rev() {
                        killed.insert(first, last, header.generation, id);
                    }
                }
                Kind::Delete => {
                    segment.remove_bytes += size as u64;
                    let newest = self.deleted.entry(header.log).or_insert((header.generation, id));
                    if newest.0 < header.generation {
                        *newest = (header.generation, id);
                    }
                }
            }
        }
        self.segments.insert(id, segment);
    }

    /// The segment whose remove or delete record says that a data record is dead.
    fn killer(&self, header: &Header) -> Option<SegmentId> {
        let deleted = self.deleted.get(&header.log).filter(|(generation, _)| header.generation <= *generation);
        deleted
            .map(|(_, segment)| *segment)
            .or_else(|| self.killed.get(&header.log)?.killer(header.position, header.generation))
    }

    /// Deals with what is no record; returns whether the segment is damaged.
    fn judge(
        &mut self,
        id: SegmentId,
        head: HeadState,
        file: Box<dyn DiskFile>,
        scan: &Scan,
        length: usize,
        unreadable: Option<u64>,
    ) -> Result<bool> {
        let newest = id == self.newest;
        let mut broken: Vec<(u64, u64, bool)> = scan
            .holes
            .iter()
            .map(|(from, to, group)| (*from as u64, (to - from) as u64, newest && Some(*group) == self.group))
            .collect();
        // Between records it is a hole already; elsewhere unreadable bytes look like nothing.
        let unseen = unreadable.filter(|at| *at < HEAD_BYTES as u64 || *at >= scan.end as u64);
        broken.extend(unseen.map(|at| (at, PAGE_BYTES as u64, false)));
        if head == HeadState::Damaged {
            broken.push((0, HEAD_BYTES as u64, false));
        }
        let expected = self.lengths.get(&id).copied().unwrap_or_default().max(scan.end as u64);
        let missing = (length as u64).max(expected) - scan.end as u64;
        if !newest && (scan.rubbish || expected > scan.end as u64) {
            broken.push((scan.end as u64, missing, false));
        }
        if !broken.is_empty() {
            let kept = self.disk.set_aside(id)?;
            if !kept.new {
                // Reported when it was found; the process ended before it was rewritten.
                tracing::info!(segment = id, kept = kept.name, "journal: a damaged segment is still to be rewritten");
                return Ok(true);
            }
            for (at, bytes, maybe_unfinished) in broken {
                let kept = kept.name.clone();
                tracing::error!(
                    segment = id,
                    at,
                    bytes,
                    kept,
                    "journal: {} skipped; the whole records around it are kept",
                    if maybe_unfinished { "damage, or a group cut short by a power loss," } else { "damage" }
                );
                self.findings.push(Finding::Damage { segment: id, at, bytes, maybe_unfinished, kept });
            }
            return Ok(true);
        }
        if !newest {
            return Ok(false);
        }
        if scan.rubbish || !scan.end.is_multiple_of(RECORD_ALIGN) {
            let bytes = (length - scan.end) as u64;
            tracing::warn!(
                segment = id,
                at = scan.end,
                bytes,
                "journal: the last group was not written to its end, its unfinished part is cut off"
            );
            file.truncate(scan.end as u64)?;
            file.truncate((scan.end as u64).next_multiple_of(RECORD_ALIGN as u64))?;
            self.findings.push(Finding::TornTail { segment: id, at: scan.end as u64, bytes });
            if let Some(segment) = self.segments.get_mut(&id) {
                segment.bytes = segment.bytes.next_multiple_of(RECORD_ALIGN as u64);
            }
        }
        // What is reported as there must stay there, though the process that wrote it may
        // have died before its sync.
        file.sync()?;
        if (scan.end as u64) < self.segment_bytes {
            self.tail = Some((id, file));
        }
        Ok(false)
    }

    fn finish(mut self, nonce: Option<u64>) -> Recovered {
        let mut logs = HashMap::with_capacity(self.found.len());
        let generation = self.generation.saturating_add(1);
        for (log, mut found) in self.found.drain() {
            // Stable: of two copies, the one in the newer segment was found first and stays.
            found.sort_by_key(|(slot, generation)| (slot.position(), std::cmp::Reverse(*generation)));
            let mut kept: Option<u64> = None;
            found.retain(|(slot, _)| {
                let Some(segment) = self.segments.get_mut(&slot.segment()) else { return false };
                if kept == Some(slot.position()) {
                    if segment.suspicion == Suspicion::None {
                        segment.suspicion = Suspicion::HalfRewritten;
                    }
                    return false;
                }
                kept = Some(slot.position());
                segment.add_live(slot.bytes());
                true
            });
            let mut index = LogIndex::new(generation);
            found.into_iter().for_each(|(slot, _)| index.insert(slot));
            logs.insert(log, index);
        }
        Recovered {
            nonce,
            segments: self.segments,
            logs,
            tail: self.tail,
            last_segment: self.newest,
            group: self.group.unwrap_or_default(),
            generation,
            findings: self.findings,
        }
    }
}
