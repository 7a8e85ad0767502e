//! What a vhost is asked.

use tokio::sync::oneshot;

use super::import::Import;
use super::row::{Row, RowRequest};
use crate::domain::binding::Binding;
use crate::domain::name::QueueName;
use crate::domain::queue::ConnectionId;
use crate::error::Error;
use crate::facade::{Caller, DeclareExchange, DeclareQueue, DeletedQueue, Put};
use crate::runtime::queue::QueueHandle;

/// Where an answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// A queue that was declared or was there.
#[derive(Debug, Clone)]
pub(crate) struct DeclaredQueue {
    /// Whether it is new.
    pub(crate) put: Put,
    /// The queue.
    pub(crate) queue: QueueHandle,
}

/// Everything a vhost can be asked.
pub(super) enum VhostCommand {
    DeclareExchange(Caller, DeclareExchange, Reply<Put>),
    DeleteExchange {
        caller: Caller,
        name: String,
        if_unused: bool,
        reply: Reply<()>,
    },
    DeclareQueue(Caller, DeclareQueue, Reply<DeclaredQueue>),
    DeleteQueue {
        caller: Caller,
        name: QueueName,
        if_unused: bool,
        if_empty: bool,
        reply: Reply<DeletedQueue>,
    },
    Bind(Caller, Binding, Reply<Put>),
    /// Requests of one channel, in order.
    Row(Caller, Vec<RowRequest>, Reply<Row>),
    Unbind(Caller, Binding, Reply<()>),
    /// A connection ended: its exclusive queues go.
    DeleteExclusive(ConnectionId, Reply<()>),
    /// Everything at once, without asking permissions; what exists is skipped. Nothing else is done until it is
    /// recorded or dropped.
    Import(Box<Import>),
    /// The exchange of events is to be there, or not.
    ProvideEventExchange(bool, Reply<()>),
    /// Policies changed: alternates are looked up anew.
    PoliciesChanged,
    /// The application stops: queues stop and keep what is durable.
    Stop(Reply<()>),
    /// The vhost is deleted: queues go with their messages. What is stored of it is not touched.
    Drop(Reply<()>),
}
