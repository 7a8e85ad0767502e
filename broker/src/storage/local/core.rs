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
//! Targets are never newer than their segment, so the oldest segment has none, and
//! deletion always gets on.

use std::collections::{BTreeMap, HashMap};
use std::io::Result;

use tokio::sync::oneshot;

use super::disk::{Disk, SegmentId};
use super::index::{LogIndex, Slot};
use super::load::{Loader, OpenReply};
use super::record::{Head, Header, Kind, PAYLOAD_BYTES_MAX, RANGE_BYTES, encode_range, record_bytes};
use super::recover::{Finding, recover};
use super::segment::{SEGMENT_BYTES, Segment};
use super::writer::Writer;
use crate::storage::{LogId, LogRecord, Position, StorageError};

/// Ranges in one remove record.
const RANGES_PER_RECORD_MAX: usize = 4096;

/// Where the answer to a request goes.
pub type Reply<T> = oneshot::Sender<std::result::Result<T, StorageError>>;

/// What the journal is asked, in order.
#[derive(Debug)]
pub enum Request {
    /// Adds records to a log.
    Append(LogId, Vec<LogRecord>, Reply<()>),
    /// An append that broke the rules of a log.
    Invalid(Reply<()>),
    /// Removes ranges of positions.
    Remove(LogId, Vec<std::ops::RangeInclusive<Position>>),
    /// Forgets a log.
    Delete(LogId, Reply<()>),
    /// Reads a log.
    Open(LogId, OpenReply),
    /// Names the logs with records.
    Logs(Reply<Vec<LogId>>),
    /// Only waits for the group.
    Sync(Reply<()>),
    /// Ends the journal.
    Close(Reply<()>),
}

/// A request's answer, given when its group is durable.
#[derive(Debug)]
enum Answer {
    Done(Reply<()>),
    Invalid(Reply<()>),
    Open(LogId, OpenReply),
    Logs(Reply<Vec<LogId>>),
}

/// A range to remove from a log.
type Removal = (u64, u64, u64);

/// State of the journal.
#[derive(Debug)]
pub struct Core {
    pub(super) disk: Box<dyn Disk>,
    pub(super) nonce: u64,
    pub(super) segments: BTreeMap<SegmentId, Segment>,
    pub(super) logs: HashMap<u64, LogIndex>,
    pub(super) writer: Option<Writer>,
    pub(super) group: u32,
    last_segment: SegmentId,
    /// The segment closed last, and its length, for the head of the next one.
    closed: (SegmentId, u64),
    answers: Vec<Answer>,
    closing: Option<Reply<()>>,
    removals: Vec<Removal>,
    ranges: Vec<u8>,
    loaders: std::collections::VecDeque<Loader>,
}

impl Core {
    /// Recovers the journal on a disk.
    ///
    /// # Errors
    /// As [`recover`].
    pub fn open(disk: Box<dyn Disk>) -> std::result::Result<(Self, Vec<Finding>), StorageError> {
        let found = recover(disk.as_ref())?;
        let nonce = match found.nonce {
            Some(nonce) => nonce,
            None => {
                getrandom::u64().map_err(|error| StorageError::Unavailable(format!("no random numbers: {error}")))?
            }
        };
        let closed = match (found.tail.is_none(), found.segments.last_key_value()) {
            (true, Some((id, segment))) => (*id, segment.bytes),
            _ => (0, 0),
        };
        let writer = found.tail.map(|(id, file)| {
            let bytes = found.segments.get(&id).map_or(0, |segment| segment.bytes);
            Writer::resume(id, file, nonce, bytes)
        });
        let core = Self {
            disk,
            nonce,
            segments: found.segments,
            logs: found.logs,
            writer,
            group: found.group,
            last_segment: found.last_segment,
            closed,
            answers: Vec::new(),
            closing: None,
            removals: Vec::new(),
            ranges: Vec::new(),
            loaders: std::collections::VecDeque::new(),
        };
        Ok((core, found.findings))
    }

    /// Does what a group asks and makes it durable. Answers go out with [`Self::answer`].
    ///
    /// # Errors
    /// The disk's; then nothing of the group may be confirmed, nor anything ever after.
    pub fn run(&mut self, requests: &mut Vec<Request>) -> Result<()> {
        self.group = self.group.wrapping_add(1);
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
                Request::Append(_, _, reply) | Request::Delete(_, reply) | Request::Sync(reply) => {
                    self.answers.push(Answer::Done(reply));
                }
                Request::Invalid(reply) => self.answers.push(Answer::Invalid(reply)),
                Request::Open(log, reply) => self.answers.push(Answer::Open(log, reply)),
                Request::Logs(reply) => self.answers.push(Answer::Logs(reply)),
                Request::Close(reply) => self.closing = Some(reply),
                Request::Remove(..) => {}
            }
        }
        self.sync()
    }

    /// Makes everything written durable.
    pub(super) fn sync(&mut self) -> Result<()> {
        match &mut self.writer {
            Some(writer) => writer.sync(),
            None => Ok(()),
        }
    }

    /// Tells everyone whose group is durable; returns who asked for the end.
    pub fn answer(&mut self) -> Option<Reply<()>> {
        let mut loader = Loader::default();
        for answer in self.answers.drain(..) {
            match answer {
                Answer::Done(reply) => drop(reply.send(Ok(()))),
                Answer::Invalid(reply) => drop(reply.send(Err(invalid()))),
                Answer::Logs(reply) => {
                    let mut logs: Vec<LogId> =
                        self.logs.iter().filter(|(_, index)| index.len() > 0).map(|(log, _)| LogId(*log)).collect();
                    logs.sort_unstable();
                    let _ = reply.send(Ok(logs));
                }
                Answer::Open(log, reply) => match self.logs.get(&log.0) {
                    Some(index) => loader.add(log.0, index.live(), index.len(), reply),
                    None => drop(reply.send(Ok(Vec::new()))),
                },
            }
        }
        if !loader.is_done() {
            loader.arrange();
            self.loaders.push_back(loader);
        }
        self.closing.take()
    }

    /// Tells everyone that the journal failed.
    pub fn refuse(&mut self, requests: &mut Vec<Request>, error: &StorageError) {
        for request in requests.drain(..) {
            match request {
                Request::Append(_, _, reply)
                | Request::Invalid(reply)
                | Request::Delete(_, reply)
                | Request::Sync(reply) => {
                    let _ = reply.send(Err(error.clone()));
                }
                Request::Close(reply) => self.closing = Some(reply),
                Request::Open(_, reply) => drop(reply.send(Err(error.clone()))),
                Request::Logs(reply) => drop(reply.send(Err(error.clone()))),
                Request::Remove(..) => {}
            }
        }
        for answer in self.answers.drain(..) {
            match answer {
                Answer::Done(reply) | Answer::Invalid(reply) => drop(reply.send(Err(error.clone()))),
                Answer::Open(_, reply) => drop(reply.send(Err(error.clone()))),
                Answer::Logs(reply) => drop(reply.send(Err(error.clone()))),
            }
        }
        // Dropped loaders tell their askers by closing the channel.
        self.loaders.clear();
    }

    /// Who asked for the end, when the journal failed before it could come in order.
    pub fn take_closing(&mut self) -> Option<Reply<()>> {
        self.closing.take()
    }

    /// Whether logs are being loaded.
    #[must_use]
    pub fn is_loading(&self) -> bool {
        !self.loaders.is_empty()
    }

    /// Loads a bounded amount of the logs being opened.
    pub fn load_step(&mut self) {
        if let Some(loader) = self.loaders.front_mut() {
            loader.step(self.disk.as_ref(), self.nonce);
            if loader.is_done() {
                self.loaders.pop_front();
            }
        }
    }

    /// Nothing to do for a while: gives back what only a busy journal needs.
    pub fn rest(&mut self) {
        self.ranges = Vec::new();
        self.removals = Vec::new();
        self.answers = Vec::new();
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
            Some(writer) => writer.finish().map(drop),
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
                self.append(log.0, &records)?;
            }
        }
        self.write_removals()
    }

    /// Gathers, clamps, sorts and joins what the part removes. A range reaches no further
    /// than the records appended before it: later ones stay.
    fn collect_removals(&mut self, requests: &mut [Request]) {
        self.removals.clear();
        for request in requests {
            match request {
                Request::Append(log, records, _) => {
                    let index = self.logs.entry(log.0).or_default();
                    if !is_acceptable(records, index.last()) {
                        invalidate(request);
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

    fn append(&mut self, log: u64, records: &[LogRecord]) -> Result<()> {
        let start = self.removals.partition_point(|removal| removal.0 < log);
        let count = self.removals[start..].partition_point(|removal| removal.0 == log);
        let removals = start..start + count;
        for record in records {
            let position = record.position.0;
            let removed = !removals.is_empty() && covers(&self.removals[removals.clone()], position);
            if !removed {
                let header = Header { kind: Kind::Data, log, position, group: self.group, meta: record.meta };
                let (segment, place) = self.push(&header, &record.payload)?;
                let bytes = record_bytes(record.payload.len());
                self.logs.entry(log).or_default().insert(Slot::new(position, segment, place, bytes));
                if let Some(segment) = self.segments.get_mut(&segment) {
                    segment.add_live(bytes);
                }
            }
        }
        Ok(())
    }

    /// Drops what the part removes from the index and writes what the disk has to know.
    fn write_removals(&mut self) -> Result<()> {
        let removals = std::mem::take(&mut self.removals);
        let mut touched = Vec::new();
        let mut ranges = std::mem::take(&mut self.ranges);
        ranges.clear();
        for (at, (log, first, last)) in removals.iter().enumerate() {
            let mut hit = false;
            if let Some(index) = self.logs.get_mut(log) {
                let segments = &mut self.segments;
                index.remove(*first, *last, |slot| {
                    hit = true;
                    drop_slot(segments, &slot, &mut touched);
                });
            }
            if hit {
                encode_range(&mut ranges, *first, *last);
            }
            let ends = removals.get(at + 1).is_none_or(|next| next.0 != *log);
            if !ranges.is_empty() && (ends || ranges.len() >= RANGES_PER_RECORD_MAX * RANGE_BYTES) {
                let header = Header { kind: Kind::Remove, log: *log, position: 0, group: self.group, meta: [0; 20] };
                self.push_remove(&header, &ranges, &touched)?;
                ranges.clear();
                touched.clear();
            }
        }
        self.ranges = ranges;
        self.removals = removals;
        Ok(())
    }

    fn forget(&mut self, log: u64) -> Result<()> {
        let Some(index) = self.logs.remove(&log) else { return Ok(()) };
        let mut touched = Vec::new();
        for slot in index.live() {
            drop_slot(&mut self.segments, slot, &mut touched);
        }
        if touched.is_empty() {
            return Ok(());
        }
        let header = Header { kind: Kind::Delete, log, position: 0, group: self.group, meta: [0; 20] };
        self.push_remove(&header, &[], &touched)
    }

    /// Writes a remove or delete record that speaks of records in `targets`.
    pub(super) fn push_remove(&mut self, header: &Header, payload: &[u8], targets: &[SegmentId]) -> Result<()> {
        let (id, _) = self.push(header, payload)?;
        if let Some(segment) = self.segments.get_mut(&id) {
            segment.remove_bytes += record_bytes(payload.len()) as u64;
            segment.targets.extend(targets.iter().filter(|target| **target != id));
        }
        Ok(())
    }

    /// Writes a record to the active segment, beginning one where needed.
    pub(super) fn push(&mut self, header: &Header, payload: &[u8]) -> Result<(SegmentId, u64)> {
        let writer = match &mut self.writer {
            Some(writer) if writer.has_room(payload.len()) => writer,
            _ => self.rotate()?,
        };
        let place = writer.push(header, payload)?;
        let id = writer.id();
        let bytes = writer.bytes();
        if let Some(segment) = self.segments.get_mut(&id) {
            segment.bytes = bytes;
        }
        Ok((id, place))
    }

    fn rotate(&mut self) -> Result<&mut Writer> {
        let mut buffer = Vec::new();
        if let Some(writer) = self.writer.take() {
            self.closed = (writer.id(), writer.bytes());
            buffer = writer.finish()?;
        }
        self.last_segment += 1;
        let head = Head {
            segment: self.last_segment,
            nonce: self.nonce,
            previous: self.closed.0,
            previous_bytes: self.closed.1,
        };
        let writer = Writer::create(self.disk.as_ref(), head, buffer)?;
        self.segments.insert(head.segment, Segment { bytes: writer.bytes(), ..Segment::default() });
        Ok(self.writer.insert(writer))
    }
}

fn covers(removals: &[Removal], position: u64) -> bool {
    let at = removals.partition_point(|removal| removal.1 <= position);
    at.checked_sub(1).is_some_and(|at| position <= removals[at].2)
}

/// Accounts for a removed record and notes its segment in `touched`.
fn drop_slot(segments: &mut BTreeMap<SegmentId, Segment>, slot: &Slot, touched: &mut Vec<SegmentId>) {
    if let Some(segment) = segments.get_mut(&slot.segment()) {
        segment.drop_live(slot.bytes());
    }
    // Neighbours mostly share their segment: a look at the last one keeps the list short.
    if touched.last() != Some(&slot.segment()) {
        touched.push(slot.segment());
    }
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

fn invalidate(request: &mut Request) {
    let placeholder = Request::Remove(LogId(0), Vec::new());
    *request = match std::mem::replace(request, placeholder) {
        Request::Append(_, _, reply) => Request::Invalid(reply),
        other => other,
    };
}

fn invalid() -> StorageError {
    StorageError::Unavailable(format!(
        "positions of a log must grow and payloads be at most {PAYLOAD_BYTES_MAX} bytes; nothing was appended"
    ))
}

const _: () = assert!(SEGMENT_BYTES < u32::MAX as u64);
