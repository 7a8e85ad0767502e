//! Events of exchanges, queues and bindings, with the reference's facts.

use std::sync::Arc;

use crate::domain::binding::{Binding, Destination};
use crate::domain::event::Event;
use crate::domain::exchange::{Exchange, INTERNAL_USER};
use crate::domain::name::{ExchangeName, UserName, VhostName};
use crate::domain::queue::{QueueKind, QueueSpec};
use crate::domain::topology::Removed;
use crate::runtime::queue::QueueHandle;

use super::connection;

/// An exchange was declared; `policy`: the one that applies to it.
pub(crate) fn exchange_created(vhost: &VhostName, exchange: &Exchange, policy: &str, by: &str) -> Event {
    Event::new("exchange.created")
        .text("vhost", vhost.as_str())
        .text("name", exchange.name.as_str())
        .text("type", exchange.kind.as_str())
        .flag("durable", exchange.durable)
        .flag("auto_delete", exchange.auto_delete)
        .flag("internal", exchange.internal)
        .table("arguments", &exchange.arguments)
        .text("policy", policy)
        .by(by)
}

/// An exchange is gone.
pub(crate) fn exchange_deleted(vhost: &VhostName, name: &ExchangeName, by: &str) -> Event {
    Event::new("exchange.deleted").text("vhost", vhost.as_str()).text("name", name.as_str()).by(by)
}

/// The module that implements a type in the reference: what its events call the type.
fn type_name(kind: QueueKind) -> &'static str {
    match kind {
        QueueKind::Classic => "rabbit_classic_queue",
        QueueKind::Quorum => "rabbit_quorum_queue",
        QueueKind::Stream => "rabbit_stream_queue",
    }
}

/// A queue was declared. The types tell different facts.
pub(crate) fn queue_created(node: &str, vhost: &VhostName, queue: &QueueSpec, by: &str) -> Event {
    let event = Event::new("queue.created")
        .text("vhost", vhost.as_str())
        .text("name", queue.name.as_str())
        .text("type", type_name(queue.kind))
        .flag("durable", queue.durable)
        .flag("auto_delete", queue.auto_delete)
        .table("arguments", &queue.arguments)
        .by(by);
    let exclusive = |event: Event| event.flag("exclusive", queue.exclusive_owner.is_some());
    match queue.kind {
        QueueKind::Classic => {
            let owner = queue.exclusive_owner.map(|owner| connection::process(node, owner, 0)).unwrap_or_default();
            exclusive(event).text("leader", node).texts("members", [node]).text("owner_pid", &owner)
        }
        QueueKind::Quorum => exclusive(event),
        QueueKind::Stream => event,
    }
}

fn queue_deleted(vhost: &VhostName, queue: &QueueSpec, by: &str) -> Event {
    Event::new("queue.deleted")
        .text("vhost", vhost.as_str())
        .text("name", queue.name.as_str())
        .text("type", type_name(queue.kind))
        .by(by)
}

/// Bindings: made or gone.
fn binding(key: &'static str, vhost: &VhostName, binding: &Binding, by: &str) -> Event {
    let (kind, name) = match &binding.destination {
        Destination::Queue(name) => ("queue", name.as_str()),
        Destination::Exchange(name) => ("exchange", name.as_str()),
    };
    Event::new(key)
        .text("vhost", vhost.as_str())
        .text("source_kind", "exchange")
        .text("source_name", binding.source.as_str())
        .text("destination_kind", kind)
        .text("destination_name", name)
        .text("routing_key", &binding.routing_key)
        .table("arguments", &binding.arguments)
        .by(by)
}

/// A binding was made.
pub(crate) fn binding_created(vhost: &VhostName, made: &Binding, by: &UserName) -> Event {
    binding("binding.created", vhost, made, by.as_str())
}

/// Things went together. What went along with a queue is said to be the node's own doing.
pub(crate) fn removed(vhost: &VhostName, removed: &Removed<QueueHandle>, by: &str) -> Vec<Event> {
    let along = if removed.queue.is_some() { INTERNAL_USER } else { by };
    let bindings = removed.bindings.iter().map(|gone| binding("binding.deleted", vhost, &gone.binding, along));
    let exchanges = removed.exchanges.iter().map(|exchange| exchange_deleted(vhost, &exchange.name, along));
    let queue = removed.queue.iter().map(|queue| queue_deleted(vhost, queue.spec(), by));
    exchanges.chain(bindings).chain(queue).collect()
}

/// Everything of a vhost went with it.
pub(crate) fn vhost_dropped<'v>(
    node: &'v str,
    vhost: &'v VhostName,
    exchanges: &'v [Arc<Exchange>],
    queues: &'v [QueueHandle],
) -> impl Iterator<Item = Event> + 'v {
    let by = INTERNAL_USER;
    let queues = queues.iter().map(move |queue| queue_deleted(vhost, queue.spec(), by));
    let exchanges = exchanges.iter().map(move |exchange| exchange_deleted(vhost, &exchange.name, by));
    let down = Event::new("vhost.down").text("name", vhost.as_str()).text("node", node).by(by);
    queues.chain(exchanges).chain([down])
}
