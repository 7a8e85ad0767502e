//! Messages that are out with a consumer: beyond a little memory they are on disk alone,
//! and come back from there.

use super::*;
use crate::runtime::queue::{Fate, LetterAnswer};

type Persistent = fn(u64) -> bool;

const MIXTURES: [Persistent; 3] = [|_| true, |_| false, |number| number % 3 != 0];

/// A queue of which the first `count` messages are out.
async fn all_out(count: u64, persistent: Persistent, arguments: &[(&str, FieldValue)]) -> (Rig, Vec<u32>) {
    out_of(durable(arguments), count, persistent).await
}

/// The same of any queue.
async fn out_of(spec: QueueSpec, count: u64, persistent: Persistent) -> (Rig, Vec<u32>) {
    let mut rig = rig(MemoryEngine::new(), spec);
    rig.consume(0).await;
    rig.publish(1..=count, &Properties::default(), persistent).await;
    let mut slots = Vec::new();
    while slots.len() < count as usize {
        slots.extend(rig.delivered().await.iter().map(|delivered| delivered.slot));
    }
    // What is written in the background is written by now.
    rig.engine.log().sync().await.unwrap();
    rig.queue.touch().await;
    (rig, slots)
}

async fn out(rig: &Rig) -> (u64, u64) {
    let totals = rig.queue.touch().await;
    (totals.unacknowledged, totals.unacknowledged_paged)
}

#[tokio::test]
async fn what_is_out_leaves_memory_and_disk() {
    for (mixture, persistent) in MIXTURES.into_iter().enumerate() {
        let (rig, slots) = all_out(500, persistent, &[]).await;
        let (unacked, paged) = out(&rig).await;
        assert_eq!(unacked, 500);
        assert!(paged > 400, "mixture {mixture}: {paged} of 500");
        let logged = (1..=500).filter(|number| persistent(*number)).count() as u64;
        assert_eq!(rig.on_disk().await, (logged, logged < 500));
        // Every second first: blocks stay while one message of them is out.
        let (some, others): (Vec<u32>, Vec<u32>) = slots.into_iter().partition(|slot| slot % 2 == 0);
        rig.settle(Disposition::Ack, some).await;
        assert_eq!(out(&rig).await.0, 250);
        rig.settle(Disposition::Ack, others).await;
        assert_eq!((out(&rig).await, rig.counts().await), ((0, 0), (0, 0, 0, 0)));
        assert_eq!(rig.on_disk().await, (0, false), "mixture {mixture}");
    }
}

#[tokio::test]
async fn what_was_out_comes_back_in_order() {
    for kind in [QueueKind::Classic, QueueKind::Quorum] {
        for (mixture, persistent) in MIXTURES.into_iter().enumerate() {
            let (rig, _) = out_of(QueueSpec { kind, ..durable(&[]) }, 500, persistent).await;
            rig.queue.ask(|reply| QueueCommand::SessionClosed { session: SESSION, reply }).await.unwrap();
            let (ready, paged, ..) = rig.counts().await;
            assert_eq!(ready, 500);
            assert!(paged > 400, "mixture {mixture}: {paged} of 500");
            let mut again = Vec::new();
            for number in 1..=500 {
                let delivered = rig.get(false).await.unwrap().unwrap();
                assert_eq!((super::number(&delivered.message), delivered.redelivered), (number, true));
                assert_eq!(delivered.acquired, 1);
                again.push(delivered.slot);
            }
            rig.settle(Disposition::Ack, again).await;
            assert_eq!((out(&rig).await, rig.on_disk().await), ((0, 0), (0, false)));
        }
    }
}

#[tokio::test]
async fn what_came_back_is_delivered_before_the_rest() {
    let (mut rig, slots) = all_out(300, |number| number % 2 == 0, &[]).await;
    rig.settle(Disposition::Requeue, slots).await;
    rig.publish(301..=400, &Properties::default(), |_| true).await;
    let mut seen = Vec::new();
    while seen.len() < 400 {
        for delivered in rig.delivered().await {
            seen.push(number(&delivered.message));
            rig.settle(Disposition::Ack, vec![delivered.slot]).await;
        }
    }
    assert_eq!(seen, all(1..=400));
    assert_eq!((out(&rig).await, rig.on_disk().await), ((0, 0), (0, false)));
}

#[tokio::test]
async fn what_is_rejected_is_read_to_be_dead_lettered_or_just_forgotten() {
    for dead_letters in [true, false] {
        let exchange = FieldValue::LongString("dead".into());
        let arguments = [("x-dead-letter-exchange", exchange)];
        let arguments = if dead_letters { &arguments[..] } else { &[] };
        for (mixture, persistent) in MIXTURES.into_iter().enumerate() {
            let (mut rig, slots) = all_out(500, persistent, arguments).await;
            rig.settle(Disposition::Discard, slots).await;
            let mut bodies = Vec::new();
            while dead_letters && bodies.len() < 500 {
                let batch = rig.letters.recv().await.unwrap();
                for letter in batch.letters {
                    bodies.push(number(&letter.message));
                    let (key, fate, taken_by) = (letter.key, Fate::Taken, Vec::new());
                    batch.answers.send(LetterAnswer::Fate { key, fate, taken_by }).unwrap();
                }
            }
            bodies.sort_unstable();
            assert_eq!(bodies, if dead_letters { all(1..=500) } else { Vec::new() }, "mixture {mixture}");
            while rig.counts().await != (0, 0, 0, 0) || rig.on_disk().await != (0, false) {
                tokio::task::yield_now().await;
            }
        }
    }
}

/// A quorum queue of which 500 messages are out, and wait so long when they come back.
async fn out_and_retried(wait_ms: i32) -> (Rig, Vec<u32>) {
    let arguments = [
        ("x-delayed-retry-type", FieldValue::LongString("all".into())),
        ("x-delayed-retry-min", FieldValue::I32(wait_ms)),
    ];
    let (rig, slots) = out_of(QueueSpec { kind: QueueKind::Quorum, ..durable(&arguments) }, 500, |_| true).await;
    rig.queue
        .ask(|reply| QueueCommand::Cancel { connection: SESSION.connection, consumer: ConsumerKey(1), reply })
        .await
        .unwrap();
    (rig, slots)
}

#[tokio::test]
async fn what_comes_back_later_need_not_be_in_memory_meanwhile() {
    let (rig, slots) = out_and_retried(1).await;
    rig.settle(Disposition::RejectRequeue, slots).await;
    while rig.queue.touch().await.ready < 500 {
        tokio::task::yield_now().await;
    }
    let (ready, paged, bytes, _) = rig.counts().await;
    assert_eq!((ready, bytes), (500, bytes_of(1..=500)));
    assert!(paged > 400, "{paged} of 500");
    let mut seen = Vec::new();
    while let Some(delivered) = rig.get(true).await.unwrap() {
        assert_eq!((delivered.acquired, delivered.failures), (1, 1));
        seen.push(number(&delivered.message));
    }
    assert_eq!(seen, all(1..=500));
    assert_eq!((rig.counts().await, rig.on_disk().await), ((0, 0, 0, 0), (0, false)));
}

#[tokio::test]
async fn what_waits_on_disk_is_purged_and_outlives_a_crash() {
    let (rig, slots) = out_and_retried(3_600_000).await;
    let (some, others) = slots.split_at(400);
    rig.settle(Disposition::RejectRequeue, some.to_vec()).await;
    assert_eq!(rig.queue.touch().await.delayed, 400);
    rig.settle(Disposition::Ack, others[50..].to_vec()).await;
    // Those that are out come back at once: with nothing to tell of them they are ready.
    let rig = rig.restart().await;
    let totals = rig.queue.touch().await;
    assert_eq!((totals.ready, totals.delayed, totals.persistent), (50, 400, 450));
    assert_eq!((totals.ready_bytes, totals.delayed_bytes), (bytes_of(401..=450), bytes_of(1..=400)));
    assert_eq!(rig.bodies().await, all(401..=450));
    assert_eq!(rig.purge().await, 400);
    assert_eq!((rig.counts().await, rig.on_disk().await), ((0, 0, 0, 0), (0, false)));
}

#[tokio::test]
async fn a_purge_of_what_came_back_empties_the_disk() {
    for persistent in MIXTURES {
        let (rig, slots) = all_out(300, persistent, &[]).await;
        rig.queue
            .ask(|reply| QueueCommand::Cancel { connection: SESSION.connection, consumer: ConsumerKey(1), reply })
            .await
            .unwrap();
        rig.settle(Disposition::Requeue, slots).await;
        assert_eq!(rig.counts().await.0, 300);
        assert_eq!(rig.purge().await, 300);
        assert_eq!((rig.counts().await, rig.on_disk().await), ((0, 0, 0, 0), (0, false)));
    }
}

#[tokio::test]
async fn a_message_that_came_back_and_is_damaged_is_left_out() {
    let (rig, slots) = all_out(300, |_| true, &[]).await;
    rig.queue
        .ask(|reply| QueueCommand::Cancel { connection: SESSION.connection, consumer: ConsumerKey(1), reply })
        .await
        .unwrap();
    rig.settle(Disposition::Requeue, slots).await;
    let mut bodies = Vec::new();
    while let Some(delivered) = {
        // The next read that meets it finds it damaged.
        rig.engine.damage(LOG, Position(250));
        rig.get(true).await.unwrap()
    } {
        bodies.push(number(&delivered.message));
    }
    let expected: Vec<u64> = (1..=300).filter(|&number| number != 250).collect();
    assert_eq!(bodies, expected);
    assert_eq!((rig.counts().await, rig.on_disk().await), ((0, 0, 0, 0), (0, false)));
}

#[tokio::test]
async fn a_block_that_is_damaged_is_left_out_and_given_back() {
    let (rig, slots) = all_out(300, |_| false, &[]).await;
    rig.queue
        .ask(|reply| QueueCommand::Cancel { connection: SESSION.connection, consumer: ConsumerKey(1), reply })
        .await
        .unwrap();
    rig.settle(Disposition::Requeue, slots).await;
    let (ready, ..) = rig.counts().await;
    assert_eq!(ready, 300);
    let spilled = LogKind::Spilled.of(LOG);
    let block = *rig.engine.log().open(spilled, Epoch(1)).await.unwrap().ranges[0].start();
    let mut bodies = Vec::new();
    while let Some(delivered) = {
        rig.engine.damage(spilled, block);
        rig.get(true).await.unwrap()
    } {
        bodies.push(number(&delivered.message));
    }
    assert!(bodies.len() > 250 && bodies.len() < 300 && bodies.is_sorted(), "{} are left", bodies.len());
    assert_eq!((rig.counts().await, rig.on_disk().await), ((0, 0, 0, 0), (0, false)));
}

#[tokio::test(start_paused = true)]
async fn a_slow_disk_slows_those_down_who_publish_more_than_memory_holds() {
    let rig = rig(MemoryEngine::new(), durable(&[]));
    rig.engine.hold_syncs(true);
    let queue = rig.queue.clone();
    let mut publisher = tokio::spawn(async move {
        for _ in 0..1000 {
            let message = Message::build("", "q", &[0, 0], &vec![b'x'; 64 << 10], false);
            let messages = vec![Incoming { message, sequence: 0, channel: 1, epoch: 0, shares: 1 }];
            queue.send(QueueCommand::Publish(PublishBatch { from: None, messages })).await.unwrap();
        }
    });
    let long = tokio::time::Duration::from_secs(3600);
    assert!(tokio::time::timeout(long, &mut publisher).await.is_err(), "who publishes on waits for the disk");
    let totals = rig.queue.totals();
    assert!((100..300).contains(&totals.ready), "{} were taken", totals.ready);
    rig.engine.report(LogHealth::DiskFull("no room".to_owned()));
    publisher.await.unwrap();
    assert_eq!(rig.counts().await.0, 1000, "a full disk blocks publishers elsewhere");
    rig.engine.report(LogHealth::Well);
    rig.engine.hold_syncs(false);
    assert_eq!(rig.purge().await, 1000);
}
