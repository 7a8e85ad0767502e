//! Dead letters that nobody takes at once: those that must arrive, and those that could wait.

use super::*;
use crate::storage::{LogHealth, LogId};

/// How long to wait on a paused clock for what must not happen.
const LONG: Duration = Duration::from_secs(3600);

/// Arguments of a quorum queue whose dead letters must arrive in the queue `dead`.
fn must_arrive(more: &[(&str, FieldValue)]) -> FieldTable {
    let safely = [
        ("x-queue-type", FieldValue::text("quorum")),
        ("x-dead-letter-strategy", FieldValue::text("at-least-once")),
        ("x-overflow", FieldValue::text("reject-publish")),
    ];
    to_dead(&[&safely, more].concat())
}

impl World {
    async fn reject(&self, queue: &QueueHandle, count: usize) {
        for _ in 0..count {
            let delivered = self.get(queue).await.unwrap();
            self.settle(queue, &delivered, Disposition::RejectDiscard).await;
        }
    }

    /// Ready, unacknowledged, dead.
    async fn counts(&self, queue: &QueueHandle) -> (u64, u64, u64) {
        let totals = queue.touch().await;
        (totals.ready, totals.unacknowledged, totals.dead)
    }
}

#[tokio::test(start_paused = true)]
async fn a_letter_that_must_arrive_waits_for_a_queue() {
    let mut world = World::new().await;
    let source = world.queue("source", must_arrive(&[])).await;
    world.publish(&source, &["1", "2", "3"], None).await;
    world.reject(&source, 2).await;
    until!(world.counts(&source).await == (1, 0, 2));
    tokio::time::sleep(LONG).await;
    assert_eq!(world.counts(&source).await, (1, 0, 2));
    // Without a look at the clock: routes changed.
    let dead = world.queue("dead", FieldTable::new()).await;
    tokio::time::timeout(Duration::from_secs(2), async {
        until!(world.counts(&dead).await.0 == 2);
        until!(world.counts(&source).await == (1, 0, 0));
    })
    .await
    .unwrap();
    assert_eq!(deaths(&world.get(&dead).await.unwrap()), "rejected in source");
}

#[tokio::test(start_paused = true)]
async fn a_letter_that_was_refused_is_sent_again() {
    let mut world = World::new().await;
    let full = [("x-max-length", FieldValue::I32(1)), ("x-overflow", FieldValue::text("reject-publish"))];
    let dead = world.queue("dead", table(&full)).await;
    world.publish(&dead, &["in the way"], None).await;
    let source = world.queue("source", must_arrive(&[])).await;
    world.publish(&source, &["1"], None).await;
    let confirmed = || world.registry.traffic().load().dead_letters_confirmed;
    world.reject(&source, 1).await;
    tokio::time::sleep(LONG).await;
    assert_eq!((world.counts(&source).await.2, world.bodies(&dead).await), (1, vec!["in the way".to_owned()]));
    assert_eq!(confirmed(), 0);
    let delivered = world.get(&dead).await.unwrap();
    world.settle(&dead, &delivered, Disposition::Ack).await;
    tokio::time::sleep(Duration::from_secs(181)).await;
    until!(world.counts(&source).await == (0, 0, 0));
    assert_eq!(world.bodies(&dead).await, ["1"]);
    assert_eq!(confirmed(), 1);
}

#[tokio::test]
async fn only_letters_that_must_arrive_are_counted_as_confirmed() {
    let mut world = World::new().await;
    let dead = world.queue("dead", FieldTable::new()).await;
    for (name, arguments, expected) in [("once", to_dead(&[]), 0), ("safely", must_arrive(&[]), 2)] {
        let source = world.queue(name, arguments).await;
        world.publish(&source, &["1", "2"], None).await;
        world.reject(&source, 2).await;
        until!(world.counts(&dead).await.0 == 2);
        until!(world.counts(&source).await == (0, 0, 0));
        dead.ask(|reply| QueueCommand::Purge { reply }).await;
        assert_eq!(world.registry.traffic().load().dead_letters_confirmed, expected, "{name}");
    }
}

#[tokio::test]
async fn what_died_stays_dead_over_a_crash() {
    let mut world = World::new().await;
    let source = world.queue("source", must_arrive(&[])).await;
    world.publish(&source, &["1", "2", "3", "4"], None).await;
    let kept = world.get(&source).await.unwrap();
    world.reject(&source, 2).await;
    world.settle(&source, &kept, Disposition::Requeue).await;
    until!(world.counts(&source).await == (2, 0, 2));
    let world = world.restart(false).await;
    let source = world.find("source").unwrap();
    assert_eq!(world.counts(&source).await, (2, 0, 2));
    assert_eq!(world.bodies(&source).await, ["1", "4"]);
    let dead = world.queue("dead", table(&[("x-queue-type", FieldValue::text("quorum"))])).await;
    until!(world.counts(&source).await == (2, 0, 0));
    let delivered = world.get(&dead).await.unwrap();
    assert_eq!((deaths(&delivered).as_str(), delivered.failures), ("rejected in source", 1));
    world.settle(&dead, &delivered, Disposition::Requeue).await;
    assert_eq!(world.bodies(&dead).await, ["2", "3"]);
    let world = world.restart(true).await;
    assert_eq!(world.counts(&world.find("source").unwrap()).await, (2, 0, 0));
    assert_eq!(world.bodies(&world.find("dead").unwrap()).await, ["2", "3"]);
}

#[tokio::test]
async fn notes_go_with_their_queue() {
    let mut world = World::new().await;
    let source = world.queue("source", must_arrive(&[])).await;
    world.publish(&source, &["1"], None).await;
    world.reject(&source, 1).await;
    until!(world.counts(&source).await.2 == 1);
    let caller = Caller::user(UserName::new("guest").unwrap());
    world.vhost.delete_queue(&caller, "source", false, false).await.unwrap();
    let log = world.engine.log();
    until!(log.logs().await.unwrap().is_empty());
    // A crash in the middle of that leaves notes without a queue.
    let record = crate::storage::LogRecord {
        position: crate::storage::Position(1),
        meta: [0; 16],
        weight: 0,
        shares: 1,
        payload: bytes::Bytes::new(),
    };
    log.append(LogKind::Notes.of(LogId(77)), crate::storage::Epoch(1), vec![record]).await.unwrap();
    let world = world.restart(false).await;
    assert!(world.engine.log().logs().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn few_letters_that_must_arrive_are_under_way_at_once() {
    let mut world = World::new().await;
    let dead = world.queue("dead", FieldTable::new()).await;
    let source = world.queue("source", must_arrive(&[])).await;
    for _ in 0..10 {
        world.publish(&source, &["m"; 10], None).await;
    }
    world.engine.hold_syncs(true);
    world.reject(&source, 100).await;
    tokio::time::sleep(LONG).await;
    assert_eq!((world.counts(&dead).await.0, world.counts(&source).await), (32, (0, 0, 100)));
    world.engine.hold_syncs(false);
    until!(world.counts(&source).await == (0, 0, 0));
    assert_eq!(world.counts(&dead).await.0, 100);
}

#[tokio::test]
async fn the_dead_count_for_the_length_and_are_purged() {
    let mut world = World::new().await;
    let source = world.queue("source", must_arrive(&[("x-max-length", FieldValue::I32(2))])).await;
    world.publish(&source, &["1", "2"], None).await;
    world.reject(&source, 2).await;
    until!(world.counts(&source).await == (0, 0, 2));
    // A quorum queue refuses once it is over its limit.
    assert_eq!(world.publish(&source, &["3", "4"], None).await, [2]);
    let purged = source.ask(|reply| QueueCommand::Purge { reply }).await.unwrap();
    assert_eq!((purged, world.counts(&source).await), (3, (0, 0, 0)));
    assert!(world.publish(&source, &["5"], None).await.is_empty());
    let world = world.restart(false).await;
    assert_eq!(world.counts(&world.find("source").unwrap()).await, (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn other_terms_apply_to_what_nobody_took() {
    let mut world = World::new().await;
    let dead = world.queue("dead", FieldTable::new()).await;
    let quorum = table(&[("x-queue-type", FieldValue::text("quorum"))]);
    let nowhere = must_arrive(&[("x-dead-letter-routing-key", FieldValue::text("nowhere"))]);
    *world.access.policy.lock().unwrap() = nowhere;
    let source = world.queue("p", quorum).await;
    world.publish(&source, &["1"], None).await;
    world.reject(&source, 1).await;
    until!(world.counts(&source).await.2 == 1);
    *world.access.policy.lock().unwrap() = must_arrive(&[]);
    world.vhost.policies_changed().await;
    until!(world.counts(&source).await.2 == 0);
    assert_eq!(world.bodies(&dead).await, ["1"]);
}

#[tokio::test(start_paused = true)]
async fn a_letter_waits_while_no_log_takes_it() {
    let mut world = World::new().await;
    let dead = world.queue("dead", FieldTable::new()).await;
    let source = world.queue("source", to_dead(&[])).await;
    world.publish(&source, &["1"], None).await;
    world.engine.report(LogHealth::DiskFull("no room".to_owned()));
    world.reject(&source, 1).await;
    tokio::time::sleep(LONG).await;
    assert_eq!(world.counts(&dead).await.0, 0);
    world.engine.report(LogHealth::Well);
    until!(world.counts(&dead).await.0 == 1);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_is_served_however_many_letters_wait() {
    let mut world = World::new().await;
    let dead = world.queue("dead", FieldTable::new()).await;
    let source = world.queue("source", to_dead(&[])).await;
    for _ in 0..70 {
        world.publish(&source, &["m"; 100], None).await;
    }
    world.engine.report(LogHealth::DiskFull("no room".to_owned()));
    world.reject(&source, 7000).await;
    world.send(&source, &["last"], None).await;
    world.consume(&source, 1, false).await.unwrap();
    let delivered = tokio::time::timeout(LONG, async {
        loop {
            if let Some(ConnectionEvent::Deliver(delivery)) = world.events.recv().await {
                break delivery;
            }
        }
    });
    assert_eq!(delivered.await.unwrap().messages[0].message.body(), b"last");
    world.engine.report(LogHealth::Well);
    until!(world.counts(&dead).await.0 == 7000);
}

#[tokio::test(start_paused = true)]
async fn a_letter_that_storage_refuses_is_sent_again() {
    for kind in ["classic", "quorum", "stream"] {
        let mut world = World::new().await;
        let dead = world.queue("dead", table(&[("x-queue-type", FieldValue::text(kind))])).await;
        let source = world.queue("source", to_dead(&[])).await;
        world.publish(&source, &["1"], None).await;
        world.engine.refuse_appends(true);
        world.reject(&source, 1).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        world.engine.refuse_appends(false);
        tokio::time::sleep(Duration::from_secs(3)).await;
        let log = LogId(dead.spec().id.0);
        let stored = world.engine.log().open(log, crate::storage::Epoch(1)).await.unwrap();
        assert!(stored.records >= 1, "{kind}");
    }
}
