//! One task per connection: waits for the socket, for events and for the clock, and lets
//! the session do the rest. One read, many frames; one write, many deliveries.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};
use tokio_util::io::poll_read_buf;

use super::handshake::{self, Ends};
use super::input::Input;
use super::output::{UNWRITTEN_BYTES_MAX, WRITE_AT_BYTES};
use super::session::{Session, Standing};
use crate::amqp091::frame;
use crate::facade::Broker;
use crate::runtime::queue::ConnectionEvent;

/// Events taken in one pass.
const EVENTS_PER_PASS_MAX: usize = 128;
/// How long a connection that was busy keeps its read buffers while nothing comes.
const COOL_DOWN_AFTER: Duration = Duration::from_secs(1);
/// How long a closing connection waits for the other side.
const CLOSE_WAIT: Duration = Duration::from_secs(5);

/// Serves one accepted socket until it is over. A socket that has not become a
/// connection when the listener stops is dropped; a connection is told by the registry.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    broker: Broker,
    mut socket: S,
    ends: Ends,
    mut stop: watch::Receiver<bool>,
) {
    let opened = tokio::select! {
        opened = handshake::open(&broker, &mut socket, &ends) => opened,
        _ = stop.wait_for(|stop| *stop) => return,
    };
    let Some((session, input)) = opened else { return };
    tracing::info!(connection = %session.entry.name(), user = %session.user, vhost = %session.vhost, "connection opened");
    let mut driver = Driver::new(socket, session, input);
    let why = driver.run().await;
    driver.session.end().await;
    match why {
        Ok(()) => tracing::info!(connection = %driver.session.entry.name(), "connection closed"),
        Err(error) => tracing::warn!(connection = %driver.session.entry.name(), "connection lost: {error}"),
    }
    if driver.session.left_by_client {
        tokio::select! {
            () = await_end(&mut driver.socket) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
    let _ = driver.socket.shutdown().await;
}

/// Waits until the client closes its socket, for [`CLOSE_WAIT`] at most, and reads past what still comes. The reference
/// leaves closing to the client: one that sends on several threads would take an early end for a lost connection.
async fn await_end<S: AsyncRead + Unpin>(socket: &mut S) {
    let mut ignored = [0; 512];
    let _ = tokio::time::timeout(CLOSE_WAIT, async {
        while socket.read(&mut ignored).await.is_ok_and(|count| count > 0) {}
    })
    .await;
}

struct Driver<S> {
    socket: S,
    session: Session,
    input: Input,
    /// Whole frames a blocked connection has not taken yet; at most one read.
    held: Option<Bytes>,
    events: Vec<ConnectionEvent>,
    heartbeat: Option<Heartbeat>,
    closing_since: Option<Instant>,
    sleep: Pin<Box<Sleep>>,
}

/// When something was last heard and said.
struct Heartbeat {
    interval: Duration,
    heard: Instant,
    said: Instant,
}

/// What a wait brought.
#[derive(Default)]
struct Woken {
    read: Option<usize>,
    written: bool,
    tick: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    fn new(socket: S, session: Session, input: BytesMut) -> Self {
        let now = Instant::now();
        let heartbeat_s = session.tuned.heartbeat_s;
        let heartbeat = (heartbeat_s != 0).then(|| Heartbeat {
            interval: Duration::from_secs(heartbeat_s.into()),
            heard: now,
            said: now,
        });
        let sleep = Box::pin(tokio::time::sleep(Duration::ZERO));
        Self {
            socket,
            session,
            input: Input::new(input),
            held: None,
            events: Vec::new(),
            heartbeat,
            closing_since: None,
            sleep,
        }
    }

    async fn run(&mut self) -> std::io::Result<()> {
        self.schedule();
        // The handshake may have read further than its last method.
        self.take_input().await;
        loop {
            self.finish_pass().await;
            if self.session.standing == Standing::Closed && self.session.output.pending() == 0 {
                return Ok(());
            }
            let woken = self.wait().await?;
            match woken.read {
                Some(0) if self.session.standing == Standing::Open => {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                Some(0) => return Ok(()),
                Some(count) => {
                    self.session.entry.recv_oct.fetch_add(count as u64, Relaxed);
                    self.session.traffic.recv_oct.fetch_add(count as u64, Relaxed);
                    if let Some(heartbeat) = self.heartbeat.as_mut() {
                        heartbeat.heard = Instant::now();
                    }
                    self.take_input().await;
                }
                None => {}
            }
            let mut events = std::mem::take(&mut self.events);
            for event in events.drain(..) {
                self.session.take_event(event).await;
                self.write_gathered().await?;
            }
            self.events = events;
            if !self.session.is_blocked()
                && let Some(held) = self.held.take()
            {
                self.resume(held).await;
            }
            if woken.tick {
                self.session.expire_deliveries(Instant::now()).await;
                self.tick()?;
            }
        }
    }

    /// Hands the whole frames that have arrived to the session.
    async fn take_input(&mut self) {
        let frame_max = self.session.tuned.frame_max;
        match frame::complete_len(&self.input.bytes, frame_max) {
            Ok(0) => {}
            Ok(len) => {
                let chunk = self.input.take(len);
                self.take_chunk(chunk).await;
            }
            Err(violation) => {
                self.input.bytes.clear();
                self.session.fail(0, &violation, (0, 0)).await;
            }
        }
    }

    async fn take_chunk(&mut self, chunk: Bytes) {
        // A message that stays keeps the whole buffer it was read into.
        let held_bytes = chunk.len().max(self.input.read_bytes());
        let taken = self.session.take_chunk(&chunk, held_bytes).await;
        if self.session.is_blocked() {
            self.held = Some(chunk.slice(taken..));
        }
    }

    /// The connection is no longer blocked: takes what was left, and expects heartbeats again.
    async fn resume(&mut self, held: Bytes) {
        if let Some(heartbeat) = self.heartbeat.as_mut() {
            heartbeat.heard = Instant::now();
        }
        self.take_chunk(held).await;
    }

    /// Batches go to their queues, confirms into the output, credit back to consumers.
    async fn finish_pass(&mut self) {
        self.session.flush().await;
        self.session.resume_consumers().await;
        let pending = self.session.output.pending() as u64;
        self.session.entry.send_pend.store(pending, Relaxed);
        if self.session.standing != Standing::Open && self.closing_since.is_none() {
            self.closing_since = Some(Instant::now());
            self.schedule();
        }
        if self.session.deadlines.first().is_some_and(|first| first < self.sleep.deadline()) {
            self.schedule();
        }
    }

    /// Waits until there is something to do; reads and writes on the way.
    async fn wait(&mut self) -> std::io::Result<Woken> {
        let may_read = self.session.output.pending() < UNWRITTEN_BYTES_MAX
            && self.session.standing != Standing::Closed
            && !self.session.is_blocked();
        if may_read {
            self.input.make_room();
        }
        let woken = poll_fn(|context| self.poll_wait(context, may_read)).await?;
        if woken.written {
            self.account_written();
        }
        if let Some(count) = woken.read {
            let was_warm = self.input.is_warm();
            self.input.account_read(count);
            if self.input.is_warm() && !was_warm {
                self.schedule();
            }
        }
        Ok(woken)
    }

    fn account_written(&mut self) {
        let written = self.session.output.written();
        let before = self.session.entry.send_oct.swap(written, Relaxed);
        if before == written {
            return;
        }
        self.session.traffic.send_oct.fetch_add(written - before, Relaxed);
        if let Some(heartbeat) = self.heartbeat.as_mut() {
            heartbeat.said = Instant::now();
        }
    }

    /// Writes what events have gathered so far when that is much, if the socket takes it now.
    async fn write_gathered(&mut self) -> std::io::Result<()> {
        if self.session.output.pending() < WRITE_AT_BYTES {
            return Ok(());
        }
        poll_fn(|context| match self.session.output.poll_write(&mut self.socket, context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(())),
        })
        .await?;
        self.account_written();
        Ok(())
    }

    fn poll_wait(&mut self, context: &mut Context<'_>, may_read: bool) -> Poll<std::io::Result<Woken>> {
        let mut woken = Woken::default();
        let mut any = false;
        if self.session.output.pending() > 0 || self.session.output.is_unflushed() {
            match self.session.output.poll_write(&mut self.socket, context) {
                Poll::Ready(Ok(())) => {
                    woken.written = true;
                    any = true;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                // Some of it may be out: that is progress worth accounting with the next wake-up.
                Poll::Pending => woken.written = true,
            }
        }
        if let Poll::Ready(count) = self.session.events.poll_recv_many(context, &mut self.events, EVENTS_PER_PASS_MAX)
            && count > 0
        {
            any = true;
        }
        if may_read {
            match poll_read_buf(Pin::new(&mut self.socket), context, &mut self.input.bytes) {
                Poll::Ready(Ok(count)) => {
                    woken.read = Some(count);
                    any = true;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {}
            }
        }
        if self.sleep.as_mut().poll(context).is_ready() {
            woken.tick = true;
            any = true;
        }
        if any { Poll::Ready(Ok(woken)) } else { Poll::Pending }
    }

    /// Says a heartbeat when nothing else was said; gives up on a silent client.
    fn tick(&mut self) -> std::io::Result<()> {
        /// The reference looks once an interval and gives up at the second look that found nothing new, which is
        /// after two to three intervals. A client it keeps is kept here too.
        const SILENT_INTERVALS_MAX: u32 = 3;
        let now = Instant::now();
        if self.closing_since.is_some_and(|since| now.duration_since(since) >= CLOSE_WAIT) {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        if let Some(heartbeat) = &self.heartbeat {
            // Heartbeats of a blocked client lie unread in the socket; that it is gone shows when ours fail.
            if !self.session.is_blocked()
                && now.duration_since(heartbeat.heard) > heartbeat.interval * SILENT_INTERVALS_MAX
            {
                return Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "missed heartbeats from client"));
            }
            if now.duration_since(heartbeat.said) >= heartbeat.interval / 2 && self.session.output.pending() == 0 {
                frame::write_heartbeat(&mut self.session.output.bytes);
            }
        }
        self.input.cool_down();
        self.schedule();
        Ok(())
    }

    fn schedule(&mut self) {
        /// A tick nobody needs, far enough to cost nothing.
        const NO_TICK: Duration = Duration::from_secs(24 * 3600);
        let mut after = match (&self.heartbeat, self.closing_since) {
            (_, Some(_)) => CLOSE_WAIT,
            (Some(heartbeat), None) => heartbeat.interval / 2,
            (None, None) => NO_TICK,
        };
        if self.input.is_warm() {
            after = after.min(COOL_DOWN_AFTER);
        }
        let at = Instant::now() + after;
        self.sleep.as_mut().reset(self.session.deadlines.first().map_or(at, |first| first.min(at)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_has_left_closes_the_socket_itself() {
        let (client, mut server) = tokio::io::duplex(64);
        let started = Instant::now();
        await_end(&mut server).await;
        assert_eq!(started.elapsed(), CLOSE_WAIT, "a client that stays is waited for, but not for ever");
        drop(client);
        await_end(&mut server).await;
        assert_eq!(started.elapsed(), CLOSE_WAIT, "a client that goes ends the wait");
    }
}
