//! Virtual hosts.

use std::collections::BTreeMap;

use broker::domain::parameter::as_term;
use broker::domain::queue::QueueKind;
use broker::domain::vhost::Vhost;
use broker::{Broker, Put, PutVhost, VhostCounters};
use openapi::vhosts as wire;
use serde_json::{Map, Value};

use crate::body::Fields;
use crate::call::{Call, to_value};
use crate::error::ApiError;
use crate::page::Listing;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};
use crate::statistics::Happened;
use crate::statistics::{Ranges, Sampled};
use crate::stats;
use crate::tags;

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::VHOSTS).get(list_vhosts);
    on.at(&wire::VHOST).get(get_vhost).put(put_vhost).delete(delete_vhost);
    on.at(&wire::DELETION_PROTECTION).get(get_protection).post(protect).delete(unprotect);
    on.at(&wire::START).post(start_vhost);
}

/// Counters of a vhost. They appear with the first traffic, as in the reference.
fn counters(vhost: &Vhost, broker: &Broker) -> Map<String, Value> {
    let VhostCounters { recv_oct, send_oct, totals, happened } = broker.vhost_counters(&vhost.name);
    let mut counters = Map::new();
    if recv_oct > 0 || send_oct > 0 {
        stats::counter(&mut counters, "send_oct", send_oct);
        stats::counter(&mut counters, "recv_oct", recv_oct);
    }
    let messages = totals.messages();
    let happened = Happened::at_rest(&happened);
    let any = !happened.is_empty();
    if messages > 0 || any {
        stats::counter(&mut counters, "messages_ready", totals.ready);
        stats::counter(&mut counters, "messages_unacknowledged", totals.unacknowledged);
        stats::counter(&mut counters, "messages", messages);
    }
    if any {
        counters.insert("message_stats".to_owned(), happened.into());
    }
    counters
}

fn to_wire(call: &Call, vhost: &Vhost, ranges: &Ranges) -> Result<Value, ApiError> {
    let kind = vhost.default_queue_type.as_str().to_owned();
    let node = call.node().settings().node_name.clone();
    let state = if call.broker()?.is_vhost_down(&vhost.name) { "stopped" } else { "running" };
    let item = wire::Vhost {
        name: vhost.name.to_string(),
        description: vhost.description.clone(),
        tags: vhost.tags.clone(),
        default_queue_type: kind.clone(),
        protected_from_deletion: vhost.protected_from_deletion.unwrap_or(false),
        metadata: wire::VhostMetadata {
            description: vhost.description.clone(),
            tags: vhost.tags.clone(),
            default_queue_type: kind,
            protected_from_deletion: vhost.protected_from_deletion,
        },
        tracing: vhost.tracing,
        cluster_state: BTreeMap::from([(node, state.to_owned())]),
        more: if call.without_stats() { Map::new() } else { counters(vhost, call.broker()?) },
    };
    Ok(call.rated(Sampled::Vhost(&vhost.name), ranges, to_value(&item)?))
}

async fn list_vhosts(call: Call) -> Answer {
    let broker = call.broker()?;
    let directory = broker.directory();
    let ranges = call.ranges_of_list()?;
    let seen = directory
        .vhosts
        .values()
        .filter(|vhost| call.identity.is_monitoring() || call.identity.enters(broker, &vhost.name));
    let items: Vec<_> = seen.map(|vhost| to_wire(&call, vhost, &ranges)).collect::<Result<_, _>>()?;
    call.list(items, Listing::PagedUncut)
}

async fn get_vhost(call: Call) -> Answer {
    let vhost = call.vhost()?;
    let item = to_wire(&call, &vhost, &call.ranges()?)?;
    call.object(&item)
}

async fn put_vhost(call: Call) -> Answer {
    let fields = call.fields()?;
    let put = PutVhost {
        name: call.vhost_name(),
        description: fields.text("description")?.unwrap_or_default().to_owned(),
        tags: match fields.get("tags") {
            None | Some(Value::Null) => Vec::new(),
            Some(given) => tags::parse(given)?,
        },
        default_queue_type: parse_default_queue_type(&fields, call.node().settings().default_queue_type)?,
        protected_from_deletion: None,
        tracing: fields.boolean("tracing")?,
    };
    let put = call.broker()?.put_vhost(put, call.identity.user_name()).await?;
    Ok(put.into())
}

/// The type of queues declared without one, under either spelling of the field; the node's when left out.
fn parse_default_queue_type(fields: &Fields, of_node: QueueKind) -> Result<QueueKind, ApiError> {
    match fields.get("default_queue_type").or_else(|| fields.get("defaultqueuetype")) {
        None | Some(Value::Null) => Ok(of_node),
        Some(Value::String(name)) if name == "undefined" => Ok(of_node),
        Some(Value::String(name)) if name.is_empty() => {
            Err(ApiError::bad_request("default_queue_type must not be an empty string"))
        }
        Some(Value::String(name)) => {
            QueueKind::from_wire(name).ok_or_else(|| ApiError::bad_request(format!("{name} is not a valid queue type")))
        }
        Some(Value::Bool(word)) => Err(ApiError::bad_request(format!("{word} is not a valid queue type"))),
        Some(other) => {
            let other = as_term(other);
            Err(ApiError::bad_request(format!("{other} is not a valid default_queue_type value")))
        }
    }
}

async fn delete_vhost(call: Call) -> Answer {
    call.vhost()?;
    call.broker()?.delete_vhost(&call.vhost_name()).await?;
    Ok(Reply::no_content())
}

async fn get_protection(call: Call) -> Answer {
    Reply::json(&call.vhost()?.protected_from_deletion.unwrap_or(false))
}

async fn set_protection(call: &Call, vhost: &Vhost, on: bool) -> Result<Put, ApiError> {
    let put = PutVhost {
        name: vhost.name.clone(),
        description: vhost.description.clone(),
        tags: vhost.tags.clone(),
        default_queue_type: vhost.default_queue_type,
        protected_from_deletion: Some(on),
        tracing: None,
    };
    Ok(call.broker()?.put_vhost(put, call.identity.user_name()).await?)
}

async fn protect(call: Call) -> Answer {
    let name = call.parameter("vhost");
    let missing = || {
        ApiError::not_found(format!(
            "Cannot enable deletion protection of virtual host '{name}' because it does not exist"
        ))
    };
    let vhost = call.vhost().map_err(|_| missing())?;
    set_protection(&call, &vhost, true).await?;
    Ok(Reply::no_content())
}

async fn unprotect(call: Call) -> Answer {
    let vhost = call.vhost()?;
    set_protection(&call, &vhost, false).await?;
    Ok(Reply::no_content())
}

async fn start_vhost(call: Call) -> Answer {
    let node = call.parameter("node");
    if *node != call.node().settings().node_name {
        return Err(ApiError::bad_request(format!("Unknown node: {node}")));
    }
    // Every vhost that exists runs.
    match call.vhost() {
        Ok(_) => Ok(Reply::no_content()),
        Err(_) => {
            let name = as_term(&call.parameter("vhost").into());
            Err(ApiError::bad_request(format!("Request to node {node} failed with {{no_such_vhost,{name}}}")))
        }
    }
}
