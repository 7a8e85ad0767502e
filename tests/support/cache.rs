//! What tests fetch and build for themselves, kept below `target/` until the list of what is wanted changes.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use rustix::fs::{FlockOperation, flock};

use crate::repository;

/// A folder below `target/`, held by this process. Several test processes may come at once: the first one works, the
/// others wait for its lock.
#[derive(Debug)]
pub struct Cached {
    /// The folder.
    pub folder: PathBuf,
    /// Whether it was finished with the same wish before.
    pub is_made: bool,
    wanted: String,
    _lock: File,
}

impl Cached {
    /// The folder `name`; `wanted` says in full what must be in it.
    ///
    /// # Panics
    /// When `target/` cannot be written.
    #[must_use]
    pub fn open(name: &str, wanted: &str) -> Self {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from);
        let folder = target.join(name);
        fs::create_dir_all(&folder).expect("target/ can be written");
        let lock = File::create(folder.join("lock")).expect("target/ can be written");
        flock(&lock, FlockOperation::LockExclusive).expect("a local file can be locked");
        // Programs that are built know where: a folder that was moved is made anew.
        let wanted = format!("{}\n{wanted}", folder.display());
        let is_made = fs::read_to_string(folder.join("made")).is_ok_and(|made| made == wanted);
        Self { folder, is_made, wanted, _lock: lock }
    }

    /// Notes that everything wanted is there.
    ///
    /// # Panics
    /// When `target/` cannot be written.
    pub fn made(&self) {
        fs::write(self.folder.join("made"), &self.wanted).expect("target/ can be written");
    }
}

/// Runs a command of the set-up.
///
/// # Panics
/// When it fails; its output is in the message.
pub fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Whether the host has a program of that name.
#[must_use]
pub fn has_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}
