//! Something that happened in the broker, as `amq.rabbitmq.event` tells it: a key, and facts
//! as headers. Which events there are is the business of whoever sees them happen.

use super::message::Message;
use super::properties::{PERSISTENT, Properties};
use super::term::Term;
use super::value::{FieldTable, FieldValue};

/// The exchange events go to, in the default vhost.
pub const EVENT_EXCHANGE: &str = "amq.rabbitmq.event";

/// One event. Facts are added one by one; a name added twice keeps the later value.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    key: &'static str,
    facts: FieldTable,
}

impl Event {
    /// An event with this routing key and no facts yet.
    #[must_use]
    pub fn new(key: &'static str) -> Self {
        Self { key, facts: FieldTable::new() }
    }

    /// With a fact of any type.
    #[must_use]
    pub fn with(mut self, name: &str, value: FieldValue) -> Self {
        self.facts.insert(name, value);
        self
    }

    /// With a text.
    #[must_use]
    pub fn text(self, name: &str, value: &str) -> Self {
        self.with(name, FieldValue::text(value))
    }

    /// With texts.
    #[must_use]
    pub fn texts<'t>(self, name: &str, values: impl IntoIterator<Item = &'t str>) -> Self {
        self.with(name, FieldValue::Array(values.into_iter().map(FieldValue::text).collect()))
    }

    /// With a number.
    #[must_use]
    pub fn number(self, name: &str, value: i64) -> Self {
        self.with(name, FieldValue::I64(value))
    }

    /// With a yes or no.
    #[must_use]
    pub fn flag(self, name: &str, value: bool) -> Self {
        self.with(name, FieldValue::Boolean(value))
    }

    /// With a field table in the reference's form: a text in term notation for each entry.
    #[must_use]
    pub fn table(self, name: &str, table: &FieldTable) -> Self {
        let entry = |(name, value): (&str, &FieldValue)| {
            let name = FieldValue::text(name);
            let text = format!("{{{},{},{}}}", Term(&name), value.type_name(), Term(value));
            FieldValue::LongString(text.into())
        };
        self.with(name, FieldValue::Array(table.iter().map(entry).collect()))
    }

    /// With whoever brought it about.
    #[must_use]
    pub fn by(self, user: &str) -> Self {
        self.text("user_who_performed_action", user)
    }

    /// The message that tells of it: no body, facts as headers in the order of their names.
    #[must_use]
    pub fn into_message(self, at_ms: u64) -> Message {
        let Self { key, mut facts } = self;
        facts.insert("timestamp_in_ms", FieldValue::I64(at_ms.cast_signed()));
        facts.sort();
        let properties = Properties {
            headers: Some(facts),
            delivery_mode: Some(PERSISTENT),
            timestamp: Some(at_ms / 1000),
            ..Properties::default()
        };
        Message::build(EVENT_EXCHANGE, key, &properties.encode(), b"", true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_told_as_a_persistent_message_without_a_body() {
        let arguments: FieldTable = [("x-max-length".to_owned(), FieldValue::I32(10))].into_iter().collect();
        let event = Event::new("queue.created").text("name", "q").table("arguments", &arguments).by("guest");
        let message = event.into_message(1_500);
        assert_eq!((message.exchange(), message.routing_key()), (EVENT_EXCHANGE, "queue.created"));
        assert!(message.is_persistent() && message.body().is_empty());
        let properties = Properties::decode(message.properties()).unwrap();
        assert_eq!((properties.delivery_mode, properties.timestamp), (Some(2), Some(1)));
        let told = FieldValue::text("{<<\"x-max-length\">>,signedint,10}");
        let expected = [
            ("arguments", FieldValue::Array(vec![told])),
            ("name", FieldValue::text("q")),
            ("timestamp_in_ms", FieldValue::I64(1_500)),
            ("user_who_performed_action", FieldValue::text("guest")),
        ];
        let expected: FieldTable = expected.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        assert_eq!(properties.headers, Some(expected));
    }
}
