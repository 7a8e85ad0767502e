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
use super::index::{LogIndex, Slot};
use super::record::{
    Checker, HEAD_BYTES, Head, HeadState, Header, Kind, RECORD_ALIGN, RECORD_HEADER_BYTES, decode_ranges,
    next_candidate, record_bytes,
};
use super::segment::{Segment, Suspicion};
use crate::storage::StorageError;

/// Zeros to compare reserved space with.
const ZEROS: [u8; 4096] = [0; 4096];

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
    file.read(&mut bytes, 0)?;
    Ok(Head::decode(&bytes))
}

/// A whole record of a segment.
struct Found {
    header: Header,
    place: usize,
    payload: usize,
}

/// What stands in a segment.
struct Scan {
    records: Vec<Found>,
    /// Bytes that are no record, with records behind them: from, to, group behind.
    holes: Vec<(usize, usize, u16)>,
    /// End of the last whole record.
    end: usize,
    /// Whether anything but zeros follows.
    rubbish: bool,
}

fn scan(checker: Checker, bytes: &[u8]) -> Scan {
    let mut scan = Scan { records: Vec::new(), holes: Vec::new(), end: HEAD_BYTES.min(bytes.len()), rubbish: false };
    let mut place = scan.end;
    while place < bytes.len() {
        if let Some((header, payload)) = checker.decode(place as u64, &bytes[place..]) {
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

fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(ZEROS.len()).all(|chunk| *chunk == ZEROS[..chunk.len()])
}

/// What remove records say of one log: ranges, the newest generation that they speak of,
/// and the segment that says so.
#[derive(Default)]
struct Killed(BTreeMap<u64, Kill>);

#[derive(Clone, Copy, PartialEq, Eq)]
struct Kill {
    last: u64,
    generation: u32,
    segment: SegmentId,
}

impl Killed {
    fn killer(&self, position: u64, generation: u32) -> Option<SegmentId> {
        let (_, kill) = self.0.range(..=position).next_back()?;
        (position <= kill.last && generation <= kill.generation).then_some(kill.segment)
    }

    /// Adds a range. Where ranges overlap, the one that speaks of newer generations counts;
    /// of equals, the first.
    fn insert(&mut self, first: u64, last: u64, generation: u32, segment: SegmentId) {
        let kill = Kill { last, generation, segment };
        let mut next = Some(first);
        while let Some(start) = next.filter(|start| *start <= last) {
            let overlapping = match self.0.range(..=start).next_back() {
                Some((begin, old)) if old.last >= start => Some((*begin, *old)),
                _ => self.0.range(start..=last).next().map(|(begin, old)| (*begin, *old)),
            };
            let Some((begin, old)) = overlapping else {
                self.join(start, kill);
                return;
            };
            if begin > start {
                self.join(start, Kill { last: begin - 1, ..kill });
            }
            let (from, to) = (begin.max(start), old.last.min(last));
            if old.generation < generation {
                self.0.remove(&begin);
                if begin < from {
                    self.0.insert(begin, Kill { last: from - 1, ..old });
                }
                if to < old.last {
                    self.0.insert(to + 1, old);
                }
                self.join(from, Kill { last: to, ..kill });
            }
            next = to.checked_add(1);
        }
    }

    /// Adds a free range, merged with neighbours that say the same.
    fn join(&mut self, mut first: u64, mut kill: Kill) {
        let same = |a: &Kill| (a.generation, a.segment) == (kill.generation, kill.segment);
        let after = kill.last.checked_add(1).and_then(|next| Some((next, *self.0.get(&next)?)));
        let before = self.0.range(..first).next_back().map(|(start, old)| (*start, *old));
        if let Some((start, old)) = after.filter(|(_, old)| same(old)) {
            self.0.remove(&start);
            kill.last = old.last;
        }
        if let Some((start, _)) = before.filter(|(_, old)| same(old) && old.last.checked_add(1) == Some(first)) {
            first = start;
        }
        self.0.insert(first, kill);
    }
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
        file.read(&mut bytes, 0)?;
        if is_zero(&bytes) || (head == HeadState::Damaged && is_zero(&bytes[HEAD_BYTES.min(bytes.len())..])) {
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
        let damaged = self.judge(id, head, file, &scan, bytes.len())?;
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
                    let slot = Slot::new(header.position, id, found.place as u64, size);
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
    ) -> Result<bool> {
        let newest = id == self.newest;
        let mut broken: Vec<(u64, u64, bool)> = scan
            .holes
            .iter()
            .map(|(from, to, group)| (*from as u64, (to - from) as u64, newest && Some(*group) == self.group))
            .collect();
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
            logs.insert(log, LogIndex::from_sorted(generation, found.into_iter().map(|(slot, _)| slot)));
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn kills_agree_with_a_plain_table(inserts in proptest::collection::vec((0u64..40, 0u64..12, 0u32..4, 1u32..4), 0..40)) {
            let mut killed = Killed::default();
            let mut table = [None::<(u32, SegmentId)>; 60];
            for (first, span, generation, segment) in inserts {
                killed.insert(first, first + span, generation, segment);
                for cell in &mut table[first as usize..=(first + span) as usize] {
                    if cell.is_none_or(|(old, _)| old < generation) {
                        *cell = Some((generation, segment));
                    }
                }
            }
            for (position, cell) in table.iter().enumerate() {
                for generation in 0..5 {
                    let expected = cell.filter(|(kills, _)| generation <= *kills).map(|(_, segment)| segment);
                    prop_assert_eq!(killed.killer(position as u64, generation), expected);
                }
            }
        }

        #[test]
        fn kills_reach_the_greatest_position(first in 0u64..3) {
            let mut killed = Killed::default();
            killed.insert(u64::MAX - first, u64::MAX, 1, 1);
            killed.insert(0, u64::MAX, 2, 2);
            killed.insert(5, u64::MAX, 1, 3);
            prop_assert_eq!(killed.killer(u64::MAX, 2), Some(2));
            prop_assert_eq!(killed.0.len(), 1);
        }
    }
}
