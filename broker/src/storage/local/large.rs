//! Large records, written beside the journal's thread into segments of their own.
//!
//! Owns what is under way. A body of hundreds of megabytes would hold up everybody's sync;
//! so another thread writes it, in parts that are synced one by one, and the journal goes on
//! meanwhile. The record counts from the moment its segment is closed, see [`super::table`]:
//! a segment of this kind without a table is one that a crash interrupted, and goes.
//!
//! Reads, openings and syncs that a record under way matters to wait for it; removes and
//! deletions only mark it, on disk as well, and it is dropped when it is there.

use std::collections::HashMap;
use std::io::Result;
use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;

use super::core::{Core, Removal};
use super::disk::{Disk, SegmentId};
use super::record::{HEAD_BYTES, Head, Header, record_bytes};
use super::request::{Answer, Reply};
use super::segment::Segment;
use super::slot::Slot;
use super::table::TableBuilder;
use super::writer::Writer;
use crate::storage::{LogRecord, Position};

/// A payload of this share of a segment or more is large.
const LARGE_SHARE: u64 = 16;

/// Payload bytes under way at most; what comes beyond is written like any other record,
/// which makes its owners wait.
const UNDER_WAY_BYTES_MAX: usize = 1 << 30;

/// Bytes written and synced at once, so that no other sync stands behind more.
const PART_BYTES: usize = 4 * 1024 * 1024;

/// Names an append that has large records under way.
pub type Ticket = u64;

#[derive(Debug)]
struct UnderWay {
    log: u64,
    position: u64,
    bytes: usize,
    /// It was removed meanwhile.
    cancelled: bool,
    ticket: Ticket,
}

/// Large records under way, and who waits for them.
#[derive(Debug, Default)]
pub struct LargeRecords {
    under_way: HashMap<SegmentId, UnderWay>,
    waiting: HashMap<Ticket, (usize, Reply<()>)>,
    blocked: Vec<Answer>,
    jobs: Vec<LargeJob>,
    bytes: usize,
    last_ticket: Ticket,
}

/// One record to write.
#[derive(Debug)]
pub struct LargeJob {
    disk: Arc<dyn Disk>,
    head: Head,
    header: Header,
    payload: Bytes,
}

/// A record that was written, or not.
#[derive(Debug)]
pub struct LargeDone {
    segment: SegmentId,
    slot: Slot,
    result: Result<u64>,
}

impl LargeJob {
    /// Writes the record, its segment's table, and makes all of it durable.
    #[must_use]
    pub fn run(self) -> LargeDone {
        let bytes = record_bytes(self.payload.len());
        let segment = self.head.segment;
        let slot = Slot::new(self.header.position, segment, HEAD_BYTES as u64, bytes, self.header.weight);
        LargeDone { segment, slot, result: self.write() }
    }

    fn write(self) -> Result<u64> {
        let Self { disk, head, header, payload } = self;
        let end = (HEAD_BYTES + record_bytes(payload.len())) as u64;
        // The head is durable before the body begins: without it, what a crash leaves of the
        // body would pass for damage.
        let mut writer = Writer::create(disk.as_ref(), head, Vec::new(), end)?;
        writer.push_in_parts(&header, &payload, PART_BYTES)?;
        let mut table = TableBuilder::default();
        table.add(&header, HEAD_BYTES as u64, &payload);
        writer.finish(table, header.group)?;
        Ok(end)
    }
}

impl LargeRecords {
    /// Whether none is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Whether it is written to.
    #[cfg(test)]
    pub fn is_under_way(&self, segment: SegmentId) -> bool {
        self.under_way.contains_key(&segment)
    }

    /// What is to be written, for another thread.
    pub fn take_jobs(&mut self) -> Vec<LargeJob> {
        std::mem::take(&mut self.jobs)
    }

    /// Whether the log has one of these positions under way.
    #[must_use]
    pub fn has_any(&self, log: u64, ranges: &[RangeInclusive<Position>]) -> bool {
        let is_wanted = |position| ranges.iter().any(|range| range.contains(&Position(position)));
        self.under_way.values().any(|large| large.log == log && !large.cancelled && is_wanted(large.position))
    }

    /// Keeps an answer until what is under way is there.
    pub fn block(&mut self, answer: Answer) {
        self.blocked.push(answer);
    }

    /// An append waits for all of its large records.
    pub fn wait(&mut self, ticket: Ticket, reply: Reply<()>) {
        let left = self.under_way.values().filter(|large| large.ticket == ticket).count();
        self.waiting.insert(ticket, (left, reply));
    }

    /// A name for an append.
    pub fn ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        self.last_ticket
    }

    /// These were removed: they are dropped when they are there. Tells which that concerns, as
    /// log, position and segment: the disk has to know, as a crash may find them whole.
    pub fn cancel(&mut self, removals: &[Removal]) -> Vec<(u64, u64, SegmentId)> {
        let mut cancelled = Vec::new();
        for (segment, large) in self.under_way.iter_mut().filter(|(_, large)| !large.cancelled) {
            large.cancelled = removals
                .iter()
                .any(|(log, first, last)| *log == large.log && (*first..=*last).contains(&large.position));
            if large.cancelled {
                cancelled.push((large.log, large.position, *segment));
            }
        }
        cancelled
    }

    /// Everybody who waits, to be refused.
    pub fn take_waiting(&mut self) -> Vec<Answer> {
        let waiting = self.waiting.drain().map(|(_, (_, reply))| Answer::Done(reply));
        waiting.chain(self.blocked.drain(..)).collect()
    }
}

impl Core {
    /// Whether a record is to be written beside the journal. What several logs share is not:
    /// it is stored once.
    pub(super) fn is_large(&self, record: &LogRecord) -> bool {
        record.payload.len() as u64 >= self.segment_bytes / LARGE_SHARE
            && record.shares <= 1
            && self.large.bytes + record.payload.len() <= UNDER_WAY_BYTES_MAX
    }

    /// Has a record written into a segment of its own.
    pub(super) fn begin_large(&mut self, ticket: Ticket, header: Header, record: &LogRecord) {
        let segment = self.take_segment();
        let head = Head { segment, nonce: self.nonce, previous: 0, previous_bytes: 0, is_single: true };
        let payload = record.payload.clone();
        let bytes = payload.len();
        self.large.bytes += bytes;
        let large = UnderWay { log: header.log, position: header.position, bytes, cancelled: false, ticket };
        self.large.under_way.insert(segment, large);
        self.large.jobs.push(LargeJob { disk: Arc::clone(&self.disk), head, header, payload });
    }

    /// A record was written: from now on it counts.
    ///
    /// # Errors
    /// The disk's: the journal has failed.
    pub(super) fn finish_large(&mut self, done: LargeDone) -> Result<()> {
        let Some(large) = self.large.under_way.remove(&done.segment) else { return Ok(()) };
        let end = done.result?;
        self.large.bytes -= large.bytes;
        self.space.note_written(large.bytes);
        self.segments.insert(done.segment, Segment { bytes: end, ..Segment::default() });
        self.reclaim.note_closed();
        if let Some(index) = self.logs.get_mut(&large.log).filter(|_| !large.cancelled) {
            index.insert(done.slot);
            if let Some(segment) = self.segments.get_mut(&done.segment) {
                segment.add_live(1, done.slot.bytes() as u64);
            }
        }
        if let Some((left, _)) = self.large.waiting.get_mut(&large.ticket) {
            *left -= 1;
            if *left == 0
                && let Some((_, reply)) = self.large.waiting.remove(&large.ticket)
            {
                self.answers.push(Answer::Done(reply));
            }
        }
        let blocked = std::mem::take(&mut self.large.blocked);
        self.answers.extend(blocked);
        Ok(())
    }

    /// Whether an answer has to wait for a record under way.
    pub(super) fn waits_for_large(&self, answer: &Answer) -> bool {
        match answer {
            Answer::Read(read) => self.large.has_any(read.log.0, &read.ranges),
            Answer::Open(log, _) => self.large.has_any(log.0, &[Position(0)..=Position(u64::MAX)]),
            Answer::Synced(_) | Answer::Closed(_) => !self.large.is_idle(),
            Answer::Done(_) | Answer::Invalid(_) | Answer::Logs(_) => false,
        }
    }
}
