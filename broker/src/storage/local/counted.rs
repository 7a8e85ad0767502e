//! A disk that counts what is asked of the disk below it. It changes nothing.

use std::io::Result;
use std::sync::Arc;

use super::disk::{Disk, DiskFile, SegmentId, SetAside};
use crate::storage::io::AtomicIo;

/// Counts reads, writes and syncs of files and of the directory.
#[derive(Debug)]
pub struct CountedDisk {
    inner: Box<dyn Disk>,
    io: Arc<AtomicIo>,
}

impl CountedDisk {
    /// Counts into `io`.
    pub fn new(inner: Box<dyn Disk>, io: Arc<AtomicIo>) -> Self {
        Self { inner, io }
    }

    fn counted(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(CountedFile { inner: file, io: Arc::clone(&self.io) })
    }
}

impl Disk for CountedDisk {
    fn list(&self) -> Result<Vec<SegmentId>> {
        self.inner.list()
    }

    fn create(&self, id: SegmentId) -> Result<Box<dyn DiskFile>> {
        Ok(self.counted(self.inner.create(id)?))
    }

    fn open(&self, id: SegmentId) -> Result<Box<dyn DiskFile>> {
        Ok(self.counted(self.inner.open(id)?))
    }

    fn remove(&self, id: SegmentId) -> Result<()> {
        self.inner.remove(id)
    }

    fn set_aside(&self, id: SegmentId) -> Result<SetAside> {
        self.inner.set_aside(id)
    }

    fn sync_directory(&self) -> Result<()> {
        self.io.sync(|| self.inner.sync_directory())
    }

    fn free(&self) -> Result<u64> {
        self.inner.free()
    }
}

#[derive(Debug)]
struct CountedFile {
    inner: Box<dyn DiskFile>,
    io: Arc<AtomicIo>,
}

impl DiskFile for CountedFile {
    fn bytes(&self) -> Result<u64> {
        self.inner.bytes()
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.io.read(buffer.len(), || self.inner.read(buffer, offset))
    }

    fn write(&self, data: &[u8], offset: u64) -> Result<()> {
        self.io.write(data.len(), || self.inner.write(data, offset))
    }

    fn sync(&self) -> Result<()> {
        self.io.sync(|| self.inner.sync())
    }

    fn truncate(&self, bytes: u64) -> Result<()> {
        self.inner.truncate(bytes)
    }

    fn reserve(&self, bytes: u64) -> Result<()> {
        self.inner.reserve(bytes)
    }
}
