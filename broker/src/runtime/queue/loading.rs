//! The owner reading messages back that are on disk. It goes on with everything else while
//! a read is under way; what needs the first message waits for it.

use std::sync::atomic::Ordering::Relaxed;

use super::spilled;
use super::stored::{self, Stored};
use super::task::Owner;
use crate::domain::queue::ready::{Entry, Load, Spilling};
use crate::storage::{BoxFuture, LogBatch, Position, ReadLimit, StorageError};

/// A read under way.
pub(super) struct Reading {
    load: Load,
    /// What comes was written and not kept, so that it counts as read from disk.
    from_disk: bool,
    done: BoxFuture<'static, Result<LogBatch, StorageError>>,
}

impl Owner {
    /// Moves messages to disk when the queue has too many in memory.
    pub(super) fn page_out(&mut self) {
        self.state.set_paging(self.memory.of().paging());
        self.state.set_spilling(self.spills.has_room());
        let mut spilling = self.state.page_out();
        spilling.extend(self.state.spill_out());
        self.spill(&spilling);
    }

    fn spill(&mut self, spilling: &[Spilling]) {
        let messages: usize = spilling.iter().map(|spilling| spilling.entries.len()).sum();
        if messages > 0 {
            self.context.traffic.disk_writes.fetch_add(messages as u64, Relaxed);
            self.spills.write(spilling);
        }
    }

    /// Moves messages that are out to disk when there are too many in memory.
    pub(super) fn spill_out(&mut self) {
        if self.state.has_out_to_spill() {
            self.state.set_spilling(self.spills.has_room());
            let spilling = self.state.spill_out();
            self.spill(&spilling);
        }
    }

    /// Starts to read what is needed next, unless something is being read.
    pub(super) fn start_reading(&mut self) {
        if self.reading.is_some() || self.dead_letters.is_loading() {
            return;
        }
        // One read at a time: dead letters, which make room, before messages that are ready.
        self.dead_letters.start_loading(&self.context.log, self.log, self.epoch);
        if self.dead_letters.is_loading() {
            return;
        }
        let wanted = !self.backlog.is_empty() || !self.state.consumers().is_empty() || self.state.is_too_long();
        let letters = self.state.is_reading_letters() && self.dead_letters.has_room();
        let wanted = wanted || letters;
        let Some(load) = self.state.next_load(wanted, letters) else { return };
        let mut from_disk = true;
        let done = match &load {
            Load::Logged(runs) => {
                let paging = self.memory.of().paging();
                // While nobody asks, the first message is enough to know when it expires: queues
                // stay on disk after a restart. When many expire, it is soon more at once.
                let mut records = paging.read_messages;
                if !wanted {
                    records = self.unasked_messages.min(records);
                    self.unasked_messages = 2 * records;
                }
                let limit = ReadLimit { records, bytes: paging.read_bytes };
                let ranges = runs.iter().map(|run| Position(*run.start())..=Position(*run.end())).collect();
                self.context.log.read(self.log, self.epoch, ranges, limit)
            }
            Load::Spilled(key) | Load::Kept(key) => match self.spills.in_memory(*key) {
                Some(block) => {
                    from_disk = false;
                    Box::pin(std::future::ready(Ok(one_block(*key, block))))
                }
                None => self.spills.read(*key),
            },
        };
        self.reading = Some(Reading { load, from_disk, done });
    }

    pub(super) async fn read(reading: &mut Option<Reading>) -> Result<LogBatch, StorageError> {
        match reading {
            Some(reading) => reading.done.as_mut().await,
            None => std::future::pending().await,
        }
    }

    /// Takes what was read.
    ///
    /// # Errors
    /// What storage says, and when it says nothing at all of what was asked.
    pub(super) fn take_read(&mut self, done: Result<LogBatch, StorageError>) -> Result<(), StorageError> {
        let Some(Reading { load, from_disk, .. }) = self.reading.take() else { return Ok(()) };
        let batch = done?;
        let lost = match load {
            Load::Logged(_) => {
                let batch = batch.leading_on()?;
                let next = batch.next.map(|next| next.0);
                let mut entries = Vec::with_capacity(batch.records.len());
                for record in batch.records {
                    let position = record.position.0;
                    match stored::from_record(record) {
                        Some(Stored { message, expires_at_ms }) => {
                            // The state knows the priority of what it asked for.
                            entries.push(Entry::published(position, message, expires_at_ms, 0, true));
                        }
                        None => self.invalid(position),
                    }
                }
                self.count_read(entries.len());
                self.state.loaded(entries, next, &mut self.outlets)
            }
            Load::Spilled(_) | Load::Kept(_) => {
                let block = batch.records.into_iter().next().map(|record| record.payload);
                let entries = block.and_then(spilled::from_block).unwrap_or_default();
                if from_disk {
                    self.count_read(entries.len());
                }
                if let Load::Spilled(key) = load {
                    self.forget_spilled(&[key]);
                }
                self.state.loaded(entries, None, &mut self.outlets)
            }
        };
        if lost.messages > 0 {
            tracing::error!(queue = %self.resource(), messages = lost.messages, "messages on disk were damaged and are lost");
        }
        Ok(())
    }

    fn count_read(&self, messages: usize) {
        self.context.traffic.disk_reads.fetch_add(messages as u64, Relaxed);
    }

    pub(super) fn invalid(&self, position: u64) {
        tracing::error!(queue = %self.resource(), position, "a stored message has no valid layout and is left out");
    }

    pub(super) fn forget_spilled(&mut self, keys: &[u64]) {
        if let Err(error) = self.spills.forget(keys) {
            tracing::error!(queue = %self.resource(), %error, "messages put on disk for want of memory stay there until the next start");
        }
    }
}

/// A block in memory as if it had been read.
fn one_block(key: u64, block: bytes::Bytes) -> LogBatch {
    let record =
        crate::storage::LogRecord { position: Position(key), meta: [0; 16], weight: 0, shares: 1, payload: block };
    LogBatch { records: vec![record], lost: Vec::new(), next: None }
}
