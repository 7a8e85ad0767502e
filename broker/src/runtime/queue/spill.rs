//! Messages the queue's log does not have, written down because memory is short.
//!
//! They go to a second log of the queue, many as one record. Nobody knows that log after a
//! restart, so it is swept then. What is not written yet, or could not be, is in memory.

use std::collections::{HashMap, VecDeque};
use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use tokio::time::{Duration, Instant};

use super::logs::LogKind;
use super::spilled;
use crate::domain::queue::ready::Spilling;
use crate::storage::{BoxFuture, Epoch, LogBatch, LogId, LogRecord, Position, QueueLog, ReadLimit, StorageError};

/// Bytes of one queue's writes under way, beside the last. Beyond it messages stay in memory and
/// the queue stops reading its mailbox, as it does for appends: while the disk is full it reads
/// on, for the acknowledgements that make room there.
const BYTES_UNDER_WAY_MAX: usize = 8 << 20;

/// After a write was refused none is tried for so long.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// A write under way, and what it writes.
struct Write {
    blocks: Vec<(u64, Bytes)>,
    bytes: usize,
    done: BoxFuture<'static, Result<(), StorageError>>,
}

/// What one queue has spilled.
pub(super) struct Spills {
    storage: Arc<dyn QueueLog>,
    log: LogId,
    epoch: Epoch,
    under_way: VecDeque<Write>,
    /// Bytes of them.
    bytes: usize,
    /// What could not be written.
    kept: HashMap<u64, Bytes>,
    written: bool,
    refused_at: Option<Instant>,
}

impl Spills {
    pub(super) fn new(storage: Arc<dyn QueueLog>, queue: LogId, epoch: Epoch) -> Self {
        let log = LogKind::Spilled.of(queue);
        Self {
            storage,
            log,
            epoch,
            under_way: VecDeque::new(),
            bytes: 0,
            kept: HashMap::new(),
            written: false,
            refused_at: None,
        }
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
        let bytes = blocks.iter().map(|(_, block)| block.len()).sum();
        self.bytes += bytes;
        self.under_way.push_back(Write { blocks, bytes, done });
    }

    /// Whether its log was never begun.
    pub(super) fn is_unused(&self) -> bool {
        !self.written && self.under_way.is_empty() && self.kept.is_empty()
    }

    /// Whether more may be written: after a refusal one write, a little later, until one succeeds.
    pub(super) fn has_room(&self) -> bool {
        match self.refused_at {
            None => !self.is_full(),
            Some(at) => self.under_way.is_empty() && at.elapsed() >= RETRY_DELAY,
        }
    }

    /// Whether the disk is slower than the queue.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= BYTES_UNDER_WAY_MAX
    }

    /// Bytes of memory that messages on their way to disk take.
    pub(super) fn bytes_under_way(&self) -> u64 {
        self.bytes as u64
    }

    /// Whether [`Self::turn`] has anything to wait for.
    pub(super) fn is_busy(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// Waits for the first write; an error says that what it was to write stays in memory.
    pub(super) async fn turn(&mut self) -> Result<(), StorageError> {
        let Some(write) = self.under_way.front_mut() else { return Ok(()) };
        let done = write.done.as_mut().await;
        let write = self.under_way.pop_front();
        self.bytes -= write.as_ref().map_or(0, |write| write.bytes);
        match &done {
            Ok(()) => self.refused_at = None,
            Err(_) => {
                self.kept.extend(write.into_iter().flat_map(|write| write.blocks));
                self.refused_at = Some(Instant::now());
            }
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
        self.bytes = 0;
        if std::mem::take(&mut self.written) { self.storage.delete(self.log).await } else { Ok(()) }
    }
}
