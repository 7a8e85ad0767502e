//! One delaying exchange: who keeps its messages until they are due.
//!
//! To everybody else it is a queue that no list names: it takes publishes and confirms them,
//! so confirms, transactions, dead letters and back pressure need to know nothing of it.
//! All its messages are in its log, transient ones too, and in memory are their places by
//! time (`schedule`), 16 bytes each; bodies are read back when they are due. Then they go on
//! to the queues their exchange's bindings lead to, and leave the log when those have them.
//! The owner task (`task`, and by subject `recovery`, `ending`) waits for queues, and no
//! queue waits for it.

mod clock;
mod ending;
mod recovery;
mod schedule;
mod task;

use std::sync::{Arc, Weak};

use super::handle::Shared;
use crate::domain::arguments::QUEUE_TYPE;
use crate::domain::exchange::Exchange;
use crate::domain::exchange::delayed::QUEUE_PREFIX;
use crate::domain::name::{QueueName, VhostName};
use crate::domain::queue::{QueueId, QueueKind, QueueSpec};
use crate::domain::value::{FieldTable, FieldValue};
use crate::error::Error;
use crate::runtime::queue::mailbox::mailbox;
use crate::runtime::queue::{QUEUE_MAILBOX_COMMANDS_MAX, QueueHandle, QueueStats};
use crate::storage::QueueLog;

/// What a delaying exchange needs to keep messages.
pub(super) struct DelayContext {
    pub(super) spec: Arc<QueueSpec>,
    pub(super) vhost: VhostName,
    pub(super) exchange: Exchange,
    pub(super) log: Arc<dyn QueueLog>,
    /// Whether the log may hold messages of it: false for an exchange declared just now.
    pub(super) recover: bool,
    /// The vhost, to route on; the vhost holds the exchange, so not the other way round.
    pub(super) shared: Weak<Shared>,
}

/// The queue of an exchange that delays.
///
/// # Errors
/// [`Error::Internal`]: never, since the name is short.
pub(super) fn spec(id: QueueId, exchange: &Exchange) -> Result<QueueSpec, Error> {
    let name = QueueName::new(format!("{QUEUE_PREFIX}{}", id.0)).map_err(|error| Error::Internal(error.to_string()))?;
    let mut arguments = FieldTable::new();
    arguments.insert(QUEUE_TYPE, FieldValue::text(QueueKind::Classic.as_str()));
    Ok(QueueSpec {
        id,
        name,
        kind: QueueKind::Classic,
        durable: exchange.durable,
        auto_delete: false,
        exclusive_owner: None,
        arguments,
        declared_by: exchange.declared_by.clone(),
    })
}

/// Starts to keep messages of an exchange. Those sent at once are taken after recovery.
pub(super) fn spawn_delay(context: DelayContext) -> QueueHandle {
    let (sender, mut commands) = mailbox(QUEUE_MAILBOX_COMMANDS_MAX);
    let stats = Arc::new(QueueStats::default());
    let handle = QueueHandle::new(context.spec.clone(), context.vhost.clone(), sender, stats.clone());
    tokio::spawn(async move {
        let mut owner = task::Owner::new(context, stats);
        let served = match owner.recover().await {
            Ok(()) => owner.run(&mut commands).await,
            Err(error) => Err(error),
        };
        if let Err(error) = served {
            tracing::error!(exchange = %owner.resource(), %error, "delayed messages cannot be read: the exchange delays no more");
            owner.stay_down(&mut commands).await;
        }
    });
    handle
}
