//! Streams driven through their handles over the engine in memory.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::*;
use crate::domain::arguments::EffectiveArguments;
use crate::domain::message::Message;
use crate::domain::name::{QueueName, UserName, VhostName};
use crate::domain::properties::Properties;
use crate::domain::queue::ready::Paging;
use crate::domain::queue::state::Disposition;
use crate::domain::queue::{ConnectionId, ConsumerKey, QueueId, QueueKind, QueueSpec, SessionId};
use crate::domain::value::{FieldTable, FieldValue};
use crate::facade::ConsumerInfo;
use crate::runtime::queue::{
    ConnectionEvent, ConnectionSender, ConsumeRequest, Incoming, OutboundCredit, PublishBatch, QueueCommand,
    QueueContext, QueueHandle, QueueMemory, Recover, Settled,
};
use crate::storage::memory::MemoryEngine;
use crate::storage::{Epoch, LogId};

const SESSION: SessionId = SessionId { connection: ConnectionId(1), channel: 1, epoch: 0 };

fn table(entries: &[(&str, FieldValue)]) -> FieldTable {
    entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

struct World {
    engine: MemoryEngine,
    arguments: FieldTable,
    memory: Arc<QueueMemory>,
    stream: QueueHandle,
    sender: ConnectionSender,
    events: mpsc::UnboundedReceiver<ConnectionEvent>,
    sequence: u64,
    last_key: u32,
}

/// One consumer as its connection sees it.
struct Client {
    key: ConsumerKey,
    credit: Arc<OutboundCredit>,
}

impl World {
    fn new(arguments: &[(&str, FieldValue)]) -> Self {
        Self::over(MemoryEngine::new(), table(arguments), QueueMemory::of_node(1 << 30), false)
    }

    fn over(engine: MemoryEngine, arguments: FieldTable, memory: QueueMemory, recover: bool) -> Self {
        let spec = QueueSpec {
            id: QueueId(7),
            name: QueueName::new("s").unwrap(),
            kind: QueueKind::Stream,
            durable: true,
            auto_delete: false,
            exclusive_owner: None,
            arguments: arguments.clone(),
            declared_by: UserName::new("u").unwrap(),
        };
        let memory = Arc::new(memory);
        let stream = spawn_stream(QueueContext {
            settings: EffectiveArguments::new(spec.kind, &spec.arguments),
            spec: Arc::new(spec),
            vhost: VhostName::new("/").unwrap(),
            log: engine.log(),
            recover: if recover { Recover::Alike } else { Recover::Nothing },
            memory: memory.clone(),
            traffic: Arc::default(),
            sums: Arc::default(),
            notices: mpsc::unbounded_channel().0,
            dead_letters: mpsc::channel(1).0,
        });
        let (sender, events) = ConnectionSender::new();
        Self { engine, arguments, memory, stream, sender, events, sequence: 0, last_key: 0 }
    }

    /// The node dies and starts again.
    fn restart(self) -> Self {
        let Self { engine, arguments, .. } = self;
        Self::over(engine.crash(), arguments, QueueMemory::of_node(1 << 30), true)
    }

    async fn send(&mut self, bodies: impl IntoIterator<Item = Message>) {
        let messages = bodies
            .into_iter()
            .map(|message| {
                self.sequence += 1;
                Incoming { message, sequence: self.sequence, channel: 1, epoch: 0, shares: 1 }
            })
            .collect();
        let batch = PublishBatch { from: Some(self.sender.clone()), messages };
        self.stream.send(QueueCommand::Publish(batch)).await.unwrap();
    }

    /// Publishes messages named by their numbers in one batch.
    async fn publish_unseen(&mut self, numbers: std::ops::Range<u64>) {
        self.send(numbers.map(|number| message(&number.to_string(), None))).await;
    }

    /// [`Self::publish_unseen`], and waits for the confirm.
    async fn publish(&mut self, numbers: std::ops::Range<u64>) {
        self.publish_unseen(numbers).await;
        loop {
            if let ConnectionEvent::Confirm(ranges) = self.events.recv().await.unwrap() {
                assert!(ranges.iter().all(|range| range.accepted));
                if ranges.last().unwrap().last == self.sequence {
                    return;
                }
            }
        }
    }

    async fn consume(&mut self, prefetch: u16, arguments: &[(&str, FieldValue)]) -> Client {
        self.last_key += 1;
        let (key, credit) = (ConsumerKey(self.last_key), Arc::new(OutboundCredit::default()));
        let request = ConsumeRequest {
            session: SESSION,
            key,
            tag: format!("c{}", self.last_key),
            no_ack: false,
            exclusive: false,
            prefetch,
            priority: 0,
            to: self.sender.clone(),
            credit: credit.clone(),
            limiter: None,
            info: ConsumerInfo {
                connection: SESSION.connection,
                connection_name: String::new(),
                peer_host: String::new(),
                peer_port: 0,
                channel: SESSION.channel,
                user: UserName::new("guest").unwrap(),
                vhost: self.stream.vhost().clone(),
                queue: self.stream.spec().name.clone(),
                tag: format!("c{}", self.last_key),
                ack_required: true,
                exclusive: false,
                prefetch_count: prefetch,
                active: true,
                blocked: false,
                arguments: table(arguments),
            },
        };
        let consume = |reply| QueueCommand::Consume { request: Box::new(request), reply };
        self.stream.ask(consume).await.unwrap().unwrap();
        Client { key, credit }
    }

    async fn from(&mut self, offset: u64, prefetch: u16) -> Client {
        self.consume(prefetch, &[("x-stream-offset", FieldValue::I64(offset as i64))]).await
    }

    async fn next(&mut self) -> StreamDelivery {
        loop {
            if let ConnectionEvent::DeliverStream(delivery) = self.events.recv().await.unwrap() {
                return delivery;
            }
        }
    }

    async fn ack(&self, slot: u32, count: usize) {
        let settled = Settled { disposition: Disposition::Ack, slots: vec![slot; count] };
        self.stream.send(QueueCommand::Settle(settled)).await.unwrap();
    }

    /// Takes and acknowledges until `count` messages came for that consumer, which is alone.
    async fn take(&mut self, client: &Client, count: usize) -> Vec<(u64, String)> {
        let mut taken = Vec::new();
        while taken.len() < count {
            let delivery = self.next().await;
            assert_eq!(delivery.consumer, client.key);
            let cost: usize =
                delivery.messages.iter().map(|(_, message)| OutboundCredit::cost(message.body_len())).sum();
            if client.credit.give(cost) {
                let resume = QueueCommand::Resume { connection: SESSION.connection, consumer: Some(client.key) };
                self.stream.send(resume).await.unwrap();
            }
            self.ack(delivery.slot, delivery.messages.len()).await;
            taken.extend(
                delivery
                    .messages
                    .into_iter()
                    .map(|(offset, message)| (offset, String::from_utf8_lossy(message.body()).into_owned())),
            );
        }
        assert_eq!(taken.len(), count);
        taken
    }

    /// Whether nothing is under way to a consumer.
    async fn is_silent(&mut self) -> bool {
        self.stream.touch().await;
        self.stream.touch().await;
        !std::iter::from_fn(|| self.events.try_recv().ok())
            .any(|event| matches!(event, ConnectionEvent::DeliverStream(_)))
    }
}

fn message(body: &str, filter: Option<&str>) -> Message {
    let headers =
        filter.map(|value| [("x-stream-filter-value".to_owned(), FieldValue::text(value))].into_iter().collect());
    let properties = Properties { headers, ..Properties::default() }.encode();
    // None of them is persistent: in a stream all are.
    Message::build("", "s", &properties, body.as_bytes(), false)
}

fn numbers(range: std::ops::Range<u64>) -> Vec<(u64, String)> {
    range.map(|number| (number, number.to_string())).collect()
}

#[tokio::test]
async fn readers_have_a_place_each_and_take_nothing_away() {
    let mut world = World::new(&[]);
    world.publish(0..5).await;
    let first = world.from(0, 100).await;
    assert_eq!(world.take(&first, 5).await, numbers(0..5));
    let second = world.from(3, 100).await;
    assert_eq!(world.take(&second, 2).await, numbers(3..5));
    assert_eq!(world.stream.touch().await.ready, 5);
    assert_eq!((world.stream.totals().unacknowledged, world.stream.totals().consumers), (0, 2));
    assert_eq!((world.stream.counters().deliver, world.stream.counters().ack), (7, 7));
}

#[tokio::test]
async fn a_reader_gets_as_many_as_its_prefetch_until_it_settles() {
    let mut world = World::new(&[]);
    world.publish(0..10).await;
    world.from(0, 3).await;
    let delivery = world.next().await;
    assert_eq!(delivery.messages.len(), 3);
    assert!(world.is_silent().await);
    world.ack(delivery.slot, 2).await;
    assert_eq!(world.next().await.messages.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [3, 4]);
    let settled = Settled { disposition: Disposition::RejectRequeue, slots: vec![delivery.slot] };
    world.stream.send(QueueCommand::Settle(settled)).await.unwrap();
    assert_eq!(world.next().await.messages[0].0, 5, "a rejected message does not come again");
    // What is settled after its reader left is nobody's.
    let consumer = delivery.consumer;
    world.stream.ask(|reply| QueueCommand::Cancel { connection: SESSION.connection, consumer, reply }).await.unwrap();
    world.from(0, 1).await;
    assert_eq!(world.next().await.messages[0].0, 0);
    world.ack(delivery.slot, 3).await;
    assert!(world.is_silent().await);
}

#[tokio::test]
async fn readers_start_where_they_ask_to() {
    let mut world = World::new(&[]);
    world.publish(0..5).await;
    world.publish(5..8).await;
    let text = FieldValue::text;
    let last = world.consume(100, &[("x-stream-offset", text("last"))]).await;
    assert_eq!(world.take(&last, 3).await, numbers(5..8));
    let yesterday = FieldValue::Timestamp(crate::runtime::clock::now_ms() / 1000 - 86_400);
    let tomorrow = FieldValue::Timestamp(crate::runtime::clock::now_ms() / 1000 + 86_400);
    for (offset, expected) in [
        (Some(text("first")), 0),
        (Some(text("last")), 5),
        (Some(text("next")), 8),
        (Some(FieldValue::I32(6)), 6),
        (Some(FieldValue::I64(9)), 9),
        (Some(text("1h")), 0),
        (Some(yesterday), 0),
        (Some(tomorrow), 8),
        (None, 8),
    ] {
        let mut world = World::over(world.engine.crash(), FieldTable::new(), QueueMemory::of_node(1 << 30), true);
        // Which messages came together is not known after a start.
        let expected = if offset == Some(text("last")) { 7 } else { expected };
        let arguments: Vec<(&str, FieldValue)> =
            offset.iter().map(|value| ("x-stream-offset", value.clone())).collect();
        let client = world.consume(100, &arguments).await;
        assert!(expected < 8 || world.is_silent().await, "{offset:?}");
        world.publish_unseen(8..11).await;
        assert_eq!(world.take(&client, (11 - expected) as usize).await, numbers(expected..11), "{offset:?}");
    }
}

#[tokio::test]
async fn a_time_is_found_among_messages() {
    let mut world = World::new(&[("x-stream-max-segment-size-bytes", FieldValue::I32(1))]);
    let mut times = Vec::new();
    for number in 0..40 {
        let before = crate::runtime::clock::now_ms();
        times.push(before);
        world.publish(number..number + 1).await;
        while crate::runtime::clock::now_ms() == before {
            tokio::task::yield_now().await;
        }
    }
    assert!(world.stream.segments().0 > 1);
    let now = crate::runtime::clock::now_ms();
    let client = world.consume(100, &[("x-stream-offset", FieldValue::text("1h"))]).await;
    assert_eq!(world.take(&client, 40).await, numbers(0..40));
    assert!(now > times[0]);
}

#[tokio::test]
async fn filters_pass_the_messages_asked_for() {
    let mut world = World::new(&[]);
    let filters = [Some("a"), None, Some("b"), Some("a"), None];
    world.send(filters.iter().enumerate().map(|(at, filter)| message(&at.to_string(), *filter))).await;
    let text = FieldValue::text;
    for (filter, unfiltered, expected) in [
        (text("a"), false, vec![0, 3]),
        (text("a"), true, vec![0, 1, 3, 4]),
        (FieldValue::Array(vec![text("a"), text("b")]), false, vec![0, 2, 3]),
    ] {
        let arguments = [
            ("x-stream-offset", text("first")),
            ("x-stream-filter", filter),
            ("x-stream-match-unfiltered", FieldValue::Boolean(unfiltered)),
        ];
        let client = world.consume(100, &arguments).await;
        let taken = world.take(&client, expected.len()).await;
        assert_eq!(taken.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), expected);
    }
}

#[tokio::test]
async fn confirmed_messages_keep_their_offsets_over_a_crash() {
    let mut world = World::new(&[]);
    world.publish(0..5).await;
    world.engine.hold_syncs(true);
    world.publish_unseen(5..9).await;
    let reader = world.from(3, 100).await;
    assert_eq!(world.take(&reader, 2).await, numbers(3..5), "what is not durable is not delivered");
    assert!(world.is_silent().await);
    let mut world = world.restart();
    let reader = world.from(0, 100).await;
    assert_eq!(world.take(&reader, 5).await, numbers(0..5));
    world.publish_unseen(5..6).await;
    assert_eq!(world.take(&reader, 1).await, numbers(5..6));
}

#[tokio::test]
async fn retention_drops_whole_segments_and_no_offset_twice() {
    let size =
        [("x-stream-max-segment-size-bytes", FieldValue::I32(1024)), ("x-max-length-bytes", FieldValue::I32(3000))];
    let mut world = World::new(&size);
    for start in (0..200).step_by(20) {
        world.publish(start..start + 20).await;
    }
    let totals = world.stream.totals();
    // 15 messages a segment, of 65 to 67 bytes each with what they cost.
    assert!((30..=46).contains(&totals.ready), "{totals:?}");
    assert_eq!(world.stream.segments().0, 3);
    let first = 200 - totals.ready;
    let reader = world.from(0, 1000).await;
    assert_eq!(world.take(&reader, totals.ready as usize).await, numbers(first..200));
    // The records of what is gone are gone too.
    let log = world.engine.log();
    let records = log.open(LogId(7), Epoch(1)).await.unwrap().records;
    assert_eq!(records, totals.ready);
    assert_eq!(log.open(segments_of(LogId(7)), Epoch(1)).await.unwrap().records, 3);

    let mut world = world.restart();
    assert_eq!(world.stream.touch().await.ready, totals.ready);
    assert_eq!(world.stream.segments().0, 3);
    // Less may stay from now on: all but the open segment goes, and numbers go on.
    world.arguments.insert("x-max-length-bytes", FieldValue::I32(0));
    let settings = EffectiveArguments::new(QueueKind::Stream, &world.arguments);
    world.stream.send(QueueCommand::Settings(Box::new(settings))).await.unwrap();
    let left = world.stream.touch().await.ready;
    assert!((1..=15).contains(&left));
    let mut world = world.restart();
    let reader = world.from(0, 1000).await;
    world.publish_unseen(200..201).await;
    let left = left as usize;
    assert_eq!(world.take(&reader, left + 1).await, numbers(200 - left as u64..201));
}

#[tokio::test(start_paused = true)]
async fn segments_go_when_they_are_too_old() {
    let mut world = World::new(&[
        ("x-stream-max-segment-size-bytes", FieldValue::I32(1024)),
        ("x-max-age", FieldValue::text("1s")),
    ]);
    world.publish(0..40).await;
    let before = world.stream.segments().0;
    assert!(before >= 2);
    // The clock of messages is the wall's; the owner waits on the runtime's, which jumps.
    while world.stream.segments().0 > 1 {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        std::thread::yield_now();
    }
    assert!(world.stream.touch().await.ready < 40);
}

#[tokio::test]
async fn a_long_backlog_is_read_in_large_blocks() {
    let mut world = World::new(&[]);
    for start in (0..20_000).step_by(1_000) {
        world.publish(start..start + 1_000).await;
    }
    // 64, 128, … 4096, and then as many at once: few reads, and one more fails.
    world.engine.fail_after_reads(12);
    let reader = world.from(0, 500).await;
    assert_eq!(world.take(&reader, 20_000).await, numbers(0..20_000));
    assert!(world.memory.paging().logged_bytes >= 4 << 20);
    // Who follows the end of the stream causes no read at all.
    world.engine.fail_after_reads(0);
    world.publish_unseen(20_000..20_100).await;
    assert_eq!(world.take(&reader, 100).await, numbers(20_000..20_100));
}

#[tokio::test]
async fn slow_readers_pin_nothing() {
    let paging = Paging { logged_bytes: 8 << 10, read_bytes: 4 << 10, ..Paging::SCARCE };
    let engine = MemoryEngine::new();
    let mut world = World::over(engine, FieldTable::new(), QueueMemory::tiny(paging), false);
    let slow: Vec<Client> = [world.from(0, 1).await, world.from(0, 1).await].into();
    for start in (0..2_000).step_by(100) {
        world.publish(start..start + 100).await;
    }
    drop(slow);
    let totals = world.stream.touch().await;
    assert!(totals.ready - totals.ready_paged < 200, "{totals:?}");
}

#[tokio::test]
async fn a_stream_that_cannot_be_read_refuses_and_can_be_deleted() {
    let mut world = World::new(&[]);
    world.publish(0..10).await;
    world.engine.fail_after_reads(0);
    let reader = world.from(0, 10).await;
    loop {
        match world.events.recv().await.unwrap() {
            ConnectionEvent::ConsumerCancelled(key) => break assert_eq!(key, reader.key),
            event => assert!(!matches!(event, ConnectionEvent::DeliverStream(_))),
        }
    }
    world.publish_unseen(10..11).await;
    let Some(ConnectionEvent::Confirm(ranges)) = world.events.recv().await else { panic!("an answer to the publish") };
    assert!(!ranges[0].accepted);
    assert_eq!(world.stream.delete(true, true).await, Ok(0));
    assert!(world.stream.is_gone());
}

#[tokio::test]
async fn lost_messages_are_passed_over() {
    let mut world = World::new(&[]);
    world.publish(0..10).await;
    for position in [1, 5, 6, 10] {
        world.engine.damage(LogId(7), crate::storage::Position(position));
    }
    let reader = world.from(0, 10).await;
    let expected: Vec<_> = numbers(0..10).into_iter().filter(|(offset, _)| ![0, 4, 5, 9].contains(offset)).collect();
    assert_eq!(world.take(&reader, 6).await, expected);
}

#[tokio::test]
async fn offsets_before_the_newest_segment_are_never_given_again() {
    // Segments of 15 messages: they begin with 0, 15 and 30.
    let mut world = World::new(&[("x-stream-max-segment-size-bytes", FieldValue::I32(1))]);
    world.publish(0..35).await;
    // What a start does not find of damaged messages.
    let newest = crate::storage::Position(21)..=crate::storage::Position(35);
    world.engine.log().remove(LogId(7), crate::storage::Epoch(1), vec![newest]).unwrap();
    world.engine.log().sync().await.unwrap();
    let mut world = world.restart();
    world.publish(35..36).await;
    let reader = world.from(0, 100).await;
    let mut expected = numbers(0..20);
    expected.push((30, "35".to_owned()));
    assert_eq!(world.take(&reader, 21).await, expected);
}

#[tokio::test]
async fn readers_are_told_when_the_stream_goes() {
    let mut world = World::new(&[]);
    world.publish(0..3).await;
    let reader = world.from(3, 10).await;
    assert_eq!(world.stream.delete(true, true).await, Ok(0));
    assert!(matches!(world.events.recv().await, Some(ConnectionEvent::ConsumerCancelled(key)) if key == reader.key));
}
