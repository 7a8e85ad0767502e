//! The counters of one pair. Those of a channel have one writer, its connection; anybody reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::ChannelKey;
use crate::domain::exchange::{ExchangeId, ExchangeTraffic};
use crate::domain::name::ExchangeName;
use crate::domain::queue::QueueSpec;
use crate::metrics::AtomicQueueCounters;
use crate::runtime::queue::QueueHandle;

/// Adds to a counter that nobody else writes: no more than a load and a store.
fn bump(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(count), Relaxed);
}

/// What a channel publishes to an exchange.
#[derive(Debug)]
pub(crate) struct Published {
    channel: ChannelKey,
    name: ExchangeName,
    traffic: Arc<ExchangeTraffic>,
    pub(super) publish: AtomicU64,
    pub(super) confirm: AtomicU64,
    pub(super) return_unroutable: AtomicU64,
    pub(super) drop_unroutable: AtomicU64,
    gone: AtomicBool,
}

impl Published {
    pub(super) fn new(channel: ChannelKey, name: ExchangeName, traffic: Arc<ExchangeTraffic>) -> Self {
        Self {
            channel,
            name,
            traffic,
            publish: AtomicU64::new(0),
            confirm: AtomicU64::new(0),
            return_unroutable: AtomicU64::new(0),
            drop_unroutable: AtomicU64::new(0),
            gone: AtomicBool::new(false),
        }
    }

    pub(super) fn channel(&self) -> ChannelKey {
        self.channel
    }

    /// The exchange.
    pub(crate) fn exchange(&self) -> ExchangeId {
        self.traffic.id()
    }

    /// Its name.
    pub(crate) fn name(&self) -> &ExchangeName {
        &self.name
    }

    /// Whether the exchange is gone.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Relaxed)
    }

    pub(super) fn gone(&self) {
        self.gone.store(true, Relaxed);
    }

    /// Counts publishes.
    pub(crate) fn count(&self, publishes: u64) {
        bump(&self.publish, publishes);
    }

    /// Counts publishes that were confirmed.
    pub(crate) fn confirmed(&self, count: u64) {
        bump(&self.confirm, count);
        self.traffic.count_confirmed(count);
    }

    /// Counts one that came back.
    pub(crate) fn returned(&self) {
        bump(&self.return_unroutable, 1);
        self.traffic.count_returned();
    }

    /// Counts one that nobody was to have.
    pub(crate) fn dropped(&self) {
        bump(&self.drop_unroutable, 1);
        self.traffic.count_dropped();
    }
}

/// What an exchange gives to a queue, whoever published it.
#[derive(Debug)]
pub(crate) struct Routed {
    pub(super) exchange: ExchangeId,
    pub(super) exchange_name: ExchangeName,
    pub(super) queue: Arc<QueueSpec>,
    pub(super) publish: AtomicU64,
    pub(super) gone: AtomicBool,
}

impl Routed {
    pub(super) fn new(exchange: ExchangeId, exchange_name: ExchangeName, queue: Arc<QueueSpec>) -> Self {
        Self { exchange, exchange_name, queue, publish: AtomicU64::new(0), gone: AtomicBool::new(false) }
    }

    /// Whether one of the two is gone.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Relaxed)
    }
}

/// What an exchange gives to a queue of what one channel publishes.
#[derive(Debug)]
pub(crate) struct RoutedOnChannel {
    routed: Arc<Routed>,
    pub(super) publish: AtomicU64,
}

impl RoutedOnChannel {
    pub(super) fn new(routed: Arc<Routed>) -> Self {
        Self { routed, publish: AtomicU64::new(0) }
    }

    /// The pair as all channels have it.
    pub(crate) fn routed(&self) -> &Routed {
        &self.routed
    }

    /// Counts messages the queue was given.
    pub(crate) fn count(&self, messages: u64) {
        bump(&self.publish, messages);
        self.routed.publish.fetch_add(messages, Relaxed);
    }
}

/// What a channel takes off a queue.
#[derive(Debug)]
pub(crate) struct Taken {
    channel: ChannelKey,
    queue: QueueHandle,
    pub(super) counters: AtomicQueueCounters,
}

impl Taken {
    /// A pair that nobody else sees.
    pub(crate) fn new(channel: ChannelKey, queue: QueueHandle) -> Self {
        Self { channel, queue, counters: AtomicQueueCounters::default() }
    }

    pub(super) fn channel(&self) -> ChannelKey {
        self.channel
    }

    /// The queue.
    pub(crate) fn queue(&self) -> &QueueHandle {
        &self.queue
    }

    /// Counts messages handed to a consumer, and how many of them not for the first time.
    pub(crate) fn delivered(&self, messages: u64, redeliveries: u64, no_ack: bool) {
        let counter = if no_ack { &self.counters.deliver_no_ack } else { &self.counters.deliver };
        bump(counter, messages);
        bump(&self.counters.redeliver, redeliveries);
    }

    /// Counts a message that was fetched.
    pub(crate) fn fetched(&self, redelivered: bool, no_ack: bool) {
        bump(if no_ack { &self.counters.get_no_ack } else { &self.counters.get }, 1);
        bump(&self.counters.redeliver, u64::from(redelivered));
    }

    /// Counts a fetch that found nothing.
    pub(crate) fn found_empty(&self) {
        bump(&self.counters.get_empty, 1);
    }

    /// Counts one acknowledgement.
    pub(crate) fn acknowledged(&self) {
        bump(&self.counters.ack, 1);
    }
}
