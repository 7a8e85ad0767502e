//! The node: settings, the application's life cycle, status.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tokio::sync::{mpsc, oneshot};

use super::Broker;
use super::lifecycle::{self, Request, Transition};
use crate::domain::alarm::{Limits, Sample, Verdict, Watermark};
use crate::domain::mechanism::Mechanism;
use crate::domain::queue::QueueKind;
use crate::domain::user::HashAlgorithm;
use crate::error::Error;
use crate::runtime::alarms::AlarmPicture;
use crate::runtime::system;
use crate::storage::{BoxFuture, IoCounters};
use crate::tls::{CertificateLogin, TlsAcceptor, TlsSettings};

/// What a node needs to know before it starts; every value has been checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Node name, `rabbit@host`.
    pub node_name: String,
    /// Where everything durable lives.
    pub data_dir: PathBuf,
    /// Addresses of the AMQP listener; port 0 picks a free one.
    pub amqp_listeners: Vec<SocketAddr>,
    /// Addresses of the encrypted AMQP listener.
    pub amqp_tls_listeners: Vec<SocketAddr>,
    /// Key material of the encrypted AMQP listener.
    pub amqp_tls: TlsSettings,
    /// How AMQP clients may log in, in the order of preference.
    pub auth_mechanisms: Vec<Mechanism>,
    /// Which name of a client's certificate is the user's.
    pub certificate_login: CertificateLogin,
    /// A service provisions the node, so an empty one gets no default user and vhost.
    pub is_provisioned: bool,
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
    /// AMQP connections that may be open at once; `None`: as many as the process can hold.
    pub connection_max: Option<u32>,
    /// Nodes the cluster should have.
    pub target_cluster_size: u32,
    /// How long a consumer of a quorum queue may leave a delivery unsettled.
    pub consumer_timeout: Duration,
    /// How new passwords are hashed.
    pub password_hashing: HashAlgorithm,
    /// Type of queues declared without one in vhosts that do not say.
    pub default_queue_type: QueueKind,
    /// Product in server properties and overview: `RabbitMQ`.
    pub product: String,
    /// Compatible version in server properties and overview: strict `X.Y.Z`.
    pub version: String,
    /// Platform text in server properties, naming Warren and its version.
    pub platform: String,
    /// Cluster name; `None`: the node name.
    pub cluster_name: Option<String>,
    /// Memory the node may use, in bytes; `None`: what the machine and the control group leave it.
    pub memory_total: Option<u64>,
    /// Alarm when resident memory goes over this.
    pub vm_memory_high_watermark: Watermark,
    /// Alarm when less than this is free on the data directory's disk.
    pub disk_free_limit: Watermark,
    /// Whether what passes between a channel, an exchange and a queue is counted by pair.
    pub count_flows: bool,
}

impl Settings {
    /// What a node has that is told nothing but where its data lies, as the reference has it:
    /// user `guest`, vhost `/`. No listener. For programs that embed a broker, tests among them.
    #[must_use]
    pub fn embedded(data_dir: PathBuf) -> Self {
        Self {
            node_name: "rabbit@localhost".to_owned(),
            data_dir,
            amqp_listeners: Vec::new(),
            amqp_tls_listeners: Vec::new(),
            amqp_tls: TlsSettings::default(),
            auth_mechanisms: Mechanism::INITIAL.to_vec(),
            certificate_login: CertificateLogin::default(),
            is_provisioned: false,
            default_user: "guest".to_owned(),
            default_pass: "guest".to_owned(),
            default_user_tags: vec!["administrator".to_owned()],
            default_vhost: "/".to_owned(),
            default_permissions: [".*"; 3].map(str::to_owned),
            loopback_users: vec!["guest".to_owned()],
            heartbeat_s: 60,
            frame_max: 131_072,
            channel_max: 2047,
            handshake_timeout: Duration::from_secs(10),
            max_message_size: 16 << 20,
            connection_max: None,
            target_cluster_size: 1,
            consumer_timeout: Duration::from_secs(1800),
            password_hashing: HashAlgorithm::default(),
            default_queue_type: QueueKind::default(),
            product: "RabbitMQ".to_owned(),
            version: "4.3.5".to_owned(),
            platform: "Warren".to_owned(),
            cluster_name: None,
            memory_total: None,
            vm_memory_high_watermark: Watermark::Relative(0.6),
            disk_free_limit: Watermark::Absolute(0),
            count_flows: true,
        }
    }
}

impl Settings {
    /// The resource limits a node starts with.
    pub(crate) fn limits(&self) -> Limits {
        Limits { memory: self.vm_memory_high_watermark, disk: self.disk_free_limit, disk_monitored: true }
    }

    /// Memory the node may use.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_total.unwrap_or_else(system::memory_bytes)
    }

    /// Measures memory and disk; asks nothing of storage.
    pub(crate) fn measure(&self) -> Sample {
        Sample {
            memory_total: self.memory_bytes(),
            memory_used: system::resident_bytes(),
            disk_free: system::disk_free_bytes(&self.data_dir),
            ..Sample::default()
        }
    }
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
#[derive(Debug, Clone)]
pub struct Listener {
    /// `amqp`, `http`, `http/prometheus`, …; `amqp/ssl`, `https`, `https/prometheus`.
    pub protocol: String,
    /// Where.
    pub address: SocketAddr,
    /// What encrypts its connections, and with which certificates.
    pub tls: Option<Arc<TlsAcceptor>>,
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
    /// Free bytes on the data directory's disk; 0 when the system does not tell.
    pub disk_free: u64,
    /// Where the disk alarm starts, in bytes.
    pub disk_free_limit: u64,
    /// Which alarms are in force, and why.
    pub alarms: Verdict,
    /// Open file descriptors.
    pub fd_used: u64,
    /// Most that may be open.
    pub fd_total: u64,
    /// Data directory.
    pub data_dir: PathBuf,
    /// Processors.
    pub processors: usize,
    /// Open AMQP connections.
    pub connections: u64,
    /// Tasks of the runtime: one for each connection, queue, vhost, …
    pub tasks: u64,
    /// Tasks that are ready to run and wait for a thread.
    pub tasks_waiting: u64,
    /// Context switches of the process.
    pub context_switches: u64,
    /// Of the resident memory, what is pages of files: the program itself.
    pub memory_file_backed: u64,
    /// What messages cost the disk since the application started.
    pub io: IoCounters,
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
pub struct Node {
    shared: Arc<Shared>,
    lifecycle: mpsc::Sender<Request>,
}

/// What the node and its life cycle share. One leaf lock around the listeners, held to
/// copy or replace them.
pub(crate) struct Shared {
    pub(crate) settings: Arc<Settings>,
    pub(crate) state: AtomicU8,
    pub(crate) broker: ArcSwapOption<Broker>,
    pub(crate) listeners: Mutex<Vec<Listener>>,
    pub(crate) listeners_suspended: AtomicBool,
    pub(crate) maintenance: AtomicBool,
    started_at: Instant,
}

impl Node {
    /// Boots a node: takes the data directory's lock, opens storage, starts the
    /// application with the AMQP listener and `services`.
    ///
    /// # Errors
    /// `Unavailable` naming the path and the process that holds it, or what could not be opened.
    pub async fn start(settings: Settings, services: Vec<Box<dyn AppService>>) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            settings: Arc::new(settings),
            state: AtomicU8::new(AppState::Booting.to_u8()),
            broker: ArcSwapOption::empty(),
            listeners: Mutex::default(),
            listeners_suspended: AtomicBool::new(false),
            maintenance: AtomicBool::new(false),
            started_at: Instant::now(),
        });
        let lifecycle = lifecycle::start(shared.clone(), services).await?;
        let node = Self { shared, lifecycle };
        node.start_app().await?;
        Ok(node)
    }

    /// What the node was started with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Whether the application runs.
    #[must_use]
    pub fn app_state(&self) -> AppState {
        AppState::from_u8(self.shared.state.load(Relaxed))
    }

    /// The running broker; `None` while the application is stopped.
    #[must_use]
    pub fn broker(&self) -> Option<Broker> {
        self.shared.broker.load().as_deref().cloned()
    }

    async fn ask(&self, what: Transition) -> Result<(), Error> {
        let gone = || Error::Unavailable("the node is shutting down".to_owned());
        let (reply, answer) = oneshot::channel();
        self.lifecycle.send(Request { what, reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Closes listeners and connections, drains owners and syncs storage. Idempotent.
    ///
    /// # Errors
    /// What could not be synced.
    pub async fn stop_app(&self) -> Result<(), Error> {
        self.ask(Transition::StopApp).await
    }

    /// Starts the application again. Idempotent.
    ///
    /// # Errors
    /// What could not be opened.
    pub async fn start_app(&self) -> Result<(), Error> {
        self.ask(Transition::StartApp).await
    }

    /// Returns a stopped node to its virgin state.
    ///
    /// # Errors
    /// [`Error::NotAllowed`] while the application runs.
    pub async fn reset(&self) -> Result<(), Error> {
        self.ask(Transition::Reset).await
    }

    /// `stop_app`, then gives up the data directory.
    ///
    /// # Errors
    /// What could not be synced.
    pub async fn shutdown(&self) -> Result<(), Error> {
        self.ask(Transition::Shutdown).await
    }

    /// Closes the AMQP listeners to new connections; those that are open go on. Idempotent.
    ///
    /// # Errors
    /// `Unavailable` while the application is stopped.
    pub async fn suspend_listeners(&self) -> Result<(), Error> {
        self.ask(Transition::SuspendListeners).await
    }

    /// Opens suspended listeners again. Idempotent.
    ///
    /// # Errors
    /// `Unavailable` while the application is stopped, or naming the address that cannot be bound.
    pub async fn resume_listeners(&self) -> Result<(), Error> {
        self.ask(Transition::ResumeListeners).await
    }

    /// Puts the node into maintenance: listeners are suspended, connections closed. Idempotent.
    ///
    /// # Errors
    /// `Unavailable` while the application is stopped.
    pub async fn drain(&self) -> Result<(), Error> {
        self.ask(Transition::Drain).await
    }

    /// Ends maintenance. Idempotent; a restart of the application does the same.
    ///
    /// # Errors
    /// As [`Self::resume_listeners`]; the node then stays in maintenance.
    pub async fn revive(&self) -> Result<(), Error> {
        self.ask(Transition::Revive).await
    }

    /// Whether the AMQP listeners are closed to new connections.
    #[must_use]
    pub fn are_listeners_suspended(&self) -> bool {
        self.shared.listeners_suspended.load(Relaxed)
    }

    /// Whether the node is in maintenance.
    #[must_use]
    pub fn is_in_maintenance(&self) -> bool {
        self.shared.maintenance.load(Relaxed)
    }

    /// The node at a glance.
    #[must_use]
    pub fn status(&self) -> NodeStatus {
        let settings = self.settings();
        let broker = self.broker();
        let AlarmPicture { sample, verdict, .. } = match &broker {
            Some(broker) => AlarmPicture::clone(&broker.alarms().picture()),
            None => AlarmPicture::take(settings.limits(), settings.measure()),
        };
        let (fd_used, fd_total) = system::file_descriptors();
        let (tasks, tasks_waiting) = system::tasks();
        NodeStatus {
            name: settings.node_name.clone(),
            os_pid: std::process::id(),
            uptime_ms: self.shared.started_at.elapsed().as_millis() as u64,
            memory_used: sample.memory_used,
            memory_limit: verdict.memory_limit,
            disk_free: sample.disk_free.unwrap_or_default(),
            disk_free_limit: verdict.disk_limit,
            alarms: verdict,
            fd_used,
            fd_total,
            data_dir: settings.data_dir.clone(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            connections: broker.as_ref().map_or(0, |broker| broker.registry().connection_count() as u64),
            tasks,
            tasks_waiting,
            context_switches: system::context_switches(),
            memory_file_backed: system::resident_file_bytes(),
            io: broker.as_ref().map(Broker::io).unwrap_or_default(),
            churn: broker.map(|broker| broker.churn()).unwrap_or_default(),
        }
    }

    /// Open listeners of all services.
    #[must_use]
    pub fn listeners(&self) -> Vec<Listener> {
        self.shared.listeners.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl AppState {
    pub(crate) fn to_u8(self) -> u8 {
        match self {
            Self::Booting => 0,
            Self::Running => 1,
            Self::Stopped => 2,
        }
    }

    fn from_u8(state: u8) -> Self {
        match state {
            1 => Self::Running,
            2 => Self::Stopped,
            _ => Self::Booting,
        }
    }
}
