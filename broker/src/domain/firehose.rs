//! What the firehose says of a message: one copy of everything published and delivered in a
//! vhost goes to `amq.rabbitmq.trace`. This file builds the copies; it does not know who
//! sends them, nor whether anybody listens.
//!
//! A copy has the body as it is and the facts as headers, ordered by name (recorded in
//! `tests/python/firehose.json`).

use super::exchange::TRACE_EXCHANGE;
use super::message::Message;
use super::properties::Properties;
use super::value::{FieldTable, FieldValue};
use super::wire::cut_short;

/// Where a message was seen.
#[derive(Debug, Clone, Copy)]
pub struct Tap<'a> {
    /// The node.
    pub node: &'a str,
    /// The vhost.
    pub vhost: &'a str,
    /// The connection, as listings name it.
    pub connection: &'a str,
    /// The channel.
    pub channel: u16,
    /// The user.
    pub user: &'a str,
}

impl Tap<'_> {
    /// The copy of a publish. `further_keys`: those beside the message's own (`CC`, `BCC`);
    /// `queues`: where it went. `None` for the firehose itself, which is not copied.
    #[must_use]
    pub fn published<'q>(
        &self,
        message: &Message,
        further_keys: &[String],
        queues: impl Iterator<Item = &'q str>,
    ) -> Option<Message> {
        let keys = std::iter::once(message.routing_key()).chain(further_keys.iter().map(String::as_str));
        let queues = FieldValue::Array(queues.map(FieldValue::text).collect());
        self.copy(message, ("publish", message.exchange()), keys, ("routed_queues", queues))
    }

    /// The copy of a delivery from a queue. `None` for the firehose itself, which is not copied.
    #[must_use]
    pub fn delivered(&self, message: &Message, queue: &str, redelivered: bool) -> Option<Message> {
        let properties = Properties::decode(message.properties()).unwrap_or_default();
        let further = properties.headers.as_ref().filter(|_| !message.provenance().keys_replaced);
        let further = match further.and_then(|headers| headers.get("CC")) {
            Some(FieldValue::Array(keys)) => keys.as_slice(),
            _ => &[],
        };
        let keys = std::iter::once(message.routing_key()).chain(further.iter().filter_map(FieldValue::as_text));
        let redelivered = FieldValue::I32(redelivered.into());
        self.copy(message, ("deliver", queue), keys, ("redelivered", redelivered))
    }

    fn copy<'k>(
        &self,
        message: &Message,
        (what, place): (&str, &str),
        keys: impl Iterator<Item = &'k str>,
        own: (&str, FieldValue),
    ) -> Option<Message> {
        if message.exchange() == TRACE_EXCHANGE {
            return None;
        }
        let properties = Properties::decode(message.properties()).unwrap_or_default();
        let facts = [
            ("channel", FieldValue::I32(self.channel.into())),
            ("connection", FieldValue::text(self.connection)),
            ("exchange_name", FieldValue::text(message.exchange())),
            ("node", FieldValue::text(self.node)),
            ("properties", FieldValue::Table(names_and_values(&properties))),
            own,
            ("routing_keys", FieldValue::Array(keys.map(FieldValue::text).collect())),
            ("user", FieldValue::text(self.user)),
            ("vhost", FieldValue::text(self.vhost)),
        ];
        let headers: FieldTable = facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let told = Properties { headers: Some(headers), ..Properties::default() };
        let key = format!("{what}.{place}");
        Some(Message::build(TRACE_EXCHANGE, cut_short(&key), &told.encode(), message.body(), false))
    }
}

/// The properties that are there, by name: the last one first and numbers of whatever kind
/// in 32 bits, as the reference has them.
fn names_and_values(properties: &Properties) -> FieldTable {
    let text = |value: &Option<String>| value.as_deref().map(FieldValue::text);
    let number = |value: Option<u64>| value.map(|value| FieldValue::I32((value as u32).cast_signed()));
    let values = [
        ("cluster_id", text(&properties.cluster_id)),
        ("app_id", text(&properties.app_id)),
        ("user_id", text(&properties.user_id)),
        ("type", text(&properties.kind)),
        ("timestamp", number(properties.timestamp)),
        ("message_id", text(&properties.message_id)),
        ("expiration", text(&properties.expiration)),
        ("reply_to", text(&properties.reply_to)),
        ("correlation_id", text(&properties.correlation_id)),
        ("priority", number(properties.priority.map(u64::from))),
        ("delivery_mode", number(properties.delivery_mode.map(u64::from))),
        ("headers", properties.headers.clone().map(FieldValue::Table)),
        ("content_encoding", text(&properties.content_encoding)),
        ("content_type", text(&properties.content_type)),
    ];
    values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::message::Provenance;
    use super::*;

    const TAP: Tap<'static> = Tap { node: "n@h", vhost: "v", connection: "a -> b", channel: 3, user: "u" };

    fn table(entries: &[(&str, FieldValue)]) -> FieldTable {
        entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    fn texts(texts: &[&str]) -> FieldValue {
        FieldValue::Array(texts.iter().map(|text| FieldValue::text(text)).collect())
    }

    fn headers(copy: &Message) -> FieldTable {
        let properties = Properties::decode(copy.properties()).unwrap();
        assert_eq!(properties, Properties { headers: properties.headers.clone(), ..Properties::default() });
        properties.headers.unwrap()
    }

    fn message(properties: &Properties) -> Message {
        Message::build("x", "key", &properties.encode(), b"body", false)
    }

    #[test]
    fn a_publish_is_told_with_its_keys_properties_and_queues() {
        let properties = Properties {
            content_type: Some("text/plain".to_owned()),
            headers: Some(table(&[("k", FieldValue::I64(1))])),
            delivery_mode: Some(2),
            timestamp: Some(4_000_000_000),
            ..Properties::default()
        };
        let copy = TAP.published(&message(&properties), &["cc".to_owned()], ["q1", "q2"].into_iter()).unwrap();
        assert_eq!((copy.exchange(), copy.routing_key(), copy.body()), (TRACE_EXCHANGE, "publish.x", &b"body"[..]));
        let told = table(&[
            ("timestamp", FieldValue::I32(-294_967_296)),
            ("delivery_mode", FieldValue::I32(2)),
            ("headers", FieldValue::Table(table(&[("k", FieldValue::I64(1))]))),
            ("content_type", FieldValue::text("text/plain")),
        ]);
        let expected = table(&[
            ("channel", FieldValue::I32(3)),
            ("connection", FieldValue::text("a -> b")),
            ("exchange_name", FieldValue::text("x")),
            ("node", FieldValue::text("n@h")),
            ("properties", FieldValue::Table(told)),
            ("routed_queues", texts(&["q1", "q2"])),
            ("routing_keys", texts(&["key", "cc"])),
            ("user", FieldValue::text("u")),
            ("vhost", FieldValue::text("v")),
        ]);
        assert_eq!(headers(&copy), expected);
    }

    #[test]
    fn a_delivery_is_told_with_its_queue_and_whether_it_is_the_first() {
        for (redelivered, replaced, keys) in [(false, false, &["key", "other"][..]), (true, true, &["key"])] {
            let properties = Properties { headers: Some(table(&[("CC", texts(&["other"]))])), ..Properties::default() };
            let provenance = Provenance { keys_replaced: replaced, ..Provenance::default() };
            let copy = TAP.delivered(&message(&properties).with_provenance(provenance), "q", redelivered).unwrap();
            assert_eq!(copy.routing_key(), "deliver.q");
            let headers = headers(&copy);
            assert_eq!(headers.get("redelivered"), Some(&FieldValue::I32(redelivered.into())));
            assert_eq!(headers.get("routing_keys"), Some(&texts(keys)));
            assert_eq!(headers.get("routed_queues"), None);
        }
    }

    #[test]
    fn the_firehose_does_not_tell_of_itself() {
        let message = Message::build(TRACE_EXCHANGE, "publish.x", &[0, 0], b"", false);
        assert!(TAP.published(&message, &[], std::iter::empty()).is_none());
        assert!(TAP.delivered(&message, "q", false).is_none());
    }

    #[test]
    fn a_name_too_long_for_a_key_is_cut() {
        let copy = TAP.delivered(&message(&Properties::default()), &"q".repeat(255), false).unwrap();
        assert_eq!(copy.routing_key(), format!("deliver.{}", "q".repeat(247)));
    }
}
