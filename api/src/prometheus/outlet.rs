//! How a long page leaves while it is written: in chunks, through a short channel, so that
//! its text is never in memory as a whole.
//!
//! Pages are written on a thread that may wait. A page shorter than a chunk is not sent
//! here at all: its writer hands it over whole.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Text that is sent at once, in bytes.
pub(super) const CHUNK_BYTES: usize = 256 * 1024;

/// Chunks that wait for the client.
const CHUNKS_WAITING_MAX: usize = 2;

/// Longest time a page may take its client to read; whoever is slower gets a part.
const PAGE_WAIT: Duration = Duration::from_secs(30);

/// Where a writer puts chunks.
#[derive(Debug)]
pub(crate) struct Outlet {
    chunks: mpsc::Sender<Result<Bytes, Stalled>>,
    runtime: Handle,
    deadline: Instant,
    /// The client has gone, or is too slow: nothing is sent any more.
    over: bool,
    sent: usize,
}

/// The client took longer than [`PAGE_WAIT`]: the page ends in the middle, and its
/// connection with it, so that nobody takes the part for the whole.
#[derive(Debug, thiserror::Error)]
#[error("the client reads too slowly")]
pub(super) struct Stalled;

/// The other end: the body of the answer.
#[derive(Debug)]
pub(super) struct Chunks {
    first: Option<Bytes>,
    rest: mpsc::Receiver<Result<Bytes, Stalled>>,
}

/// Makes both ends. To be called on a task.
pub(super) fn outlet() -> (Outlet, mpsc::Receiver<Result<Bytes, Stalled>>) {
    let (chunks, rest) = mpsc::channel(CHUNKS_WAITING_MAX);
    let outlet =
        Outlet { chunks, runtime: Handle::current(), deadline: Instant::now() + PAGE_WAIT, over: false, sent: 0 };
    (outlet, rest)
}

impl Outlet {
    /// Whether anything was sent.
    pub(super) fn is_used(&self) -> bool {
        self.sent > 0
    }

    /// Bytes that were sent.
    pub(super) fn sent(&self) -> usize {
        self.sent
    }

    /// Whether it is of no use to write on.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// Sends text and leaves its buffer empty. Waits for the client, not on a task.
    pub(super) fn send(&mut self, text: &mut String) {
        self.sent += text.len();
        if !self.over && !text.is_empty() {
            let chunk = Bytes::copy_from_slice(text.as_bytes());
            let sending = tokio::time::timeout_at(self.deadline, self.chunks.send(Ok(chunk)));
            match self.runtime.block_on(sending) {
                Ok(Ok(())) => {}
                Ok(Err(_)) => self.over = true,
                Err(_) => {
                    self.over = true;
                    let cut = self.chunks.clone();
                    // The channel is full; the end is told when there is room, or nobody is left to tell.
                    self.runtime.spawn(async move { drop(cut.send(Err(Stalled)).await) });
                }
            }
        }
        text.clear();
    }
}

impl Chunks {
    /// The body that begins with `first`.
    pub(super) fn new(first: Bytes, rest: mpsc::Receiver<Result<Bytes, Stalled>>) -> Self {
        Self { first: Some(first), rest }
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = Stalled;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Stalled>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let next = ready!(self.rest.poll_recv(context));
        Poll::Ready(next.map(|chunk| chunk.map(Frame::data)))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn chunks_arrive_in_order_and_a_slow_client_gets_no_end() {
        let (mut outlet, mut rest) = outlet();
        let writer = tokio::task::spawn_blocking(move || {
            for text in ["a", "b", "c"] {
                outlet.send(&mut text.to_owned());
            }
            (outlet.is_over(), outlet.sent())
        });
        let Some(Ok(first)) = rest.recv().await else { panic!("nothing came") };
        let whole = Chunks::new(first, rest).collect().await.unwrap().to_bytes();
        assert_eq!(whole, "abc");
        assert_eq!(writer.await.unwrap(), (false, 3));
    }

    #[tokio::test]
    async fn who_has_gone_is_sent_nothing_more() {
        let (mut outlet, rest) = outlet();
        drop(rest);
        let over = tokio::task::spawn_blocking(move || {
            outlet.send(&mut "a".to_owned());
            outlet.is_over()
        });
        assert!(over.await.unwrap());
    }

    #[tokio::test]
    async fn a_page_that_is_not_read_in_time_is_cut_off_with_an_error() {
        let (mut outlet, mut rest) = outlet();
        outlet.deadline = Instant::now();
        let writer = tokio::task::spawn_blocking(move || {
            for text in ["a", "b", "c"] {
                outlet.send(&mut text.to_owned());
            }
            outlet.is_over()
        });
        assert!(writer.await.unwrap());
        let Some(Ok(first)) = rest.recv().await else { panic!("nothing came") };
        assert!(Chunks::new(first, rest).collect().await.is_err());
    }
}
