//! What recent-history exchanges keep, over restarts and deletions.

use super::*;
use crate::domain::message::Message;

/// Publishes three messages to histories that keep two.
fn publish(world: &World, exchange: &str) {
    let histories = [(ExchangeName::new(exchange).unwrap(), 2)];
    for key in ["1", "2", "3"] {
        world.vhost.histories().remember(&histories, &Message::build(exchange, key, &[0, 0], b"body", true));
    }
}

/// How many messages a queue that is bound to the exchange now gets of its history.
async fn replayed(world: &World, exchange: &str, name: &str) -> u64 {
    let declared = world.queue(queue(name)).await;
    world.vhost.bind(&guest(), binding(exchange, name, "")).await.unwrap();
    // Behind the messages in the queue's mailbox.
    declared.queue.touch().await.ready
}

#[tokio::test]
async fn a_history_lasts_as_long_as_its_exchange() {
    let world = World::new().await;
    let transient = DeclareExchange { durable: false, ..exchange("transient", "x-recent-history") };
    for declare in [exchange("durable", "x-recent-history"), transient.clone(), exchange("fanout", "fanout")] {
        world.vhost.declare_exchange(&guest(), declare).await.unwrap();
    }
    for name in ["durable", "transient", "fanout"] {
        publish(&world, name);
    }
    assert_eq!(replayed(&world, "durable", "a").await, 2);
    assert_eq!(replayed(&world, "transient", "b").await, 2);
    assert_eq!(replayed(&world, "fanout", "c").await, 0);
    let world = world.restart().await;
    world.vhost.declare_exchange(&guest(), transient).await.unwrap();
    assert_eq!(replayed(&world, "durable", "d").await, 2);
    assert_eq!(replayed(&world, "transient", "e").await, 0);
    world.vhost.delete_exchange(&guest(), "durable", false).await.unwrap();
    let world = world.restart().await;
    world.vhost.declare_exchange(&guest(), exchange("durable", "x-recent-history")).await.unwrap();
    assert_eq!(replayed(&world, "durable", "f").await, 0);
}
