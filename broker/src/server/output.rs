//! The bytes on their way to the socket, and the room their consumers get back once the
//! socket has them.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;

use crate::amqp091::delivery::{ContentWriter, SharedBodies};
use crate::domain::queue::ConsumerKey;
use crate::runtime::queue::{OutboundCredit, QueueHandle};
use crate::runtime::vhost::ReplyRoom;

/// Unwritten bytes beyond which the connection stops reading its socket.
pub(super) const UNWRITTEN_BYTES_MAX: usize = 16 << 20;

/// Bytes to write that are written at once and not gathered further: they are still in the
/// cache, and the client can start on them.
pub(super) const WRITE_AT_BYTES: usize = 128 << 10;

/// Bytes one pass writes at most before it looks at anything else.
const WRITE_BYTES_PER_PASS_MAX: usize = 1 << 20;

/// Pieces handed to the socket at once.
const SLICES_PER_WRITE_MAX: usize = 64;

/// Buffer a connection keeps whatever little it needs.
const IDLE_BUFFER_BYTES_MAX: usize = 4 << 10;

/// A buffer is halved when less than this share of it was needed.
const SHARE_NEEDED: usize = 16;

/// Room to give back when the stream has got this far.
struct Grant {
    at: u64,
    credit: Arc<OutboundCredit>,
    bytes: usize,
    queue: QueueHandle,
    consumer: ConsumerKey,
}

/// An output buffer.
#[derive(Default)]
pub(super) struct Output {
    pub(super) bytes: Vec<u8>,
    /// Large bodies among `bytes`.
    bodies: SharedBodies,
    /// How far `bytes` is written.
    start: usize,
    written: u64,
    /// The socket has taken bytes and not said that they left: one that encrypts keeps some.
    unflushed: bool,
    grants: VecDeque<Grant>,
    replies: VecDeque<(u64, ReplyRoom)>,
}

impl Output {
    /// Bytes not written yet.
    pub(super) fn pending(&self) -> usize {
        self.bytes.len() - self.start + self.bodies.len()
    }

    /// Whether the socket may hold bytes back.
    pub(super) fn is_unflushed(&self) -> bool {
        self.unflushed
    }

    /// Writes messages for a channel.
    pub(super) fn content(&mut self, channel: u16, frame_max: u32) -> ContentWriter<'_> {
        ContentWriter { out: &mut self.bytes, bodies: &mut self.bodies, channel, frame_max }
    }

    /// Bytes written since the connection opened.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Gives `bytes` of credit back when everything encoded so far is written.
    pub(super) fn grant_when_written(
        &mut self,
        credit: &Arc<OutboundCredit>,
        bytes: usize,
        queue: &QueueHandle,
        consumer: ConsumerKey,
    ) {
        let at = self.written + self.pending() as u64;
        let (credit, queue) = (credit.clone(), queue.clone());
        self.grants.push_back(Grant { at, credit, bytes, queue, consumer });
    }

    /// Keeps the room of a reply taken until everything encoded so far is written.
    pub(super) fn hold_until_written(&mut self, room: ReplyRoom) {
        self.replies.push_back((self.written + self.pending() as u64, room));
    }

    /// Writes what the socket takes, up to what one pass may write.
    pub(super) fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        socket: &mut W,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        let enough = self.written + WRITE_BYTES_PER_PASS_MAX as u64;
        while self.pending() > 0 && self.written < enough {
            let socket = Pin::new(&mut *socket);
            let polled = if self.bodies.is_empty() {
                socket.poll_write(context, &self.bytes[self.start..])
            } else {
                let mut slices = [IoSlice::new(&[]); SLICES_PER_WRITE_MAX];
                let mut count = 0;
                for (place, slice) in slices.iter_mut().zip(self.bodies.slices(&self.bytes, self.start)) {
                    *place = IoSlice::new(slice);
                    count += 1;
                }
                socket.poll_write_vectored(context, &slices[..count])
            };
            let Poll::Ready(count) = polled? else {
                self.compact();
                return Poll::Pending;
            };
            if count == 0 {
                return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
            }
            self.start = self.bodies.advance(self.start, count);
            self.written += count as u64;
            self.unflushed = true;
        }
        if self.unflushed && self.pending() == 0 {
            let Poll::Ready(()) = Pin::new(&mut *socket).poll_flush(context)? else { return Poll::Pending };
            self.unflushed = false;
        }
        if self.pending() == 0 {
            let needed = self.bytes.len();
            self.start = 0;
            self.bytes.clear();
            if needed < self.bytes.capacity() / SHARE_NEEDED {
                self.bytes.shrink_to((self.bytes.capacity() / 2).max(IDLE_BUFFER_BYTES_MAX));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// A connection that never gets rid of everything must not keep what it got rid of.
    fn compact(&mut self) {
        if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.bodies.shift(self.start);
            self.start = 0;
        }
    }

    /// Gives back the credit of everything written, and names the queues that wait for it.
    pub(super) fn take_resumable(&mut self, mut resumable: impl FnMut(QueueHandle, ConsumerKey)) {
        while self.replies.front().is_some_and(|(at, _)| *at <= self.written) {
            self.replies.pop_front();
        }
        while self.grants.front().is_some_and(|grant| grant.at <= self.written) {
            let Some(grant) = self.grants.pop_front() else { return };
            if grant.credit.give(grant.bytes) {
                resumable(grant.queue, grant.consumer);
            }
        }
    }
}
