//! Reading records back, beside the journal's thread.
//!
//! The journal's thread finds the places and opens the files; everything after that happens
//! on another thread, so a cold disk delays no group. What a job reads was written before
//! the job was made and is never written again; a file that is deleted meanwhile stays
//! readable through its handle.

use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;

use super::core::Core;
use super::disk::{DiskFile, SegmentId};
use super::record::{Checker, Header, Kind, RECORD_HEADER_BYTES, claimed_payload_bytes, record_bytes, shared_place};
use super::request::{Read, Reply};
use super::slot::Slot;
use crate::storage::{LogBatch, LogId, LogRecord, Position, StorageError};

/// Bytes read at once, unless a single record is longer.
const WINDOW_BYTES: u64 = 256 * 1024;

/// Unwanted bytes between two wanted records that are read over rather than skipped.
const GAP_BYTES_MAX: u64 = 16 * 1024;

/// Segments kept open for reading.
const OPEN_FILES_MAX: usize = 8;

/// Open files, the one used last at the end.
#[derive(Debug, Default)]
pub struct OpenFiles(Vec<(SegmentId, Arc<dyn DiskFile>)>);

impl OpenFiles {
    /// The segment is going to be deleted.
    pub fn forget(&mut self, segment: SegmentId) {
        self.0.retain(|(id, _)| *id != segment);
    }
}

/// Places to read, with the files that hold them.
#[derive(Debug)]
pub struct ReadJob {
    log: LogId,
    nonce: u64,
    slots: Vec<Slot>,
    files: Vec<(SegmentId, Arc<dyn DiskFile>)>,
    next: Option<Position>,
    reply: Reply<LogBatch>,
}

impl Core {
    /// Finds what a read wants. `None`: it is answered already.
    pub(super) fn begin_read(&mut self, read: Read) -> Option<ReadJob> {
        let Read { log, ranges, rest, limit, reply } = read;
        let (mut slots, mut bytes, mut next) = (Vec::new(), 0, rest);
        if let Some(index) = self.logs.get(&log.0) {
            let live = ranges
                .iter()
                .flat_map(|range: &RangeInclusive<Position>| index.live_in(range.start().0, range.end().0));
            for slot in live {
                bytes += slot.bytes();
                if !slots.is_empty() && (slots.len() >= limit.records || bytes > limit.bytes) {
                    next = Some(Position(slot.position()));
                    break;
                }
                slots.push(slot);
            }
        }
        let mut files: Vec<(SegmentId, Arc<dyn DiskFile>)> = Vec::new();
        for slot in &slots {
            if files.iter().any(|(id, _)| *id == slot.segment()) {
                continue;
            }
            match self.file(slot.segment()) {
                Ok(file) => files.push((slot.segment(), file)),
                Err(error) => {
                    let _ = reply.send(Err(unreadable(slot.segment(), &error)));
                    return None;
                }
            }
        }
        Some(ReadJob { log, nonce: self.nonce, slots, files, next, reply })
    }

    fn file(&mut self, id: SegmentId) -> std::io::Result<Arc<dyn DiskFile>> {
        let open = &mut self.open_files.0;
        match open.iter().position(|(open, _)| *open == id) {
            Some(at) => {
                let last = open.len() - 1;
                open[at..].rotate_left(1);
                Ok(Arc::clone(&open[last].1))
            }
            None => {
                let file: Arc<dyn DiskFile> = Arc::from(self.disk.open(id)?);
                if open.len() >= OPEN_FILES_MAX {
                    open.remove(0);
                }
                open.push((id, Arc::clone(&file)));
                Ok(file)
            }
        }
    }
}

fn unreadable(segment: SegmentId, error: &std::io::Error) -> StorageError {
    StorageError::Unavailable(format!("journal segment {segment} cannot be read: {error}"))
}

/// The records that turned out damaged, with their segments, and the answer.
pub struct ReadDone {
    /// Of which log.
    pub log: LogId,
    /// What is lost.
    pub damaged: Vec<(SegmentId, Position)>,
    answer: Result<LogBatch, StorageError>,
    reply: Reply<LogBatch>,
}

impl ReadDone {
    /// Tells who waits.
    pub fn answer(self) {
        let _ = self.reply.send(self.answer);
    }
}

impl ReadJob {
    /// Reads and checks.
    #[must_use]
    pub fn run(self) -> ReadDone {
        let mut batch = LogBatch { next: self.next, ..LogBatch::default() };
        batch.records.reserve(self.slots.len());
        let mut damaged = Vec::new();
        let mut window = Vec::new();
        let mut payloads = SharedWindow::default();
        let mut answer = Ok(());
        let mut slots = self.slots.as_slice();
        while let Some(first) = slots.first() {
            let (run, rest) = slots.split_at(run_length(slots));
            slots = rest;
            let Some((_, file)) = self.files.iter().find(|(id, _)| *id == first.segment()) else { continue };
            answer = load(file.as_ref(), run, &mut window).map_err(|error| unreadable(first.segment(), &error));
            if answer.is_err() {
                break;
            }
            let checker = Checker::new(self.nonce, first.segment());
            for slot in run {
                let from = (slot.place() - first.place()) as usize;
                let position = Position(slot.position());
                let record = self.record(checker, slot, &window[from..]);
                let record = record.and_then(|(header, payload)| match header.kind {
                    Kind::Share => {
                        let place = shared_place(slot.place(), payload)?;
                        let (_, payload) = payloads.record(file.as_ref(), checker, first.segment(), place)?;
                        Some((header, payload))
                    }
                    _ => Some((header, payload)),
                });
                match record {
                    Some((header, payload)) => batch.records.push(LogRecord {
                        position,
                        meta: header.meta,
                        weight: header.weight,
                        shares: 1,
                        payload: Bytes::copy_from_slice(payload),
                    }),
                    None => damaged.push((slot.segment(), position)),
                }
            }
        }
        batch.lost = damaged.iter().map(|(_, position)| *position).collect();
        ReadDone { log: self.log, damaged, answer: answer.map(|()| batch), reply: self.reply }
    }

    fn record<'w>(&self, checker: Checker, slot: &Slot, window: &'w [u8]) -> Option<(Header, &'w [u8])> {
        checker.decode(slot.place(), &window[..slot.bytes()]).filter(|(header, _)| {
            matches!(header.kind, Kind::Data | Kind::Share)
                && header.log == self.log.0
                && header.position == slot.position()
        })
    }
}

/// Bytes of a segment in which shared payloads were found; neighbours share it.
#[derive(Debug, Default)]
pub struct SharedWindow {
    at: Option<(SegmentId, u64)>,
    bytes: Vec<u8>,
}

impl SharedWindow {
    /// The data record at `place`; `None` when there is none, or it cannot be read.
    pub fn record(
        &mut self,
        file: &dyn DiskFile,
        checker: Checker,
        segment: SegmentId,
        place: u64,
    ) -> Option<(Header, &[u8])> {
        let held = self.at.filter(|(id, from)| *id == segment && *from <= place);
        let from = held.map_or(0, |(_, from)| (place - from) as usize);
        let is_held = held.is_some() && self.bytes.get(from..).is_some_and(is_whole);
        let from = match is_held {
            true => from,
            false => {
                self.at = None;
                self.fill(file, place, WINDOW_BYTES.min(file.bytes().ok()?.checked_sub(place)?))?;
                if !is_whole(&self.bytes) {
                    let payload = claimed_payload_bytes(&self.bytes)?;
                    self.fill(file, place, record_bytes(payload) as u64)?;
                }
                self.at = Some((segment, place));
                0
            }
        };
        checker.decode(place, &self.bytes[from..]).filter(|(header, _)| header.kind == Kind::Data)
    }

    fn fill(&mut self, file: &dyn DiskFile, place: u64, bytes: u64) -> Option<()> {
        self.bytes.resize(bytes as usize, 0);
        file.read(&mut self.bytes, place).ok()
    }
}

/// Whether the record that begins here ends here too.
fn is_whole(bytes: &[u8]) -> bool {
    claimed_payload_bytes(bytes).is_some_and(|payload| RECORD_HEADER_BYTES + payload <= bytes.len())
}

/// How many of the first slots one window covers.
fn run_length(slots: &[Slot]) -> usize {
    let Some(first) = slots.first() else { return 0 };
    let near = |pair: &[Slot]| {
        let (last, next) = (pair[0], pair[1]);
        let end = last.place() + last.bytes() as u64;
        next.segment() == first.segment()
            && next.place() >= end
            && next.place() - end <= GAP_BYTES_MAX
            && next.place() + next.bytes() as u64 - first.place() <= WINDOW_BYTES
    };
    1 + slots.windows(2).take_while(|pair| near(pair)).count()
}

fn load(file: &dyn DiskFile, run: &[Slot], window: &mut Vec<u8>) -> std::io::Result<()> {
    let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(()) };
    let bytes = last.place() + last.bytes() as u64 - first.place();
    // A single record may be longer than a window; its room is not kept.
    if window.capacity() as u64 > WINDOW_BYTES && bytes <= WINDOW_BYTES {
        *window = Vec::new();
    }
    window.resize(bytes as usize, 0);
    file.read(window, first.place())
}
