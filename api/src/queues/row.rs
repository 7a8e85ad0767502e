//! What is said of a queue, field by field.
//!
//! The fields and their order are those of [`openapi::queues::Queue`], which is what clients read and the
//! document describes; a test compares. Written this way a listing of very many queues
//! builds nothing on the way to its bytes. Knows nothing of pages and columns.

use std::collections::HashMap;
use std::sync::Arc;

use broker::domain::policy::{Policy, Selected, Subject};
use broker::domain::queue::delayed::DelayedRetry;
use broker::domain::queue::{QueueKind, QueueSpec};
use broker::domain::value::FieldValue;
use broker::{Broker, QueueInfo, QueueTotals};

use openapi::statistics::Details;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::applied::{self, Applied};
use crate::call::Call;
use crate::connections::owner_details;
use crate::error::ApiError;
use crate::pid;
use crate::rows::Fields;
use crate::statistics::{Happened, QueueDetails, Ranges, Statistics};
use crate::table;
use crate::time::rfc3339;

/// Bytes a message takes besides its body, estimated.
const MESSAGE_OVERHEAD_BYTES: u64 = 128;

/// Deliveries of a quorum queue before a message is given up, when nothing else is set.
const DELIVERY_LIMIT: i64 = 20;

/// Most definitions remembered while a listing is written.
const DEFINITIONS_MAX: usize = 64;

/// Fields that say how counters run.
const RUNNING: &[&str] =
    &["messages_details", "messages_ready_details", "messages_unacknowledged_details", "message_stats"];

/// How much of a queue is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// Everything.
    Full,
    /// What listings show when no columns are asked for.
    Reduced,
    /// Nothing that is counted.
    WithoutStats,
    /// Only the totals of what is counted.
    Totals,
}

/// What queues look like to one request.
pub(super) struct View<'a> {
    broker: &'a Broker,
    statistics: &'a Statistics,
    node: &'a str,
    detail: Detail,
    /// Which samples are asked for.
    ranges: Ranges,
    /// What policies come to, by their identities: most queues have the same.
    definitions: HashMap<(usize, usize), Arc<Map<String, Value>>>,
}

impl<'a> View<'a> {
    pub(super) fn new(call: &'a Call, detail: Detail) -> Result<Self, ApiError> {
        let disabled = call.without_stats();
        let detail = match (disabled, call.query.is_true("enable_queue_totals")) {
            (false, _) => detail,
            (true, false) => Detail::WithoutStats,
            (true, true) => Detail::Totals,
        };
        Ok(Self {
            broker: call.broker()?,
            statistics: call.statistics(),
            node: &call.node().settings().node_name,
            detail,
            ranges: call.ranges_of_list()?.ahead(),
            definitions: HashMap::new(),
        })
    }

    /// Says everything of a queue that is to be sent.
    pub(super) fn describe(&mut self, queue: &QueueInfo, applied: &Applied, fields: &mut Fields<'_>) {
        let spec = &queue.spec;
        fields.put("name", spec.name.as_str());
        fields.put("vhost", queue.vhost.as_str());
        fields.put("type", spec.kind.as_str());
        fields.put("durable", &spec.durable);
        fields.put("auto_delete", &spec.auto_delete);
        fields.put("exclusive", &spec.exclusive_owner.is_some());
        fields.put("arguments", &table::AsJson(&spec.arguments));
        fields.put("node", self.node);
        fields.put("state", if queue.down { "down" } else { "running" });
        fields.put("internal", &false);
        fields.put("internal_owner", &false);
        if fields.wants("pid") {
            fields.put("pid", &pid::queue(self.node, spec.id));
        }
        if let Some(owner) = spec.exclusive_owner {
            fields.put("owner_pid", &pid::connection(self.node, owner));
            if fields.wants("owner_pid_details")
                && let Some(connection) = self.broker.live_connection(owner)
            {
                fields.put("owner_pid_details", &owner_details(&connection));
            }
        }
        let selected = applied.select(Subject::Queue(spec.kind), spec.name.as_str());
        let name = |policy: &Option<Arc<Policy>>| policy.as_ref().map(|policy| policy.name.clone());
        for (field, policy) in [("policy", &selected.user), ("operator_policy", &selected.operator)] {
            // Listings show those that apply.
            let is_told = match self.detail {
                Detail::Full | Detail::WithoutStats => true,
                Detail::Reduced => policy.is_some(),
                Detail::Totals => false,
            };
            if is_told {
                fields.put(field, &name(policy));
            }
        }
        let effective = self.definition(&selected);
        if self.detail != Detail::Totals {
            fields.put("effective_policy_definition", &*effective);
        }
        match self.detail {
            Detail::WithoutStats => {}
            Detail::Totals => {
                fields.put("online", &Value::Null);
                fields.put("messages", &queue.totals.messages());
                fields.put("messages_ready", &queue.totals.ready);
                fields.put("messages_unacknowledged", &queue.totals.unacknowledged);
            }
            Detail::Full | Detail::Reduced => {
                self.counts(queue, fields);
                if spec.kind != QueueKind::Classic {
                    replication(queue, self.node, &effective, fields);
                }
            }
        }
    }

    fn counts(&self, queue: &QueueInfo, fields: &mut Fields<'_>) {
        let totals = &queue.totals;
        let is_full = self.detail == Detail::Full;
        let is_classic = queue.spec.kind == QueueKind::Classic;
        let is_stream = queue.spec.kind == QueueKind::Stream;
        let details = if fields.wants_any(RUNNING) {
            self.statistics.queue(queue.spec.id, &self.ranges)
        } else {
            QueueDetails::default()
        };
        fields.put("messages", &totals.messages());
        fields.put("messages_details", &details.messages);
        fields.put("messages_ready", &totals.ready);
        fields.put("messages_ready_details", &details.messages_ready);
        fields.put("messages_unacknowledged", &totals.unacknowledged);
        fields.put("messages_unacknowledged_details", &details.messages_unacknowledged);
        if !is_stream {
            fields.put("messages_ram", &totals.in_memory());
        }
        if is_classic {
            fields.put("messages_ready_ram", &totals.ready_in_memory());
            fields.put("messages_unacknowledged_ram", &totals.unacknowledged_in_memory());
        }
        if !is_stream {
            fields.put("messages_persistent", &totals.persistent);
            fields.put("message_bytes", &totals.bytes());
            fields.put("message_bytes_ready", &totals.waiting_bytes());
            fields.put("message_bytes_unacknowledged", &totals.unacknowledged_bytes);
            fields.put("message_bytes_ram", &totals.bytes_in_memory());
            fields.put("message_bytes_persistent", &totals.persistent_bytes);
        }
        fields.put("consumers", &totals.consumers);
        if !is_stream {
            let capacity = consumer_capacity(totals);
            fields.put("consumer_capacity", &capacity);
            fields.put("consumer_utilisation", &capacity);
        }
        fields.put("memory", &memory(totals));
        fields.put("reductions", &0);
        fields.put("reductions_details", &Details::default());
        if is_full && is_classic {
            fields.put("exclusive_consumer_tag", &queue.exclusive_consumer_tag);
        }
        if is_full && !is_stream {
            fields.put("single_active_consumer_tag", &queue.single_active_consumer_tag);
        }
        if is_full && is_classic {
            if let Some(since) = queue.idle_since_ms {
                fields.put("idle_since", &rfc3339(since));
            }
            fields.put("head_message_timestamp", &queue.head_message_timestamp);
        }
        if fields.wants("message_stats")
            && let Some(details) = details.happened
        {
            let happened = Happened::on_queue(&queue.counters, details);
            if !happened.is_empty() {
                fields.put("message_stats", &happened);
            }
        }
    }

    /// What the policies of a queue come to.
    fn definition(&mut self, selected: &Selected) -> Arc<Map<String, Value>> {
        let identity = |policy: &Option<Arc<Policy>>| policy.as_ref().map_or(0, |policy| Arc::as_ptr(policy).addr());
        let identities = (identity(&selected.user), identity(&selected.operator));
        if let Some(known) = self.definitions.get(&identities) {
            return known.clone();
        }
        let definition = Arc::new(applied::definition(selected));
        if self.definitions.len() < DEFINITIONS_MAX {
            self.definitions.insert(identities, definition.clone());
        }
        definition
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

/// One node's number.
struct OnNode<'a>(&'a str, u64);

impl Serialize for OnNode<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(self.0, self.1)])
    }
}

/// What only a quorum queue or a stream has.
fn replication(queue: &QueueInfo, node: &str, policy: &Map<String, Value>, fields: &mut Fields<'_>) {
    fields.put("leader", node);
    fields.put("members", &[node]);
    fields.put("online", &[node]);
    if queue.spec.kind == QueueKind::Stream {
        fields.put("readers", &OnNode(node, queue.totals.consumers));
        fields.put("segments", &queue.segments);
        fields.put("first_timestamp", &queue.first_at_ms);
        return;
    }
    fields.put("open_files", &OnNode(node, 0));
    fields.put("delivery_limit", &delivery_limit(&queue.spec, policy));
    if fields.wants("delayed_retry") {
        fields.put("delayed_retry", &delayed_retry(&queue.spec, policy));
    }
    fields.put("publishers", &0);
    fields.put("messages_delayed", &queue.totals.delayed);
    fields.put("messages_ready_returned", &0);
    fields.put("messages_dlx", &queue.totals.dead);
    fields.put("message_bytes_dlx", &queue.totals.dead_bytes);
}

fn delivery_limit(spec: &QueueSpec, policy: &Map<String, Value>) -> i64 {
    let argument = spec.arguments.get("x-delivery-limit").and_then(|limit| limit.as_i64());
    let policy_limit = policy.get("delivery-limit").and_then(Value::as_i64);
    argument.into_iter().chain(policy_limit).min().unwrap_or(DELIVERY_LIMIT)
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

#[cfg(test)]
mod tests {
    use broker::domain::name::{QueueName, UserName, VhostName};
    use broker::domain::queue::QueueId;
    use broker::domain::value::FieldTable;
    use broker::metrics::QueueCounters;
    use serde_json::json;

    use super::*;
    use crate::rows;

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
            down: false,
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
            let shown = rows::value(|fields| replication(&queue, "n", &policy, fields)).unwrap();
            assert_eq!(shown["delivery_limit"], expected);
        }
    }

    #[test]
    fn what_is_on_disk_takes_no_memory() {
        let totals = QueueTotals {
            ready: 2,
            unacknowledged: 3,
            ready_bytes: 20,
            unacknowledged_bytes: 30,
            consumers: 1,
            ..QueueTotals::default()
        };
        assert_eq!(memory(&totals), 50 + 5 * MESSAGE_OVERHEAD_BYTES);
        assert!(consumer_capacity(&totals) < 0.5, "messages wait for a consumer that is busy");
        let paged = QueueTotals { unacknowledged_paged: 3, unacknowledged_paged_bytes: 30, ..totals };
        assert_eq!(memory(&paged), 20 + 2 * MESSAGE_OVERHEAD_BYTES);
        assert!(consumer_capacity(&QueueTotals { ready: 0, ..totals }) > 0.5);
    }
}
