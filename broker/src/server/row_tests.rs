//! Requests sent one behind the other without waiting, frame by frame.

use std::sync::Arc;

use super::test_client::Client;
use crate::domain::name::{QueueName, VhostName};
use crate::domain::value::FieldTable;
use crate::domain::wire::write_short_string;
use crate::facade::Broker;
use crate::facade::tests::settings;
use crate::storage::memory::MemoryEngine;

impl Client {
    fn declare(&mut self, channel: u16, name: &str, durable: bool, nowait: bool) {
        self.method(channel, 50, 10, |out| {
            out.extend_from_slice(&[0, 0]);
            write_short_string(out, name);
            out.push(u8::from(durable) << 1 | u8::from(nowait) << 4);
            out.extend_from_slice(&[0; 4]);
        });
    }

    fn bind(&mut self, channel: u16, queue: &str, exchange: &str, key: &str) {
        self.method(channel, 50, 20, |out| {
            out.extend_from_slice(&[0, 0]);
            for text in [queue, exchange, key] {
                write_short_string(out, text);
            }
            out.extend_from_slice(&[0; 5]);
        });
    }

    /// The name that the next `declare-ok` says.
    async fn declared(&mut self, channel: u16) -> String {
        let fields = self.until(channel, 50, 11).await;
        String::from_utf8(fields[1..=usize::from(fields[0])].to_vec()).unwrap()
    }

    /// The code with which the next `channel.close` comes.
    async fn refused(&mut self, channel: u16) -> u16 {
        let fields = self.until(channel, 20, 40).await;
        u16::from_be_bytes([fields[0], fields[1]])
    }
}

/// A client with channels 1 and 2.
async fn connected(broker: &Broker) -> Client {
    let mut client = Client::open(broker, &FieldTable::new()).await;
    client.channel(1).await;
    client.channel(2).await;
    client
}

async fn started(folder: &tempfile::TempDir, engine: &MemoryEngine) -> Broker {
    Broker::start(Arc::new(settings(folder.path())), engine.metadata(), engine.log()).await.unwrap()
}

fn names(broker: &Broker) -> Vec<String> {
    let topology = broker.topology(&VhostName::new("/").unwrap()).unwrap();
    topology.queues().iter().map(|queue| queue.spec().name.to_string()).collect()
}

#[tokio::test]
async fn a_row_is_answered_in_order_and_lasts() {
    let (folder, engine) = (tempfile::tempdir().unwrap(), MemoryEngine::new());
    let broker = started(&folder, &engine).await;
    let mut client = connected(&broker).await;
    // More than one row, with bindings between that need the queue before them.
    let queues: Vec<String> = (0..700).map(|number| format!("q{number:03}")).collect();
    for name in &queues {
        client.declare(1, name, true, false);
        client.bind(1, name, "amq.topic", &format!("{name}.#"));
    }
    for name in &queues {
        assert_eq!(client.declared(1).await, *name);
        client.until(1, 50, 21).await;
    }
    assert_eq!(names(&broker), queues);
    drop(client);
    let again = started(&tempfile::tempdir().unwrap(), &engine.crash()).await;
    assert_eq!(names(&again), queues);
    let topology = again.topology(&VhostName::new("/").unwrap()).unwrap();
    assert_eq!(topology.bindings_from("amq.topic").count(), queues.len());
}

#[tokio::test]
async fn a_refusal_ends_the_row_and_what_is_behind_it_is_not_done() {
    let (folder, engine) = (tempfile::tempdir().unwrap(), MemoryEngine::new());
    let broker = started(&folder, &engine).await;
    let mut client = connected(&broker).await;
    for refusal in ["declare", "bind"] {
        client.declare(1, "before", true, false);
        match refusal {
            "declare" => client.declare(1, "before", false, false),
            _ => client.bind(1, "before", "nowhere", ""),
        }
        client.declare(1, "behind", true, false);
        client.declare(2, "elsewhere", true, false);
        assert_eq!(client.declared(1).await, "before");
        assert_eq!(client.refused(1).await, if refusal == "declare" { 406 } else { 404 });
        assert_eq!(client.declared(2).await, "elsewhere", "another channel goes on");
        assert_eq!(names(&broker), ["before", "elsewhere"]);
        client.method(1, 20, 41, |_| {});
        client.method(1, 20, 10, |out| out.push(0));
        client.until(1, 20, 11).await;
    }
}

#[tokio::test]
async fn names_the_broker_gives_and_requests_without_answers_go_in_a_row() {
    let (folder, engine) = (tempfile::tempdir().unwrap(), MemoryEngine::new());
    let broker = started(&folder, &engine).await;
    let mut client = connected(&broker).await;
    client.declare(1, "silent", true, true);
    client.declare(1, "", false, false);
    // An empty name is the last one declared, which the row before tells.
    client.bind(1, "", "amq.topic", "k");
    client.declare(1, "silent", true, false);
    client.declare(1, "last", true, false);
    let given = client.declared(1).await;
    assert!(given.starts_with("amq.gen-"), "{given}");
    client.until(1, 50, 21).await;
    assert_eq!(client.declared(1).await, "silent");
    assert_eq!(client.declared(1).await, "last");
    let topology = broker.topology(&VhostName::new("/").unwrap()).unwrap();
    let bound: Vec<_> = topology.bindings_from("amq.topic").map(|binding| binding.destination.clone()).collect();
    assert_eq!(bound, [crate::domain::binding::Destination::Queue(QueueName::new(&given).unwrap())]);
}

#[tokio::test]
async fn a_store_that_fails_refuses_the_whole_row() {
    let (folder, engine) = (tempfile::tempdir().unwrap(), MemoryEngine::new());
    let broker = started(&folder, &engine).await;
    let mut client = connected(&broker).await;
    engine.fail_after_writes(0);
    client.declare(1, "one", true, false);
    client.declare(1, "two", true, false);
    let fields = client.until(0, 10, 50).await;
    assert_eq!(u16::from_be_bytes([fields[0], fields[1]]), 541);
    assert_eq!(names(&broker), [""; 0], "nothing is half done");
}
