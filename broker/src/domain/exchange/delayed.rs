//! Delayed messages: whether one waits, for how long, and how it goes on when its time has
//! come.
//!
//! A delaying exchange has the name of another type among its arguments, by which it
//! matches. Who keeps a message while it waits, this file does not know.

use crate::domain::exchange::ExchangeKind;
use crate::domain::message::Message;
use crate::domain::properties::Properties;
use crate::domain::queue::QueueSpec;
use crate::domain::value::{FieldTable, FieldValue};
use crate::error::Error;

/// Exchange argument: the type by which it matches.
pub const DELAYED_TYPE: &str = "x-delayed-type";
/// Header: for how many milliseconds a message waits. One that has waited has it negated.
pub const DELAY: &str = "x-delay";
/// The longest delay, in milliseconds: 49 days. A message that asks for more does not wait.
pub const DELAY_MS_MAX: i64 = u32::MAX as i64;

/// What the names of the queues start with that delaying exchanges are to others. Clients
/// can declare no such names.
pub const QUEUE_PREFIX: &str = "amq.delayed-";

/// Whether a queue is a delaying exchange. No list names such a queue.
#[must_use]
pub fn is_delay(queue: &QueueSpec) -> bool {
    queue.name.as_str().starts_with(QUEUE_PREFIX)
}

/// The type by which a delaying exchange with these arguments matches.
///
/// # Errors
/// [`Error::InvalidArgument`] and [`Error::UnknownExchangeType`] with the reference's sentence.
pub fn matching(arguments: &FieldTable) -> Result<ExchangeKind, Error> {
    let name = match arguments.get(DELAYED_TYPE) {
        Some(FieldValue::LongString(bytes) | FieldValue::ByteArray(bytes)) => String::from_utf8_lossy(bytes),
        _ => {
            return Err(Error::InvalidArgument(format!(
                "Invalid argument, '{DELAYED_TYPE}' must be an existing exchange type"
            )));
        }
    };
    match ExchangeKind::require(&name)? {
        ExchangeKind::DelayedMessage => {
            Err(Error::InvalidArgument(format!("Invalid argument, '{name}' can't be used for '{DELAYED_TYPE}'")))
        }
        kind => Ok(kind),
    }
}

/// When a delaying exchange routes a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// After so many milliseconds.
    After(u32),
    /// At once: it asks for no delay.
    NotAsked,
    /// At once: what it asks for is no number.
    NoNumber,
    /// At once: its delay is zero or negative, as that of a message that has waited.
    NotPositive,
    /// At once: its delay is longer than [`DELAY_MS_MAX`].
    TooLong,
}

/// When a delaying exchange routes a message with these headers.
#[must_use]
pub fn timing(headers: &FieldTable) -> Timing {
    let Some(value) = headers.get(DELAY) else { return Timing::NotAsked };
    let Some(delay_ms) = number(value) else { return Timing::NoNumber };
    match u32::try_from(delay_ms) {
        Ok(0) => Timing::NotPositive,
        Ok(delay_ms) => Timing::After(delay_ms),
        Err(_) if delay_ms < 0 => Timing::NotPositive,
        Err(_) => Timing::TooLong,
    }
}

/// The types that count as numbers; a signed octet, by the reference, does not.
fn number(value: &FieldValue) -> Option<i64> {
    match value {
        FieldValue::U8(_)
        | FieldValue::I16(_)
        | FieldValue::U16(_)
        | FieldValue::I32(_)
        | FieldValue::U32(_)
        | FieldValue::I64(_) => value.as_i64(),
        // Casts of what is out of range end at the limits, and those are out of range as well.
        FieldValue::F32(number) => number.is_finite().then_some(*number as i64),
        FieldValue::F64(number) => number.is_finite().then_some(*number as i64),
        FieldValue::LongString(bytes) | FieldValue::ByteArray(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
        _ => None,
    }
}

/// A message that has waited.
#[derive(Debug)]
pub struct Released {
    /// As queues get it: its delay negated, without further keys nobody is to see.
    pub message: Message,
    /// The keys it is routed by, its own first.
    pub routing_keys: Vec<String>,
}

impl Released {
    /// What becomes of a message whose time has come. `None` when its properties cannot be
    /// read, which those of a message that waits can.
    #[must_use]
    pub fn new(message: &Message) -> Option<Self> {
        let mut properties = Properties::decode(message.properties()).ok()?;
        let mut headers = properties.headers.take().unwrap_or_default();
        let mut routing_keys = vec![message.routing_key().to_owned()];
        if !message.provenance().keys_replaced {
            for further in ["CC", "BCC"] {
                if let Some(FieldValue::Array(keys)) = headers.get(further) {
                    routing_keys.extend(keys.iter().filter_map(FieldValue::as_text).map(str::to_owned));
                }
            }
        }
        headers.remove("BCC");
        if let Timing::After(delay_ms) = timing(&headers) {
            headers.insert(DELAY, FieldValue::I64(-i64::from(delay_ms)));
        }
        properties.headers = Some(headers);
        let released = Message::build(
            message.exchange(),
            message.routing_key(),
            &properties.encode(),
            message.body(),
            message.is_persistent(),
        );
        Some(Self { message: released.with_provenance(message.provenance()), routing_keys })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::message::Provenance;

    fn table(rows: &[(&str, FieldValue)]) -> FieldTable {
        rows.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    #[test]
    fn the_type_must_be_another_existing_one() {
        let matching = |value| matching(&table(&[(DELAYED_TYPE, value)])).map_err(|error| error.to_string());
        assert_eq!(matching(FieldValue::text("topic")), Ok(ExchangeKind::Topic));
        assert_eq!(matching(FieldValue::ByteArray("x-random".into())), Ok(ExchangeKind::Random));
        let none = "Invalid argument, 'x-delayed-type' must be an existing exchange type";
        for (value, refusal) in [
            (FieldValue::I32(1), none),
            (FieldValue::Void, none),
            (FieldValue::text("nope"), "unknown exchange type 'nope'"),
            (FieldValue::text(""), "invalid exchange type ''"),
            (
                FieldValue::text("x-delayed-message"),
                "Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'",
            ),
        ] {
            assert_eq!(matching(value), Err(refusal.to_owned()));
        }
        assert_eq!(super::matching(&FieldTable::new()).unwrap_err().to_string(), none);
    }

    #[test]
    fn a_message_waits_for_a_positive_number_of_milliseconds_up_to_49_days() {
        for (value, expected) in [
            (FieldValue::I32(1), Timing::After(1)),
            (FieldValue::I64(DELAY_MS_MAX), Timing::After(u32::MAX)),
            (FieldValue::I64(DELAY_MS_MAX + 1), Timing::TooLong),
            (FieldValue::I64(i64::MAX), Timing::TooLong),
            (FieldValue::I64(i64::MIN), Timing::NotPositive),
            (FieldValue::I32(0), Timing::NotPositive),
            (FieldValue::I32(-5), Timing::NotPositive),
            (FieldValue::U8(7), Timing::After(7)),
            (FieldValue::U16(7), Timing::After(7)),
            (FieldValue::I16(7), Timing::After(7)),
            (FieldValue::U32(7), Timing::After(7)),
            (FieldValue::I8(7), Timing::NoNumber),
            (FieldValue::F32(2.9), Timing::After(2)),
            (FieldValue::F64(2.9), Timing::After(2)),
            (FieldValue::F64(0.9), Timing::NotPositive),
            (FieldValue::F64(1e300), Timing::TooLong),
            (FieldValue::F64(f64::NAN), Timing::NoNumber),
            (FieldValue::text("250"), Timing::After(250)),
            (FieldValue::text("+250"), Timing::After(250)),
            (FieldValue::text("-250"), Timing::NotPositive),
            (FieldValue::text("250 "), Timing::NoNumber),
            (FieldValue::text("2.5"), Timing::NoNumber),
            (FieldValue::text(""), Timing::NoNumber),
            (FieldValue::ByteArray("250".into()), Timing::After(250)),
            (FieldValue::Boolean(true), Timing::NoNumber),
            (FieldValue::Timestamp(250), Timing::NoNumber),
            (FieldValue::Void, Timing::NoNumber),
        ] {
            assert_eq!(timing(&table(&[(DELAY, value.clone())])), expected, "{value:?}");
        }
        assert_eq!(timing(&FieldTable::new()), Timing::NotAsked);
    }

    #[test]
    fn a_message_that_has_waited_says_so_and_shows_no_hidden_key() {
        let keys = |names: &[&str]| FieldValue::Array(names.iter().map(|name| FieldValue::text(name)).collect());
        let headers = table(&[("a", FieldValue::text("b")), ("CC", keys(&["c"])), ("BCC", keys(&["d"]))]);
        for (replaced, expected) in [(false, &["key", "c", "d"][..]), (true, &["key"][..])] {
            let mut headers = headers.clone();
            headers.insert(DELAY, FieldValue::text("250"));
            let properties = Properties { headers: Some(headers), delivery_mode: Some(2), ..Properties::default() };
            let provenance =
                Provenance { dead_lettered: true, keys_replaced: replaced, failures: 3, hidden_keys: false };
            let message = Message::build("ex", "key", &properties.encode(), b"body", true).with_provenance(provenance);
            let Released { message, routing_keys } = Released::new(&message).unwrap();
            assert_eq!(routing_keys, expected);
            assert_eq!((message.exchange(), message.routing_key(), message.body()), ("ex", "key", &b"body"[..]));
            assert_eq!((message.is_persistent(), message.provenance()), (true, provenance));
            let headers = Properties::decode(message.properties()).unwrap().headers.unwrap();
            assert_eq!((headers.get("CC"), headers.get("BCC")), (Some(&keys(&["c"])), None));
            assert_eq!(
                (headers.get("a"), headers.get(DELAY)),
                (Some(&FieldValue::text("b")), Some(&FieldValue::I64(-250)))
            );
            assert_eq!(timing(&headers), Timing::NotPositive);
        }
    }
}
