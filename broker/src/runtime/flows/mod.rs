//! What passes between two objects of a vhost: from a channel to an exchange, from an exchange
//! to a queue, from a queue to a channel.
//!
//! A pair is entered here when the first message takes its way, and whoever counts keeps it: a
//! channel looks for it once for each of its routes and consumers, not once a message. Here it
//! is found from both ends, so that reading those of one object looks at no other. Pairs go
//! with either end. One leaf lock for each vhost, taken to enter a pair, when an object goes,
//! and to read. It knows no protocol, and does not know what becomes of the numbers.

mod pairs;
mod reading;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::queue::QueueHandle;
use super::vhost::LiveTopology;
use crate::domain::exchange::{ExchangeId, ExchangeTraffic};
use crate::domain::queue::{ConnectionId, QueueId};

pub(crate) use pairs::{Published, Routed, RoutedOnChannel, Taken};

/// Pairs of each kind that one channel, exchange or queue has. What is beyond is not counted
/// by pair; all sums count it.
pub(crate) const PAIRS_MAX: usize = 1024;

/// A channel: its connection and its number.
pub(crate) type ChannelKey = (ConnectionId, u16);

/// The pairs of one vhost.
#[derive(Debug, Default)]
pub(crate) struct Flows {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    channels: BTreeMap<ChannelKey, OfChannel>,
    exchanges: HashMap<ExchangeId, OfExchange>,
    queues: HashMap<QueueId, OfQueue>,
}

#[derive(Debug, Default)]
struct OfChannel {
    published: Vec<Arc<Published>>,
    taken: Vec<Arc<Taken>>,
    routed: Vec<Arc<RoutedOnChannel>>,
}

#[derive(Debug, Default)]
struct OfExchange {
    published: BTreeMap<ChannelKey, Arc<Published>>,
    routed: BTreeMap<QueueId, Arc<Routed>>,
}

#[derive(Debug, Default)]
struct OfQueue {
    taken: BTreeMap<ChannelKey, Arc<Taken>>,
    routed: BTreeMap<ExchangeId, Arc<Routed>>,
}

impl Flows {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A channel publishes to an exchange. `None` when the exchange is gone, or the channel
    /// publishes to too many. `topology` says what is published now: it is asked under the
    /// lock, so that nothing is entered for an object after it was forgotten.
    pub(crate) fn publishes(
        &self,
        channel: ChannelKey,
        name: &str,
        traffic: &Arc<ExchangeTraffic>,
        topology: impl FnOnce() -> Arc<LiveTopology>,
    ) -> Option<Arc<Published>> {
        let mut table = self.lock();
        let topology = topology();
        let exchange = topology.exchange(name).filter(|entry| entry.traffic().id() == traffic.id())?;
        let of_channel = table.channels.entry(channel).or_default();
        of_channel.published.retain(|pair| !pair.is_gone());
        if of_channel.published.len() >= PAIRS_MAX {
            return None;
        }
        let pair = Arc::new(Published::new(channel, exchange.exchange().name.clone(), traffic.clone()));
        of_channel.published.push(pair.clone());
        let published = &mut table.exchanges.entry(traffic.id()).or_default().published;
        if published.len() < PAIRS_MAX {
            published.insert(channel, pair.clone());
        }
        Some(pair)
    }

    /// A queue is given messages of a channel by an exchange. `None` as for [`Self::publishes`];
    /// what is no queue of the vhost's, such as where messages wait, is none here either.
    pub(crate) fn routes(
        &self,
        channel: ChannelKey,
        published: &Published,
        queue: &QueueHandle,
        topology: impl FnOnce() -> Arc<LiveTopology>,
    ) -> Option<Arc<RoutedOnChannel>> {
        let mut table = self.lock();
        let topology = topology();
        let lives = topology
            .exchange(published.name().as_str())
            .is_some_and(|entry| entry.traffic().id() == published.exchange());
        if !lives || topology.queue(queue.spec().name.as_str()) != Some(queue) {
            return None;
        }
        let Table { channels, exchanges, queues } = &mut *table;
        let of_channel = channels.entry(channel).or_default();
        if of_channel.routed.len() >= PAIRS_MAX {
            of_channel.routed.retain(|pair| !pair.routed().is_gone());
            if of_channel.routed.len() >= PAIRS_MAX {
                return None;
            }
        }
        let (exchange, id) = (published.exchange(), queue.spec().id);
        let of_queue = &mut queues.entry(id).or_default().routed;
        let routed = match of_queue.get(&exchange) {
            Some(routed) => routed.clone(),
            None if of_queue.len() >= PAIRS_MAX => return None,
            None => {
                let routed = Arc::new(Routed::new(exchange, published.name().clone(), queue.spec().clone()));
                of_queue.insert(exchange, routed.clone());
                let of_exchange = &mut exchanges.entry(exchange).or_default().routed;
                if of_exchange.len() < PAIRS_MAX {
                    of_exchange.insert(id, routed.clone());
                }
                routed
            }
        };
        let pair = Arc::new(RoutedOnChannel::new(routed));
        of_channel.routed.push(pair.clone());
        Some(pair)
    }

    /// A channel takes messages off a queue. There is always a pair to count on; when the queue
    /// is gone, or the channel takes off too many, nobody sees it.
    pub(crate) fn takes(
        &self,
        channel: ChannelKey,
        queue: &QueueHandle,
        topology: impl FnOnce() -> Arc<LiveTopology>,
    ) -> Arc<Taken> {
        let mut table = self.lock();
        let pair = Arc::new(Taken::new(channel, queue.clone()));
        if topology().queue(queue.spec().name.as_str()) != Some(queue) {
            return pair;
        }
        let of_channel = table.channels.entry(channel).or_default();
        of_channel.taken.retain(|pair| !pair.queue().is_gone());
        if of_channel.taken.len() < PAIRS_MAX {
            of_channel.taken.push(pair.clone());
            let taken = &mut table.queues.entry(queue.spec().id).or_default().taken;
            if taken.len() < PAIRS_MAX {
                taken.insert(channel, pair.clone());
            }
        }
        pair
    }

    /// A channel is closed: its pairs go. What exchanges gave to queues because of it stays.
    pub(crate) fn leave(&self, channel: ChannelKey) {
        let mut table = self.lock();
        let Table { channels, exchanges, queues } = &mut *table;
        let Some(gone) = channels.remove(&channel) else { return };
        for pair in gone.published {
            if let Some(exchange) = exchanges.get_mut(&pair.exchange()) {
                exchange.published.remove(&channel);
            }
        }
        for pair in gone.taken {
            if let Some(queue) = queues.get_mut(&pair.queue().spec().id) {
                queue.taken.remove(&channel);
            }
        }
    }

    /// Objects are gone, and not in the published picture any more: their pairs go.
    pub(crate) fn forget(&self, exchanges: &[ExchangeId], queues: impl IntoIterator<Item = QueueId>) {
        let mut table = self.lock();
        for exchange in exchanges {
            table.forget_exchange(*exchange);
        }
        for queue in queues {
            table.forget_queue(queue);
        }
    }

    /// Pairs entered: by channel and exchange, by channel and queue, by exchange and queue.
    #[cfg(test)]
    pub(crate) fn size(&self) -> [usize; 3] {
        let table = self.lock();
        let of_channels = |count: fn(&OfChannel) -> usize| table.channels.values().map(count).sum();
        [
            of_channels(|channel| channel.published.len()),
            of_channels(|channel| channel.taken.len()),
            table.queues.values().map(|queue| queue.routed.len()).sum(),
        ]
    }
}

impl Table {
    fn forget_exchange(&mut self, exchange: ExchangeId) {
        let Some(gone) = self.exchanges.remove(&exchange) else { return };
        let forget = |channel: &mut OfChannel| {
            channel.published.retain(|pair| {
                let is_other = pair.exchange() != exchange;
                if !is_other {
                    pair.gone();
                }
                is_other
            });
        };
        if gone.published.len() < PAIRS_MAX {
            let channels = gone.published.into_keys();
            channels.for_each(|channel| self.channels.get_mut(&channel).into_iter().for_each(forget));
        } else {
            // Some channels may have found no place at the exchange.
            self.channels.values_mut().for_each(forget);
        }
        for (queue, pair) in gone.routed {
            pair.gone.store(true, Relaxed);
            if let Some(queue) = self.queues.get_mut(&queue) {
                queue.routed.remove(&exchange);
            }
        }
    }

    fn forget_queue(&mut self, queue: QueueId) {
        let Some(gone) = self.queues.remove(&queue) else { return };
        let forget = |channel: &mut OfChannel| channel.taken.retain(|pair| pair.queue().spec().id != queue);
        if gone.taken.len() < PAIRS_MAX {
            let channels = gone.taken.into_keys();
            channels.for_each(|channel| self.channels.get_mut(&channel).into_iter().for_each(forget));
        } else {
            self.channels.values_mut().for_each(forget);
        }
        for (exchange, pair) in gone.routed {
            pair.gone.store(true, Relaxed);
            if let Some(exchange) = self.exchanges.get_mut(&exchange) {
                exchange.routed.remove(&queue);
            }
        }
    }
}
