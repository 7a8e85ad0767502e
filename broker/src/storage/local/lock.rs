//! Exclusive ownership of a data directory by one process.
//!
//! Owns `warren.lock`: an advisory lock that the kernel drops with the process, so a
//! crash never leaves it behind. The file holds the owner's process id, for people and
//! for the error of a second opener. Knows nothing of what else lies in the directory.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::storage::StorageError;

/// Name of the lock file inside the data directory.
const LOCK_FILE: &str = "warren.lock";

/// Longest process id read back from a lock file, in bytes.
const PID_BYTES_MAX: u64 = 32;

/// Holds the data directory until dropped.
#[derive(Debug)]
pub struct DirectoryLock {
    directory: PathBuf,
    _file: File,
}

impl DirectoryLock {
    /// Creates the directory if it is missing (readable by its owner only) and locks it.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`], naming the process that holds the directory, or the
    /// system's reason.
    pub fn acquire(directory: &Path) -> Result<Self, StorageError> {
        create_private(directory)?;
        let path = directory.join(LOCK_FILE);
        let refused =
            |error: std::io::Error| StorageError::Unavailable(format!("cannot lock {}: {error}", path.display()));
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(refused)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(StorageError::Unavailable(format!(
                    "data directory {} is in use by {}",
                    directory.display(),
                    holder(&mut file)
                )));
            }
            Err(errno) => return Err(refused(errno.into())),
        }
        file.set_len(0).map_err(refused)?;
        file.seek(SeekFrom::Start(0)).map_err(refused)?;
        writeln!(file, "{}", std::process::id()).map_err(refused)?;
        Ok(Self { directory: directory.to_path_buf(), _file: file })
    }

    /// The directory held.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

/// Makes `directory` with mode 0700; missing parents get the usual mode.
pub(super) fn create_private(directory: &Path) -> Result<(), StorageError> {
    let refused = |error: std::io::Error| {
        StorageError::Unavailable(format!("cannot create directory {}: {error}", directory.display()))
    };
    if directory.is_dir() {
        return Ok(());
    }
    if let Some(parent) = directory.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(refused)?;
    }
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(refused(error)),
        _ => Ok(()),
    }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.take(PID_BYTES_MAX).read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => format!("process {}", text.trim()),
        _ => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_opener_learns_who_holds_the_directory() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("a/b");
        let lock = DirectoryLock::acquire(&directory).unwrap();
        let refusal = DirectoryLock::acquire(&directory).unwrap_err().to_string();
        assert!(refusal.contains(&format!("in use by process {}", std::process::id())), "{refusal}");
        drop(lock);
        DirectoryLock::acquire(&directory).unwrap();
    }

    #[test]
    fn directory_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("data");
        let _lock = DirectoryLock::acquire(&directory).unwrap();
        assert_eq!(std::fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_file_in_the_way_is_an_error() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        std::fs::write(&path, b"").unwrap();
        assert!(matches!(DirectoryLock::acquire(&path), Err(StorageError::Unavailable(_))));
    }
}
