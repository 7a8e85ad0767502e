//! Connections.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::endpoint::{Access, Endpoint, Header, Operation, PAGED, wire, wire_list};

/// A connection. The fields listings always have; there are more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Connection {
    /// `client:port -> server:port`
    pub name: String,
    /// Identity in the form of the command line tools.
    pub pid: String,
    /// Who logged in.
    pub user: String,
    /// Where.
    pub vhost: String,
    /// `running`, `blocked`, …
    pub state: String,
    /// Open channels.
    pub channels: u64,
    /// What the client said of itself.
    pub client_properties: Map<String, Value>,
    /// Everything else.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// All connections.
pub const CONNECTIONS: Endpoint = Endpoint::new(
    "/connections",
    &[Operation::get(Access::Any, "Connections the caller may see").query(PAGED).gives(wire_list::<Connection>())],
);

/// Connections into a virtual host.
pub const OF_VHOST: Endpoint = Endpoint::new(
    "/vhosts/{vhost}/connections",
    &[Operation::get(Access::Vhost, "Connections into a virtual host").query(PAGED).gives(wire_list::<Connection>())],
);

const REASON: Header = Header { name: "X-Reason", summary: "Why, as the client is told; at most 255 bytes." };

/// One connection.
pub const CONNECTION: Endpoint = Endpoint::new(
    "/connections/{connection}",
    &[
        Operation::get(Access::Own, "One connection").gives(wire::<Connection>()),
        Operation::delete(Access::Own, "Closes a connection").header(REASON),
    ],
);

/// Sessions of an AMQP 1.0 connection.
pub const SESSIONS: Endpoint = Endpoint::new(
    "/connections/{connection}/sessions",
    &[Operation::get(Access::Own, "AMQP 1.0 sessions of a connection").query(PAGED)],
);

/// Connections of a user.
pub const OF_USER: Endpoint = Endpoint::new(
    "/connections/username/{user}",
    &[
        Operation::get(Access::Own, "Connections of a user").query(PAGED).gives(wire_list::<Connection>()),
        Operation::delete(Access::Own, "Closes all connections of a user").header(REASON),
    ],
);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[CONNECTIONS, OF_VHOST, CONNECTION, SESSIONS, OF_USER];
