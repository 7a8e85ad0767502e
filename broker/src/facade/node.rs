//! The node: settings, the application's life cycle, status.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::Broker;
use crate::domain::user::HashAlgorithm;
use crate::error::Error;
use crate::storage::BoxFuture;

/// What a node needs to know before it starts; every value has been checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Node name, `rabbit@host`.
    pub node_name: String,
    /// Where everything durable lives.
    pub data_dir: PathBuf,
    /// Addresses of the AMQP listener; port 0 picks a free one.
    pub amqp_listeners: Vec<SocketAddr>,
    /// First user of an empty node.
    pub default_user: String,
    /// Its password.
    pub default_pass: String,
    /// Its tags.
    pub default_user_tags: Vec<String>,
    /// First vhost of an empty node.
    pub default_vhost: String,
    /// Patterns of the first user: configure, write, read.
    pub default_permissions: [String; 3],
    /// Users that may only come from this host.
    pub loopback_users: Vec<String>,
    /// Heartbeat offered, in seconds.
    pub heartbeat_s: u16,
    /// Frame limit offered, in bytes.
    pub frame_max: u32,
    /// Channel limit offered.
    pub channel_max: u16,
    /// Longest wait for the handshake.
    pub handshake_timeout: Duration,
    /// Largest accepted message body, in bytes.
    pub max_message_size: u32,
    /// How new passwords are hashed.
    pub password_hashing: HashAlgorithm,
    /// Product in server properties and overview: `RabbitMQ`.
    pub product: String,
    /// Compatible version in server properties and overview: strict `X.Y.Z`.
    pub version: String,
    /// Platform text in server properties, naming Warren and its version.
    pub platform: String,
    /// Cluster name; `None`: the node name.
    pub cluster_name: Option<String>,
    /// Alarm when resident memory goes over this fraction of the memory there is.
    pub vm_memory_high_watermark: f64,
    /// Alarm when less than this is free on the data directory's disk, in bytes.
    pub disk_free_limit: u64,
}

/// Whether the application runs on the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppState {
    /// Starting.
    Booting,
    /// Serving.
    Running,
    /// Stopped by `stop_app`; the control socket still answers.
    Stopped,
}

/// A listener as status shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// `amqp`, `http`, `http/prometheus`, …
    pub protocol: String,
    /// Where.
    pub address: SocketAddr,
}

/// A node at a glance.
#[derive(Debug, Clone)]
pub struct NodeStatus {
    /// Node name.
    pub name: String,
    /// Process id.
    pub os_pid: u32,
    /// Milliseconds since the process started.
    pub uptime_ms: u64,
    /// Resident memory, in bytes.
    pub memory_used: u64,
    /// Where the memory alarm starts, in bytes.
    pub memory_limit: u64,
    /// Whether it is on.
    pub memory_alarm: bool,
    /// Free bytes on the data directory's disk.
    pub disk_free: u64,
    /// Where the disk alarm starts, in bytes.
    pub disk_free_limit: u64,
    /// Whether it is on.
    pub disk_alarm: bool,
    /// Open file descriptors.
    pub fd_used: u64,
    /// Most that may be open.
    pub fd_total: u64,
    /// Data directory.
    pub data_dir: PathBuf,
    /// Processors.
    pub processors: usize,
    /// Connections opened, closed; channels opened, closed; queues declared, created, deleted since boot.
    pub churn: crate::metrics::Churn,
}

/// A part of the process that serves while the application runs, such as the HTTP listener.
pub trait AppService: Send + Sync + 'static {
    /// Opens; resolves when it serves. Returns its listeners.
    fn start(&self, broker: Broker) -> BoxFuture<'_, Result<Vec<Listener>, Error>>;
    /// Closes; resolves when it no longer serves.
    fn stop(&self) -> BoxFuture<'_, ()>;
}

/// The node: outlives the application that `stop_app` stops and `start_app` starts.
#[derive(Clone)]
pub struct Node {}

impl Node {
    /// Boots a node: takes the data directory's lock, opens storage, starts the
    /// application with the AMQP listener and `services`.
    ///
    /// # Errors
    /// `Unavailable` naming the path and the process that holds it, or what could not be opened.
    pub async fn start(settings: Settings, services: Vec<Box<dyn AppService>>) -> Result<Self, Error> {
        let _ = (settings, services);
        todo!()
    }

    /// What the node was started with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        todo!()
    }

    /// Whether the application runs.
    #[must_use]
    pub fn app_state(&self) -> AppState {
        todo!()
    }

    /// The running broker; `None` while the application is stopped.
    #[must_use]
    pub fn broker(&self) -> Option<Broker> {
        todo!()
    }

    /// Closes listeners and connections, drains owners and syncs storage. Idempotent.
    ///
    /// # Errors
    /// What could not be synced.
    pub async fn stop_app(&self) -> Result<(), Error> {
        todo!()
    }

    /// Starts the application again. Idempotent.
    ///
    /// # Errors
    /// What could not be opened.
    pub async fn start_app(&self) -> Result<(), Error> {
        todo!()
    }

    /// Returns a stopped node to its virgin state.
    ///
    /// # Errors
    /// [`Error::NotAllowed`] while the application runs.
    pub async fn reset(&self) -> Result<(), Error> {
        todo!()
    }

    /// `stop_app`, then gives up the data directory.
    ///
    /// # Errors
    /// What could not be synced.
    pub async fn shutdown(&self) -> Result<(), Error> {
        todo!()
    }

    /// The node at a glance.
    #[must_use]
    pub fn status(&self) -> NodeStatus {
        todo!()
    }

    /// Open listeners of all services.
    #[must_use]
    pub fn listeners(&self) -> Vec<Listener> {
        todo!()
    }
}
