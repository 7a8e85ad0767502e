//! The owner's start: what the log holds of the queue, without reading more than needed.

use std::collections::{HashMap, VecDeque};
use std::ops::RangeInclusive;
use std::sync::atomic::Ordering::Relaxed;

use super::lane::Demised;
use super::notes::{Note, What};
use super::stored::{self, Stored};
use super::task::Owner;
use crate::domain::queue::page::Sum;
use crate::domain::queue::ready::Entry;
use crate::storage::{Position, ReadLimit, StorageError};

/// Runs of positions asked for at once.
const RUNS_PER_READ_MAX: usize = 256;

impl Owner {
    /// Takes over what the log holds: positions only, unless every message's priority must
    /// be known.
    ///
    /// # Errors
    /// What storage says.
    pub(super) async fn recover(&mut self) -> Result<(), StorageError> {
        if !self.context.spec.durable || !self.context.recover {
            return Ok(());
        }
        let summary = self.context.log.open(self.log, self.epoch).await?;
        if let Some(last) = summary.ranges.last() {
            self.state.start_behind(last.end().0);
        }
        let noted = match &mut self.notes {
            Some(notes) => notes.recover().await?,
            None => HashMap::new(),
        };
        if self.state.limits().max_priority == 0 {
            let runs: Vec<RangeInclusive<u64>> =
                summary.ranges.iter().map(|range| range.start().0..=range.end().0).collect();
            self.state.recover(0, &runs, Sum { messages: summary.records, bytes: summary.weight });
            return Ok(());
        }
        // Listings tell how long the queue is while its order is found out.
        let stats = &self.stats;
        for (count, value) in [
            (&stats.ready, summary.records),
            (&stats.ready_bytes, summary.weight),
            (&stats.ready_paged, summary.records),
            (&stats.ready_paged_bytes, summary.weight),
            (&stats.persistent, summary.records),
            (&stats.persistent_bytes, summary.weight),
        ] {
            count.store(value, Relaxed);
        }
        self.sort_by_priority(summary.ranges.into(), noted).await
    }

    /// Reads through all messages, a few at a time, and keeps their positions by priority.
    async fn sort_by_priority(
        &mut self,
        mut ranges: VecDeque<RangeInclusive<Position>>,
        mut noted: HashMap<u64, (u64, Note)>,
    ) -> Result<(), StorageError> {
        let paging = self.memory.of().paging();
        let limit = ReadLimit { records: paging.read_messages, bytes: paging.read_bytes };
        while !ranges.is_empty() {
            let asked: Vec<_> = ranges.drain(..ranges.len().min(RUNS_PER_READ_MAX)).collect();
            let batch = self.context.log.read(self.log, self.epoch, asked.clone(), limit).await?;
            if batch.records.is_empty() && batch.lost.is_empty() && batch.next.is_some() {
                return Err(StorageError::Damaged("reading messages leads nowhere".to_owned()));
            }
            for record in batch.records {
                let position = record.position.0;
                match stored::from_record(record) {
                    Some(stored) if noted.contains_key(&position) => {
                        if let Some((name, note)) = noted.remove(&position) {
                            self.recover_noted(name, note, stored);
                        }
                    }
                    Some(Stored { message, .. }) => {
                        let sum = Sum { messages: 1, bytes: message.body_len().into() };
                        self.state.recover(self.priority(&message), &[position..=position], sum);
                    }
                    None => self.invalid(position),
                }
            }
            if let Some(next) = batch.next {
                let left = asked.into_iter().rev().filter(|range| *range.end() >= next);
                left.for_each(|range| ranges.push_front(next.max(*range.start())..=*range.end()));
            }
            // Other queues start meanwhile.
            tokio::task::yield_now().await;
        }
        // Notes of messages that are gone.
        if let Some(notes) = &mut self.notes {
            noted.into_values().for_each(|(name, _)| notes.erase(name));
        }
        if self.dead_letters.terms().is_none() {
            // Meanwhile there is nowhere to send them.
            let over = self.dead_letters.purge();
            self.buried(&over);
        }
        self.count_dead();
        Ok(())
    }

    /// A message that was not ready.
    fn recover_noted(&mut self, name: u64, note: Note, stored: Stored) {
        let Note { position, at_ms, failures, acquired, what } = note;
        match what {
            What::Died(reason) => self.dead_letters.recover(Demised {
                position: Some(position),
                note: Some(name),
                bytes: stored.message.body_len(),
                failures,
                reason,
                at_s: at_ms / 1000,
            }),
            What::Delayed => {
                let priority = self.priority(&stored.message);
                let entry = Entry::published(position, stored.message, stored.expires_at_ms, priority, true);
                self.delay_notes.insert(position, name);
                self.state.recover_delayed(Entry { acquired, failures, ..entry }, at_ms);
            }
        }
    }
}
