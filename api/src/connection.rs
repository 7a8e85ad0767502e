//! One HTTP connection from accept to end: HTTP/1.1 or HTTP/2, how long it may be silent,
//! how large a head may be, and an end that lets the client read the last answer.
//!
//! Knows no resource. Bodies are bounded where they are read, in `body`.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::http::header::{CONNECTION, HOST};
use axum::http::{StatusCode, Version};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::sync::watch;
use tokio::time::Instant;
use tower::ServiceExt as _;

use crate::PeerAddress;
use crate::options::Timeouts;

/// Most header lines of a request.
const HEADERS_MAX: usize = 100;

/// Largest head of a request, in bytes; also most of what a client may send ahead of answers.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Requests of one HTTP/2 connection under way at a time.
const STREAMS_MAX: u32 = 100;

/// How long a connection that is over goes on taking what the client still sends. One that
/// is cut while it sends loses the answer it was given.
const LINGER_TIMEOUT: Duration = Duration::from_secs(5);

/// How much is taken and dropped that way, in bytes.
const LINGER_BYTES_MAX: usize = 64_000_000;

/// What is spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoken {
    /// HTTP/1.1 and 1.0.
    Http1,
    /// HTTP/2.
    Http2,
}

/// Serves one connection until it ends, is silent for too long or `stop` turns true; then
/// the requests that run are finished.
pub(crate) async fn serve<S>(
    stream: S,
    spoken: Spoken,
    peer: PeerAddress,
    timeouts: Timeouts,
    router: Router,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (stream, activity) = Watched::new(stream);
    let refuses = Router::new().fallback(async || (StatusCode::BAD_REQUEST, [(CONNECTION, "close")]));
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(timeouts);
        let answers = if names_its_host(&request) { &router } else { &refuses };
        answers.clone().oneshot(request)
    });
    let ended = match spoken {
        Spoken::Http1 => {
            let mut connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(timeouts.request)
                .max_headers(HEADERS_MAX)
                .max_buf_size(HEAD_BYTES_MAX)
                .serve_connection(TokioIo::new(stream), service);
            let ended = tokio::select! {
                ended = poll_fn(|context| connection.poll_without_shutdown(context)) => ended,
                () = stopped(&mut stop) => {
                    Pin::new(&mut connection).graceful_shutdown();
                    poll_fn(|context| connection.poll_without_shutdown(context)).await
                }
                () = activity.silence(timeouts.inactivity) => return,
            };
            if ended.is_ok() {
                let stream = connection.into_parts().io.into_inner();
                tokio::select! {
                    () = linger(stream) => {}
                    () = stopped(&mut stop) => {}
                }
            }
            ended
        }
        Spoken::Http2 => {
            let connection = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_concurrent_streams(STREAMS_MAX)
                .max_header_list_size(HEAD_BYTES_MAX as u32)
                .serve_connection(TokioIo::new(stream), service);
            tokio::pin!(connection);
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = stopped(&mut stop) => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
                () = activity.silence(timeouts.inactivity) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}

/// Whether a request has the one host that HTTP/1.1 wants (RFC 9112, 3.2): with two of them a proxy may have looked at
/// the other one.
fn names_its_host<B>(request: &hyper::Request<B>) -> bool {
    request.version() != Version::HTTP_11 || request.headers().get_all(HOST).iter().count() == 1
}

/// Resolves when the end is asked for, also by dropping the sender.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Says that nothing more comes, and takes what the client still sends.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    let taken = async {
        if stream.shutdown().await.is_err() {
            return;
        }
        let mut ignored = vec![0; 16 * 1024];
        let mut taken = 0;
        while taken < LINGER_BYTES_MAX {
            match stream.read(&mut ignored).await {
                Ok(0) | Err(_) => return,
                Ok(count) => taken += count,
            }
        }
    };
    let _ = tokio::time::timeout(LINGER_TIMEOUT, taken).await;
}

/// When bytes last went either way.
struct Activity {
    started: Instant,
    last_ms: AtomicU64,
}

impl Activity {
    fn note(&self) {
        self.last_ms.store(self.elapsed_ms(), Relaxed);
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Resolves when nothing has gone either way for `limit`.
    async fn silence(&self, limit: Duration) {
        loop {
            let silent = Duration::from_millis(self.elapsed_ms().saturating_sub(self.last_ms.load(Relaxed)));
            match limit.checked_sub(silent) {
                None | Some(Duration::ZERO) => return,
                Some(rest) => tokio::time::sleep(rest).await,
            }
        }
    }
}

/// A socket that notes when bytes go through it.
struct Watched<S> {
    inner: S,
    activity: Arc<Activity>,
}

impl<S> Watched<S> {
    fn new(inner: S) -> (Self, Arc<Activity>) {
        let activity = Arc::new(Activity { started: Instant::now(), last_ms: AtomicU64::new(0) });
        (Self { inner, activity: Arc::clone(&activity) }, activity)
    }

    fn noted<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if matches!(polled, Poll::Ready(Ok(_))) {
            self.activity.note();
        }
        polled
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_read(context, to);
        self.noted(polled)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.noted(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.noted(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
