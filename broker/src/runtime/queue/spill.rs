//! Messages the queue's log does not have, written down because memory is short.
//!
//! They go to a second log of the queue, many as one record. Nobody knows that log after a
//! restart, so it is swept then. What is not written yet, or could not be, is in memory.

use std::collections::{HashMap, VecDeque};
use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;

use super::notes::NOTES;
use super::spilled;
use crate::domain::queue::ready::Spilling;
use crate::storage::{BoxFuture, Epoch, LogBatch, LogId, LogRecord, Position, QueueLog, ReadLimit, StorageError};

/// Sets the second log of a queue apart from its first.
const SPILL: u64 = 1 << 63;

/// Writes of one queue under way. Beyond it messages stay in memory: a queue that waited for
/// the disk would not hear of the acknowledgements that make room on it.
const WRITES_UNDER_WAY_MAX: usize = 16;

/// Whose log it is, and whether it is one beside the queue's first.
pub(crate) fn owner_of(log: LogId) -> (LogId, bool) {
    (LogId(log.0 & !(SPILL | NOTES)), log.0 & (SPILL | NOTES) != 0)
}

/// The log of a queue's notes.
pub(crate) fn notes_of(queue: LogId) -> LogId {
    LogId(queue.0 | NOTES)
}

/// The second log of a queue with that first one. A stream keeps its segments there.
pub(crate) fn second_of(log: LogId) -> LogId {
    LogId(log.0 | SPILL)
}

/// A write under way, and what it writes.
struct Write {
    blocks: Vec<(u64, Bytes)>,
    done: BoxFuture<'static, Result<(), StorageError>>,
}

/// What one queue has spilled.
pub(super) struct Spills {
    storage: Arc<dyn QueueLog>,
    log: LogId,
    epoch: Epoch,
    under_way: VecDeque<Write>,
    /// What could not be written.
    kept: HashMap<u64, Bytes>,
    written: bool,
    failed: bool,
}

impl Spills {
    pub(super) fn new(storage: Arc<dyn QueueLog>, queue: LogId, epoch: Epoch) -> Self {
        let log = second_of(queue);
        Self { storage, log, epoch, under_way: VecDeque::new(), kept: HashMap::new(), written: false, failed: false }
    }

    /// Writes messages down.
    pub(super) fn write(&mut self, spilling: &[Spilling]) {
        if spilling.is_empty() {
            return;
        }
        let blocks: Vec<(u64, Bytes)> =
            spilling.iter().map(|spilling| (spilling.key, spilled::to_block(&spilling.entries))).collect();
        let record = |(key, block): &(u64, Bytes)| LogRecord {
            position: Position(*key),
            meta: [0; 16],
            weight: 0,
            shares: 1,
            payload: block.clone(),
        };
        let done = self.storage.append(self.log, self.epoch, blocks.iter().map(record).collect());
        self.written = true;
        self.under_way.push_back(Write { blocks, done });
    }

    /// Whether its log was never begun.
    pub(super) fn is_unused(&self) -> bool {
        !self.written && self.under_way.is_empty() && self.kept.is_empty()
    }

    /// Whether more may be written: never again after a failure.
    pub(super) fn has_room(&self) -> bool {
        !self.failed && self.under_way.len() < WRITES_UNDER_WAY_MAX
    }

    /// Whether [`Self::turn`] has anything to wait for.
    pub(super) fn is_busy(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// Waits for the first write; an error says that what it was to write stays in memory.
    pub(super) async fn turn(&mut self) -> Result<(), StorageError> {
        let Some(write) = self.under_way.front_mut() else { return Ok(()) };
        let done = write.done.as_mut().await;
        if let Some(write) = self.under_way.pop_front()
            && done.is_err()
        {
            self.kept.extend(write.blocks);
            self.failed = true;
        }
        done
    }

    /// The block of that key, when it is in memory.
    pub(super) fn in_memory(&self, key: u64) -> Option<Bytes> {
        let mut under_way = self.under_way.iter().flat_map(|write| &write.blocks);
        let found = under_way.find(|(written, _)| *written == key).map(|(_, block)| block);
        found.or_else(|| self.kept.get(&key)).cloned()
    }

    /// Reads the block of that key from the log.
    pub(super) fn read(&self, key: u64) -> BoxFuture<'static, Result<LogBatch, StorageError>> {
        let limit = ReadLimit { records: 1, bytes: 0 };
        self.storage.read(self.log, self.epoch, vec![Position(key)..=Position(key)], limit)
    }

    /// What was written under these keys is no longer needed.
    ///
    /// # Errors
    /// As [`QueueLog::remove`]; what stays is swept at the next start.
    pub(super) fn forget(&mut self, keys: &[u64]) -> Result<(), StorageError> {
        for write in &mut self.under_way {
            write.blocks.retain(|(key, _)| !keys.contains(key));
        }
        let written = |key: &&u64| self.kept.remove(key).is_none();
        let positions: Vec<RangeInclusive<Position>> =
            keys.iter().filter(written).map(|&key| Position(key)..=Position(key)).collect();
        if positions.is_empty() { Ok(()) } else { self.storage.remove(self.log, self.epoch, positions) }
    }

    /// The queue is deleted.
    ///
    /// # Errors
    /// As [`QueueLog::delete`]; what stays is swept at the next start.
    pub(super) async fn delete(&mut self) -> Result<(), StorageError> {
        self.under_way.clear();
        if std::mem::take(&mut self.written) { self.storage.delete(self.log).await } else { Ok(()) }
    }
}
