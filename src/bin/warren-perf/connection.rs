//! One AMQP connection on a blocking socket, driven by the one thread that owns it.
//!
//! Output gathers in a reused buffer and leaves in one write per batch. While a write waits for room, what the server
//! sends is read, so that neither side can block the other for ever. Heartbeats are negotiated away: a run watches
//! progress itself. Knows frames, not queues or measurements.

use std::cell::Cell;
use std::io;
use std::net::TcpStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::error::PerfError;
use crate::uri::Uri;
use crate::wire::encode::{Field, Table};
use crate::wire::{Args, Encode, Frame, FrameBuffer, Incoming, MethodId, PROTOCOL_HEADER, ShortString, method};

/// The first channel of a connection, and the only one unless workers share it.
pub const CHANNEL: u16 = 1;

/// Octets taken from the socket in one call at most.
const READ_BUFFER_BYTES: usize = 256 * 1024;

/// The largest frame the tool asks for; also RabbitMQ's default.
const FRAME_BYTES_MAX: u32 = 131_072;

/// The smallest `frame_max` the protocol allows.
const FRAME_BYTES_MIN: u32 = 4_096;

/// How long a receive may wait.
#[derive(Debug, Clone, Copy)]
pub enum Wait {
    /// Not at all.
    No,
    /// As long as `set_idle_wait` said: one system call, but coarse (some milliseconds).
    Idle,
    /// This long, to the microsecond.
    For(Duration),
}

/// An open connection.
pub struct Connection {
    socket: TcpStream,
    /// Frames to be sent with the next `flush`.
    pub output: Vec<u8>,
    input: FrameBuffer,
    frame_max: usize,
    stall: Duration,
}

/// What a frame that no caller was waiting for means.
#[derive(Debug, PartialEq, Eq)]
pub enum Aside {
    /// Nothing to do.
    Nothing,
    /// The server stopped reading publishes until an alarm is over.
    Blocked,
}

/// Judges a frame nobody was waiting for: a close becomes the error it carries.
pub fn aside(frame: Frame<'_>) -> Result<Aside, PerfError> {
    match frame.incoming {
        Incoming::Heartbeat => Ok(Aside::Nothing),
        Incoming::Method(method::CONNECTION_BLOCKED, _) => Ok(Aside::Blocked),
        Incoming::Method(method::CONNECTION_UNBLOCKED | method::CHANNEL_FLOW, _) => Ok(Aside::Nothing),
        Incoming::Method(id @ (method::CONNECTION_CLOSE | method::CHANNEL_CLOSE), args) => Err(refusal(id, args)?),
        Incoming::Method((class, number), _) => Err(PerfError::Unexpected(class, number)),
        Incoming::Header { .. } | Incoming::Body(_) => Err(PerfError::Unexpected(60, 0)),
    }
}

fn refusal(id: MethodId, mut args: Args<'_>) -> Result<PerfError, PerfError> {
    let code = args.short()?;
    let text = String::from_utf8_lossy(args.short_string()?).into_owned();
    let cause: MethodId = (args.short()?, args.short()?);
    let level = if id == method::CONNECTION_CLOSE { "connection" } else { "channel" };
    let what = if cause == (0, 0) {
        format!("the {level}")
    } else {
        format!("method {}.{} and closed the {level}", cause.0, cause.1)
    };
    Ok(PerfError::Refused { what, code, text })
}

fn lost(what: &str, source: impl Into<io::Error>) -> PerfError {
    PerfError::Unavailable { what: what.to_owned(), source: source.into() }
}

impl Connection {
    /// Connects, logs in, opens the vhost and the channels from `CHANNEL` on; `name` is what a management page shows.
    pub fn open(uri: &Uri, name: &str, stall: Duration, channels: u16) -> Result<Self, PerfError> {
        let connected = TcpStream::connect((uri.host.as_str(), uri.port));
        let socket = connected.map_err(|e| lost(&format!("cannot connect to {}:{}", uri.host, uri.port), e))?;
        socket.set_nodelay(true).map_err(|e| lost("cannot set TCP_NODELAY", e))?;
        let input = FrameBuffer::new(READ_BUFFER_BYTES, FRAME_BYTES_MAX as usize);
        let frame_max = FRAME_BYTES_MIN as usize;
        let mut connection = Self { socket, output: PROTOCOL_HEADER.to_vec(), input, frame_max, stall };
        let channel_max = connection.handshake(uri, name)?;
        if channel_max != 0 && channels > channel_max {
            return Err(PerfError::Usage(format!(
                "{channels} workers would share a connection, but the server allows {channel_max} channels: more --connections are needed"
            )));
        }
        for channel in CHANNEL..CHANNEL + channels {
            connection.output.put_method(channel, method::CHANNEL_OPEN, |args| args.push(0));
            connection.await_method(channel, method::CHANNEL_OPEN_OK, |_| Ok(()))?;
        }
        Ok(connection)
    }

    /// Up to the open vhost; returns how many channels the server allows, 0 for no limit.
    fn handshake(&mut self, uri: &Uri, name: &str) -> Result<u16, PerfError> {
        self.await_method(0, method::CONNECTION_START, |_| Ok(()))?;
        let properties = client_properties(name);
        let response = [b"\0", uri.user.as_bytes(), b"\0", uri.password.as_bytes()].concat();
        self.output.put_method(0, method::CONNECTION_START_OK, |args| {
            args.put_table(&properties);
            args.put_short(&short("PLAIN"));
            args.put_long(&response);
            args.put_short(&short("en_US"));
        });
        let (channel_max, frame_max) =
            self.await_method(0, method::CONNECTION_TUNE, |args| Ok((args.short()?, args.long()?)))?;
        let frame_max =
            if frame_max == 0 { FRAME_BYTES_MAX } else { frame_max.clamp(FRAME_BYTES_MIN, FRAME_BYTES_MAX) };
        self.frame_max = frame_max as usize;
        self.output.put_method(0, method::CONNECTION_TUNE_OK, |args| {
            args.extend_from_slice(&channel_max.to_be_bytes());
            args.extend_from_slice(&frame_max.to_be_bytes());
            args.extend_from_slice(&0_u16.to_be_bytes());
        });
        self.output.put_method(0, method::CONNECTION_OPEN, |args| {
            args.put_short(&uri.vhost);
            args.extend_from_slice(&[0, 0]);
        });
        self.await_method(0, method::CONNECTION_OPEN_OK, |_| Ok(channel_max))
    }

    /// The largest frame the server accepts, in octets.
    pub fn frame_max(&self) -> usize {
        self.frame_max
    }

    /// How long `Wait::Idle` waits.
    pub fn set_idle_wait(&self, wait: Duration) -> Result<(), PerfError> {
        self.socket.set_read_timeout(Some(wait)).map_err(|e| lost("cannot set a read timeout", e))
    }

    /// Sends a method on the first channel and waits for its answer; anything else that arrives is set aside.
    pub fn call<T>(
        &mut self,
        id: MethodId,
        answer: MethodId,
        args: impl FnOnce(&mut Vec<u8>),
        read: impl FnOnce(&mut Args<'_>) -> Result<T, PerfError>,
    ) -> Result<T, PerfError> {
        self.call_on(CHANNEL, id, answer, args, read)
    }

    /// The same on any channel.
    pub fn call_on<T>(
        &mut self,
        channel: u16,
        id: MethodId,
        answer: MethodId,
        args: impl FnOnce(&mut Vec<u8>),
        read: impl FnOnce(&mut Args<'_>) -> Result<T, PerfError>,
    ) -> Result<T, PerfError> {
        self.output.put_method(channel, id, args);
        self.await_method(channel, answer, read)
    }

    fn await_method<T>(
        &mut self,
        channel: u16,
        id: MethodId,
        read: impl FnOnce(&mut Args<'_>) -> Result<T, PerfError>,
    ) -> Result<T, PerfError> {
        self.flush(|frame| aside(frame).map(drop))?;
        loop {
            while let Some(frame) = self.input.next_frame()? {
                match frame.incoming {
                    Incoming::Method(got, mut args) if got == id && frame.channel == channel => return read(&mut args),
                    _ => aside(frame).map(drop)?,
                }
            }
            if !self.receive(Wait::For(self.stall))? {
                return Err(self.stalled(&format!("method {}.{}", id.0, id.1)));
            }
        }
    }

    /// The error for a wait that took too long.
    pub fn stalled(&self, what: &str) -> PerfError {
        PerfError::Stalled { what: what.to_owned(), seconds: self.stall.as_secs() }
    }

    /// Sends all output; says whether it had to wait for the server. Frames that arrive meanwhile go to `on_frame`.
    pub fn flush(&mut self, mut on_frame: impl FnMut(Frame<'_>) -> Result<(), PerfError>) -> Result<bool, PerfError> {
        let mut sent = 0;
        let mut waited = false;
        while sent < self.output.len() {
            match send(&self.socket, &self.output[sent..], SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(count) => sent += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    waited = true;
                    let ready = self.poll(PollFlags::IN | PollFlags::OUT, self.stall)?;
                    if ready.is_empty() {
                        return Err(self.stalled("the server to read"));
                    }
                    if ready.contains(PollFlags::IN) {
                        self.receive(Wait::No)?;
                        self.each_frame(&mut on_frame)?;
                    }
                }
                Err(errno) => {
                    // A server that closes says why before it hangs up: its reason is better than a broken pipe.
                    while self.receive(Wait::No).unwrap_or(false) {
                        self.each_frame(&mut on_frame)?;
                    }
                    self.each_frame(&mut on_frame)?;
                    return Err(lost("cannot send", errno));
                }
            }
        }
        self.output.clear();
        Ok(waited)
    }

    /// Hands every whole frame that has arrived to `on_frame`.
    pub fn each_frame(
        &mut self,
        mut on_frame: impl FnMut(Frame<'_>) -> Result<(), PerfError>,
    ) -> Result<(), PerfError> {
        while let Some(frame) = self.input.next_frame()? {
            on_frame(frame)?;
        }
        Ok(())
    }

    /// Hands every whole frame to `on_frame` together with the output, for answers such as acknowledgements.
    #[inline]
    pub fn each_frame_with_output(
        &mut self,
        mut on_frame: impl FnMut(Frame<'_>, &mut Vec<u8>) -> Result<(), PerfError>,
    ) -> Result<(), PerfError> {
        while let Some(frame) = self.input.next_frame()? {
            on_frame(frame, &mut self.output)?;
        }
        Ok(())
    }

    /// Takes what the socket has; `false` when nothing came in time.
    pub fn receive(&mut self, wait: Wait) -> Result<bool, PerfError> {
        let flags = match wait {
            Wait::Idle => RecvFlags::empty(),
            Wait::No => RecvFlags::DONTWAIT,
            Wait::For(time) => {
                if self.poll(PollFlags::IN, time)?.is_empty() {
                    return Ok(false);
                }
                RecvFlags::DONTWAIT
            }
        };
        match recv(&self.socket, self.input.room(), flags) {
            Ok((_, 0)) => Err(lost("the server hung up", io::ErrorKind::UnexpectedEof)),
            Ok((_, count)) => {
                self.input.filled(count);
                Ok(true)
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(false),
            Err(errno) => Err(lost("cannot receive", errno)),
        }
    }

    fn poll(&self, flags: PollFlags, wait: Duration) -> Result<PollFlags, PerfError> {
        let mut polled = [PollFd::new(&self.socket, flags)];
        let timeout = Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_nanos()) };
        match poll(&mut polled, Some(&timeout)) {
            Ok(0) => Ok(PollFlags::empty()),
            // An error or a hang-up is reported by the read or write that follows.
            Ok(_) => Ok(polled[0].revents()),
            Err(Errno::INTR) => Ok(flags),
            Err(errno) => Err(lost("cannot wait for the socket", errno)),
        }
    }

    /// Sends the output and waits for a method on a channel; every other frame goes to `on_frame`.
    pub fn await_with(
        &mut self,
        channel: u16,
        id: MethodId,
        mut on_frame: impl FnMut(Frame<'_>, &mut Vec<u8>) -> Result<(), PerfError>,
    ) -> Result<(), PerfError> {
        let answered = Cell::new(false);
        let mut later = Vec::new();
        let mut judge = |frame: Frame<'_>, out: &mut Vec<u8>| match frame.incoming {
            Incoming::Method(got, _) if got == id && frame.channel == channel => {
                answered.set(true);
                Ok(())
            }
            _ => on_frame(frame, out),
        };
        self.flush(|frame| judge(frame, &mut later))?;
        self.each_frame(|frame| judge(frame, &mut later))?;
        while !answered.get() {
            if !self.receive(Wait::For(self.stall))? {
                return Err(self.stalled(&format!("method {}.{}", id.0, id.1)));
            }
            self.each_frame(|frame| judge(frame, &mut later))?;
        }
        self.output.append(&mut later);
        Ok(())
    }

    /// Closes a channel, which the server answers only after it has handled everything sent before on it; what the server
    /// sends before its answer goes to `on_frame`.
    pub fn close_channel_with(
        &mut self,
        channel: u16,
        mut on_frame: impl FnMut(Frame<'_>) -> Result<(), PerfError>,
    ) -> Result<(), PerfError> {
        self.output.put_method(channel, method::CHANNEL_CLOSE, put_farewell);
        self.await_with(channel, method::CHANNEL_CLOSE_OK, |frame, _| on_frame(frame))
    }

    /// Says goodbye, so that the server does not log an abrupt end. A failure here changes nothing any more.
    pub fn close(mut self) {
        self.output.put_method(0, method::CONNECTION_CLOSE, put_farewell);
        let _ = self.await_method(0, method::CONNECTION_CLOSE_OK, |_| Ok(()));
    }
}

/// The arguments of an orderly close: code 200, a text, no cause.
fn put_farewell(args: &mut Vec<u8>) {
    args.extend_from_slice(&200_u16.to_be_bytes());
    args.put_short(&short("done"));
    args.extend_from_slice(&[0; 4]);
}

/// A text of the tool itself, always short enough.
fn short(text: &str) -> ShortString {
    text.parse().unwrap_or_default()
}

fn client_properties(name: &str) -> Table {
    let capability = |name| (short(name), Field::Bool(true));
    let capabilities = [
        "publisher_confirms",
        "consumer_cancel_notify",
        "connection.blocked",
        "basic.nack",
        "authentication_failure_close",
    ]
    .map(capability)
    .to_vec();
    vec![
        (short("product"), Field::Text("warren-perf".into())),
        (short("version"), Field::Text(env!("CARGO_PKG_VERSION").into())),
        (short("platform"), Field::Text("Rust".into())),
        (short("connection_name"), Field::Text(name.to_owned())),
        (short("capabilities"), Field::Table(capabilities)),
    ]
}
