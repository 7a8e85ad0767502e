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
mod tests {
    use axum::Extension;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn answers_address() -> Router {
        let address = async |Extension(PeerAddress(address)): Extension<PeerAddress>| format!("from {address:?}");
        Router::new().route("/", get(address))
    }

    async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> String {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn both_kinds_of_listener_say_where_a_request_comes_from_and_stop() {
        let (stop, stopping) = watch::channel(false);
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let unix = UnixListener::bind(&path).unwrap();
        let loops = [
            tokio::spawn(serve_tcp(tcp, Serving::plain(answers_address()), stopping.clone())),
            tokio::spawn(serve_unix(unix, answers_address(), stopping)),
        ];
        let over_tcp = ask(TcpStream::connect(address).await.unwrap()).await;
        assert!(over_tcp.ends_with("from Some(127.0.0.1)"), "{over_tcp}");
        let over_unix = ask(UnixStream::connect(&path).await.unwrap()).await;
        assert!(over_unix.ends_with("from None"), "{over_unix}");
        // An idle connection does not keep the loops from ending.
        let _idle = TcpStream::connect(address).await.unwrap();
        stop.send_replace(true);
        for accepting in loops {
            accepting.await.unwrap();
        }
    }
}
