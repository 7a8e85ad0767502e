//! The HTTP listener as a part of the application: opened by `start_app`, closed by `stop_app`.

use std::net::SocketAddr;
use std::sync::Mutex;

use broker::storage::BoxFuture;
use broker::{AppService, Broker, Error, Listener, Node};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::{ServerFacts, Transport, plugins, router, serve_tcp};

/// The HTTP listeners. The node they serve is told after it has started; requests that
/// come before wait in the listener's backlog.
pub struct HttpService {
    addresses: Vec<SocketAddr>,
    facts: ServerFacts,
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
    /// Listeners on these addresses; port 0 picks a free one.
    #[must_use]
    pub fn new(addresses: Vec<SocketAddr>, facts: ServerFacts) -> (Self, NodeSlot) {
        let (node, _) = watch::channel(None);
        let slot = NodeSlot(node.clone());
        (Self { addresses, facts, node, running: Mutex::new(None) }, slot)
    }

    async fn open(&self) -> Result<Vec<Listener>, Error> {
        let (stop, stopping) = watch::channel(false);
        let mut listeners = Vec::new();
        let mut bound = Vec::new();
        for address in &self.addresses {
            let failed = |error| Error::Unavailable(format!("cannot listen for HTTP on {address}: {error}"));
            let listener = TcpListener::bind(address).await.map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            listeners.push(Listener { protocol: "http".to_owned(), address });
            bound.push(listener);
        }
        let loops = bound
            .into_iter()
            .map(|listener| {
                let (facts, mut node, mut stop) = (self.facts.clone(), self.node.subscribe(), stopping.clone());
                tokio::spawn(async move {
                    let node = tokio::select! {
                        node = node.wait_for(Option::is_some) => node.ok().and_then(|node| node.clone()),
                        _ = stop.wait_for(|stop| *stop) => None,
                    };
                    if let Some(node) = node {
                        serve_tcp(listener, router(node, Transport::Tcp, facts), stop).await;
                    }
                })
            })
            .collect();
        let before = self.running.lock().expect("nothing panics under this lock").replace(Running { stop, loops });
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
    fn start(&self, broker: Broker) -> BoxFuture<'_, Result<Vec<Listener>, Error>> {
        Box::pin(async move {
            match plugins::is_enabled(broker.data_dir(), plugins::EVENT_EXCHANGE) {
                Ok(wanted) => broker.tell_events(wanted).await?,
                Err(error) => {
                    tracing::warn!(error = ?error.body, "enabled plugins cannot be read: events are not told")
                }
            }
            self.open().await
        })
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.close())
    }
}
