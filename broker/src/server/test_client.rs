//! A client for tests that speaks in frames, over a pipe instead of a socket.

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::watch;

use super::driver;
use super::handshake::Ends;
use crate::amqp091::frame::{self, BODY, HEADER, METHOD};
use crate::domain::value::FieldTable;
use crate::domain::wire::{write_long_string, write_short_string, write_table};
use crate::facade::Broker;

/// Room in the pipe between client and broker: all that a test sends at once.
const PIPE_BYTES: usize = 1 << 20;

/// A client that gathers what it asks and reads one answer after the other.
pub(super) struct Client {
    socket: DuplexStream,
    input: BytesMut,
    /// Frames that go out with the next wait for an answer.
    pub(super) output: Vec<u8>,
    /// The listener's end; it never stops.
    _stop: watch::Sender<bool>,
}

impl Client {
    /// Logs in, telling these properties.
    pub(super) async fn open(broker: &Broker, properties: &FieldTable) -> Self {
        let (socket, served) = tokio::io::duplex(PIPE_BYTES);
        let here = "127.0.0.1:1".parse().unwrap();
        let (_stop, stopping) = watch::channel(false);
        tokio::spawn(driver::serve(broker.clone(), served, Ends { peer: here, local: here, tls: None }, stopping));
        let mut client = Self { socket, input: BytesMut::new(), output: Vec::new(), _stop };
        client.output.extend_from_slice(b"AMQP\0\0\x09\x01");
        client.until(0, 10, 10).await;
        client.method(0, 10, 11, |out| {
            write_table(out, properties);
            write_short_string(out, "PLAIN");
            write_long_string(out, b"\0guest\0guest");
            write_short_string(out, "en_US");
        });
        client.until(0, 10, 30).await;
        client.method(0, 10, 31, |out| out.extend_from_slice(&[0, 0x10, 0, 1, 0, 0, 0, 0]));
        client.method(0, 10, 40, |out| out.extend_from_slice(b"\x01/\0\0"));
        client.until(0, 10, 41).await;
        client
    }

    /// Opens a channel.
    pub(super) async fn channel(&mut self, channel: u16) {
        self.method(channel, 20, 10, |out| out.push(0));
        self.until(channel, 20, 11).await;
    }

    /// Gathers a request.
    pub(super) fn method(&mut self, channel: u16, class: u16, id: u16, fields: impl FnOnce(&mut Vec<u8>)) {
        frame::write(&mut self.output, METHOD, channel, |out| {
            out.extend_from_slice(&class.to_be_bytes());
            out.extend_from_slice(&id.to_be_bytes());
            fields(out);
        });
    }

    /// Gathers a persistent message of one byte for a queue, on channel 1.
    pub(super) fn publish(&mut self, queue: &str) {
        self.method(1, 60, 40, |out| {
            out.extend_from_slice(&[0, 0]);
            write_short_string(out, "");
            write_short_string(out, queue);
            out.push(0);
        });
        frame::write(&mut self.output, HEADER, 1, |out| {
            out.extend_from_slice(b"\0\x3c\0\0\0\0\0\0\0\0\0\x01\x10\0\x02");
        });
        frame::write(&mut self.output, BODY, 1, |out| out.push(b'x'));
    }

    /// The fields of the next method, which must be this one.
    pub(super) async fn until(&mut self, channel: u16, class: u16, id: u16) -> Vec<u8> {
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
}
