//! A disk that waits for room instead of failing.
//!
//! A write that finds the disk full has not happened, or only its beginning: it is done again
//! from there when there is room. That holds for writing and taking space. It does not hold
//! for a sync: after a failed one nothing may be assumed.

use std::fmt::{Debug, Formatter};
use std::io::{ErrorKind, Result};
use std::sync::Arc;

use super::disk::{Disk, DiskFile, SegmentId, SetAside};

/// How far a write without room has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// There was no room for the first time.
    Begins,
    /// There was none again.
    GoesOn,
    /// It is over, with room or without.
    Ends,
}

/// Waits a while for room, unless the wait ends; `false`: nobody waits any longer, fail.
pub type Patience = Arc<dyn Fn(Wait) -> bool + Send + Sync>;

/// A disk below which [`Patience`] decides how long to wait.
pub struct PatientDisk {
    inner: Box<dyn Disk>,
    patience: Patience,
}

impl PatientDisk {
    /// Waits on behalf of `inner`.
    #[must_use]
    pub fn new(inner: Box<dyn Disk>, patience: Patience) -> Self {
        Self { inner, patience }
    }

    fn file(&self, inner: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(PatientFile { inner, patience: Arc::clone(&self.patience) })
    }
}

fn retry<T>(patience: &Patience, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let mut wait = Wait::Begins;
    loop {
        let result = attempt();
        let full = result.as_ref().is_err_and(|error| is_full(error.kind()));
        if full && patience(wait) {
            wait = Wait::GoesOn;
            continue;
        }
        if full || wait == Wait::GoesOn {
            patience(Wait::Ends);
        }
        return result;
    }
}

fn is_full(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

impl Debug for PatientDisk {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

impl Disk for PatientDisk {
    fn list(&self) -> Result<Vec<SegmentId>> {
        self.inner.list()
    }

    fn create(&self, id: SegmentId) -> Result<Box<dyn DiskFile>> {
        retry(&self.patience, || self.inner.create(id)).map(|file| self.file(file))
    }

    fn open(&self, id: SegmentId) -> Result<Box<dyn DiskFile>> {
        self.inner.open(id).map(|file| self.file(file))
    }

    fn remove(&self, id: SegmentId) -> Result<()> {
        self.inner.remove(id)
    }

    fn set_aside(&self, id: SegmentId) -> Result<SetAside> {
        retry(&self.patience, || self.inner.set_aside(id))
    }

    fn sync_directory(&self) -> Result<()> {
        self.inner.sync_directory()
    }

    fn free(&self) -> Result<u64> {
        self.inner.free()
    }
}

struct PatientFile {
    inner: Box<dyn DiskFile>,
    patience: Patience,
}

impl Debug for PatientFile {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

impl DiskFile for PatientFile {
    fn bytes(&self) -> Result<u64> {
        self.inner.bytes()
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.inner.read(buffer, offset)
    }

    fn write(&self, data: &[u8], offset: u64) -> Result<()> {
        retry(&self.patience, || self.inner.write(data, offset))
    }

    fn sync(&self) -> Result<()> {
        self.inner.sync()
    }

    fn truncate(&self, bytes: u64) -> Result<()> {
        self.inner.truncate(bytes)
    }

    fn reserve(&self, bytes: u64) -> Result<()> {
        retry(&self.patience, || self.inner.reserve(bytes))
    }
}
