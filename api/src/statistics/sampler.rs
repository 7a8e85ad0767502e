//! One round of sampling: the counters of everything there is, read where they are kept.

use std::collections::BTreeMap;

use broker::domain::name::VhostName;
use broker::{Broker, QueueTotals};

use super::store::Store;
use super::{RatesMode, Statistics, kinds};

/// Counters handed over at once, under one lock.
pub(super) const BATCH: usize = 512;

/// Counters on their way to the store.
struct Batch<'s, T, F: FnMut(&mut Store, T)> {
    statistics: &'s Statistics,
    waiting: Vec<T>,
    take: F,
}

impl<'s, T, F: FnMut(&mut Store, T)> Batch<'s, T, F> {
    fn new(statistics: &'s Statistics, take: F) -> Self {
        Self { statistics, waiting: Vec::with_capacity(BATCH), take }
    }

    fn push(&mut self, counters: T) {
        self.waiting.push(counters);
        if self.waiting.len() == BATCH {
            self.hand_over();
        }
    }

    fn hand_over(&mut self) {
        let mut store = self.statistics.lock();
        self.waiting.drain(..).for_each(|counters| (self.take)(&mut store, counters));
    }
}

impl Statistics {
    /// Takes a round of samples at a time, in milliseconds since the epoch. A round that has
    /// been is not taken again; one that is between two only what is kept so closely.
    pub fn sample(&self, broker: &Broker, now_ms: u64) {
        let (round, basic, global, detailed) = {
            let mut store = self.lock();
            let Some(round) = store.begin(now_ms) else { return };
            (round, store.basic.is_due(round), store.global.is_due(round), store.detailed.is_due(round))
        };
        if detailed && self.shows_flows() {
            self.sample_flows(broker, round);
        }
        if !basic && !global {
            return;
        }
        let fine = self.settings().rates_mode != RatesMode::None;
        let queues = self.sample_queues(broker, round, basic, fine);
        if basic && fine {
            let mut exchanges = Batch::new(self, |store, (id, counters)| {
                store.exchanges.take(id, &counters, round, &store.basic);
            });
            broker.sample_exchanges(|id, publish_in, publish_out| exchanges.push((id, [publish_in, publish_out])));
            exchanges.hand_over();
        }
        self.sample_connections(broker, round, (basic, global, fine), &queues);
        let mut store = self.lock();
        let store = &mut *store;
        if global {
            let totals = queues.values().fold(QueueTotals::default(), |mut sum, totals| {
                sum.add(totals);
                sum
            });
            let mut sum = broker.sum_of_vhosts(totals);
            if !fine {
                sum.happened = Default::default();
            }
            store.all_vhosts.take((), &kinds::of_vhost(&sum), round, &store.global);
            store.node.take((), &kinds::of_node(&broker.node_counters()), round, &store.global);
            store.vhosts.forget(round);
            store.global.complete(round);
        }
        if basic {
            store.queues.forget(round);
            store.exchanges.forget(round);
            store.connections.forget(round);
            store.channels.forget(round);
            store.basic.complete(round);
        }
    }

    fn sample_queues(&self, broker: &Broker, round: u32, basic: bool, fine: bool) -> BTreeMap<VhostName, QueueTotals> {
        let mut batch = Batch::new(self, |store, (id, counters)| {
            store.queues.take(id, &counters, round, &store.basic);
        });
        let totals = broker.sample_queues(|id, counters, totals| {
            if basic {
                let counters = if fine { *counters } else { Default::default() };
                batch.push((id, kinds::of_queue(&counters, totals)));
            }
        });
        batch.hand_over();
        totals
    }

    fn sample_connections(
        &self,
        broker: &Broker,
        round: u32,
        (basic, global, fine): (bool, bool, bool),
        queues: &BTreeMap<VhostName, QueueTotals>,
    ) {
        let mut connections = Batch::new(self, |store, (id, counters)| {
            store.connections.take(id, &counters, round, &store.basic);
        });
        let mut channels = Batch::new(self, |store, (id, counters)| {
            store.channels.take(id, &counters, round, &store.basic);
        });
        let mut vhosts = Batch::new(self, |store, (name, counters)| {
            store.vhosts.take(name, &counters, round, &store.global);
        });
        broker.sample_connections(
            queues,
            |id, recv_oct, send_oct| {
                if basic {
                    connections.push((id, [recv_oct, send_oct]));
                }
            },
            |connection, number, counters| {
                if basic && fine {
                    channels.push(((connection, number), kinds::of_channel(counters)));
                }
            },
            |name, counters| {
                if global {
                    let happened = if fine { counters.happened } else { Default::default() };
                    let counters = broker::VhostCounters { happened, ..*counters };
                    vhosts.push((name.clone(), kinds::of_vhost(&counters)));
                }
            },
        );
        connections.hand_over();
        channels.hand_over();
        vhosts.hand_over();
    }
}
