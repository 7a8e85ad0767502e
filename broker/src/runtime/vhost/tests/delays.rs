//! Delaying exchanges over the engine in memory, on a clock that stands still but for waiting.

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;

use tokio::sync::mpsc;
use tokio::time::{Duration, Instant};

use super::*;
use crate::domain::message::Message;
use crate::domain::properties::Properties;
use crate::domain::queue::SessionId;
use crate::domain::routing::{RouteBuffer, route};
use crate::runtime::publish::route_request;
use crate::runtime::queue::{ConnectionEvent, ConnectionSender, Incoming, PublishBatch, QueueCommand, shares};
use crate::storage::memory::MemoryEngine;

const SESSION: SessionId = SessionId { connection: ConnectionId(1), channel: 1, epoch: 0 };

/// A vhost with a delaying exchange `x` of type direct, bound to the queue `q` with the key `k`.
struct Waiting {
    engine: MemoryEngine,
    registry: VhostRegistry,
    vhost: VhostHandle,
    sender: ConnectionSender,
    events: mpsc::UnboundedReceiver<ConnectionEvent>,
    sequence: AtomicU64,
    /// Bodies taken from `q` that nobody asked for yet.
    taken: VecDeque<String>,
}

fn delaying(kind: &str) -> DeclareExchange {
    DeclareExchange { arguments: with("x-delayed-type", FieldValue::text(kind)), ..exchange("x", "x-delayed-message") }
}

impl Waiting {
    async fn over(engine: MemoryEngine) -> Self {
        let access = Arc::new(Letters { max_queues: usize::MAX });
        let registry =
            VhostRegistry::recover([name()], engine.metadata(), engine.log(), access, 1 << 30).await.unwrap();
        let vhost = registry.require(&name()).unwrap();
        let (sender, events) = ConnectionSender::new();
        Self { engine, registry, vhost, sender, events, sequence: AtomicU64::new(0), taken: VecDeque::new() }
    }

    async fn new() -> Self {
        let world = Self::over(MemoryEngine::new()).await;
        world.vhost.declare_exchange(&guest(), delaying("direct")).await.unwrap();
        world.vhost.declare_queue(&guest(), queue("q")).await.unwrap();
        world.vhost.bind(&guest(), binding("x", "q", "k")).await.unwrap();
        world
    }

    async fn crash(self) -> Self {
        Self::over(self.engine.crash()).await
    }

    async fn restart(self) -> Self {
        self.registry.stop().await;
        Self::over(self.engine).await
    }

    /// Sends a message to `x` as a connection would; answers with how many take it.
    async fn send(&self, delay_ms: i32, body: &[u8], persistent: bool) -> usize {
        let headers = Some(with("x-delay", FieldValue::I32(delay_ms)));
        let properties = Properties { headers, ..Properties::default() }.encode();
        let message = Message::build("x", "k", &properties, body, persistent);
        let mut buffer = RouteBuffer::default();
        let topology = self.vhost.topology();
        route_request(&message, "x", &["k"], |request| route(&topology, request, &mut buffer)).unwrap();
        let sequence = self.sequence.fetch_add(1, SeqCst) + 1;
        for queue in &buffer.queues {
            let shares = shares(buffer.queues.len());
            let messages = vec![Incoming { message: message.clone(), sequence, channel: 1, epoch: 0, shares }];
            let batch = PublishBatch { from: Some(self.sender.clone()), messages };
            let _ = queue.send(QueueCommand::Publish(batch)).await;
        }
        buffer.queues.len()
    }

    /// Waits until as many messages were answered for; answers with how many were refused.
    async fn confirmed(&mut self, mut count: u64) -> u64 {
        let mut refused = 0;
        while count > 0 {
            let ConnectionEvent::Confirm(ranges) = self.events.recv().await.unwrap() else { continue };
            for range in ranges {
                let messages = range.last - range.first + 1;
                count -= messages;
                refused += if range.accepted { 0 } else { messages };
            }
        }
        refused
    }

    async fn publish(&mut self, delay_ms: i32, body: &str) {
        let count = self.send(delay_ms, body.as_bytes(), true).await;
        assert_eq!(self.confirmed(count as u64).await, 0);
    }

    fn waiting(&self) -> u64 {
        self.vhost.topology().exchange("x").unwrap().delay().unwrap().totals().ready
    }

    /// Waits for the next message in `q`.
    async fn next(&mut self) -> String {
        let queue = self.vhost.topology().queue("q").unwrap().clone();
        loop {
            if let Some(body) = self.taken.pop_front() {
                return body;
            }
            let get = |reply| QueueCommand::Get { session: SESSION, no_ack: true, reply };
            match queue.ask(get).await.unwrap().unwrap() {
                Some(fetched) => {
                    let body = String::from_utf8(fetched.delivered.message.body().to_vec()).unwrap();
                    self.taken.push_back(body);
                }
                // The clock goes on only when everybody waits.
                None => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    }

    async fn ready(&self) -> u64 {
        self.vhost.topology().queue("q").unwrap().touch().await.ready
    }

    /// Lets everything happen that is due.
    async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn messages_come_when_they_are_due_ties_in_order_of_arrival() {
    let mut world = Waiting::new().await;
    let start = Instant::now();
    for (delay_ms, body) in [(500, "d"), (100, "a"), (300, "b"), (300, "c"), (0, "now"), (-100, "before")] {
        world.publish(delay_ms, body).await;
    }
    assert_eq!((world.waiting(), world.ready().await), (4, 2));
    let mut came = Vec::new();
    for _ in 0..6 {
        let body = world.next().await;
        came.push((body, start.elapsed().as_millis() as u64 / 100));
    }
    let came: Vec<_> = came.iter().map(|(body, at)| (body.as_str(), *at)).collect();
    assert_eq!(came, [("now", 0), ("before", 0), ("a", 1), ("b", 3), ("c", 3), ("d", 5)]);
    world.settle().await;
    assert_eq!(world.waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_confirmed_survives_a_crash_and_a_stop_and_comes_in_time() {
    let mut world = Waiting::new().await;
    world.publish(60_000, "late").await;
    let count = world.send(1_000, b"transient", false).await;
    assert_eq!(world.confirmed(count as u64).await, 0);
    world.publish(1_000, "soon").await;
    let mut world = world.crash().await;
    let start = Instant::now();
    assert_eq!(world.next().await, "transient");
    assert_eq!(world.next().await, "soon");
    world.settle().await;
    assert_eq!(world.waiting(), 1);
    let mut world = world.restart().await;
    world.publish(10, "new").await;
    assert_eq!(world.next().await, "new");
    assert_eq!(world.next().await, "late");
    // What was left of the delay, by the wall clock, which stood nearly still.
    assert!(start.elapsed() >= Duration::from_secs(55));
    let world = world.restart().await;
    world.settle().await;
    assert_eq!((world.waiting(), world.ready().await), (0, 0), "what went on does not come again");
}

#[tokio::test(start_paused = true)]
async fn what_became_due_while_nobody_ran_goes_where_its_exchange_leads() {
    let mut world = Waiting::new().await;
    for number in 0..100 {
        world.publish(50, &number.to_string()).await;
    }
    let engine = world.engine.crash();
    // Delays go on by the wall clock while nobody runs.
    std::thread::sleep(Duration::from_millis(60));
    let mut world = Waiting::over(engine).await;
    world.settle().await;
    assert_eq!((world.waiting(), world.ready().await), (0, 100));
    for number in 0..100 {
        assert_eq!(world.next().await, number.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_confirmed_before_it_is_durable() {
    let mut world = Waiting::new().await;
    world.engine.hold_syncs(true);
    let count = world.send(1_000, b"held", true).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(world.events.try_recv().is_err());
    assert_eq!((world.waiting(), world.ready().await), (0, 0));
    world.engine.hold_syncs(false);
    assert_eq!(world.confirmed(count as u64).await, 0);
    assert_eq!(world.next().await, "held");
    world.engine.fail_after_syncs(0);
    let count = world.send(1_000, b"lost", true).await;
    assert_eq!(world.confirmed(count as u64).await, 1, "refused");
}

#[tokio::test(start_paused = true)]
async fn large_messages_do_not_change_the_order() {
    let mut world = Waiting::new().await;
    let large = vec![b'x'; 700 << 10];
    for number in 0..8u8 {
        let mut body = large.clone();
        body[0] = b'0' + number;
        world.send(1_000 - i32::from(number), &body, true).await;
    }
    world.confirmed(8).await;
    let mut came = Vec::new();
    for _ in 0..8 {
        came.push(world.next().await.chars().next().unwrap());
    }
    assert_eq!(came, ['7', '6', '5', '4', '3', '2', '1', '0']);
}

#[tokio::test(start_paused = true)]
async fn many_are_sent_on_in_order_and_leave_nothing_behind() {
    // More than are under way at once.
    const COUNT: u64 = 5_000;
    let mut world = Waiting::new().await;
    for number in 0..COUNT {
        world.send(5_000, number.to_string().as_bytes(), true).await;
    }
    world.confirmed(COUNT).await;
    for number in 0..COUNT {
        assert_eq!(world.next().await, number.to_string());
    }
    world.settle().await;
    assert_eq!(world.waiting(), 0);
    let world = world.restart().await;
    world.settle().await;
    assert_eq!((world.waiting(), world.ready().await), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn damaged_messages_are_lost_alone() {
    let mut world = Waiting::new().await;
    for body in ["a", "b", "c"] {
        world.publish(1_000, body).await;
    }
    let id = world.vhost.topology().exchange("x").unwrap().delay().unwrap().spec().id;
    world.engine.damage(LogId(id.0), crate::storage::Position(2));
    assert_eq!((world.next().await, world.next().await), ("a".to_owned(), "c".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn one_whose_messages_cannot_be_read_refuses_more_and_can_be_deleted() {
    let mut world = Waiting::new().await;
    world.publish(1_000, "a").await;
    world.engine.fail_after_reads(0);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let count = world.send(1_000, b"b", true).await;
    assert_eq!(world.confirmed(count as u64).await, 1, "refused");
    world.vhost.delete_exchange(&guest(), "x", false).await.unwrap();
    assert_eq!(world.engine.log().logs().await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn messages_go_with_their_exchange() {
    let mut world = Waiting::new().await;
    world.publish(1_000, "old").await;
    world.vhost.delete_exchange(&guest(), "x", false).await.unwrap();
    assert_eq!(world.engine.log().logs().await.unwrap(), []);
    world.vhost.declare_exchange(&guest(), delaying("fanout")).await.unwrap();
    world.vhost.bind(&guest(), binding("x", "q", "any")).await.unwrap();
    world.publish(1_000, "new").await;
    assert_eq!(world.next().await, "new");
    world.publish(1_000, "of the transient one").await;
    world.vhost.delete_exchange(&guest(), "x", false).await.unwrap();
    // A transient exchange is gone after a start, and so are its messages.
    world.vhost.declare_exchange(&guest(), DeclareExchange { durable: false, ..delaying("direct") }).await.unwrap();
    world.publish(1_000, "gone").await;
    let world = world.crash().await;
    assert!(world.vhost.topology().exchange("x").is_none());
    assert_eq!(world.engine.log().logs().await.unwrap(), []);
    assert_eq!(world.ready().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_declaration_or_deletion_that_is_not_recorded_leaves_everything_as_it_was() {
    let mut world = Waiting::new().await;
    world.publish(1_000, "a").await;
    world.engine.fail_after_writes(0);
    let caller = guest();
    world.vhost.delete_exchange(&caller, "x", false).await.unwrap_err();
    let other = DeclareExchange { name: "y".to_owned(), ..delaying("direct") };
    world.vhost.declare_exchange(&caller, other).await.unwrap_err();
    assert!(world.vhost.topology().exchange("y").is_none());
    assert_eq!(world.vhost.topology().delays().len(), 1);
    // Deleting it took its binding along; the picture has both again, and the message waits.
    assert_eq!((world.vhost.topology().bindings_from("x").count(), world.waiting()), (1, 1));
    let mut world = world.crash().await;
    assert_eq!(world.next().await, "a");
}

#[tokio::test(start_paused = true)]
async fn a_message_without_a_way_when_it_is_due_is_dropped() {
    let mut world = Waiting::new().await;
    world.publish(1_000, "a").await;
    world.vhost.unbind(&guest(), binding("x", "q", "k")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!((world.waiting(), world.ready().await), (0, 0));
    let world = world.restart().await;
    world.settle().await;
    assert_eq!(world.waiting(), 0);
}

#[tokio::test]
async fn refusals_are_the_plugin_s() {
    let world = World::new().await;
    let none = "Invalid argument, 'x-delayed-type' must be an existing exchange type";
    refused(world.vhost.declare_exchange(&guest(), exchange("x", "x-delayed-message")).await, none);
    let itself = "Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'";
    refused(world.vhost.declare_exchange(&guest(), delaying("x-delayed-message")).await, itself);
    refused(world.vhost.declare_exchange(&guest(), delaying("nope")).await, "unknown exchange type 'nope'");
    let mut history = delaying("x-recent-history");
    history.arguments.insert("x-recent-history-length", FieldValue::I32(0));
    refused(
        world.vhost.declare_exchange(&guest(), history).await,
        "Invalid argument 0, 'x-recent-history-length' must be a positive integer",
    );
    assert!(world.vhost.topology().exchange("x").is_none() && world.store.keys().is_empty());
    world.vhost.declare_exchange(&guest(), delaying("x-consistent-hash")).await.unwrap();
    world.queue(queue("q")).await;
    refused(
        world.vhost.bind(&guest(), binding("x", "q", "heavy")).await,
        "The binding key must be an integer: <<\"heavy\">>",
    );
}
