//! The owner taking messages: every one goes to the log, whatever its delivery mode.

use std::sync::atomic::Ordering::Relaxed;

use super::appends::Append;
use super::task::{Owner, position};
use crate::runtime::clock::now_ms;
use crate::runtime::queue::{Confirms, Incoming, PublishBatch, push_range, to_record};
use crate::storage::Position;

impl Owner {
    pub(super) fn take(&mut self, batch: PublishBatch) {
        let at_ms = self.segments.time_ms(now_ms());
        let first = self.segments.next();
        let is_read = !self.readers.is_empty();
        let mut begun = Vec::new();
        let mut ranges = Vec::new();
        let mut records = Vec::with_capacity(batch.messages.len());
        for Incoming { message, sequence, channel, epoch, shares } in batch.messages {
            records.push(to_record(position(self.segments.next()), &message, at_ms, shares));
            begun.extend(self.segments.push(message.body_len(), at_ms, &self.retention));
            push_range(&mut ranges, channel, epoch, sequence, true);
            match is_read {
                true => self.pages.push(message),
                false => self.pages.skip(),
            }
        }
        if records.is_empty() {
            return;
        }
        self.counters.publish += records.len() as u64;
        self.context.traffic.disk_writes.fetch_add(records.len() as u64, Relaxed);
        self.last_batch = first;
        self.segment_log.begin(&begun);
        let done = self.context.log.append(self.log, self.epoch, records);
        self.appends.push(Append { done, end: self.segments.next(), confirms: Confirms::of(batch.from, ranges) });
        if !begun.is_empty() {
            self.retain();
        }
    }

    /// Drops what is not to be kept.
    pub(super) fn retain(&mut self) {
        let Some(dropped) = self.segments.retain(&self.retention, now_ms()) else { return };
        tracing::debug!(
            queue = %self.resource(), first = dropped.first, too_large = dropped.too_large, too_old = dropped.too_old,
            "segments dropped"
        );
        let messages = Position(position(0))..=Position(position(dropped.first - 1));
        let removed = self.context.log.remove(self.log, self.epoch, vec![messages]);
        if let Err(error) = removed.and_then(|()| self.segment_log.forget_before(dropped.first)) {
            tracing::error!(queue = %self.resource(), %error, "dropped messages stay in the log and may come back after a crash");
        }
    }
}
