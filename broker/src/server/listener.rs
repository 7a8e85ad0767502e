//! Accepts AMQP connections: a task a listening address, a task a connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use super::accept::Accepting;
use super::driver;
use super::handshake::Ends;
use crate::error::Error;
use crate::facade::{Broker, Listener};
use crate::tls::{TlsAcceptor, TlsFacts};

/// What AMQP over TLS is called.
const AMQPS: &str = "amqp/ssl";

/// Connections open at once; beyond it, new ones wait in the system's backlog.
const CONNECTIONS_MAX: usize = 100_000;
/// Longest wait for connections to end when the listener stops.
const DRAIN_WAIT: Duration = Duration::from_secs(5);

/// The AMQP listener of a running broker.
pub(crate) struct AmqpListener {
    /// Where it listens, and what encrypts there.
    places: Vec<(SocketAddr, Option<Arc<TlsAcceptor>>)>,
    stop: watch::Sender<bool>,
    permits: Arc<Semaphore>,
    /// The accepting tasks; none while suspended. Each holds its socket, so ending it closes it.
    accepting: Vec<JoinHandle<()>>,
}

impl AmqpListener {
    /// Binds every address of the settings and starts accepting.
    ///
    /// # Errors
    /// `Unavailable` naming the address that cannot be bound, or the file with key material
    /// that cannot be used.
    pub(crate) async fn start(broker: &Broker) -> Result<Self, Error> {
        let settings = broker.settings();
        let mut places: Vec<_> = settings.amqp_listeners.iter().map(|address| (*address, None)).collect();
        if !settings.amqp_tls_listeners.is_empty() {
            let tls = TlsAcceptor::load(settings.amqp_tls.clone(), &[]);
            let failed = |error| Error::Unavailable(format!("cannot listen for {AMQPS}: {error}"));
            let tls = Arc::new(tls.map_err(failed)?);
            places.extend(settings.amqp_tls_listeners.iter().map(|address| (*address, Some(tls.clone()))));
        }
        let (stop, _) = watch::channel(false);
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut listener = Self { places, stop, permits, accepting: Vec::new() };
        listener.resume(broker).await?;
        Ok(listener)
    }

    /// Binds every address and accepts. Does nothing while it accepts already.
    ///
    /// # Errors
    /// `Unavailable` naming the address that cannot be bound; then none is.
    pub(crate) async fn resume(&mut self, broker: &Broker) -> Result<(), Error> {
        if !self.accepting.is_empty() {
            return Ok(());
        }
        let mut places = Vec::new();
        let mut listeners = Vec::new();
        for (address, tls) in &self.places {
            let refused =
                |error: std::io::Error| Error::Unavailable(format!("cannot listen for AMQP on {address}: {error}"));
            let listener = TcpListener::bind(address).await.map_err(refused)?;
            places.push((listener.local_addr().map_err(refused)?, tls.clone()));
            listeners.push((listener, tls.clone()));
        }
        // A port that was picked is kept, so that a suspended listener comes back where it was.
        self.places = places;
        self.accepting = listeners
            .into_iter()
            .map(|(one, tls)| {
                tokio::spawn(accept(one, tls, broker.clone(), self.permits.clone(), self.stop.subscribe()))
            })
            .collect();
        Ok(())
    }

    /// Closes the sockets that accept; what was accepted goes on. Resolves when they are closed.
    pub(crate) async fn suspend(&mut self) {
        for task in self.accepting.drain(..) {
            task.abort();
            let _ = task.await;
        }
    }

    /// Where it listens.
    pub(crate) fn listeners(&self) -> impl Iterator<Item = Listener> {
        self.places.iter().map(|(address, tls)| {
            let protocol = if tls.is_some() { AMQPS } else { "amqp" };
            Listener { protocol: protocol.to_owned(), address: *address, tls: tls.clone() }
        })
    }

    /// Stops accepting. Connections are told by their registry, not here.
    pub(crate) fn stop_accepting(&self) {
        self.stop.send_replace(true);
    }

    /// Waits a bounded time until every connection has ended; says how many had not.
    pub(crate) async fn drained(&self) -> usize {
        let all = self.permits.acquire_many(CONNECTIONS_MAX as u32);
        match tokio::time::timeout(DRAIN_WAIT, all).await {
            Ok(_) => 0,
            Err(_) => CONNECTIONS_MAX - self.permits.available_permits(),
        }
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<Arc<TlsAcceptor>>,
    broker: Broker,
    permits: Arc<Semaphore>,
    mut stop: watch::Receiver<bool>,
) {
    let mut accepting = Accepting::new("connections");
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                accepting.succeeded();
                let (broker, tls, stop) = (broker.clone(), tls.clone(), stop.clone());
                tokio::spawn(async move {
                    serve(broker, tls, socket, peer, stop).await;
                    drop(permit);
                });
            }
            Err(error) => accepting.failed(&error).await,
        }
    }
}

async fn serve(
    broker: Broker,
    tls: Option<Arc<TlsAcceptor>>,
    socket: TcpStream,
    peer: SocketAddr,
    mut stop: watch::Receiver<bool>,
) {
    let Ok(local) = socket.local_addr() else { return };
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%peer, "no TCP_NODELAY: {error}");
    }
    let Some(tls) = tls else { return driver::serve(broker, socket, Ends { peer, local, tls: None }, stop).await };
    let accepted = tokio::select! {
        accepted = tls.accept(socket) => accepted,
        _ = stop.wait_for(|stop| *stop) => return,
    };
    match accepted {
        Ok(socket) => {
            let tls = Some(Arc::new(TlsFacts::of(socket.get_ref().1)));
            driver::serve(broker, socket, Ends { peer, local, tls }, stop).await;
        }
        Err(error) => tracing::warn!(%peer, "a TLS handshake failed: {error}"),
    }
}
