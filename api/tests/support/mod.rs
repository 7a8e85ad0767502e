//! A node with the API before it.

use std::net::Ipv4Addr;
use std::sync::Arc;

use api::{HttpOptions, LogLevel, Logins, ServerFacts, Statistics, Transport, router};
use axum::Router;
use broker::domain::user::HashAlgorithm;
use broker::{Node, Settings};

/// A running node, and its answers to both kinds of callers.
pub struct Fixture {
    pub node: Node,
    pub tcp: Router,
    pub control: Router,
    _data: tempfile::TempDir,
}

impl Fixture {
    /// Starts a node of that name; `statistics` are what somebody else samples.
    pub async fn start(node_name: &str, http: HttpOptions, statistics: Statistics) -> Self {
        let data = tempfile::tempdir().unwrap();
        let settings = Settings {
            node_name: node_name.to_owned(),
            amqp_listeners: vec![(Ipv4Addr::LOCALHOST, 0).into()],
            // The slow default would dominate the test.
            password_hashing: HashAlgorithm::Sha256,
            ..Settings::embedded(data.path().to_owned())
        };
        let node = Node::start(settings, Vec::new()).await.unwrap();
        let facts = ServerFacts {
            warren_version: "0.0.0".to_owned(),
            config_files: Vec::new(),
            log_files: vec!["-".to_owned()],
            effective_config: "a = b\n".to_owned(),
            http,
            logins: Logins::default(),
            statistics,
            shutdown: Arc::new(|| {}),
            log_level: LogLevel { get: Arc::new(|| "info".to_owned()), set: Arc::new(|_| {}) },
        };
        let tcp = router(node.clone(), Transport::Tcp, facts.clone());
        let control = router(node.clone(), Transport::ControlSocket, facts);
        Self { node, tcp, control, _data: data }
    }

    /// Stops the node.
    pub async fn stop(self) {
        self.node.shutdown().await.unwrap();
    }
}
