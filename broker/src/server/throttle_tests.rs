//! A publishing connection against a journal that fails, frame by frame.

use std::sync::Arc;

use super::test_client::Client;
use crate::domain::value::{FieldTable, FieldValue};
use crate::facade::Broker;
use crate::facade::tests::settings;
use crate::storage::LogHealth;
use crate::storage::memory::MemoryEngine;

/// A client that wants to know of alarms, with channel 1 in confirm mode and a durable queue `q`.
async fn connected(broker: &Broker) -> Client {
    let capabilities = FieldTable::from_iter([("connection.blocked".to_owned(), FieldValue::Boolean(true))]);
    let properties = FieldTable::from_iter([("capabilities".to_owned(), FieldValue::Table(capabilities))]);
    let mut client = Client::open(broker, &properties).await;
    client.channel(1).await;
    client.method(1, 85, 10, |out| out.push(0));
    client.until(1, 85, 11).await;
    client.method(1, 50, 10, |out| out.extend_from_slice(b"\0\0\x01q\x02\0\0\0\0"));
    client.until(1, 50, 11).await;
    client
}

#[tokio::test]
async fn a_journal_that_fails_blocks_who_publishes_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let engine = MemoryEngine::new();
    let broker = Broker::start(Arc::new(settings(folder.path())), engine.metadata(), engine.log()).await.unwrap();
    let mut client = connected(&broker).await;
    client.publish("q");
    client.until(1, 60, 80).await;

    for (state, reason) in [
        (LogHealth::Failed("sync: I/O error".to_owned()), "storage failed: sync: I/O error"),
        (LogHealth::DiskFull("write: no space left".to_owned()), "low on disk"),
    ] {
        engine.report(state);
        while !broker.registry().is_alarmed() {
            tokio::task::yield_now().await;
        }
        client.publish("q");
        let told = client.until(0, 10, 60).await;
        assert_eq!(std::str::from_utf8(&told[1..]), Ok(reason));
        assert_eq!(broker.connections()[0].state, "blocked");

        engine.report(LogHealth::Well);
        client.until(0, 10, 61).await;
        // What was held is taken now, and confirmed.
        client.until(1, 60, 80).await;
        assert_eq!(broker.connections()[0].state, "running");
    }
}
