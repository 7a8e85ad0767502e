//! What deliveries add to the counters, frame by frame.

use std::sync::Arc;

use super::test_client::Client;
use crate::domain::value::{FieldTable, FieldValue};
use crate::domain::wire::{write_short_string, write_table};
use crate::facade::Broker;
use crate::facade::tests::settings;
use crate::storage::memory::MemoryEngine;

/// Bits of `queue.declare`: durable.
const DURABLE: u8 = 1 << 1;

#[tokio::test]
async fn the_node_counts_the_frames_of_every_kind_of_queue_as_the_connection_does() {
    let folder = tempfile::tempdir().unwrap();
    let engine = MemoryEngine::new();
    let broker = Broker::start(Arc::new(settings(folder.path())), engine.metadata(), engine.log()).await.unwrap();
    let mut clients = Vec::new();
    for kind in ["classic", "stream"] {
        let mut client = Client::open(&broker, &FieldTable::new()).await;
        client.channel(1).await;
        client.method(1, 60, 10, |out| out.extend_from_slice(b"\0\0\0\0\0\x0a\0"));
        client.until(1, 60, 11).await;
        let arguments = FieldTable::from_iter([("x-queue-type".to_owned(), FieldValue::LongString(kind.into()))]);
        client.method(1, 50, 10, |out| {
            out.extend_from_slice(&[0, 0]);
            write_short_string(out, kind);
            out.push(DURABLE);
            write_table(out, &arguments);
        });
        client.until(1, 50, 11).await;
        client.method(1, 60, 20, |out| {
            out.extend_from_slice(&[0, 0]);
            write_short_string(out, kind);
            write_short_string(out, kind);
            out.extend_from_slice(&[0; 5]);
        });
        client.until(1, 60, 21).await;
        client.publish(kind);
        client.until(1, 60, 60).await;
        clients.push(client);
        let of_connections: u64 = broker.connections().iter().map(|connection| connection.send_cnt).sum();
        assert_eq!(
            (broker.traffic().send_cnt, of_connections),
            (3 * clients.len() as u64, broker.traffic().send_cnt),
            "{kind}"
        );
    }
}
