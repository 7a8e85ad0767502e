//! The local metadata store: one thread owns an embedded transactional database.
//!
//! Owns the database file and the order of changes. Knows keys and bytes only. Writers
//! that arrive while a commit runs share the next transaction, so that many small
//! changes cost few syncs; each one's expectations are checked, and refused, alone.
//!
//! A transaction becomes durable in the log of changes, with one write and one sync; the
//! database, where it would cost many pages, has it in memory. When the log is full, and
//! at a close, the database becomes durable and the log starts over. A start applies what
//! the log has and the database has not.
//!
//! ```text
//! table "entries": key → | revision u64 le | value … |
//! table "state":   "revision" → last revision durable here,  "format" → METADATA_FORMAT
//! ```

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition, TableError, WriteTransaction};
use tokio::sync::{mpsc, oneshot};

use super::change_log::{self, Appended, ChangeLog};
use super::disk::open_file;
use super::lock::DirectoryLock;
use crate::storage::watch::Watchers;
use crate::storage::{BoxFuture, Change, Entry, Expect, MetadataStore, Revision, StorageError, Write};

/// Name of the database file inside the data directory.
pub(super) const METADATA_FILE: &str = "metadata.redb";

/// Name of the log of changes inside the data directory.
pub(super) const CHANGES_FILE: &str = "metadata.changes";

/// Version of the tables drawn above, and of the log beside them.
const METADATA_FORMAT: u64 = 2;

/// The version before, which had no log: the same tables.
const METADATA_FORMAT_WITHOUT_LOG: u64 = 1;

/// Memory the database may keep pages in.
const CACHE_BYTES: usize = 2 * 1024 * 1024;

/// Requests waiting for the thread; further callers wait for room.
const REQUESTS_MAX: usize = 1024;

const ENTRIES: TableDefinition<&str, &[u8]> = TableDefinition::new("entries");
const STATE: TableDefinition<&str, u64> = TableDefinition::new("state");
const REVISION_KEY: &str = "revision";
const FORMAT_KEY: &str = "format";
const REVISION_BYTES: usize = 8;

type Reply<T> = oneshot::Sender<Result<T, StorageError>>;

enum Request {
    Get(String, Reply<Option<Entry>>),
    List(String, Reply<Vec<Entry>>),
    Write(Vec<Write>, Reply<Revision>),
    Close(Reply<()>),
}

/// [`MetadataStore`] on the local disk.
#[derive(Debug)]
pub struct LocalMetadata {
    requests: mpsc::Sender<Request>,
    watchers: Arc<Mutex<Watchers>>,
}

impl LocalMetadata {
    /// Opens or creates the database under the locked directory and starts its thread.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when the file cannot be opened,
    /// [`StorageError::Damaged`] when it is not ours to read.
    pub fn open(lock: Arc<DirectoryLock>) -> Result<Self, StorageError> {
        let (database, revision) = open_database(&lock.directory().join(METADATA_FILE))?;
        let changes_path = lock.directory().join(CHANGES_FILE);
        let revision = replay(&database, revision, &changes_path)?;
        let (sender, receiver) = mpsc::channel(REQUESTS_MAX);
        let watchers = Arc::new(Mutex::new(Watchers::new(revision)));
        let owner = Owner {
            database,
            revision,
            watchers: Arc::clone(&watchers),
            log: Log::Unopened(changes_path),
            broken: None,
        };
        std::thread::Builder::new()
            .name("metadata".to_owned())
            .spawn(move || {
                let closed = owner.run(receiver);
                // The directory stays ours until the file is closed, and whoever waits for
                // the end may open it again at once.
                drop(lock);
                if let Some((reply, result)) = closed {
                    let _ = reply.send(result);
                }
            })
            .map_err(|error| StorageError::Unavailable(format!("cannot start the metadata thread: {error}")))?;
        Ok(Self { requests: sender, watchers })
    }

    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, StorageError> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }
}

impl MetadataStore for LocalMetadata {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StorageError>> {
        Box::pin(self.ask(|reply| Request::Get(key.to_owned(), reply)))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Entry>, StorageError>> {
        Box::pin(self.ask(|reply| Request::List(prefix.to_owned(), reply)))
    }

    fn write(&self, writes: Vec<Write>) -> BoxFuture<'_, Result<Revision, StorageError>> {
        Box::pin(self.ask(|reply| Request::Write(writes, reply)))
    }

    fn watch(&self, from: Revision) -> mpsc::Receiver<Change> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner).watch(from)
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        Box::pin(self.ask(Request::Close))
    }
}

fn closed() -> StorageError {
    StorageError::Unavailable("the metadata store is closed".to_owned())
}

/// Any failure of the database: it is to be asked again later, or repaired by hand.
fn unavailable(error: impl Into<redb::Error>) -> StorageError {
    StorageError::Unavailable(format!("metadata store: {}", error.into()))
}

fn open_database(path: &Path) -> Result<(Database, Revision), StorageError> {
    let broken = |error: redb::Error| match error {
        redb::Error::Corrupted(what) => StorageError::Damaged(format!("{}: {what}", path.display())),
        error => StorageError::Unavailable(format!("cannot open {}: {error}", path.display())),
    };
    let database =
        Database::builder().set_cache_size(CACHE_BYTES).create(path).map_err(|error| broken(error.into()))?;
    restrict(path)?;
    let read = database.begin_read().map_err(|error| broken(error.into()))?;
    let revision = match read.open_table(STATE) {
        // Nothing was ever written: tables come with the first write, which keeps the
        // first start free of a commit.
        Err(TableError::TableDoesNotExist(_)) => Revision(0),
        Err(error) => return Err(broken(error.into())),
        Ok(state) => {
            let number = |key| Ok(state.get(key).map_err(|error| broken(error.into()))?.map(|guard| guard.value()));
            match number(FORMAT_KEY)? {
                Some(METADATA_FORMAT | METADATA_FORMAT_WITHOUT_LOG) => {
                    Revision(number(REVISION_KEY)?.unwrap_or_default())
                }
                other => {
                    return Err(StorageError::Damaged(format!(
                        "{} has format {}, this program reads format {METADATA_FORMAT}",
                        path.display(),
                        other.map_or_else(|| "none".to_owned(), |format| format.to_string())
                    )));
                }
            }
        }
    };
    Ok((database, revision))
}

/// Password hashes live here: nobody else reads the file, whatever the umask.
fn restrict(path: &Path) -> Result<(), StorageError> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .map_err(|error| StorageError::Unavailable(format!("cannot restrict {}: {error}", path.display())))
}

/// Applies what the log of changes has and the database has not, and makes it durable there.
fn replay(database: &Database, revision: Revision, path: &Path) -> Result<Revision, StorageError> {
    let file = match open_file(path, false) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(revision),
        Err(error) => return Err(StorageError::Unavailable(format!("cannot open {}: {error}", path.display()))),
    };
    let changes = change_log::read(&*file, revision)?;
    let Some(last) = changes.last() else { return Ok(revision) };
    let transaction = database.begin_write().map_err(unavailable)?;
    {
        let mut entries = transaction.open_table(ENTRIES).map_err(unavailable)?;
        for change in &changes {
            set(&mut entries, &change.key, change.value.as_deref(), change.revision)?;
        }
    }
    record_state(&transaction, last.revision)?;
    transaction.commit().map_err(unavailable)?;
    tracing::debug!(changes = changes.len(), "the metadata store was not closed; its log of changes is applied");
    Ok(last.revision)
}

/// The log of changes.
enum Log {
    /// Nothing was written yet: the file comes with the first change, which keeps the first
    /// start free of it.
    Unopened(PathBuf),
    Open(ChangeLog),
    /// It failed, so every transaction makes the database durable.
    Failed,
}

/// State of the thread.
struct Owner {
    database: Database,
    revision: Revision,
    watchers: Arc<Mutex<Watchers>>,
    log: Log,
    /// Why nothing can be changed any more.
    broken: Option<StorageError>,
}

/// Who asked for the end, and what to tell it once everything is closed.
type Closing = (Reply<()>, Result<(), StorageError>);

impl Owner {
    fn run(mut self, mut requests: mpsc::Receiver<Request>) -> Option<Closing> {
        let mut reads = Vec::new();
        let mut writes = Vec::new();
        while let Some(first) = requests.blocking_recv() {
            let mut closing = None;
            let mut next = Some(first);
            while let Some(request) = next {
                match request {
                    Request::Write(batch, reply) => writes.push((batch, reply)),
                    Request::Close(reply) => {
                        closing = Some(reply);
                        break;
                    }
                    read => reads.push(read),
                }
                next = requests.try_recv().ok();
            }
            self.commit(&mut writes);
            for read in reads.drain(..) {
                self.answer(read);
            }
            if let Some(reply) = closing {
                requests.close();
                self.watchers.lock().unwrap_or_else(PoisonError::into_inner).close();
                let result = self.settle().and_then(|()| self.database.close().map_err(unavailable));
                return Some((reply, result));
            }
        }
        None
    }

    /// Reads run after the writes they arrived with, so a reader sees what was
    /// acknowledged before it asked.
    fn answer(&self, request: Request) {
        match request {
            Request::Get(key, reply) => drop(reply.send(self.get(key))),
            Request::List(prefix, reply) => drop(reply.send(self.list(&prefix))),
            Request::Write(..) | Request::Close(_) => {}
        }
    }

    fn get(&self, key: String) -> Result<Option<Entry>, StorageError> {
        let read = self.database.begin_read().map_err(unavailable)?;
        let table = match read.open_table(ENTRIES) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            table => table.map_err(unavailable)?,
        };
        let found = table.get(key.as_str()).map_err(unavailable)?;
        found.map(|guard| entry(key, guard.value())).transpose()
    }

    fn list(&self, prefix: &str) -> Result<Vec<Entry>, StorageError> {
        let read = self.database.begin_read().map_err(unavailable)?;
        let table = match read.open_table(ENTRIES) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            table => table.map_err(unavailable)?,
        };
        let mut entries = Vec::new();
        for item in table.range(prefix..).map_err(unavailable)? {
            let (key, value) = item.map_err(unavailable)?;
            if !key.value().starts_with(prefix) {
                break;
            }
            entries.push(entry(key.value().to_owned(), value.value())?);
        }
        Ok(entries)
    }

    fn commit(&mut self, requests: &mut Vec<(Vec<Write>, Reply<Revision>)>) {
        if requests.is_empty() {
            return;
        }
        let mut changes = Vec::new();
        match self.apply(requests, &mut changes) {
            Ok((revision, verdicts)) => {
                self.revision = revision;
                // Watchers hear of a change before its writer does: a writer that was
                // answered finds every watcher's channel already holding the change.
                self.watchers.lock().unwrap_or_else(PoisonError::into_inner).publish(changes);
                for ((_, reply), verdict) in requests.drain(..).zip(verdicts) {
                    let _ = reply.send(verdict);
                }
            }
            Err(error) => {
                tracing::error!("{error}: {} requests to change metadata failed", requests.len());
                for (_, reply) in requests.drain(..) {
                    let _ = reply.send(Err(error.clone()));
                }
            }
        }
    }

    /// One transaction for all requests; returns the new revision and a verdict for each.
    fn apply(
        &mut self,
        requests: &[(Vec<Write>, Reply<Revision>)],
        changes: &mut Vec<Change>,
    ) -> Result<(Revision, Vec<Result<Revision, StorageError>>), StorageError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let transaction = self.database.begin_write().map_err(unavailable)?;
        let mut revision = self.revision;
        let mut verdicts = Vec::with_capacity(requests.len());
        {
            let mut entries = transaction.open_table(ENTRIES).map_err(unavailable)?;
            for (writes, _) in requests {
                if let Some(key) = first_conflict(&entries, writes, revision)? {
                    verdicts.push(Err(StorageError::Conflict { key }));
                    continue;
                }
                for write in writes {
                    revision = apply_one(&mut entries, write, revision, changes)?;
                }
                verdicts.push(Ok(revision));
            }
        }
        if changes.is_empty() {
            transaction.abort().map_err(unavailable)?;
        } else {
            self.make_durable(transaction, revision, changes)?;
        }
        Ok((revision, verdicts))
    }

    /// Commits a transaction: in the log of changes, or when that has no room, or fails, in the
    /// database.
    fn make_durable(
        &mut self,
        mut transaction: WriteTransaction,
        revision: Revision,
        changes: &[Change],
    ) -> Result<(), StorageError> {
        let logged = match self.log().map(|log| log.append(changes)).transpose() {
            Ok(appended) => appended == Some(Appended::Durable),
            Err(error) => {
                tracing::error!("the log of metadata changes failed, so changes take longer from now on: {error}");
                self.log = Log::Failed;
                false
            }
        };
        if !logged {
            record_state(&transaction, revision)?;
            transaction.commit().map_err(unavailable)?;
            if let Log::Open(log) = &mut self.log {
                log.rewind();
            }
            return Ok(());
        }
        let committed = transaction
            .set_durability(Durability::None)
            .map_err(|error| StorageError::Unavailable(format!("metadata store: {error}")))
            .and_then(|()| transaction.commit().map_err(unavailable));
        if let Err(error) = &committed {
            // The log has a change that the database has not: a start will apply it, and no
            // other may take its revision.
            self.broken = Some(error.clone());
        }
        committed
    }

    /// The log of changes; `None` when it failed.
    fn log(&mut self) -> Option<&mut ChangeLog> {
        if let Log::Unopened(path) = &self.log {
            self.log = match start_log(path) {
                Ok(log) => Log::Open(log),
                Err(error) => {
                    tracing::error!("cannot make {}, so changes of metadata take longer: {error}", path.display());
                    Log::Failed
                }
            };
        }
        match &mut self.log {
            Log::Open(log) => Some(log),
            Log::Unopened(_) | Log::Failed => None,
        }
    }

    /// Makes the database durable.
    fn settle(&mut self) -> Result<(), StorageError> {
        if !matches!(self.log, Log::Open(_)) {
            return Ok(());
        }
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let transaction = self.database.begin_write().map_err(unavailable)?;
        record_state(&transaction, self.revision)?;
        transaction.commit().map_err(unavailable)
    }
}

fn start_log(path: &Path) -> std::io::Result<ChangeLog> {
    let log = ChangeLog::start(open_file(path, true)?)?;
    // The name must be there as long as what is written below it counts.
    let directory = path.parent().unwrap_or(path);
    std::fs::File::open(directory)?.sync_all()?;
    Ok(log)
}

/// Notes how far the database has come.
fn record_state(transaction: &WriteTransaction, revision: Revision) -> Result<(), StorageError> {
    let mut state = transaction.open_table(STATE).map_err(unavailable)?;
    state.insert(FORMAT_KEY, METADATA_FORMAT).map_err(unavailable)?;
    state.insert(REVISION_KEY, revision.0).map_err(unavailable)?;
    Ok(())
}

type Entries<'t> = redb::Table<'t, &'static str, &'static [u8]>;

/// Key of the first write whose expectation does not hold, seeing the writes before it.
fn first_conflict(
    entries: &Entries<'_>,
    writes: &[Write],
    mut revision: Revision,
) -> Result<Option<String>, StorageError> {
    // What the earlier writes of the same request will have left under a key.
    let mut pending: HashMap<&str, Option<Revision>> = HashMap::new();
    for write in writes {
        let present = match pending.get(write.key.as_str()) {
            Some(present) => *present,
            None if write.expect == Expect::Any && write.value.is_some() => None,
            None => match entries.get(write.key.as_str()).map_err(unavailable)? {
                Some(guard) => Some(split(&write.key, guard.value())?.0),
                None => None,
            },
        };
        let holds = match write.expect {
            Expect::Any => true,
            Expect::Absent => present.is_none(),
            Expect::At(revision) => present == Some(revision),
        };
        if !holds {
            return Ok(Some(write.key.clone()));
        }
        if writes.len() > 1 {
            if write.value.is_some() || present.is_some() {
                revision = Revision(revision.0 + 1);
            }
            pending.insert(write.key.as_str(), write.value.is_some().then_some(revision));
        }
    }
    Ok(None)
}

/// Applies a write whose expectation holds; deleting what is not there changes nothing.
fn apply_one(
    entries: &mut Entries<'_>,
    write: &Write,
    revision: Revision,
    changes: &mut Vec<Change>,
) -> Result<Revision, StorageError> {
    let next = Revision(revision.0 + 1);
    if !set(entries, &write.key, write.value.as_deref(), next)? {
        return Ok(revision);
    }
    changes.push(Change { key: write.key.clone(), value: write.value.clone(), revision: next });
    Ok(next)
}

/// Puts or deletes one entry; `false` when there was nothing to delete.
fn set(entries: &mut Entries<'_>, key: &str, value: Option<&[u8]>, revision: Revision) -> Result<bool, StorageError> {
    let Some(value) = value else {
        return Ok(entries.remove(key).map_err(unavailable)?.is_some());
    };
    let mut slot = entries.insert_reserve(key, REVISION_BYTES + value.len()).map_err(unavailable)?;
    let (head, tail) = slot.as_mut().split_at_mut(REVISION_BYTES);
    head.copy_from_slice(&revision.0.to_le_bytes());
    tail.copy_from_slice(value);
    Ok(true)
}

fn split<'a>(key: &str, stored: &'a [u8]) -> Result<(Revision, &'a [u8]), StorageError> {
    let (revision, value) = stored
        .split_first_chunk::<REVISION_BYTES>()
        .ok_or_else(|| StorageError::Damaged(format!("metadata entry '{key}' is too short")))?;
    Ok((Revision(u64::from_le_bytes(*revision)), value))
}

fn entry(key: String, stored: &[u8]) -> Result<Entry, StorageError> {
    let (revision, value) = split(&key, stored)?;
    let value = Bytes::copy_from_slice(value);
    Ok(Entry { key, value, revision })
}
