//! The local queue log: one journal for all logs, written in groups by one thread.
//!
//! Owns the mailbox between callers and the journal's thread, the epochs of logs, and the
//! decision when a group begins. A caller hands over and never waits for the disk; while
//! one group is synced, new requests pile up and become the next. A thousand queues that
//! append at the same time cost one sync.
//!
//! The mailbox is a leaf lock held for a few lines. It is bounded by
//! [`PENDING_BYTES_MAX`]; an append beyond it is refused as unavailable.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::core::Core;
use super::counted::CountedDisk;
use super::disk::Disk;
use super::large::LargeJob;
use super::lock::DirectoryLock;
use super::patient::{Patience, PatientDisk, Wait};
use super::read::ReadJob;
use super::recover::Finding;
use super::request::{Read, Reply, Request};
use super::segment::SEGMENT_BYTES;
use crate::storage::io::AtomicIo;
use crate::storage::{
    BoxFuture, Epoch, IoCounters, LogBatch, LogHealth, LogId, LogRecord, LogSummary, Position, QueueLog, ReadLimit,
    StorageError,
};

/// Payload bytes that may wait for the disk. Owners hold the same bytes anyway, so this
/// guards against a disk that stands still, not against memory use.
pub const PENDING_BYTES_MAX: usize = 1 << 30;

/// Removes alone start a group after this time at the latest.
pub const REMOVE_DELAY: Duration = Duration::from_millis(200);

/// Removes alone start a group at this many ranges.
const REMOVE_RANGES_MAX: usize = 65_536;

/// An idle journal gives back its buffers after this time, once.
const REST_DELAY: Duration = Duration::from_secs(5);

/// The disk is looked at again after this time while it has no room.
const SPACE_DELAY: Duration = Duration::from_millis(100);

/// Time between two steps of rewriting, which bounds that work to 128 MiB per second.
const RECLAIM_PAUSE: Duration = Duration::from_millis(2);

/// Requests kept room for between groups.
const REQUESTS_KEPT_MAX: usize = 1024;

/// [`QueueLog`] on the local disk.
#[derive(Debug)]
pub struct LocalLog {
    shared: Arc<Shared>,
    health: watch::Receiver<LogHealth>,
    io: Arc<AtomicIo>,
}

#[derive(Debug)]
struct Shared {
    pending: Mutex<Pending>,
    /// The journal's thread waits here, and nobody else: one is woken for one request.
    wake: Condvar,
    /// Whoever waits for room on the disk.
    room: Condvar,
    /// Where the journal's health is told, and how many writes wait for room.
    health: OnceLock<(watch::Sender<LogHealth>, Arc<AtomicUsize>)>,
}

/// What callers have handed over.
#[derive(Debug, Default)]
struct Pending {
    requests: Vec<Request>,
    /// Payload bytes in `requests`.
    bytes: usize,
    /// Ranges to remove in `requests`.
    ranges: usize,
    /// Something in `requests` is waited for.
    urgent: bool,
    sleep: Sleep,
    epochs: HashMap<LogId, Epoch>,
    /// Why nothing is taken any more.
    refusal: Option<StorageError>,
}

/// What the thread waits for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Sleep {
    /// It works, and looks at the mailbox by itself.
    #[default]
    Not,
    /// Any request.
    Idle,
    /// An urgent request, many removes, or the end of the delay.
    Delay,
}

impl LocalLog {
    /// Recovers the journal on `disk` and starts its thread. `lock` is kept until the
    /// thread has ended.
    ///
    /// # Errors
    /// As recovery: the disk does not answer, or nothing can be verified.
    pub fn open(disk: Box<dyn Disk>, lock: Option<Arc<DirectoryLock>>) -> Result<(Self, Vec<Finding>), StorageError> {
        let shared = Arc::new(Shared {
            pending: Mutex::default(),
            wake: Condvar::new(),
            room: Condvar::new(),
            health: OnceLock::new(),
        });
        let io = Arc::new(AtomicIo::default());
        let counted = Box::new(CountedDisk::new(disk, Arc::clone(&io)));
        let disk = Box::new(PatientDisk::new(counted, patience(&shared)));
        let (core, findings) = Core::open(disk, SEGMENT_BYTES)?;
        let health = core.space.health();
        let _ = shared.health.set((health.clone(), core.space.writes_waiting()));
        let health = health.subscribe();
        let (reading, writing) = (Arc::clone(&shared), Arc::clone(&shared));
        let reader = start("journal-read", move |job: ReadJob| {
            let mut done = job.run();
            let damaged = std::mem::take(&mut done.damaged);
            if !damaged.is_empty() {
                reading.hand_back(Request::Damaged(done.log, damaged));
            }
            done.answer();
        })?;
        let large = start("journal-large", move |job: LargeJob| {
            writing.hand_back(Request::Written(Box::new(job.run())));
        })?;
        let thread = Thread {
            shared: Arc::clone(&shared),
            core,
            requests: Vec::new(),
            reader,
            large,
            next_step: Instant::now(),
        };
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || thread.run(lock))
            .map_err(|error| StorageError::Unavailable(format!("cannot start the journal thread: {error}")))?;
        Ok((Self { shared, health, io }, findings))
    }

    fn ask<T: Send + 'static>(
        &self,
        request: impl FnOnce(Reply<T>) -> Request,
    ) -> BoxFuture<'static, Result<T, StorageError>> {
        let (reply, answer) = oneshot::channel();
        let handed = self.shared.hand_over(|pending| {
            pending.urgent = true;
            pending.requests.push(request(reply));
            Ok(())
        });
        wait(handed, answer)
    }

    fn ask_as_owner<T: Send + 'static>(
        &self,
        log: LogId,
        epoch: Epoch,
        request: impl FnOnce(Reply<T>) -> Request,
    ) -> BoxFuture<'static, Result<T, StorageError>> {
        let (reply, answer) = oneshot::channel();
        let handed = self.shared.hand_over(|pending| {
            pending.admit(log, epoch)?;
            pending.urgent = true;
            pending.requests.push(request(reply));
            Ok(())
        });
        wait(handed, answer)
    }
}

fn wait<T: Send + 'static>(
    handed: Result<(), StorageError>,
    answer: oneshot::Receiver<Result<T, StorageError>>,
) -> BoxFuture<'static, Result<T, StorageError>> {
    Box::pin(async move {
        handed?;
        answer.await.map_err(|_| ended())?
    })
}

impl QueueLog for LocalLog {
    fn open(&self, log: LogId, epoch: Epoch) -> BoxFuture<'_, Result<LogSummary, StorageError>> {
        self.ask_as_owner(log, epoch, |reply| Request::Open(log, reply))
    }

    fn read(
        &self,
        log: LogId,
        epoch: Epoch,
        ranges: Vec<RangeInclusive<Position>>,
        limit: ReadLimit,
    ) -> BoxFuture<'static, Result<LogBatch, StorageError>> {
        self.ask_as_owner(log, epoch, |reply| Request::Read(Read { log, ranges, rest: None, limit, reply }))
    }

    fn append(
        &self,
        log: LogId,
        epoch: Epoch,
        records: Vec<LogRecord>,
    ) -> BoxFuture<'static, Result<(), StorageError>> {
        let (reply, answer) = oneshot::channel();
        let bytes: usize = records.iter().map(|record| record.payload.len()).sum();
        let handed = self.shared.hand_over(|pending| {
            pending.admit(log, epoch)?;
            // One request is always taken, however large.
            if pending.bytes > 0 && pending.bytes + bytes > PENDING_BYTES_MAX {
                return Err(StorageError::Unavailable("the disk does not keep up".to_owned()));
            }
            pending.bytes += bytes;
            pending.urgent = true;
            pending.requests.push(Request::Append(log, records, reply));
            Ok(())
        });
        wait(handed, answer)
    }

    fn remove(&self, log: LogId, epoch: Epoch, positions: Vec<RangeInclusive<Position>>) -> Result<(), StorageError> {
        self.shared.hand_over(|pending| {
            pending.admit(log, epoch)?;
            pending.ranges += positions.len();
            pending.requests.push(Request::Remove(log, positions));
            Ok(())
        })
    }

    fn delete(&self, log: LogId) -> BoxFuture<'_, Result<(), StorageError>> {
        let (reply, answer) = oneshot::channel();
        let handed = self.shared.hand_over(|pending| {
            pending.epochs.remove(&log);
            pending.urgent = true;
            pending.requests.push(Request::Delete(log, reply));
            Ok(())
        });
        wait(handed, answer)
    }

    fn logs(&self) -> BoxFuture<'_, Result<Vec<LogId>, StorageError>> {
        self.ask(Request::Logs)
    }

    fn sync(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        self.ask(Request::Sync)
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        let (reply, answer) = oneshot::channel();
        let handed = self.shared.hand_over(|pending| {
            pending.urgent = true;
            pending.requests.push(Request::Close(reply));
            pending.refusal = Some(ended());
            Ok(())
        });
        wait(handed, answer)
    }

    fn health(&self) -> watch::Receiver<LogHealth> {
        self.health.clone()
    }

    fn io(&self) -> IoCounters {
        self.io.load()
    }
}

impl Drop for LocalLog {
    fn drop(&mut self) {
        let (reply, _) = oneshot::channel();
        // An error means that it has ended already.
        let _ = self.shared.hand_over(|pending| {
            pending.urgent = true;
            pending.requests.push(Request::Close(reply));
            pending.refusal = Some(ended());
            Ok(())
        });
    }
}

fn ended() -> StorageError {
    StorageError::Unavailable("the journal is closed".to_owned())
}

impl Pending {
    /// Refuses an older epoch than the newest seen, notes a newer one.
    fn admit(&mut self, log: LogId, epoch: Epoch) -> Result<(), StorageError> {
        // Epochs need not be stored: a process owns the directory alone, so the owners of
        // earlier processes are gone.
        let newest = self.epochs.entry(log).or_insert(epoch);
        if epoch < *newest {
            return Err(StorageError::Fenced);
        }
        *newest = epoch;
        Ok(())
    }

    fn is_due(&self) -> bool {
        self.urgent || self.ranges >= REMOVE_RANGES_MAX
    }
}

impl Shared {
    /// A thread beside the journal's reports. Also heard while the journal is to end; when it
    /// has ended nobody needs it.
    fn hand_back(&self, request: Request) {
        let mut pending = self.lock();
        pending.urgent = true;
        pending.requests.push(request);
        pending.sleep = Sleep::Not;
        drop(pending);
        self.wake.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets `put` add to the mailbox, and wakes the thread if it waits for that.
    fn hand_over(&self, put: impl FnOnce(&mut Pending) -> Result<(), StorageError>) -> Result<(), StorageError> {
        let mut pending = self.lock();
        if let Some(refusal) = &pending.refusal {
            return Err(refusal.clone());
        }
        put(&mut pending)?;
        let wake = match pending.sleep {
            Sleep::Not => false,
            Sleep::Idle => true,
            Sleep::Delay => pending.is_due(),
        };
        if wake {
            pending.sleep = Sleep::Not;
            drop(pending);
            self.wake.notify_one();
        }
        Ok(())
    }
}

/// Waits for room on the disk as long as the journal is not to end.
fn patience(shared: &Arc<Shared>) -> Patience {
    let shared = Arc::downgrade(shared);
    Arc::new(move |wait| {
        let Some(shared) = shared.upgrade() else { return false };
        // Without a health to tell, the journal is still being opened: nobody waits for that.
        let Some((health, waiting)) = shared.health.get() else { return false };
        match wait {
            Wait::Begins => waiting.fetch_add(1, Relaxed),
            Wait::GoesOn => 0,
            Wait::Ends => {
                waiting.fetch_sub(1, Relaxed);
                return true;
            }
        };
        health.send_if_modified(|health| {
            let is_news = *health == LogHealth::Well;
            if is_news {
                let what = "the disk is full, reserve and all".to_owned();
                tracing::error!("journal: {what}; everything waits until there is room");
                *health = LogHealth::DiskFull(what);
            }
            is_news
        });
        let pending = shared.lock();
        if pending.refusal.is_some() {
            return false;
        }
        // Not woken by requests: room comes from elsewhere.
        let (pending, _) = shared.room.wait_timeout(pending, SPACE_DELAY).unwrap_or_else(PoisonError::into_inner);
        pending.refusal.is_none()
    })
}

/// Starts a thread beside the journal's; it ends when that one has. Its mailbox needs no
/// capacity: an owner has one read under way, and large records are bounded by their bytes.
fn start<J: Send + 'static>(
    name: &str,
    mut work: impl FnMut(J) + Send + 'static,
) -> Result<mpsc::Sender<J>, StorageError> {
    let (jobs, waiting) = mpsc::channel::<J>();
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || waiting.into_iter().for_each(&mut work))
        .map_err(|error| StorageError::Unavailable(format!("cannot start the thread {name}: {error}")))?;
    Ok(jobs)
}

/// The journal's thread.
struct Thread {
    shared: Arc<Shared>,
    core: Core,
    requests: Vec<Request>,
    reader: mpsc::Sender<ReadJob>,
    large: mpsc::Sender<LargeJob>,
    /// When more space may be given back.
    next_step: Instant,
}

impl Thread {
    fn run(mut self, lock: Option<Arc<DirectoryLock>>) {
        let (closing, result) = loop {
            self.await_group();
            if let Err(error) = self.core.run(&mut self.requests) {
                break self.fail(&error);
            }
            if self.requests.capacity() > REQUESTS_KEPT_MAX {
                self.requests = Vec::new();
            }
            let closing = self.core.answer();
            for job in self.core.large.take_jobs() {
                // The writing thread outlives this one.
                let _ = self.large.send(job);
            }
            for job in self.core.take_reads() {
                // The reading thread outlives this one.
                let _ = self.reader.send(job);
            }
            if let Some(closing) = closing {
                let result = self.finish();
                break (Some(closing), result.map_err(|error| failed(&error)));
            }
            if self.next_step <= Instant::now() && self.core.has_work() {
                if let Err(error) = self.core.work() {
                    break self.fail(&error);
                }
                self.next_step =
                    Instant::now() + if self.core.space.is_short() { Duration::ZERO } else { RECLAIM_PAUSE };
            }
        };
        // Files are closed and the directory is free before anyone hears of it.
        drop(self);
        drop(lock);
        if let Some(closing) = closing {
            let _ = closing.send(result);
        }
    }

    fn finish(&mut self) -> std::io::Result<()> {
        self.core.finish()
    }

    /// Waits until there is something to do, and takes the requests.
    fn await_group(&mut self) {
        let mut rested = false;
        let mut due: Option<Instant> = None;
        let mut pending = self.shared.lock();
        loop {
            let now = Instant::now();
            let step = self.core.has_work().then_some(self.next_step);
            if pending.is_due() || [due, step].into_iter().flatten().any(|due| due <= now) {
                break;
            }
            if self.core.space.is_short() {
                due.get_or_insert(now + SPACE_DELAY);
            }
            let idle = pending.requests.is_empty();
            if !idle {
                due.get_or_insert(now + REMOVE_DELAY);
            }
            pending.sleep = if idle { Sleep::Idle } else { Sleep::Delay };
            let rest = (!rested && due.is_none() && step.is_none()).then_some(now + REST_DELAY);
            pending = match [due, step, rest].into_iter().flatten().min() {
                None => self.shared.wake.wait(pending).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let (pending, waited) =
                        self.shared.wake.wait_timeout(pending, until - now).unwrap_or_else(PoisonError::into_inner);
                    if waited.timed_out() && rest.is_some() && pending.requests.is_empty() {
                        rested = true;
                        self.core.rest();
                    }
                    pending
                }
            };
        }
        pending.sleep = Sleep::Not;
        pending.urgent = false;
        pending.bytes = 0;
        pending.ranges = 0;
        std::mem::swap(&mut pending.requests, &mut self.requests);
    }

    /// A write or a sync failed: what it left on the disk is unknown, so nothing is ever
    /// confirmed again.
    fn fail(&mut self, error: &std::io::Error) -> (Option<Reply<()>>, Result<(), StorageError>) {
        let error = failed(error);
        tracing::error!("{error}; no message will be confirmed until the broker is restarted");
        if let Some((health, _)) = self.shared.health.get() {
            health.send_replace(LogHealth::Failed(error.to_string()));
        }
        let left = {
            let mut pending = self.shared.lock();
            // From here on nothing more is handed over.
            pending.refusal = Some(error.clone());
            std::mem::take(&mut pending.requests)
        };
        self.requests.extend(left);
        self.core.refuse(&mut self.requests, &error);
        (self.core.take_closing(), Err(error))
    }
}

fn failed(error: &std::io::Error) -> StorageError {
    StorageError::Unavailable(format!("the journal could not be written: {error}"))
}
