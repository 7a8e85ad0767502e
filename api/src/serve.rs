//! Accept loops: connections in, the router's answers out, an orderly end.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use broker::Accepting;
use broker::tls::TlsAcceptor;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::PeerAddress;
use crate::connection::{self, Spoken, stopped};
use crate::options::Timeouts;

/// Most connections at a time; further ones wait in the listener's backlog.
const CONNECTIONS_MAX: usize = 4096;

/// How long requests may go on once the end was asked for.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// What is offered over TLS, best first.
pub(crate) const ALPN: &[&str] = &["h2", "http/1.1"];

/// A listener of either kind.
trait Accept: Send + Sync {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection and the address it comes from.
    fn next(&self) -> impl Future<Output = io::Result<(Self::Stream, Option<IpAddr>)>> + Send;
}

impl Accept for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<(TcpStream, Option<IpAddr>)> {
        let (stream, address) = self.accept().await?;
        // Answers are small; waiting to fill a packet only delays them.
        stream.set_nodelay(true)?;
        Ok((stream, Some(address.ip())))
    }
}

impl Accept for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<(UnixStream, Option<IpAddr>)> {
        self.accept().await.map(|(stream, _)| (stream, None))
    }
}

/// How the connections of a listener are served.
#[derive(Clone)]
pub(crate) struct Serving {
    /// Answers requests.
    pub(crate) router: Router,
    /// How long clients may take.
    pub(crate) timeouts: Timeouts,
    /// Encrypts; without it connections are in the clear.
    pub(crate) tls: Option<Arc<TlsAcceptor>>,
}

impl Serving {
    /// In the clear, with the initial time-outs.
    fn plain(router: Router) -> Self {
        Self { router, timeouts: Timeouts::default(), tls: None }
    }

    async fn connection<S>(self, stream: S, peer: PeerAddress, mut stop: watch::Receiver<bool>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { router, timeouts, tls } = self;
        let Some(tls) = tls else {
            return connection::serve(stream, Spoken::Http1, peer, timeouts, router, stop).await;
        };
        let accepted = tokio::select! {
            accepted = tls.accept(stream) => accepted,
            () = stopped(&mut stop) => return,
        };
        match accepted {
            Ok(stream) => {
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let spoken = if is_http2 { Spoken::Http2 } else { Spoken::Http1 };
                connection::serve(stream, spoken, peer, timeouts, router, stop).await;
            }
            Err(error) => tracing::debug!(%error, "a TLS handshake of an HTTP client failed"),
        }
    }
}

/// Serves a TCP listener until `stop` turns true, then lets running requests finish.
pub(crate) async fn serve_tcp(listener: TcpListener, serving: Serving, stop: watch::Receiver<bool>) {
    serve(listener, serving, stop).await;
}

/// Serves a Unix socket until `stop` turns true, then lets running requests finish.
pub async fn serve_unix(listener: UnixListener, router: Router, stop: watch::Receiver<bool>) {
    serve(listener, Serving::plain(router), stop).await;
}

async fn serve<L: Accept>(listener: L, serving: Serving, mut stop: watch::Receiver<bool>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    let mut accepting = Accepting::new("HTTP connections");
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&permits).acquire_owned() => permit.expect("the semaphore is never closed"),
            () = stopped(&mut stop) => break,
        };
        tokio::select! {
            accepted = listener.next() => match accepted {
                Ok((stream, address)) => {
                    accepting.succeeded();
                    let connection = serving.clone().connection(stream, PeerAddress(address), stop.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(permit);
                    });
                }
                Err(error) => accepting.failed(&error).await,
            },
            () = stopped(&mut stop) => break,
        }
        while connections.try_join_next().is_some() {}
    }
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_TIMEOUT, drained).await.is_err() {
        tracing::warn!("HTTP connections were abandoned with requests running");
    }
}

#[cfg(test)]
mod tests;
