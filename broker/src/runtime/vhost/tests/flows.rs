//! Pairs are found from both ends, and go with either, whoever still counts on them.

use std::sync::Arc;

use super::{World, exchange, guest, queue};
use crate::domain::exchange::ExchangeTraffic;
use crate::domain::queue::ConnectionId;
use crate::runtime::flows::{ChannelKey, PAIRS_MAX, Published};
use crate::runtime::queue::QueueHandle;

/// Two channels of a connection.
const ONE: ChannelKey = (ConnectionId(1), 1);
const TWO: ChannelKey = (ConnectionId(1), 2);

impl World {
    fn traffic(&self, exchange: &str) -> Arc<ExchangeTraffic> {
        self.vhost.topology().exchange(exchange).unwrap().traffic().clone()
    }

    fn handle(&self, queue: &str) -> QueueHandle {
        self.vhost.topology().queue(queue).unwrap().clone()
    }

    fn publishes(&self, channel: ChannelKey, exchange: &str, traffic: &Arc<ExchangeTraffic>) -> Option<Arc<Published>> {
        self.vhost.flows().publishes(channel, exchange, traffic, || self.vhost.topology())
    }

    fn publish(&self, channel: ChannelKey, exchange: &str, queues: &[&QueueHandle], messages: u64) {
        let published = self.publishes(channel, exchange, &self.traffic(exchange)).unwrap();
        published.count(messages);
        for queue in queues {
            let routed = self.vhost.flows().routes(channel, &published, queue, || self.vhost.topology()).unwrap();
            routed.count(messages);
        }
    }
}

#[tokio::test]
async fn pairs_are_found_from_both_ends_and_go_with_either() {
    let world = World::new().await;
    let flows = world.vhost.flows();
    for name in ["q", "r"] {
        world.queue(queue(name)).await;
    }
    world.vhost.declare_exchange(&guest(), exchange("x", "fanout")).await.unwrap();
    let (q, r, x) = (world.handle("q"), world.handle("r"), world.traffic("x"));
    world.publish(ONE, "x", &[&q, &r], 3);
    world.publish(TWO, "x", &[&q], 2);
    world.publish(TWO, "", &[&r], 1);
    let taken = flows.takes(ONE, &q, || world.vhost.topology());
    assert_eq!(flows.of_queue(q.spec().id).deliveries, [], "nothing was delivered yet");
    taken.delivered(4, 1, false);
    taken.acknowledged();
    flows.takes(TWO, &q, || world.vhost.topology()).fetched(false, true);

    let of_exchange = flows.of_exchange(x.id());
    let incoming: Vec<_> = of_exchange.incoming.iter().map(|flow| (flow.channel, flow.publish)).collect();
    assert_eq!(incoming, [(1, 3), (2, 2)]);
    let outgoing: Vec<_> = of_exchange.outgoing.iter().map(|flow| (flow.queue_name.as_str(), flow.publish)).collect();
    assert_eq!(outgoing, [("q", 5), ("r", 3)]);
    let of_queue = flows.of_queue(r.spec().id);
    let mut incoming: Vec<_> =
        of_queue.incoming.iter().map(|flow| (flow.exchange_name.as_str(), flow.publish)).collect();
    incoming.sort_unstable();
    assert_eq!(incoming, [("", 1), ("x", 3)]);
    let deliveries = flows.of_queue(q.spec().id).deliveries;
    let deliveries: Vec<_> = deliveries
        .iter()
        .map(|flow| {
            (flow.channel, flow.counters.deliver, flow.counters.redeliver, flow.counters.ack, flow.counters.get_no_ack)
        })
        .collect();
    assert_eq!(deliveries, [(1, 4, 1, 1, 0), (2, 0, 0, 0, 1)]);
    let of_channel = flows.of_channel(ONE);
    assert_eq!(of_channel.routed.iter().map(|flow| flow.publish).collect::<Vec<_>>(), [3, 3], "its own part of them");
    let mut seen = Vec::new();
    flows.each_channel(|channel, flows| seen.push((channel, flows.published.len())));
    assert_eq!(seen, [(ONE, 1), (TWO, 2)]);

    // What was routed outlives the channel it came by.
    flows.leave(ONE);
    assert_eq!(flows.of_channel(ONE), Default::default());
    assert_eq!(flows.of_exchange(x.id()).incoming.len(), 1);
    assert_eq!(flows.of_exchange(x.id()).outgoing.len(), 2);
    world.vhost.delete_queue(&guest(), "q", false, false).await.unwrap();
    assert_eq!(flows.of_queue(q.spec().id), Default::default());
    assert_eq!(flows.of_exchange(x.id()).outgoing.len(), 1);
    assert_eq!(flows.of_channel(TWO).routed.len(), 1);
    world.vhost.delete_exchange(&guest(), "x", false).await.unwrap();
    assert_eq!(flows.of_exchange(x.id()), Default::default());
    assert_eq!(flows.of_queue(r.spec().id).incoming.len(), 1);
    assert_eq!(flows.of_channel(TWO).published.len(), 1);

    // Who has not heard yet enters nothing for what is gone, nor for another of the same name.
    world.vhost.declare_exchange(&guest(), exchange("x", "fanout")).await.unwrap();
    world.queue(queue("q")).await;
    assert!(world.publishes(ONE, "x", &x).is_none());
    let published = world.publishes(ONE, "x", &world.traffic("x")).unwrap();
    assert!(flows.routes(ONE, &published, &q, || world.vhost.topology()).is_none());
    flows.takes(ONE, &q, || world.vhost.topology()).found_empty();
    flows.leave(ONE);
    flows.leave(TWO);
    world.vhost.delete_queue(&guest(), "r", false, false).await.unwrap();
    assert_eq!(flows.size(), [0; 3]);
}

#[tokio::test]
async fn one_object_has_so_many_pairs_and_no_more() {
    let world = World::new().await;
    world.queue(queue("q")).await;
    let (q, traffic) = (world.handle("q"), world.traffic("amq.fanout"));
    let flows = world.vhost.flows();
    for connection in 0..PAIRS_MAX as u64 + 10 {
        let channel = (ConnectionId(connection), 1);
        world.publish(channel, "amq.fanout", &[&q], 1);
        flows.takes(channel, &q, || world.vhost.topology()).delivered(1, 0, true);
    }
    assert_eq!(flows.of_exchange(traffic.id()).incoming.len(), PAIRS_MAX);
    assert_eq!(flows.of_queue(q.spec().id).deliveries.len(), PAIRS_MAX);
    assert_eq!(flows.of_queue(q.spec().id).incoming[0].publish, PAIRS_MAX as u64 + 10, "one pair for all of them");
    let last = flows.of_channel((ConnectionId(PAIRS_MAX as u64 + 9), 1));
    assert_eq!((last.published.len(), last.taken.len()), (1, 1), "a channel has its own bound");
    for _ in 0..PAIRS_MAX {
        flows.publishes(ONE, "amq.fanout", &traffic, || world.vhost.topology());
    }
    assert_eq!(flows.of_channel(ONE).published.len(), PAIRS_MAX);
    world.vhost.delete_queue(&guest(), "q", false, false).await.unwrap();
    assert_eq!(flows.size()[1..], [0, 0], "those beyond the bound go too");
}
