//! What others hold of a queue.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use arc_swap::ArcSwapOption;
use tokio::sync::oneshot;

use super::command::QueueCommand;
use super::mailbox::Sender;
use crate::domain::name::VhostName;
use crate::domain::queue::QueueSpec;
use crate::error::Error;
use crate::facade::QueueTotals;
use crate::metrics::{AtomicQueueCounters, QueueCounters};
use crate::runtime::clock::idle_since_ms;

/// Commands a queue's mailbox holds. When it is full the sender waits: a connection
/// stops reading its socket, so the publisher slows down to what the queue can take.
pub(crate) const QUEUE_MAILBOX_COMMANDS_MAX: usize = 128;

/// Consumers that listings name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ConsumerTags {
    /// The exclusive one.
    pub(crate) exclusive: Option<String>,
    /// The single active one.
    pub(crate) single_active: Option<String>,
}

/// Stands for "no timestamp" in [`QueueStats`].
pub(super) const NO_TIMESTAMP: u64 = u64::MAX;

/// Counters of one queue: written by its owner alone, read by anybody.
#[derive(Debug, Default)]
pub(crate) struct QueueStats {
    pub(crate) ready: AtomicU64,
    pub(crate) unacknowledged: AtomicU64,
    pub(crate) ready_bytes: AtomicU64,
    pub(crate) ready_paged: AtomicU64,
    pub(crate) ready_paged_bytes: AtomicU64,
    pub(crate) unacknowledged_bytes: AtomicU64,
    pub(crate) unacknowledged_paged: AtomicU64,
    pub(crate) unacknowledged_paged_bytes: AtomicU64,
    pub(crate) persistent: AtomicU64,
    pub(crate) persistent_bytes: AtomicU64,
    pub(crate) consumers: AtomicU64,
    pub(crate) dead: AtomicU64,
    pub(crate) dead_bytes: AtomicU64,
    pub(crate) delayed: AtomicU64,
    pub(crate) delayed_bytes: AtomicU64,
    pub(crate) counters: AtomicQueueCounters,
    /// Milliseconds since the epoch of the last thing that happened.
    pub(crate) active_at_ms: AtomicU64,
    /// Timestamp of the first ready message, in seconds; `u64::MAX`: it has none.
    pub(crate) head_timestamp_s: AtomicU64,
    /// Of a stream: its segments.
    pub(crate) segments: AtomicU64,
    /// Of a stream: when the oldest message was taken, in milliseconds since the epoch.
    pub(crate) first_at_ms: AtomicU64,
    /// `None` when there is nothing to name.
    pub(crate) tags: ArcSwapOption<ConsumerTags>,
    /// Set once stored messages cannot be read: it takes and gives nothing.
    pub(crate) down: AtomicBool,
    /// Set once the queue is being deleted: it takes nothing any more.
    pub(crate) gone: AtomicBool,
}

impl QueueStats {
    fn totals(&self) -> QueueTotals {
        QueueTotals {
            ready: self.ready.load(Relaxed),
            unacknowledged: self.unacknowledged.load(Relaxed),
            ready_bytes: self.ready_bytes.load(Relaxed),
            ready_paged: self.ready_paged.load(Relaxed),
            ready_paged_bytes: self.ready_paged_bytes.load(Relaxed),
            unacknowledged_bytes: self.unacknowledged_bytes.load(Relaxed),
            unacknowledged_paged: self.unacknowledged_paged.load(Relaxed),
            unacknowledged_paged_bytes: self.unacknowledged_paged_bytes.load(Relaxed),
            persistent: self.persistent.load(Relaxed),
            persistent_bytes: self.persistent_bytes.load(Relaxed),
            consumers: self.consumers.load(Relaxed),
            dead: self.dead.load(Relaxed),
            dead_bytes: self.dead_bytes.load(Relaxed),
            delayed: self.delayed.load(Relaxed),
            delayed_bytes: self.delayed_bytes.load(Relaxed),
        }
    }
}

struct Shared {
    spec: Arc<QueueSpec>,
    vhost: VhostName,
    mailbox: Sender<QueueCommand>,
    stats: Arc<QueueStats>,
}

/// A live queue. Cheap to clone; equal when it is the same queue (not merely the same name).
#[derive(Clone)]
pub(crate) struct QueueHandle(Arc<Shared>);

impl QueueHandle {
    pub(in crate::runtime) fn new(
        spec: Arc<QueueSpec>,
        vhost: VhostName,
        mailbox: Sender<QueueCommand>,
        stats: Arc<QueueStats>,
    ) -> Self {
        Self(Arc::new(Shared { spec, vhost, mailbox, stats }))
    }

    /// As declared.
    pub(crate) fn spec(&self) -> &Arc<QueueSpec> {
        &self.0.spec
    }

    /// Its vhost.
    pub(crate) fn vhost(&self) -> &VhostName {
        &self.0.vhost
    }

    /// Its counts now.
    pub(crate) fn totals(&self) -> QueueTotals {
        self.0.stats.totals()
    }

    /// Uses the queue, so that `x-expires` starts again, and tells its counts as they are
    /// after everything that was sent to it before.
    pub(crate) async fn touch(&self) -> QueueTotals {
        self.ask(|reply| QueueCommand::Touch { reply }).await;
        self.totals()
    }

    /// Its counters since it exists.
    pub(crate) fn counters(&self) -> QueueCounters {
        self.0.stats.counters.load()
    }

    /// Since when nothing happened, in milliseconds since the epoch; `None` while something does.
    pub(crate) fn idle_since_ms(&self) -> Option<u64> {
        idle_since_ms(self.0.stats.active_at_ms.load(Relaxed))
    }

    /// Timestamp property of the first ready message, in seconds.
    pub(crate) fn head_message_timestamp(&self) -> Option<u64> {
        Some(self.0.stats.head_timestamp_s.load(Relaxed)).filter(|&at| at != NO_TIMESTAMP)
    }

    /// Of a stream: its segments, and when the oldest message was taken, in milliseconds since
    /// the epoch.
    pub(crate) fn segments(&self) -> (u64, u64) {
        (self.0.stats.segments.load(Relaxed), self.0.stats.first_at_ms.load(Relaxed))
    }

    /// Consumers that listings name.
    pub(crate) fn consumer_tags(&self) -> ConsumerTags {
        self.0.stats.tags.load().as_deref().cloned().unwrap_or_default()
    }

    /// Whether it is being deleted.
    pub(crate) fn is_gone(&self) -> bool {
        self.0.stats.gone.load(Relaxed)
    }

    /// Whether it cannot serve: its messages cannot be read, or its owner has ended.
    pub(crate) fn is_down(&self) -> bool {
        self.0.stats.down.load(Relaxed) || (self.0.mailbox.is_closed() && !self.is_gone())
    }

    /// Sends a command; waits for room.
    ///
    /// # Errors
    /// The command, when the queue is gone.
    pub(crate) async fn send(&self, command: QueueCommand) -> Result<(), QueueCommand> {
        self.0.mailbox.send(command).await
    }

    /// Sends a command built around a reply channel and waits for the answer; `None` when
    /// the queue is gone or goes meanwhile.
    pub(crate) async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> QueueCommand) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply)).await.ok()?;
        answer.await.ok()
    }

    /// Deletes the queue if the conditions hold, atomically with respect to everything
    /// else that happens to it. Answers with the ready messages that went with it.
    /// The caller has recorded the deletion, or records it before it answers its client.
    ///
    /// # Errors
    /// [`Error::InUse`], [`Error::NotEmpty`]; a queue already gone is an `Ok(0)`.
    pub(crate) async fn delete(&self, if_unused: bool, if_empty: bool) -> Result<u64, Error> {
        self.ask(|reply| QueueCommand::Delete { if_unused, if_empty, reply }).await.unwrap_or(Ok(0))
    }

    /// Stops the owner, keeping what is durable: the application stops.
    pub(crate) async fn stop(&self) {
        self.ask(|reply| QueueCommand::Stop { reply }).await;
    }
}

impl PartialEq for QueueHandle {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for QueueHandle {}

impl fmt::Debug for QueueHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "queue '{}' in vhost '{}'", self.0.spec.name, self.0.vhost)
    }
}
