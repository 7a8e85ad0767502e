//! Brings the live records of opened logs back from disk, a bounded amount at a time.
//!
//! Owns the reading of logs that are being opened. Logs opened together are read together,
//! in the order of the disk: opening 10,000 logs is one pass, not 10,000. Knows slots and
//! bytes; that no segment goes away meanwhile is the caller's promise.

use bytes::Bytes;
use tokio::sync::oneshot;

use super::disk::{Disk, DiskFile, SegmentId};
use super::index::Slot;
use super::record::{Checker, Kind, RECORD_HEADER_BYTES};
use crate::storage::{LogRecord, Position, StorageError};

/// Bytes read at once.
const WINDOW_BYTES: usize = 256 * 1024;

/// Unwanted bytes between two wanted records that are read over rather than skipped.
const GAP_BYTES_MAX: u64 = 16 * 1024;

/// Bytes loaded before other work gets its turn.
const STEP_BYTES: usize = 4 * 1024 * 1024;

/// Where the records of an opened log are sent.
pub type OpenReply = oneshot::Sender<Result<Vec<LogRecord>, StorageError>>;

#[derive(Debug)]
struct Wanted {
    slot: Slot,
    log: u32,
    index: u32,
}

#[derive(Debug)]
struct Opening {
    log: u64,
    records: Vec<LogRecord>,
    missing: usize,
    reply: Option<OpenReply>,
}

/// Logs being opened together.
#[derive(Debug, Default)]
pub struct Loader {
    wanted: Vec<Wanted>,
    next: usize,
    openings: Vec<Opening>,
    file: Option<(SegmentId, Box<dyn DiskFile>)>,
    window: Vec<u8>,
}

impl Loader {
    /// Adds a log; an empty one is answered at once.
    pub fn add<'s>(&mut self, log: u64, slots: impl Iterator<Item = &'s Slot>, count: usize, reply: OpenReply) {
        if count == 0 {
            let _ = reply.send(Ok(Vec::new()));
            return;
        }
        let number = self.openings.len() as u32;
        let mut records = Vec::with_capacity(count);
        for (index, slot) in slots.enumerate() {
            self.wanted.push(Wanted { slot: *slot, log: number, index: index as u32 });
            records.push(LogRecord { position: Position(slot.position()), meta: [0; 20], payload: Bytes::new() });
        }
        let missing = records.len();
        self.openings.push(Opening { log, records, missing, reply: Some(reply) });
    }

    /// Call once after the last [`Self::add`].
    pub fn arrange(&mut self) {
        self.wanted.sort_unstable_by_key(|wanted| (wanted.slot.segment(), wanted.slot.place()));
    }

    /// Whether everything was answered.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.next == self.wanted.len()
    }

    /// Loads a bounded amount, and answers the logs that are complete.
    pub fn step(&mut self, disk: &dyn Disk, nonce: u64) {
        let mut loaded = 0;
        while loaded < STEP_BYTES && !self.is_done() {
            let run = self.run();
            match self.load(disk, nonce, run) {
                Ok(bytes) => loaded += bytes,
                Err(error) => {
                    tracing::error!("cannot read records back: {error}");
                    for wanted in &self.wanted[self.next..run] {
                        if let Some(reply) = self.openings[wanted.log as usize].reply.take() {
                            let _ = reply.send(Err(error.clone()));
                        }
                    }
                }
            }
            self.next = run;
        }
    }

    /// End of the next run of records that one read covers.
    fn run(&self) -> usize {
        let first = self.wanted[self.next].slot;
        let mut end = self.next + 1;
        while let (Some(wanted), last) = (self.wanted.get(end), self.wanted[end - 1].slot) {
            let slot = wanted.slot;
            let near = slot.segment() == first.segment()
                && slot.place() - (last.place() + last.bytes() as u64) <= GAP_BYTES_MAX
                && slot.place() + slot.bytes() as u64 - first.place() <= WINDOW_BYTES as u64;
            if !near {
                break;
            }
            end += 1;
        }
        end
    }

    fn load(&mut self, disk: &dyn Disk, nonce: u64, run: usize) -> Result<usize, StorageError> {
        let (first, last) = (self.wanted[self.next].slot, self.wanted[run - 1].slot);
        let io = |error| StorageError::Unavailable(format!("journal segment {}: {error}", first.segment()));
        if self.file.as_ref().is_none_or(|(id, _)| *id != first.segment()) {
            self.file = Some((first.segment(), disk.open(first.segment()).map_err(io)?));
        }
        let Some((_, file)) = &self.file else { return Ok(0) };
        let start = first.place();
        let length = (last.place() + last.bytes() as u64 - start) as usize;
        self.window.resize(length, 0);
        file.read(&mut self.window, start).map_err(io)?;
        let checker = Checker::new(nonce, first.segment());
        for wanted in &self.wanted[self.next..run] {
            let opening = &mut self.openings[wanted.log as usize];
            let place = wanted.slot.place();
            let bytes = &self.window[(place - start) as usize..][..wanted.slot.bytes()];
            let (header, payload) = checker
                .decode(place, bytes)
                .filter(|(header, _)| {
                    header.kind == Kind::Data && header.log == opening.log && header.position == wanted.slot.position()
                })
                .ok_or_else(|| {
                    StorageError::Damaged(format!("journal segment {}, record at {place}", first.segment()))
                })?;
            debug_assert_eq!(bytes.len(), (RECORD_HEADER_BYTES + payload.len()).next_multiple_of(8));
            let record = &mut opening.records[wanted.index as usize];
            record.meta = header.meta;
            record.payload = Bytes::copy_from_slice(payload);
            opening.missing -= 1;
            if opening.missing == 0
                && let Some(reply) = opening.reply.take()
            {
                let _ = reply.send(Ok(std::mem::take(&mut opening.records)));
            }
        }
        // A single record may be larger than a window; its room is not kept.
        self.window.shrink_to(WINDOW_BYTES);
        Ok(length)
    }
}
