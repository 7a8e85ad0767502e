//! Connections.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::endpoint::{Access, Endpoint, Header, LISTING, Operation, PAGED, wire, wire_list};
use crate::fields::{Field, Form, field, object, of, schema};
use crate::statistics::Details;

/// A connection.
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
    #[schema(value_type = ClientProperties)]
    pub client_properties: Map<String, Value>,
    /// The name the client gave itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_provided_name: Option<String>,
    /// Its node.
    pub node: String,
    /// Who opened it.
    pub user_who_performed_action: String,
    /// `AMQP 0-9-1`.
    pub protocol: String,
    /// `network`.
    #[serde(rename = "type")]
    pub kind: String,
    /// How the client said who it is: `PLAIN`, …
    pub auth_mechanism: String,
    /// Our address.
    pub host: String,
    /// Our port.
    pub port: u16,
    /// Address of the client.
    pub peer_host: String,
    /// Port of the client.
    pub peer_port: u16,
    /// Most channels.
    pub channel_max: u64,
    /// Largest frame, in bytes.
    pub frame_max: u64,
    /// Seconds between heartbeats; 0 without.
    pub timeout: u64,
    /// When, in milliseconds since the epoch.
    pub connected_at: u64,
    /// Bytes received.
    pub recv_oct: u64,
    /// How fast.
    pub recv_oct_details: Details,
    /// Reads.
    pub recv_cnt: u64,
    /// Bytes sent.
    pub send_oct: u64,
    /// How fast.
    pub send_oct_details: Details,
    /// Writes.
    pub send_cnt: u64,
    /// Bytes that wait to be sent.
    pub send_pend: u64,
    /// Whether it is encrypted.
    pub ssl: bool,
    /// Version of the encryption.
    pub ssl_protocol: Option<String>,
    /// Its cipher.
    pub ssl_cipher: Option<String>,
    /// Its hash.
    pub ssl_hash: Option<String>,
    /// Its key exchange.
    pub ssl_key_exchange: Option<String>,
    /// Who issued the client's certificate.
    pub peer_cert_issuer: Option<String>,
    /// Number of the client's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_cert_serial_number: Option<String>,
    /// Whose certificate it is.
    pub peer_cert_subject: Option<String>,
    /// From when to when it holds.
    pub peer_cert_validity: Option<String>,
}

/// What clients say of themselves. They may send anything, and it is shown as it came.
#[rustfmt::skip]
const CLIENT_PROPERTIES: &[Field] = &[
    field("product", Form::Any, "Name of the library, usually."),
    field("version", Form::Any, "Its version, usually."),
    field("platform", Form::Any, "What it runs on, usually."),
    field("information", Form::Any, "Where more is to be read, usually."),
    field("copyright", Form::Any, "Whose it is, usually."),
    field("connection_name", Form::Any, "What the application calls the connection, usually."),
    field("capabilities", Form::Any, "Extensions it understands, by name, usually each `true`: `publisher_confirms`, `consumer_cancel_notify`, `basic.nack`, `connection.blocked`, `authentication_failure_close`, …"),
];

schema!(
    /// What a client said of itself.
    ClientProperties => |summary| {
        let example = json!({"product": "Pika Python Client Library", "version": "1.4.4", "connection_name": "billing",
                             "capabilities": {"publisher_confirms": true, "consumer_cancel_notify": true}});
        of(object(summary, CLIENT_PROPERTIES, true).examples([example]))
    }
);

/// A session of an AMQP 1.0 connection. There are none: only AMQP 0-9-1 is spoken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// What is known of it.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// All connections.
pub const CONNECTIONS: Endpoint = Endpoint::new(
    "/connections",
    &[Operation::get(Access::Any, "Connections the caller may see").query(PAGED).gives(wire_list::<Connection>())],
);

/// Connections into a virtual host.
pub const OF_VHOST: Endpoint = Endpoint::new(
    "/vhosts/{vhost}/connections",
    &[Operation::get(Access::Vhost, "Connections into a virtual host").query(LISTING).gives(wire_list::<Connection>())],
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
    &[Operation::get(Access::Own, "AMQP 1.0 sessions of a connection").query(PAGED).gives(wire_list::<Session>())],
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
