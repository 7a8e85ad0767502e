//! What the counters of pairs say now, as values: of one object, or of all.

use std::ops::Bound::{Excluded, Unbounded};
use std::sync::atomic::Ordering::Relaxed;

use super::pairs::{Published, Routed, Taken};
use super::{ChannelKey, Flows, OfChannel};
use crate::domain::exchange::ExchangeId;
use crate::domain::queue::QueueId;
use crate::facade::{ChannelFlows, ExchangeFlows, PublishedFlow, QueueFlows, RoutedFlow, TakenFlow};
use crate::metrics::QueueCounters;

/// Channels that are read under one lock.
const CHANNELS_AT_ONCE: usize = 64;

impl Published {
    fn read(&self) -> PublishedFlow {
        let (connection, channel) = self.channel();
        PublishedFlow {
            connection,
            channel,
            exchange: self.exchange(),
            exchange_name: self.name().clone(),
            publish: self.publish.load(Relaxed),
            confirm: self.confirm.load(Relaxed),
            return_unroutable: self.return_unroutable.load(Relaxed),
            drop_unroutable: self.drop_unroutable.load(Relaxed),
        }
    }
}

impl Taken {
    /// `None` while nothing happened: a consumer has the pair from its first day on.
    fn read(&self) -> Option<TakenFlow> {
        let counters = self.counters.load();
        if counters == QueueCounters::default() {
            return None;
        }
        let ((connection, channel), queue) = (self.channel(), self.queue().spec());
        Some(TakenFlow { connection, channel, queue: queue.id, queue_name: queue.name.clone(), counters })
    }
}

impl Routed {
    fn read(&self, publish: u64) -> RoutedFlow {
        RoutedFlow {
            exchange: self.exchange,
            exchange_name: self.exchange_name.clone(),
            queue: self.queue.id,
            queue_name: self.queue.name.clone(),
            publish,
        }
    }
}

impl OfChannel {
    fn read(&self) -> ChannelFlows {
        let routed = self.routed.iter().filter(|pair| !pair.routed().is_gone());
        ChannelFlows {
            published: self.published.iter().filter(|pair| !pair.is_gone()).map(|pair| pair.read()).collect(),
            taken: self.taken.iter().filter(|pair| !pair.queue().is_gone()).filter_map(|pair| pair.read()).collect(),
            routed: routed.map(|pair| pair.routed().read(pair.publish.load(Relaxed))).collect(),
        }
    }
}

impl Flows {
    /// The pairs of a channel.
    pub(crate) fn of_channel(&self, channel: ChannelKey) -> ChannelFlows {
        self.lock().channels.get(&channel).map(OfChannel::read).unwrap_or_default()
    }

    /// The pairs of an exchange.
    pub(crate) fn of_exchange(&self, exchange: ExchangeId) -> ExchangeFlows {
        let table = self.lock();
        let Some(of_exchange) = table.exchanges.get(&exchange) else { return ExchangeFlows::default() };
        ExchangeFlows {
            incoming: of_exchange.published.values().map(|pair| pair.read()).collect(),
            outgoing: of_exchange.routed.values().map(|pair| pair.read(pair.publish.load(Relaxed))).collect(),
        }
    }

    /// The pairs of a queue.
    pub(crate) fn of_queue(&self, queue: QueueId) -> QueueFlows {
        let table = self.lock();
        let Some(of_queue) = table.queues.get(&queue) else { return QueueFlows::default() };
        QueueFlows {
            incoming: of_queue.routed.values().map(|pair| pair.read(pair.publish.load(Relaxed))).collect(),
            deliveries: of_queue.taken.values().filter_map(|pair| pair.read()).collect(),
        }
    }

    /// Shows the pairs of every channel, by connection and number. What is shown is a copy: no
    /// lock is held meanwhile.
    pub(crate) fn each_channel(&self, mut show: impl FnMut(ChannelKey, ChannelFlows)) {
        let mut from = Unbounded;
        loop {
            let table = self.lock();
            let next = table.channels.range((from, Unbounded)).take(CHANNELS_AT_ONCE);
            let read: Vec<_> = next.map(|(key, channel)| (*key, channel.read())).collect();
            drop(table);
            let Some((last, _)) = read.last() else { return };
            from = Excluded(*last);
            read.into_iter().for_each(|(key, flows)| show(key, flows));
        }
    }

    /// What exchanges gave to queues, in no order.
    pub(crate) fn routed(&self) -> Vec<RoutedFlow> {
        let table = self.lock();
        let pairs = table.queues.values().flat_map(|queue| queue.routed.values());
        pairs.map(|pair| pair.read(pair.publish.load(Relaxed))).collect()
    }
}
