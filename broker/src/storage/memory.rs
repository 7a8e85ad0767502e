//! Both stores in memory, for tests: they fail and crash on demand.
//!
//! Owns a picture of what callers see, a picture of what a crash would leave, and the
//! operations between the two. A sync moves all of them over; it happens with every call
//! that waits for durability, unless syncs are held. Removes wait for the next one, as the
//! trait allows.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

use super::watch::Watchers;
use super::{
    BoxFuture, Change, Entry, Epoch, Expect, LogBatch, LogHealth, LogId, LogRecord, LogSummary, MetadataStore,
    Position, QueueLog, ReadLimit, Revision, StorageError, Write,
};

/// An engine; clones are the same engine.
#[derive(Debug, Clone)]
pub struct MemoryEngine(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    now: Picture,
    durable: Picture,
    unsynced: Vec<Operation>,
    waiting: Vec<oneshot::Sender<Result<(), StorageError>>>,
    held: bool,
    writes_left: Option<u64>,
    syncs_left: Option<u64>,
    reads_left: Option<u64>,
    refuses_appends: bool,
    damaged: BTreeSet<(LogId, Position)>,
    metadata_refusal: Option<StorageError>,
    log_refusal: Option<StorageError>,
    epochs: HashMap<LogId, Epoch>,
    last: HashMap<LogId, Position>,
    watchers: Watchers,
    health: watch::Sender<LogHealth>,
}

#[derive(Debug, Default, Clone)]
struct Picture {
    revision: Revision,
    entries: BTreeMap<String, (Revision, Bytes)>,
    logs: BTreeMap<LogId, BTreeMap<Position, LogRecord>>,
}

#[derive(Debug, Clone)]
enum Operation {
    Change(Change),
    Append(LogId, Vec<LogRecord>),
    Remove(LogId, RangeInclusive<Position>),
    Delete(LogId),
}

impl Picture {
    fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Change(change) => {
                self.revision = change.revision;
                match &change.value {
                    Some(value) => drop(self.entries.insert(change.key.clone(), (change.revision, value.clone()))),
                    None => drop(self.entries.remove(&change.key)),
                }
            }
            Operation::Append(log, records) => {
                let log = self.logs.entry(*log).or_default();
                log.extend(records.iter().map(|record| (record.position, record.clone())));
            }
            Operation::Remove(log, positions) => {
                if let Some(log) = self.logs.get_mut(log) {
                    log.retain(|position, _| !positions.contains(position));
                }
            }
            Operation::Delete(log) => drop(self.logs.remove(log)),
        }
    }
}

impl Default for MemoryEngine {
    fn default() -> Self {
        Self::holding(Picture::default())
    }
}

impl MemoryEngine {
    /// An empty engine.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn holding(picture: Picture) -> Self {
        let watchers = Watchers::new(picture.revision);
        Self(Arc::new(Mutex::new(State {
            now: picture.clone(),
            durable: picture,
            unsynced: Vec::new(),
            waiting: Vec::new(),
            held: false,
            writes_left: None,
            syncs_left: None,
            reads_left: None,
            refuses_appends: false,
            damaged: BTreeSet::new(),
            metadata_refusal: None,
            log_refusal: None,
            epochs: HashMap::new(),
            last: HashMap::new(),
            watchers,
            health: watch::Sender::new(LogHealth::Well),
        })))
    }

    /// Its metadata store.
    #[must_use]
    pub fn metadata(&self) -> Arc<dyn MetadataStore> {
        Arc::new(self.clone())
    }

    /// Its log.
    #[must_use]
    pub fn log(&self) -> Arc<dyn QueueLog> {
        Arc::new(self.clone())
    }

    /// The next `writes` writes succeed, the one after fails and changes nothing; its store
    /// then answers `Unavailable` until it is opened again.
    pub fn fail_after_writes(&self, writes: u64) {
        self.state().writes_left = Some(writes);
    }

    /// The next `syncs` syncs succeed, the one after fails: what it covered is seen until a
    /// crash and never confirmed. Both stores then answer `Unavailable`.
    pub fn fail_after_syncs(&self, syncs: u64) {
        self.state().syncs_left = Some(syncs);
    }

    /// The next `reads` reads of logs succeed, all later ones fail.
    pub fn fail_after_reads(&self, reads: u64) {
        self.state().reads_left = Some(reads);
    }

    /// The next read that meets this record finds it damaged.
    pub fn damage(&self, log: LogId, position: Position) {
        self.state().damaged.insert((log, position));
    }

    /// While held, nothing becomes durable and whoever waits for that goes on waiting;
    /// letting go syncs.
    pub fn hold_syncs(&self, held: bool) {
        let mut state = self.state();
        state.held = held;
        state.sync();
    }

    /// Whether appends are refused, until they are no longer.
    pub fn refuse_appends(&self, refused: bool) {
        self.state().refuses_appends = refused;
    }

    /// What the log says of itself from now on; nothing else changes.
    pub fn report(&self, health: LogHealth) {
        self.state().health.send_replace(health);
    }

    /// Ends this engine as a crash would, and opens what it had made durable.
    #[must_use]
    pub fn crash(&self) -> Self {
        let mut state = self.state();
        state.fail(&closed());
        Self::holding(state.durable.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets `write` change the log, and waits until that is durable.
    fn log_write(
        &self,
        write: impl FnOnce(&mut State) -> Result<(), StorageError>,
    ) -> BoxFuture<'static, Result<(), StorageError>> {
        let (reply, answer) = oneshot::channel();
        let handed = {
            let mut state = self.state();
            state.log_open().and_then(|()| write(&mut state)).map(|()| {
                state.waiting.push(reply);
                state.sync();
            })
        };
        Box::pin(async move {
            handed?;
            answer.await.map_err(|_| closed())?
        })
    }
}

fn summary(records: &BTreeMap<Position, LogRecord>) -> LogSummary {
    let mut summary = LogSummary::default();
    for record in records.values() {
        summary.records += 1;
        summary.weight += u64::from(record.weight);
        match summary.ranges.last_mut() {
            Some(last) if last.end().0 + 1 == record.position.0 => *last = *last.start()..=record.position,
            _ => summary.ranges.push(record.position..=record.position),
        }
    }
    summary
}

fn batch(records: &BTreeMap<Position, LogRecord>, ranges: Vec<RangeInclusive<Position>>, limit: ReadLimit) -> LogBatch {
    let mut batch = LogBatch::default();
    let mut bytes = 0;
    for (position, record) in ranges.into_iter().flat_map(|range| records.range(range)) {
        bytes += record.payload.len();
        if !batch.records.is_empty() && (batch.records.len() >= limit.records || bytes > limit.bytes) {
            batch.next = Some(*position);
            break;
        }
        batch.records.push(LogRecord { shares: 1, ..record.clone() });
    }
    batch
}

fn closed() -> StorageError {
    StorageError::Unavailable("the memory engine is closed".to_owned())
}

impl State {
    fn log_open(&self) -> Result<(), StorageError> {
        self.log_refusal.clone().map_or(Ok(()), Err)
    }

    fn metadata_open(&self) -> Result<(), StorageError> {
        self.metadata_refusal.clone().map_or(Ok(()), Err)
    }

    fn spend(left: &mut Option<u64>) -> Result<(), StorageError> {
        match left {
            Some(0) => Err(StorageError::Unavailable("injected failure".to_owned())),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn log_spend(&mut self) -> Result<(), StorageError> {
        Self::spend(&mut self.writes_left).inspect_err(|error| self.log_refusal = Some(error.clone()))
    }

    fn apply(&mut self, operation: Operation) {
        self.now.apply(&operation);
        self.unsynced.push(operation);
    }

    fn sync(&mut self) {
        if self.held || (self.unsynced.is_empty() && self.waiting.is_empty()) {
            return;
        }
        if let Err(error) = Self::spend(&mut self.syncs_left) {
            self.fail(&error);
            return;
        }
        for operation in self.unsynced.drain(..) {
            self.durable.apply(&operation);
        }
        for waiting in self.waiting.drain(..) {
            let _ = waiting.send(Ok(()));
        }
    }

    fn fail(&mut self, error: &StorageError) {
        self.log_refusal = Some(error.clone());
        self.metadata_refusal = Some(error.clone());
        self.watchers.close();
        for waiting in self.waiting.drain(..) {
            let _ = waiting.send(Err(error.clone()));
        }
    }

    fn admit(&mut self, log: LogId, epoch: Epoch) -> Result<(), StorageError> {
        let newest = self.epochs.entry(log).or_insert(epoch);
        if epoch < *newest {
            return Err(StorageError::Fenced);
        }
        *newest = epoch;
        Ok(())
    }

    fn write(&mut self, writes: &[Write]) -> Result<Revision, StorageError> {
        self.metadata_open()?;
        let mut picture: BTreeMap<&str, Option<Revision>> = BTreeMap::new();
        let mut revision = self.now.revision;
        let mut changes = Vec::new();
        for write in writes {
            let stored = || self.now.entries.get(&write.key).map(|(revision, _)| *revision);
            let present = picture.get(write.key.as_str()).copied().unwrap_or_else(stored);
            let holds = match write.expect {
                Expect::Any => true,
                Expect::Absent => present.is_none(),
                Expect::At(revision) => present == Some(revision),
            };
            if !holds {
                return Err(StorageError::Conflict { key: write.key.clone() });
            }
            if write.value.is_some() || present.is_some() {
                revision = Revision(revision.0 + 1);
                changes.push(Change { key: write.key.clone(), value: write.value.clone(), revision });
            }
            picture.insert(&write.key, write.value.is_some().then_some(revision));
        }
        if !changes.is_empty() {
            Self::spend(&mut self.writes_left).inspect_err(|error| self.metadata_refusal = Some(error.clone()))?;
        }
        for change in &changes {
            self.apply(Operation::Change(change.clone()));
        }
        self.watchers.publish(changes);
        Ok(revision)
    }
}

impl MetadataStore for MemoryEngine {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StorageError>> {
        Box::pin(async move {
            let state = self.state();
            state.metadata_open()?;
            let entry = |(revision, value): &(Revision, Bytes)| Entry {
                key: key.to_owned(),
                value: value.clone(),
                revision: *revision,
            };
            Ok(state.now.entries.get(key).map(entry))
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Entry>, StorageError>> {
        Box::pin(async move {
            // Others go on meanwhile, as they do while a disk is read.
            tokio::task::yield_now().await;
            let state = self.state();
            state.metadata_open()?;
            let range = state.now.entries.range(prefix.to_owned()..);
            let entries = range.take_while(|(key, _)| key.starts_with(prefix)).map(|(key, (revision, value))| Entry {
                key: key.clone(),
                value: value.clone(),
                revision: *revision,
            });
            Ok(entries.collect())
        })
    }

    fn write(&self, writes: Vec<Write>) -> BoxFuture<'_, Result<Revision, StorageError>> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            let revision = {
                let mut state = self.state();
                let revision = state.write(&writes)?;
                state.waiting.push(reply);
                state.sync();
                revision
            };
            answer.await.map_err(|_| closed())??;
            Ok(revision)
        })
    }

    fn watch(&self, from: Revision) -> mpsc::Receiver<Change> {
        self.state().watchers.watch(from)
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        Box::pin(async move {
            let mut state = self.state();
            state.metadata_open()?;
            state.sync();
            state.metadata_open()?;
            state.metadata_refusal = Some(closed());
            state.watchers.close();
            Ok(())
        })
    }
}

impl QueueLog for MemoryEngine {
    fn open(&self, log: LogId, epoch: Epoch) -> BoxFuture<'_, Result<LogSummary, StorageError>> {
        let mut state = self.state();
        let opened = state.log_open().and_then(|()| state.admit(log, epoch)).map(|()| {
            let summary = state.now.logs.get(&log).map(summary).unwrap_or_default();
            match summary.ranges.last() {
                Some(range) => state.last.insert(log, *range.end()),
                None => state.last.remove(&log),
            };
            summary
        });
        Box::pin(std::future::ready(opened))
    }

    fn read(
        &self,
        log: LogId,
        epoch: Epoch,
        ranges: Vec<RangeInclusive<Position>>,
        limit: ReadLimit,
    ) -> BoxFuture<'static, Result<LogBatch, StorageError>> {
        let mut state = self.state();
        let read = state.log_open().and_then(|()| state.admit(log, epoch)).and_then(|()| {
            State::spend(&mut state.reads_left)?;
            let lost = std::mem::take(&mut state.damaged);
            let mut batch = match state.now.logs.get(&log) {
                Some(records) => batch(records, ranges, limit),
                None => LogBatch::default(),
            };
            batch.lost = batch
                .records
                .extract_if(.., |record| lost.contains(&(log, record.position)))
                .map(|record| record.position)
                .collect();
            for position in &batch.lost {
                state.apply(Operation::Remove(log, *position..=*position));
            }
            Ok(batch)
        });
        Box::pin(std::future::ready(read))
    }

    fn append(
        &self,
        log: LogId,
        epoch: Epoch,
        records: Vec<LogRecord>,
    ) -> BoxFuture<'static, Result<(), StorageError>> {
        self.log_write(|state| {
            state.admit(log, epoch)?;
            if state.refuses_appends {
                return Err(StorageError::Unavailable("injected refusal".to_owned()));
            }
            let before = state.last.get(&log).copied();
            let positions = before.into_iter().chain(records.iter().map(|record| record.position));
            if !positions.is_sorted_by(|a, b| a < b) {
                return Err(StorageError::Unavailable("positions of a log must grow".to_owned()));
            }
            state.log_spend()?;
            if let Some(record) = records.last() {
                state.last.insert(log, record.position);
                state.apply(Operation::Append(log, records));
            }
            Ok(())
        })
    }

    fn remove(&self, log: LogId, epoch: Epoch, positions: Vec<RangeInclusive<Position>>) -> Result<(), StorageError> {
        let mut state = self.state();
        state.log_open()?;
        state.admit(log, epoch)?;
        state.log_spend()?;
        for range in positions {
            state.apply(Operation::Remove(log, range));
        }
        Ok(())
    }

    fn delete(&self, log: LogId) -> BoxFuture<'_, Result<(), StorageError>> {
        self.log_write(|state| {
            state.log_spend()?;
            state.epochs.remove(&log);
            state.last.remove(&log);
            state.apply(Operation::Delete(log));
            Ok(())
        })
    }

    fn logs(&self) -> BoxFuture<'_, Result<Vec<LogId>, StorageError>> {
        let state = self.state();
        let named = state
            .log_open()
            .map(|()| state.now.logs.iter().filter(|(_, records)| !records.is_empty()).map(|(log, _)| *log).collect());
        Box::pin(std::future::ready(named))
    }

    fn sync(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        self.log_write(|_| Ok(()))
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        let closing = self.log_write(|_| Ok(()));
        Box::pin(async move {
            closing.await?;
            self.state().log_refusal = Some(closed());
            Ok(())
        })
    }

    fn health(&self) -> watch::Receiver<LogHealth> {
        self.state().health.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::super::conformance::{Fixture, contents, log_suite, metadata_suite, range, records};
    use super::*;

    const LOG: LogId = LogId(1);
    const EPOCH: Epoch = Epoch(1);

    struct InMemory(MemoryEngine);

    impl Fixture for InMemory {
        fn metadata(&self) -> Arc<dyn MetadataStore> {
            self.0.metadata()
        }

        fn log(&self) -> Arc<dyn QueueLog> {
            self.0.log()
        }

        fn restart(&mut self) -> BoxFuture<'_, ()> {
            Box::pin(async {
                self.0.state().sync();
                self.0 = self.0.crash();
            })
        }
    }

    fn put(key: &str) -> Vec<Write> {
        vec![Write { key: key.to_owned(), value: Some(Bytes::new()), expect: Expect::Any }]
    }

    #[tokio::test]
    async fn memory_metadata_conforms() {
        metadata_suite(&mut InMemory(MemoryEngine::new())).await;
    }

    #[tokio::test]
    async fn memory_log_conforms() {
        log_suite(&mut InMemory(MemoryEngine::new())).await;
    }

    #[tokio::test]
    async fn a_crash_leaves_what_was_synced() {
        let engine = MemoryEngine::new();
        engine.log().append(LOG, EPOCH, records(1..=2)).await.unwrap();
        engine.log().remove(LOG, EPOCH, vec![range(1..=1)]).unwrap();
        engine.hold_syncs(true);
        let waiting = engine.log().append(LOG, EPOCH, records(3..=3));
        let after = engine.crash();
        assert!(matches!(waiting.await, Err(StorageError::Unavailable(_))));
        assert!(matches!(engine.log().logs().await, Err(StorageError::Unavailable(_))));
        assert_eq!(contents(&after.log(), LOG, EPOCH).await.unwrap(), records(1..=2), "the remove was not synced");
    }

    #[tokio::test]
    async fn letting_go_of_syncs_confirms_in_order() {
        let engine = MemoryEngine::new();
        engine.hold_syncs(true);
        let (first, second) =
            (engine.log().append(LOG, EPOCH, records(1..=1)), engine.log().append(LOG, EPOCH, records(2..=2)));
        engine.hold_syncs(false);
        first.await.unwrap();
        second.await.unwrap();
        assert_eq!(contents(&engine.crash().log(), LOG, EPOCH).await.unwrap(), records(1..=2));
    }

    #[tokio::test]
    async fn a_failed_write_changes_nothing_and_ends_its_store() {
        let engine = MemoryEngine::new();
        engine.fail_after_writes(1);
        engine.log().append(LOG, EPOCH, records(1..=1)).await.unwrap();
        assert!(engine.log().append(LOG, EPOCH, records(2..=2)).await.is_err());
        engine.fail_after_writes(0);
        assert!(engine.metadata().write(put("k")).await.is_err());
        assert!(engine.metadata().get("k").await.is_err());
        let after = engine.crash();
        assert_eq!(contents(&after.log(), LOG, EPOCH).await.unwrap(), records(1..=1));
        assert_eq!(after.metadata().get("k").await, Ok(None));
    }

    #[tokio::test]
    async fn a_failed_sync_confirms_nothing_ever_after() {
        let engine = MemoryEngine::new();
        engine.fail_after_syncs(1);
        engine.metadata().write(put("a")).await.unwrap();
        assert!(engine.metadata().write(put("b")).await.is_err());
        assert!(engine.log().append(LOG, EPOCH, records(1..=1)).await.is_err());
        let after = engine.crash();
        assert_eq!(after.metadata().list("").await.unwrap().len(), 1);
    }
}
