//! What must be remembered of a message that is in the queue's log but not ready: that it
//! died and why, or until when it waits. Written to a log of notes beside the queue's own.
//!
//! ```text
//! meta: | position u64 | time u48 | failures u8 | what u8 |      weight: times handed out
//! ```
//! Integers are little-endian; the time is in milliseconds since the epoch. A note whose
//! message is gone, or that was not durable in time, does no harm: the message is ready
//! again, which is what it was before.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;

use super::logs::LogKind;
use crate::domain::queue::state::DropReason;
use crate::storage::{Epoch, LogId, LogRecord, Position, QueueLog, ReadLimit, StorageError};

/// Notes read at once.
const NOTES_PER_READ_MAX: ReadLimit = ReadLimit { records: 4096, bytes: 1 << 20 };

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// It left, and nobody took it yet.
    Died(DropReason),
    /// It comes back later.
    Delayed,
}

/// What is remembered of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Note {
    /// Its place in the queue's log.
    pub(super) position: u64,
    /// When it died, or when it is ready, in milliseconds since the epoch.
    pub(super) at_ms: u64,
    /// Failed deliveries.
    pub(super) failures: u16,
    /// How often it was handed out.
    pub(super) acquired: u32,
    /// What became of it.
    pub(super) what: What,
}

impl Note {
    fn to_record(self, place: u64) -> LogRecord {
        let mut meta = [0; 16];
        meta[..8].copy_from_slice(&self.position.to_le_bytes());
        meta[8..14].copy_from_slice(&self.at_ms.to_le_bytes()[..6]);
        meta[14] = u8::try_from(self.failures).unwrap_or(u8::MAX);
        meta[15] = match self.what {
            What::Died(DropReason::Rejected) => 1,
            What::Died(DropReason::Expired) => 2,
            What::Died(DropReason::MaxLength) => 3,
            What::Died(DropReason::DeliveryLimit) => 4,
            What::Delayed => 5,
        };
        LogRecord { position: Position(place), meta, weight: self.acquired, shares: 1, payload: Bytes::new() }
    }

    /// `None` when the record was not made by [`Self::to_record`].
    fn from_record(record: &LogRecord) -> Option<Self> {
        let (position, rest) = record.meta.split_first_chunk::<8>()?;
        let at_ms = [rest[0], rest[1], rest[2], rest[3], rest[4], rest[5], 0, 0];
        let what = match rest[7] {
            1 => What::Died(DropReason::Rejected),
            2 => What::Died(DropReason::Expired),
            3 => What::Died(DropReason::MaxLength),
            4 => What::Died(DropReason::DeliveryLimit),
            5 => What::Delayed,
            _ => return None,
        };
        Some(Self {
            position: u64::from_le_bytes(*position),
            at_ms: u64::from_le_bytes(at_ms),
            failures: rest[6].into(),
            acquired: record.weight,
            what,
        })
    }
}

/// The notes of one queue.
pub(super) struct Notes {
    storage: Arc<dyn QueueLog>,
    log: LogId,
    epoch: Epoch,
    last: u64,
    fresh: Vec<LogRecord>,
    done: Vec<RangeInclusive<Position>>,
}

impl Notes {
    pub(super) fn new(storage: Arc<dyn QueueLog>, queue: LogId, epoch: Epoch) -> Self {
        Self { storage, log: LogKind::Notes.of(queue), epoch, last: 0, fresh: Vec::new(), done: Vec::new() }
    }

    /// Writes something down with the next [`Self::flush`], and names it.
    pub(super) fn write(&mut self, note: Note) -> u64 {
        self.last += 1;
        self.fresh.push(note.to_record(self.last));
        self.last
    }

    /// A note is no longer needed.
    pub(super) fn erase(&mut self, name: u64) {
        match self.done.last_mut() {
            Some(range) if range.end().0 + 1 == name => *range = *range.start()..=Position(name),
            _ => self.done.push(Position(name)..=Position(name)),
        }
    }

    /// Hands storage what was written and erased.
    ///
    /// # Errors
    /// What storage says of removing.
    pub(super) fn flush(&mut self) -> Result<(), StorageError> {
        if !self.fresh.is_empty() {
            // Nobody waits for notes: one that is not durable in time is as good as none.
            drop(self.storage.append(self.log, self.epoch, std::mem::take(&mut self.fresh)));
        }
        match self.done.is_empty() {
            true => Ok(()),
            false => self.storage.remove(self.log, self.epoch, std::mem::take(&mut self.done)),
        }
    }

    /// Everything noted before the last stop, by the position of its message.
    ///
    /// # Errors
    /// What storage says.
    pub(super) async fn recover(&mut self) -> Result<HashMap<u64, (u64, Note)>, StorageError> {
        let summary = self.storage.open(self.log, self.epoch).await?;
        let mut notes = HashMap::new();
        let Some(last) = summary.ranges.last().map(|range| *range.end()) else { return Ok(notes) };
        self.last = last.0;
        let mut from = Some(summary.ranges[0].start().0);
        while let Some(first) = from {
            let ranges = vec![Position(first)..=last];
            let batch = self.storage.read(self.log, self.epoch, ranges, NOTES_PER_READ_MAX).await?;
            for record in &batch.records {
                match Note::from_record(record) {
                    Some(note) => {
                        if let Some((earlier, _)) = notes.insert(note.position, (record.position.0, note)) {
                            self.erase(earlier);
                        }
                    }
                    None => self.erase(record.position.0),
                }
            }
            from = batch.next.map(|next| next.0).filter(|next| *next > first);
        }
        Ok(notes)
    }

    /// Whether nothing was ever written.
    pub(super) fn is_unused(&self) -> bool {
        self.last == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_survives_the_log() {
        let reasons = [DropReason::Rejected, DropReason::Expired, DropReason::MaxLength, DropReason::DeliveryLimit];
        for what in reasons.map(What::Died).into_iter().chain([What::Delayed]) {
            let note = Note { position: 1 << 40, at_ms: 1_790_000_000_123, failures: 7, acquired: 70_000, what };
            assert_eq!(Note::from_record(&note.to_record(9)), Some(note));
        }
        let mut record = Note { position: 1, at_ms: 1, failures: 0, acquired: 0, what: What::Delayed }.to_record(1);
        record.meta[15] = 9;
        assert_eq!(Note::from_record(&record), None);
    }
}
