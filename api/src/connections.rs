//! Connections.

use broker::ConnectionInfo;
use broker::domain::name::UserName;
use broker::tls::TlsFacts;
use openapi::connections as wire;
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::error::ApiError;
use crate::page::Listing;
use crate::pid;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};
use crate::statistics::Sampled;
use crate::table;

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::CONNECTIONS).get(list_connections);
    on.at(&wire::OF_VHOST).get(list_of_vhost);
    on.at(&wire::CONNECTION).get(get_connection).delete(close_connection);
    on.at(&wire::SESSIONS).get(list_sessions);
    on.at(&wire::OF_USER).get(list_of_user).delete(close_of_user);
}

/// The header that says why a connection is closed.
const REASON: &str = "x-reason";

/// What its client is told when nobody says why.
const REASON_DEFAULT: &str = "Closed via management plugin";

/// Longest reason passed on, in bytes: it travels as a short string, which ends in dots when it does not fit.
const REASON_BYTES_MAX: usize = 255;

/// A connection as it is sent.
pub(crate) fn to_wire(connection: &ConnectionInfo, node: &str) -> Value {
    let properties = table::to_json(&connection.client_properties);
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    put("name", connection.name.clone().into());
    put("pid", pid::connection(node, connection.id).into());
    put("node", node.into());
    put("user", connection.user.as_str().into());
    put("user_who_performed_action", connection.user.as_str().into());
    put("vhost", connection.vhost.as_str().into());
    put("state", connection.state.clone().into());
    put("protocol", "AMQP 0-9-1".into());
    put("type", "network".into());
    put("auth_mechanism", connection.auth_mechanism.clone().into());
    put("host", connection.host.clone().into());
    put("port", connection.port.into());
    put("peer_host", connection.peer_host.clone().into());
    put("peer_port", connection.peer_port.into());
    put("channels", connection.channels.into());
    put("channel_max", connection.channel_max.into());
    put("frame_max", connection.frame_max.into());
    put("timeout", connection.heartbeat_s.into());
    put("connected_at", connection.connected_at_ms.into());
    if let Some(name) = properties.get("connection_name").and_then(Value::as_str) {
        put("user_provided_name", name.into());
    }
    put("client_properties", properties);
    put("recv_oct", connection.recv_oct.into());
    put("recv_oct_details", json!({"rate": 0.0}));
    put("recv_cnt", connection.recv_cnt.into());
    put("send_oct", connection.send_oct.into());
    put("send_oct_details", json!({"rate": 0.0}));
    put("send_cnt", connection.send_cnt.into());
    put("send_pend", connection.send_pend.into());
    put("ssl", connection.tls.is_some().into());
    // What there is not to say is null.
    for (name, value) in tls_fields(connection) {
        put(name, if value.is_empty() { Value::Null } else { value.into() });
    }
    Value::Object(fields)
}

/// What encrypts a connection, and who its client is by certificate.
fn tls_fields(connection: &ConnectionInfo) -> [(&'static str, &str); 8] {
    connection.tls.as_deref().map_or(TlsFacts::NONE, TlsFacts::fields)
}

/// What is counted on a connection.
const COUNTERS: &[&str] =
    &["recv_oct", "recv_oct_details", "recv_cnt", "send_oct", "send_oct_details", "send_cnt", "send_pend"];

fn without_counters(mut item: Value) -> Value {
    if let Value::Object(fields) = &mut item {
        fields.retain(|name, _| !COUNTERS.contains(&name.as_str()));
    }
    item
}

/// Whether the caller sees what belongs to a user.
pub(crate) fn sees(call: &Call, owner: &UserName) -> bool {
    call.identity.is_monitoring() || call.identity.is_user(owner)
}

fn list(call: &Call, kind: Listing, keep: impl Fn(&ConnectionInfo) -> bool) -> Answer {
    let node = &call.node().settings().node_name;
    let mut connections = call.broker()?.connections();
    connections.retain(|connection| sees(call, &connection.user) && keep(connection));
    connections.sort_by(|left, right| left.name.cmp(&right.name));
    let ranges = call.ranges()?;
    let item = |connection: &ConnectionInfo| {
        let item = call.rated(Sampled::Connection(connection.id), &ranges, to_wire(connection, node));
        if call.without_stats() { without_counters(item) } else { item }
    };
    call.list(connections.iter().map(item), kind)
}

/// The connection a path names, for a caller who may see it.
pub(crate) fn find(call: &Call) -> Result<ConnectionInfo, ApiError> {
    let name = call.parameter("connection");
    let found = call.broker()?.connections().into_iter().find(|connection| connection.name == name);
    let connection = found.ok_or_else(ApiError::no_object)?;
    if sees(call, &connection.user) { Ok(connection) } else { Err(ApiError::not_authorised_object()) }
}

async fn list_connections(call: Call) -> Answer {
    list(&call, Listing::Paged, |_| true)
}

async fn list_of_vhost(call: Call) -> Answer {
    let vhost = call.vhost()?;
    list(&call, Listing::Plain, |connection| connection.vhost == vhost.name)
}

async fn get_connection(call: Call) -> Answer {
    let connection = find(&call)?;
    let item = to_wire(&connection, &call.node().settings().node_name);
    let mut item = call.rated(Sampled::Connection(connection.id), &call.ranges()?, item);
    if call.without_stats() {
        item = without_counters(item);
    }
    // Alone, the reference prints absent certificates as empty text.
    for (name, value) in tls_fields(&connection) {
        item[name] = value.into();
    }
    Reply::json(&item)
}

async fn list_sessions(call: Call) -> Answer {
    find(&call)?;
    // Only AMQP 1.0 connections have sessions.
    Err(ApiError::bad_request("connection does not use AMQP 1.0"))
}

async fn list_of_user(call: Call) -> Answer {
    let user = call.user_name();
    if !sees(&call, &user) {
        return Err(ApiError::not_authorised_object());
    }
    list(&call, Listing::Paged, |connection| connection.user == user)
}

fn reason(call: &Call) -> String {
    let given = call.headers.get(REASON).and_then(|reason| std::str::from_utf8(reason.as_bytes()).ok());
    let given = given.unwrap_or(REASON_DEFAULT);
    let end = (0..=given.len().min(REASON_BYTES_MAX)).rev().find(|end| given.is_char_boundary(*end));
    given[..end.unwrap_or_default()].to_owned()
}

/// Whether the caller may close what belongs to a user.
fn may_close(call: &Call, owner: &UserName) -> Result<(), ApiError> {
    if call.identity.is_administrator() || call.identity.is_user(owner) {
        Ok(())
    } else {
        Err(ApiError::not_authorised_object())
    }
}

async fn close_connection(call: Call) -> Answer {
    let connection = find(&call)?;
    may_close(&call, &connection.user)?;
    if call.broker()?.close_connection(connection.id, &reason(&call)).await {
        Ok(Reply::no_content())
    } else {
        Err(ApiError::no_object())
    }
}

async fn close_of_user(call: Call) -> Answer {
    let user = call.user_name();
    may_close(&call, &user)?;
    let broker = call.broker()?;
    for connection in broker.connections().into_iter().filter(|connection| connection.user == user) {
        broker.close_connection(connection.id, &reason(&call)).await;
    }
    Ok(Reply::no_content())
}
