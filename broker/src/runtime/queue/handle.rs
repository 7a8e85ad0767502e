//! What others hold of a queue.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use tokio::sync::{mpsc, oneshot};

use super::command::QueueCommand;
use crate::domain::name::VhostName;
use crate::domain::queue::QueueSpec;
use crate::error::Error;
use crate::facade::QueueTotals;
use crate::metrics::QueueCounters;

/// Commands a queue's mailbox holds. When it is full the sender waits: a connection
/// stops reading its socket, so the publisher slows down to what the queue can take.
pub(crate) const QUEUE_MAILBOX_COMMANDS_MAX: usize = 128;

/// Counters of one queue: written by its owner alone, read by anybody.
#[derive(Debug, Default)]
pub(crate) struct QueueStats {
    pub(crate) ready: AtomicU64,
    pub(crate) unacknowledged: AtomicU64,
    pub(crate) ready_bytes: AtomicU64,
    pub(crate) unacknowledged_bytes: AtomicU64,
    pub(crate) persistent: AtomicU64,
    pub(crate) persistent_bytes: AtomicU64,
    pub(crate) consumers: AtomicU64,
    pub(crate) publish: AtomicU64,
    pub(crate) deliver: AtomicU64,
    pub(crate) deliver_no_ack: AtomicU64,
    pub(crate) get: AtomicU64,
    pub(crate) get_no_ack: AtomicU64,
    pub(crate) get_empty: AtomicU64,
    pub(crate) ack: AtomicU64,
    pub(crate) redeliver: AtomicU64,
    /// Milliseconds since the epoch of the last thing that happened.
    pub(crate) active_at_ms: AtomicU64,
    /// Set once the queue is being deleted: it takes nothing any more.
    pub(crate) gone: AtomicBool,
}

impl QueueStats {
    fn totals(&self) -> QueueTotals {
        QueueTotals {
            ready: self.ready.load(Relaxed),
            unacknowledged: self.unacknowledged.load(Relaxed),
            ready_bytes: self.ready_bytes.load(Relaxed),
            unacknowledged_bytes: self.unacknowledged_bytes.load(Relaxed),
            persistent: self.persistent.load(Relaxed),
            persistent_bytes: self.persistent_bytes.load(Relaxed),
            consumers: self.consumers.load(Relaxed),
        }
    }

    fn counters(&self) -> QueueCounters {
        QueueCounters {
            publish: self.publish.load(Relaxed),
            deliver: self.deliver.load(Relaxed),
            deliver_no_ack: self.deliver_no_ack.load(Relaxed),
            get: self.get.load(Relaxed),
            get_no_ack: self.get_no_ack.load(Relaxed),
            get_empty: self.get_empty.load(Relaxed),
            ack: self.ack.load(Relaxed),
            redeliver: self.redeliver.load(Relaxed),
        }
    }
}

struct Shared {
    spec: Arc<QueueSpec>,
    vhost: VhostName,
    mailbox: mpsc::Sender<QueueCommand>,
    stats: Arc<QueueStats>,
}

/// A live queue. Cheap to clone; equal when it is the same queue (not merely the same name).
#[derive(Clone)]
pub(crate) struct QueueHandle(Arc<Shared>);

impl QueueHandle {
    pub(super) fn new(
        spec: Arc<QueueSpec>,
        vhost: VhostName,
        mailbox: mpsc::Sender<QueueCommand>,
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

    /// Its counters since it exists.
    pub(crate) fn counters(&self) -> QueueCounters {
        self.0.stats.counters()
    }

    /// Since when nothing happened, in milliseconds since the epoch; `None` while consumers are attached.
    pub(crate) fn idle_since_ms(&self) -> Option<u64> {
        let at = self.0.stats.active_at_ms.load(Relaxed);
        (at != 0 && self.0.stats.ready.load(Relaxed) == 0 || self.0.stats.consumers.load(Relaxed) == 0).then_some(at)
    }

    /// Whether it is being deleted.
    pub(crate) fn is_gone(&self) -> bool {
        self.0.stats.gone.load(Relaxed)
    }

    /// Sends a command; waits for room.
    ///
    /// # Errors
    /// The command, when the queue is gone.
    pub(crate) async fn send(&self, command: QueueCommand) -> Result<(), QueueCommand> {
        self.0.mailbox.send(command).await.map_err(|error| error.0)
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
