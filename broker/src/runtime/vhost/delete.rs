//! Deleting exchanges and queues, asked for or because their time has come.

use std::sync::atomic::Ordering::Relaxed;

use super::handle::{check_exclusive, exchange_name};
use super::owner::Owner;
use crate::domain::exchange::INTERNAL_USER;
use crate::domain::name::QueueName;
use crate::domain::queue::{ConnectionId, QueueKind};
use crate::error::{Error, Operation, Resource};
use crate::facade::{Caller, DeletedQueue};
use crate::runtime::queue::{QueueHandle, QueueNotice};

impl Owner {
    pub(super) fn delete_exchange(&mut self, caller: &Caller, name: &str, if_unused: bool) -> Result<(), Error> {
        let name = exchange_name(name)?;
        let resource = Resource::Exchange(self.vhost.clone(), name.clone());
        if name.is_default() {
            return Err(Error::DefaultExchange);
        }
        if name.is_reserved() {
            return Err(Error::SystemExchange(resource));
        }
        self.context.access.check(caller, Operation::Configure, &resource)?;
        if if_unused && self.topology.exchange(name.as_str()).is_some_and(|entry| entry.is_used()) {
            return Err(Error::InUse(resource));
        }
        let removed = self.topology.remove_exchange(name.as_str());
        self.record_removed(&removed, caller.user.as_str())
    }

    pub(super) async fn delete_queue(
        &mut self,
        caller: &Caller,
        name: &QueueName,
        if_unused: bool,
        if_empty: bool,
    ) -> Result<DeletedQueue, Error> {
        let resource = Resource::Queue(self.vhost.clone(), name.clone());
        self.context.access.check(caller, Operation::Configure, &resource)?;
        let Some(queue) = self.topology.queue(name.as_str()).cloned() else {
            return Ok(DeletedQueue { messages: 0 });
        };
        check_exclusive(caller, queue.spec(), &resource)?;
        // A stream is deleted whatever it holds and whoever reads it.
        let (if_unused, if_empty) = match queue.spec().kind {
            QueueKind::Stream => (false, false),
            QueueKind::Classic | QueueKind::Quorum => (if_unused, if_empty),
        };
        if queue.spec().kind == QueueKind::Quorum
            && let Some(flag) = if if_unused { Some("if-unused") } else { if_empty.then_some("if-empty") }
        {
            return Err(Error::NotImplemented(format!(
                "cannot delete {resource}. queue.delete operations with {flag} flag set are not supported by quorum queues"
            )));
        }
        let is_stream = queue.spec().kind == QueueKind::Stream;
        let messages = self.end_queue(queue, (if_unused, if_empty), caller.user.as_str()).await?;
        // What a stream held is not counted, as nobody was to take it off.
        Ok(DeletedQueue { messages: if is_stream { 0 } else { messages } })
    }

    pub(super) async fn delete_exclusive(&mut self, connection: ConnectionId) {
        for name in self.exclusive.remove(&connection).unwrap_or_default() {
            if let Some(queue) = self.topology.queue(name.as_str()).cloned() {
                self.end_unasked(queue, false).await;
            }
        }
    }

    /// A queue says that nothing uses it. By now that may have changed, and a queue of the
    /// same name may be another one.
    pub(super) async fn unused(&mut self, notice: QueueNotice) {
        let (QueueNotice::Unused(id, name) | QueueNotice::Expired(id, name)) = notice;
        match self.topology.queue(name.as_str()) {
            Some(queue) if queue.spec().id == id => self.end_unasked(queue.clone(), true).await,
            _ => {}
        }
    }

    async fn end_unasked(&mut self, queue: QueueHandle, if_unused: bool) {
        match self.end_queue(queue.clone(), (if_unused, false), INTERNAL_USER).await {
            // In use again: it stays.
            Ok(_) | Err(Error::InUse(_)) => {}
            Err(error) => tracing::error!(?queue, %error, "a queue could not be deleted"),
        }
    }

    /// Ends a queue if it agrees, and takes it out of the picture. Answers with its ready messages.
    async fn end_queue(
        &mut self,
        queue: QueueHandle,
        (if_unused, if_empty): (bool, bool),
        by: &str,
    ) -> Result<u64, Error> {
        let messages = queue.delete(if_unused, if_empty).await?;
        self.context.churn.deleted.fetch_add(1, Relaxed);
        let removed = self.topology.remove_queue(queue.spec().name.as_str());
        self.ended(queue);
        self.record_removed(&removed, by)?;
        Ok(messages)
    }
}
