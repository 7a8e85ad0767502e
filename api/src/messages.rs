//! Publishing to an exchange and fetching from a queue without a channel.
//!
//! The reference does both over a channel of its own and shows the refusal it got there,
//! reply code included; so do the answers here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use broker::amqp091::reply::Violation;
use broker::domain::message::Message;
use broker::domain::name::NAME_BYTES_MAX;
use broker::domain::properties::{PERSISTENT, Properties};
use broker::{AckMode, ErrorKind, FetchedMessage, Published};
use openapi::messages as wire;
use serde_json::{Value, json};

use crate::body::{Fields, integer};
use crate::call::{Call, exchange_name, queue_name};
use crate::error::ApiError;
use crate::properties::{properties_from_json, properties_to_json};
use crate::reply::Reply;
use crate::route::{Answer, Mounts};

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::PUBLISH).post(publish);
    on.at(&wire::GET).post(get);
}

/// Most messages one request fetches; further ones stay in the queue.
const FETCHED_MAX: u32 = 100_000;

/// The vhost of a request about messages has a refusal of its own.
fn known_vhost(call: &Call) -> Result<(), ApiError> {
    call.vhost().map(drop).map_err(|_| ApiError::not_found("vhost_not_found"))
}

async fn publish(call: Call) -> Answer {
    known_vhost(&call)?;
    let (broker, vhost) = (call.broker()?, call.vhost_name());
    let exchange = exchange_name(call.parameter("exchange"))?;
    let missing = || ApiError::not_found("exchange_not_found");
    broker.exchange(&vhost, exchange.as_str()).ok_or_else(missing)?;
    call.enter_vhost()?;
    let fields = call.fields()?;
    fields.require(&["routing_key", "properties", "payload", "payload_encoding"])?;
    let routing_key = fields.required_text("routing_key")?;
    if routing_key.len() > NAME_BYTES_MAX {
        let bytes = routing_key.len();
        return Err(ApiError::bad_request(format!(
            "routing_key should be less than {NAME_BYTES_MAX} bytes, actually was {bytes}\n"
        )));
    }
    let properties = match fields.get("properties") {
        Some(Value::Object(properties)) => properties_from_json(properties)?,
        other => return Err(ApiError::bad_request(json!(["properties_not_an_object", other]))),
    };
    let body = payload(&fields)?;
    let persistent = properties.delivery_mode == Some(PERSISTENT);
    let message = Message::build(exchange.as_str(), routing_key, &properties.encode(), &body, persistent);
    match broker.publish(&call.caller(), &vhost, message).await {
        Ok(Published::Routed) => Reply::json(&wire::Published { routed: true }),
        Ok(Published::Unroutable) => Reply::json(&wire::Published { routed: false }),
        Ok(Published::Rejected) => {
            Err(ApiError::bad_request("rejected Unable to publish message. Check queue limits."))
        }
        Err(error) => Err(match error.kind() {
            ErrorKind::NotFound => missing(),
            ErrorKind::AccessRefused | ErrorKind::PreconditionFailed => ApiError::bad_request(coded(error)),
            _ => error.into(),
        }),
    }
}

/// A refusal as the channel would read it: number, name and explanation.
fn coded(error: broker::Error) -> String {
    let violation = Violation::from(error);
    format!("{} {}", violation.code.number(), violation.reply_text())
}

fn payload(fields: &Fields) -> Result<Vec<u8>, ApiError> {
    let Some(Value::String(payload)) = fields.get("payload") else {
        return Err(ApiError::bad_request("payload_not_string"));
    };
    match fields.get("payload_encoding").and_then(Value::as_str) {
        Some("string") => Ok(payload.clone().into_bytes()),
        Some("base64") => STANDARD.decode(payload).map_err(|_| ApiError::bad_request(json!(["not_base64", payload]))),
        _ => Err(ApiError::bad_request(json!(["unsupported_encoding", fields.get("payload_encoding")]))),
    }
}

/// How to fetch.
struct Fetch {
    count: u32,
    ack: AckMode,
    base64: bool,
    truncate: Option<usize>,
}

impl Fetch {
    fn parse(fields: &Fields) -> Result<Self, ApiError> {
        fields.require(&["ackmode", "count", "encoding"])?;
        let count = fields.get("count").map(integer).transpose()?.unwrap_or(0);
        let ack = match fields.get("ackmode") {
            Some(Value::String(mode)) if mode == "ack_requeue_true" => AckMode::Requeue,
            Some(Value::String(mode)) if mode == "ack_requeue_false" => AckMode::Ack,
            Some(Value::String(mode)) if mode == "reject_requeue_true" => AckMode::RejectRequeue,
            Some(Value::String(mode)) if mode == "reject_requeue_false" => AckMode::Reject,
            other => return Err(invalid_ackmode(other.unwrap_or(&Value::Null))),
        };
        let base64 = match fields.get("encoding").and_then(Value::as_str) {
            Some("auto") => false,
            Some("base64") => true,
            _ => return Err(ApiError::bad_request("Unsupported encoding. Please use auto or base64.")),
        };
        let truncate = fields.get("truncate").map(integer).transpose()?;
        Ok(Self {
            count: u32::try_from(count.max(0)).unwrap_or(u32::MAX).min(FETCHED_MAX),
            ack,
            base64,
            truncate: truncate.map(|bytes| usize::try_from(bytes).unwrap_or(0)),
        })
    }

    fn to_wire(&self, fetched: &FetchedMessage) -> wire::Message {
        let message = &fetched.message;
        let body = message.body();
        let cut = &body[..self.truncate.unwrap_or(body.len()).min(body.len())];
        let (payload, encoding) = match std::str::from_utf8(cut) {
            Ok(text) if !self.base64 => (text.to_owned(), "string"),
            _ => (STANDARD.encode(cut), "base64"),
        };
        wire::Message {
            payload_bytes: message.body_len().into(),
            redelivered: fetched.redelivered,
            exchange: message.exchange().to_owned(),
            routing_key: message.routing_key().to_owned(),
            message_count: fetched.messages_left,
            // The publisher's connection checked the list when it took the message.
            properties: properties_to_json(Properties::decode(message.properties()).unwrap_or_default()),
            payload,
            payload_encoding: encoding.to_owned(),
        }
    }
}

fn invalid_ackmode(given: &Value) -> ApiError {
    let given = match given {
        Value::String(text) => text.clone(),
        // The reference prints a number as the character it is.
        Value::Number(number) if number.as_u64().is_some_and(|code| code < 128) => number
            .as_u64()
            .and_then(|code| u8::try_from(code).ok())
            .map(char::from)
            .map(String::from)
            .unwrap_or_default(),
        other => other.to_string(),
    };
    ApiError::bad_request(format!(
        "Invalid ackmode value: {given}. Valid values are: ack_requeue_true, ack_requeue_false, reject_requeue_true, reject_requeue_false"
    ))
}

async fn get(call: Call) -> Answer {
    known_vhost(&call)?;
    let (broker, vhost) = (call.broker()?, call.vhost_name());
    let queue = queue_name(call.parameter("queue"))?;
    let missing = || ApiError::not_found("queue_not_found");
    broker.queue(&vhost, queue.as_str()).ok_or_else(missing)?;
    call.enter_vhost()?;
    let fetch = Fetch::parse(&call.fields()?)?;
    match broker.get_messages(&call.caller(), &vhost, &queue, fetch.count, fetch.ack).await {
        Ok(fetched) => Reply::json(&fetched.iter().map(|message| fetch.to_wire(message)).collect::<Vec<_>>()),
        Err(error) => Err(match error.kind() {
            ErrorKind::NotFound => missing(),
            ErrorKind::AccessRefused => ApiError::not_authorised(&Violation::from(error).reply_text()),
            // A refusal that ends the connection is shown without the name of its code.
            ErrorKind::NotImplemented => {
                let violation = Violation::from(error);
                ApiError::bad_request(format!("{} {}", violation.code.number(), violation.text))
            }
            ErrorKind::ResourceLocked | ErrorKind::PreconditionFailed => ApiError::bad_request(coded(error)),
            _ => error.into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(body: Value) -> Fields {
        let Value::Object(fields) = body else { panic!("an object") };
        Fields(fields)
    }

    fn reason(error: ApiError) -> Value {
        error.body.unwrap()["reason"].clone()
    }

    #[test]
    fn what_to_fetch_is_read_as_the_reference_reads_it() {
        let read = |count: Value, ackmode: Value, encoding: &str| {
            let body = json!({"count": count, "ackmode": ackmode, "encoding": encoding, "truncate": "5"});
            Fetch::parse(&fields(body)).map(|fetch| (fetch.count, fetch.ack, fetch.base64)).map_err(reason)
        };
        let ack = || json!("ack_requeue_false");
        assert_eq!(read(json!("2"), ack(), "auto"), Ok((2, AckMode::Ack, false)));
        assert_eq!(read(json!(-1), json!("reject_requeue_true"), "base64"), Ok((0, AckMode::RejectRequeue, true)));
        assert_eq!(
            read(json!(1u64 << 40), json!("ack_requeue_true"), "auto"),
            Ok((FETCHED_MAX, AckMode::Requeue, false))
        );
        assert_eq!(read(json!("x"), ack(), "auto"), Err(json!(["not_integer", "x"])));
        let encoding = "Unsupported encoding. Please use auto or base64.";
        assert_eq!(read(json!(1), ack(), "utf8"), Err(json!(encoding)));
        for (mode, printed) in [(json!("nope"), "nope"), (json!(5), "\u{5}")] {
            let expected = format!(
                "Invalid ackmode value: {printed}. Valid values are: ack_requeue_true, ack_requeue_false, reject_requeue_true, reject_requeue_false"
            );
            assert_eq!(read(json!(1), mode, "auto"), Err(json!(expected)));
        }
    }

    #[test]
    fn bodies_are_text_where_what_is_left_of_them_is() {
        let message = |body: &[u8]| FetchedMessage {
            message: Message::build("x", "k", &Properties::default().encode(), body, false),
            redelivered: false,
            messages_left: 3,
        };
        let wire = |body: &[u8], base64: bool, truncate: Option<usize>| {
            let fetch = Fetch { count: 1, ack: AckMode::Ack, base64, truncate };
            let wire = fetch.to_wire(&message(body));
            (wire.payload, wire.payload_encoding, wire.payload_bytes)
        };
        let water = "水水".as_bytes();
        for (body, base64, truncate, payload, encoding) in [
            (water, false, None, "水水", "string"),
            (water, false, Some(3), "水", "string"),
            (water, false, Some(2), "5rA=", "base64"),
            (water, false, Some(99), "水水", "string"),
            (b"a", true, None, "YQ==", "base64"),
            (b"\xff", false, None, "/w==", "base64"),
            (b"", false, None, "", "string"),
        ] {
            let expected = (payload.to_owned(), encoding.to_owned(), body.len() as u64);
            assert_eq!(wire(body, base64, truncate), expected);
        }
    }

    #[test]
    fn a_payload_says_how_it_is_encoded() {
        let read = |payload: Value, encoding: &str| {
            payload_of(&json!({"payload": payload, "payload_encoding": encoding})).map_err(reason)
        };
        assert_eq!(read(json!("水"), "string"), Ok("水".as_bytes().to_vec()));
        assert_eq!(read(json!("/w=="), "base64"), Ok(vec![0xff]));
        assert_eq!(read(json!("!"), "base64"), Err(json!(["not_base64", "!"])));
        assert_eq!(read(json!("x"), "hex"), Err(json!(["unsupported_encoding", "hex"])));
        assert_eq!(read(json!(5), "string"), Err(json!("payload_not_string")));
    }

    fn payload_of(body: &Value) -> Result<Vec<u8>, ApiError> {
        payload(&fields(body.clone()))
    }
}
