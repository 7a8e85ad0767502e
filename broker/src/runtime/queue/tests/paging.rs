//! Queues with next to no memory, over the engine in memory: what they take goes to disk,
//! comes back in order, and survives what storage does.

mod out;

use std::ops::RangeInclusive;
use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::sync::mpsc;

use super::consumer_info;
use crate::domain::arguments::EffectiveArguments;
use crate::domain::message::Message;
use crate::domain::name::{QueueName, UserName, VhostName};
use crate::domain::properties::Properties;
use crate::domain::queue::ready::Paging;
use crate::domain::queue::state::{Delivered, Disposition};
use crate::domain::queue::{ConnectionId, ConsumerKey, QueueId, QueueKind, QueueSpec, SessionId};
use crate::domain::value::FieldValue;
use crate::error::Error;
use crate::facade::ConsumerInfo;
use crate::runtime::queue::{
    ConnectionEvent, ConnectionSender, ConsumeRequest, Incoming, LetterBatch, LogKind, PublishBatch, QueueCommand,
    QueueContext, QueueHandle, QueueMemory, Recover, Settled, owner_of, spawn_queue,
};
use crate::storage::memory::MemoryEngine;
use crate::storage::{Epoch, LogHealth, LogId, Position};

const TINY: Paging = Paging {
    logged_bytes: 2000,
    all_bytes: 3000,
    keep_bytes: 600,
    spill_bytes: 500,
    run_messages: 4,
    low_bytes: 500,
    read_bytes: 1000,
    read_messages: 7,
};

const SESSION: SessionId = SessionId { connection: ConnectionId(1), channel: 1, epoch: 0 };
const LOG: LogId = LogId(5);

/// One queue and the one connection that uses it.
struct Rig {
    engine: MemoryEngine,
    queue: QueueHandle,
    sender: ConnectionSender,
    events: mpsc::UnboundedReceiver<ConnectionEvent>,
    letters: mpsc::Receiver<LetterBatch>,
    sequence: u64,
}

fn durable(arguments: &[(&str, FieldValue)]) -> QueueSpec {
    QueueSpec {
        id: QueueId(LOG.0),
        name: QueueName::new("q").unwrap(),
        kind: QueueKind::Classic,
        durable: true,
        auto_delete: false,
        exclusive_owner: None,
        arguments: arguments.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        declared_by: UserName::new("u").unwrap(),
    }
}

fn rig(engine: MemoryEngine, spec: QueueSpec) -> Rig {
    let logs = engine.log().logs().now_or_never().unwrap().unwrap();
    let (notices, _) = mpsc::unbounded_channel();
    let (dead_letters, letters) = mpsc::channel(1000);
    let queue = spawn_queue(QueueContext {
        settings: EffectiveArguments::new(spec.kind, &spec.arguments),
        spec: Arc::new(spec),
        vhost: VhostName::new("/").unwrap(),
        log: engine.log(),
        recover: Recover::of(LOG, |log| logs.contains(&log)),
        memory: Arc::new(QueueMemory::tiny(TINY)),
        traffic: Arc::default(),
        sums: Arc::default(),
        notices,
        dead_letters,
    });
    let (sender, events) = ConnectionSender::new();
    Rig { engine, queue, sender, events, letters, sequence: 0 }
}

impl Rig {
    /// Publishes messages with these numbers as bodies, a few at a time.
    async fn publish(
        &mut self,
        numbers: RangeInclusive<u64>,
        properties: &Properties,
        persistent: impl Fn(u64) -> bool,
    ) {
        let numbers: Vec<u64> = numbers.collect();
        for some in numbers.chunks(10) {
            let messages = some
                .iter()
                .map(|number| {
                    self.sequence += 1;
                    let body = number.to_string();
                    let message = Message::build("", "q", &properties.encode(), body.as_bytes(), persistent(*number));
                    Incoming { message, sequence: self.sequence, channel: 1, epoch: 0, shares: 1 }
                })
                .collect();
            let batch = PublishBatch { from: Some(self.sender.clone()), messages };
            self.queue.send(QueueCommand::Publish(batch)).await.unwrap();
        }
    }

    async fn persistent(&mut self, numbers: RangeInclusive<u64>) {
        self.publish(numbers, &Properties::default(), |_| true).await;
    }

    /// Waits until so many publishes were confirmed, and none was refused.
    async fn confirmed(&mut self, count: u64) {
        let mut left = count;
        while left > 0 {
            let ConnectionEvent::Confirm(ranges) = self.events.recv().await.unwrap() else { continue };
            assert!(ranges.iter().all(|range| range.accepted));
            left -= ranges.iter().map(|range| range.last - range.first + 1).sum::<u64>();
        }
    }

    async fn get(&self, no_ack: bool) -> Result<Option<Delivered>, Error> {
        let get = |reply| QueueCommand::Get { session: SESSION, no_ack, reply };
        Ok(self.queue.ask(get).await.unwrap()?.map(|fetched| fetched.delivered))
    }

    /// Fetches everything there is.
    async fn bodies(&self) -> Vec<u64> {
        let mut bodies = Vec::new();
        while let Some(delivered) = self.get(true).await.unwrap() {
            bodies.push(number(&delivered.message));
        }
        bodies
    }

    async fn consume(&self, prefetch: u16) {
        let info = ConsumerInfo { prefetch_count: prefetch, ..consumer_info(&self.queue, "tag") };
        let request = ConsumeRequest {
            session: SESSION,
            key: ConsumerKey(1),
            tag: "tag".to_owned(),
            no_ack: false,
            exclusive: false,
            prefetch,
            priority: 0,
            to: self.sender.clone(),
            credit: Arc::default(),
            limiter: None,
            info,
        };
        let consume = |reply| QueueCommand::Consume { request: Box::new(request), reply };
        self.queue.ask(consume).await.unwrap().unwrap();
    }

    /// What comes next to the consumer.
    async fn delivered(&mut self) -> Vec<Delivered> {
        loop {
            if let ConnectionEvent::Deliver(delivery) = self.events.recv().await.unwrap() {
                return delivery.messages;
            }
        }
    }

    async fn settle(&self, disposition: Disposition, slots: Vec<u32>) {
        self.queue.send(QueueCommand::Settle(Settled { disposition, slots })).await.unwrap();
    }

    async fn purge(&self) -> u64 {
        self.queue.ask(|reply| QueueCommand::Purge { reply }).await.unwrap()
    }

    /// Ready, on disk, bytes, persistent.
    async fn counts(&self) -> (u64, u64, u64, u64) {
        let totals = self.queue.touch().await;
        (totals.ready, totals.ready_paged, totals.ready_bytes, totals.persistent)
    }

    /// Positions in the log, and whether the second log holds anything.
    async fn on_disk(&self) -> (u64, bool) {
        let log = self.engine.log();
        let spilled = log.logs().await.unwrap().into_iter().any(|log| owner_of(log) == (LOG, LogKind::Spilled));
        (log.open(LOG, Epoch(1)).await.unwrap().records, spilled)
    }

    /// What a new process finds after an orderly stop.
    async fn restart(self) -> Self {
        let spec = QueueSpec::clone(self.queue.spec());
        self.queue.stop().await;
        self.engine.log().sync().await.unwrap();
        rig(self.engine.crash(), spec)
    }
}

fn number(message: &Message) -> u64 {
    std::str::from_utf8(message.body()).unwrap().parse().unwrap()
}

fn bytes_of(numbers: RangeInclusive<u64>) -> u64 {
    numbers.map(|number| number.to_string().len() as u64).sum()
}

fn all(numbers: RangeInclusive<u64>) -> Vec<u64> {
    numbers.collect()
}

#[tokio::test]
async fn a_long_queue_is_on_disk_and_comes_back_in_order() {
    let mut rig = rig(MemoryEngine::new(), durable(&[]));
    rig.persistent(1..=500).await;
    rig.confirmed(500).await;
    let (ready, paged, bytes, persistent) = rig.counts().await;
    assert_eq!((ready, bytes, persistent), (500, bytes_of(1..=500), 500));
    assert!(paged > 450, "{paged} of 500");
    assert_eq!(rig.on_disk().await, (500, false), "what the log has is not written again");
    assert_eq!(rig.bodies().await, all(1..=500));
    assert_eq!((rig.counts().await, rig.on_disk().await), ((0, 0, 0, 0), (0, false)));
}

#[tokio::test]
async fn what_no_log_holds_is_spilled_and_comes_back_in_order() {
    type Persistent = fn(u64) -> bool;
    let mixtures: [Persistent; 4] = [|_| false, |number| number % 2 == 0, |number| number % 100 < 60, |_| true];
    for (mixture, persistent) in mixtures.into_iter().enumerate() {
        for is_durable in [true, false] {
            let spec = QueueSpec { durable: is_durable, ..durable(&[]) };
            let mut rig = rig(MemoryEngine::new(), spec);
            rig.publish(1..=300, &Properties::default(), persistent).await;
            rig.confirmed(300).await;
            let (ready, paged, bytes, persistents) = rig.counts().await;
            assert_eq!((ready, bytes), (300, bytes_of(1..=300)));
            assert_eq!(persistents, (1..=300).filter(|number| persistent(*number)).count() as u64);
            assert!(paged > 100, "mixture {mixture}: {paged} of 300");
            assert_eq!(rig.on_disk().await.1, mixture != 3 || !is_durable);
            assert_eq!(rig.bodies().await, all(1..=300), "mixture {mixture}");
            assert_eq!((rig.counts().await, rig.on_disk().await), ((0, 0, 0, 0), (0, false)));
        }
    }
}

#[tokio::test]
async fn a_consumer_gets_a_long_queue_as_it_settles() {
    let mut rig = rig(MemoryEngine::new(), durable(&[]));
    rig.publish(1..=300, &Properties::default(), |number| number % 50 != 0).await;
    rig.consume(16).await;
    let (mut seen, mut requeued) = (Vec::new(), false);
    while seen.len() < 300 {
        let mut slots = Vec::new();
        for delivered in rig.delivered().await {
            if number(&delivered.message) == 123 && !requeued {
                requeued = true;
                rig.settle(Disposition::Requeue, vec![delivered.slot]).await;
                continue;
            }
            seen.push(number(&delivered.message));
            slots.push(delivered.slot);
        }
        rig.settle(Disposition::Ack, slots).await;
    }
    seen.sort_unstable();
    assert_eq!((seen, requeued), (all(1..=300), true));
    assert_eq!((rig.counts().await, rig.on_disk().await), ((0, 0, 0, 0), (0, false)));
}

#[tokio::test]
async fn a_purge_empties_memory_and_disk_and_leaves_what_is_out() {
    for persistent in [true, false] {
        let mut rig = rig(MemoryEngine::new(), durable(&[]));
        rig.publish(1..=300, &Properties::default(), |number| persistent || number % 3 == 0).await;
        let out = rig.get(false).await.unwrap().unwrap();
        assert_eq!(rig.purge().await, 299);
        assert_eq!(rig.counts().await, (0, 0, 0, u64::from(persistent)));
        assert_eq!(rig.on_disk().await, (u64::from(persistent), false));
        rig.persistent(301..=600).await;
        rig.settle(Disposition::Requeue, vec![out.slot]).await;
        assert_eq!(rig.bodies().await, [vec![1], all(301..=600)].concat());
    }
}

#[tokio::test]
async fn a_restart_counts_without_reading_and_goes_on_behind() {
    let mut rig = rig(MemoryEngine::new(), durable(&[]));
    rig.persistent(1..=300).await;
    for _ in 0..3 {
        rig.get(true).await.unwrap();
    }
    let out = rig.get(false).await.unwrap().unwrap();
    let mut rig = rig.restart().await;
    rig.engine.fail_after_reads(1);
    assert_eq!(rig.counts().await, (297, 296, bytes_of(4..=300), 297), "{out:?} is back");
    rig.persistent(301..=320).await;
    assert_eq!(rig.counts().await.0, 317);
    let rig = rig.restart().await;
    assert_eq!(rig.bodies().await, all(4..=320));
}

#[tokio::test]
async fn a_priority_queue_finds_its_order_again() {
    let mut rig = rig(MemoryEngine::new(), durable(&[("x-max-priority", FieldValue::I32(3))]));
    for priority in 0..3u8 {
        let properties = Properties { priority: Some(priority), ..Properties::default() };
        let first = 100 * u64::from(priority) + 1;
        rig.publish(first..=first + 99, &properties, |_| true).await;
    }
    let order = [all(201..=300), all(101..=200), all(1..=100)].concat();
    let rig = rig.restart().await;
    assert_eq!((rig.counts().await.0, rig.counts().await.3), (300, 300));
    assert_eq!(rig.bodies().await, order);
}

#[tokio::test]
async fn messages_of_one_priority_are_not_read_for_their_order() {
    let quorum = QueueSpec { kind: QueueKind::Quorum, ..durable(&[]) };
    for spec in [quorum, durable(&[("x-max-priority", FieldValue::I32(3))])] {
        let mut before = rig(MemoryEngine::new(), spec.clone());
        let (usual, high) = if spec.kind == QueueKind::Quorum { (4, 9) } else { (0, 2) };
        let usual = Properties { priority: Some(usual), ..Properties::default() };
        before.persistent(1..=100).await;
        before.publish(101..=300, &usual, |_| true).await;
        before.confirmed(300).await;
        before.queue.stop().await;
        let engine = before.engine.crash();
        // One to know when the first expires.
        engine.fail_after_reads(1);
        let after = rig(engine, spec.clone());
        assert_eq!((after.counts().await.0, after.counts().await.3), (300, 300));
        assert_eq!(after.get(true).await.map(|delivered| number(&delivered.unwrap().message)), Ok(1));

        let mut mixed = rig(before.engine.crash(), spec.clone());
        let high = Properties { priority: Some(high), ..Properties::default() };
        mixed.publish(301..=310, &high, |_| true).await;
        mixed.publish(311..=320, &usual, |_| true).await;
        mixed.confirmed(20).await;
        let mixed = mixed.restart().await;
        let order = [all(301..=310), all(1..=300), all(311..=320)].concat();
        assert_eq!(mixed.bodies().await, order);
        // Once it is empty, all are alike again.
        let mut mixed = mixed.restart().await;
        assert_eq!(mixed.counts().await.0, 0);
        let logs = mixed.engine.log().logs().await.unwrap();
        assert!(logs.into_iter().all(|log| owner_of(log).1 != LogKind::Priorities));
        // Until the next that differs.
        for _ in 0..2 {
            mixed.publish(1..=10, &usual, |_| true).await;
            mixed.publish(11..=20, &high, |_| true).await;
            mixed.confirmed(20).await;
            mixed = mixed.restart().await;
            assert_eq!(mixed.bodies().await, [all(11..=20), all(1..=10)].concat());
            mixed = mixed.restart().await;
        }
    }
}

#[tokio::test]
async fn a_start_reads_what_is_noted_and_nothing_else() {
    let arguments = [
        ("x-delayed-retry-type", FieldValue::LongString("all".into())),
        ("x-delayed-retry-min", FieldValue::I32(3_600_000)),
    ];
    let spec = QueueSpec { kind: QueueKind::Quorum, ..durable(&arguments) };
    let mut before = rig(MemoryEngine::new(), spec.clone());
    before.persistent(1..=300).await;
    before.confirmed(300).await;
    for expected in 1..=3 {
        let delivered = before.get(false).await.unwrap().unwrap();
        assert_eq!(number(&delivered.message), expected);
        let disposition = if expected == 2 { Disposition::Ack } else { Disposition::Requeue };
        before.settle(disposition, vec![delivered.slot]).await;
    }
    before.queue.stop().await;
    before.engine.log().sync().await.unwrap();
    let engine = before.engine.crash();
    // Notes, what they speak of, and one to know when the first expires.
    engine.fail_after_reads(3);
    let after = rig(engine, spec);
    let totals = after.queue.touch().await;
    assert_eq!((totals.ready, totals.delayed, totals.persistent), (297, 2, 299));
    assert_eq!((totals.ready_bytes, totals.delayed_bytes), (bytes_of(4..=300), 2));
    assert_eq!(after.get(true).await.map(|delivered| number(&delivered.unwrap().message)), Ok(4));
}

#[tokio::test]
async fn messages_on_disk_expire_when_they_come_to_the_head() {
    let mut rig = rig(MemoryEngine::new(), durable(&[]));
    let short = Properties { expiration: Some("1".to_owned()), ..Properties::default() };
    for start in [0, 100] {
        rig.publish(start + 1..=start + 50, &short, |_| start == 0).await;
        rig.publish(start + 51..=start + 100, &Properties::default(), |_| start == 0).await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    assert_eq!(rig.bodies().await, [all(51..=100), all(151..=200)].concat());

    rig.publish(1..=100, &short, |_| true).await;
    let rig = rig.restart().await;
    tokio::time::timeout(std::time::Duration::from_secs(60), async {
        while rig.counts().await.0 > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("everything expires, though nobody asks for it");
}

#[tokio::test]
async fn a_length_limit_drops_what_is_on_disk() {
    let limit = [("x-max-length", FieldValue::I32(100)), ("x-dead-letter-exchange", FieldValue::text("dead"))];
    for persistent in [true, false] {
        let mut rig = rig(MemoryEngine::new(), durable(&limit));
        rig.publish(1..=300, &Properties::default(), |_| persistent).await;
        assert_eq!(rig.counts().await.0, 100);
        let mut dead = Vec::new();
        while dead.len() < 200 {
            dead.extend(rig.letters.recv().await.unwrap().letters.iter().map(|letter| number(&letter.message)));
        }
        assert_eq!(dead, all(1..=200));
        assert_eq!(rig.bodies().await, all(201..=300));
    }
}

#[tokio::test]
async fn a_queue_whose_disk_cannot_be_read_is_down_and_loses_nothing() {
    let mut rig = rig(MemoryEngine::new(), durable(&[]));
    rig.persistent(1..=300).await;
    rig.confirmed(300).await;
    rig.consume(10).await;
    rig.engine.fail_after_reads(0);
    let mut taken = 0;
    loop {
        match rig.events.recv().await.unwrap() {
            ConnectionEvent::Deliver(delivery) => {
                taken += delivery.messages.len();
                let slots = delivery.messages.iter().map(|delivered| delivered.slot).collect();
                rig.settle(Disposition::Ack, slots).await;
            }
            ConnectionEvent::ConsumerCancelled(key) => {
                assert_eq!(key, ConsumerKey(1));
                break;
            }
            _ => {}
        }
    }
    let refused = rig.get(true).await.unwrap_err().to_string();
    assert!(refused.starts_with("queue 'q' in vhost '/' is down: "), "{refused}");
    assert!(rig.queue.is_down());
    assert_eq!(rig.purge().await, 0);
    let rig = rig.restart().await;
    let bodies = rig.bodies().await;
    assert!(bodies.len() >= 300 - taken);
    assert_eq!(bodies, all(301 - bodies.len() as u64..=300));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_for_want_of_memory_stays_in_memory() {
    let mut rig = rig(MemoryEngine::new(), QueueSpec { durable: false, ..durable(&[]) });
    rig.engine.fail_after_writes(0);
    rig.publish(1..=300, &Properties::default(), |_| false).await;
    rig.confirmed(300).await;
    assert_eq!(rig.counts().await.0, 300);
    assert_eq!(rig.bodies().await, all(1..=300));
    rig.publish(1..=300, &Properties::default(), |_| false).await;
    assert_eq!((rig.counts().await.0, rig.counts().await.1), (300, 0), "nothing is tried again at once");
    assert_eq!(rig.bodies().await, all(1..=300));
}

#[tokio::test(start_paused = true)]
async fn a_refused_write_is_not_the_end_of_writing() {
    let mut rig = rig(MemoryEngine::new(), QueueSpec { durable: false, ..durable(&[]) });
    rig.engine.refuse_appends(true);
    rig.publish(1..=300, &Properties::default(), |_| false).await;
    rig.confirmed(300).await;
    assert!(!rig.on_disk().await.1);
    rig.engine.refuse_appends(false);
    tokio::time::advance(tokio::time::Duration::from_secs(2)).await;
    rig.publish(301..=600, &Properties::default(), |_| false).await;
    rig.confirmed(300).await;
    assert!(rig.on_disk().await.1);
    assert_eq!(rig.bodies().await, all(1..=600));
    assert!(!rig.on_disk().await.1);
}

#[tokio::test]
async fn a_disk_that_does_not_answer_holds_up_nobody() {
    let mut rig = rig(MemoryEngine::new(), QueueSpec { durable: false, ..durable(&[]) });
    rig.engine.hold_syncs(true);
    for start in [0, 300, 600] {
        rig.publish(start + 1..=start + 300, &Properties::default(), |_| false).await;
        rig.confirmed(300).await;
    }
    let (ready, paged, ..) = rig.counts().await;
    assert_eq!(ready, 900);
    assert!(paged > 0 && paged < 900, "{paged} of 900");
    assert_eq!(rig.bodies().await, all(1..=900));
    rig.engine.hold_syncs(false);
    assert!(!rig.on_disk().await.1);
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_does_not_keep_a_queue_from_what_makes_room_on_it() {
    let mut rig = rig(MemoryEngine::new(), durable(&[]));
    rig.engine.hold_syncs(true);
    rig.persistent(1..=1000).await;
    // Its clock stands while anybody has something to do.
    let long = tokio::time::Duration::from_secs(3600);
    let waits = tokio::time::timeout(long, rig.counts()).await;
    assert!(waits.is_err(), "publishers of a slow disk are slowed down");
    rig.engine.report(LogHealth::DiskFull("no room".to_owned()));
    let ready = tokio::time::timeout(long, rig.counts()).await.expect("the queue reads its mailbox").0;
    assert_eq!(ready, 1000);
    assert_eq!(rig.purge().await, 1000);
    rig.engine.report(LogHealth::Well);
    rig.engine.hold_syncs(false);
    rig.confirmed(1000).await;
    assert_eq!(rig.queue.delete(false, false).await, Ok(0));
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_does_not_keep_a_queue_from_stopping() {
    let mut rig = rig(MemoryEngine::new(), durable(&[]));
    rig.persistent(1..=20).await;
    rig.confirmed(20).await;
    rig.engine.hold_syncs(true);
    rig.persistent(21..=30).await;
    let stopping = tokio::spawn({
        let queue = rig.queue.clone();
        async move { queue.stop().await }
    });
    // Its clock stands while anybody has something to do.
    tokio::time::sleep(tokio::time::Duration::from_secs(3600)).await;
    assert!(!stopping.is_finished(), "what a slow disk is about to hold is waited for");
    rig.engine.report(LogHealth::DiskFull("no room".to_owned()));
    let long = tokio::time::Duration::from_secs(3600);
    tokio::time::timeout(long, stopping).await.expect("nobody makes room any more").unwrap();
    assert!(rig.events.try_recv().is_err(), "nothing more is confirmed");
}

#[tokio::test]
async fn damaged_messages_are_left_out_and_no_longer_counted() {
    let mut rig = rig(MemoryEngine::new(), durable(&[]));
    rig.persistent(1..=300).await;
    rig.counts().await;
    for position in [150, 200, 201, 300] {
        rig.engine.damage(LOG, Position(position));
    }
    // The engine forgets damage that a read did not meet, so it is done again and again.
    let mut seen = Vec::new();
    while let Some(delivered) = rig.get(true).await.unwrap() {
        seen.push(number(&delivered.message));
        for position in [150, 200, 201, 300] {
            rig.engine.damage(LOG, Position(position));
        }
    }
    let whole: Vec<u64> = (1..=300).filter(|number| ![150, 200, 201, 300].contains(number)).collect();
    assert_eq!(seen, whole);
    assert_eq!((rig.counts().await, rig.on_disk().await), ((0, 0, 0, 0), (0, false)));
}
