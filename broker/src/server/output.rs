//! The bytes on their way to the socket, and the room their consumers get back once the
//! socket has them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use crate::domain::queue::ConsumerKey;
use crate::runtime::queue::{OutboundCredit, QueueHandle};
use crate::runtime::vhost::ReplyRoom;

/// Unwritten bytes beyond which the connection stops reading its socket.
pub(super) const UNWRITTEN_BYTES_MAX: usize = 16 << 20;

/// Buffer a quiet connection keeps.
const IDLE_BUFFER_BYTES_MAX: usize = 256 << 10;

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
    start: usize,
    written: u64,
    grants: VecDeque<Grant>,
    replies: VecDeque<(u64, ReplyRoom)>,
}

impl Output {
    /// Bytes not written yet.
    pub(super) fn pending(&self) -> usize {
        self.bytes.len() - self.start
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

    /// Writes as much as the socket takes.
    pub(super) fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        socket: &mut W,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        while self.start < self.bytes.len() {
            let count = ready!(Pin::new(&mut *socket).poll_write(context, &self.bytes[self.start..]))?;
            if count == 0 {
                return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
            }
            self.start += count;
            self.written += count as u64;
        }
        self.start = 0;
        self.bytes.clear();
        self.bytes.shrink_to(IDLE_BUFFER_BYTES_MAX);
        Poll::Ready(Ok(()))
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
