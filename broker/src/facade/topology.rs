//! Exchanges, queues and bindings.

use std::sync::Arc;

use super::{Broker, Caller, Put};
use crate::domain::binding::Binding;
use crate::domain::exchange::Exchange;
use crate::domain::name::{ExchangeName, QueueName, VhostName};
use crate::domain::queue::QueueSpec;
use crate::domain::value::FieldTable;
use crate::error::Error;

/// An exchange to declare.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclareExchange {
    /// Its name.
    pub name: String,
    /// Its type, as given.
    pub kind: String,
    /// Survives a restart.
    pub durable: bool,
    /// Goes with its last binding as source.
    pub auto_delete: bool,
    /// Clients may not publish to it.
    pub internal: bool,
    /// Arguments.
    pub arguments: FieldTable,
}

/// A queue to declare.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclareQueue {
    /// Its name; empty: the broker names it.
    pub name: String,
    /// Survives a restart.
    pub durable: bool,
    /// Belongs to the caller's connection.
    pub exclusive: bool,
    /// Goes with its last consumer.
    pub auto_delete: bool,
    /// Arguments.
    pub arguments: FieldTable,
}

/// Message counts of a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueTotals {
    /// Ready for delivery.
    pub ready: u64,
    /// Delivered and not yet acknowledged.
    pub unacknowledged: u64,
    /// Bytes of ready bodies.
    pub ready_bytes: u64,
    /// Bytes of unacknowledged bodies.
    pub unacknowledged_bytes: u64,
    /// Persistent messages, ready or not.
    pub persistent: u64,
    /// Bytes of their bodies.
    pub persistent_bytes: u64,
    /// Consumers.
    pub consumers: u64,
}

/// What came of deleting a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeletedQueue {
    /// Ready messages that went with it.
    pub messages: u64,
}

/// A queue as listings show it.
#[derive(Debug, Clone)]
pub struct QueueInfo {
    /// As declared.
    pub spec: Arc<QueueSpec>,
    /// Its vhost.
    pub vhost: VhostName,
    /// Its counts now.
    pub totals: QueueTotals,
    /// Counters since it exists.
    pub counters: crate::metrics::QueueCounters,
    /// Tag of the exclusive consumer.
    pub exclusive_consumer_tag: Option<String>,
    /// Tag of the single active consumer.
    pub single_active_consumer_tag: Option<String>,
    /// Since when nothing happened; milliseconds since the epoch.
    pub idle_since_ms: Option<u64>,
    /// Timestamp property of the first ready message, in seconds.
    pub head_message_timestamp: Option<u64>,
}

/// An exchange as listings show it.
#[derive(Debug, Clone)]
pub struct ExchangeInfo {
    /// As declared.
    pub exchange: Arc<Exchange>,
    /// Its vhost.
    pub vhost: VhostName,
    /// Messages published to it.
    pub publish_in: u64,
    /// Messages routed from it.
    pub publish_out: u64,
}

impl Broker {
    /// Exchanges of a vhost in name order; empty for an unknown vhost.
    #[must_use]
    pub fn exchanges(&self, vhost: &VhostName) -> Vec<ExchangeInfo> {
        let _ = vhost;
        todo!()
    }

    /// One exchange.
    #[must_use]
    pub fn exchange(&self, vhost: &VhostName, name: &str) -> Option<ExchangeInfo> {
        let _ = (vhost, name);
        todo!()
    }

    /// Queues of a vhost in name order; empty for an unknown vhost.
    #[must_use]
    pub fn queues(&self, vhost: &VhostName) -> Vec<QueueInfo> {
        let _ = vhost;
        todo!()
    }

    /// One queue.
    #[must_use]
    pub fn queue(&self, vhost: &VhostName, name: &str) -> Option<QueueInfo> {
        let _ = (vhost, name);
        todo!()
    }

    /// Bindings of a vhost, the implicit ones of the default exchange included.
    #[must_use]
    pub fn bindings(&self, vhost: &VhostName) -> Vec<Arc<Binding>> {
        let _ = vhost;
        todo!()
    }

    /// Declares an exchange, or checks that the existing one is equivalent.
    ///
    /// # Errors
    /// Section 2 and 3 of the AMQP refusals: `NoSuchVhost`, `AccessRefused`, `ReservedName`,
    /// `DefaultExchange`, `UnknownExchangeType`, `Inequivalent`, `InvalidArgument`.
    pub async fn declare_exchange(
        &self,
        caller: &Caller,
        vhost: &VhostName,
        declare: DeclareExchange,
    ) -> Result<Put, Error> {
        let _ = (caller, vhost, declare);
        todo!()
    }

    /// Deletes an exchange. A missing one is a success, as in the reference.
    ///
    /// # Errors
    /// `AccessRefused`, `SystemExchange`, `DefaultExchange`, `InUse` with `if_unused`.
    pub async fn delete_exchange(
        &self,
        caller: &Caller,
        vhost: &VhostName,
        name: &ExchangeName,
        if_unused: bool,
    ) -> Result<(), Error> {
        let _ = (caller, vhost, name, if_unused);
        todo!()
    }

    /// Declares a queue, or checks that the existing one is equivalent. Returns its name
    /// (chosen when none was given) and counts.
    ///
    /// # Errors
    /// `NoSuchVhost`, `AccessRefused`, `ReservedName`, `Locked`, `Inequivalent`, `InvalidArgument`, `LimitReached`.
    pub async fn declare_queue(
        &self,
        caller: &Caller,
        vhost: &VhostName,
        declare: DeclareQueue,
    ) -> Result<(Put, QueueName, QueueTotals), Error> {
        let _ = (caller, vhost, declare);
        todo!()
    }

    /// Deletes a queue. A missing one is a success with no messages, as in the reference.
    ///
    /// # Errors
    /// `AccessRefused`, `Locked`, `InUse`, `NotEmpty`, `NotImplemented` (flags on a quorum queue).
    pub async fn delete_queue(
        &self,
        caller: &Caller,
        vhost: &VhostName,
        name: &QueueName,
        if_unused: bool,
        if_empty: bool,
    ) -> Result<DeletedQueue, Error> {
        let _ = (caller, vhost, name, if_unused, if_empty);
        todo!()
    }

    /// Adds a binding; one that exists is left as it is.
    ///
    /// # Errors
    /// `NoSuch` for either end, `AccessRefused`, `TopicAccessRefused`, `DefaultExchange`, `Locked`, `InvalidArgument`.
    pub async fn bind(&self, caller: &Caller, vhost: &VhostName, binding: Binding) -> Result<Put, Error> {
        let _ = (caller, vhost, binding);
        todo!()
    }

    /// Removes a binding; a missing one is a success.
    ///
    /// # Errors
    /// `AccessRefused`, `TopicAccessRefused`, `DefaultExchange`, `Locked`.
    pub async fn unbind(&self, caller: &Caller, vhost: &VhostName, binding: &Binding) -> Result<(), Error> {
        let _ = (caller, vhost, binding);
        todo!()
    }
}
