//! The control socket: where it lies, who may open it, and how tools find it.
//!
//! Owns the socket file and the node's entry in the runtime registry. It does not know
//! what is served over the socket.

use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use openapi::control::{RegistryEntry, SOCKET_MODE, registry_dir, registry_file_name};
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use tokio::net::UnixListener;

/// Longest path of a Unix socket, in bytes: `sun_path` holds 108 with its final zero.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Name of the socket in the data directory.
const SOCKET_NAME: &str = "control.sock";

/// Permission bits of the registry directory: others may look, not write.
const REGISTRY_DIR_MODE: u32 = 0o755;

/// Entries of the registry that one start looks at for nodes that were killed.
const SWEPT_MAX: usize = 4096;

/// An open control socket with its registry entry; both go when it is dropped.
pub struct ControlSocket {
    socket: PathBuf,
    registry: Option<PathBuf>,
}

impl ControlSocket {
    /// Opens the socket of a node that holds its data directory, and registers it.
    ///
    /// # Errors
    /// What stands in the way, with the path.
    pub fn open(node: &str, data_dir: &Path, configured: Option<&Path>) -> anyhow::Result<(Self, UnixListener)> {
        let registry_dir =
            registry_dir(rustix::process::geteuid().as_raw(), std::env::var("XDG_RUNTIME_DIR").ok().as_deref());
        let socket = socket_path(node, data_dir, configured, &registry_dir)?;
        let listener = listen(&socket).with_context(|| format!("control socket {}", socket.display()))?;
        let registry = match register(&registry_dir, node, &socket) {
            Ok(path) => Some(path),
            Err(error) => {
                // Tools then need --socket; the broker itself does not suffer.
                tracing::warn!("cannot register the node in {}: {error:#}", registry_dir.display());
                None
            }
        };
        Ok((Self { socket, registry }, listener))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.socket
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // A node started later under the same name has taken the entry over.
        if let Some(path) = self.registry.take().filter(|path| entry_pid(path) == Some(std::process::id())) {
            let _ = std::fs::remove_file(path);
        }
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// The configured path; else in the data directory; else, where that is too long for a
/// socket, beside the registry.
fn socket_path(node: &str, data_dir: &Path, configured: Option<&Path>, registry_dir: &Path) -> anyhow::Result<PathBuf> {
    let fits = |path: &Path| path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX;
    let path = match configured {
        Some(path) => std::path::absolute(path)?,
        None => {
            let path = std::path::absolute(data_dir.join(SOCKET_NAME))?;
            if fits(&path) {
                return Ok(path);
            }
            create_registry_dir(registry_dir)?;
            registry_dir.join(registry_file_name(node)).with_extension("sock")
        }
    };
    if !fits(&path) {
        bail!(
            "the path of the control socket {} is longer than {SOCKET_PATH_BYTES_MAX} bytes: set control.socket",
            path.display()
        );
    }
    Ok(path)
}

fn listen(path: &Path) -> anyhow::Result<UnixListener> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {
            if UnixStream::connect(path).is_ok() {
                bail!("another process serves it");
            }
            std::fs::remove_file(path)?;
        }
        Ok(_) => bail!("a file of that name exists and is no socket"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    // The mode must be right from the first moment, so it comes from the mask.
    let before = rustix::process::umask(Mode::from_bits_truncate(0o777 & !SOCKET_MODE));
    let listener = UnixListener::bind(path);
    rustix::process::umask(before);
    Ok(listener?)
}

/// Writes the entry whole or not at all; one that a dead node left is replaced.
fn register(dir: &Path, node: &str, socket: &Path) -> anyhow::Result<PathBuf> {
    create_registry_dir(dir)?;
    sweep(dir);
    let entry = RegistryEntry { node: node.to_owned(), socket: socket.to_owned(), pid: std::process::id() };
    let path = dir.join(registry_file_name(node));
    let fresh = dir.join(format!(".{}.{}", registry_file_name(node), std::process::id()));
    std::fs::write(&fresh, serde_json::to_vec(&entry)?)?;
    std::fs::rename(&fresh, &path)?;
    Ok(path)
}

/// Creates the registry directory, and refuses one that somebody else could write to:
/// tools trust what they find there.
fn create_registry_dir(dir: &Path) -> anyhow::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(REGISTRY_DIR_MODE).create(dir)?;
    let found = std::fs::symlink_metadata(dir)?;
    if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() || found.mode() & 0o022 != 0 {
        bail!("{} belongs to, or can be written by, somebody else", dir.display());
    }
    Ok(())
}

/// Takes away what killed nodes left, which nobody else does: tools look at a bounded number of entries. Nothing depends
/// on it, so what cannot be taken away stays.
fn sweep(dir: &Path) {
    let is_dead = |path: &Path| {
        let pid = entry_pid(path).and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        pid.is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH))
    };
    for file in std::fs::read_dir(dir).into_iter().flatten().flatten().take(SWEPT_MAX) {
        if is_dead(&file.path()) {
            let _ = std::fs::remove_file(file.path());
        }
    }
}

fn entry_pid(path: &Path) -> Option<u32> {
    let entry: RegistryEntry = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    Some(entry.pid)
}
