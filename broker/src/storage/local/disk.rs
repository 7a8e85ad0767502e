//! What the journal needs of a disk: numbered files that only grow, and syncs.
//!
//! Owns file names, permissions and system calls. Knows nothing of what the files hold.
//! The seam exists so that tests can put a disk below the journal that fails, or forgets
//! what was not synced.

use std::fmt::Debug;
use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::lock::create_private;

/// Number of a segment; later segments have greater ones.
pub type SegmentId = u32;

/// A directory of numbered files.
pub trait Disk: Debug + Send + Sync {
    /// Numbers of all files, in any order.
    fn list(&self) -> Result<Vec<SegmentId>>;

    /// Makes a file that must not exist. Durable after [`DiskFile::sync`] and
    /// [`Self::sync_directory`].
    fn create(&self, id: SegmentId) -> Result<Box<dyn DiskFile>>;

    /// Opens an existing file for reading and writing.
    fn open(&self, id: SegmentId) -> Result<Box<dyn DiskFile>>;

    /// Removes a file; durable after [`Self::sync_directory`].
    fn remove(&self, id: SegmentId) -> Result<()>;

    /// Keeps the file as it is now, durably, under a name that [`Self::list`] does not
    /// report. The file must not be written afterwards.
    fn set_aside(&self, id: SegmentId) -> Result<SetAside>;

    /// Makes creations and removals durable.
    fn sync_directory(&self) -> Result<()>;

    /// Bytes that may still be taken.
    fn free(&self) -> Result<u64>;
}

/// A file kept for inspection.
#[derive(Debug)]
pub struct SetAside {
    /// Where it is kept.
    pub name: String,
    /// Whether it was not kept there before.
    pub new: bool,
}

/// One file.
pub trait DiskFile: Debug + Send + Sync {
    /// Its length in bytes.
    fn bytes(&self) -> Result<u64>;

    /// Fills `buffer` from `offset`; fails when the file ends before.
    fn read(&self, buffer: &mut [u8], offset: u64) -> Result<()>;

    /// Writes all of `data` at `offset`.
    fn write(&self, data: &[u8], offset: u64) -> Result<()>;

    /// Makes what was written durable. After an error nothing may be assumed of it.
    fn sync(&self) -> Result<()>;

    /// Cuts or extends the file; what is new reads as zeros.
    fn truncate(&self, bytes: u64) -> Result<()>;

    /// Takes disk space for the first `bytes` bytes where the file system can, so that
    /// later syncs need not record new space.
    fn reserve(&self, bytes: u64) -> Result<()>;
}

/// File name suffix of segments.
const SUFFIX: &str = ".journal";

/// Where damaged segments are kept.
const QUARANTINE: &str = "quarantine";

/// A directory of the file system.
#[derive(Debug)]
pub struct FileDisk {
    directory: PathBuf,
}

impl FileDisk {
    /// Uses `directory`, made when missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(directory: &Path) -> std::result::Result<Self, crate::storage::StorageError> {
        create_private(directory)?;
        Ok(Self { directory: directory.to_path_buf() })
    }

    fn path(&self, id: SegmentId) -> PathBuf {
        self.directory.join(file_name(id))
    }
}

fn file_name(id: SegmentId) -> String {
    format!("{id:010}{SUFFIX}")
}

impl Disk for FileDisk {
    fn list(&self) -> Result<Vec<SegmentId>> {
        let mut ids = Vec::new();
        for entry in std::fs::read_dir(&self.directory)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
            ids.extend(number.and_then(|number| number.parse::<SegmentId>().ok()));
        }
        Ok(ids)
    }

    fn create(&self, id: SegmentId) -> Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(self.path(id))?;
        Ok(Box::new(SystemFile(file)))
    }

    fn open(&self, id: SegmentId) -> Result<Box<dyn DiskFile>> {
        Ok(Box::new(SystemFile(OpenOptions::new().read(true).write(true).open(self.path(id))?)))
    }

    fn remove(&self, id: SegmentId) -> Result<()> {
        std::fs::remove_file(self.path(id))
    }

    fn set_aside(&self, id: SegmentId) -> Result<SetAside> {
        let quarantine = self.directory.join(QUARANTINE);
        create_private(&quarantine).map_err(Error::other)?;
        let kept = quarantine.join(file_name(id));
        let name = kept.display().to_string();
        // A second name costs no copy; the file below the first name is never written again.
        match std::fs::hard_link(self.path(id), &kept) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(SetAside { name, new: false }),
            Err(_) => {
                std::fs::copy(self.path(id), &kept)?;
                File::open(&kept)?.sync_all()?;
            }
        }
        File::open(&quarantine)?.sync_all()?;
        Ok(SetAside { name, new: true })
    }

    fn sync_directory(&self) -> Result<()> {
        File::open(&self.directory)?.sync_all()
    }

    fn free(&self) -> Result<u64> {
        let file_system = rustix::fs::statvfs(&self.directory)?;
        Ok(file_system.f_bavail.saturating_mul(file_system.f_frsize))
    }
}

/// Opens a single file for reading and writing, readable by its owner only.
///
/// # Errors
/// The system's; `NotFound` when it is missing and not to be created.
pub fn open_file(path: &Path, create: bool) -> Result<Box<dyn DiskFile>> {
    let file = OpenOptions::new().read(true).write(true).create(create).truncate(false).mode(0o600).open(path)?;
    Ok(Box::new(SystemFile(file)))
}

#[derive(Debug)]
struct SystemFile(File);

impl DiskFile for SystemFile {
    fn bytes(&self) -> Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn write(&self, data: &[u8], offset: u64) -> Result<()> {
        self.0.write_all_at(data, offset)
    }

    fn sync(&self) -> Result<()> {
        self.0.sync_data()
    }

    fn truncate(&self, bytes: u64) -> Result<()> {
        self.0.set_len(bytes)
    }

    fn reserve(&self, bytes: u64) -> Result<()> {
        match rustix::fs::fallocate(&self.0, rustix::fs::FallocateFlags::empty(), 0, bytes) {
            // Not every file system can; the file then grows as it is written.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => Ok(()),
            result => Ok(result?),
        }
    }
}
