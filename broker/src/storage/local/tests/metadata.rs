//! The metadata store on a real directory, as a killed process leaves it.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::super::change_log::CHANGE_LOG_BYTES;
use super::super::lock::DirectoryLock;
use super::super::metadata::{CHANGES_FILE, LocalMetadata, METADATA_FILE};
use crate::storage::{Entry, Expect, MetadataStore, Revision, StorageError, Write};

fn open(directory: &Path) -> LocalMetadata {
    LocalMetadata::open(Arc::new(DirectoryLock::acquire(directory).unwrap())).unwrap()
}

fn put(key: &str, value_bytes: usize) -> Write {
    Write { key: key.to_owned(), value: Some(Bytes::from(vec![b'v'; value_bytes])), expect: Expect::Any }
}

fn delete(key: &str) -> Write {
    Write { key: key.to_owned(), value: None, expect: Expect::Any }
}

/// What another process finds when the one that has the store is killed now.
async fn after_a_kill(directory: &Path) -> (Vec<Entry>, Revision) {
    let killed = tempfile::tempdir().unwrap();
    for name in [METADATA_FILE, CHANGES_FILE] {
        match std::fs::copy(directory.join(name), killed.path().join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
            _ => {}
        }
    }
    let store = open(killed.path());
    let found = (store.list("").await.unwrap(), store.write(Vec::new()).await.unwrap());
    store.close().await.unwrap();
    found
}

#[tokio::test]
async fn what_was_answered_outlives_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let half = CHANGE_LOG_BYTES as usize / 2;
    for writes in [
        Vec::new(),
        vec![put("a", 10)],
        vec![put("b", 10), put("c", 0)],
        vec![delete("a"), delete("none")],
        vec![put("a", half)],
        // Has no room beside the last one.
        vec![put("d", half)],
        vec![put("b", 20)],
        // Never has room.
        vec![put("e", 3 * half), delete("c")],
        vec![put("c", 5)],
        vec![delete("e")],
    ] {
        let revision = store.write(writes).await.unwrap();
        assert_eq!(after_a_kill(directory.path()).await, (store.list("").await.unwrap(), revision));
    }
    store.close().await.unwrap();
    let (closed, _) = after_a_kill(directory.path()).await;
    std::fs::remove_file(directory.path().join(CHANGES_FILE)).unwrap();
    assert_eq!(after_a_kill(directory.path()).await.0, closed, "a closed store needs no log");
}

#[tokio::test]
async fn a_refused_request_leaves_nothing_in_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.write(vec![put("a", 10)]).await.unwrap();
    let refused = Write { expect: Expect::Absent, ..put("a", 5) };
    assert!(matches!(store.write(vec![put("b", 1), refused]).await, Err(StorageError::Conflict { .. })));
    let revision = store.write(vec![put("c", 10)]).await.unwrap();
    assert_eq!(after_a_kill(directory.path()).await, (store.list("").await.unwrap(), revision));
}

#[tokio::test]
async fn a_store_whose_log_cannot_be_made_is_durable_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    // Not a file, so it cannot be written.
    std::fs::create_dir(directory.path().join(CHANGES_FILE)).unwrap();
    let revision = store.write(vec![put("a", 10)]).await.unwrap();
    std::fs::remove_dir(directory.path().join(CHANGES_FILE)).unwrap();
    assert_eq!(after_a_kill(directory.path()).await, (store.list("").await.unwrap(), revision));
}
