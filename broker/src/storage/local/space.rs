//! What the journal does when the disk runs full.
//!
//! Owns the reserve. Before it is touched, appends wait, and are not refused: removes, and
//! giving space back, go on with what the reserve leaves, so that consumers make room. What
//! waits is bounded by what its owners hand over before they hear of earlier appends.
//!
//! Should the reserve be used up after all, because others fill the disk, a write waits for
//! room and is then done again from its beginning: see [`super::patient`].

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::sync::watch;

use super::core::Core;
use super::index::LogIndex;
use super::record::record_bytes;
use super::request::{Read, Request};
use crate::storage::{LogBatch, LogHealth, LogId, LogRecord, Position, StorageError};

/// The disk is looked at again after this share of the reserve was written.
const LOOK_SHARE: u64 = 32;

/// Free space, as the journal knows it, and who waits for more.
#[derive(Debug)]
pub struct Space {
    /// Less than this left free: appends wait.
    reserve: u64,
    /// Bytes written since the disk was looked at; `None`: never looked.
    written: Option<u64>,
    is_short: bool,
    deferred: Vec<Request>,
    /// Logs with appends among them.
    waiting: HashSet<LogId>,
    health: watch::Sender<LogHealth>,
    /// Writes that wait for room.
    writes_waiting: Arc<AtomicUsize>,
}

impl Space {
    /// Keeps so many bytes free.
    #[must_use]
    pub fn new(reserve: u64) -> Self {
        let health = watch::Sender::new(LogHealth::Well);
        Self {
            reserve,
            written: None,
            is_short: false,
            deferred: Vec::new(),
            waiting: HashSet::new(),
            health,
            writes_waiting: Arc::default(),
        }
    }

    /// Bytes were written.
    pub fn note_written(&mut self, bytes: usize) {
        if let Some(written) = &mut self.written {
            *written += bytes as u64;
        }
    }

    /// Whether appends wait for room.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.is_short
    }

    /// Where the journal's health is told.
    #[must_use]
    pub fn health(&self) -> watch::Sender<LogHealth> {
        self.health.clone()
    }

    /// How many writes wait for room; whoever waits counts itself.
    #[must_use]
    pub fn writes_waiting(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.writes_waiting)
    }

    /// Everything that waits, to be refused.
    pub fn take_deferred(&mut self) -> Vec<Request> {
        self.waiting.clear();
        std::mem::take(&mut self.deferred)
    }
}

impl Core {
    /// Lets through what may be done now: everything, or while the disk is short of room all
    /// but appends and what depends on them.
    pub(super) fn admit(&mut self, requests: &mut Vec<Request>) {
        self.look_at_disk();
        if !self.space.is_short {
            if !self.space.deferred.is_empty() {
                let later = std::mem::replace(requests, self.space.take_deferred());
                requests.extend(later);
            }
            return;
        }
        for request in std::mem::take(requests) {
            let passed = self.pass(request);
            requests.extend(passed);
        }
    }

    /// What of a request may be done while appends wait; the rest waits with them.
    fn pass(&mut self, request: Request) -> Option<Request> {
        let last = |log: &LogId| self.logs.get(&log.0).and_then(LogIndex::last);
        let space = &mut self.space;
        match request {
            Request::Append(log, ..) => {
                space.waiting.insert(log);
                space.deferred.push(request);
                None
            }
            Request::Remove(log, ranges) if space.waiting.contains(&log) => {
                // What was appended goes now, also to make room.
                let (now, later) = split(&ranges, last(&log));
                if !later.is_empty() {
                    space.deferred.push(Request::Remove(log, later));
                }
                (!now.is_empty()).then_some(Request::Remove(log, now))
            }
            Request::Read(read) if space.waiting.contains(&read.log) => {
                let (now, later) = split(&read.ranges, last(&read.log));
                if now.is_empty() {
                    // Whoever waits for these messages may be the one who makes room.
                    let batch = read_deferred(&space.deferred, &read);
                    let _ = read.reply.send(Ok(batch));
                    return None;
                }
                let rest = later.first().map(|range| *range.start());
                Some(Request::Read(Read { ranges: now, rest: read.rest.or(rest), ..read }))
            }
            Request::Delete(log, _) => {
                // The log takes what waits for it along.
                space.waiting.remove(&log);
                let gone = StorageError::Unavailable("the log is deleted".to_owned());
                for waited in space.deferred.extract_if(.., |waiting| waiting.log() == Some(log)) {
                    if let Some(answer) = waited.into_answer() {
                        answer.refuse(&gone);
                    }
                }
                Some(request)
            }
            Request::Close(_) => {
                let short = StorageError::Unavailable("the disk has no room".to_owned());
                for answer in space.take_deferred().into_iter().filter_map(Request::into_answer) {
                    answer.refuse(&short);
                }
                Some(request)
            }
            Request::Sync(_) => {
                space.deferred.push(request);
                None
            }
            Request::Open(log, _) if space.waiting.contains(&log) => {
                space.deferred.push(request);
                None
            }
            Request::Remove(..)
            | Request::Read(_)
            | Request::Open(..)
            | Request::Damaged(..)
            | Request::Logs(_)
            | Request::Written(_)
            | Request::Invalid(_) => Some(request),
        }
    }

    fn look_at_disk(&mut self) {
        let due = self.space.written.is_none_or(|written| written >= self.space.reserve / LOOK_SHARE);
        let is_full = matches!(&*self.space.health.borrow(), LogHealth::DiskFull(_));
        if !due && !is_full {
            return;
        }
        self.space.written = Some(0);
        // A disk that does not say is taken to have room: a write will tell.
        let free = self.disk.free().unwrap_or(u64::MAX);
        // The next segment may be taken before the next look.
        let least = self.space.reserve + self.segment_bytes;
        let is_short = free < least;
        if !is_short && !is_full || is_short && self.space.is_short {
            return;
        }
        // One that needs more than the reserve still waits: the disk is full for it.
        if !is_short && !self.space.is_short && self.space.writes_waiting.load(Relaxed) > 0 {
            return;
        }
        self.space.is_short = is_short;
        if is_short {
            let what = format!("{free} bytes are free, less than {least} with the reserve");
            tracing::error!("journal: {what}; messages wait until there is room");
            self.space.health.send_replace(LogHealth::DiskFull(what));
        } else {
            tracing::warn!(free, "journal: there is room again");
            self.space.health.send_replace(LogHealth::Well);
        }
        self.reclaim.note_space(is_short);
    }
}

/// What a read wants of the records that wait to be written.
fn read_deferred(deferred: &[Request], read: &Read) -> LogBatch {
    let covers = |ranges: &[RangeInclusive<Position>], record: &LogRecord| {
        let at = ranges.partition_point(|range| *range.end() < record.position);
        ranges.get(at).is_some_and(|range| range.contains(&record.position))
    };
    let mut records: Vec<&LogRecord> = Vec::new();
    for request in deferred {
        match request {
            Request::Append(log, added, _) if *log == read.log => {
                records.extend(added.iter().filter(|record| covers(&read.ranges, record)));
            }
            Request::Remove(log, ranges) if *log == read.log => {
                records.retain(|record| !ranges.iter().any(|range| range.contains(&record.position)));
            }
            _ => {}
        }
    }
    let mut batch = LogBatch { next: read.rest, ..LogBatch::default() };
    let mut bytes = 0;
    for record in records {
        bytes += record_bytes(record.payload.len());
        if !batch.records.is_empty() && (batch.records.len() >= read.limit.records || bytes > read.limit.bytes) {
            batch.next = Some(record.position);
            break;
        }
        batch.records.push(LogRecord { shares: 1, ..record.clone() });
    }
    batch
}

/// The part of the ranges up to a position, and the part behind it.
type Split = (Vec<RangeInclusive<Position>>, Vec<RangeInclusive<Position>>);

fn split(ranges: &[RangeInclusive<Position>], last: Option<u64>) -> Split {
    let Some(last) = last else { return (Vec::new(), ranges.to_vec()) };
    let now = ranges.iter().map(|range| *range.start()..=Position(range.end().0.min(last)));
    let later = ranges.iter().map(|range| Position(range.start().0.max(last.saturating_add(1)))..=*range.end());
    let later = later.filter(|_| last < u64::MAX);
    (now.filter(|range| !range.is_empty()).collect(), later.filter(|range| !range.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_split_at_the_last_position() {
        let range = |first, last| Position(first)..=Position(last);
        let ranges = [range(1, 3), range(5, 9), range(12, u64::MAX)];
        assert_eq!(split(&ranges, None), (vec![], ranges.to_vec()));
        assert_eq!(split(&ranges, Some(6)), (vec![range(1, 3), range(5, 6)], vec![range(7, 9), range(12, u64::MAX)]));
        assert_eq!(split(&ranges, Some(u64::MAX)), (ranges.to_vec(), vec![]));
    }
}
