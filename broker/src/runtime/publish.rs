//! What every publish goes through, over whichever door it came: checks in the reference's
//! order, then the route.

use std::sync::Arc;

use crate::domain::exchange::{ExchangeKind, ExchangeTraffic};
use crate::domain::message::Message;
use crate::domain::name::{ExchangeName, VhostName};
use crate::domain::properties::{Properties, check_expiration, glance};
use crate::domain::reply_to::DIRECT_REPLY_TO;
use crate::domain::routing::{RouteBuffer, RouteRequest, route};
use crate::domain::topology::Topology;
use crate::domain::value::{FieldTable, FieldValue};
use crate::domain::wire::Reader;
use crate::error::{Error, Operation, Resource};
use crate::facade::Caller;
use crate::runtime::chance;
use crate::runtime::directory::Directory;
use crate::runtime::queue::{Incoming, PublishBatch, QueueCommand, QueueHandle, shares};
use crate::runtime::vhost::VhostHandle;

/// A publish that passed.
pub(crate) struct Checked {
    /// The message as consumers are to see it.
    pub(crate) message: Message,
    /// Whether the next message with these names goes the same way.
    pub(crate) cacheable: bool,
    /// Routing keys beside the message's own (`CC`, `BCC`).
    pub(crate) further_keys: Vec<String>,
    /// Counters of the exchange.
    pub(crate) traffic: Arc<ExchangeTraffic>,
}

/// A body over the configured limit.
pub(crate) fn too_large(len: u64, max: u32) -> Error {
    Error::InvalidMessage(format!("message size {len} is larger than configured max size {max}"))
}

/// Checks a publish and leaves its queues in `buffer`. Order of the reference: write
/// permission, exchange, internal, expiration, further keys, topic permission for each key, user id.
///
/// # Errors
/// `AccessRefused`, `NoSuch`, `InternalExchange`, `InvalidMessage`, `TopicAccessRefused`.
pub(crate) fn check_and_route(
    topology: &Topology<QueueHandle>,
    directory: &Directory,
    caller: &Caller,
    vhost: &VhostName,
    message: Message,
    buffer: &mut RouteBuffer<QueueHandle>,
) -> Result<Checked, Error> {
    let name = message.exchange();
    let exchange_name = ExchangeName::new(name).map_err(|error| Error::InvalidArgument(error.to_string()))?;
    let resource = Resource::Exchange(vhost.clone(), exchange_name.clone());
    if !caller.internal {
        directory.decide(&caller.user, Operation::Write, &resource).to_result(&resource)?;
    }
    let Some(entry) = topology.exchange(name) else { return Err(Error::NoSuch(resource)) };
    let exchange = entry.exchange();
    if exchange.internal {
        return Err(Error::InternalExchange(resource));
    }
    let glance = message.glance();
    if let Some(expiration) = glance.expiration
        && let Err(reason) = check_expiration(expiration)
    {
        return Err(Error::InvalidMessage(format!("invalid expiration '{expiration}': {reason}")));
    }
    let read_headers = || glance.headers.and_then(|bytes| Reader::new(bytes).table().ok()).unwrap_or_default();
    let further = match glance.headers {
        Some(bytes) if names_further_keys(bytes) => further_keys(&read_headers())?,
        _ => FurtherKeys::default(),
    };
    let mut keys = vec![message.routing_key()];
    keys.extend(further.keys.iter().map(String::as_str));
    if exchange.kind == ExchangeKind::Topic && !caller.internal {
        for key in &keys {
            directory
                .decide_topic(&caller.user, Operation::Write, vhost, &exchange_name, key)
                .to_topic_result(&resource)?;
        }
    }
    if let Some(user_id) = glance.user_id
        && user_id != caller.user.as_str()
        && !caller.internal
        && !directory.users.get(&caller.user).is_some_and(|user| user.is_impersonator())
    {
        return Err(Error::InvalidMessage(format!(
            "user_id property set to '{user_id}' but authenticated user was '{}'",
            caller.user
        )));
    }
    let routed = route_request(&message, name, &keys, |request| route(topology, request, buffer));
    // Where it waits, hidden keys are still needed; it loses them there.
    let waits = buffer.delays > 0 && buffer.delays == buffer.queues.len() && buffer.replies.is_empty();
    let message = match &further.hidden {
        Some(hidden) if !waits => without_bcc(&message, hidden)?,
        _ => message,
    };
    Ok(Checked {
        message,
        cacheable: routed.is_some_and(|routed| routed.cacheable),
        further_keys: further.keys,
        traffic: entry.traffic().clone(),
    })
}

/// Asks `ask` about a message's way from an exchange, with these routing keys.
pub(crate) fn route_request<T>(
    message: &Message,
    exchange: &str,
    routing_keys: &[&str],
    ask: impl FnOnce(RouteRequest<'_>) -> T,
) -> T {
    ask(RouteRequest {
        exchange,
        routing_keys,
        headers: &|| message.glance().headers.and_then(|bytes| Reader::new(bytes).table().ok()).unwrap_or_default(),
        properties: &|| Properties::decode(message.properties()).unwrap_or_default(),
        chance: &chance::next,
    })
}

/// Leaves in `buffer` where a message goes that the node itself publishes: nothing is checked.
pub(crate) fn route_own(topology: &Topology<QueueHandle>, message: &Message, buffer: &mut RouteBuffer<QueueHandle>) {
    route_request(message, message.exchange(), &[message.routing_key()], |request| route(topology, request, buffer));
}

/// Publishes what the node itself has to say. Waits for room in the mailboxes of its queues.
pub(crate) async fn publish_own(vhost: &VhostHandle, message: Message, buffer: &mut RouteBuffer<QueueHandle>) {
    route_own(&vhost.topology(), &message, buffer);
    vhost.histories().remember(&buffer.histories, &message);
    buffer.replies.iter().for_each(|address| vhost.replies().send(address, &message));
    let shares = shares(buffer.queues.len());
    for queue in &buffer.queues {
        let incoming = Incoming { message: message.clone(), sequence: 0, channel: 0, epoch: 0, shares };
        // A queue that is gone takes nothing any more.
        let _ = queue.send(QueueCommand::Publish(PublishBatch { from: None, messages: vec![incoming] })).await;
    }
}

/// Routing keys beside the message's own.
#[derive(Default)]
struct FurtherKeys {
    keys: Vec<String>,
    /// Those of them from `BCC`, which must not reach consumers; `None` without such a header.
    hidden: Option<Vec<String>>,
}

/// Whether nothing but exchange and routing key decides about a message with these properties.
pub(crate) fn is_plain(properties: &[u8]) -> bool {
    const EXPIRATION_OR_USER_ID: u16 = 1 << 8 | 1 << 4;
    const HEADERS: u16 = 1 << 13;
    let Some(&flags) = properties.first_chunk::<2>() else { return false };
    let flags = u16::from_be_bytes(flags);
    flags & EXPIRATION_OR_USER_ID == 0
        && (flags & HEADERS == 0
            || !glance(properties).is_ok_and(|glance| glance.headers.is_some_and(names_further_keys)))
        && !asks_for_direct_replies(properties)
}

/// Whether a message with these properties is a request for direct replies. For one
/// without `reply_to` it is a look at one flag.
pub(crate) fn asks_for_direct_replies(properties: &[u8]) -> bool {
    const REPLY_TO: u8 = 1 << 1;
    properties.first().is_some_and(|flags| flags & REPLY_TO != 0)
        && glance(properties).is_ok_and(|glance| glance.reply_to == Some(DIRECT_REPLY_TO))
}

/// Whether an encoded headers table can hold `CC` or `BCC`: a look that spares decoding it.
fn names_further_keys(headers: &[u8]) -> bool {
    headers.windows(3).any(|window| window == b"\x02CC") || headers.windows(4).any(|window| window == b"\x03BCC")
}

fn further_keys(headers: &FieldTable) -> Result<FurtherKeys, Error> {
    let mut further = FurtherKeys::default();
    for name in ["CC", "BCC"] {
        let Some(value) = headers.get(name) else { continue };
        let FieldValue::Array(items) = value else {
            return Err(Error::InvalidMessage(format!(
                "invalid message: {{unacceptable_type_in_header,\"{name}\",{}}}",
                value.type_name()
            )));
        };
        let keys: Vec<String> = items.iter().filter_map(FieldValue::as_text).map(str::to_owned).collect();
        if name == "BCC" {
            further.hidden = Some(keys.clone());
        }
        further.keys.extend(keys);
    }
    Ok(further)
}

/// The message without the header, but still with its keys: a dead letter goes by them too.
fn without_bcc(message: &Message, keys: &[String]) -> Result<Message, Error> {
    let mut properties = Properties::decode(message.properties())
        .map_err(|_| Error::InvalidMessage("properties cannot be read".to_owned()))?;
    if let Some(headers) = &mut properties.headers {
        headers.remove("BCC");
    }
    let hidden: Vec<&str> = keys.iter().map(String::as_str).collect();
    Ok(Message::build_hiding(
        message.exchange(),
        message.routing_key(),
        &hidden,
        &properties.encode(),
        message.body(),
        message.is_persistent(),
    ))
}

/// The message with another reply address.
///
/// # Errors
/// [`Error::InvalidMessage`] when its properties cannot be read.
pub(crate) fn with_reply_to(message: &Message, address: &str) -> Result<Message, Error> {
    with_properties(message, |properties| properties.reply_to = Some(address.to_owned()))
        .ok_or_else(|| Error::InvalidMessage("properties cannot be read".to_owned()))
}

/// A quorum queue tells how often a message was handed out before, and how often that failed.
pub(crate) fn with_delivery_counts(message: &Message, acquired: u32, failures: u16) -> Message {
    if acquired == 0 {
        return message.clone();
    }
    let counted = with_headers(message, |headers| {
        headers.insert("x-acquired-count", FieldValue::I64(acquired.into()));
        if failures > 0 {
            headers.insert("x-delivery-count", FieldValue::I64(failures.into()));
        }
        headers.sort();
    });
    counted.unwrap_or_else(|| message.clone())
}

/// The message with other headers; `None` when its properties cannot be read.
fn with_headers(message: &Message, change: impl FnOnce(&mut FieldTable)) -> Option<Message> {
    with_properties(message, |properties| change(properties.headers.get_or_insert_with(FieldTable::new)))
}

/// The message with other properties; `None` when they cannot be read.
fn with_properties(message: &Message, change: impl FnOnce(&mut Properties)) -> Option<Message> {
    let mut properties = Properties::decode(message.properties()).ok()?;
    change(&mut properties);
    Some(Message::build_hiding(
        message.exchange(),
        message.routing_key(),
        &message.hidden_keys(),
        &properties.encode(),
        message.body(),
        message.is_persistent(),
    ))
}
