//! A store and logs in memory, enough to drive a vhost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use crate::storage::{
    BoxFuture, Change, Entry, Epoch, LogBatch, LogId, LogRecord, LogSummary, MetadataStore, Position, QueueLog,
    ReadLimit, Revision, StorageError, Write,
};

/// Keys and values in memory; refuses writes on demand.
#[derive(Default)]
pub(super) struct Store {
    pub(super) entries: Mutex<BTreeMap<String, bytes::Bytes>>,
    pub(super) writes: AtomicUsize,
    pub(super) broken: AtomicBool,
}

impl Store {
    pub(super) fn keys(&self) -> Vec<String> {
        self.entries.lock().unwrap().keys().cloned().collect()
    }
}

impl MetadataStore for Store {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StorageError>> {
        let value = self.entries.lock().unwrap().get(key).cloned();
        let entry = value.map(|value| Entry { key: key.to_owned(), value, revision: Revision(1) });
        Box::pin(async move { Ok(entry) })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Entry>, StorageError>> {
        let entries = self.entries.lock().unwrap();
        let found = entries
            .iter()
            .filter(|(key, _)| key.starts_with(prefix))
            .map(|(key, value)| Entry { key: key.clone(), value: value.clone(), revision: Revision(1) })
            .collect();
        Box::pin(async move { Ok(found) })
    }

    fn write(&self, writes: Vec<Write>) -> BoxFuture<'_, Result<Revision, StorageError>> {
        Box::pin(async move {
            if self.broken.load(SeqCst) {
                return Err(StorageError::Unavailable("the disk is full".to_owned()));
            }
            self.writes.fetch_add(1, SeqCst);
            let mut entries = self.entries.lock().unwrap();
            for Write { key, value, .. } in writes {
                match value {
                    Some(value) => entries.insert(key, value),
                    None => entries.remove(&key),
                };
            }
            Ok(Revision(1))
        })
    }

    fn watch(&self, _from: Revision) -> tokio::sync::mpsc::Receiver<Change> {
        tokio::sync::mpsc::channel(1).1
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        Box::pin(async { Ok(()) })
    }
}

/// Logs that only know which of them exist.
#[derive(Default)]
pub(super) struct Logs(pub(super) Mutex<BTreeSet<LogId>>);

impl QueueLog for Logs {
    fn open(&self, _log: LogId, _epoch: Epoch) -> BoxFuture<'_, Result<LogSummary, StorageError>> {
        Box::pin(async { Ok(LogSummary::default()) })
    }

    fn read(
        &self,
        _log: LogId,
        _epoch: Epoch,
        _ranges: Vec<std::ops::RangeInclusive<Position>>,
        _limit: ReadLimit,
    ) -> BoxFuture<'static, Result<LogBatch, StorageError>> {
        Box::pin(async { Ok(LogBatch::default()) })
    }

    fn append(&self, log: LogId, _: Epoch, _: Vec<LogRecord>) -> BoxFuture<'static, Result<(), StorageError>> {
        self.0.lock().unwrap().insert(log);
        Box::pin(async { Ok(()) })
    }

    fn remove(&self, _: LogId, _: Epoch, _: Vec<std::ops::RangeInclusive<Position>>) -> Result<(), StorageError> {
        Ok(())
    }

    fn delete(&self, log: LogId) -> BoxFuture<'_, Result<(), StorageError>> {
        self.0.lock().unwrap().remove(&log);
        Box::pin(async { Ok(()) })
    }

    fn logs(&self) -> BoxFuture<'_, Result<Vec<LogId>, StorageError>> {
        let logs = self.0.lock().unwrap().iter().copied().collect();
        Box::pin(async move { Ok(logs) })
    }

    fn sync(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        Box::pin(async { Ok(()) })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        Box::pin(async { Ok(()) })
    }
}
