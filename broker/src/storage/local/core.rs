//! The journal's state and what a group of requests does to it.
//!
//! Owns the index of live records, the segments and the active segment's writer. Runs on
//! the journal's thread; `journal` decides when, `compact` gives space back.
//!
//! **When a remove record may go.** A remove (or delete) record in segment *s* speaks of
//! records written before it, so in segments up to *s*. Were *s* deleted while one of
//! those segments still exists, the removed records in there would live again after a
//! restart. Therefore each segment knows its `targets`: the other segments that held what
//! its remove records removed when they were written. Then:
//! 1. A segment without live records and without targets is deleted.
//! 2. A segment with targets is deleted only after its remove records were written anew
//!    into the active segment, which takes over the targets, and synced.
//! 3. Deleting a segment takes it out of every target set, after the directory is synced:
//!    a deletion that a crash undoes must not find its remove records gone.
//! 4. Live records moved to the active segment exist twice until their old segment is
//!    deleted. Nothing else is deleted meanwhile, and recovery marks a segment with second
//!    copies to be finished first. So a remove record that knows only of the newer copy
//!    outlives the older one.
//!
//! A rewritten remove record stands behind records it does not mean: an owner may give out
//! a position again after it opened the log, when all records behind the last live one were
//! removed. So every record carries the generation of its log, which grows then; a remove
//! record means its own generation and earlier ones, and a moved record keeps its own.
//!
//! Targets are never newer than their segment, except for segments of single large records,
//! which have no targets themselves and go as soon as they are dead. So deletion always gets on.

use std::collections::{BTreeMap, HashMap};
use std::io::Result;
use std::sync::Arc;

use super::compact::Reclaim;
use super::disk::{Disk, SegmentId};
use super::index::LogIndex;
use super::large::{LargeRecords, Ticket};
use super::read::{OpenFiles, ReadJob};
use super::record::{
    Head, Header, Kind, PAYLOAD_BYTES_MAX, RANGE_BYTES, RANGES_PER_RECORD_MAX, encode_range, record_bytes,
};
use super::recover::{Finding, recover};
use super::request::{Answer, Reply, Request};
use super::segment::{Dead, Segment, Suspicion};
use super::sharing::{SharedPayloads, is_shared};
use super::slot::Slot;
use super::space::Space;
use super::table::TableBuilder;
use super::writer::Writer;
use crate::storage::{LogId, LogRecord, Position, StorageError};

/// Room for so many segments is kept free for what makes room.
const RESERVE_SEGMENTS: u64 = 2;

/// A range to remove from a log.
pub type Removal = (u64, u64, u64);

/// State of the journal.
#[derive(Debug)]
pub struct Core {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) segment_bytes: u64,
    pub(super) nonce: u64,
    pub(super) segments: BTreeMap<SegmentId, Segment>,
    pub(super) logs: HashMap<u64, LogIndex>,
    pub(super) writer: Option<Writer>,
    /// What the active segment holds.
    table: TableBuilder,
    shared: SharedPayloads,
    /// Number of the next sync; every record carries the one that makes it durable.
    pub(super) group: u16,
    /// Given to the next log that begins.
    next_generation: u32,
    last_segment: SegmentId,
    /// The segment closed last, and its length, for the head of the next one.
    closed: (SegmentId, u64),
    pub(super) answers: Vec<Answer>,
    closing: Option<Reply<()>>,
    removals: Vec<Removal>,
    ranges: Vec<u8>,
    reads: Vec<ReadJob>,
    pub(super) open_files: OpenFiles,
    pub(super) reclaim: Reclaim,
    pub(super) space: Space,
    pub(super) large: LargeRecords,
}

impl Core {
    /// Recovers the journal on a disk.
    ///
    /// # Errors
    /// As [`recover`].
    pub fn open(disk: Box<dyn Disk>, segment_bytes: u64) -> std::result::Result<(Self, Vec<Finding>), StorageError> {
        let found = recover(disk.as_ref(), segment_bytes)?;
        let nonce = match found.nonce {
            Some(nonce) => nonce,
            None => {
                getrandom::u64().map_err(|error| StorageError::Unavailable(format!("no random numbers: {error}")))?
            }
        };
        let closed = if found.tail.is_none() { found.closed } else { (0, 0) };
        let writer = found.tail.map(|(id, file)| {
            let bytes = found.segments.get(&id).map_or(0, |segment| segment.bytes);
            Writer::resume(id, file, nonce, bytes, segment_bytes)
        });
        let core = Self {
            disk: Arc::from(disk),
            segment_bytes,
            nonce,
            segments: found.segments,
            logs: found.logs,
            writer,
            table: found.tail_table,
            shared: SharedPayloads::default(),
            group: found.group.wrapping_add(1),
            next_generation: found.generation.saturating_add(1),
            last_segment: found.last_segment,
            closed,
            answers: Vec::new(),
            closing: None,
            removals: Vec::new(),
            ranges: Vec::new(),
            reads: Vec::new(),
            open_files: OpenFiles::default(),
            reclaim: Reclaim::new(segment_bytes),
            space: Space::new(RESERVE_SEGMENTS * segment_bytes),
            large: LargeRecords::default(),
        };
        Ok((core, found.findings))
    }

    /// Does what a group asks and makes it durable. Answers go out with [`Self::answer`].
    ///
    /// # Errors
    /// The disk's; then nothing of the group may be confirmed, nor anything ever after.
    pub fn run(&mut self, requests: &mut Vec<Request>) -> Result<()> {
        self.admit(requests);
        let mut begin = 0;
        // A log may begin anew after its deletion, so nothing is reordered across one.
        for at in 0..requests.len() {
            if let Request::Delete(log, _) = &requests[at] {
                let log = log.0;
                self.run_part(&mut requests[begin..at])?;
                self.forget(log)?;
                begin = at + 1;
            }
        }
        self.run_part(&mut requests[begin..])?;
        for request in requests.drain(..) {
            match request {
                Request::Damaged(_, places) => self.report_damage(&places)?,
                Request::Written(done) => self.finish_large(*done)?,
                request => self.answers.extend(request.into_answer()),
            }
        }
        self.sync()
    }

    /// Makes everything written durable.
    pub(super) fn sync(&mut self) -> Result<()> {
        if let Some(writer) = &mut self.writer
            && writer.sync()?
        {
            self.group = self.group.wrapping_add(1);
        }
        Ok(())
    }

    /// Tells everyone whose group is durable; returns who asked for the end.
    pub fn answer(&mut self) -> Option<Reply<()>> {
        for answer in std::mem::take(&mut self.answers) {
            if self.waits_for_large(&answer) {
                self.large.block(answer);
                continue;
            }
            match answer {
                Answer::Closed(reply) => self.closing = Some(reply),
                Answer::Done(reply) | Answer::Synced(reply) => drop(reply.send(Ok(()))),
                Answer::Invalid(reply) => drop(reply.send(Err(invalid()))),
                Answer::Logs(reply) => {
                    let mut logs: Vec<LogId> =
                        self.logs.iter().filter(|(_, index)| index.len() > 0).map(|(log, _)| LogId(*log)).collect();
                    logs.sort_unstable();
                    let _ = reply.send(Ok(logs));
                }
                Answer::Open(log, reply) => {
                    let summary = self.logs.get_mut(&log.0).map(|index| {
                        index.begin(self.next_generation);
                        self.next_generation = self.next_generation.saturating_add(1);
                        index.summary()
                    });
                    let _ = reply.send(Ok(summary.unwrap_or_default()));
                }
                Answer::Read(read) => {
                    let job = self.begin_read(read);
                    self.reads.extend(job);
                }
            }
        }
        self.closing.take()
    }

    /// Tells everyone that the journal failed.
    pub fn refuse(&mut self, requests: &mut Vec<Request>, error: &StorageError) {
        requests.extend(self.space.take_deferred());
        let mut answers = std::mem::take(&mut self.answers);
        answers.extend(requests.drain(..).filter_map(Request::into_answer));
        answers.extend(self.large.take_waiting());
        for answer in answers {
            match answer {
                Answer::Closed(reply) => self.closing = Some(reply),
                answer => answer.refuse(error),
            }
        }
    }

    /// The reads that were prepared, for another thread.
    pub fn take_reads(&mut self) -> Vec<ReadJob> {
        std::mem::take(&mut self.reads)
    }

    /// Who asked for the end, when the journal failed before it could come in order.
    pub fn take_closing(&mut self) -> Option<Reply<()>> {
        self.closing.take()
    }

    /// Whether there is work without a request.
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.reclaim.has_work()
    }

    /// Does a bounded part of that work.
    ///
    /// # Errors
    /// The disk's, on writing: the journal has failed.
    pub fn work(&mut self) -> Result<()> {
        if self.reclaim.has_work() { self.reclaim_step() } else { Ok(()) }
    }

    /// Nothing to do for a while: gives back what only a busy journal needs.
    pub fn rest(&mut self) {
        self.ranges = Vec::new();
        self.removals = Vec::new();
        self.answers = Vec::new();
        self.shared.clear();
        if let Some(writer) = &mut self.writer {
            writer.rest();
        }
    }

    /// Closes the active segment.
    ///
    /// # Errors
    /// The disk's.
    pub fn finish(&mut self) -> Result<()> {
        match self.writer.take() {
            Some(writer) => writer.finish(std::mem::take(&mut self.table), self.group).map(drop),
            None => Ok(()),
        }
    }

    /// Appends and removes between two deletions. A record appended and removed in the same
    /// part is never written.
    fn run_part(&mut self, requests: &mut [Request]) -> Result<()> {
        self.collect_removals(requests);
        for request in requests {
            if let Request::Append(log, records, _) = request {
                let records = std::mem::take(records);
                if let Some(ticket) = self.append(log.0, &records)?
                    && let Some(reply) = request.take_reply()
                {
                    self.large.wait(ticket, reply);
                }
            }
        }
        let cancelled = self.large.cancel(&self.removals);
        self.write_removals()?;
        for (log, position, segment) in cancelled {
            let Some(generation) = self.logs.get(&log).map(LogIndex::generation) else { continue };
            let mut range = Vec::new();
            encode_range(&mut range, position, position);
            self.push_remove(Kind::Remove, log, generation, &range, &[segment])?;
        }
        Ok(())
    }

    /// Gathers, clamps, sorts and joins what the part removes. A range reaches no further
    /// than the records appended before it: later ones stay.
    fn collect_removals(&mut self, requests: &mut [Request]) {
        self.removals.clear();
        for request in requests {
            match request {
                Request::Append(log, records, _) => {
                    let next_generation = &mut self.next_generation;
                    let index = self.logs.entry(log.0).or_insert_with(|| {
                        *next_generation = next_generation.saturating_add(1);
                        LogIndex::new(*next_generation - 1)
                    });
                    if !is_acceptable(records, index.last()) {
                        request.invalidate();
                    } else if let Some(last) = records.last() {
                        index.advance(last.position.0);
                    }
                }
                Request::Remove(log, ranges) => {
                    let Some(last) = self.logs.get(&log.0).and_then(LogIndex::last) else { continue };
                    for range in ranges {
                        let (first, end) = (range.start().0, range.end().0.min(last));
                        if first <= end {
                            self.removals.push((log.0, first, end));
                        }
                    }
                }
                Request::Damaged(log, places) => {
                    self.removals.extend(places.iter().map(|(_, position)| (log.0, position.0, position.0)));
                }
                _ => {}
            }
        }
        if self.removals.len() > 1 {
            self.removals.sort_unstable();
            self.removals.dedup_by(|next, kept| {
                let joins = next.0 == kept.0 && next.1 <= kept.2.saturating_add(1);
                if joins {
                    kept.2 = kept.2.max(next.2);
                }
                joins
            });
        }
    }

    /// Keeps segments with damage aside, and has them rewritten without it.
    fn report_damage(&mut self, places: &[(SegmentId, Position)]) -> Result<()> {
        for (id, position) in places {
            let Some(segment) = self.segments.get_mut(id) else { continue };
            let kept = self.disk.set_aside(*id)?.name;
            tracing::error!(segment = id, position = position.0, kept, "journal: a damaged record is lost");
            segment.suspicion = Suspicion::Damaged;
            self.reclaim.note_closed();
        }
        Ok(())
    }

    /// Writes records; answers a ticket when some are written elsewhere.
    fn append(&mut self, log: u64, records: &[LogRecord]) -> Result<Option<Ticket>> {
        let start = self.removals.partition_point(|removal| removal.0 < log);
        let count = self.removals[start..].partition_point(|removal| removal.0 == log);
        let removals = start..start + count;
        let Some(generation) = self.logs.get(&log).map(LogIndex::generation) else { return Ok(None) };
        let mut ticket = None;
        for record in records {
            let position = record.position.0;
            let removed = !removals.is_empty() && covers(&self.removals[removals.clone()], position);
            if !removed {
                let header = Header {
                    kind: Kind::Data,
                    log,
                    generation,
                    position,
                    group: self.group,
                    meta: record.meta,
                    weight: record.weight,
                };
                if self.is_large(record) {
                    let ticket = *ticket.get_or_insert_with(|| self.large.ticket());
                    self.begin_large(ticket, header, record);
                    continue;
                }
                let (segment, place, bytes) = match is_shared(record) {
                    true => self.push_shared(header, record)?,
                    false => self.push(&header, &record.payload)?,
                };
                if let Some(index) = self.logs.get_mut(&log) {
                    index.insert(Slot::new(position, segment, place, bytes, record.weight));
                }
                if let Some(segment) = self.segments.get_mut(&segment) {
                    segment.add_live(1, bytes as u64);
                }
            }
        }
        Ok(ticket)
    }

    /// Writes a record that other logs have in common with this one: its payload once.
    fn push_shared(&mut self, header: Header, record: &LogRecord) -> Result<(SegmentId, u64, usize)> {
        let place = match &self.writer {
            Some(writer) if writer.has_room(size_of::<u64>()) => self.shared.find(writer.id(), &record.payload),
            _ => None,
        };
        if let Some(place) = place {
            return self.push(&Header { kind: Kind::Share, ..header }, &place.to_le_bytes());
        }
        let pushed = self.push(&header, &record.payload)?;
        self.shared.remember(pushed.0, pushed.1, record);
        Ok(pushed)
    }

    /// Drops what the part removes from the index and writes what the disk has to know.
    fn write_removals(&mut self) -> Result<()> {
        let removals = std::mem::take(&mut self.removals);
        let mut ranges = std::mem::take(&mut self.ranges);
        let mut dead = Dead::default();
        ranges.clear();
        for (at, (log, first, last)) in removals.iter().enumerate() {
            let Some(index) = self.logs.get_mut(log) else { continue };
            let mut hit = false;
            index.remove(*first, *last, |segment, records, bytes| {
                hit = true;
                dead.note(segment, records, bytes);
            });
            if hit {
                encode_range(&mut ranges, *first, *last);
            }
            let ends = removals.get(at + 1).is_none_or(|next| next.0 != *log);
            if !ranges.is_empty() && (ends || ranges.len() >= RANGES_PER_RECORD_MAX * RANGE_BYTES) {
                let generation = index.generation();
                self.push_remove_of(Kind::Remove, *log, generation, &ranges, &mut dead)?;
                ranges.clear();
            }
        }
        self.ranges = ranges;
        self.removals = removals;
        Ok(())
    }

    fn forget(&mut self, log: u64) -> Result<()> {
        let cancelled = self.large.cancel(&[(log, 0, u64::MAX)]);
        let Some(index) = self.logs.remove(&log) else { return Ok(()) };
        let mut dead = Dead::default();
        index.tell(|segment, records, bytes| dead.note(segment, records, bytes));
        if dead.is_empty() && cancelled.is_empty() {
            return Ok(());
        }
        let (bytes, mut targets) = dead.settle(&mut self.segments);
        self.reclaim.note_freed(bytes);
        targets.extend(cancelled.iter().map(|(_, _, segment)| *segment));
        self.push_remove(Kind::Delete, log, index.generation(), &[], &targets)
    }

    /// Accounts for the dead and writes the record that says so.
    fn push_remove_of(&mut self, kind: Kind, log: u64, generation: u32, payload: &[u8], dead: &mut Dead) -> Result<()> {
        let (bytes, targets) = dead.settle(&mut self.segments);
        self.reclaim.note_freed(bytes);
        self.push_remove(kind, log, generation, payload, &targets)
    }

    /// Writes a remove or delete record that speaks of records in `targets`.
    pub(super) fn push_remove(
        &mut self,
        kind: Kind,
        log: u64,
        generation: u32,
        payload: &[u8],
        targets: &[SegmentId],
    ) -> Result<()> {
        let header = Header { kind, log, generation, position: 0, group: self.group, meta: [0; 16], weight: 0 };
        let (id, _, bytes) = self.push(&header, payload)?;
        if let Some(segment) = self.segments.get_mut(&id) {
            segment.remove_bytes += bytes as u64;
            segment.targets.extend(targets.iter().filter(|target| **target != id));
        }
        Ok(())
    }

    /// Writes a record to the active segment, beginning one where needed; says where, and
    /// how long it is there.
    pub(super) fn push(&mut self, header: &Header, payload: &[u8]) -> Result<(SegmentId, u64, usize)> {
        let writer = match &mut self.writer {
            Some(writer) if writer.has_room(payload.len()) => writer,
            _ => self.rotate()?,
        };
        let place = writer.push(header, payload)?;
        let id = writer.id();
        let bytes = writer.bytes();
        self.space.note_written(record_bytes(payload.len()));
        self.table.add(header, place, payload);
        if let Some(segment) = self.segments.get_mut(&id) {
            segment.bytes = bytes;
        }
        Ok((id, place, record_bytes(payload.len())))
    }

    /// The number of a new segment.
    pub(super) fn take_segment(&mut self) -> SegmentId {
        self.last_segment += 1;
        self.last_segment
    }

    pub(super) fn rotate(&mut self) -> Result<&mut Writer> {
        let mut buffer = Vec::new();
        if let Some(writer) = self.writer.take() {
            let id = writer.id();
            let (reused, bytes) = writer.finish(std::mem::take(&mut self.table), self.group)?;
            (self.closed, buffer) = ((id, bytes), reused);
            self.reclaim.note_closed();
        }
        let head = Head {
            is_single: false,
            segment: self.take_segment(),
            nonce: self.nonce,
            previous: self.closed.0,
            previous_bytes: self.closed.1,
        };
        let writer = Writer::create(self.disk.as_ref(), head, buffer, self.segment_bytes)?;
        self.segments.insert(head.segment, Segment { bytes: writer.bytes(), ..Segment::default() });
        Ok(self.writer.insert(writer))
    }
}

fn covers(removals: &[Removal], position: u64) -> bool {
    let at = removals.partition_point(|removal| removal.1 <= position);
    at.checked_sub(1).is_some_and(|at| position <= removals[at].2)
}

/// Whether records may follow what a log holds: positions grow, payloads fit.
fn is_acceptable(records: &[LogRecord], after: Option<u64>) -> bool {
    let mut last = after;
    records.iter().all(|record| {
        let position = record.position.0;
        let grows = last.is_none_or(|last| last < position);
        last = Some(position);
        grows && record.payload.len() <= PAYLOAD_BYTES_MAX
    })
}

fn invalid() -> StorageError {
    StorageError::Unavailable(format!(
        "positions of a log must grow and payloads be at most {PAYLOAD_BYTES_MAX} bytes; nothing was appended"
    ))
}
