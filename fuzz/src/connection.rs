//! Whole connections to a broker in this process: scripts of methods and contents, some damaged, over real sockets.
//!
//! Whatever is said, the broker answers in whole frames, ends the connection when the client has ended its side, serves
//! others, and no task of it panics.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use broker::amqp091::frame;
use broker::domain::alarm::Watermark;
use broker::domain::user::HashAlgorithm;
use broker::domain::value::FieldTable;
use broker::domain::wire;
use broker::{Node, Settings};

use crate::grammar;
use crate::random::Random;

/// The longest wait for the broker.
const DEADLINE: Duration = Duration::from_secs(30);
/// The frame limit that scripts agree on.
const FRAME_MAX: u32 = 4096;
/// Connections of one execution.
const CONNECTIONS_MAX: usize = 3;
/// Steps of one script.
const STEPS_MAX: usize = 30;
/// Executions between two looks whether others are still served.
const PROBE_EVERY: u64 = 50;
/// Executions on one broker; then it must stop in order, and a fresh one starts.
const EXECUTIONS_PER_BROKER: u64 = 2000;

/// Panics of any thread since the start.
static PANICS: AtomicU64 = AtomicU64::new(0);

/// A broker and how often it was used.
pub struct Target {
    running: Option<Running>,
    executions: u64,
}

struct Running {
    runtime: tokio::runtime::Runtime,
    node: Node,
    address: SocketAddr,
    _dir: tempfile::TempDir,
}

impl Target {
    /// A target whose broker starts with the first execution.
    #[must_use]
    pub fn new() -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let usual = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                PANICS.fetch_add(1, Ordering::Relaxed);
                usual(panic);
            }));
        });
        Self { running: None, executions: 0 }
    }

    /// One execution: a few connections, their scripts interleaved.
    ///
    /// # Errors
    /// When a rule does not hold.
    pub fn run(&mut self, seed: u64) -> Result<()> {
        let panics = PANICS.load(Ordering::Relaxed);
        if self.executions.is_multiple_of(EXECUTIONS_PER_BROKER) {
            self.stop()?;
            self.running = Some(Running::start()?);
        }
        self.executions += 1;
        let running = self.running.as_ref().context("the broker was started above")?;
        converse(running.address, &mut Random::new(seed))?;
        if self.executions.is_multiple_of(PROBE_EVERY) {
            probe(running.address).context("another client is not served any longer")?;
        }
        ensure!(PANICS.load(Ordering::Relaxed) == panics, "a task of the broker panicked");
        Ok(())
    }

    /// Stops the broker in order.
    ///
    /// # Errors
    /// When it does not stop.
    pub fn stop(&mut self) -> Result<()> {
        let Some(running) = self.running.take() else { return Ok(()) };
        probe(running.address).context("another client is not served at the end")?;
        let stopped = running.runtime.block_on(async { tokio::time::timeout(DEADLINE, running.node.shutdown()).await });
        stopped.context("the broker does not stop")?.context("the broker stops with an error")
    }
}

impl Default for Target {
    fn default() -> Self {
        Self::new()
    }
}

impl Running {
    fn start() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let node = runtime.block_on(Node::start(settings(dir.path()), Vec::new()))?;
        let address = node.listeners().first().context("the broker listens")?.address;
        Ok(Self { runtime, node, address, _dir: dir })
    }
}

fn settings(data_dir: &std::path::Path) -> Settings {
    Settings {
        node_name: "rabbit@fuzz".into(),
        amqp_listeners: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
        handshake_timeout: DEADLINE,
        password_hashing: HashAlgorithm::Sha256,
        vm_memory_high_watermark: Watermark::Absolute(u64::MAX),
        ..Settings::embedded(data_dir.to_owned())
    }
}

/// Says the scripts piece by piece in turn, ends the clients' side, and reads each answer to its end.
fn converse(address: SocketAddr, random: &mut Random) -> Result<()> {
    let mut links = Vec::new();
    for _ in 0..=random.below(CONNECTIONS_MAX) {
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(DEADLINE))?;
        socket.set_write_timeout(Some(DEADLINE))?;
        socket.set_nodelay(true)?;
        links.push((socket, script(random)));
    }
    while links.iter().any(|(_, rest)| !rest.is_empty()) {
        for (socket, rest) in &mut links {
            let end = if random.once_in(2) { rest.len() } else { (1 + random.below(400)).min(rest.len()) };
            let piece: Vec<u8> = rest.drain(..end.min(rest.len())).collect();
            if let Err(error) = socket.write_all(&piece) {
                ensure!(!is_late(&error), "the broker does not read any longer");
                rest.clear(); // it has closed the connection
            }
        }
    }
    for (socket, _) in &mut links {
        let _ = socket.shutdown(Shutdown::Write);
    }
    for (mut socket, _) in links {
        check_answer(&read_to_end(&mut socket)?)?;
    }
    Ok(())
}

fn is_late(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}

fn read_to_end(socket: &mut TcpStream) -> Result<Vec<u8>> {
    let mut answer = Vec::new();
    match socket.read_to_end(&mut answer) {
        Err(error) if is_late(&error) => bail!("the broker does not end a connection that its client has ended"),
        // A reset is an end as well: the broker closed with input unread.
        _ => Ok(answer),
    }
}

/// An answer is a protocol header, or whole frames; the last may be cut by a reset.
fn check_answer(answer: &[u8]) -> Result<()> {
    let mut rest = answer.strip_prefix(b"AMQP\0\0\x09\x01").unwrap_or(answer);
    while let Ok(found) = frame::read(rest, 131_072) {
        let Some(found) = found else { return Ok(()) };
        ensure!(frame::is_known(&found) || found.kind == frame::METHOD, "a frame of type {}", found.kind);
        rest = &rest[found.payload.len() + frame::OVERHEAD_BYTES..];
    }
    bail!("an answer is no frame: {rest:?}")
}

/// The opening of a connection with its channels.
fn opening(channels: u16) -> Vec<u8> {
    let mut out = b"AMQP\0\0\x09\x01".to_vec();
    frame::write(&mut out, frame::METHOD, 0, |out| {
        out.extend([0, 10, 0, 11]);
        let mut capabilities = FieldTable::default();
        capabilities.insert("consumer_cancel_notify", broker::domain::value::FieldValue::Boolean(true));
        let mut properties = FieldTable::default();
        properties.insert("capabilities", broker::domain::value::FieldValue::Table(capabilities));
        wire::write_table(out, &properties);
        wire::write_short_string(out, "PLAIN");
        wire::write_long_string(out, b"\0guest\0guest");
        wire::write_short_string(out, "en_US");
    });
    frame::write(&mut out, frame::METHOD, 0, |out| {
        out.extend([0, 10, 0, 31, 0, 10]);
        out.extend(FRAME_MAX.to_be_bytes());
        out.extend([0, 0]);
    });
    frame::write(&mut out, frame::METHOD, 0, |out| out.extend(b"\0\x0a\0\x28\x01/\0\0"));
    for channel in 1..=channels {
        frame::write(&mut out, frame::METHOD, channel, |out| out.extend([0, 20, 0, 10, 0]));
    }
    out
}

fn script(random: &mut Random) -> Vec<u8> {
    let mut out = opening(2);
    for _ in 0..random.below(STEPS_MAX) {
        let channel = if random.once_in(15) { random.below(5) as u16 } else { 1 + random.below(2) as u16 };
        let start = out.len();
        match random.below(10) {
            0..4 => grammar::publish(random, &mut out, channel),
            4 if random.once_in(4) => frame::write_heartbeat(&mut out),
            // A channel that an error closed is opened again, or nothing after the first error would be looked at.
            4 | 5 => {
                frame::write(&mut out, frame::METHOD, channel, |out| out.extend([0, 20, 0, 41]));
                frame::write(&mut out, frame::METHOD, channel, |out| out.extend([0, 20, 0, 10, 0]));
            }
            _ => {
                let payload = grammar::method(random);
                frame::write(&mut out, frame::METHOD, channel, |out| out.extend(payload));
            }
        }
        if random.once_in(40) {
            let mut step = out.split_off(start);
            random.damage(&mut step);
            out.extend(step);
        }
    }
    if random.once_in(30) {
        random.damage(&mut out);
    }
    if random.once_in(2) {
        frame::write(&mut out, frame::METHOD, 0, |out| out.extend([0, 10, 0, 50, 0, 200, 0, 0, 0, 0, 0]));
    }
    out
}

/// Another client declares, publishes and gets.
fn probe(address: SocketAddr) -> Result<()> {
    let mut out = opening(1);
    let mut say = |payload: &[u8]| frame::write(&mut out, frame::METHOD, 1, |out| out.extend_from_slice(payload));
    say(b"\0\x32\0\x0a\0\0\x05probe\x04\0\0\0\0");
    say(b"\0\x3c\0\x28\0\0\0\x05probe\0");
    frame::write(&mut out, frame::HEADER, 1, |out| out.extend(b"\0\x3c\0\0\0\0\0\0\0\0\0\x02\0\0"));
    frame::write(&mut out, frame::BODY, 1, |out| out.extend(b"ok"));
    frame::write(&mut out, frame::METHOD, 1, |out| out.extend(b"\0\x3c\0\x46\0\0\x05probe\x01"));
    frame::write(&mut out, frame::METHOD, 0, |out| out.extend([0, 10, 0, 50, 0, 200, 0, 0, 0, 0, 0]));
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(DEADLINE))?;
    socket.write_all(&out)?;
    socket.shutdown(Shutdown::Write)?;
    let answer = read_to_end(&mut socket)?;
    let mut rest = &answer[..];
    while let Ok(Some(found)) = frame::read(rest, 131_072) {
        if found.kind == frame::BODY && found.payload == b"ok" {
            return Ok(());
        }
        rest = &rest[found.payload.len() + frame::OVERHEAD_BYTES..];
    }
    bail!("its message does not come back: {answer:?}")
}
