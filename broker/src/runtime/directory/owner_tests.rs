//! The owner over a real store: what was answered is published and stored, and a store
//! that fails leaves the two in step.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::tests::{put_vhost, row, user, user_change, vhost};
use super::{DirectoryHandle, FirstBoot, permissions, users, vhosts};
use crate::domain::binding::{Binding, Destination};
use crate::domain::exchange::{Exchange, ExchangeKind};
use crate::domain::name::{ExchangeName, QueueName, UserName};
use crate::domain::password;
use crate::domain::queue::{QueueId, QueueKind, QueueSpec};
use crate::domain::user::HashAlgorithm;
use crate::domain::value::FieldTable;
use crate::error::{Error, ErrorKind};
use crate::facade::Put;
use crate::runtime::credentials::HashingPool;
use crate::runtime::events::Events;
use crate::runtime::record;
use crate::storage::local::LocalStorage;
use crate::storage::{BoxFuture, Change, Entry, MetadataStore, Revision, StorageError, Write};

fn first_boot() -> FirstBoot {
    FirstBoot::for_test("guest", "guest", HashAlgorithm::Sha256)
}

async fn start(store: &Arc<dyn MetadataStore>) -> DirectoryHandle {
    DirectoryHandle::start(store.clone(), first_boot(), HashingPool::new(), Events::new("n").0).await.unwrap()
}

/// A store whose next writes fail; the writes themselves may have happened.
struct Failing {
    inner: Arc<dyn MetadataStore>,
    failures: AtomicUsize,
    write_first: bool,
}

impl MetadataStore for Failing {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StorageError>> {
        self.inner.get(key)
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Entry>, StorageError>> {
        self.inner.list(prefix)
    }

    fn write(&self, writes: Vec<Write>) -> BoxFuture<'_, Result<Revision, StorageError>> {
        let fails = self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if !fails {
            return self.inner.write(writes);
        }
        Box::pin(async move {
            if self.write_first {
                self.inner.write(writes).await?;
            }
            Err(StorageError::Unavailable("the disk is full".into()))
        })
    }

    fn watch(&self, from: Revision) -> mpsc::Receiver<Change> {
        self.inner.watch(from)
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        self.inner.close()
    }
}

async fn put_user(handle: &DirectoryHandle, name: &str) -> Result<Put, Error> {
    let change = user_change(name);
    handle.change(user("guest"), move |directory| users::put(directory, change)).await
}

async fn create_vhost(handle: &DirectoryHandle, name: &str, creator: Option<UserName>) -> Result<Put, Error> {
    let put = put_vhost(name);
    handle.change(user("guest"), move |directory| vhosts::put(directory, put, creator.as_ref())).await
}

#[tokio::test]
async fn an_empty_node_gets_its_first_user_and_vhost_once() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::open(folder.path()).unwrap();
    let handle = start(&storage.metadata).await;
    let early = handle.snapshot();
    assert!(early.users.contains_key("guest") && early.vhosts.contains_key("/"), "usable at once");
    handle.settled().await;

    let directory = handle.snapshot();
    let guest = &directory.users["guest"];
    assert!(password::verify(guest.password.as_ref().unwrap(), "guest"));
    assert!(guest.is_administrator());
    assert!(directory.may_enter(&user("guest"), &vhost("/")));
    assert_eq!(directory.vhosts["/"].description, "Default virtual host");
    assert_eq!(directory.global_parameters["cluster_tags"], serde_json::json!([]));
    let id = directory.global_parameters["internal_cluster_id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("rabbitmq-cluster-id-"));
    assert_eq!(handle.change(user("guest"), |directory| users::delete(directory, &user("guest"))).await, Ok(()));

    // What is there now is not empty, so the first user does not come back.
    let again = start(&storage.metadata).await.snapshot();
    assert!(again.users.is_empty() && again.vhosts.contains_key("/"));
    assert_eq!(again.global_parameters["internal_cluster_id"].as_str(), Some(id.as_str()));
}

#[tokio::test]
async fn what_was_answered_is_published_told_and_stored() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::open(folder.path()).unwrap();
    let handle = start(&storage.metadata).await;
    handle.settled().await;
    let mut watch = handle.watch();
    let before = handle.snapshot();
    watch.mark_unchanged();

    assert_eq!(put_user(&handle, "u").await, Ok(Put::Created));
    watch.changed().await.unwrap();
    assert_eq!(*watch.borrow_and_update(), handle.snapshot().version());
    assert!(handle.snapshot().version() > before.version());
    assert!(handle.snapshot().users.contains_key("u") && !before.users.contains_key("u"));

    assert_eq!(put_user(&handle, "u").await, Ok(Put::Existed));
    assert!(!watch.has_changed().unwrap(), "nothing changed, nobody is told");
    create_vhost(&handle, "v", Some(user("u"))).await.unwrap();
    let set = row("u", "v", "^(?!x)");
    handle.change(user("guest"), move |directory| permissions::set(directory, set)).await.unwrap();

    let loaded = start(&storage.metadata).await.snapshot();
    assert_eq!(loaded.changes_since(&handle.snapshot()).permissions_changed, [].into());
    assert_eq!(loaded.users, handle.snapshot().users);
    assert_eq!(loaded.vhosts, handle.snapshot().vhosts);
    assert_eq!(loaded.permissions, handle.snapshot().permissions);
}

#[tokio::test]
async fn many_at_once_are_all_answered() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::open(folder.path()).unwrap();
    let handle = start(&storage.metadata).await;
    let names: Vec<_> = (0..200).map(|number| format!("u{}", number % 150)).collect();
    let puts = futures_util::future::join_all(names.iter().map(|name| put_user(&handle, name))).await;
    let created = puts.iter().filter(|put| **put == Ok(Put::Created)).count();
    let existed = puts.iter().filter(|put| **put == Ok(Put::Existed)).count();
    assert_eq!((created, existed), (150, 50));
    assert_eq!(start(&storage.metadata).await.snapshot().users.len(), 151);
}

#[tokio::test]
async fn a_deleted_vhost_takes_its_stored_topology_along() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::open(folder.path()).unwrap();
    let handle = start(&storage.metadata).await;
    for name in ["v", "va"] {
        create_vhost(&handle, name, None).await.unwrap();
        storage.metadata.write(topology_of(name)).await.unwrap();
    }
    handle.change(user("guest"), |directory| vhosts::delete(directory, &vhost("v"))).await.unwrap();
    let left = |name| stored(&*storage.metadata, name);
    assert_eq!((left("v").await, left("va").await), (0, 3));

    // What a late declaration leaves behind does not come back with a vhost of that name.
    storage.metadata.write(topology_of("v")).await.unwrap();
    create_vhost(&handle, "v", None).await.unwrap();
    assert_eq!(left("v").await, 0);
}

#[tokio::test]
async fn a_failed_write_changes_nothing_and_the_picture_follows_the_store() {
    for write_first in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let storage = LocalStorage::open(folder.path()).unwrap();
        let failing = Arc::new(Failing { inner: storage.metadata.clone(), failures: AtomicUsize::new(0), write_first });
        let store: Arc<dyn MetadataStore> = failing.clone();
        let handle = start(&store).await;
        handle.settled().await;

        failing.failures.store(1, Ordering::SeqCst);
        let refused = put_user(&handle, "u").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable);
        assert!(refused.to_string().contains("the disk is full"));
        assert!(!handle.snapshot().users.contains_key("u"));

        // The next request sees what the store really holds.
        let expected = if write_first { Put::Existed } else { Put::Created };
        assert_eq!(put_user(&handle, "u").await, Ok(expected));
        assert!(handle.snapshot().users.contains_key("u"));
    }
}

#[tokio::test]
async fn a_first_boot_that_could_not_be_recorded_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::open(folder.path()).unwrap();
    let store: Arc<dyn MetadataStore> =
        Arc::new(Failing { inner: storage.metadata.clone(), failures: AtomicUsize::new(1), write_first: false });
    let handle = start(&store).await;
    assert_eq!(put_user(&handle, "u").await, Ok(Put::Created));
    handle.settled().await;
    let loaded = start(&storage.metadata).await.snapshot();
    assert_eq!(loaded.users.keys().map(UserName::as_str).collect::<Vec<_>>(), ["guest", "u"]);
    assert!(loaded.users["guest"].password.is_some());
}

#[tokio::test]
async fn rows_without_their_user_or_vhost_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::open(folder.path()).unwrap();
    let handle = start(&storage.metadata).await;
    handle.settled().await;
    let orphans = [row("gone", "/", ""), row("guest", "gone", "")].map(|row| record::permission::put(&row).unwrap());
    storage.metadata.write(orphans.into()).await.unwrap();
    assert_eq!(start(&storage.metadata).await.snapshot().permissions.len(), 1);
}

#[tokio::test]
async fn a_damaged_record_stops_the_start_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalStorage::open(folder.path()).unwrap();
    let mut write = record::user::delete(&user("u"));
    write.value = Some(Bytes::from_static(b"{"));
    storage.metadata.write(vec![write]).await.unwrap();
    let error = DirectoryHandle::start(storage.metadata.clone(), first_boot(), HashingPool::new(), Events::new("n").0)
        .await
        .err()
        .unwrap();
    assert!(error.to_string().contains("'user/u'"), "{error}");
}

fn topology_of(name: &str) -> Vec<Write> {
    let vhost = vhost(name);
    let exchange = Exchange {
        name: ExchangeName::new("x").unwrap(),
        kind: ExchangeKind::Fanout,
        durable: true,
        auto_delete: false,
        internal: false,
        arguments: FieldTable::new(),
        declared_by: user("u"),
    };
    let queue = QueueSpec {
        id: QueueId(1),
        name: QueueName::new("q").unwrap(),
        kind: QueueKind::Classic,
        durable: true,
        auto_delete: false,
        exclusive_owner: None,
        arguments: FieldTable::new(),
        declared_by: user("u"),
    };
    let binding = Binding {
        source: exchange.name.clone(),
        destination: Destination::Queue(queue.name.clone()),
        routing_key: String::new(),
        arguments: FieldTable::new(),
    };
    vec![
        record::exchange::put(&vhost, &exchange, None).unwrap(),
        record::queue::put(&vhost, &queue).unwrap(),
        record::binding::put(&vhost, &binding).unwrap(),
    ]
}

async fn stored(store: &dyn MetadataStore, name: &str) -> usize {
    super::load::stored_topology(store, &vhost(name)).await.unwrap().len()
}
