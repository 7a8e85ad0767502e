//! A plain AMQP client for tests that must know exactly what was sent, answered and confirmed, and when.
//!
//! One connection, one channel, blocking. It knows the wire of the load tool and nothing of the broker; what arrives while it
//! waits for an answer is kept in order and handed out by [`Client::event`].

use std::collections::VecDeque;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};

use crate::DEADLINE;
use crate::wire::encode::{Properties, Table};
use crate::wire::{
    Args, Encode, Frame, FrameBuffer, Incoming, Malformed, MethodId, PROTOCOL_HEADER, ShortString, method,
};

const CHANNEL: u16 = 1;
const READ_BUFFER_BYTES: usize = 256 * 1024;
/// What the client asks for; brokers offer it.
const FRAME_BYTES_MAX: usize = 131_072;

/// Methods the load tool has no use for.
const QUEUE_UNBIND: MethodId = (50, 50);
const QUEUE_UNBIND_OK: MethodId = (50, 51);
const TX_SELECT: MethodId = (90, 10);
const TX_SELECT_OK: MethodId = (90, 11);

/// What arrives without being asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The broker took responsibility for a publish, or refused to.
    Confirm {
        /// Number of the publish, from 1.
        tag: u64,
        /// All publishes up to it are meant.
        multiple: bool,
        /// It was taken.
        taken: bool,
    },
    /// A message for a consumer.
    Delivery {
        /// Its delivery tag.
        tag: u64,
        /// It may have been delivered before.
        redelivered: bool,
        /// All of its body.
        body: Vec<u8>,
    },
}

/// An open connection with one channel.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    output: Vec<u8>,
    input: FrameBuffer,
    events: VecDeque<Event>,
    /// A delivery whose body is not complete: its tag, its flag, the octets to come, the body so far.
    partial: Option<(u64, bool, u64, Vec<u8>)>,
}

/// What the broker said when it closed the channel.
#[derive(Debug)]
struct Refusal {
    code: u16,
    text: String,
}

fn broken(error: Malformed) -> Error {
    Error::new(ErrorKind::InvalidData, error)
}

fn short(text: &str) -> ShortString {
    text.parse().expect("names in tests are short")
}

fn put_names(args: &mut Vec<u8>, names: &[&str]) {
    args.extend_from_slice(&[0, 0]);
    for name in names {
        args.put_short(&short(name));
    }
}

impl Client {
    /// Connects as guest to the vhost `/` and opens a channel.
    ///
    /// # Errors
    /// Here and everywhere below: when the connection is lost, nothing comes within [`DEADLINE`], or the broker refuses.
    pub fn connect(broker: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(broker)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        let input = FrameBuffer::new(READ_BUFFER_BYTES, FRAME_BYTES_MAX);
        let mut client =
            Self { stream, output: PROTOCOL_HEADER.to_vec(), input, events: VecDeque::new(), partial: None };
        client.answer(method::CONNECTION_START)?;
        client.output.put_method(0, method::CONNECTION_START_OK, |args| {
            args.put_table(&Table::new());
            args.put_short(&short("PLAIN"));
            args.put_long(b"\0guest\0guest");
            args.put_short(&short("en_US"));
        });
        client.answer(method::CONNECTION_TUNE)?;
        client.output.put_method(0, method::CONNECTION_TUNE_OK, |args| {
            args.extend_from_slice(&1_u16.to_be_bytes());
            args.extend_from_slice(&(FRAME_BYTES_MAX as u32).to_be_bytes());
            args.extend_from_slice(&0_u16.to_be_bytes());
        });
        client.output.put_method(0, method::CONNECTION_OPEN, |args| {
            args.put_short(&short("/"));
            args.extend_from_slice(&[0, 0]);
        });
        client.answer(method::CONNECTION_OPEN_OK)?;
        client.open_channel()?;
        Ok(client)
    }

    fn open_channel(&mut self) -> Result<()> {
        self.call(method::CHANNEL_OPEN, method::CHANNEL_OPEN_OK, |args| args.push(0)).map(drop)
    }

    /// Declares a durable exchange.
    pub fn declare_exchange(&mut self, name: &str, kind: &str) -> Result<()> {
        const DURABLE: u8 = 1 << 1;
        let args = |args: &mut Vec<u8>| {
            put_names(args, &[name, kind]);
            args.push(DURABLE);
            args.put_table(&Table::new());
        };
        self.call(method::EXCHANGE_DECLARE, method::EXCHANGE_DECLARE_OK, args).map(drop)
    }

    /// Declares a durable queue.
    pub fn declare_queue(&mut self, name: &str) -> Result<()> {
        const DURABLE: u8 = 1 << 1;
        let args = |args: &mut Vec<u8>| {
            put_names(args, &[name]);
            args.push(DURABLE);
            args.put_table(&Table::new());
        };
        self.call(method::QUEUE_DECLARE, method::QUEUE_DECLARE_OK, args).map(drop)
    }

    /// How many messages a queue has ready; `None` when there is no such queue.
    pub fn count(&mut self, name: &str) -> Result<Option<u32>> {
        const PASSIVE: u8 = 1;
        const NOT_FOUND: u16 = 404;
        self.output.put_method(CHANNEL, method::QUEUE_DECLARE, |args| {
            put_names(args, &[name]);
            args.push(PASSIVE);
            args.put_table(&Table::new());
        });
        match self.answer_or_refusal(method::QUEUE_DECLARE_OK)? {
            Ok(answer) => {
                // The name, then the number of messages and that of consumers.
                let numbers = answer.get(1 + usize::from(answer[0])..).unwrap_or_default();
                let count = numbers.first_chunk::<4>().ok_or_else(|| broken(Malformed::Short))?;
                Ok(Some(u32::from_be_bytes(*count)))
            }
            Err(refusal) if refusal.code == NOT_FOUND => {
                self.output.put_method(CHANNEL, method::CHANNEL_CLOSE_OK, |_| {});
                self.open_channel()?;
                Ok(None)
            }
            Err(refusal) => Err(refused(&refusal)),
        }
    }

    /// Binds a queue.
    pub fn bind(&mut self, queue: &str, exchange: &str, key: &str) -> Result<()> {
        let args = |args: &mut Vec<u8>| {
            put_names(args, &[queue, exchange, key]);
            args.push(0);
            args.put_table(&Table::new());
        };
        self.call(method::QUEUE_BIND, method::QUEUE_BIND_OK, args).map(drop)
    }

    /// Takes a binding away.
    pub fn unbind(&mut self, queue: &str, exchange: &str, key: &str) -> Result<()> {
        let args = |args: &mut Vec<u8>| {
            put_names(args, &[queue, exchange, key]);
            args.put_table(&Table::new());
        };
        self.call(QUEUE_UNBIND, QUEUE_UNBIND_OK, args).map(drop)
    }

    /// Throws away what a queue has ready.
    pub fn purge(&mut self, queue: &str) -> Result<()> {
        let args = |args: &mut Vec<u8>| {
            put_names(args, &[queue]);
            args.push(0);
        };
        self.call(method::QUEUE_PURGE, method::QUEUE_PURGE_OK, args).map(drop)
    }

    /// Deletes a queue.
    pub fn delete_queue(&mut self, queue: &str) -> Result<()> {
        let args = |args: &mut Vec<u8>| {
            put_names(args, &[queue]);
            args.push(0);
        };
        self.call(method::QUEUE_DELETE, method::QUEUE_DELETE_OK, args).map(drop)
    }

    /// Asks for a confirm of every publish from now on.
    pub fn select_confirms(&mut self) -> Result<()> {
        self.call(method::CONFIRM_SELECT, method::CONFIRM_SELECT_OK, |args| args.push(0)).map(drop)
    }

    /// Appends a persistent message to what the next [`Client::flush`] (or call) sends.
    pub fn publish(&mut self, exchange: &str, key: &str, body: &[u8]) {
        self.publish_as(exchange, key, body, true);
    }

    /// [`Client::publish`] of a message that is persistent or not.
    pub fn publish_as(&mut self, exchange: &str, key: &str, body: &[u8], persistent: bool) {
        self.output.put_method(CHANNEL, method::BASIC_PUBLISH, |args| {
            put_names(args, &[exchange, key]);
            args.push(0);
        });
        self.output.put_header(CHANNEL, body.len() as u64, &Properties { persistent, headers: Table::new() });
        self.output.put_body(CHANNEL, body, FRAME_BYTES_MAX);
    }

    /// Consumes from a queue, with acknowledgements; a prefetch of 0 is no limit.
    pub fn consume(&mut self, queue: &str, prefetch: u16) -> Result<()> {
        self.limit(prefetch)?;
        self.consume_as(queue, false)
    }

    /// Consumes from a queue, with acknowledgements or without.
    pub fn consume_as(&mut self, queue: &str, no_ack: bool) -> Result<()> {
        let args = |args: &mut Vec<u8>| {
            put_names(args, &[queue, ""]);
            args.push(u8::from(no_ack) << 1);
            args.put_table(&Table::new());
        };
        self.call(method::BASIC_CONSUME, method::BASIC_CONSUME_OK, args).map(drop)
    }

    /// Sets the prefetch of consumers to come; by itself a question whose answer says that all before was read.
    pub fn limit(&mut self, prefetch: u16) -> Result<()> {
        let args = |args: &mut Vec<u8>| {
            args.extend_from_slice(&[0; 4]);
            args.extend_from_slice(&prefetch.to_be_bytes());
            args.push(0);
        };
        self.call(method::BASIC_QOS, method::BASIC_QOS_OK, args).map(drop)
    }

    /// Appends an acknowledgement to what is sent next.
    pub fn ack(&mut self, tag: u64, multiple: bool) {
        self.output.put_method(CHANNEL, method::BASIC_ACK, |args| {
            args.extend_from_slice(&tag.to_be_bytes());
            args.push(u8::from(multiple));
        });
    }

    /// Appends a refusal to what is sent next: the message goes back to the queue, or away.
    pub fn nack(&mut self, tag: u64, requeue: bool) {
        self.output.put_method(CHANNEL, method::BASIC_NACK, |args| {
            args.extend_from_slice(&tag.to_be_bytes());
            args.push(u8::from(requeue) << 1);
        });
    }

    /// Puts the channel into transaction mode.
    pub fn select_transactions(&mut self) -> Result<()> {
        self.call(TX_SELECT, TX_SELECT_OK, |_| {}).map(drop)
    }

    /// Sends what was appended.
    pub fn flush(&mut self) -> Result<()> {
        self.stream.write_all(&self.output)?;
        self.output.clear();
        Ok(())
    }

    /// The next event; waits for it.
    pub fn event(&mut self) -> Result<Event> {
        self.flush()?;
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            if let Some((id, _)) = self.step()? {
                return Err(Error::other(format!("method {}.{} where none was expected", id.0, id.1)));
            }
        }
    }

    /// The events that have arrived already.
    pub fn arrived(&mut self) -> impl Iterator<Item = Event> + '_ {
        self.events.drain(..)
    }

    fn call(&mut self, id: MethodId, answer: MethodId, args: impl FnOnce(&mut Vec<u8>)) -> Result<Vec<u8>> {
        self.output.put_method(CHANNEL, id, args);
        self.answer(answer)
    }

    fn answer(&mut self, id: MethodId) -> Result<Vec<u8>> {
        self.answer_or_refusal(id)?.map_err(|refusal| refused(&refusal))
    }

    /// Sends the output and waits for a method or for the end of the channel; events are kept.
    fn answer_or_refusal(&mut self, id: MethodId) -> Result<std::result::Result<Vec<u8>, Refusal>> {
        self.flush()?;
        loop {
            match self.step()? {
                Some((got, args)) if got == id => return Ok(Ok(args)),
                Some((method::CHANNEL_CLOSE, args)) => {
                    let mut args = Args::new(&args);
                    let code = args.short().map_err(broken)?;
                    let text = String::from_utf8_lossy(args.short_string().map_err(broken)?).into_owned();
                    return Ok(Err(Refusal { code, text }));
                }
                Some((got, args)) => {
                    let text = String::from_utf8_lossy(&args);
                    return Err(Error::other(format!("method {}.{} instead of {id:?}: {text}", got.0, got.1)));
                }
                None => {}
            }
        }
    }

    /// Takes one frame, after reading when there is none: a method that is an answer is returned, all else is noted.
    fn step(&mut self) -> Result<Option<(MethodId, Vec<u8>)>> {
        loop {
            let Self { input, events, partial, .. } = self;
            if let Some(frame) = input.next_frame().map_err(broken)? {
                return note(frame, events, partial).map_err(broken);
            }
            match self.stream.read(self.input.room())? {
                0 => return Err(Error::new(ErrorKind::UnexpectedEof, "the broker hung up")),
                count => self.input.filled(count),
            }
        }
    }
}

fn refused(refusal: &Refusal) -> Error {
    Error::other(format!("{} {}", refusal.code, refusal.text))
}

type Answer = Option<(MethodId, Vec<u8>)>;

fn note(
    frame: Frame<'_>,
    events: &mut VecDeque<Event>,
    partial: &mut Option<(u64, bool, u64, Vec<u8>)>,
) -> std::result::Result<Answer, Malformed> {
    match frame.incoming {
        Incoming::Method(id @ (method::BASIC_ACK | method::BASIC_NACK), mut args) => {
            let (tag, bits) = (args.long_long()?, args.octet()?);
            events.push_back(Event::Confirm { tag, multiple: bits & 1 == 1, taken: id == method::BASIC_ACK });
        }
        Incoming::Method(method::BASIC_DELIVER, mut args) => {
            args.short_string()?;
            *partial = Some((args.long_long()?, args.octet()? & 1 == 1, u64::MAX, Vec::new()));
        }
        Incoming::Method(id, args) => return Ok(Some((id, args.rest().to_vec()))),
        Incoming::Header { body_bytes } => {
            let (_, _, left, _) = partial.as_mut().ok_or(Malformed::Short)?;
            *left = body_bytes;
        }
        Incoming::Body(bytes) => {
            let (_, _, left, body) = partial.as_mut().ok_or(Malformed::Short)?;
            *left = left.checked_sub(bytes.len() as u64).ok_or(Malformed::Short)?;
            body.extend_from_slice(bytes);
        }
        Incoming::Heartbeat => {}
    }
    if let Some((tag, redelivered, _, body)) = partial.take_if(|(_, _, left, _)| *left == 0) {
        events.push_back(Event::Delivery { tag, redelivered, body });
    }
    Ok(None)
}
