//! The start: when each stored message is due stands beside it, so all are read through once,
//! a few at a time.

use std::sync::atomic::Ordering::Relaxed;

use super::schedule::Due;
use super::task::{Owner, READ_BYTES_MAX, READ_MESSAGES_MAX};
use crate::runtime::queue::stored;
use crate::storage::{ReadLimit, StorageError};

/// Runs of positions asked for at once.
const RUNS_PER_READ_MAX: usize = 256;

impl Owner {
    /// Takes over what the log holds.
    ///
    /// # Errors
    /// What storage says.
    pub(super) async fn recover(&mut self) -> Result<(), StorageError> {
        if !self.context.recover {
            return Ok(());
        }
        let summary = self.context.log.open(self.log, self.epoch).await?;
        if let Some(last) = summary.ranges.last() {
            self.next_position = last.end().0 + 1;
        }
        // Listings tell how many wait while it is found out for how long.
        self.stats.ready.store(summary.records, Relaxed);
        let limit = ReadLimit { records: READ_MESSAGES_MAX, bytes: READ_BYTES_MAX };
        for runs in summary.ranges.chunks(RUNS_PER_READ_MAX) {
            let mut asked = runs.to_vec();
            while !asked.is_empty() {
                let batch = self.context.log.read(self.log, self.epoch, asked.clone(), limit).await?.leading_on()?;
                self.lost(batch.lost.len());
                for record in batch.records {
                    let position = record.position.0;
                    match stored::from_record(record) {
                        Some(stored) => self.schedule.push(Due { at_ms: stored.expires_at_ms, position }),
                        None => self.invalid(position),
                    }
                }
                match batch.next {
                    Some(next) => {
                        asked.retain(|range| *range.end() >= next);
                        if let Some(first) = asked.first_mut() {
                            *first = next.max(*first.start())..=*first.end();
                        }
                    }
                    None => asked.clear(),
                }
                // Others start meanwhile.
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }
}
