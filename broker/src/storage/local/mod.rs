//! The single-node engine: everything under one locked directory.
//!
//! ```text
//! data directory (mode 0700)
//! ├── warren.lock              held by the running process, holds its id
//! ├── metadata.redb            MetadataStore: small state, one transaction per group
//! ├── metadata.changes         what the database in memory has and the one on disk has not
//! └── journal/                 QueueLog: the records of all logs
//!     ├── 0000000007.journal   segments, oldest first; the last one is appended to
//!     ├── 0000000008.journal
//!     └── quarantine/          damaged segments, kept as they were found
//! ```
//!
//! | file | owns |
//! |---|---|
//! | `lock` | the directory |
//! | `metadata` | the database thread |
//! | `change_log` | what makes one change of metadata durable with one sync |
//! | `journal`, `request` | the mailbox and the journal's thread; what callers ask |
//! | `core` | index, segments, what a group does, when remove records may go |
//! | `record` | the bytes |
//! | `writer`, `disk` | the active segment; system calls |
//! | `space`, `patient` | what happens when the disk runs full |
//! | `table` | what a closed segment says of itself |
//! | `recover`, `segment_file`, `scan`, `killed` | reading tables, or whole segments, at start; judging broken bytes |
//! | `compact` | giving space back in bounded steps |
//! | `read` | reading records back, on a thread of its own |
//! | `index`, `slot` | what lives, and where |
//! | `large` | long records, written beside the journal |
//! | `sharing` | payloads that several logs are given |
//! | `segment` | how much of a segment still matters |

mod change_log;
mod compact;
mod core;
mod counted;
mod disk;
mod index;
mod journal;
mod killed;
mod large;
mod lock;
mod metadata;
mod patient;
mod read;
mod record;
mod recover;
mod request;
mod scan;
mod segment;
mod segment_file;
mod sharing;
#[cfg(test)]
mod simulated;
mod slot;
mod space;
mod table;
#[cfg(test)]
mod tests;
mod writer;

use std::path::Path;
use std::sync::Arc;

pub use lock::DirectoryLock;
pub use recover::Finding;

use crate::storage::{MetadataStore, QueueLog, StorageError};

/// Directory of the journal inside the data directory.
const JOURNAL_DIRECTORY: &str = "journal";

/// Both stores of a data directory that this process owns.
#[derive(Clone)]
pub struct LocalStorage {
    /// Small state.
    pub metadata: Arc<dyn MetadataStore>,
    /// Messages.
    pub log: Arc<dyn QueueLog>,
    /// What was wrong with the journal, and was dealt with, when it was opened.
    pub findings: Vec<Finding>,
    lock: Arc<DirectoryLock>,
}

impl LocalStorage {
    /// Locks the directory (made when missing) and opens both stores. Reads the journal,
    /// so it takes as long as the disk needs for that.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] naming the process that holds the directory, or what
    /// the system refused; [`StorageError::Damaged`] when the stores cannot be read.
    pub fn open(directory: &Path) -> Result<Self, StorageError> {
        Self::open_locked(Arc::new(DirectoryLock::acquire(directory)?))
    }

    fn open_locked(lock: Arc<DirectoryLock>) -> Result<Self, StorageError> {
        let metadata = metadata::LocalMetadata::open(Arc::clone(&lock))?;
        let disk = disk::FileDisk::new(&lock.directory().join(JOURNAL_DIRECTORY))?;
        let (log, findings) = journal::LocalLog::open(Box::new(disk), Some(Arc::clone(&lock)))?;
        Ok(Self { metadata: Arc::new(metadata), log: Arc::new(log), findings, lock })
    }

    /// The data directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.lock.directory()
    }

    /// Makes everything durable and closes both stores; the directory stays locked until
    /// `self` is dropped. Other holders of the stores get `Unavailable` from then on.
    ///
    /// # Errors
    /// The first store's that could not be closed in order; the other is closed anyway.
    pub async fn close(&self) -> Result<(), StorageError> {
        let log = self.log.close().await;
        let metadata = self.metadata.close().await;
        log.and(metadata)
    }

    /// Closes both stores and opens them again under the same lock. A store that was
    /// closed before is no obstacle.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn reopen(self) -> Result<Self, StorageError> {
        if let Err(error) = self.close().await {
            tracing::debug!("closing before opening again: {error}");
        }
        Self::open_locked(Arc::clone(&self.lock))
    }

    /// Closes both stores, deletes everything in them, and opens them empty, all under the
    /// same lock.
    ///
    /// # Errors
    /// What the system refused to delete or open. A store that was closed, or failed,
    /// before is no obstacle.
    pub async fn reset(self) -> Result<Self, StorageError> {
        if let Err(error) = self.close().await {
            tracing::debug!("closing before reset: {error}");
        }
        let directory = self.lock.directory();
        let deleted = |result: std::io::Result<()>| match result {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(StorageError::Unavailable(format!("cannot empty {}: {error}", directory.display())))
            }
            _ => Ok(()),
        };
        deleted(std::fs::remove_dir_all(directory.join(JOURNAL_DIRECTORY)))?;
        // The log first: without the database its changes would come back.
        deleted(std::fs::remove_file(directory.join(metadata::CHANGES_FILE)))?;
        deleted(std::fs::remove_file(directory.join(metadata::METADATA_FILE)))?;
        Self::open_locked(Arc::clone(&self.lock))
    }
}
