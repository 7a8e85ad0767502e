//! The owner's start: what the log holds of the stream. Of all messages only the last is read.

use super::task::{Owner, offset, position};
use super::{pages::Pages, segment_log::SegmentLog};
use crate::domain::stream::{Left, Segments};
use crate::runtime::queue::{Recover, from_record};
use crate::storage::{LogBatch, Position, ReadLimit, StorageError};

impl Owner {
    /// Takes over what the log holds.
    ///
    /// # Errors
    /// What storage says.
    pub(super) async fn recover(&mut self) -> Result<(), StorageError> {
        if self.context.recover == Recover::Nothing {
            return Ok(());
        }
        let summary = self.context.log.open(self.log, self.epoch).await?;
        self.segment_log = SegmentLog::new(self.context.log.clone(), self.log, self.epoch);
        let recorded = self.segment_log.recover().await?;
        // Where the newest segment begins messages were, whether or not they are lost: their
        // offsets are not given again.
        let newest = recorded.last().map_or(0, |segment| segment.first);
        let (first, next) = match (summary.ranges.first(), summary.ranges.last()) {
            (Some(front), Some(back)) => (offset(front.start().0), newest.max(offset(back.end().0) + 1)),
            _ => (newest, newest),
        };
        let last_at_ms = match next.checked_sub(1) {
            Some(last) => {
                let range = Position(position(last))..=Position(position(last));
                let limit = ReadLimit { records: 1, bytes: 0 };
                last_taken_ms(self.context.log.read(self.log, self.epoch, vec![range], limit).await?)
            }
            None => None,
        };
        let begun_ms = recorded.iter().map(|segment| segment.first_at_ms).max().unwrap_or(0);
        let left = Left { first, next, last_at_ms: last_at_ms.unwrap_or(0).max(begun_ms), body_bytes: summary.weight };
        self.segments = Segments::recovered(&recorded, &left);
        self.pages = Pages::new(next);
        self.durable = next;
        self.last_batch = next.saturating_sub(1);
        self.retain();
        Ok(())
    }
}

/// When the last of the messages was taken, in milliseconds since the epoch; `None` when it is lost.
fn last_taken_ms(batch: LogBatch) -> Option<u64> {
    batch.records.into_iter().next_back().and_then(from_record).map(|stored| stored.expires_at_ms)
}
