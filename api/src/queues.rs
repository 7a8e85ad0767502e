//! Queues.

use std::collections::BTreeMap;

use broker::domain::binding::{Binding, Destination};
use broker::domain::name::VhostName;
use broker::domain::policy::Subject;
use broker::domain::queue::delayed::DelayedRetry;
use broker::domain::queue::{QueueKind, QueueSpec};
use broker::domain::value::FieldValue;
use broker::{Broker, ConnectionInfo, DeclareQueue, QueueInfo, QueueTotals};
use openapi::queues as wire;
use serde_json::{Map, Value, json};

use crate::applied::{self, Applied};
use crate::bindings;
use crate::call::{Call, queue_name, to_value};
use crate::consumers;
use crate::error::ApiError;
use crate::page::{self, Listing};
use crate::pid;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};
use crate::statistics::{QueueDetails, Ranges, Statistics};
use crate::stats::queue_stats;
use crate::table;
use crate::time::rfc3339;

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

/// Bytes a message takes besides its body, estimated.
const MESSAGE_OVERHEAD_BYTES: u64 = 128;

/// Deliveries of a quorum queue before a message is given up, when nothing else is set.
const DELIVERY_LIMIT: i64 = 20;

/// What queues look like to one request.
struct View<'a> {
    broker: &'a Broker,
    node: &'a str,
    detail: Detail,
    statistics: &'a Statistics,
    /// Which samples are asked for.
    ranges: Ranges,
    /// Connections, when an exclusive queue was found.
    connections: std::cell::OnceCell<Vec<ConnectionInfo>>,
}

/// How much of a queue is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// Everything.
    Full,
    /// What listings show when no columns are asked for.
    Reduced,
    /// Nothing that is counted.
    WithoutStats,
    /// Only the totals of what is counted.
    Totals,
}

/// Fields that listings leave out.
const NOT_IN_LISTINGS: &[&str] = &[
    "policy",
    "operator_policy",
    "exclusive_consumer_tag",
    "single_active_consumer_tag",
    "idle_since",
    "head_message_timestamp",
];

/// Fields that only classic queues have.
const ONLY_CLASSIC: &[&str] = &[
    "messages_ready_ram",
    "messages_unacknowledged_ram",
    "exclusive_consumer_tag",
    "idle_since",
    "head_message_timestamp",
];

/// Fields that streams do not have.
const NOT_IN_STREAMS: &[&str] = &[
    "messages_ram",
    "messages_persistent",
    "message_bytes",
    "message_bytes_ready",
    "message_bytes_unacknowledged",
    "message_bytes_ram",
    "message_bytes_persistent",
    "consumer_capacity",
    "consumer_utilisation",
    "single_active_consumer_tag",
];

impl<'a> View<'a> {
    fn new(call: &'a Call, detail: Detail) -> Result<Self, ApiError> {
        let detail = match (call.query.is_true("disable_stats"), call.query.is_true("enable_queue_totals")) {
            (false, _) => detail,
            (true, false) => Detail::WithoutStats,
            (true, true) => Detail::Totals,
        };
        Ok(Self {
            broker: call.broker()?,
            node: &call.node().settings().node_name,
            detail,
            statistics: call.statistics(),
            ranges: call.ranges()?.ahead(),
            connections: std::cell::OnceCell::new(),
        })
    }

    fn item(&self, queue: &QueueInfo, applied: &Applied) -> Result<Value, ApiError> {
        let mut item = to_value(&self.to_wire(queue, applied))?;
        let Value::Object(fields) = &mut item else { return Ok(item) };
        let mut leave_out = |names: &[&str]| fields.retain(|name, _| !names.contains(&name.as_str()));
        if queue.spec.kind != QueueKind::Classic {
            leave_out(ONLY_CLASSIC);
        }
        if queue.spec.kind == QueueKind::Stream {
            leave_out(NOT_IN_STREAMS);
        }
        match self.detail {
            Detail::Full => {}
            Detail::Reduced => leave_out(NOT_IN_LISTINGS),
            Detail::WithoutStats => return Ok(item),
            Detail::Totals => {
                leave_out(&["policy", "operator_policy", "effective_policy_definition"]);
                fields.insert("online".to_owned(), Value::Null);
                let totals = queue.totals;
                fields.insert("messages".to_owned(), totals.messages().into());
                fields.insert("messages_ready".to_owned(), totals.ready.into());
                fields.insert("messages_unacknowledged".to_owned(), totals.unacknowledged.into());
                return Ok(item);
            }
        }
        Ok(item)
    }

    fn to_wire(&self, queue: &QueueInfo, applied: &Applied) -> wire::Queue {
        let spec = &queue.spec;
        let selected = applied.select(Subject::Queue(spec.kind), spec.name.as_str());
        let effective = applied::definition(&selected);
        let counted = matches!(self.detail, Detail::Full | Detail::Reduced);
        wire::Queue {
            name: spec.name.to_string(),
            vhost: queue.vhost.to_string(),
            kind: spec.kind.as_str().to_owned(),
            durable: spec.durable,
            auto_delete: spec.auto_delete,
            exclusive: spec.exclusive_owner.is_some(),
            arguments: table::to_object(&spec.arguments),
            node: self.node.to_owned(),
            state: "running".to_owned(),
            internal: false,
            internal_owner: false,
            pid: pid::queue(self.node, spec.id),
            owner_pid: spec.exclusive_owner.map(|owner| pid::connection(self.node, owner)),
            owner_pid_details: self.owner(queue),
            policy: selected.user.map(|policy| policy.name.clone()),
            operator_policy: selected.operator.map(|policy| policy.name.clone()),
            counts: counted.then(|| counts(queue, self.statistics.queue(spec.id, &self.ranges))),
            replication: (counted && spec.kind != QueueKind::Classic)
                .then(|| replication(queue, self.node, &effective)),
            effective_policy_definition: effective,
        }
    }

    fn owner(&self, queue: &QueueInfo) -> Option<wire::OwnerDetails> {
        let owner = queue.spec.exclusive_owner?;
        let connections = self.connections.get_or_init(|| self.broker.connections());
        let connection = connections.iter().find(|connection| connection.id == owner)?;
        Some(wire::OwnerDetails {
            name: connection.name.clone(),
            peer_host: connection.peer_host.clone(),
            peer_port: connection.peer_port,
        })
    }
}

/// Share of time in which consumers could take more: they take at once what comes, unless
/// something waits for them.
pub(crate) fn consumer_capacity(totals: &QueueTotals) -> f64 {
    if totals.consumers > 0 && totals.ready == 0 { 1.0 } else { 0.0 }
}

/// Memory that a queue's messages take, in bytes.
pub(crate) fn memory(totals: &QueueTotals) -> u64 {
    totals.bytes_in_memory() + totals.in_memory() * MESSAGE_OVERHEAD_BYTES
}

fn counts(queue: &QueueInfo, details: QueueDetails) -> wire::QueueCounts {
    let totals = queue.totals;
    let capacity = consumer_capacity(&totals);
    wire::QueueCounts {
        messages: totals.messages(),
        messages_ready: totals.ready,
        messages_unacknowledged: totals.unacknowledged,
        messages_ram: totals.in_memory(),
        messages_ready_ram: totals.ready_in_memory(),
        messages_unacknowledged_ram: totals.unacknowledged_in_memory(),
        messages_persistent: totals.persistent,
        message_bytes: totals.bytes(),
        message_bytes_ready: totals.waiting_bytes(),
        message_bytes_unacknowledged: totals.unacknowledged_bytes,
        message_bytes_ram: totals.bytes_in_memory(),
        message_bytes_persistent: totals.persistent_bytes,
        consumers: totals.consumers,
        consumer_capacity: capacity,
        consumer_utilisation: capacity,
        memory: memory(&totals),
        exclusive_consumer_tag: queue.exclusive_consumer_tag.clone(),
        single_active_consumer_tag: queue.single_active_consumer_tag.clone(),
        idle_since: queue.idle_since_ms.map(rfc3339),
        head_message_timestamp: queue.head_message_timestamp,
        message_stats: queue_stats(&queue.counters, details.happened),
        messages_details: details.messages,
        messages_ready_details: details.messages_ready,
        messages_unacknowledged_details: details.messages_unacknowledged,
        ..wire::QueueCounts::default()
    }
}

fn replication(queue: &QueueInfo, node: &str, policy: &Map<String, Value>) -> wire::Replication {
    let on_node = |count| BTreeMap::from([(node.to_owned(), count)]);
    let common = wire::Replication {
        leader: node.to_owned(),
        members: vec![node.to_owned()],
        online: vec![node.to_owned()],
        ..wire::Replication::default()
    };
    if queue.spec.kind == QueueKind::Stream {
        return wire::Replication {
            readers: Some(on_node(queue.totals.consumers)),
            segments: Some(queue.segments),
            first_timestamp: Some(queue.first_at_ms),
            ..common
        };
    }
    let argument = queue.spec.arguments.get("x-delivery-limit").and_then(|limit| limit.as_i64());
    let policy_limit = policy.get("delivery-limit").and_then(Value::as_i64);
    wire::Replication {
        open_files: Some(on_node(0)),
        delivery_limit: Some(argument.into_iter().chain(policy_limit).min().unwrap_or(DELIVERY_LIMIT)),
        delayed_retry: Some(delayed_retry(&queue.spec, policy)),
        publishers: Some(0),
        messages_delayed: Some(queue.totals.delayed),
        messages_ready_returned: Some(0),
        messages_dlx: Some(queue.totals.dead),
        message_bytes_dlx: Some(queue.totals.dead_bytes),
        ..common
    }
}

/// Which returned messages of a quorum queue wait, in the reference's words.
fn delayed_retry(spec: &QueueSpec, policy: &Map<String, Value>) -> String {
    let argument = |name: &str| spec.arguments.get(&format!("x-{name}"));
    let kind = policy.get("delayed-retry-type").and_then(Value::as_str);
    let kind = kind.or_else(|| argument("delayed-retry-type").and_then(FieldValue::as_text));
    let milliseconds = |name: &str| {
        let own = argument(name).and_then(FieldValue::as_i64).and_then(|value| u64::try_from(value).ok());
        own.into_iter().chain(policy.get(name).and_then(Value::as_u64)).min()
    };
    let retry = DelayedRetry::resolve(kind, milliseconds("delayed-retry-min"), milliseconds("delayed-retry-max"));
    retry.map_or_else(|| "disabled".to_owned(), |retry| retry.to_string())
}

fn list(call: &Call, vhosts: &[VhostName], detail: Detail, keep: impl Fn(&QueueInfo) -> bool) -> Answer {
    let view = View::new(call, detail)?;
    let directory = call.directory()?;
    let applied: Vec<_> = vhosts.iter().map(|vhost| Applied::new(&directory, vhost)).collect();
    let mut queues = Vec::new();
    for (vhost, applied) in vhosts.iter().zip(&applied) {
        let kept = view.broker.queues(vhost).into_iter().filter(|queue| keep(queue));
        queues.extend(kept.map(|queue| (queue, applied)));
    }
    let name = |(queue, _): &(QueueInfo, &Applied)| queue.spec.name.to_string();
    let build = |(queue, applied): &(QueueInfo, &Applied)| view.item(queue, applied);
    Reply::json(&page::listing_of(queues, name, build, &call.query)?)
}

/// Columns may name anything; without them a listing is short.
fn listed(call: &Call) -> Detail {
    if call.query.get("columns").is_some() || call.query.get("sort").is_some() { Detail::Full } else { Detail::Reduced }
}

async fn list_queues(call: Call) -> Answer {
    list(&call, &call.visible_vhosts()?, listed(&call), |_| true)
}

async fn list_detailed(call: Call) -> Answer {
    list(&call, &call.visible_vhosts()?, Detail::Full, |_| true)
}

async fn list_of_vhost(call: Call) -> Answer {
    list(&call, std::slice::from_ref(&call.vhost()?.name), listed(&call), |_| true)
}

async fn list_of_user(call: Call) -> Answer {
    let user = call.user_name();
    list(&call, &call.visible_vhosts()?, listed(&call), |queue| queue.spec.declared_by == user)
}

/// The queue in the path, which must exist.
fn find(call: &Call) -> Result<QueueInfo, ApiError> {
    call.broker()?.queue(&call.vhost_name(), call.parameter("queue")).ok_or_else(ApiError::no_object)
}

async fn get_queue(call: Call) -> Answer {
    let queue = find(&call)?;
    let applied = Applied::new(&*call.directory()?, &queue.vhost);
    let mut item = View::new(&call, Detail::Full)?.item(&queue, &applied)?;
    if !call.query.is_true("disable_stats") {
        let node = &call.node().settings().node_name;
        let of_queue = call.broker()?.consumers(&queue.vhost).await.into_iter();
        let of_queue = of_queue.filter(|consumer| consumer.queue == queue.spec.name);
        item["consumer_details"] =
            of_queue.map(|consumer| to_value(&consumers::to_wire(&consumer, node))).collect::<Result<_, _>>()?;
        // Flows between one channel and one queue are not counted one by one.
        item["deliveries"] = json!([]);
        item["incoming"] = json!([]);
    }
    call.object(&item)
}

async fn put_queue(call: Call) -> Answer {
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
    let (if_unused, if_empty) = (call.query.is_true("if-unused"), call.query.is_true("if-empty"));
    call.broker()?.delete_queue(&call.caller(), &queue.vhost, &queue.spec.name, if_unused, if_empty).await?;
    Ok(Reply::no_content())
}

/// As the reference answers, a queue that does not exist has its implicit binding too,
/// and in a vhost that does not exist there is none.
async fn list_bindings(call: Call) -> Answer {
    let Ok(vhost) = call.vhost() else { return call.list(Vec::<Value>::new(), Listing::Plain) };
    let queue = queue_name(call.parameter("queue"))?;
    let implicit = bindings::to_wire(&Binding::implicit(&queue), &vhost.name);
    let destination = Destination::Queue(queue);
    let explicit = bindings::bindings(call.broker()?, &vhost.name, |binding| {
        binding.destination == destination && !binding.source.is_default()
    });
    call.list(std::iter::once(implicit).chain(explicit), Listing::Plain)
}

async fn purge(call: Call) -> Answer {
    let queue = find(&call)?;
    call.broker()?.purge_queue(&call.caller(), &queue.vhost, &queue.spec.name).await?;
    Ok(Reply::no_content())
}

async fn act(call: Call) -> Answer {
    find(&call).map_err(|_| ApiError::not_found("queue_not_found"))?;
    let fields = call.fields()?;
    fields.require(&["action"])?;
    Err(ApiError::bad_request(json!(["unknown", fields.get("action")])))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use broker::QueueTotals;
    use broker::domain::name::{QueueName, UserName};
    use broker::domain::queue::QueueId;
    use broker::domain::value::FieldTable;
    use broker::metrics::QueueCounters;

    use super::*;

    fn queue(kind: QueueKind, arguments: FieldTable, totals: QueueTotals) -> QueueInfo {
        let spec = QueueSpec {
            id: QueueId(7),
            name: QueueName::new("q").unwrap(),
            kind,
            durable: true,
            auto_delete: false,
            exclusive_owner: None,
            arguments,
            declared_by: UserName::new("u").unwrap(),
        };
        QueueInfo {
            spec: Arc::new(spec),
            vhost: VhostName::new("/").unwrap(),
            totals,
            counters: QueueCounters::default(),
            exclusive_consumer_tag: None,
            single_active_consumer_tag: None,
            idle_since_ms: None,
            head_message_timestamp: None,
            segments: 0,
            first_at_ms: 0,
        }
    }

    #[test]
    fn the_smaller_of_argument_and_policy_limits_deliveries() {
        for (argument, policy, expected) in
            [(None, None, 20), (Some(3), None, 3), (None, Some(5), 5), (Some(3), Some(5), 3), (Some(9), Some(5), 5)]
        {
            let mut arguments = FieldTable::new();
            if let Some(limit) = argument {
                arguments.insert("x-delivery-limit", FieldValue::I64(limit));
            }
            let policy: Map<_, _> =
                policy.map(|limit| ("delivery-limit".to_owned(), json!(limit))).into_iter().collect();
            let queue = queue(QueueKind::Quorum, arguments, QueueTotals::default());
            assert_eq!(replication(&queue, "n", &policy).delivery_limit, Some(expected));
        }
    }

    #[test]
    fn counts_add_up() {
        let totals = QueueTotals {
            ready: 2,
            unacknowledged: 3,
            ready_bytes: 20,
            unacknowledged_bytes: 30,
            consumers: 1,
            ..QueueTotals::default()
        };
        let counted = counts(&queue(QueueKind::Classic, FieldTable::new(), totals), QueueDetails::default());
        assert_eq!((counted.messages, counted.message_bytes, counted.memory), (5, 50, 50 + 5 * MESSAGE_OVERHEAD_BYTES));
        assert!(counted.consumer_capacity < 0.5, "messages wait for a consumer that is busy");
        let held = counts(
            &queue(QueueKind::Quorum, FieldTable::new(), QueueTotals { dead: 4, dead_bytes: 8, ..totals }),
            QueueDetails::default(),
        );
        assert_eq!((held.messages, held.message_bytes, held.messages_ready), (9, 58, 2));
        let paged = QueueTotals { unacknowledged_paged: 3, unacknowledged_paged_bytes: 30, ..totals };
        let counted = counts(&queue(QueueKind::Classic, FieldTable::new(), paged), QueueDetails::default());
        assert_eq!((counted.messages_ram, counted.message_bytes_ram), (2, 20));
        assert_eq!(counted.memory, 20 + 2 * MESSAGE_OVERHEAD_BYTES, "what is on disk takes none");
        let idle = QueueTotals { ready: 0, ..totals };
        assert!(
            counts(&queue(QueueKind::Classic, FieldTable::new(), idle), QueueDetails::default()).consumer_capacity
                > 0.5
        );
    }
}
