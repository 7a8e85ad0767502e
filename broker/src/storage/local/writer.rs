//! Appends records to the active segment: one reused buffer, few writes, one sync.
//!
//! Owns the active segment's file and its end. Knows no log and no liveness.

use std::io::Result;

use super::disk::{Disk, DiskFile, SegmentId};
use super::record::{Checker, HEAD_BYTES, Head, Header, Kind, record_bytes};
use super::table::TableBuilder;

/// The buffer is written out when it holds this much, so that it stays in the CPU's cache.
const WRITE_BYTES: usize = 512 * 1024;

/// Payloads of this size and above are written from where they are, not copied.
const DIRECT_BYTES: usize = 128 * 1024;

/// The active segment.
#[derive(Debug)]
pub struct Writer {
    id: SegmentId,
    file: Box<dyn DiskFile>,
    checker: Checker,
    /// Bytes in the file; what is in `buffer` follows.
    written: u64,
    buffer: Vec<u8>,
    unsynced: bool,
    reserved: bool,
    /// Length at which the segment is closed.
    segment_bytes: u64,
}

impl Writer {
    /// Begins a segment and makes it durable, still empty.
    ///
    /// # Errors
    /// The disk's.
    pub fn create(disk: &dyn Disk, head: Head, buffer: Vec<u8>, segment_bytes: u64) -> Result<Self> {
        let file = disk.create(head.segment)?;
        file.reserve(segment_bytes)?;
        file.write(&head.encode(), 0)?;
        file.sync()?;
        disk.sync_directory()?;
        let checker = Checker::new(head.nonce, head.segment);
        let written = HEAD_BYTES as u64;
        Ok(Self { id: head.segment, file, checker, written, buffer, unsynced: false, reserved: true, segment_bytes })
    }

    /// Goes on at the end of an existing segment.
    #[must_use]
    pub fn resume(id: SegmentId, file: Box<dyn DiskFile>, nonce: u64, bytes: u64, segment_bytes: u64) -> Self {
        let checker = Checker::new(nonce, id);
        Self { id, file, checker, written: bytes, buffer: Vec::new(), unsynced: false, reserved: false, segment_bytes }
    }

    /// Number of the segment.
    #[must_use]
    pub fn id(&self) -> SegmentId {
        self.id
    }

    /// Bytes used, head included.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Whether a record with this payload still belongs here.
    #[must_use]
    pub fn has_room(&self, payload: usize) -> bool {
        let used = self.bytes();
        used <= HEAD_BYTES as u64 || used + record_bytes(payload) as u64 <= self.segment_bytes
    }

    /// Adds a record; returns where it lies. It is durable after [`Self::sync`].
    ///
    /// # Errors
    /// The disk's; the segment's end is then unknown.
    pub fn push(&mut self, header: &Header, payload: &[u8]) -> Result<u64> {
        let place = self.bytes();
        self.unsynced = true;
        self.buffer.extend_from_slice(&self.checker.encode(place, header, payload));
        let end = place + record_bytes(payload.len()) as u64;
        if payload.len() >= DIRECT_BYTES {
            self.flush()?;
            self.file.write(payload, self.written)?;
            self.written += payload.len() as u64;
        } else {
            self.buffer.extend_from_slice(payload);
        }
        self.buffer.resize((end - self.written) as usize, 0);
        if self.buffer.len() >= WRITE_BYTES {
            self.flush()?;
        }
        Ok(place)
    }

    /// Adds a long record and makes it durable in parts, so that no other sync stands behind
    /// more than `part` bytes.
    ///
    /// # Errors
    /// The disk's; the segment's end is then unknown.
    pub fn push_in_parts(&mut self, header: &Header, payload: &[u8], part: usize) -> Result<()> {
        let place = self.bytes();
        self.buffer.extend_from_slice(&self.checker.encode(place, header, payload));
        self.flush()?;
        for part in payload.chunks(part) {
            self.file.write(part, self.written)?;
            self.written += part.len() as u64;
            self.file.sync()?;
        }
        let padding = place + record_bytes(payload.len()) as u64 - self.written;
        self.buffer.resize(padding as usize, 0);
        self.unsynced = true;
        Ok(())
    }

    /// Hands everything to the system, not yet durable.
    ///
    /// # Errors
    /// The disk's.
    pub fn flush(&mut self) -> Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        if !self.reserved {
            self.file.reserve(self.segment_bytes)?;
            self.reserved = true;
        }
        self.file.write(&self.buffer, self.written)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Makes everything durable; returns whether there was anything to do.
    ///
    /// # Errors
    /// The disk's; what was pushed since the last sync may or may not be durable, for good.
    pub fn sync(&mut self) -> Result<bool> {
        self.flush()?;
        if self.unsynced {
            self.file.sync()?;
        }
        Ok(std::mem::take(&mut self.unsynced))
    }

    /// Makes everything durable, adds the segment's table, gives back the space beyond it, and
    /// returns the buffer for the next segment and the final length.
    ///
    /// # Errors
    /// The disk's.
    pub fn finish(mut self, table: TableBuilder, group: u16) -> Result<(Vec<u8>, u64)> {
        // The table vouches for the records before it, so they have to be there first.
        self.sync()?;
        let header = |kind, position| Header { kind, log: 0, generation: 0, position, group, meta: [0; 16], weight: 0 };
        let place = self.push(&header(Kind::Table, 0), &table.encode())?;
        self.push(&header(Kind::End, place), &[])?;
        self.flush()?;
        if self.file.bytes()? != self.written {
            self.file.truncate(self.written)?;
        }
        self.sync()?;
        Ok((self.buffer, self.written))
    }

    /// Frees the buffer while nothing is written.
    pub fn rest(&mut self) {
        self.buffer.shrink_to(0);
    }
}
