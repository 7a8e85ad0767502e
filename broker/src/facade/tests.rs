//! Users, vhosts and definitions through the façade, over the local engine.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::domain::binding::{Binding, Destination};
use crate::domain::exchange::{Exchange, ExchangeKind};
use crate::domain::message::Message;
use crate::domain::name::{ExchangeName, QueueName, VhostName};
use crate::domain::parameter::Parameter;
use crate::domain::permission::{Permissions, TopicPermissions};
use crate::domain::policy::{ApplyTo, Policy};
use crate::domain::queue::{QueueId, QueueKind, QueueSpec};
use crate::domain::user::{HashAlgorithm, StoredPassword, User, UserLimits};
use crate::domain::value::{FieldTable, FieldValue};
use crate::domain::vhost::{Vhost, VhostLimits};
use crate::storage::local::LocalStorage;

/// A broker in a folder of its own.
struct World {
    broker: Broker,
    _folder: TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let storage = LocalStorage::open(folder.path()).unwrap();
        let settings = settings(folder.path());
        let broker = Broker::start(Arc::new(settings), storage.metadata.clone(), storage.log.clone()).await.unwrap();
        Self { broker, _folder: folder }
    }
}

pub(crate) fn settings(folder: &std::path::Path) -> Settings {
    Settings { node_name: "rabbit@test".into(), ..Settings::embedded(folder.to_owned()) }
}

fn user(name: &str) -> UserName {
    UserName::new(name).unwrap()
}

fn vhost(name: &str) -> VhostName {
    VhostName::new(name).unwrap()
}

fn guest() -> Caller {
    Caller::user(user("guest"))
}

fn put_user(name: &str, password: &str) -> PutUser {
    PutUser { name: user(name), password: PutPassword::Plain(password.into()), tags: Vec::new(), limits: None }
}

fn put_vhost(name: &str, default_queue_type: QueueKind) -> PutVhost {
    PutVhost {
        name: vhost(name),
        description: String::new(),
        tags: Vec::new(),
        default_queue_type,
        protected_from_deletion: None,
        tracing: None,
    }
}

fn from(address: &str) -> Peer {
    Peer { address: Some(address.parse::<IpAddr>().unwrap()), protocol: "http" }
}

fn exchange(name: &str) -> Exchange {
    Exchange {
        name: ExchangeName::new(name).unwrap(),
        kind: ExchangeKind::Topic,
        durable: true,
        auto_delete: false,
        internal: false,
        arguments: FieldTable::new(),
        declared_by: user("guest"),
    }
}

fn queue(name: &str) -> QueueSpec {
    QueueSpec {
        id: QueueId(0),
        name: QueueName::new(name).unwrap(),
        kind: QueueKind::Classic,
        durable: true,
        auto_delete: false,
        exclusive_owner: None,
        arguments: FieldTable::new(),
        declared_by: user("guest"),
    }
}

fn binding(source: &str, destination: &str) -> Binding {
    Binding {
        source: ExchangeName::new(source).unwrap(),
        destination: Destination::Queue(QueueName::new(destination).unwrap()),
        routing_key: "k".into(),
        arguments: FieldTable::new(),
    }
}

/// The time of an answer tells nobody which users there are.
#[tokio::test]
async fn who_is_not_there_is_refused_with_the_work_of_a_wrong_password() {
    let world = World::new().await;
    let broker = &world.broker;
    let peer = Peer { address: None, protocol: "http" };
    broker.put_user(put_user("u", "p")).await.unwrap();
    broker.put_user(PutUser { password: PutPassword::Clear, ..put_user("bare", "") }).await.unwrap();
    broker.authenticate("u", "p", peer).await.unwrap();
    for name in ["u", "bare", "nobody"] {
        let occupied = broker.inner.credentials.occupy();
        let mut login = std::pin::pin!(broker.authenticate(name, "wrong", peer));
        let look = std::future::poll_fn(|context| Poll::Ready(login.as_mut().poll(context).is_pending()));
        assert!(look.await, "{name} is refused without work");
        drop(occupied);
        assert_eq!(login.await.map(drop), Err(Error::InvalidCredentials(name.into())));
    }
}

/// A certificate stands for a user that exists and may come from there; it needs no password.
#[tokio::test]
async fn the_user_of_a_certificate_needs_no_password() {
    let world = World::new().await;
    let broker = &world.broker;
    broker.put_user(PutUser { password: PutPassword::Clear, ..put_user("CN=u", "") }).await.unwrap();
    for (name, address, expected) in [
        ("CN=u", "192.0.2.1", Ok(())),
        ("CN=nobody", "192.0.2.1", Err(Error::InvalidCredentials("CN=nobody".into()))),
        ("guest", "192.0.2.1", Err(Error::LoopbackOnly("guest".into()))),
        ("guest", "127.0.0.1", Ok(())),
    ] {
        let result = broker.authenticate_certificate(name, from(address)).await;
        assert_eq!(result.map(|found| assert_eq!(found.name, name)), expected, "{name} {address}");
    }
    broker.count_refused_login("", from("192.0.2.1"));
    let total = broker.auth_attempts(false);
    assert_eq!((total[0].attempts, total[0].failed), (5, 3));
}

#[tokio::test]
async fn logins_are_checked_and_counted() {
    let world = World::new().await;
    let broker = &world.broker;
    let none = Peer { address: None, protocol: "http" };
    broker.put_user(put_user("u", "p")).await.unwrap();
    for (name, password, peer, expected) in [
        ("guest", "guest", none, Ok(())),
        ("guest", "guest", from("127.0.0.1"), Ok(())),
        ("guest", "guest", from("::ffff:127.0.0.1"), Ok(())),
        ("guest", "guest", from("192.0.2.1"), Err(Error::LoopbackOnly("guest".into()))),
        ("guest", "wrong", from("192.0.2.1"), Err(Error::InvalidCredentials("guest".into()))),
        ("guest", "", none, Err(Error::InvalidCredentials("guest".into()))),
        ("nobody", "p", none, Err(Error::InvalidCredentials("nobody".into()))),
        ("u", "p", from("192.0.2.1"), Ok(())),
    ] {
        let result = broker.authenticate(name, password, peer).await.map(|found| assert_eq!(found.name, name));
        assert_eq!(result, expected, "{name} {password} {peer:?}");
    }
    let total = broker.auth_attempts(false);
    assert_eq!((total.len(), total[0].attempts, total[0].failed), (1, 8, 4));
    assert!(broker.auth_attempts(true).is_empty(), "sources are not counted unless asked for");
    broker.reset_auth_attempts();
    assert!(broker.auth_attempts(false).is_empty());
}

#[tokio::test]
async fn a_password_changes_for_the_next_login() {
    let world = World::new().await;
    let broker = &world.broker;
    let peer = from("127.0.0.1");
    broker.put_user(put_user("u", "old")).await.unwrap();
    broker.authenticate("u", "old", peer).await.unwrap();
    assert_eq!(broker.put_user(put_user("u", "new")).await, Ok(Put::Existed));
    assert!(broker.authenticate("u", "old", peer).await.is_err());
    broker.authenticate("u", "new", peer).await.unwrap();
    broker.put_user(PutUser { password: PutPassword::Clear, ..put_user("u", "") }).await.unwrap();
    assert!(broker.authenticate("u", "new", peer).await.is_err());
    let hash = "AQIDBDB9kM21iEUzN1lZ+6VReCsdNqS0sERdAQTcY6Xs3PMz".to_owned();
    let hashed = PutPassword::Hashed(StoredPassword { algorithm: HashAlgorithm::Sha256, hash });
    broker.put_user(PutUser { password: hashed, ..put_user("u", "") }).await.unwrap();
    broker.authenticate("u", "secret", peer).await.unwrap();
    broker.delete_user(&user("u")).await.unwrap();
    assert!(broker.authenticate("u", "secret", peer).await.is_err());
}

#[tokio::test]
async fn a_vhost_is_there_when_its_put_is_answered_and_gone_when_its_deletion_is() {
    let world = World::new().await;
    let broker = &world.broker;
    let name = vhost("v");
    let declare = || DeclareQueue {
        name: "q".into(),
        durable: true,
        exclusive: false,
        auto_delete: false,
        arguments: FieldTable::new(),
    };
    for _ in 0..3 {
        let put = broker.put_vhost(put_vhost("v", QueueKind::Classic), Some(&user("guest"))).await;
        assert_eq!(put, Ok(Put::Created));
        assert_eq!(broker.exchanges(&name).len(), 7);
        let (put, ..) = broker.declare_queue(&guest(), &name, declare()).await.unwrap();
        assert_eq!(put, Put::Created, "the queue of the earlier vhost is not there");
        broker.delete_vhost(&name).await.unwrap();
        assert!(broker.exchanges(&name).is_empty());
        let refused = broker.declare_queue(&guest(), &name, declare()).await.map(|(put, ..)| put);
        assert_eq!(refused, Err(Error::NoSuchVhost(name.clone())));
    }
    assert_eq!(broker.delete_vhost(&name).await, Err(Error::NoSuchVhost(name)));
}

#[tokio::test]
async fn topic_permissions_need_an_exchange() {
    let world = World::new().await;
    let row = |who: &str, exchange: &str| TopicPermissions {
        user: user(who),
        vhost: vhost("/"),
        exchange: ExchangeName::new(exchange).unwrap(),
        write: String::new(),
        read: String::new(),
    };
    for (who, exchange, expected) in [
        ("guest", "amq.topic", Ok(Put::Created)),
        ("guest", "", Ok(Put::Created)),
        ("guest", "nosuch", Err("no exchange 'nosuch' in vhost '/'")),
        ("nobody", "nosuch", Err("no such user: nobody")),
    ] {
        let result = world.broker.set_topic_permissions(row(who, exchange)).await;
        assert_eq!(result.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
    }
}

/// Definitions with something of everything.
fn everything() -> Definitions {
    let stored = StoredPassword { algorithm: HashAlgorithm::Md5, hash: "AQIDBDgk9ci8Lfh6CKE9Y0AUfmU=".into() };
    let mut arguments = FieldTable::new();
    arguments.insert("x-message-ttl", FieldValue::I32(5000));
    let policy = |name: &str| Policy {
        vhost: vhost("dv"),
        name: name.into(),
        pattern: "^q".into(),
        apply_to: ApplyTo::Queues,
        priority: 3,
        definition: vec![("max-length".into(), json!(5))],
    };
    let place = vhost("dv");
    Definitions {
        users: vec![Arc::new(User {
            name: user("du"),
            password: Some(stored),
            tags: vec!["management".into()],
            limits: UserLimits { max_connections: Some(5), max_channels: None },
        })],
        vhosts: vec![Arc::new(Vhost {
            name: place.clone(),
            description: "d".into(),
            tags: vec!["t".into()],
            default_queue_type: QueueKind::Quorum,
            protected_from_deletion: Some(true),
            tracing: false,
            limits: VhostLimits { max_queues: Some(100), max_connections: None },
        })],
        permissions: vec![Arc::new(Permissions {
            user: user("du"),
            vhost: place.clone(),
            configure: "^a".into(),
            write: ".*".into(),
            read: String::new(),
        })],
        topic_permissions: vec![Arc::new(TopicPermissions {
            user: user("du"),
            vhost: place.clone(),
            exchange: ExchangeName::new("x").unwrap(),
            write: "w".into(),
            read: "r".into(),
        })],
        parameters: vec![Arc::new(Parameter {
            vhost: place.clone(),
            component: "federation-upstream".into(),
            name: "up".into(),
            value: json!({"uri": "amqp://"}),
        })],
        global_parameters: vec![("gp".into(), json!({"a": 1}))],
        policies: vec![policy("pol").into()],
        operator_policies: vec![policy("op").into()],
        queues: vec![
            (place.clone(), QueueSpec { arguments, ..queue("q") }.into()),
            (place.clone(), queue("qq").into()),
        ],
        exchanges: vec![(place.clone(), exchange("x").into())],
        bindings: vec![(place.clone(), binding("x", "q").into()), (place, binding("amq.fanout", "qq").into())],
    }
}

/// A picture of definitions that does not depend on queue identities.
fn sketch(definitions: &Definitions) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    lines.extend(definitions.users.iter().map(|user| format!("{user:?}")));
    lines.extend(definitions.vhosts.iter().map(|vhost| format!("{vhost:?}")));
    lines.extend(definitions.permissions.iter().map(|row| format!("{row:?}")));
    lines.extend(definitions.topic_permissions.iter().map(|row| format!("{row:?}")));
    lines.extend(definitions.parameters.iter().map(|parameter| format!("{parameter:?}")));
    lines.extend(definitions.global_parameters.iter().map(|parameter| format!("{parameter:?}")));
    lines.extend(definitions.policies.iter().map(|policy| format!("{policy:?}")));
    lines.extend(definitions.operator_policies.iter().map(|policy| format!("operator {policy:?}")));
    lines.extend(definitions.exchanges.iter().map(|exchange| format!("{exchange:?}")));
    lines.extend(definitions.bindings.iter().map(|binding| format!("{binding:?}")));
    let anonymous = |(place, spec): &(VhostName, Arc<QueueSpec>)| {
        format!("{place:?} {:?}", QueueSpec { id: QueueId(0), ..(**spec).clone() })
    };
    lines.extend(definitions.queues.iter().map(anonymous));
    lines
}

#[tokio::test]
async fn what_one_broker_exports_makes_another_like_it() {
    let world = World::new().await;
    let report = world.broker.import_definitions(&guest(), everything()).await.unwrap();
    assert_eq!(report.totals(), ImportCounts { created: 8 + 2 + 1 + 2, ..ImportCounts::default() });
    assert!(world.broker.directory().may_enter(&user("guest"), &vhost("dv")));
    let exported = world.broker.export_definitions(None).unwrap();
    assert!(exported.global_parameters.iter().all(|(name, _)| name != "internal_cluster_id"));
    assert_eq!((exported.queues.len(), exported.exchanges.len(), exported.bindings.len()), (2, 1, 2));
    // A queue without a type gets that of its vhost.
    let kinds: Vec<_> = exported.queues.iter().map(|(_, spec)| spec.kind).collect();
    assert_eq!(kinds, [QueueKind::Quorum; 2]);

    let before = world.broker.directory().version();
    let again = world.broker.import_definitions(&guest(), exported.clone()).await.unwrap();
    let all = again.totals().unchanged;
    assert_eq!(again.totals(), ImportCounts { unchanged: all, ..ImportCounts::default() });
    assert_eq!(world.broker.directory().version(), before, "importing the export changes nothing");

    let other = World::new().await;
    other.broker.import_definitions(&guest(), exported.clone()).await.unwrap();
    assert_eq!(sketch(&other.broker.export_definitions(None).unwrap()), sketch(&exported));

    let one = world.broker.export_definitions(Some(&vhost("dv"))).unwrap();
    assert!(one.users.is_empty() && one.permissions.is_empty() && one.global_parameters.is_empty());
    assert_eq!((one.queues.len(), one.policies.len(), one.operator_policies.len(), one.parameters.len()), (2, 1, 1, 1));
    let missing = world.broker.export_definitions(Some(&vhost("gone"))).map(drop);
    assert_eq!(missing, Err(Error::NoSuchVhost(vhost("gone"))));
}

#[tokio::test]
async fn a_refused_import_changes_nothing() {
    let world = World::new().await;
    let before = (sketch(&world.broker.export_definitions(None).unwrap()), world.broker.directory().version());
    let place = vhost("dv");
    let mut bad_arguments = FieldTable::new();
    bad_arguments.insert("x-message-ttl", FieldValue::I32(-1));
    // Fits a classic queue only; the vhost it comes with makes it a quorum queue.
    let mut foreign_argument = FieldTable::new();
    foreign_argument.insert("x-max-priority", FieldValue::I32(3));
    let with = |change: &dyn Fn(&mut Definitions)| {
        let mut definitions = everything();
        change(&mut definitions);
        definitions
    };
    for (definitions, named) in [
        (with(&|all| all.bindings.push((place.clone(), binding("x", "gone").into()))), "no queue 'gone' in vhost 'dv'"),
        (
            with(&|all| all.bindings.push((place.clone(), binding("gone", "q").into()))),
            "no exchange 'gone' in vhost 'dv'",
        ),
        (
            with(&|all| {
                let bad = QueueSpec { arguments: bad_arguments.clone(), ..queue("bad") };
                all.queues.push((place.clone(), bad.into()));
            }),
            "queue 'bad' in vhost 'dv'",
        ),
        (
            with(&|all| {
                let bad = QueueSpec { arguments: foreign_argument.clone(), ..queue("bad") };
                all.queues.push((place.clone(), bad.into()));
            }),
            "queue 'bad' in vhost 'dv'",
        ),
        (with(&|all| all.queues.push((vhost("gone"), queue("q").into()))), "Please create virtual host \"gone\""),
        (with(&|all| all.exchanges.clear()), "no exchange 'x' in vhost 'dv'"),
        (with(&|all| all.users.clear()), "no such user: du"),
    ] {
        let refusal = world.broker.import_definitions(&guest(), definitions).await.unwrap_err();
        assert!(refusal.to_string().contains(named), "{refusal}");
        assert_eq!(refusal.kind(), crate::ErrorKind::InvalidValue, "{refusal}");
        let after = (sketch(&world.broker.export_definitions(None).unwrap()), world.broker.directory().version());
        assert_eq!(after, before, "{refusal}");
    }
}

#[tokio::test]
async fn the_node_itself_gets_no_permissions_by_importing() {
    let world = World::new().await;
    world.broker.import_definitions(&Caller::internal(), everything()).await.unwrap();
    let directory = world.broker.directory();
    assert!(!directory.may_enter(&user("guest"), &vhost("dv")) && directory.may_enter(&user("du"), &vhost("dv")));
}

#[tokio::test]
async fn sums_of_a_vhost_are_those_of_its_queues() {
    let World { broker, _folder } = World::new().await;
    let root = vhost("/");
    let empty = broker.queue_sums(&root);
    assert_eq!((empty.queues, empty.exchanges), (0, 7));
    let declare = |name: &str, kind: &str| DeclareQueue {
        name: name.to_owned(),
        durable: true,
        exclusive: false,
        auto_delete: false,
        arguments: [("x-queue-type".to_owned(), FieldValue::text(kind))].into_iter().collect(),
    };
    let kinds = [("a", "classic"), ("b", "quorum"), ("c", "stream")];
    for (name, kind) in kinds {
        broker.declare_queue(&guest(), &root, declare(name, kind)).await.unwrap();
        for _ in 0..2 {
            let message = Message::build("", name, &[0, 0], b"body", true);
            broker.publish(&guest(), &root, message).await.unwrap();
        }
        // Answered after everything that was sent to it before.
        broker.declare_queue(&guest(), &root, declare(name, kind)).await.unwrap();
    }
    let sums = broker.queue_sums(&root);
    let ready: u64 = broker.queues(&root).iter().map(|queue| queue.totals.ready).sum();
    assert_eq!((sums.queues, sums.messages_ready, sums.messages_unacknowledged), (3, ready, 0));
    assert_eq!(ready, 6);
    for (name, _) in kinds {
        broker.delete_queue(&guest(), &root, &QueueName::new(name).unwrap(), false, false).await.unwrap();
    }
    assert_eq!(broker.queue_sums(&root), empty);
    assert_eq!(broker.queue_sums(&vhost("none")), VhostTotals::default());
}

/// What an import of one user and a binding brings.
fn user_and_binding(user_name: &str, key: &str) -> Definitions {
    let binding = Binding {
        source: ExchangeName::new("x").unwrap(),
        destination: Destination::Exchange(ExchangeName::new("amq.fanout").unwrap()),
        routing_key: key.to_owned(),
        arguments: FieldTable::new(),
    };
    let added = User { name: user(user_name), password: None, tags: Vec::new(), limits: UserLimits::default() };
    Definitions {
        users: vec![Arc::new(added)],
        bindings: vec![(vhost("/"), Arc::new(binding))],
        ..Definitions::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_import_beside_other_changes_happens_whole_or_not_at_all() {
    let world = World::new().await;
    let broker = &world.broker;
    let stop = std::sync::atomic::AtomicBool::new(false);
    let declare = || DeclareExchange {
        name: "x".to_owned(),
        kind: "topic".to_owned(),
        durable: true,
        auto_delete: false,
        internal: false,
        arguments: FieldTable::new(),
    };
    let (slash, name) = (vhost("/"), ExchangeName::new("x").unwrap());
    let changes = async {
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
            broker.declare_exchange(&guest(), &slash, declare()).await.unwrap();
            broker.delete_exchange(&guest(), &slash, &name, false).await.unwrap();
        }
    };
    let imports = async {
        let mut whole = [0, 0];
        for round in 0.. {
            let added = format!("user-{round}");
            let done = broker.import_definitions(&Caller::internal(), user_and_binding(&added, &added)).await.is_ok();
            assert_eq!(broker.directory().users.contains_key(&user(&added)), done, "round {round}");
            whole[usize::from(done)] += 1;
            // Until both have happened often enough.
            if whole.iter().all(|count| *count >= 20) {
                break;
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    tokio::join!(changes, imports);
}

#[tokio::test]
async fn an_import_is_held_to_the_limits_it_brings() {
    let world = World::new().await;
    let limited = Vhost {
        name: vhost("new"),
        description: String::new(),
        tags: Vec::new(),
        default_queue_type: QueueKind::Classic,
        protected_from_deletion: None,
        tracing: false,
        limits: VhostLimits { max_queues: Some(1), max_connections: None },
    };
    let queues = ["one", "two"].map(|name| (vhost("new"), Arc::new(queue(name))));
    let whole = Definitions { vhosts: vec![Arc::new(limited)], queues: queues.to_vec(), ..Definitions::default() };
    let refused = world.broker.import_definitions(&guest(), whole.clone()).await.unwrap_err();
    assert!(refused.to_string().contains("queue limit"), "{refused}");
    assert!(!world.broker.directory().vhosts.contains_key(&vhost("new")), "nothing of it is there");
    assert!(world.broker.vhost(&vhost("new")).is_none(), "not even begun");
    let fits = Definitions { queues: queues[..1].to_vec(), ..whole };
    world.broker.import_definitions(&guest(), fits).await.unwrap();
    assert_eq!(world.broker.queues(&vhost("new")).len(), 1);
}
