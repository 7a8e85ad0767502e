//! Exchanges, queues and bindings.

use std::sync::Arc;

use super::{Broker, Caller, Put};
use crate::domain::binding::Binding;
use crate::domain::exchange::{Exchange, ExchangeId};
use crate::domain::name::{ExchangeName, QueueName, VhostName};
use crate::domain::queue::QueueSpec;
use crate::domain::routing::{self, RouteRequest, RouteTrace};
use crate::domain::value::FieldTable;
use crate::error::{Error, Resource};
use crate::runtime::chance;
use crate::runtime::queue::QueueHandle;
use crate::runtime::vhost::LiveTopology;

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
    /// Ready messages that are on disk and not in memory.
    pub ready_paged: u64,
    /// Bytes of their bodies.
    pub ready_paged_bytes: u64,
    /// Unacknowledged messages of which the body is on disk and not in memory.
    pub unacknowledged_paged: u64,
    /// Bytes of their bodies.
    pub unacknowledged_paged_bytes: u64,
    /// Persistent messages, ready or not.
    pub persistent: u64,
    /// Bytes of their bodies.
    pub persistent_bytes: u64,
    /// Consumers.
    pub consumers: u64,
    /// Dead letters that stay until other queues have taken them.
    pub dead: u64,
    /// Bytes of their bodies.
    pub dead_bytes: u64,
    /// Returned messages that wait before they come again.
    pub delayed: u64,
    /// Bytes of their bodies.
    pub delayed_bytes: u64,
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
    /// Segments of a stream.
    pub segments: u64,
    /// When the oldest message of a stream was taken, in milliseconds since the epoch; 0: not known.
    pub first_at_ms: u64,
    /// It cannot serve: its stored messages cannot be read.
    pub down: bool,
}

/// A live queue: cheap to hold, and looked at when asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveQueue(QueueHandle);

impl LiveQueue {
    /// As declared.
    #[must_use]
    pub fn spec(&self) -> &Arc<QueueSpec> {
        self.0.spec()
    }

    /// Its vhost.
    #[must_use]
    pub fn vhost(&self) -> &VhostName {
        self.0.vhost()
    }

    /// How it is now.
    #[must_use]
    pub fn info(&self) -> QueueInfo {
        queue_info(&self.0)
    }
}

/// An exchange as listings show it.
#[derive(Debug, Clone)]
pub struct ExchangeInfo {
    /// Its identity.
    pub id: ExchangeId,
    /// As declared.
    pub exchange: Arc<Exchange>,
    /// Its vhost.
    pub vhost: VhostName,
    /// Messages published to it.
    pub publish_in: u64,
    /// Messages routed from it.
    pub publish_out: u64,
    /// Of those published to it by channels, confirmed; as what follows, 0 where flows are not counted.
    pub confirmed: u64,
    /// Returned as unroutable.
    pub returned: u64,
    /// Dropped as unroutable.
    pub dropped: u64,
    /// Messages that wait there, of an exchange that delays.
    pub messages_delayed: Option<u64>,
}

/// A live exchange: cheap to hold, and looked at when asked.
#[derive(Debug, Clone)]
pub struct LiveExchange {
    exchange: Arc<Exchange>,
    topology: Arc<LiveTopology>,
}

impl LiveExchange {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &ExchangeName {
        &self.exchange.name
    }

    /// How it was when it was listed, with its counts now.
    ///
    /// # Panics
    /// Never: the picture it was found in does not change.
    #[must_use]
    pub fn info(&self) -> ExchangeInfo {
        exchange_info(&self.topology, self.name().as_str()).expect("it was found there")
    }
}

impl Broker {
    /// Exchanges of a vhost in name order, not yet looked at; empty for an unknown vhost.
    #[must_use]
    pub fn live_exchanges(&self, vhost: &VhostName) -> Vec<LiveExchange> {
        let Some(topology) = self.live_topology(vhost) else { return Vec::new() };
        let all = topology.exchanges().into_iter();
        all.map(|exchange| LiveExchange { exchange, topology: topology.clone() }).collect()
    }

    /// Exchanges of a vhost in name order; empty for an unknown vhost.
    #[must_use]
    pub fn exchanges(&self, vhost: &VhostName) -> Vec<ExchangeInfo> {
        let Some(topology) = self.live_topology(vhost) else { return Vec::new() };
        let all = topology.exchanges();
        all.iter().filter_map(|exchange| exchange_info(&topology, exchange.name.as_str())).collect()
    }

    /// One exchange.
    #[must_use]
    pub fn exchange(&self, vhost: &VhostName, name: &str) -> Option<ExchangeInfo> {
        exchange_info(&*self.live_topology(vhost)?, name)
    }

    /// Queues of a vhost in name order; empty for an unknown vhost.
    #[must_use]
    pub fn queues(&self, vhost: &VhostName) -> Vec<QueueInfo> {
        let Some(vhost) = self.inner.vhosts.get(vhost) else { return Vec::new() };
        vhost.queues().iter().map(queue_info).collect()
    }

    /// Queues of a vhost in name order, not yet looked at; empty for an unknown vhost.
    #[must_use]
    pub fn live_queues(&self, vhost: &VhostName) -> Vec<LiveQueue> {
        let Some(vhost) = self.inner.vhosts.get(vhost) else { return Vec::new() };
        vhost.queues().iter().cloned().map(LiveQueue).collect()
    }

    /// One queue.
    #[must_use]
    pub fn queue(&self, vhost: &VhostName, name: &str) -> Option<QueueInfo> {
        self.live_topology(vhost)?.queue(name).map(queue_info)
    }

    /// Bindings of a vhost, the implicit ones of the default exchange included.
    #[must_use]
    pub fn bindings(&self, vhost: &VhostName) -> Vec<Arc<Binding>> {
        self.live_topology(vhost).map(|topology| topology.bindings()).unwrap_or_default()
    }

    /// Which queues a message with this key and these headers would go to, and how that
    /// is decided: exchanges visited, bindings matched, alternates taken. Asks no permissions.
    ///
    /// # Errors
    /// `NoSuchVhost`, `NoSuch` exchange.
    pub fn trace_route(
        &self,
        vhost: &VhostName,
        exchange: &ExchangeName,
        routing_key: &str,
        headers: &FieldTable,
    ) -> Result<RouteTrace<Arc<QueueSpec>>, Error> {
        let topology = self.inner.vhosts.require(vhost)?.topology();
        let read_headers = || headers.clone();
        let keys = [routing_key];
        let request = RouteRequest {
            headers: &read_headers,
            chance: &chance::next,
            ..RouteRequest::of_keys(exchange.as_str(), &keys)
        };
        let trace = routing::trace_route(&topology, request)
            .ok_or_else(|| Error::NoSuch(Resource::Exchange(vhost.clone(), exchange.clone())))?;
        let queues = trace.queues.iter().map(|queue| queue.spec().clone()).collect();
        Ok(RouteTrace { steps: trace.steps, missing: trace.missing, queues })
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
        self.inner.vhosts.require(vhost)?.declare_exchange(caller, declare).await
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
        self.inner.vhosts.require(vhost)?.delete_exchange(caller, name.as_str(), if_unused).await
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
        let declared = self.inner.vhosts.require(vhost)?.declare_queue(caller, declare).await?;
        let totals = match declared.put {
            Put::Existed => declared.queue.touch().await,
            Put::Created => declared.queue.totals(),
        };
        Ok((declared.put, declared.queue.spec().name.clone(), totals))
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
        self.inner.vhosts.require(vhost)?.delete_queue(caller, name.as_str(), if_unused, if_empty).await
    }

    /// Adds a binding; one that exists is left as it is.
    ///
    /// # Errors
    /// `NoSuch` for either end, `AccessRefused`, `TopicAccessRefused`, `DefaultExchange`, `Locked`, `InvalidArgument`.
    pub async fn bind(&self, caller: &Caller, vhost: &VhostName, binding: Binding) -> Result<Put, Error> {
        self.inner.vhosts.require(vhost)?.bind(caller, binding).await
    }

    /// Removes a binding; a missing one is a success.
    ///
    /// # Errors
    /// `AccessRefused`, `TopicAccessRefused`, `DefaultExchange`, `Locked`.
    pub async fn unbind(&self, caller: &Caller, vhost: &VhostName, binding: &Binding) -> Result<(), Error> {
        self.inner.vhosts.require(vhost)?.unbind(caller, binding.clone()).await
    }

    fn live_topology(&self, vhost: &VhostName) -> Option<Arc<LiveTopology>> {
        self.inner.vhosts.get(vhost).map(|vhost| vhost.topology())
    }
}

fn exchange_info(topology: &LiveTopology, name: &str) -> Option<ExchangeInfo> {
    let entry = topology.exchange(name)?;
    Some(ExchangeInfo {
        id: entry.traffic().id(),
        exchange: entry.exchange().clone(),
        vhost: topology.vhost().clone(),
        publish_in: entry.traffic().published_in(),
        publish_out: entry.traffic().published_out(),
        confirmed: entry.traffic().confirmed(),
        returned: entry.traffic().returned(),
        dropped: entry.traffic().dropped(),
        messages_delayed: entry.delay().map(|delay| delay.totals().ready),
    })
}

fn queue_info(queue: &QueueHandle) -> QueueInfo {
    let tags = queue.consumer_tags();
    let (segments, first_at_ms) = queue.segments();
    QueueInfo {
        spec: queue.spec().clone(),
        vhost: queue.vhost().clone(),
        totals: queue.totals(),
        counters: queue.counters(),
        exclusive_consumer_tag: tags.exclusive,
        single_active_consumer_tag: tags.single_active,
        idle_since_ms: queue.idle_since_ms(),
        head_message_timestamp: queue.head_message_timestamp(),
        segments,
        first_at_ms,
        down: queue.is_down(),
    }
}
