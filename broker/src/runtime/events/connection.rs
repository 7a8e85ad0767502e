//! Events of logins, connections, channels and consumers, with the reference's facts.

use std::net::{IpAddr, SocketAddr};

use crate::domain::event::Event;
use crate::domain::exchange::INTERNAL_USER;
use crate::domain::queue::ConnectionId;
use crate::domain::value::{FieldTable, FieldValue};
use crate::error::Error;
use crate::facade::ConsumerInfo;
use crate::runtime::registry::{ConnectionEntry, ConnectionFacts, connection_name};
use crate::tls::TlsFacts;

/// What the reference calls AMQP 0-9-1.
const PROTOCOL: &str = "{0,9,1}";

/// A connection (`channel` 0) or a channel, in the form all listings show them.
pub(super) fn process(node: &str, connection: ConnectionId, channel: u16) -> String {
    format!("<{node}.{}.{channel}.0>", connection.0)
}

/// An address as the reference's events have it: a tuple of numbers.
fn tuple(address: IpAddr) -> String {
    let numbers: Vec<String> = match address.to_canonical() {
        IpAddr::V4(address) => address.octets().iter().map(u8::to_string).collect(),
        IpAddr::V6(address) => address.segments().iter().map(u16::to_string).collect(),
    };
    format!("{{{}}}", numbers.join(","))
}

/// A client logged in, or was refused. The reference tells the reason letter by letter.
pub(crate) fn login(
    (peer, local, encrypted): (SocketAddr, SocketAddr, bool),
    mechanism: &str,
    user: &str,
    refused: Option<&Error>,
) -> Event {
    let key = if refused.is_some() { "user.authentication.failure" } else { "user.authentication.success" };
    let event = Event::new(key)
        .text("auth_mechanism", mechanism)
        .text("connection_name", &connection_name(peer, local))
        .text("connection_type", "network")
        .text("host", &tuple(local.ip()))
        .text("name", user)
        .text("peer_host", &tuple(peer.ip()))
        .number("peer_port", peer.port().into())
        .text("protocol", PROTOCOL)
        .flag("ssl", encrypted);
    let Some(error) = refused else { return event };
    let reason = error.to_string();
    let letters = reason.chars().map(|letter| FieldValue::I64(u32::from(letter).into()));
    event.with("error", FieldValue::Array(letters.collect()))
}

/// With the name a client gave its connection, if it did.
fn with_own_name(event: Event, properties: &FieldTable) -> Event {
    match properties.get("connection_name").and_then(FieldValue::as_text) {
        Some(name) => event.text("user_provided_name", name),
        None => event,
    }
}

/// A connection is open.
pub(crate) fn connection_created(node: &str, entry: &ConnectionEntry) -> Event {
    let ConnectionFacts { peer, local, user, vhost, auth_mechanism, client_properties, .. } = &entry.facts;
    let facts = &entry.facts;
    let mut event = Event::new("connection.created")
        .text("auth_mechanism", auth_mechanism)
        .number("channel_max", facts.channel_max.into())
        .table("client_properties", client_properties)
        .number("connected_at", facts.connected_at_ms.cast_signed())
        .number("frame_max", facts.frame_max.into())
        .text("host", &tuple(local.ip()))
        .text("name", entry.name())
        .text("node", node)
        .text("peer_host", &tuple(peer.ip()))
        .number("peer_port", peer.port().into())
        .text("pid", &process(node, entry.id, 0))
        .number("port", local.port().into())
        .text("protocol", PROTOCOL)
        .flag("ssl", facts.tls.is_some())
        .number("timeout", facts.heartbeat_s.into())
        .text("type", "network")
        .text("user", user.as_str())
        .text("vhost", vhost.as_str())
        .by(user.as_str());
    let tls = facts.tls.as_deref().map(TlsFacts::fields).unwrap_or(TlsFacts::NONE);
    for (name, value) in tls {
        event = event.text(name, value);
    }
    with_own_name(event, client_properties)
}

/// A connection is over.
pub(crate) fn connection_closed(node: &str, id: ConnectionId, name: &str, client_properties: &FieldTable) -> Event {
    let event = Event::new("connection.closed")
        .table("client_properties", client_properties)
        .text("name", name)
        .text("node", node)
        .text("pid", &process(node, id, 0));
    with_own_name(event, client_properties)
}

/// A channel is open.
pub(crate) fn channel_created(node: &str, entry: &ConnectionEntry, number: u16) -> Event {
    let user = entry.facts.user.as_str();
    Event::new("channel.created")
        .text("connection", &process(node, entry.id, 0))
        .text("name", &format!("{} ({number})", entry.name()))
        .number("number", number.into())
        .text("pid", &process(node, entry.id, number))
        .text("user", user)
        .text("vhost", entry.facts.vhost.as_str())
        .by(user)
}

/// A channel is closed; `consumers`: those it still had.
pub(crate) fn channel_closed(node: &str, entry: &ConnectionEntry, number: u16, consumers: usize) -> Event {
    Event::new("channel.closed")
        .number("consumer_count", consumers as i64)
        .text("pid", &process(node, entry.id, number))
        .by(entry.facts.user.as_str())
}

/// A consumer was attached to its queue.
pub(crate) fn consumer_created(node: &str, consumer: &ConsumerInfo) -> Event {
    Event::new("consumer.created")
        .flag("ack_required", consumer.ack_required)
        .table("arguments", &consumer.arguments)
        .text("channel", &process(node, consumer.connection, consumer.channel))
        .text("consumer_tag", &consumer.tag)
        .flag("exclusive", consumer.exclusive)
        .number("prefetch_count", consumer.prefetch_count.into())
        .text("queue", consumer.queue.as_str())
        .text("vhost", consumer.vhost.as_str())
        .by(consumer.user.as_str())
}

/// A consumer is gone: by its client, else by the node.
pub(crate) fn consumer_deleted(
    node: &str,
    entry: &ConnectionEntry,
    (number, tag, queue): (u16, &str, &str),
    by_client: bool,
) -> Event {
    Event::new("consumer.deleted")
        .text("channel", &process(node, entry.id, number))
        .text("consumer_tag", tag)
        .text("queue", queue)
        .text("vhost", entry.facts.vhost.as_str())
        .by(if by_client { entry.facts.user.as_str() } else { INTERNAL_USER })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_tuples() {
        for (address, expected) in
            [("127.0.0.1", "{127,0,0,1}"), ("::ffff:10.0.0.2", "{10,0,0,2}"), ("::1", "{0,0,0,0,0,0,0,1}")]
        {
            assert_eq!(tuple(address.parse().unwrap()), expected);
        }
    }
}
