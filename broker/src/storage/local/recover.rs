//! Finds at start what lives, where it lies, and what is broken.
//!
//! A closed segment's table says what it holds, so only the segment that was appended to
//! last, and what a table is missing of, is read whole. Tables are gone through twice: for
//! what is removed, and then, from the oldest segment to the newest, for what lives. That
//! order suffices: a remove record means generations of its log and its own at the latest,
//! and positions that were given out before it, wherever the records stand.
//!
//! Owns the judgement on broken bytes. What is not a whole record:
//! - zeros up to the end of the newest segment: reserved space, the normal end;
//! - anything else after the last whole record of the newest segment: a torn tail, of a
//!   group that was never confirmed. It is cut off, and the log says so;
//! - a large record without its table: dropped when it was still being written, kept when it
//!   is whole, and damage otherwise;
//! - anything with whole records behind it, and any missing end of an older segment:
//!   damage. The file is kept in quarantine, the log says so, the whole records around
//!   the damage are kept, and the segment is rewritten without it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Result;

use super::disk::{Disk, DiskFile, SegmentId};
use super::index::LogIndex;
use super::killed::Killed;
use super::record::{Checker, HEAD_BYTES, HeadState, RECORD_ALIGN};
use super::scan::{Scan, is_zero, scan};
use super::segment::{Segment, Suspicion};
use super::segment_file::{PAGE_BYTES, is_single, is_written, read_around, read_head, read_table, table_of};
use super::table::{Stretch, Table, TableBuilder};
use crate::storage::StorageError;

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
    /// What that segment holds.
    pub tail_table: TableBuilder,
    /// The newest segment but those of single records, and its length, when it is closed.
    pub closed: (SegmentId, u64),
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
        newest: heads.iter().rev().find(|(_, head)| !is_single(head)).map(|(id, _)| *id).unwrap_or_default(),
        appended: heads.iter().filter(|(_, head)| !is_single(head)).map(|(id, _)| *id).collect(),
        last_segment: ids.last().copied().unwrap_or_default(),
        lengths: heads
            .values()
            .filter_map(|head| match head {
                HeadState::Whole(head) => Some((head.previous, head.previous_bytes)),
                _ => None,
            })
            .collect(),
        segments: BTreeMap::new(),
        scanned: BTreeMap::new(),
        killed: HashMap::new(),
        deleted: HashMap::new(),
        logs: HashMap::new(),
        generation: 0,
        group: None,
        tail: None,
        tail_table: TableBuilder::default(),
        closed_bytes: 0,
        findings: Vec::new(),
        bytes: Vec::new(),
    };
    for id in ids.iter().rev() {
        recovery.read(*id, heads[id]).map_err(io)?;
    }
    if nonce.is_none() && !recovery.segments.is_empty() {
        return Err(StorageError::Damaged("no journal segment has a readable head".to_owned()));
    }
    recovery.find_living().map_err(io)?;
    Ok(recovery.finish(nonce))
}

struct Recovery<'d> {
    disk: &'d dyn Disk,
    segment_bytes: u64,
    nonce: u64,
    /// The newest of `appended`.
    newest: SegmentId,
    /// All segments but those of single large records.
    appended: BTreeSet<SegmentId>,
    /// The greatest number there is.
    last_segment: SegmentId,
    /// What the successor of a segment says of its length.
    lengths: HashMap<SegmentId, u64>,
    segments: BTreeMap<SegmentId, Segment>,
    /// Tables of the segments that were read whole.
    scanned: BTreeMap<SegmentId, Vec<u8>>,
    logs: HashMap<u64, LogIndex>,
    killed: HashMap<u64, Killed>,
    /// Per log: the newest generation deleted, and the segment that says so.
    deleted: HashMap<u64, (u32, SegmentId)>,
    generation: u32,
    group: Option<u16>,
    tail: Option<(SegmentId, Box<dyn DiskFile>)>,
    tail_table: TableBuilder,
    closed_bytes: u64,
    findings: Vec<Finding>,
    bytes: Vec<u8>,
}

impl Recovery<'_> {
    /// Learns what a segment removes, and remembers its table or where to find it.
    fn read(&mut self, id: SegmentId, head: HeadState) -> Result<()> {
        let file = self.disk.open(id)?;
        let length = file.bytes()?;
        if let HeadState::Whole(head) = head
            && self.lengths.get(&id).is_none_or(|expected| *expected == length)
            && let Some((table, group, end)) = read_table(file.as_ref(), Checker::new(head.nonce, id), length)
        {
            if id == self.newest {
                self.group = Some(group);
                self.closed_bytes = length;
            }
            self.segments.insert(id, Segment { bytes: end, ..Segment::default() });
            if let Some(table) = Table::new(&table, id) {
                self.note_removals(id, &table);
            }
            return Ok(());
        }
        if is_single(&head) && !is_written(file.as_ref(), length) {
            tracing::info!(segment = id, "journal: a large message that was being written is dropped");
            drop(file);
            return self.disk.remove(id);
        }
        self.read_whole(id, head, file)
    }

    fn read_whole(&mut self, id: SegmentId, head: HeadState, file: Box<dyn DiskFile>) -> Result<()> {
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
            // Of a large record that was only begun, the number may be an older one.
            if id == self.newest {
                self.newest = self.before(id);
            }
            return Ok(());
        }
        let nonce = match head {
            HeadState::Whole(head) => head.nonce,
            _ => self.nonce,
        };
        let scan = scan(Checker::new(nonce, id), &bytes);
        if id == self.newest {
            self.closed_bytes = (scan.end as u64).next_multiple_of(RECORD_ALIGN as u64);
        }
        self.segments.insert(id, Segment { bytes: scan.end as u64, ..Segment::default() });
        self.group = self.group.or(scan.records.last().map(|last| last.header.group));
        let table = table_of(&scan, &bytes);
        let encoded = table.clone().encode();
        if let Some(listed) = Table::new(&encoded, id) {
            self.note_removals(id, &listed);
        }
        self.scanned.insert(id, encoded);
        let damaged = self.judge(id, head, file, &scan, bytes.len(), unreadable.map(|(at, _)| at))?;
        if damaged && let Some(segment) = self.segments.get_mut(&id) {
            segment.suspicion = Suspicion::Damaged;
        }
        if self.tail.as_ref().is_some_and(|(tail, _)| *tail == id) {
            self.tail_table = table;
        }
        self.bytes = bytes;
        Ok(())
    }

    /// The segment that was appended to before this one.
    fn before(&self, id: SegmentId) -> SegmentId {
        self.appended.range(..id).next_back().copied().unwrap_or_default()
    }

    fn note_removals(&mut self, id: SegmentId, table: &Table<'_>) {
        let mut bytes = 0;
        for removal in table.removals() {
            bytes += removal.bytes;
            self.generation = self.generation.max(removal.generation);
            match removal.ranges {
                Some(ranges) => {
                    let killed = self.killed.entry(removal.log).or_default();
                    for (first, last) in ranges.into_iter().rev() {
                        killed.insert(first, last, removal.generation, id);
                    }
                }
                None => {
                    let newest = self.deleted.entry(removal.log).or_insert((removal.generation, id));
                    if newest.0 < removal.generation {
                        *newest = (removal.generation, id);
                    }
                }
            }
        }
        if let Some(segment) = self.segments.get_mut(&id) {
            segment.remove_bytes = bytes;
        }
    }

    /// Gathers what lives, from the oldest segment to the newest.
    fn find_living(&mut self) -> Result<()> {
        let ids: Vec<SegmentId> = self.segments.keys().copied().collect();
        for id in ids {
            let bytes = match self.scanned.remove(&id) {
                Some(bytes) => bytes,
                None => {
                    let file = self.disk.open(id)?;
                    let checker = Checker::new(self.nonce, id);
                    read_table(file.as_ref(), checker, file.bytes()?).map(|(table, ..)| table).unwrap_or_default()
                }
            };
            let Some(table) = Table::new(&bytes, id) else { continue };
            for stretch in table.stretches() {
                self.add_stretch(id, stretch);
            }
        }
        Ok(())
    }

    fn add_stretch(&mut self, id: SegmentId, stretch: Stretch<'_>) {
        let (log, generation) = (stretch.log, stretch.generation);
        self.generation = self.generation.max(generation);
        let deleted = self.deleted.get(&log).filter(|(newest, _)| generation <= *newest).map(|(_, killer)| *killer);
        let killed = self.killed.get(&log);
        let index = self.logs.entry(log).or_insert_with(|| LogIndex::new(0));
        for slot in stretch {
            let killer = deleted.or_else(|| killed?.killer(slot.position(), generation));
            if let Some(killer) = killer {
                if killer != id
                    && let Some(killer) = self.segments.get_mut(&killer)
                {
                    killer.targets.insert(id);
                }
                continue;
            }
            // Of two copies the one written later stays.
            if let Some(older) = index.insert(slot)
                && let Some(segment) = self.segments.get_mut(&older.segment())
                && segment.suspicion == Suspicion::None
            {
                segment.suspicion = Suspicion::HalfRewritten;
            }
        }
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
        if is_single(&head) && unreadable.is_none() && scan.holes.is_empty() && !scan.records.is_empty() {
            tracing::warn!(segment = id, "journal: a large message is whole, but not its table; it is written anew");
            return Ok(true);
        }
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
        let generation = self.generation.saturating_add(1);
        self.logs.retain(|_, index| index.len() > 0);
        for index in self.logs.values_mut() {
            index.repack();
            index.begin(generation);
            index.tell(|id, records, bytes| {
                if let Some(segment) = self.segments.get_mut(&id) {
                    segment.add_live(records, bytes);
                }
            });
        }
        Recovered {
            nonce,
            segments: self.segments,
            logs: self.logs,
            tail: self.tail,
            tail_table: self.tail_table,
            closed: (self.newest, self.closed_bytes),
            last_segment: self.last_segment,
            group: self.group.unwrap_or_default(),
            generation,
            findings: self.findings,
        }
    }
}
