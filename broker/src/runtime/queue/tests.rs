//! Queues of one vhost, driven through their handles over the engine in memory.

/// Waits until it is so; the clock may be paused.
macro_rules! until {
    ($holds:expr) => {
        tokio::time::timeout(Duration::from_secs(60), async {
            while !$holds {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .expect(stringify!($holds))
    };
}

mod delays;
mod letters;
mod paging;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;

use super::*;
use crate::domain::arguments::EffectiveArguments;
use crate::domain::message::Message;
use crate::domain::name::{ExchangeName, QueueName, UserName, VhostName};
use crate::domain::properties::Properties;
use crate::domain::queue::state::{Delivered, Disposition};
use crate::domain::queue::{ConnectionId, ConsumerKey, QueueKind, QueueSpec, SessionId};
use crate::domain::value::{FieldTable, FieldValue};
use crate::error::{Error, Operation, Resource};
use crate::facade::{Caller, ConsumerInfo, DeclareQueue};
use crate::runtime::vhost::{Access, VhostHandle, VhostRegistry};
use crate::storage::memory::MemoryEngine;

/// Everything is allowed; one policy applies to queues whose name starts with `p`.
#[derive(Default)]
struct Open {
    policy: Mutex<FieldTable>,
}

impl Access for Open {
    fn check(&self, _: &Caller, _: Operation, _: &Resource) -> Result<(), Error> {
        Ok(())
    }

    fn check_topic(&self, _: &Caller, _: Operation, _: &VhostName, _: &ExchangeName, _: &str) -> Result<(), Error> {
        Ok(())
    }

    fn default_queue_kind(&self, _: &VhostName) -> QueueKind {
        QueueKind::Classic
    }

    fn check_queue_limit(&self, _: &VhostName, _: &str, _: usize) -> Result<(), Error> {
        Ok(())
    }

    fn policy_alternate(&self, _: &VhostName, _: &str) -> Option<ExchangeName> {
        None
    }

    fn queue_settings(&self, _: &VhostName, queue: &QueueSpec) -> EffectiveArguments {
        let mut arguments = queue.arguments.clone();
        if queue.name.as_str().starts_with('p') {
            self.policy.lock().unwrap().iter().for_each(|(name, value)| arguments.insert(name, value.clone()));
        }
        EffectiveArguments::new(queue.kind, &arguments)
    }
}

struct World {
    engine: MemoryEngine,
    access: Arc<Open>,
    registry: VhostRegistry,
    vhost: VhostHandle,
    /// What queues tell the one connection there is.
    sender: ConnectionSender,
    events: mpsc::UnboundedReceiver<ConnectionEvent>,
    sequence: u64,
}

const SESSION: SessionId = SessionId { connection: ConnectionId(1), channel: 1, epoch: 0 };

fn table(entries: &[(&str, FieldValue)]) -> FieldTable {
    entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

/// The arguments of a queue whose dead letters go to the queue `dead`.
fn to_dead(more: &[(&str, FieldValue)]) -> FieldTable {
    let to =
        [("x-dead-letter-exchange", FieldValue::text("")), ("x-dead-letter-routing-key", FieldValue::text("dead"))];
    table(&[&to, more].concat())
}

/// What listings show of a consumer of the one connection there is.
fn consumer_info(queue: &QueueHandle, tag: &str) -> ConsumerInfo {
    ConsumerInfo {
        connection: SESSION.connection,
        connection_name: String::new(),
        peer_host: String::new(),
        peer_port: 0,
        channel: SESSION.channel,
        user: UserName::new("guest").unwrap(),
        vhost: queue.vhost().clone(),
        queue: queue.spec().name.clone(),
        tag: tag.to_owned(),
        ack_required: true,
        exclusive: false,
        prefetch_count: 0,
        active: true,
        blocked: false,
        arguments: FieldTable::new(),
    }
}

impl World {
    async fn new() -> Self {
        Self::over(MemoryEngine::new()).await
    }

    async fn over(engine: MemoryEngine) -> Self {
        let name = VhostName::new("/").unwrap();
        let access = Arc::new(Open::default());
        let registry = VhostRegistry::recover([name.clone()], engine.metadata(), engine.log(), access.clone(), 1 << 30)
            .await
            .unwrap();
        let vhost = registry.require(&name).unwrap();
        let (sender, events) = ConnectionSender::new();
        Self { engine, access, registry, vhost, sender, events, sequence: 0 }
    }

    async fn queue(&self, name: &str, arguments: FieldTable) -> QueueHandle {
        self.declare(DeclareQueue { name: name.into(), durable: true, exclusive: false, auto_delete: false, arguments })
            .await
    }

    async fn declare(&self, queue: DeclareQueue) -> QueueHandle {
        let caller = Caller::user(UserName::new("guest").unwrap());
        self.vhost.declare_queue(&caller, queue).await.unwrap().queue
    }

    fn find(&self, name: &str) -> Option<QueueHandle> {
        self.vhost.topology().queue(name).cloned()
    }

    /// Publishes persistent messages without waiting.
    async fn send(&mut self, queue: &QueueHandle, bodies: &[&str], expiration: Option<&str>) {
        let properties = Properties { expiration: expiration.map(str::to_owned), ..Properties::default() }.encode();
        let name = queue.spec().name.as_str();
        let messages = bodies
            .iter()
            .map(|body| {
                self.sequence += 1;
                let message = Message::build("", name, &properties, body.as_bytes(), true);
                Incoming { message, sequence: self.sequence, channel: 1, epoch: 0, shares: 1 }
            })
            .collect();
        let batch = PublishBatch { from: Some(self.sender.clone()), messages };
        queue.send(QueueCommand::Publish(batch)).await.unwrap();
    }

    /// Publishes and waits for the confirms; answers with who was refused.
    async fn publish(&mut self, queue: &QueueHandle, bodies: &[&str], expiration: Option<&str>) -> Vec<u64> {
        let before = self.sequence;
        self.send(queue, bodies, expiration).await;
        let (mut left, mut refused) = (bodies.len() as u64, Vec::new());
        while left > 0 {
            let ConnectionEvent::Confirm(ranges) = self.events.recv().await.unwrap() else { continue };
            for range in ranges {
                left -= range.last - range.first + 1;
                if !range.accepted {
                    refused.extend(range.first - before..=range.last - before);
                }
            }
        }
        refused
    }

    async fn get(&self, queue: &QueueHandle) -> Option<Delivered> {
        let get = |reply| QueueCommand::Get { session: SESSION, no_ack: false, reply };
        queue.ask(get).await.unwrap().unwrap().map(|fetched| fetched.delivered)
    }

    async fn settle(&self, queue: &QueueHandle, delivered: &Delivered, disposition: Disposition) {
        let settled = Settled { disposition, slots: vec![delivered.slot] };
        queue.send(QueueCommand::Settle(settled)).await.unwrap();
    }

    async fn consume(&self, queue: &QueueHandle, key: u32, exclusive: bool) -> Result<(), Error> {
        let tag = format!("tag-{key}");
        let info = ConsumerInfo { exclusive, prefetch_count: 1, ..consumer_info(queue, &tag) };
        let request = ConsumeRequest {
            session: SESSION,
            key: ConsumerKey(key),
            tag,
            no_ack: false,
            exclusive,
            prefetch: 1,
            priority: 0,
            to: self.sender.clone(),
            credit: Arc::default(),
            limiter: None,
            info,
        };
        queue.ask(|reply| QueueCommand::Consume { request: Box::new(request), reply }).await.unwrap()
    }

    async fn cancel(&self, queue: &QueueHandle, key: u32) {
        let consumer = ConsumerKey(key);
        queue.ask(|reply| QueueCommand::Cancel { connection: SESSION.connection, consumer, reply }).await;
    }

    /// Bodies of ready messages, oldest first; they are put back.
    async fn bodies(&self, queue: &QueueHandle) -> Vec<String> {
        let mut fetched = Vec::new();
        while let Some(delivered) = self.get(queue).await {
            fetched.push(delivered);
        }
        for delivered in &fetched {
            self.settle(queue, delivered, Disposition::Requeue).await;
        }
        fetched.iter().map(|delivered| String::from_utf8_lossy(delivered.message.body()).into_owned()).collect()
    }

    /// What a new process finds, after an orderly stop or a crash.
    async fn restart(self, orderly: bool) -> Self {
        if orderly {
            self.registry.stop().await;
            self.engine.log().sync().await.unwrap();
        }
        Self::over(self.engine.crash()).await
    }
}

fn deaths(delivered: &Delivered) -> String {
    let headers = Properties::decode(delivered.message.properties()).unwrap().headers.unwrap();
    let text = |name: &str| headers.get(name).and_then(FieldValue::as_text).unwrap_or_default().to_owned();
    format!("{} in {}", text("x-last-death-reason"), text("x-last-death-queue"))
}

#[tokio::test]
async fn what_leaves_a_queue_unacknowledged_is_dead_lettered() {
    let mut world = World::new().await;
    let dead = world.queue("dead", FieldTable::new()).await;
    let source = world.queue("source", to_dead(&[])).await;
    world.publish(&source, &["rejected"], None).await;
    let delivered = world.get(&source).await.unwrap();
    world.settle(&source, &delivered, Disposition::Discard).await;
    until!(dead.touch().await.ready == 1);
    world.publish(&source, &["expired"], Some("0")).await;
    until!(dead.touch().await.ready == 2);
    let short = world.queue("short", to_dead(&[("x-max-length", FieldValue::I32(1))])).await;
    world.publish(&short, &["pushed out", "stays"], None).await;
    until!(dead.touch().await.ready == 3);
    for expected in ["rejected in source", "expired in source", "maxlen in short"] {
        assert_eq!(deaths(&world.get(&dead).await.unwrap()), expected);
    }
    assert_eq!(world.bodies(&short).await, ["stays"]);
}

#[tokio::test]
async fn a_full_queue_can_dead_letter_what_it_refuses() {
    let mut world = World::new().await;
    let dead = world.queue("dead", FieldTable::new()).await;
    let full = [("x-max-length", FieldValue::I32(1)), ("x-overflow", FieldValue::text("reject-publish-dlx"))];
    let source = world.queue("source", to_dead(&full)).await;
    assert_eq!(world.publish(&source, &["1", "2"], None).await, [2]);
    until!(dead.touch().await.ready == 1);
    assert_eq!((world.bodies(&dead).await, world.bodies(&source).await), (vec!["2".into()], vec!["1".into()]));
}

#[tokio::test]
async fn a_message_does_not_go_round_for_ever() {
    let mut world = World::new().await;
    let own = [("x-dead-letter-exchange", FieldValue::text("")), ("x-message-ttl", FieldValue::I32(1))];
    let queue = world.queue("round", table(&own)).await;
    world.publish(&queue, &["1"], None).await;
    until!(queue.touch().await.ready == 0);
    // Rejected messages may: somebody decides each time.
    let back = world.queue("back", table(&own[..1])).await;
    world.publish(&back, &["1"], None).await;
    for _ in 0..3 {
        until!(back.touch().await.ready == 1);
        let delivered = world.get(&back).await.unwrap();
        world.settle(&back, &delivered, Disposition::Discard).await;
    }
}

#[tokio::test]
async fn a_crash_loses_no_dead_letter() {
    let mut world = World::new().await;
    let dead = world.queue("dead", FieldTable::new()).await;
    let source = world.queue("source", to_dead(&[])).await;
    world.publish(&source, &["1"], None).await;
    let delivered = world.get(&source).await.unwrap();
    world.engine.hold_syncs(true);
    world.settle(&source, &delivered, Disposition::Discard).await;
    until!(dead.touch().await.ready == 1);
    // The target has it, but not yet on disk.
    let mut world = world.restart(false).await;
    let (source, dead) = (world.find("source").unwrap(), world.find("dead").unwrap());
    assert_eq!((source.touch().await.ready, dead.touch().await.ready), (1, 0));
    let delivered = world.get(&source).await.unwrap();
    world.settle(&source, &delivered, Disposition::Discard).await;
    until!(dead.touch().await.ready == 1);
    // Publishing here and there gives the pump time to hear of it.
    world.publish(&dead, &["2"], None).await;
    world.publish(&source, &["3"], None).await;
    let world = world.restart(true).await;
    let (source, dead) = (world.find("source").unwrap(), world.find("dead").unwrap());
    assert_eq!(world.bodies(&dead).await, ["1", "2"]);
    assert_eq!(world.bodies(&source).await.last().map(String::as_str), Some("3"));
}

#[tokio::test]
async fn a_letter_whose_queue_has_stopped_stays_for_the_next_start() {
    let mut world = World::new().await;
    let dead = world.queue("dead", FieldTable::new()).await;
    let gone = world.queue("gone", FieldTable::new()).await;
    let source = world.queue("source", to_dead(&[])).await;
    let arguments =
        [("x-dead-letter-exchange", FieldValue::text("")), ("x-dead-letter-routing-key", FieldValue::text("gone"))];
    let other = world.queue("other", table(&arguments)).await;
    for queue in [&source, &other] {
        world.publish(queue, &["1"], None).await;
    }
    dead.stop().await;
    let _ = gone.delete(false, false).await;
    for queue in [&source, &other] {
        let delivered = world.get(queue).await.unwrap();
        world.settle(queue, &delivered, Disposition::Discard).await;
    }
    // Letters of one pump stay in order, so once this one arrived the earlier were tried.
    let last = world.queue("last", FieldTable::new()).await;
    let arguments =
        [("x-dead-letter-exchange", FieldValue::text("")), ("x-dead-letter-routing-key", FieldValue::text("last"))];
    let behind = world.queue("behind", table(&arguments)).await;
    world.publish(&behind, &["1"], Some("0")).await;
    until!(last.touch().await.ready == 1);
    world.publish(&source, &["2"], None).await;
    let world = world.restart(true).await;
    assert_eq!(world.bodies(&world.find("source").unwrap()).await, ["1", "2"]);
    assert!(world.bodies(&world.find("other").unwrap()).await.is_empty());
}

#[tokio::test]
async fn letters_that_go_nowhere_are_dropped() {
    let mut world = World::new().await;
    let arguments = table(&[("x-dead-letter-exchange", FieldValue::text("missing"))]);
    let source = world.queue("source", arguments).await;
    world.publish(&source, &["1"], Some("0")).await;
    until!(source.touch().await.ready == 0);
    assert!(world.publish(&source, &["2"], None).await.is_empty());
    assert_eq!(world.bodies(&source).await, ["2"]);
}

#[tokio::test]
async fn policies_reach_living_queues() {
    let mut world = World::new().await;
    let dead = world.queue("dead", FieldTable::new()).await;
    let queue = world.queue("p", FieldTable::new()).await;
    world.publish(&queue, &["1", "2", "3"], None).await;
    *world.access.policy.lock().unwrap() = to_dead(&[("x-max-length", FieldValue::I32(1))]);
    world.vhost.policies_changed().await;
    until!(dead.touch().await.ready == 2);
    assert_eq!(world.bodies(&queue).await, ["3"]);
    *world.access.policy.lock().unwrap() = FieldTable::new();
    world.vhost.policies_changed().await;
    // Answered after the queues were told.
    world.queue("p", FieldTable::new()).await;
    world.publish(&queue, &["4"], None).await;
    assert_eq!(world.bodies(&queue).await, ["3", "4"]);
}

#[tokio::test]
async fn the_time_of_a_message_counts_from_its_publishing_over_restarts() {
    let mut world = World::new().await;
    *world.access.policy.lock().unwrap() = table(&[("x-message-ttl", FieldValue::I32(200))]);
    let queue = world.queue("p", FieldTable::new()).await;
    world.publish(&queue, &["expires"], None).await;
    // The policy is gone with the next process, the message's time is not.
    let world = world.restart(true).await;
    let queue = world.find("p").unwrap();
    until!(queue.touch().await.ready == 0);
}

#[tokio::test(start_paused = true)]
async fn an_unused_queue_expires() {
    let world = World::new().await;
    let expires = table(&[("x-expires", FieldValue::I32(1000))]);
    let used = world.queue("used", expires.clone()).await;
    let left = world.queue("left", expires.clone()).await;
    world.consume(&left, 1, false).await.unwrap();
    world.queue("unused", expires).await;
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(400)).await;
        used.touch().await;
    }
    until!(world.find("unused").is_none());
    assert!(world.find("used").is_some() && world.find("left").is_some());
    world.cancel(&left, 1).await;
    until!(world.find("left").is_none());
}

#[tokio::test]
async fn an_auto_delete_queue_goes_with_its_last_consumer_only() {
    let world = World::new().await;
    let queue = DeclareQueue {
        name: "q".into(),
        durable: false,
        exclusive: false,
        auto_delete: true,
        arguments: FieldTable::new(),
    };
    let handle = world.declare(queue.clone()).await;
    assert!(world.get(&handle).await.is_none());
    world.consume(&handle, 1, false).await.unwrap();
    world.consume(&handle, 2, false).await.unwrap();
    world.cancel(&handle, 1).await;
    world.declare(queue).await;
    assert!(world.find("q").is_some());
    world.cancel(&handle, 2).await;
    until!(world.find("q").is_none());
}

#[tokio::test]
async fn a_deleted_queue_ends_its_consumers_and_confirms_what_was_on_its_way() {
    let mut world = World::new().await;
    let queue = world.queue("q", FieldTable::new()).await;
    world.consume(&queue, 7, false).await.unwrap();
    world.engine.hold_syncs(true);
    world.send(&queue, &["1", "2", "3"], None).await;
    let caller = Caller::user(UserName::new("guest").unwrap());
    let vhost = world.vhost.clone();
    let deleted = tokio::spawn(async move { vhost.delete_queue(&caller, "q", false, false).await });
    let (mut confirmed, mut cancelled) = (0, false);
    while confirmed < 3 || !cancelled {
        match world.events.recv().await.unwrap() {
            ConnectionEvent::Confirm(ranges) => {
                confirmed += ranges.iter().map(|range| range.last - range.first + 1).sum::<u64>();
            }
            ConnectionEvent::ConsumerCancelled(key) => cancelled = key == ConsumerKey(7),
            _ => {}
        }
    }
    world.engine.hold_syncs(false);
    deleted.await.unwrap().unwrap();
}

#[tokio::test]
async fn listings_name_consumers_and_the_time_of_the_first_message() {
    let world = World::new().await;
    let arguments = table(&[("x-single-active-consumer", FieldValue::Boolean(true))]);
    let queue = world.queue("single", arguments).await;
    world.consume(&queue, 1, false).await.unwrap();
    world.consume(&queue, 2, false).await.unwrap();
    assert_eq!(queue.consumer_tags().single_active.as_deref(), Some("tag-1"));
    world.cancel(&queue, 1).await;
    assert_eq!(queue.consumer_tags().single_active.as_deref(), Some("tag-2"));

    let queue = world.queue("exclusive", FieldTable::new()).await;
    world.consume(&queue, 3, true).await.unwrap();
    let refused = world.consume(&queue, 4, false).await;
    let resource = Resource::Queue(queue.vhost().clone(), QueueName::new("exclusive").unwrap());
    assert_eq!(refused, Err(Error::ExclusiveUse(resource)));
    assert_eq!(queue.consumer_tags().exclusive.as_deref(), Some("tag-3"));
    world.cancel(&queue, 3).await;
    assert_eq!(queue.consumer_tags(), Default::default());

    let properties = Properties { timestamp: Some(1234), ..Properties::default() }.encode();
    let message = Message::build("", "exclusive", &properties, b"", false);
    let incoming = Incoming { message, sequence: 0, channel: 1, epoch: 0, shares: 1 };
    queue.send(QueueCommand::Publish(PublishBatch { from: None, messages: vec![incoming] })).await.unwrap();
    queue.touch().await;
    assert_eq!(queue.head_message_timestamp(), Some(1234));
    queue.ask(|reply| QueueCommand::Purge { reply }).await;
    queue.touch().await;
    assert_eq!(queue.head_message_timestamp(), None);
}
