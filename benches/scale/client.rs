//! Enough of AMQP 0-9-1 to make many things quickly: requests are sent in batches, answers counted.

use std::collections::BTreeSet;
use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// Requests sent before their answers are read: neither side's buffers fill.
const BATCH: usize = 500;
/// The longest wait for an answer.
const DEADLINE: Duration = Duration::from_secs(120);

/// One connection.
pub struct Client {
    socket: BufReader<TcpStream>,
    published: u64,
    unconfirmed: BTreeSet<u64>,
}

/// What a frame said: its method's ids and the rest of its payload.
type Answer = ((u16, u16), Vec<u8>);

impl Client {
    /// Connects as guest, up to `open-ok`.
    pub fn open(address: SocketAddr) -> Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(DEADLINE))?;
        let mut client =
            Self { socket: BufReader::with_capacity(1024, socket), published: 0, unconfirmed: BTreeSet::new() };
        client.send(b"AMQP\0\0\x09\x01")?;
        client.expect((10, 10))?;
        client.send(&method(0, (10, 11), b"\0\0\0\0\x05PLAIN\0\0\0\x0c\0guest\0guest\x05en_US"))?;
        client.expect((10, 30))?;
        let tune = [&2047u16.to_be_bytes()[..], &131_072u32.to_be_bytes(), &0u16.to_be_bytes()].concat();
        client.send(&[method(0, (10, 31), &tune), method(0, (10, 40), b"\x01/\0\0")].concat())?;
        client.expect((10, 41))?;
        Ok(client)
    }

    /// Opens a channel.
    pub fn open_channel(&mut self, number: u16) -> Result<()> {
        self.send(&method(number, (20, 10), b"\0"))?;
        self.expect((20, 11)).map(drop)
    }

    /// Declares a durable queue on a channel; returns how many messages it has.
    pub fn declare_queue(&mut self, name: &str, channel: u16) -> Result<u32> {
        self.send(&method(channel, (50, 10), &declare(name)))?;
        let rest = self.expect((50, 11))?;
        let count = rest.get(1 + name.len()..).and_then(<[u8]>::first_chunk).context("a short declare-ok")?;
        Ok(u32::from_be_bytes(*count))
    }

    /// Declares durable queues one after the other, each when the one before was answered.
    pub fn declare_one_by_one(&mut self, names: &[String]) -> Result<()> {
        names.iter().try_for_each(|name| self.declare_queue(name, 1).map(drop))
    }

    /// Declares durable queues.
    pub fn declare_queues(&mut self, names: &[String]) -> Result<()> {
        self.all(names, (50, 11), |name| method(1, (50, 10), &declare(name)))
    }

    /// Deletes queues.
    pub fn delete_queues(&mut self, names: &[String]) -> Result<()> {
        self.all(names, (50, 41), |name| method(1, (50, 40), &[b"\0\0", &short(name)[..], b"\0"].concat()))
    }

    /// Declares an auto-delete topic exchange.
    pub fn declare_topic_exchange(&mut self, name: &str) -> Result<()> {
        let fields = [b"\0\0", &short(name)[..], &short("topic"), b"\x04\0\0\0\0"].concat();
        self.send(&method(1, (40, 10), &fields))?;
        self.expect((40, 11)).map(drop)
    }

    /// Binds a queue with every pattern.
    pub fn bind_all(&mut self, queue: &str, exchange: &str, patterns: &[String]) -> Result<()> {
        self.all(patterns, (50, 21), |pattern| {
            let fields = [b"\0\0", &short(queue)[..], &short(exchange), &short(pattern), b"\0\0\0\0\0"].concat();
            method(1, (50, 20), &fields)
        })
    }

    /// Puts channel 1 into confirm mode.
    pub fn confirm(&mut self) -> Result<()> {
        self.send(&method(1, (85, 10), b"\0"))?;
        self.expect((85, 11)).map(drop)
    }

    /// Publishes small transient messages, one with each key, and waits for their confirms; returns the seconds it took.
    pub fn publish_all(&mut self, exchange: &str, keys: impl Iterator<Item = String>) -> Result<f64> {
        let frames: Vec<Vec<u8>> = keys.map(|key| publish(exchange, &key)).collect();
        let started = Instant::now();
        for batch in frames.chunks(BATCH) {
            self.send(&batch.concat())?;
            self.unconfirmed.extend(self.published + 1..=self.published + batch.len() as u64);
            self.published += batch.len() as u64;
            while !self.unconfirmed.is_empty() {
                let fields = self.expect((60, 80))?;
                self.settle(&fields)?;
            }
        }
        Ok(started.elapsed().as_secs_f64())
    }

    /// Publishes a small transient message to each queue and says how many were refused.
    pub fn publish_to_each(&mut self, queues: &[String]) -> Result<usize> {
        let mut refused = 0;
        for batch in queues.chunks(BATCH) {
            let frames: Vec<u8> = batch.iter().flat_map(|queue| publish("", queue)).collect();
            self.send(&frames)?;
            self.unconfirmed.extend(self.published + 1..=self.published + batch.len() as u64);
            self.published += batch.len() as u64;
            while !self.unconfirmed.is_empty() {
                let (ids, fields) = self.next()?;
                ensure!(matches!(ids, (60, 80 | 120)), "method {ids:?} instead of a confirm");
                let before = self.unconfirmed.len();
                self.settle(&fields)?;
                if ids == (60, 120) {
                    refused += before - self.unconfirmed.len();
                }
            }
        }
        Ok(refused)
    }

    /// A request for each, in batches, and the same answer to all.
    fn all(&mut self, items: &[String], answer: (u16, u16), request: impl Fn(&str) -> Vec<u8>) -> Result<()> {
        for batch in items.chunks(BATCH) {
            let requests: Vec<u8> = batch.iter().flat_map(|item| request(item)).collect();
            self.send(&requests)?;
            for _ in batch {
                self.expect(answer)?;
            }
        }
        Ok(())
    }

    /// Takes a confirm.
    fn settle(&mut self, fields: &[u8]) -> Result<()> {
        let (tag, rest) = fields.split_first_chunk().context("a short confirm")?;
        let tag = u64::from_be_bytes(*tag);
        match rest.first() {
            Some(flags) if flags & 1 == 1 => self.unconfirmed = self.unconfirmed.split_off(&(tag + 1)),
            _ => drop(self.unconfirmed.remove(&tag)),
        }
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.socket.get_mut().write_all(bytes)?)
    }

    /// The fields of the next method, which must be this one.
    fn expect(&mut self, ids: (u16, u16)) -> Result<Vec<u8>> {
        let (found, fields) = self.next()?;
        ensure!(found == ids, "method {found:?} instead of {ids:?}: {}", String::from_utf8_lossy(&fields));
        Ok(fields)
    }

    fn next(&mut self) -> Result<Answer> {
        let mut head = [0; 7];
        self.socket.read_exact(&mut head)?;
        let mut payload = vec![0; u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize + 1];
        self.socket.read_exact(&mut payload)?;
        ensure!(payload.pop() == Some(0xce), "a frame without its end");
        if head[0] != 1 || payload.len() < 4 {
            bail!("a frame of type {}", head[0]);
        }
        let fields = payload.split_off(4);
        let ids = (u16::from_be_bytes([payload[0], payload[1]]), u16::from_be_bytes([payload[2], payload[3]]));
        Ok((ids, fields))
    }
}

/// The frames of a small transient message.
fn publish(exchange: &str, key: &str) -> Vec<u8> {
    let names = [b"\0\0", &short(exchange)[..], &short(key), b"\0"].concat();
    let header = frame(2, 1, b"\0\x3c\0\0\0\0\0\0\0\0\0\x01\0\0");
    [method(1, (60, 40), &names), header, frame(3, 1, b"m")].concat()
}

/// Fields of `queue.declare` for a durable queue.
fn declare(name: &str) -> Vec<u8> {
    [b"\0\0", &short(name)[..], b"\x02\0\0\0\0"].concat()
}

fn short(text: &str) -> Vec<u8> {
    [&[text.len() as u8][..], text.as_bytes()].concat()
}

fn method(channel: u16, (class, method): (u16, u16), fields: &[u8]) -> Vec<u8> {
    frame(1, channel, &[&class.to_be_bytes()[..], &method.to_be_bytes(), fields].concat())
}

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let size = payload.len() as u32;
    [&[kind][..], &channel.to_be_bytes(), &size.to_be_bytes(), payload, b"\xce"].concat()
}
