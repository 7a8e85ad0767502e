//! A vhost and its queues, driven through the handle over a store in memory.

mod delays;
mod flows;
mod histories;
mod store;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Waker};

use store::{Logs, Store};

use super::*;
use crate::domain::arguments::EffectiveArguments;
use crate::domain::binding::{Binding, Destination};
use crate::domain::name::{ExchangeName, QueueName, UserName, VhostName};
use crate::domain::queue::{ConnectionId, QueueId, QueueKind, QueueSpec};
use crate::domain::value::{FieldTable, FieldValue};
use crate::error::{Error, Operation, Resource};
use crate::facade::{Caller, DeclareExchange, DeclareQueue, ImportCounts, ImportReport, Put};
use crate::storage::LogId;

/// Permissions by first letters: a user may do to a name what stands in its own name.
/// `c…`, `w…` and `r…` are granted to the user `limited`; everybody else may do everything.
struct Letters {
    max_queues: usize,
}

impl Access for Letters {
    fn check(&self, caller: &Caller, operation: Operation, resource: &Resource) -> Result<(), Error> {
        let name = match resource {
            Resource::Exchange(_, name) => name.permission_name(),
            Resource::Queue(_, name) => name.as_str(),
        };
        let letter = match operation {
            Operation::Configure => 'c',
            Operation::Write => 'w',
            Operation::Read => 'r',
        };
        if caller.user != "limited" || name.starts_with(letter) {
            return Ok(());
        }
        Err(Error::AccessRefused { operation, resource: resource.clone(), user: caller.user.clone(), pattern: None })
    }

    fn check_topic(
        &self,
        caller: &Caller,
        operation: Operation,
        vhost: &VhostName,
        exchange: &ExchangeName,
        routing_key: &str,
    ) -> Result<(), Error> {
        if routing_key != "secret" {
            return Ok(());
        }
        Err(Error::TopicAccessRefused {
            operation,
            routing_key: routing_key.to_owned(),
            exchange: Resource::Exchange(vhost.clone(), exchange.clone()),
            user: caller.user.clone(),
            pattern: None,
        })
    }

    fn default_queue_kind(&self, _vhost: &VhostName) -> QueueKind {
        QueueKind::Classic
    }

    fn check_queue_limit(&self, vhost: &VhostName, queue: &str, present: usize) -> Result<(), Error> {
        if present < self.max_queues {
            return Ok(());
        }
        let limit = self.max_queues;
        let text = format!("cannot declare queue '{queue}': queue limit in vhost '{vhost}' ({limit}) is reached");
        Err(Error::LimitReached { vhost: vhost.clone(), limit: "max-queues", max: limit as i64, text })
    }

    fn policy_alternate(&self, _vhost: &VhostName, exchange: &str) -> Option<ExchangeName> {
        (exchange == "with-policy").then(|| ExchangeName::new("amq.fanout").unwrap())
    }

    fn queue_settings(&self, _vhost: &VhostName, queue: &crate::domain::queue::QueueSpec) -> EffectiveArguments {
        EffectiveArguments::new(queue.kind, &queue.arguments)
    }
}

struct World {
    store: Arc<Store>,
    logs: Arc<Logs>,
    registry: VhostRegistry,
    vhost: VhostHandle,
}

fn name() -> VhostName {
    VhostName::new("/").unwrap()
}

impl World {
    async fn new() -> Self {
        Self::over(Arc::default(), Arc::default(), usize::MAX).await
    }

    async fn over(store: Arc<Store>, logs: Arc<Logs>, max_queues: usize) -> Self {
        let access = Arc::new(Letters { max_queues });
        let registry = VhostRegistry::recover([name()], store.clone(), logs.clone(), access, 1 << 30).await.unwrap();
        let vhost = registry.require(&name()).unwrap();
        Self { store, logs, registry, vhost }
    }

    /// What a new process would find.
    async fn restart(self) -> Self {
        self.registry.stop().await;
        Self::over(self.store, self.logs, usize::MAX).await
    }

    async fn queue(&self, queue: DeclareQueue) -> DeclaredQueue {
        self.vhost.declare_queue(&guest(), queue).await.unwrap()
    }

    fn queues(&self) -> Vec<String> {
        self.vhost.topology().queues().iter().map(|queue| queue.spec().name.to_string()).collect()
    }
}

fn guest() -> Caller {
    Caller::user(UserName::new("guest").unwrap())
}

fn on(connection: u64) -> Caller {
    Caller::on_connection(UserName::new("guest").unwrap(), ConnectionId(connection))
}

fn limited() -> Caller {
    Caller::user(UserName::new("limited").unwrap())
}

fn queue(name: &str) -> DeclareQueue {
    let arguments = FieldTable::new();
    DeclareQueue { name: name.to_owned(), durable: true, exclusive: false, auto_delete: false, arguments }
}

fn exclusive(name: &str) -> DeclareQueue {
    DeclareQueue { exclusive: true, ..queue(name) }
}

fn exchange(name: &str, kind: &str) -> DeclareExchange {
    DeclareExchange {
        name: name.to_owned(),
        kind: kind.to_owned(),
        durable: true,
        auto_delete: false,
        internal: false,
        arguments: FieldTable::new(),
    }
}

fn binding(source: &str, queue: &str, key: &str) -> Binding {
    Binding {
        source: ExchangeName::new(source).unwrap(),
        destination: Destination::Queue(QueueName::new(queue).unwrap()),
        routing_key: key.to_owned(),
        arguments: FieldTable::new(),
    }
}

fn with(name: &str, value: FieldValue) -> FieldTable {
    [(name.to_owned(), value)].into_iter().collect()
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Error>, expected: &str) {
    assert_eq!(result.expect_err("it should be refused").to_string(), expected);
}

#[tokio::test]
async fn declared_things_are_there_when_answered_and_after_a_restart() {
    let world = World::new().await;
    assert_eq!(world.queue(queue("q")).await.put, Put::Created);
    assert_eq!(world.queue(queue("q")).await.put, Put::Existed);
    world.queue(DeclareQueue { durable: false, ..queue("transient") }).await;
    assert_eq!(world.vhost.declare_exchange(&guest(), exchange("x", "topic")).await, Ok(Put::Created));
    assert_eq!(world.vhost.declare_exchange(&guest(), exchange("x", "topic")).await, Ok(Put::Existed));
    assert_eq!(world.vhost.bind(&guest(), binding("x", "q", "a.#")).await, Ok(Put::Created));
    assert_eq!(world.vhost.bind(&guest(), binding("x", "q", "a.#")).await, Ok(Put::Existed));
    assert_eq!(world.vhost.bind(&guest(), binding("x", "transient", "a.#")).await, Ok(Put::Created));
    assert_eq!(world.queues(), ["q", "transient"]);
    let before = world.vhost.topology().queue("q").unwrap().spec().clone();

    let world = world.restart().await;
    assert_eq!(world.queues(), ["q"]);
    let topology = world.vhost.topology();
    assert_eq!(*topology.queue("q").unwrap().spec(), before);
    assert!(topology.is_bound(&binding("x", "q", "a.#")));
    assert_eq!(topology.bindings().len(), 2);
    let later = world.queue(queue("later")).await;
    assert!(later.queue.spec().id > before.id);
}

#[tokio::test]
async fn deleted_things_stay_deleted() {
    let world = World::new().await;
    world.queue(queue("q")).await;
    world.vhost.declare_exchange(&guest(), exchange("x", "direct")).await.unwrap();
    let auto_delete = DeclareExchange { auto_delete: true, ..exchange("auto", "fanout") };
    world.vhost.declare_exchange(&guest(), auto_delete).await.unwrap();
    for source in ["x", "auto", "amq.direct"] {
        world.vhost.bind(&guest(), binding(source, "q", "")).await.unwrap();
    }
    world.vhost.unbind(&guest(), binding("amq.direct", "q", "")).await.unwrap();
    world.vhost.unbind(&guest(), binding("amq.direct", "q", "never")).await.unwrap();
    refused(world.vhost.delete_exchange(&guest(), "x", true).await, "exchange 'x' in vhost '/' in use");
    assert_eq!(world.vhost.delete_queue(&guest(), "q", true, true).await.unwrap().messages, 0);
    assert_eq!(world.vhost.delete_queue(&guest(), "q", false, false).await.unwrap().messages, 0);
    assert!(world.vhost.topology().exchange("auto").is_none());
    world.vhost.delete_exchange(&guest(), "x", true).await.unwrap();
    world.vhost.delete_exchange(&guest(), "x", true).await.unwrap();
    assert_eq!(world.store.keys(), Vec::<String>::new());
}

#[tokio::test]
async fn refusals_of_declarations() {
    let world = World::over(Arc::default(), Arc::default(), 1).await;
    let vhost = &world.vhost;
    let declare = async |declare| vhost.declare_queue(&guest(), declare).await;
    world.queue(queue("q")).await;
    refused(declare(queue("amq.q")).await, "queue name 'amq.q' contains reserved prefix 'amq.*'");
    refused(declare(queue("more")).await, "cannot declare queue 'more': queue limit in vhost '/' (1) is reached");
    let quorum = with("x-queue-type", FieldValue::text("quorum"));
    refused(
        declare(DeclareQueue { arguments: quorum, ..queue("") }).await,
        "Cannot declare a server-named queue for type rabbit_quorum_queue",
    );
    refused(declare(queue(&"q".repeat(256))).await, "queue should be less than 255 bytes, actually was 256\n");
    refused(
        declare(DeclareQueue { durable: false, ..queue("q") }).await,
        "inequivalent arg 'durable' for queue 'q' in vhost '/': received 'false' but current is 'true'",
    );
    let declare = async |declare| vhost.declare_exchange(&guest(), declare).await;
    refused(declare(exchange("", "nope")).await, "unknown exchange type 'nope'");
    refused(declare(exchange("", "direct")).await, "operation not permitted on the default exchange");
    refused(declare(exchange("amq.x", "direct")).await, "exchange name 'amq.x' contains reserved prefix 'amq.*'");
    assert_eq!(declare(exchange("amq.direct", "direct")).await, Ok(Put::Existed));
    refused(
        declare(exchange("amq.direct", "fanout")).await,
        "inequivalent arg 'type' for exchange 'amq.direct' in vhost '/': received 'fanout' but current is 'direct'",
    );
    let arguments = with("alternate-exchange", FieldValue::I32(5));
    refused(
        declare(DeclareExchange { arguments, ..exchange("x", "direct") }).await,
        "invalid type 'signedint' for arg 'alternate-exchange' in exchange 'x' in vhost '/'",
    );
    refused(
        vhost.delete_exchange(&guest(), "amq.direct", false).await,
        "deletion of system exchange 'amq.direct' in vhost '/' not allowed",
    );
}

#[tokio::test]
async fn refusals_of_bindings() {
    let world = World::new().await;
    let vhost = &world.vhost;
    world.queue(queue("q")).await;
    let bind = async |source: &str, queue: &str, key: &str| vhost.bind(&guest(), binding(source, queue, key)).await;
    refused(bind("nope", "nope", "").await, "no exchange 'nope' in vhost '/'");
    refused(bind("amq.direct", "nope", "").await, "no queue 'nope' in vhost '/'");
    refused(bind("", "q", "").await, "operation not permitted on the default exchange");
    refused(
        bind("amq.topic", "q", "#.#.#").await,
        "Topic binding key '#.#.#' uses 3 '#' wildcards, at most 2 are allowed",
    );
    refused(
        bind("amq.topic", "q", "secret").await,
        "read access to topic 'secret' in exchange 'amq.topic' in vhost '/' refused for user 'guest'",
    );
    refused(
        bind("amq.direct", "amq.rabbitmq.reply-to.x", "").await,
        "cannot bind or unbind to a volatile (direct reply-to) queue",
    );
    let arguments = with("x-match", FieldValue::I32(5));
    refused(
        vhost.bind(&guest(), Binding { arguments, ..binding("amq.headers", "q", "") }).await,
        "Invalid x-match field type signedint (value 5); expected longstr",
    );
}

#[tokio::test]
async fn permissions_are_asked_in_the_order_of_the_reference() {
    let world = World::new().await;
    let vhost = &world.vhost;
    let user = limited();
    refused(
        vhost.declare_queue(&user, queue("q")).await,
        "configure access to queue 'q' in vhost '/' refused for user 'limited'",
    );
    let arguments = with("x-dead-letter-exchange", FieldValue::text("d"));
    refused(
        vhost.declare_queue(&user, DeclareQueue { arguments, ..queue("c") }).await,
        "read access to queue 'c' in vhost '/' refused for user 'limited'",
    );
    let arguments = with("alternate-exchange", FieldValue::text("a"));
    refused(
        vhost.declare_exchange(&user, DeclareExchange { arguments, ..exchange("c", "direct") }).await,
        "read access to exchange 'c' in vhost '/' refused for user 'limited'",
    );
    refused(
        vhost.bind(&user, binding("amq.topic", "q", "")).await,
        "write access to queue 'q' in vhost '/' refused for user 'limited'",
    );
    refused(
        vhost.bind(&user, binding("amq.topic", "w", "")).await,
        "read access to exchange 'amq.topic' in vhost '/' refused for user 'limited'",
    );
    refused(vhost.bind(&user, binding("", "w", "")).await, "operation not permitted on the default exchange");
    refused(
        vhost.delete_queue(&user, "q", false, false).await,
        "configure access to queue 'q' in vhost '/' refused for user 'limited'",
    );
    refused(
        vhost.declare_queue_passive(&user, "q").map(drop),
        "configure access to queue 'q' in vhost '/' refused for user 'limited'",
    );
    for readable in ["c", "w", "r"] {
        let missing = format!("no queue '{readable}' in vhost '/'");
        refused(vhost.declare_queue_passive(&user, readable).map(drop), &missing);
    }
    refused(vhost.declare_exchange_passive(&user, "r").map(drop), "no exchange 'r' in vhost '/'");
    refused(vhost.declare_exchange_passive(&user, "").map(drop), "operation not permitted on the default exchange");
}

#[tokio::test]
async fn line_breaks_are_no_part_of_a_name_and_the_broker_names_the_nameless() {
    let world = World::new().await;
    assert_eq!(world.queue(queue("q\r\n1")).await.queue.spec().name, "q1");
    let (one, other) = (world.queue(queue("\n")).await, world.queue(queue("")).await);
    let name = one.queue.spec().name.to_string();
    assert!(name.starts_with("amq.gen-") && name.len() == "amq.gen-7kgHA5Op9Au2hPbYqO8Ybg".len(), "{name}");
    assert_ne!(name, other.queue.spec().name.as_str());
}

#[tokio::test]
async fn exclusive_queues_belong_to_their_connection() {
    let world = World::new().await;
    let vhost = &world.vhost;
    let declared = vhost.declare_queue(&on(1), exclusive("q")).await.unwrap();
    assert!(!declared.queue.spec().durable);
    assert_eq!(vhost.declare_queue(&on(1), exclusive("q")).await.unwrap().put, Put::Existed);
    vhost.bind(&on(1), binding("amq.fanout", "q", "")).await.unwrap();
    let locked = "cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on \
                  another connection or the exclusive property value does not match that of the original declaration.";
    refused(vhost.declare_queue(&on(2), exclusive("q")).await, locked);
    refused(vhost.declare_queue(&on(1), queue("q")).await, locked);
    refused(vhost.declare_queue_passive(&on(2), "q").map(drop), locked);
    refused(vhost.bind(&on(2), binding("amq.fanout", "q", "k")).await, locked);
    refused(vhost.unbind(&on(2), binding("amq.fanout", "q", "")).await, locked);
    refused(vhost.delete_queue(&guest(), "q", false, false).await, locked);
    vhost.declare_queue(&on(2), exclusive("other")).await.unwrap();
    vhost.delete_exclusive(ConnectionId(1)).await;
    assert_eq!(world.queues(), ["other"]);
    vhost.delete_queue(&Caller::internal(), "other", false, false).await.unwrap();
    assert!(world.queues().is_empty());
}

#[tokio::test]
async fn what_cannot_be_recorded_did_not_happen() {
    let world = World::new().await;
    let vhost = &world.vhost;
    world.queue(queue("kept")).await;
    world.store.broken.store(true, SeqCst);
    for _ in 0..2 {
        refused(vhost.declare_queue(&guest(), queue("q")).await, "storage is unavailable: the disk is full");
        refused(
            vhost.bind(&guest(), binding("amq.direct", "kept", "")).await,
            "storage is unavailable: the disk is full",
        );
    }
    // What asks nothing of the store goes on.
    vhost.declare_queue(&on(1), exclusive("mine")).await.unwrap();
    assert_eq!(world.queues(), ["kept", "mine"]);
    assert_eq!(vhost.topology().bindings().len(), 2);
    world.store.broken.store(false, SeqCst);
    assert_eq!(world.queue(queue("q")).await.put, Put::Created);
}

#[tokio::test]
async fn requests_that_wait_together_share_a_write() {
    let world = World::new().await;
    let declares = (0..500).map(|number| world.queue(queue(&format!("q{number}"))));
    futures_util::future::join_all(declares).await;
    assert_eq!(world.queues().len(), 500);
    assert!(world.store.writes.load(SeqCst) < 250, "{} writes", world.store.writes.load(SeqCst));
}

async fn import(world: &World, part: Part) -> Result<ImportReport, Error> {
    let held = world.vhost.hold(Caller::internal().user, part, Rules::default()).await?;
    held.release().await
}

/// A part that brings one queue.
fn one_queue(name: &str) -> Part {
    let spec = QueueSpec {
        id: QueueId(0),
        name: QueueName::new(name).unwrap(),
        kind: QueueKind::Classic,
        durable: true,
        auto_delete: false,
        exclusive_owner: None,
        arguments: FieldTable::new(),
        declared_by: Caller::internal().user,
    };
    Part { queues: vec![(0, Arc::new(spec))], ..Part::default() }
}

#[tokio::test]
async fn a_vhost_that_has_an_import_ready_waits_until_it_is_wanted_or_dropped() {
    let world = World::new().await;
    for wanted in [false, true] {
        let (by, part) = (Caller::internal().user, one_queue("ready"));
        let held = world.vhost.hold(by, part, Rules::default()).await.unwrap();
        assert!(world.queues().is_empty(), "nothing is published");
        assert_eq!(world.store.keys(), Vec::<String>::new(), "nothing is recorded");
        let caller = guest();
        let asked = world.vhost.declare_exchange(&caller, exchange("later", "direct"));
        tokio::pin!(asked);
        let now = &mut Context::from_waker(Waker::noop());
        assert!(asked.as_mut().poll(now).is_pending(), "nothing else is done meanwhile");
        if wanted {
            held.release().await.unwrap();
        } else {
            drop(held);
        }
        asked.await.unwrap();
        let there = world.queues();
        assert_eq!(there, if wanted { vec!["ready".to_owned()] } else { Vec::new() });
        world.vhost.delete_exchange(&caller, "later", false).await.unwrap();
    }
}

#[tokio::test]
async fn an_import_adds_what_is_new_at_once() {
    let world = World::new().await;
    let caller = guest();
    world.queue(DeclareQueue { auto_delete: true, ..queue("q0") }).await;
    let source = World::new().await;
    for number in 0..100 {
        source.queue(queue(&format!("q{number}"))).await;
        source.vhost.bind(&caller, binding("amq.topic", &format!("q{number}"), "a")).await.unwrap();
    }
    source.vhost.declare_exchange(&caller, exchange("x", "direct")).await.unwrap();
    let topology = source.vhost.topology();
    let part = Part {
        exchanges: topology.exchanges().into_iter().enumerate().collect(),
        queues: topology.queues().iter().map(|queue| queue.spec().clone()).enumerate().collect(),
        bindings: topology.bindings_from("amq.topic").enumerate().collect(),
    };
    let report = import(&world, part.clone()).await.unwrap();
    let counts = |created, unchanged, skipped| ImportCounts { created, updated: 0, unchanged, skipped };
    let kinds = [("exchanges", counts(1, 7, 0)), ("queues", counts(99, 0, 1)), ("bindings", counts(100, 0, 0))];
    assert_eq!(report.kinds, kinds.into_iter().collect());
    let [skipped] = &report.skipped[..] else { panic!("{report:?}") };
    assert_eq!((skipped.section, &*skipped.name), ("queues", "q0"));
    let why = "inequivalent arg 'auto_delete' for queue 'q0' in vhost '/': received 'false' but current is 'true'";
    assert_eq!(skipped.reason, why);
    assert_eq!(world.queues().len(), 100);
    assert!(world.vhost.topology().queue("q0").unwrap().spec().auto_delete, "what exists stays as it is");
    assert_eq!(world.store.writes.load(SeqCst), 2);
    let again = import(&world, part).await.unwrap();
    assert_eq!(again.totals(), counts(0, 1 + 7 + 99 + 100, 1));
}

#[tokio::test]
async fn a_refused_import_changes_nothing() {
    let world = World::new().await;
    let source = World::new().await;
    let spec = source.queue(queue("q")).await.queue.spec().clone();
    let bad = Arc::new(binding("nope", "q", ""));
    let part = |queues: Vec<_>, bindings: Vec<_>| Part {
        exchanges: Vec::new(),
        queues: queues.into_iter().enumerate().collect(),
        bindings: bindings.into_iter().enumerate().collect(),
    };
    refused(
        import(&world, part(vec![spec.clone()], vec![bad])).await,
        "no exchange 'nope' in vhost '/' (exchange 'nope' in vhost '/')",
    );
    let negative = with("x-max-priority", FieldValue::I32(-1));
    let undeclarable = Arc::new(QueueSpec { arguments: negative, ..(*spec).clone() });
    refused(
        import(&world, part(vec![undeclarable], Vec::new())).await,
        "precondition_failed: invalid arg 'x-max-priority' for queue 'q' in vhost '/': {value_negative,-1}",
    );
    // Too deep to be stored: found only when it is to be recorded.
    let mut nested = FieldValue::Void;
    for _ in 0..200 {
        nested = FieldValue::Array(vec![nested]);
    }
    let deep = Arc::new(Binding { arguments: with("a", nested), ..binding("amq.direct", "q", "") });
    assert!(import(&world, part(vec![spec], vec![deep])).await.is_err());
    assert!(world.queues().is_empty());
    assert_eq!(world.store.keys(), Vec::<String>::new());
}

#[tokio::test]
async fn leftovers_of_interrupted_deletions_are_swept_at_the_start() {
    let world = World::new().await;
    world.queue(queue("q")).await;
    world.vhost.bind(&guest(), binding("amq.direct", "q", "k")).await.unwrap();
    world.registry.create(&VhostName::new("gone").unwrap());
    let gone = world.registry.require(&VhostName::new("gone").unwrap()).unwrap();
    gone.declare_queue(&guest(), queue("q")).await.unwrap();
    gone.declare_exchange(&guest(), exchange("x", "direct")).await.unwrap();
    let log = LogId(world.vhost.topology().queue("q").unwrap().spec().id.0);
    world.logs.0.lock().unwrap().extend([log, LogId(77)]);
    let queue_key = world.store.keys().into_iter().find(|key| key.starts_with("queue/%2F")).unwrap();

    let world = world.restart().await;
    assert_eq!(world.store.keys().len(), 2, "{:?}", world.store.keys());
    assert_eq!(*world.logs.0.lock().unwrap(), BTreeSet::from([log]));
    assert!(world.queue(queue("next")).await.queue.spec().id.0 > 77);

    world.store.entries.lock().unwrap().remove(&queue_key);
    let world = world.restart().await;
    assert_eq!(world.queues(), ["next"]);
    assert_eq!(world.store.keys().len(), 1, "the binding leads nowhere");
}

#[tokio::test]
async fn a_deleted_vhost_is_gone_for_everybody() {
    let world = World::new().await;
    let declared = world.queue(queue("q")).await;
    world.registry.delete(&name()).await;
    assert!(world.registry.get(&name()).is_none());
    assert!(declared.queue.is_gone());
    refused(world.vhost.declare_queue(&guest(), queue("q")).await, "vhost / not found");
    world.registry.create(&name());
    assert_eq!(world.registry.require(&name()).unwrap().topology().queue_count(), 0);
}

#[tokio::test]
async fn policies_name_alternates_that_arguments_do_not() {
    let world = World::new().await;
    world.vhost.declare_exchange(&guest(), exchange("with-policy", "direct")).await.unwrap();
    let alternate = |topology: &LiveTopology| topology.exchange("with-policy").unwrap().alternate().cloned();
    assert_eq!(alternate(&world.vhost.topology()), Some(ExchangeName::new("amq.fanout").unwrap()));
    world.vhost.policies_changed().await;
    let world = world.restart().await;
    assert_eq!(alternate(&world.vhost.topology()), Some(ExchangeName::new("amq.fanout").unwrap()));
}

#[tokio::test]
async fn a_queue_that_nothing_uses_goes_when_its_time_has_come() {
    let world = World::new().await;
    let arguments = with("x-expires", FieldValue::I32(1));
    let declared = world.queue(DeclareQueue { arguments, ..queue("q") }).await;
    world.vhost.bind(&guest(), binding("amq.direct", "q", "")).await.unwrap();
    let mut published = world.vhost.topology();
    while published.queue("q").is_some() {
        tokio::task::yield_now().await;
        published = world.vhost.topology();
    }
    assert!(declared.queue.is_gone());
    assert_eq!(published.bindings(), []);
    assert_eq!(world.store.keys(), Vec::<String>::new());
}
