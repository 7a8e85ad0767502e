//! The owner reading the log: pages for readers that are behind, and single messages to find
//! out where a time is. It goes on with everything else while a read is under way.

use std::sync::atomic::Ordering::Relaxed;

use super::pages::Page;
use super::reader::READ_MESSAGES_MIN;
use super::task::{Owner, offset, position};
use crate::runtime::queue::from_record;
use crate::storage::{BoxFuture, LogBatch, Position, ReadLimit, StorageError};

/// What a read is for.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    /// Messages of `from..end`.
    Page { from: u64, end: u64 },
    /// The first message from `asked` on, for that reader.
    Look { reader: u32, asked: u64 },
}

/// A read under way.
pub(super) struct Reading {
    purpose: Purpose,
    done: BoxFuture<'static, Result<LogBatch, StorageError>>,
}

impl Reading {
    pub(super) async fn turn(reading: &mut Option<Self>) -> Result<LogBatch, StorageError> {
        match reading {
            Some(reading) => reading.done.as_mut().await,
            None => std::future::pending().await,
        }
    }
}

impl Owner {
    /// Starts to read what a reader waits for, unless something is being read.
    pub(super) fn start_reading(&mut self) {
        if self.reading.is_some() || self.readers.is_empty() {
            return;
        }
        let Some((purpose, last, limit)) = self.wanted() else { return };
        let (Purpose::Page { from: first, .. } | Purpose::Look { asked: first, .. }) = purpose;
        let range = Position(position(first))..=Position(position(last));
        let done = self.context.log.read(self.log, self.epoch, vec![range], limit);
        self.reading = Some(Reading { purpose, done });
        self.readers.turn();
    }

    /// What to read next: up to which offset, and how much.
    fn wanted(&mut self) -> Option<(Purpose, u64, ReadLimit)> {
        let paging = self.memory.of().paging();
        let Self { readers, pages, durable, .. } = self;
        let mut ahead = None;
        for reader in readers.in_turn() {
            if let Some(search) = &reader.search {
                if let Some((asked, last)) = search.look() {
                    let limit = ReadLimit { records: 1, bytes: 0 };
                    return Some((Purpose::Look { reader: reader.id, asked }, last, limit));
                }
                reader.next = search.found().unwrap_or(reader.next);
                reader.search = None;
                // It starts in the next pass.
                self.unfinished = true;
                continue;
            }
            let records = reader.read_messages.min(paging.read_messages);
            let limit = ReadLimit { records, bytes: paging.read_bytes };
            if let Some(last) = pages.missing(reader.next, *durable)
                && reader.has_room()
            {
                reader.read_messages = (2 * records).min(paging.read_messages.max(READ_MESSAGES_MIN));
                return Some((Purpose::Page { from: reader.next, end: last + 1 }, last, limit));
            }
            // One that takes much has the next page read while it gets this one.
            if ahead.is_none()
                && records == paging.read_messages
                && let Some(from) = pages.end_of(reader.next)
                && let Some(last) = pages.missing(from, *durable)
            {
                ahead = Some((Purpose::Page { from, end: last + 1 }, last, limit));
            }
        }
        ahead.filter(|_| pages.bytes() + paging.read_bytes <= paging.logged_bytes as usize)
    }

    /// Takes what was read.
    ///
    /// # Errors
    /// What storage says: the stream cannot be read.
    pub(super) fn take_read(&mut self, done: Result<LogBatch, StorageError>) -> Result<(), StorageError> {
        let Some(Reading { purpose, .. }) = self.reading.take() else { return Ok(()) };
        let batch = done?.leading_on()?;
        if !batch.lost.is_empty() {
            let messages = batch.lost.len();
            tracing::error!(queue = %self.resource(), messages, "messages on disk were damaged and are lost");
        }
        self.context.traffic.disk_reads.fetch_add(batch.records.len() as u64, Relaxed);
        let next = batch.next.map(|next| offset(next.0));
        let mut read = Vec::with_capacity(batch.records.len());
        for record in batch.records {
            let at = offset(record.position.0);
            match from_record(record) {
                Some(stored) => read.push((at, stored)),
                None => {
                    tracing::error!(queue = %self.resource(), offset = at, "a stored message has no valid layout and is left out");
                }
            }
        }
        match purpose {
            Purpose::Page { from, end } => {
                let messages = read.into_iter().map(|(at, stored)| (at, stored.message)).collect();
                self.pages.insert(Page::new(from, next.unwrap_or(end).min(end), messages));
            }
            Purpose::Look { reader, asked } => {
                let found = read.first().map(|(at, stored)| (*at, stored.expires_at_ms));
                // What was lost is asked for again, and then passed over.
                if let Some(search) = self.readers.get(reader).and_then(|reader| reader.search.as_mut())
                    && (found.is_some() || next.is_none())
                {
                    search.saw(asked, found);
                }
            }
        }
        Ok(())
    }
}
