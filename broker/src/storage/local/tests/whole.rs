//! The engine on a real directory.

use std::sync::Arc;

use super::super::LocalStorage;
use crate::storage::conformance::{Fixture, contents, log_suite, metadata_suite, records};
use crate::storage::{BoxFuture, Epoch, Expect, LogId, MetadataStore, QueueLog, Write};

struct OnDisk {
    directory: tempfile::TempDir,
    storage: Option<LocalStorage>,
}

impl OnDisk {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let storage = LocalStorage::open(directory.path()).unwrap();
        Self { directory, storage: Some(storage) }
    }

    fn storage(&self) -> &LocalStorage {
        self.storage.as_ref().unwrap()
    }
}

impl Fixture for OnDisk {
    fn metadata(&self) -> Arc<dyn MetadataStore> {
        Arc::clone(&self.storage().metadata)
    }

    fn log(&self) -> Arc<dyn QueueLog> {
        Arc::clone(&self.storage().log)
    }

    fn restart(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if let Some(storage) = self.storage.take() {
                // A store that the test closed refuses to be closed again.
                let _ = storage.close().await;
            }
            self.storage = Some(LocalStorage::open(self.directory.path()).unwrap());
            assert_eq!(self.storage().findings, []);
        })
    }
}

#[tokio::test]
async fn local_metadata_conforms() {
    metadata_suite(&mut OnDisk::new()).await;
}

#[tokio::test]
async fn local_log_conforms() {
    log_suite(&mut OnDisk::new()).await;
}

#[tokio::test]
async fn reset_empties_both_stores_under_the_same_lock() {
    let mut fixture = OnDisk::new();
    let storage = fixture.storage.take().unwrap();
    let write = Write { key: "k".to_owned(), value: Some(bytes::Bytes::new()), expect: Expect::Any };
    storage.metadata.write(vec![write]).await.unwrap();
    storage.log.append(LogId(1), Epoch(1), records(1..=3)).await.unwrap();
    let storage = storage.reset().await.unwrap();
    assert!(LocalStorage::open(fixture.directory.path()).is_err(), "still locked");
    assert_eq!(storage.metadata.list("").await, Ok(Vec::new()));
    assert_eq!(storage.log.logs().await, Ok(Vec::new()));
    storage.log.append(LogId(1), Epoch(1), records(1..=1)).await.unwrap();
    fixture.storage = Some(storage);
    fixture.restart().await;
    assert_eq!(contents(&fixture.log(), LogId(1), Epoch(1)).await.unwrap(), records(1..=1));
}
