//! A publishing connection against a journal that fails, frame by frame.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::watch;

use super::driver;
use super::handshake::Ends;
use crate::amqp091::frame::{self, BODY, HEADER, METHOD};
use crate::domain::value::{FieldTable, FieldValue};
use crate::domain::wire::{write_long_string, write_short_string, write_table};
use crate::facade::Broker;
use crate::facade::tests::settings;
use crate::storage::LogHealth;
use crate::storage::memory::MemoryEngine;

/// Room in the pipe between client and broker.
const PIPE_BYTES: usize = 64 << 10;

/// A client that speaks in frames.
struct Client {
    socket: DuplexStream,
    input: BytesMut,
    /// The listener's end; it never stops.
    _stop: watch::Sender<bool>,
}

impl Client {
    /// Logs in and opens channel 1 in confirm mode, with a durable queue `q`.
    async fn open(broker: &Broker) -> Self {
        let (socket, served) = tokio::io::duplex(PIPE_BYTES);
        let here = "127.0.0.1:1".parse().unwrap();
        let (_stop, stopping) = watch::channel(false);
        tokio::spawn(driver::serve(broker.clone(), served, Ends { peer: here, local: here }, stopping));
        let mut client = Self { socket, input: BytesMut::new(), _stop };
        client.socket.write_all(b"AMQP\0\0\x09\x01").await.unwrap();
        client.until(10, 10).await;
        let capabilities = FieldTable::from_iter([("connection.blocked".to_owned(), FieldValue::Boolean(true))]);
        let properties = FieldTable::from_iter([("capabilities".to_owned(), FieldValue::Table(capabilities))]);
        client
            .method(0, 10, 11, |out| {
                write_table(out, &properties);
                write_short_string(out, "PLAIN");
                write_long_string(out, b"\0guest\0guest");
                write_short_string(out, "en_US");
            })
            .await;
        client.until(10, 30).await;
        client.method(0, 10, 31, |out| out.extend_from_slice(&[0, 0x10, 0, 1, 0, 0, 0, 0])).await;
        client.method(0, 10, 40, |out| out.extend_from_slice(b"\x01/\0\0")).await;
        client.until(10, 41).await;
        client.method(1, 20, 10, |out| out.push(0)).await;
        client.until(20, 11).await;
        client.method(1, 85, 10, |out| out.push(0)).await;
        client.until(85, 11).await;
        client.method(1, 50, 10, |out| out.extend_from_slice(b"\0\0\x01q\x02\0\0\0\0")).await;
        client.until(50, 11).await;
        client
    }

    async fn method(&mut self, channel: u16, class: u16, id: u16, fields: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = Vec::new();
        frame::write(&mut bytes, METHOD, channel, |out| {
            out.extend_from_slice(&class.to_be_bytes());
            out.extend_from_slice(&id.to_be_bytes());
            fields(out);
        });
        self.socket.write_all(&bytes).await.unwrap();
    }

    /// Publishes a persistent message of one byte to `q`, all frames in one write.
    async fn publish(&mut self) {
        let mut bytes = Vec::new();
        frame::write(&mut bytes, METHOD, 1, |out| out.extend_from_slice(b"\0\x3c\0\x28\0\0\0\x01q\0"));
        frame::write(&mut bytes, HEADER, 1, |out| {
            out.extend_from_slice(b"\0\x3c\0\0\0\0\0\0\0\0\0\x01\x10\0\x02");
        });
        frame::write(&mut bytes, BODY, 1, |out| out.push(b'x'));
        self.socket.write_all(&bytes).await.unwrap();
    }

    /// The fields of the next method, which must be this one.
    async fn until(&mut self, class: u16, id: u16) -> Vec<u8> {
        loop {
            if let Some(found) = frame::read(&self.input, 8192).unwrap() {
                let payload = found.payload.to_vec();
                let _ = self.input.split_to(payload.len() + frame::OVERHEAD_BYTES);
                let ids = [class.to_be_bytes(), id.to_be_bytes()].concat();
                assert_eq!(payload[..4], ids, "{payload:?}");
                return payload[4..].to_vec();
            }
            assert!(self.socket.read_buf(&mut self.input).await.unwrap() > 0, "the broker closed");
        }
    }
}

#[tokio::test]
async fn a_journal_that_fails_blocks_who_publishes_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let engine = MemoryEngine::new();
    let broker = Broker::start(Arc::new(settings(folder.path())), engine.metadata(), engine.log()).await.unwrap();
    let mut client = Client::open(&broker).await;
    client.publish().await;
    client.until(60, 80).await;

    for (state, reason) in [
        (LogHealth::Failed("sync: I/O error".to_owned()), "storage failed: sync: I/O error"),
        (LogHealth::DiskFull("write: no space left".to_owned()), "low on disk"),
    ] {
        engine.report(state);
        while !broker.registry().is_alarmed() {
            tokio::task::yield_now().await;
        }
        client.publish().await;
        let told = client.until(10, 60).await;
        assert_eq!(std::str::from_utf8(&told[1..]), Ok(reason));
        assert_eq!(broker.connections()[0].state, "blocked");

        engine.report(LogHealth::Well);
        client.until(10, 61).await;
        // What was held is taken now, and confirmed.
        client.until(60, 80).await;
        assert_eq!(broker.connections()[0].state, "running");
    }
}
