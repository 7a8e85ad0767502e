//! HTTP listeners as parts of the application: opened by `start_app`, closed by `stop_app`.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::{Extension, Router};

use broker::storage::BoxFuture;
use broker::tls::{TlsAcceptor, TlsSettings};
use broker::{AppService, Broker, Error, Listener, Node};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::options::Timeouts;
use crate::prometheus::{self, MetricsSettings};
use crate::serve::{ALPN, Serving, serve_tcp};
use crate::{OverTls, ServerFacts, Transport, router};

/// Where clients connect, and how they are served there.
#[derive(Debug, Clone)]
pub struct HttpListener {
    /// Address; port 0 picks a free one.
    pub address: SocketAddr,
    /// Key material of an encrypted listener.
    pub tls: Option<TlsSettings>,
    /// How long clients may take.
    pub timeouts: Timeouts,
}

impl HttpListener {
    /// In the clear, with the initial time-outs.
    #[must_use]
    pub fn plain(address: SocketAddr) -> Self {
        Self { address, tls: None, timeouts: Timeouts::default() }
    }
}

/// The HTTP listeners. The node they serve is told after it has started; requests that
/// come before wait in the listener's backlog.
pub struct HttpService {
    /// As listings name it, in the clear and encrypted.
    protocols: [&'static str; 2],
    wanted: Vec<HttpListener>,
    answers: Arc<dyn Fn(Node) -> Router + Send + Sync>,
    node: watch::Sender<Option<Node>>,
    /// What runs now. A leaf lock, never held over an await.
    running: Mutex<Option<Running>>,
}

struct Running {
    stop: watch::Sender<bool>,
    loops: Vec<JoinHandle<()>>,
}

/// Tells an [`HttpService`] which node it serves.
#[derive(Clone)]
pub struct NodeSlot(watch::Sender<Option<Node>>);

impl NodeSlot {
    /// The node; from now on requests are answered.
    pub fn fill(&self, node: Node) {
        self.0.send_replace(Some(node));
    }
}

impl HttpService {
    /// Listeners of the API.
    #[must_use]
    pub fn new(wanted: Vec<HttpListener>, facts: ServerFacts) -> (Self, NodeSlot) {
        let answers = move |node| router(node, Transport::Tcp, facts.clone());
        Self::of(["http", "https"], wanted, Arc::new(answers))
    }

    /// Listeners of metrics. They do not wait for the plugin that metrics
    /// are in RabbitMQ: who enables another plugin must not lose them.
    #[must_use]
    pub fn metrics(wanted: Vec<HttpListener>, settings: MetricsSettings, facts: ServerFacts) -> (Self, NodeSlot) {
        let answers = move |node| prometheus::router(node, settings.clone(), facts.clone());
        Self::of(["http/prometheus", "https/prometheus"], wanted, Arc::new(answers))
    }

    fn of(
        protocols: [&'static str; 2],
        wanted: Vec<HttpListener>,
        answers: Arc<dyn Fn(Node) -> Router + Send + Sync>,
    ) -> (Self, NodeSlot) {
        let (node, _) = watch::channel(None);
        let slot = NodeSlot(node.clone());
        (Self { protocols, wanted, answers, node, running: Mutex::new(None) }, slot)
    }

    async fn open(&self) -> Result<Vec<Listener>, Error> {
        let (stop, stopping) = watch::channel(false);
        let mut listeners = Vec::new();
        let mut bound = Vec::new();
        for HttpListener { address, tls, timeouts } in &self.wanted {
            let protocol = self.protocols[usize::from(tls.is_some())];
            let failed = |error: &dyn std::fmt::Display| {
                Error::Unavailable(format!("cannot listen for {protocol} on {address}: {error}"))
            };
            let tls = tls.clone().map(|tls| TlsAcceptor::load(tls, ALPN)).transpose();
            let tls = tls.map_err(|error| failed(&error))?.map(Arc::new);
            let listener = TcpListener::bind(address).await.map_err(|error| failed(&error))?;
            let address = listener.local_addr().map_err(|error| failed(&error))?;
            listeners.push(Listener { protocol: protocol.to_owned(), address, tls: tls.clone() });
            bound.push((listener, *timeouts, tls));
        }
        let loops = bound
            .into_iter()
            .map(|(listener, timeouts, tls)| {
                let (answers, mut node, mut stop) =
                    (Arc::clone(&self.answers), self.node.subscribe(), stopping.clone());
                tokio::spawn(async move {
                    let node = tokio::select! {
                        node = node.wait_for(Option::is_some) => node.ok().and_then(|node| node.clone()),
                        _ = stop.wait_for(|stop| *stop) => None,
                    };
                    if let Some(node) = node {
                        let router = match &tls {
                            Some(_) => answers(node).layer(Extension(OverTls)),
                            None => answers(node),
                        };
                        serve_tcp(listener, Serving { router, timeouts, tls }, stop).await;
                    }
                })
            })
            .collect();
        let running = Running { stop, loops };
        let before = self.running.lock().expect("nothing panics under this lock").replace(running);
        debug_assert!(before.is_none(), "started twice");
        Ok(listeners)
    }

    async fn close(&self) {
        let running = self.running.lock().expect("nothing panics under this lock").take();
        if let Some(Running { stop, loops }) = running {
            stop.send_replace(true);
            for accepting in loops {
                let _ = accepting.await;
            }
        }
    }
}

impl AppService for HttpService {
    fn start(&self, _broker: Broker) -> BoxFuture<'_, Result<Vec<Listener>, Error>> {
        Box::pin(self.open())
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.close())
    }
}
