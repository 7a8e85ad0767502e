//! The segments of a stream in a log of their own: what a start must know without reading
//! messages, a record each.
//!
//! ```text
//! meta:    | first_at_ms u64 | before_at_ms u64 |      payload: | first u64 | bodies_before_bytes u64 |
//! ```
//! Integers are little-endian. A record is handed to storage before the first message of its
//! segment, so a message never stands in a segment that is not known.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use crate::domain::stream::Segment;
use crate::runtime::queue::second_of;
use crate::storage::{Epoch, LogId, LogRecord, Position, QueueLog, ReadLimit, StorageError};

/// How much of it is read at once.
const READ: ReadLimit = ReadLimit { records: 4096, bytes: 256 << 10 };

/// The log of segments of a stream whose messages are in that log.
pub(crate) fn segments_of(log: LogId) -> LogId {
    second_of(log)
}

/// What is recorded of the segments of one stream.
pub(super) struct SegmentLog {
    storage: Arc<dyn QueueLog>,
    log: LogId,
    epoch: Epoch,
    next_position: u64,
    /// Position and first offset of each record.
    recorded: VecDeque<(u64, u64)>,
}

impl SegmentLog {
    pub(super) fn new(storage: Arc<dyn QueueLog>, stream: LogId, epoch: Epoch) -> Self {
        Self { storage, log: segments_of(stream), epoch, next_position: 1, recorded: VecDeque::new() }
    }

    /// Reads what is recorded, oldest first.
    ///
    /// # Errors
    /// What storage says.
    pub(super) async fn recover(&mut self) -> Result<Vec<Segment>, StorageError> {
        let summary = self.storage.open(self.log, self.epoch).await?;
        let Some(last) = summary.ranges.last().map(|range| *range.end()) else { return Ok(Vec::new()) };
        self.next_position = last.0 + 1;
        let mut segments = Vec::new();
        let mut from = Some(Position(0));
        while let Some(first) = from {
            let batch = self.storage.read(self.log, self.epoch, vec![first..=last], READ).await?;
            for record in batch.records {
                if let Some(segment) = from_record(&record) {
                    self.recorded.push_back((record.position.0, segment.first));
                    segments.push(segment);
                }
            }
            if batch.next == Some(first) {
                return Err(StorageError::Damaged("reading segments leads nowhere".to_owned()));
            }
            from = batch.next;
        }
        Ok(segments)
    }

    /// Segments began. They are durable before what is appended from now on.
    pub(super) fn begin(&mut self, segments: &[Segment]) {
        if segments.is_empty() {
            return;
        }
        let mut records = Vec::with_capacity(segments.len());
        for segment in segments {
            self.recorded.push_back((self.next_position, segment.first));
            records.push(to_record(self.next_position, segment));
            self.next_position += 1;
        }
        // Whoever appends messages waits for what was appended before, and hears of failures.
        drop(self.storage.append(self.log, self.epoch, records));
    }

    /// Segments before the one with that first message are gone.
    ///
    /// # Errors
    /// As [`QueueLog::remove`].
    pub(super) fn forget_before(&mut self, first: u64) -> Result<(), StorageError> {
        let mut through = None;
        while self.recorded.get(1).is_some_and(|(_, after)| *after <= first) {
            through = self.recorded.pop_front().map(|(position, _)| position);
        }
        match through {
            Some(through) => self.storage.remove(self.log, self.epoch, vec![Position(0)..=Position(through)]),
            None => Ok(()),
        }
    }
}

fn to_record(position: u64, segment: &Segment) -> LogRecord {
    let pair = |a: u64, b: u64| {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&a.to_le_bytes());
        bytes[8..].copy_from_slice(&b.to_le_bytes());
        bytes
    };
    LogRecord {
        position: Position(position),
        meta: pair(segment.first_at_ms, segment.before_at_ms),
        weight: 0,
        shares: 1,
        payload: Bytes::copy_from_slice(&pair(segment.first, segment.bodies_before_bytes)),
    }
}

fn from_record(record: &LogRecord) -> Option<Segment> {
    let (meta, _) = record.meta.as_chunks::<8>();
    let (payload, _) = record.payload.as_chunks::<8>();
    let [first_at_ms, before_at_ms] = meta else { return None };
    let [first, bodies_before_bytes] = payload else { return None };
    Some(Segment {
        first: u64::from_le_bytes(*first),
        first_at_ms: u64::from_le_bytes(*first_at_ms),
        before_at_ms: u64::from_le_bytes(*before_at_ms),
        bodies_before_bytes: u64::from_le_bytes(*bodies_before_bytes),
    })
}
