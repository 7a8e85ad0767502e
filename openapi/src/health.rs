//! Health checks.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::endpoint::{Access, Endpoint, Operation, Status, wire};
use crate::fields::{one_of, schema};

/// What a check found. Which details a failed one has depends on the check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok` or `failed`.
    #[schema(value_type = Verdict)]
    pub status: String,
    /// What is wrong, or why nothing can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Alarms in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarms: Option<Vec<AlarmInForce>>,
    /// Virtual hosts that are down.
    #[serde(default, rename = "virtual-hosts", skip_serializing_if = "Option::is_none")]
    pub virtual_hosts: Option<Vec<String>>,
    /// Queues that are down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queues: Option<Vec<QueueWithoutLeader>>,
    /// Open connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<u64>,
    /// Nodes that run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub online: Option<u32>,
    /// Nodes there should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<u32>,
}

impl Health {
    /// Nothing is wrong.
    #[must_use]
    pub fn ok() -> Self {
        Self { status: "ok".to_owned(), ..Self::default() }
    }

    /// Something is wrong.
    #[must_use]
    pub fn failed(reason: impl Into<String>) -> Self {
        Self { status: "failed".to_owned(), reason: Some(reason.into()), ..Self::default() }
    }
}

schema!(
    /// Whether a check passed.
    Verdict => |summary| one_of(summary, &["ok", "failed"])
);

/// An alarm in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlarmInForce {
    /// The node.
    pub node: String,
    /// What is scarce: `memory`, `disk space`, …
    pub resource: String,
}

/// A quorum queue that cannot serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueueWithoutLeader {
    /// Its name.
    pub name: String,
    /// Its name and virtual host in words.
    pub readable_name: String,
    /// `rabbit_quorum_queue`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its virtual host.
    pub virtual_host: String,
}

/// Whether a listener is open on a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PortHealth {
    /// `ok` or `failed`.
    #[schema(value_type = Verdict)]
    pub status: String,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The port, if it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
    /// The port, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<i64>,
    /// Ports that are open, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<u16>>,
}

/// Whether protocols are served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProtocolHealth {
    /// `ok` or `failed`.
    #[schema(value_type = Verdict)]
    pub status: String,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Protocols that are asked for and not served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Vec<String>>,
    /// Protocols that are served.
    pub protocols: Vec<String>,
}

/// Whether certificates expire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertificateHealth {
    /// `ok` or `failed`.
    #[schema(value_type = Verdict)]
    pub status: String,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Listeners with certificates that expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired: Option<Vec<ExpiringListener>>,
}

/// A listener with certificates that expire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExpiringListener {
    /// The node.
    pub node: String,
    /// What is spoken.
    pub protocol: String,
    /// Address.
    pub interface: String,
    /// Port.
    pub port: u16,
    /// File of its own certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certfile: Option<String>,
    /// File of the certificates of authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cacertfile: Option<String>,
    /// When those that expire do, of its own: `YYYY-MM-DD hh:mm:ss`.
    pub certfile_expires_on: Vec<String>,
    /// The same of authorities.
    pub cacertfile_expires_on: Vec<String>,
}

/// Whether the node is fit to be used. The answer bears 503 when it is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Probe {
    /// `ok` or `failed`.
    #[schema(value_type = Verdict)]
    pub status: String,
    /// Why not, one sentence each.
    pub reasons: Vec<String>,
    /// What keeps publishers waiting, though the node serves: alarms, one sentence each.
    pub warnings: Vec<String>,
}

const UNFIT: Status = Status::new(503, "It is not").gives(wire::<Probe>());

/// Liveness.
pub const LIVE: Endpoint = Endpoint::new(
    "/live",
    &[Operation::get(Access::Public, "The process answers and its storage has not failed; else restart it")
        .gives(wire::<Probe>())
        .status(UNFIT)],
)
.at_root();

/// Readiness.
pub const READY: Endpoint = Endpoint::new(
    "/ready",
    &[Operation::get(Access::Public, "Clients may be sent here").gives(wire::<Probe>()).status(UNFIT)],
)
.at_root();

const FAILED: Status = Status::new(503, "The check failed").gives(wire::<Health>());

const fn check(summary: &'static str) -> Operation {
    Operation::get(Access::Any, summary).gives(wire::<Health>()).status(FAILED)
}

const fn open_check(summary: &'static str) -> Operation {
    Operation::get(Access::Public, summary).gives(wire::<Health>()).status(FAILED)
}

/// No alarm anywhere.
pub const ALARMS: Endpoint = Endpoint::new("/health/checks/alarms", &[check("No alarm in the cluster")]);
/// No alarm here.
pub const LOCAL_ALARMS: Endpoint = Endpoint::new("/health/checks/local-alarms", &[check("No alarm on this node")]);
/// All vhosts run.
pub const VIRTUAL_HOSTS: Endpoint =
    Endpoint::new("/health/checks/virtual-hosts", &[check("All virtual hosts run on this node")]);
/// A port is open.
pub const PORT_LISTENER: Endpoint = Endpoint::new(
    "/health/checks/port-listener/{port}",
    &[Operation::get(Access::Any, "A listener is open on a port")
        .gives(wire::<PortHealth>())
        .status(Status::new(503, "It is not").gives(wire::<PortHealth>()))],
);
/// Protocols are served.
pub const PROTOCOL_LISTENER: Endpoint = Endpoint::new(
    "/health/checks/protocol-listener/{protocols}",
    &[Operation::get(Access::Any, "Listeners are open for protocols, separated by commas")
        .gives(wire::<ProtocolHealth>())
        .status(Status::new(503, "One is not").gives(wire::<ProtocolHealth>()))],
);
/// No certificate expires soon.
pub const CERTIFICATE_EXPIRATION: Endpoint = Endpoint::new(
    "/health/checks/certificate-expiration/{within}/{unit}",
    &[Operation::get(Access::Any, "No certificate expires within some days, weeks, months or years")
        .gives(wire::<CertificateHealth>())
        .status(Status::new(503, "One does").gives(wire::<CertificateHealth>()))],
);
/// No queue would lose its quorum.
pub const QUORUM_CRITICAL: Endpoint = Endpoint::new(
    "/health/checks/node-is-quorum-critical",
    &[check("No queue would lose its quorum if this node went down")],
);
/// Metadata can be read.
pub const METADATA_STORE: Endpoint =
    Endpoint::new("/health/checks/metadata-store/initialized", &[check("The metadata store is initialised")]);
/// Metadata is there.
pub const METADATA_STORE_DATA: Endpoint = Endpoint::new(
    "/health/checks/metadata-store/initialized/with-data",
    &[check("The metadata store is initialised and holds a virtual host")],
);
/// All quorum queues have leaders.
pub const LEADERS_ALL: Endpoint = Endpoint::new(
    "/health/checks/quorum-queues-without-elected-leaders/all-vhosts",
    &[check("All quorum queues have a leader")],
);
/// Those of a pattern.
pub const LEADERS_ALL_PATTERN: Endpoint = Endpoint::new(
    "/health/checks/quorum-queues-without-elected-leaders/all-vhosts/pattern/{pattern}",
    &[check("All quorum queues whose name matches have a leader")],
);
/// Those of a vhost.
pub const LEADERS_VHOST: Endpoint = Endpoint::new(
    "/health/checks/quorum-queues-without-elected-leaders/vhost/{in_vhost}",
    &[check("All quorum queues of a virtual host have a leader")],
);
/// Those of a vhost and a pattern.
pub const LEADERS_VHOST_PATTERN: Endpoint = Endpoint::new(
    "/health/checks/quorum-queues-without-elected-leaders/vhost/{in_vhost}/pattern/{pattern}",
    &[check("All quorum queues of a virtual host whose name matches have a leader")],
);
/// Not in maintenance.
pub const IS_IN_SERVICE: Endpoint =
    Endpoint::new("/health/checks/is-in-service", &[open_check("The node is not under maintenance")]);
/// Room for connections.
pub const BELOW_CONNECTION_LIMIT: Endpoint =
    Endpoint::new("/health/checks/below-node-connection-limit", &[open_check("The node takes further connections")]);
/// All of the above.
pub const READY_TO_SERVE: Endpoint =
    Endpoint::new("/health/checks/ready-to-serve-clients", &[open_check("The node takes and serves clients")]);
/// Enough nodes.
pub const TARGET_CLUSTER_SIZE: Endpoint = Endpoint::new(
    "/health/checks/reached-target-cluster-size",
    &[open_check("The cluster has as many nodes as it should")],
);
/// A vhost can be entered.
pub const ALIVENESS: Endpoint = Endpoint::new(
    "/aliveness-test/{vhost}",
    &[Operation::get(Access::Vhost, "A virtual host can be entered").gives(wire::<Health>())],
);
/// The node answers.
pub const NODE: Endpoint = Endpoint::new("/healthchecks/node", &[check("The node answers")]);
/// A named node answers.
pub const NAMED_NODE: Endpoint = Endpoint::new("/healthchecks/node/{node}", &[check("A node answers")]);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[
    LIVE,
    READY,
    ALARMS,
    LOCAL_ALARMS,
    VIRTUAL_HOSTS,
    PORT_LISTENER,
    PROTOCOL_LISTENER,
    CERTIFICATE_EXPIRATION,
    QUORUM_CRITICAL,
    METADATA_STORE,
    METADATA_STORE_DATA,
    LEADERS_ALL,
    LEADERS_ALL_PATTERN,
    LEADERS_VHOST,
    LEADERS_VHOST_PATTERN,
    IS_IN_SERVICE,
    BELOW_CONNECTION_LIMIT,
    READY_TO_SERVE,
    TARGET_CLUSTER_SIZE,
    ALIVENESS,
    NODE,
    NAMED_NODE,
];
