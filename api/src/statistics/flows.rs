//! Samples of flows between two objects, kept in mode `detailed` alone.
//!
//! Owns the three tables of pairs and their rounds. Pairs are told apart by the identities of
//! both ends, so one of a new queue of an old name begins anew.

use broker::domain::exchange::ExchangeId;
use broker::domain::queue::{ConnectionId, QueueId};
use broker::{Broker, PublishedFlow, RoutedFlow, TakenFlow};
use openapi::traffic::MessageStats;

use super::kinds::{self, DELIVERED, SHOWN_DELIVERIES};
use super::range::Ranges;
use super::series::Round;
use super::store::Store;
use super::table::Table;
use super::{RatesMode, Statistics};

/// Bytes that the samples of one pair may take.
pub(super) const PAIR_BYTES_MAX: usize = 1024;

/// A channel and an exchange it publishes to.
type PublishedKey = (ConnectionId, u16, ExchangeId);

/// A channel and a queue it takes messages off.
type TakenKey = (ConnectionId, u16, QueueId);

/// The series of all pairs.
#[derive(Debug)]
pub(super) struct FlowTables {
    published: Table<PublishedKey, 4, 4>,
    taken: Table<TakenKey, DELIVERED, SHOWN_DELIVERIES>,
    routed: Table<(ExchangeId, QueueId), 1, 1>,
}

impl FlowTables {
    pub(super) fn new() -> Self {
        Self {
            published: Table::new(&kinds::PUBLISHED, PAIR_BYTES_MAX),
            taken: Table::new(&kinds::TAKEN, PAIR_BYTES_MAX),
            routed: Table::new(&kinds::ROUTED, PAIR_BYTES_MAX),
        }
    }

    /// Pairs with a series, and bytes of memory they take.
    pub(super) fn size(&self) -> (usize, usize) {
        let sizes = [self.published.size(), self.taken.size(), self.routed.size()];
        sizes.into_iter().fold((0, 0), |(pairs, bytes), (more, more_bytes)| (pairs + more, bytes + more_bytes))
    }

    pub(super) fn clear(&mut self) {
        self.published.clear();
        self.taken.clear();
        self.routed.clear();
    }

    /// Forgets pairs that were not there at a round.
    fn forget(&mut self, round: Round) {
        self.published.forget(round);
        self.taken.forget(round);
        self.routed.forget(round);
    }
}

impl Statistics {
    /// Whether flows between two objects are shown.
    pub(crate) fn shows_flows(&self) -> bool {
        self.settings().rates_mode == RatesMode::Detailed
    }

    /// Takes a round of samples of all pairs, those of a few channels under one lock.
    pub(super) fn sample_flows(&self, broker: &Broker, round: Round) {
        for vhost in broker.directory().vhosts.keys() {
            broker.each_channel_flows(vhost, |connection, channel, flows| {
                let mut store = self.lock();
                let Store { flows: tables, detailed, .. } = &mut *store;
                for pair in &flows.published {
                    let counters = kinds::of_published(pair);
                    tables.published.take((connection, channel, pair.exchange), &counters, round, detailed);
                }
                for pair in &flows.taken {
                    let counters = kinds::stored_deliveries(&pair.counters);
                    tables.taken.take((connection, channel, pair.queue), &counters, round, detailed);
                }
            });
            for pairs in broker.routed_flows(vhost).chunks(super::sampler::BATCH) {
                let mut store = self.lock();
                let Store { flows: tables, detailed, .. } = &mut *store;
                for pair in pairs {
                    tables.routed.take((pair.exchange, pair.queue), &[pair.publish], round, detailed);
                }
            }
        }
        let mut store = self.lock();
        store.flows.forget(round);
        store.detailed.complete(round);
    }

    /// What a channel published to an exchange, and how it runs.
    pub(crate) fn published(&self, flow: &PublishedFlow, ranges: &Ranges) -> MessageStats {
        let key = (flow.connection, flow.channel, flow.exchange);
        let store = self.lock();
        let [publish, confirm, returned, dropped] =
            store.read(&store.flows.published, &key, &store.detailed, ranges).map(Some);
        MessageStats {
            publish: Some(flow.publish),
            publish_details: publish,
            confirm: Some(flow.confirm),
            confirm_details: confirm,
            return_unroutable: Some(flow.return_unroutable),
            return_unroutable_details: returned,
            drop_unroutable: Some(flow.drop_unroutable),
            drop_unroutable_details: dropped,
            ..MessageStats::default()
        }
    }

    /// What a channel took off a queue, and how it runs.
    pub(crate) fn taken(&self, flow: &TakenFlow, ranges: &Ranges) -> MessageStats {
        let key = (flow.connection, flow.channel, flow.queue);
        let store = self.lock();
        let [get, get_no_ack, deliver, deliver_no_ack, redeliver, ack, deliver_get, get_empty] =
            store.read(&store.flows.taken, &key, &store.detailed, ranges).map(Some);
        let counters = &flow.counters;
        MessageStats {
            deliver: Some(counters.deliver),
            deliver_details: deliver,
            ack: Some(counters.ack),
            ack_details: ack,
            deliver_no_ack: Some(counters.deliver_no_ack),
            deliver_no_ack_details: deliver_no_ack,
            get: Some(counters.get),
            get_details: get,
            get_no_ack: Some(counters.get_no_ack),
            get_no_ack_details: get_no_ack,
            redeliver: Some(counters.redeliver),
            redeliver_details: redeliver,
            get_empty: Some(counters.get_empty),
            get_empty_details: get_empty,
            deliver_get: Some(counters.deliver_get()),
            deliver_get_details: deliver_get,
            ..MessageStats::default()
        }
    }

    /// What an exchange gave to a queue, and how it runs.
    pub(crate) fn routed(&self, flow: &RoutedFlow, ranges: &Ranges) -> MessageStats {
        let store = self.lock();
        let [publish] = store.read(&store.flows.routed, &(flow.exchange, flow.queue), &store.detailed, ranges);
        MessageStats { publish: Some(flow.publish), publish_details: Some(publish), ..MessageStats::default() }
    }
}

#[cfg(test)]
mod tests {
    use broker::domain::name::{ExchangeName, QueueName};

    use super::*;
    use crate::query::QueryString;
    use crate::statistics::StatisticsSettings;

    const START_MS: u64 = 20_000 * 24 * 3600 * 1000;

    fn flow(exchange: u64, publish: u64) -> PublishedFlow {
        PublishedFlow {
            connection: ConnectionId(1),
            channel: 2,
            exchange: ExchangeId(exchange),
            exchange_name: ExchangeName::new("x").unwrap(),
            publish,
            confirm: publish / 2,
            return_unroutable: 0,
            drop_unroutable: 1,
        }
    }

    /// Samples these pairs so many seconds after the start.
    fn sample(statistics: &Statistics, seconds: u64, pairs: &[PublishedFlow]) {
        let mut store = statistics.lock();
        let round = store.begin(START_MS + 1000 * seconds).unwrap();
        let Store { flows, detailed, .. } = &mut *store;
        for pair in pairs {
            let key = (pair.connection, pair.channel, pair.exchange);
            flows.published.take(key, &kinds::of_published(pair), round, detailed);
        }
        flows.forget(round);
        detailed.complete(round);
    }

    #[test]
    fn a_pair_has_rates_and_samples_as_long_as_it_is_there() {
        let settings = StatisticsSettings { rates_mode: RatesMode::Detailed, ..StatisticsSettings::default() };
        let statistics = Statistics::new(settings);
        let none = Ranges::default();
        assert_eq!(statistics.published(&flow(1, 4), &none).publish_details.unwrap().rate, 0.0, "not sampled yet");
        sample(&statistics, 0, &[flow(1, 10)]);
        sample(&statistics, 5, &[flow(1, 60), flow(2, 20)]);
        let shown = statistics.published(&flow(1, 61), &none);
        assert_eq!((shown.publish, shown.confirm, shown.drop_unroutable), (Some(61), Some(30), Some(1)));
        assert_eq!(shown.publish_details.unwrap().rate, 10.0);
        assert_eq!(shown.confirm_details.unwrap().rate, 5.0);
        assert_eq!(shown.deliver, None, "nothing that does not happen between the two");
        let other = statistics.published(&flow(2, 20), &none);
        assert_eq!(other.publish_details.unwrap().rate, 4.0, "the first count of a new pair counts from zero");
        let ranges = QueryString::parse(Some("msg_rates_age=10&msg_rates_incr=5"));
        let ranges = Ranges::parse(&ranges).unwrap();
        let details = statistics.published(&flow(1, 61), &ranges).publish_details.unwrap();
        let samples: Vec<_> = details.samples.unwrap().iter().map(|sample| sample.sample).collect();
        assert_eq!(samples.get(..2), Some(&[60, 10][..]));
        assert_eq!(statistics.size().0, 2);
        sample(&statistics, 10, &[flow(2, 20)]);
        assert_eq!(statistics.size().0, 1, "it went with one of its objects");
        let again = statistics.published(&flow(1, 3), &none);
        assert_eq!(again.publish_details.unwrap().rate, 0.0);
    }

    #[test]
    fn samples_of_a_pair_take_no_more_than_their_bound() {
        let statistics = Statistics::default();
        let pair = |publish| RoutedFlow {
            exchange: ExchangeId(1),
            exchange_name: ExchangeName::new("x").unwrap(),
            queue: QueueId(2),
            queue_name: QueueName::new("q").unwrap(),
            publish,
        };
        let mut published = 0;
        for round in 0..2000 {
            published += 1 + (round % 7) * 100_000;
            let mut store = statistics.lock();
            let round = store.begin(START_MS + 5000 * round).unwrap();
            let Store { flows, detailed, .. } = &mut *store;
            flows.routed.take((ExchangeId(1), QueueId(2)), &[pair(published).publish], round, detailed);
            detailed.complete(round);
        }
        let (pairs, bytes) = statistics.size();
        assert_eq!(pairs, 1);
        // Its place in the table is beside its own bound.
        assert!(bytes <= PAIR_BYTES_MAX + 512, "{bytes} bytes");
        assert!(statistics.routed(&pair(published), &Ranges::default()).publish_details.unwrap().rate > 0.0);
    }
}
