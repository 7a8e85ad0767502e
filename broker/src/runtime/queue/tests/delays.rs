//! Returned messages of quorum queues that wait before they come again.

use super::*;
use crate::runtime::clock::now_ms;

/// Arguments of a quorum queue in which returned messages wait.
fn retrying(which: &str, min_ms: i32, max_ms: i32) -> FieldTable {
    table(&[
        ("x-queue-type", FieldValue::text("quorum")),
        ("x-delayed-retry-type", FieldValue::text(which)),
        ("x-delayed-retry-min", FieldValue::I32(min_ms)),
        ("x-delayed-retry-max", FieldValue::I32(max_ms)),
    ])
}

const HOUR_MS: i32 = 3_600_000;

/// Fetches a message and settles it.
async fn handle(world: &World, queue: &QueueHandle, disposition: Disposition) {
    let delivered = world.get(queue).await.unwrap();
    world.settle(queue, &delivered, disposition).await;
}

#[tokio::test]
async fn what_is_returned_comes_again_later() {
    let mut world = World::new().await;
    let queue = world.queue("q", retrying("failed", 100, HOUR_MS)).await;
    world.publish(&queue, &["1", "2"], None).await;
    let before = now_ms();
    handle(&world, &queue, Disposition::RejectRequeue).await;
    handle(&world, &queue, Disposition::Requeue).await;
    let totals = queue.touch().await;
    if now_ms() < before + 100 {
        assert_eq!((totals.ready, totals.delayed, totals.delayed_bytes), (1, 1, 1), "only what failed waits");
    }
    // What was returned first is served first, whatever waited longer.
    let second = world.get(&queue).await.unwrap();
    assert_eq!(second.message.body(), b"2");
    until!(queue.touch().await.ready == 1);
    assert!(now_ms() >= before + 100);
    let first = world.get(&queue).await.unwrap();
    assert_eq!((first.message.body(), first.acquired, first.failures), (&b"1"[..], 1, 1));
    assert_eq!(queue.touch().await.delayed, 0);
}

#[tokio::test]
async fn a_message_that_waits_goes_on_waiting_over_a_crash() {
    let mut world = World::new().await;
    let queue = world.queue("q", retrying("all", HOUR_MS, HOUR_MS)).await;
    world.publish(&queue, &["1", "2", "3"], None).await;
    handle(&world, &queue, Disposition::RejectRequeue).await;
    handle(&world, &queue, Disposition::Requeue).await;
    until!(queue.touch().await.delayed == 2);
    let world = world.restart(false).await;
    let queue = world.find("q").unwrap();
    let totals = queue.touch().await;
    assert_eq!((totals.ready, totals.delayed, totals.persistent), (1, 2, 3));
    assert_eq!(world.get(&queue).await.unwrap().message.body(), b"3");
    assert!(world.get(&queue).await.is_none());
    let purged = queue.ask(|reply| QueueCommand::Purge { reply }).await.unwrap();
    assert_eq!((purged, queue.touch().await.delayed), (2, 0));
    let world = world.restart(true).await;
    let queue = world.find("q").unwrap();
    let totals = queue.touch().await;
    assert_eq!((totals.ready, totals.delayed), (1, 0));
}

#[tokio::test]
async fn what_waits_counts_for_the_length() {
    let mut world = World::new().await;
    let mut arguments = retrying("all", HOUR_MS, HOUR_MS);
    arguments.insert("x-max-length", FieldValue::I32(1));
    arguments.insert("x-overflow", FieldValue::text("reject-publish"));
    let queue = world.queue("q", arguments).await;
    world.publish(&queue, &["1"], None).await;
    handle(&world, &queue, Disposition::Requeue).await;
    assert_eq!(world.publish(&queue, &["2", "3"], None).await, [2]);
}

#[tokio::test]
async fn a_policy_makes_messages_wait() {
    let mut world = World::new().await;
    let queue = world.queue("p", table(&[("x-queue-type", FieldValue::text("quorum"))])).await;
    world.publish(&queue, &["1"], None).await;
    handle(&world, &queue, Disposition::Requeue).await;
    assert_eq!(queue.touch().await.delayed, 0);
    *world.access.policy.lock().unwrap() = retrying("returned", HOUR_MS, HOUR_MS);
    world.vhost.policies_changed().await;
    until!({
        if queue.touch().await.ready == 1 {
            handle(&world, &queue, Disposition::Requeue).await;
        }
        queue.touch().await.delayed == 1
    });
}
