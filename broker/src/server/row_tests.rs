//! Requests sent one behind the other without waiting, frame by frame.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::watch;

use super::driver;
use super::handshake::Ends;
use crate::amqp091::frame::{self, METHOD};
use crate::domain::name::{QueueName, VhostName};
use crate::domain::wire::{write_long_string, write_short_string};
use crate::facade::Broker;
use crate::facade::tests::settings;
use crate::storage::memory::MemoryEngine;

/// Room in the pipe between client and broker: all that a test sends at once.
const PIPE_BYTES: usize = 1 << 20;

/// A client that gathers what it asks and reads one answer after the other.
struct Client {
    socket: DuplexStream,
    input: BytesMut,
    output: Vec<u8>,
    /// The listener's end; it never stops.
    _stop: watch::Sender<bool>,
}

impl Client {
    /// Logs in and opens channels 1 and 2.
    async fn open(broker: &Broker) -> Self {
        let (socket, served) = tokio::io::duplex(PIPE_BYTES);
        let here = "127.0.0.1:1".parse().unwrap();
        let (_stop, stopping) = watch::channel(false);
        tokio::spawn(driver::serve(broker.clone(), served, Ends { peer: here, local: here }, stopping));
        let mut client = Self { socket, input: BytesMut::new(), output: Vec::new(), _stop };
        client.socket.write_all(b"AMQP\0\0\x09\x01").await.unwrap();
        client.until(0, 10, 10).await;
        client.method(0, 10, 11, |out| {
            out.extend_from_slice(&[0; 4]);
            write_short_string(out, "PLAIN");
            write_long_string(out, b"\0guest\0guest");
            write_short_string(out, "en_US");
        });
        client.until(0, 10, 30).await;
        client.method(0, 10, 31, |out| out.extend_from_slice(&[0, 0x10, 0, 1, 0, 0, 0, 0]));
        client.method(0, 10, 40, |out| out.extend_from_slice(b"\x01/\0\0"));
        client.until(0, 10, 41).await;
        for channel in 1..=2 {
            client.method(channel, 20, 10, |out| out.push(0));
            client.until(channel, 20, 11).await;
        }
        client
    }

    /// Gathers a request; it goes out with the next wait for an answer.
    fn method(&mut self, channel: u16, class: u16, id: u16, fields: impl FnOnce(&mut Vec<u8>)) {
        frame::write(&mut self.output, METHOD, channel, |out| {
            out.extend_from_slice(&class.to_be_bytes());
            out.extend_from_slice(&id.to_be_bytes());
            fields(out);
        });
    }

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

    /// The fields of the next method, which must be this one.
    async fn until(&mut self, channel: u16, class: u16, id: u16) -> Vec<u8> {
        let output = std::mem::take(&mut self.output);
        self.socket.write_all(&output).await.unwrap();
        loop {
            if let Some(found) = frame::read(&self.input, 8192).unwrap() {
                let (payload, of) = (found.payload.to_vec(), found.channel);
                let _ = self.input.split_to(payload.len() + frame::OVERHEAD_BYTES);
                let ids = [class.to_be_bytes(), id.to_be_bytes()].concat();
                assert_eq!((of, &payload[..4]), (channel, &ids[..]), "{}", String::from_utf8_lossy(&payload));
                return payload[4..].to_vec();
            }
            assert!(self.socket.read_buf(&mut self.input).await.unwrap() > 0, "the broker closed");
        }
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
    let mut client = Client::open(&broker).await;
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
    let mut client = Client::open(&broker).await;
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
    let mut client = Client::open(&broker).await;
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
    let mut client = Client::open(&broker).await;
    engine.fail_after_writes(0);
    client.declare(1, "one", true, false);
    client.declare(1, "two", true, false);
    let fields = client.until(0, 10, 50).await;
    assert_eq!(u16::from_be_bytes([fields[0], fields[1]]), 541);
    assert_eq!(names(&broker), [""; 0], "nothing is half done");
}
