//! The owner's start: what the log holds of the queue, without reading more than needed.

use std::collections::{HashMap, VecDeque};
use std::ops::RangeInclusive;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;

use super::lane::Demised;
use super::logs::LogKind;
use super::notes::{Note, What};
use super::stored::{self, Stored};
use super::sums::Counted;
use super::task::{Append, Owner};
use crate::domain::queue::page::Sum;
use crate::domain::queue::ready::Entry;
use crate::storage::{LogId, LogRecord, Position, ReadLimit, StorageError};

/// Runs of positions asked for at once.
const RUNS_PER_READ_MAX: usize = 256;

/// What the logs of a queue may hold when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recover {
    /// Nothing: it was declared just now.
    Nothing,
    /// Messages, all of the usual priority, or notes of some.
    Alike,
    /// Messages of any priority.
    Mixed,
}

impl Recover {
    /// From what there is.
    pub(crate) fn of(messages: LogId, exists: impl Fn(LogId) -> bool) -> Self {
        // With messages or without: what else there is must be known to be removed.
        if exists(LogKind::Priorities.of(messages)) {
            Self::Mixed
        } else if exists(messages) || exists(LogKind::Notes.of(messages)) {
            Self::Alike
        } else {
            Self::Nothing
        }
    }
}

impl Owner {
    /// Takes over what the log holds: positions only, unless messages differ in priority.
    ///
    /// # Errors
    /// What storage says.
    pub(super) async fn recover(&mut self) -> Result<(), StorageError> {
        if !self.context.spec.durable || self.context.recover == Recover::Nothing {
            return Ok(());
        }
        self.mixed = self.context.recover == Recover::Mixed;
        let summary = self.context.log.open(self.log, self.epoch).await?;
        if let Some(last) = summary.ranges.last() {
            self.state.start_behind(last.end().0);
        }
        let noted = match &mut self.notes {
            Some(notes) => notes.recover().await?,
            None => HashMap::new(),
        };
        if self.mixed {
            let log = LogKind::Priorities.of(self.log);
            let marks = self.context.log.open(log, self.epoch).await?;
            if let Some(last) = marks.ranges.last() {
                // The next mark stands behind this one.
                self.state.start_behind(last.end().0);
            }
            if summary.records == 0 {
                self.forget_priorities();
            }
        }
        if !self.mixed || self.state.limits().max_priority == 0 {
            let mut runs: Vec<RangeInclusive<u64>> =
                summary.ranges.iter().map(|range| range.start().0..=range.end().0).collect();
            let mut left = Sum { messages: summary.records, bytes: summary.weight };
            if !noted.is_empty() {
                // Only what is not ready must be looked at.
                let (inside, _) = split(&runs, noted.keys().copied().collect());
                let asked = inside.into_iter().map(|at| Position(at)..=Position(at)).collect();
                let (found, sum) = self.read_through(asked, noted).await?;
                (_, runs) = split(&runs, found);
                left = left.without(sum);
            }
            self.state.recover(self.usual_priority(), &runs, left);
            return Ok(());
        }
        // Listings tell how long the queue is while its order is found out.
        let stats = &self.stats;
        stats.count(Counted { ready: summary.records, ..Counted::default() }, &self.context.sums);
        for (count, value) in [
            (&stats.ready_bytes, summary.weight),
            (&stats.ready_paged, summary.records),
            (&stats.ready_paged_bytes, summary.weight),
            (&stats.persistent, summary.records),
            (&stats.persistent_bytes, summary.weight),
        ] {
            count.store(value, Relaxed);
        }
        self.read_through(summary.ranges.into(), noted).await?;
        Ok(())
    }

    /// Notes that messages differ in priority, before the first such message is handed over: both
    /// become durable together, or this first.
    pub(super) fn note_priorities(&mut self) {
        self.mixed = true;
        let log = LogKind::Priorities.of(self.log);
        let position = Position(self.state.next_position());
        let record = LogRecord { position, meta: [0; 16], weight: 0, shares: 1, payload: Bytes::new() };
        let done = self.context.log.append(log, self.epoch, vec![record]);
        self.appends.push_back(Append { done, confirms: None });
    }

    /// No message is left that differs.
    pub(super) fn forget_priorities(&mut self) {
        self.mixed = false;
        let log = LogKind::Priorities.of(self.log);
        // Not what is yet to come: storage may see both at once.
        let marks = Position(0)..=Position(self.state.next_position() - 1);
        if let Err(error) = self.context.log.remove(log, self.epoch, vec![marks]) {
            tracing::error!(queue = %self.resource(), %error, "messages are read at the next start for their priorities");
        }
    }

    /// Reads through messages, a few at a time, and keeps their positions by priority, and those
    /// noted as what they were. Answers with the positions of the latter, and their sum.
    async fn read_through(
        &mut self,
        mut ranges: VecDeque<RangeInclusive<Position>>,
        mut noted: HashMap<u64, (u64, Note)>,
    ) -> Result<(Vec<u64>, Sum), StorageError> {
        let (mut found, mut sum_found) = (Vec::new(), Sum::default());
        let paging = self.memory.of().paging();
        let limit = ReadLimit { records: paging.read_messages, bytes: paging.read_bytes };
        while !ranges.is_empty() {
            let asked: Vec<_> = ranges.drain(..ranges.len().min(RUNS_PER_READ_MAX)).collect();
            let batch = self.context.log.read(self.log, self.epoch, asked.clone(), limit).await?.leading_on()?;
            for record in batch.records {
                let position = record.position.0;
                match stored::from_record(record) {
                    Some(stored) if noted.contains_key(&position) => {
                        found.push(position);
                        sum_found.add(stored.message.body_len());
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
        Ok((found, sum_found))
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

/// Which of these positions lie in the runs, in growing order, and what is left of the runs
/// without them.
fn split(runs: &[RangeInclusive<u64>], mut positions: Vec<u64>) -> (Vec<u64>, Vec<RangeInclusive<u64>>) {
    positions.sort_unstable();
    let (mut inside, mut left) = (Vec::new(), Vec::with_capacity(runs.len()));
    let mut positions = positions.into_iter().peekable();
    for run in runs {
        let mut start = *run.start();
        while let Some(position) = positions.next_if(|position| position <= run.end()) {
            if position < start {
                continue;
            }
            if start < position {
                left.push(start..=position - 1);
            }
            inside.push(position);
            start = position + 1;
        }
        if start <= *run.end() {
            left.push(start..=*run.end());
        }
    }
    (inside, left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_taken_out_of_runs() {
        let runs = [2..=5, 8..=8, 10..=12];
        for (positions, inside, left) in [
            (vec![], vec![], vec![2..=5, 8..=8, 10..=12]),
            (vec![12, 8, 3, 1], vec![3, 8, 12], vec![2..=2, 4..=5, 10..=11]),
            (vec![6, 7, 9, 13], vec![], vec![2..=5, 8..=8, 10..=12]),
            (vec![2, 3, 4, 5, 10], vec![2, 3, 4, 5, 10], vec![8..=8, 11..=12]),
        ] {
            assert_eq!(split(&runs, positions.clone()), (inside, left), "{positions:?}");
        }
    }
}
