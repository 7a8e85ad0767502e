//! What is said of a connection, field by field.
//!
//! The fields and their order are those of the reference's listings. Knows nothing of pages
//! and columns.

use broker::LiveConnection;
use broker::tls::TlsFacts;
use serde_json::Value;

use crate::open::View;
use crate::pid;
use crate::rows::Fields;
use crate::table::{self, AsJson};

/// Says everything of a connection that is to be sent.
pub(super) fn describe(view: &View<'_>, connection: &LiveConnection, fields: &mut Fields<'_>) {
    let (host, port) = connection.local();
    let (peer_host, peer_port) = connection.peer();
    fields.put("name", connection.name());
    fields.put_with("pid", || pid::connection(view.node, connection.id()));
    fields.put("node", view.node);
    fields.put("user", connection.user().as_str());
    fields.put("user_who_performed_action", connection.user().as_str());
    fields.put("vhost", connection.vhost().as_str());
    fields.put("state", connection.state());
    fields.put("protocol", "AMQP 0-9-1");
    fields.put("type", "network");
    fields.put("auth_mechanism", connection.auth_mechanism());
    fields.put("host", &host);
    fields.put("port", &port);
    fields.put("peer_host", &peer_host);
    fields.put("peer_port", &peer_port);
    fields.put_with("channels", || connection.channel_count());
    fields.put("channel_max", &connection.channel_max());
    fields.put("frame_max", &connection.frame_max());
    fields.put("timeout", &connection.heartbeat_s());
    fields.put("connected_at", &connection.connected_at_ms());
    if let Some(name) = connection.client_properties().get("connection_name").and_then(table::text) {
        fields.put("user_provided_name", &name);
    }
    fields.put("client_properties", &AsJson(connection.client_properties()));
    if view.counted {
        counts(view, connection, fields);
    }
    fields.put("ssl", &connection.tls().is_some());
    // What there is not to say is null.
    for (name, value) in tls_fields(connection) {
        fields.put(name, &Some(value).filter(|value| !value.is_empty()));
    }
}

fn counts(view: &View<'_>, connection: &LiveConnection, fields: &mut Fields<'_>) {
    let details = fields.wants_any(&["recv_oct_details", "send_oct_details"]);
    let [recv_oct, send_oct] =
        if details { view.statistics.connection(connection.id(), &view.ranges) } else { Default::default() };
    fields.put("recv_oct", &connection.recv_oct());
    fields.put("recv_oct_details", &recv_oct);
    fields.put("recv_cnt", &connection.recv_cnt());
    fields.put("send_oct", &connection.send_oct());
    fields.put("send_oct_details", &send_oct);
    fields.put("send_cnt", &connection.send_cnt());
    fields.put("send_pend", &connection.send_pend());
}

/// What encrypts a connection, and who its client is by certificate.
fn tls_fields(connection: &LiveConnection) -> [(&'static str, &str); 8] {
    connection.tls().map_or(TlsFacts::NONE, TlsFacts::fields)
}

/// What is said otherwise of a single connection: there, the reference prints absent certificates as empty text.
pub(super) fn alone(connection: &LiveConnection, item: &mut Value) {
    for (name, value) in tls_fields(connection) {
        item[name] = value.into();
    }
}
