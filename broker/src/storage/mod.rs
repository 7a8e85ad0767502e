//! The seam to durable state: two traits and the values that cross them.
//!
//! Storage holds keys and bytes and never learns what a queue means. Batches cross
//! the seam, so a boxed future costs once per batch. Every call may answer
//! [`StorageError::Unavailable`], and nothing above assumes that storage is a local
//! disk or that this process is the only one.

#[cfg(test)]
mod conformance;
pub(crate) mod io;
pub mod local;
mod log;
pub mod memory;
mod watch;

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

pub use io::{IoCalls, IoCounters};
pub use log::{LogBatch, LogHealth, LogRecord, LogSummary, QueueLog, ReadLimit};

/// A boxed future: the price of one allocation per batch for an object-safe seam.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Version of a stored key; grows with every change of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub u64);

/// Place of a record within one log; chosen by the log's owner, strictly growing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

/// Which ownership of a log an operation belongs to. An engine refuses an older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u64);

/// Names one log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId(pub u64);

/// Why storage did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// It cannot answer now; what was asked may or may not have happened.
    #[error("storage is unavailable: {0}")]
    Unavailable(String),
    /// The key is not at the expected revision; nothing was changed.
    #[error("stored state of '{key}' changed meanwhile")]
    Conflict {
        /// The first key whose expectation failed.
        key: String,
    },
    /// The log has a newer owner; nothing was changed.
    #[error("the log has a newer owner")]
    Fenced,
    /// Stored bytes failed their check; what, where and what was done about it.
    #[error("stored state is damaged: {0}")]
    Damaged(String),
}

/// What a write expects to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Anything.
    Any,
    /// No such key.
    Absent,
    /// The key at this revision.
    At(Revision),
}

/// One change of the metadata store; `value: None` deletes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The key: UTF-8, `/` separates its parts.
    pub key: String,
    /// The new value, or `None` to delete.
    pub value: Option<Bytes>,
    /// What must be there before.
    pub expect: Expect,
}

/// A stored key and value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Its value.
    pub value: Bytes,
    /// The revision that wrote it.
    pub revision: Revision,
}

/// A change, as a watcher sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: String,
    /// Its value; `None` when deleted.
    pub value: Option<Bytes>,
    /// The revision of the change.
    pub revision: Revision,
}

/// Small, ordered, watched key-value state.
pub trait MetadataStore: Send + Sync + 'static {
    /// The value of one key.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StorageError>>;

    /// All keys that start with `prefix`, in key order.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Entry>, StorageError>>;

    /// Applies writes in order; resolves when they are durable. An engine with
    /// transactions applies all or none; one without may stop after a prefix, so callers
    /// order writes such that every prefix is a valid state. Each change gets its own
    /// revision; the answer is the last one. No writes at all answer the current revision,
    /// which is where to [`Self::watch`] from before a [`Self::list`].
    fn write(&self, writes: Vec<Write>) -> BoxFuture<'_, Result<Revision, StorageError>>;

    /// Changes after `from`, in order. The channel is bounded; a watcher that lags is
    /// closed and starts again with [`Self::list`]; so is one that asks for changes too old
    /// to be remembered.
    fn watch(&self, from: Revision) -> tokio::sync::mpsc::Receiver<Change>;

    /// Resolves when everything written is durable and the store is closed.
    fn close(&self) -> BoxFuture<'_, Result<(), StorageError>>;
}
