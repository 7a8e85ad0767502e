//! Queues.

mod row;

use std::borrow::Cow;
use std::sync::Arc;

use broker::domain::binding::{Binding, Destination};
use broker::domain::name::VhostName;
use broker::domain::queue::QueueSpec;
use broker::{DeclareQueue, LiveQueue, QueueInfo};
use openapi::queues as wire;
use serde_json::json;

use crate::applied::Applied;
use crate::bindings;
use crate::call::{Call, queue_name, to_value};
use crate::consumers;
use crate::error::ApiError;
use crate::flows::Flows;
use crate::page::Listing;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};
use crate::rows::{self, Fields};
use crate::table;
use row::{Detail, View};

pub(crate) use row::{consumer_capacity, memory};

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::QUEUES).get(list_queues);
    on.at(&wire::DETAILED).get(list_detailed);
    on.at(&wire::OF_VHOST).get(list_of_vhost);
    on.at(&wire::OF_USER).get(list_of_user);
    on.at(&wire::QUEUE).get(get_queue).put(put_queue).delete(delete_queue);
    on.at(&wire::BINDINGS).get(list_bindings);
    on.at(&wire::CONTENTS).delete(purge);
    on.at(&wire::ACTIONS).post(act);
}

async fn list(call: &Call, vhosts: &[VhostName], detail: Detail, keep: impl Fn(&QueueSpec) -> bool) -> Answer {
    let mut view = View::new(call, detail)?;
    let (broker, directory) = (call.broker()?, call.directory()?);
    let applied: Vec<_> = vhosts.iter().map(|vhost| Applied::new(&directory, vhost)).collect();
    let mut queues: Vec<(LiveQueue, usize)> = Vec::new();
    for (place, vhost) in vhosts.iter().enumerate() {
        let kept = broker.live_queues(vhost).into_iter().filter(|queue| keep(queue.spec()));
        queues.extend(kept.map(|queue| (queue, place)));
    }
    let describe = |(queue, place): &(LiveQueue, usize), fields: &mut Fields<'_>| {
        view.describe(&queue.info(), &applied[*place], fields);
    };
    Ok(Reply::json_text(rows::listing(Listing::Paged, queues, name, describe, &call.query).await?))
}

fn name((queue, _): &(LiveQueue, usize)) -> Cow<'_, str> {
    queue.spec().name.as_str().into()
}

/// Columns may name anything; without them a listing is short.
fn listed(call: &Call) -> Detail {
    if call.query.get("columns").is_some() || call.query.get("sort").is_some() { Detail::Full } else { Detail::Reduced }
}

async fn list_queues(call: Call) -> Answer {
    list(&call, &call.visible_vhosts()?, listed(&call), |_| true).await
}

async fn list_detailed(call: Call) -> Answer {
    list(&call, &call.visible_vhosts()?, Detail::Full, |_| true).await
}

async fn list_of_vhost(call: Call) -> Answer {
    list(&call, std::slice::from_ref(&call.vhost()?.name), listed(&call), |_| true).await
}

async fn list_of_user(call: Call) -> Answer {
    let user = call.user_name();
    list(&call, &call.visible_vhosts()?, listed(&call), |queue| queue.declared_by == user).await
}

/// The queue in the path, which must exist.
fn find(call: &Call) -> Result<QueueInfo, ApiError> {
    call.broker()?.queue(&call.vhost_name(), call.parameter("queue")).ok_or_else(ApiError::no_object)
}

async fn get_queue(call: Call) -> Answer {
    let queue = find(&call)?;
    call.ranges()?;
    let applied = Applied::new(&*call.directory()?, &queue.vhost);
    let mut view = View::new(&call, Detail::Full)?;
    let mut item = rows::value(|fields| view.describe(&queue, &applied, fields))?;
    if !call.without_stats() {
        let node = &call.node().settings().node_name;
        let of_queue = call.broker()?.consumers_of(&queue.vhost, &queue.spec.name).await;
        item["consumer_details"] =
            of_queue.iter().map(|consumer| consumers::value(consumer, node)).collect::<Result<_, _>>()?;
        let flows = Flows::wanted(&call, &queue.vhost)?;
        let (incoming, deliveries) = flows.map(|flows| flows.of_queue(queue.spec.id)).unwrap_or_default();
        item["deliveries"] = to_value(&deliveries)?;
        item["incoming"] = to_value(&incoming)?;
    }
    call.object(&item)
}

async fn put_queue(call: Call) -> Answer {
    call.target_vhost()?;
    let fields = call.fields()?;
    let name = queue_name(call.parameter("queue"))?;
    let exclusive = fields.boolean("exclusive")?.unwrap_or(false);
    let durable = fields.boolean("durable")?.unwrap_or(false);
    let declare = DeclareQueue {
        name: name.to_string(),
        // A request owns nothing, so what it calls exclusive is only as short-lived.
        durable: durable && !exclusive,
        exclusive: false,
        auto_delete: fields.boolean("auto_delete")?.unwrap_or(false),
        arguments: match fields.get("arguments") {
            None => Default::default(),
            Some(arguments) => table::from_json(arguments)?,
        },
    };
    match fields.text("node")? {
        Some(node) if *node != call.node().settings().node_name => {
            return Err(ApiError::bad_request(format!("Node {node} is not a cluster member")));
        }
        _ => {}
    }
    let (put, ..) = call.broker()?.declare_queue(&call.caller(), &call.vhost_name(), declare).await?;
    Ok(put.into())
}

async fn delete_queue(call: Call) -> Answer {
    let queue = find(&call)?;
    call.fields()?;
    let (if_unused, if_empty) = (call.query.is_true("if-unused"), call.query.is_true("if-empty"));
    call.broker()?.delete_queue(&call.caller(), &queue.vhost, &queue.spec.name, if_unused, if_empty).await?;
    Ok(Reply::no_content())
}

/// As the reference answers, a queue that does not exist has its implicit binding too,
/// and in a vhost that does not exist there is none.
async fn list_bindings(call: Call) -> Answer {
    let Ok(vhost) = call.vhost() else { return bindings::answer(&call, Listing::Plain, Vec::new()).await };
    let queue = queue_name(call.parameter("queue"))?;
    let implicit = Binding::implicit(&queue);
    let destination = Destination::Queue(queue);
    let explicit = |binding: &Binding| binding.destination == destination && !binding.source.is_default();
    let mut found = bindings::found(call.broker()?, &vhost.name, explicit);
    found.insert(0, (Arc::new(implicit), &vhost.name));
    bindings::answer(&call, Listing::Plain, found).await
}

async fn purge(call: Call) -> Answer {
    let queue = find(&call)?;
    call.fields()?;
    call.broker()?.purge_queue(&call.caller(), &queue.vhost, &queue.spec.name).await?;
    Ok(Reply::no_content())
}

async fn act(call: Call) -> Answer {
    call.target_vhost()?;
    find(&call).map_err(|_| ApiError::not_found("queue_not_found"))?;
    let fields = call.fields()?;
    fields.require(&["action"])?;
    Err(ApiError::bad_request(json!(["unknown", fields.get("action")])))
}
