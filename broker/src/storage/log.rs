//! The seam to durable logs of records, one per [`LogId`].
//!
//! Bodies come back in bounded batches, so that nobody needs memory for a whole log: what
//! an owner keeps of a long one is ranges of positions.

use std::ops::RangeInclusive;

use bytes::Bytes;
use tokio::sync::watch;

use super::{BoxFuture, Epoch, IoCounters, LogId, Position, StorageError};

/// One record of a log. Storage checks it and returns it as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// Where it stands; greater than every earlier position of the log.
    pub position: Position,
    /// Fixed-size facts about the payload, opaque to storage.
    pub meta: [u8; 16],
    /// A number that storage adds up over live records without reading them, see
    /// [`LogSummary::weight`].
    pub weight: u32,
    /// How many logs are given a record with this very payload, the same bytes in memory: a
    /// hint to store it once. It is not kept: records come back with 1.
    pub shares: u16,
    /// The payload, opaque to storage.
    pub payload: Bytes,
}

/// What lives in a log, learnt without reading payloads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogSummary {
    /// Positions of the live records, in order, joined where one follows the other.
    pub ranges: Vec<RangeInclusive<Position>>,
    /// How many there are.
    pub records: u64,
    /// Sum of [`LogRecord::weight`] over them.
    pub weight: u64,
}

/// How much one read brings at most; one record it brings at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimit {
    /// Records.
    pub records: usize,
    /// Bytes on the disk.
    pub bytes: usize,
}

/// Records read back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogBatch {
    /// The live ones of what was asked for, in order.
    pub records: Vec<LogRecord>,
    /// Records that failed their check. Storage has reported them and kept what is left of
    /// them aside; they no longer count as live.
    pub lost: Vec<Position>,
    /// Where to go on; `None`: everything asked for was looked at.
    pub next: Option<Position>,
}

impl LogBatch {
    /// The batch, unless it says nothing of what was asked for and that there is more: whoever
    /// goes on reading would do so for ever.
    ///
    /// # Errors
    /// [`StorageError::Damaged`].
    pub fn leading_on(self) -> Result<Self, StorageError> {
        match self.records.is_empty() && self.lost.is_empty() && self.next.is_some() {
            true => Err(StorageError::Damaged("reading messages leads nowhere".to_owned())),
            false => Ok(self),
        }
    }
}

/// Whether the logs take appends, as the engine knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LogHealth {
    /// They do.
    #[default]
    Well,
    /// There is no room: appends wait or are refused until there is. What the engine says.
    DiskFull(String),
    /// A write or sync failed: nothing will be confirmed any more. What the engine says.
    Failed(String),
}

/// Durable logs of records, one per [`LogId`].
pub trait QueueLog: Send + Sync + 'static {
    /// What lives in a log, and fences every earlier epoch. An unknown log is an empty one.
    fn open(&self, log: LogId, epoch: Epoch) -> BoxFuture<'_, Result<LogSummary, StorageError>>;

    /// The live records in `ranges` (in order, not overlapping), as many as `limit` allows.
    /// It sees every append and remove handed over before the call. One read per log at a
    /// time is what an owner asks for.
    fn read(
        &self,
        log: LogId,
        epoch: Epoch,
        ranges: Vec<RangeInclusive<Position>>,
        limit: ReadLimit,
    ) -> BoxFuture<'static, Result<LogBatch, StorageError>>;

    /// Adds records, all or none. Positions grow; after [`Self::open`] they go on behind the
    /// last live record, even where removed ones have been. Resolves when the records are
    /// durable: this instant is what a publisher confirm means. The call itself fixes the
    /// order relative to later calls for the same log; the returned future only waits, and
    /// dropping it does not undo.
    fn append(&self, log: LogId, epoch: Epoch, records: Vec<LogRecord>)
    -> BoxFuture<'static, Result<(), StorageError>>;

    /// Records are no longer needed; positions not appended before this call are not
    /// touched, so a range may be open-ended. Becomes durable with a later group, at the latest
    /// within a bounded time; after a crash before that, removed records may come back.
    ///
    /// # Errors
    /// [`StorageError::Fenced`], or [`StorageError::Unavailable`] after a failed write.
    fn remove(&self, log: LogId, epoch: Epoch, positions: Vec<RangeInclusive<Position>>) -> Result<(), StorageError>;

    /// Forgets the whole log, its positions and its epoch.
    fn delete(&self, log: LogId) -> BoxFuture<'_, Result<(), StorageError>>;

    /// Every log that holds records, so that the owner can delete those it does not know.
    fn logs(&self) -> BoxFuture<'_, Result<Vec<LogId>, StorageError>>;

    /// Resolves when everything handed over before is durable.
    fn sync(&self) -> BoxFuture<'_, Result<(), StorageError>>;

    /// [`Self::sync`], then ends. Later calls answer `Unavailable`.
    fn close(&self) -> BoxFuture<'_, Result<(), StorageError>>;

    /// What the engine asked of its disk since it was opened; nothing of one without a disk.
    fn io(&self) -> IoCounters {
        IoCounters::default()
    }

    /// The engine's health now and from now on. An engine that cannot fail is well for ever.
    fn health(&self) -> watch::Receiver<LogHealth> {
        watch::channel(LogHealth::Well).1
    }
}
