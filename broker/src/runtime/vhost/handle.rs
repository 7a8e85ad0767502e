//! What others hold of a vhost.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::{Notify, mpsc, oneshot};

use super::command::{DeclaredQueue, Reply, VhostCommand};
use super::{Access, Histories, LiveTopology, Replies};
use crate::domain::binding::Binding;
use crate::domain::exchange::Exchange;
use crate::domain::name::{ExchangeName, QueueName, VhostName, strip_line_breaks};
use crate::domain::queue::{ConnectionId, QueueSpec};
use crate::error::{Error, Resource};
use crate::facade::{Caller, DeclareExchange, DeclareQueue, DeletedQueue, Put};
use crate::runtime::flows::Flows;
use crate::runtime::queue::{Counted, QueueHandle, QueueSums};

pub(super) struct Shared {
    pub(super) vhost: VhostName,
    pub(super) topology: ArcSwap<LiveTopology>,
    pub(super) mailbox: mpsc::Sender<VhostCommand>,
    pub(super) access: Arc<dyn Access>,
    pub(super) replies: Replies,
    pub(super) histories: Histories,
    pub(super) flows: Flows,
    /// Sums over its queues.
    pub(super) sums: Arc<QueueSums>,
    /// Its queues in name order, as they were when they were last listed.
    pub(super) listed: ArcSwapOption<Listed>,
    /// Signalled when another picture was published.
    pub(super) changed: Notify,
}

/// The queues of one picture in name order.
pub(super) struct Listed {
    version: u64,
    queues: Arc<[QueueHandle]>,
}

/// A live vhost. Cheap to clone.
#[derive(Clone)]
pub(crate) struct VhostHandle(pub(super) Arc<Shared>);

impl std::fmt::Debug for VhostHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "vhost '{}'", self.0.vhost)
    }
}

impl VhostHandle {
    /// Its name.
    pub(crate) fn name(&self) -> &VhostName {
        &self.0.vhost
    }

    /// Whether its owner has ended, so that nothing in it can change any more.
    pub(crate) fn is_down(&self) -> bool {
        self.0.mailbox.is_closed()
    }

    /// The current picture.
    pub(crate) fn topology(&self) -> Arc<LiveTopology> {
        self.0.topology.load_full()
    }

    /// Where the current picture is published, for those who look often.
    pub(crate) fn published(&self) -> &ArcSwap<LiveTopology> {
        &self.0.topology
    }

    /// Who listens for direct replies.
    pub(crate) fn replies(&self) -> &Replies {
        &self.0.replies
    }

    /// Its queues in name order. They are put in order once for each picture that is listed.
    pub(crate) fn queues(&self) -> Arc<[QueueHandle]> {
        let topology = self.0.topology.load();
        let version = topology.version();
        if let Some(listed) = &*self.0.listed.load()
            && listed.version == version
        {
            return listed.queues.clone();
        }
        let queues: Arc<[_]> = topology.queues().into();
        self.0.listed.store(Some(Arc::new(Listed { version, queues: queues.clone() })));
        queues
    }

    /// Sums over its queues.
    pub(crate) fn queue_sums(&self) -> Counted {
        self.0.sums.load()
    }

    /// What recent-history exchanges keep.
    pub(crate) fn histories(&self) -> &Histories {
        &self.0.histories
    }

    /// What passes between two of its objects.
    pub(crate) fn flows(&self) -> &Flows {
        &self.0.flows
    }

    /// Declares an exchange, or checks that the existing one is equivalent.
    ///
    /// # Errors
    /// As [`crate::Broker::declare_exchange`].
    pub(crate) async fn declare_exchange(&self, caller: &Caller, declare: DeclareExchange) -> Result<Put, Error> {
        self.ask(|reply| VhostCommand::DeclareExchange(caller.clone(), declare, reply)).await
    }

    /// Whether an exchange exists, for whoever has any permission on it.
    ///
    /// # Errors
    /// [`Error::DefaultExchange`], [`Error::AccessRefused`], [`Error::NoSuch`].
    pub(crate) fn declare_exchange_passive(&self, caller: &Caller, name: &str) -> Result<Arc<Exchange>, Error> {
        let name = exchange_name(name)?;
        if name.is_default() {
            return Err(Error::DefaultExchange);
        }
        let resource = Resource::Exchange(self.0.vhost.clone(), name.clone());
        self.0.access.check_any(caller, &resource)?;
        let topology = self.0.topology.load();
        topology.exchange(name.as_str()).map(|entry| entry.exchange().clone()).ok_or(Error::NoSuch(resource))
    }

    /// Deletes an exchange; a missing one is a success.
    ///
    /// # Errors
    /// As [`crate::Broker::delete_exchange`].
    pub(crate) async fn delete_exchange(&self, caller: &Caller, name: &str, if_unused: bool) -> Result<(), Error> {
        self.ask(|reply| VhostCommand::DeleteExchange {
            caller: caller.clone(),
            name: name.to_owned(),
            if_unused,
            reply,
        })
        .await
    }

    /// Declares a queue, or checks that the existing one is equivalent.
    ///
    /// # Errors
    /// As [`crate::Broker::declare_queue`].
    pub(crate) async fn declare_queue(&self, caller: &Caller, declare: DeclareQueue) -> Result<DeclaredQueue, Error> {
        self.ask(|reply| VhostCommand::DeclareQueue(caller.clone(), declare, reply)).await
    }

    /// A queue, for whoever has any permission on it.
    ///
    /// # Errors
    /// [`Error::AccessRefused`], [`Error::NoSuch`], [`Error::Locked`].
    pub(crate) fn declare_queue_passive(&self, caller: &Caller, name: &str) -> Result<QueueHandle, Error> {
        let name = queue_name(name)?;
        let resource = Resource::Queue(self.0.vhost.clone(), name.clone());
        self.0.access.check_any(caller, &resource)?;
        let topology = self.0.topology.load();
        let queue = topology.queue(name.as_str()).ok_or_else(|| Error::NoSuch(resource.clone()))?;
        check_exclusive(caller, queue.spec(), &resource)?;
        Ok(queue.clone())
    }

    /// Deletes a queue; a missing one is a success.
    ///
    /// # Errors
    /// As [`crate::Broker::delete_queue`].
    pub(crate) async fn delete_queue(
        &self,
        caller: &Caller,
        name: &str,
        if_unused: bool,
        if_empty: bool,
    ) -> Result<DeletedQueue, Error> {
        let name = queue_name(name)?;
        self.ask(|reply| VhostCommand::DeleteQueue { caller: caller.clone(), name, if_unused, if_empty, reply }).await
    }

    /// Adds a binding.
    ///
    /// # Errors
    /// As [`crate::Broker::bind`].
    pub(crate) async fn bind(&self, caller: &Caller, binding: Binding) -> Result<Put, Error> {
        self.ask(|reply| VhostCommand::Bind(caller.clone(), binding, reply)).await
    }

    /// Removes a binding; a missing one is a success.
    ///
    /// # Errors
    /// As [`crate::Broker::unbind`].
    pub(crate) async fn unbind(&self, caller: &Caller, binding: Binding) -> Result<(), Error> {
        self.ask(|reply| VhostCommand::Unbind(caller.clone(), binding, reply)).await
    }

    /// Deletes the exclusive queues of a connection that ended; resolves when they are gone.
    pub(crate) async fn delete_exclusive(&self, connection: ConnectionId) {
        // A vhost that is gone has no queues left either.
        let _ = self.ask(|reply| VhostCommand::DeleteExclusive(connection, reply)).await;
    }

    /// Sees to it that the exchange of events is there, or is not.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(crate) async fn provide_event_exchange(&self, wanted: bool) -> Result<(), Error> {
        self.ask(|reply| VhostCommand::ProvideEventExchange(wanted, reply)).await
    }

    /// Looks policies up anew.
    pub(crate) async fn policies_changed(&self) {
        // Without an owner there is nothing policies could apply to.
        let _ = self.0.mailbox.send(VhostCommand::PoliciesChanged).await;
    }

    /// Stops the owner and its queues; what is durable stays.
    pub(crate) async fn stop(&self) {
        let _ = self.ask(VhostCommand::Stop).await;
    }

    /// Ends the owner of a vhost that goes on being listed, as a panic of the owner would.
    #[cfg(test)]
    pub(crate) async fn bring_down(&self) {
        self.drop_queues().await;
    }

    /// Ends the owner and deletes its queues with their messages.
    pub(super) async fn drop_queues(&self) {
        let _ = self.ask(VhostCommand::Drop).await;
    }

    pub(super) async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> VhostCommand) -> Result<T, Error> {
        let gone = || Error::NoSuchVhost(self.0.vhost.clone());
        let (reply, answer) = oneshot::channel();
        self.0.mailbox.send(command(reply)).await.map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }
}

/// Whether the caller may touch a queue that may be exclusive to a connection. The node
/// itself may.
///
/// # Errors
/// [`Error::Locked`].
pub(crate) fn check_exclusive(caller: &Caller, queue: &QueueSpec, resource: &Resource) -> Result<(), Error> {
    match queue.exclusive_owner {
        Some(owner) if !caller.internal && caller.connection != Some(owner) => Err(Error::Locked(resource.clone())),
        _ => Ok(()),
    }
}

/// A queue's name as it counts: without line breaks, at most 255 bytes.
pub(super) fn queue_name(name: &str) -> Result<QueueName, Error> {
    QueueName::new(strip_line_breaks(name)).map_err(|error| too_long(&error))
}

/// An exchange's name as it counts: without line breaks, at most 255 bytes.
pub(super) fn exchange_name(name: &str) -> Result<ExchangeName, Error> {
    ExchangeName::new(strip_line_breaks(name)).map_err(|error| too_long(&error))
}

/// In the words the reference's administrative interface uses; over AMQP a longer name cannot be sent.
fn too_long(error: &crate::domain::name::NameTooLong) -> Error {
    Error::InvalidValue(format!(
        "{} should be less than {} bytes, actually was {}\n",
        error.kind,
        crate::domain::name::NAME_BYTES_MAX,
        error.bytes
    ))
}
