//! Replicas of quorum queues. A node is a cluster of one, so its replica is there
//! already, and there is no other node to give one to.

use broker::QueueInfo;
use broker::domain::pattern::Pattern;
use broker::domain::queue::QueueKind;
use openapi::queues as wire;
use serde_json::json;

use axum::http::StatusCode;

use crate::body::Fields;
use crate::call::Call;
use crate::error::ApiError;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::ADD_REPLICA).post(add);
    on.at(&wire::DELETE_REPLICA).delete(delete);
    on.at(&wire::GROW).post(grow);
    on.at(&wire::SHRINK).delete(shrink);
    on.at(&wire::STATUS).get(status);
}

fn find(call: &Call) -> Result<Option<QueueInfo>, ApiError> {
    Ok(call.broker()?.queue(&call.vhost_name(), call.parameter("queue")))
}

/// The reference's name of a queue type that has no replicas of this sort.
fn unsupported(kind: QueueKind) -> Option<String> {
    (kind != QueueKind::Quorum).then(|| format!("{kind}_queue_not_supported"))
}

/// The node in the body, which must be this one.
fn own_node(call: &Call, fields: &Fields) -> Result<(), ApiError> {
    fields.require(&["node"])?;
    let own = call.node().settings().node_name.as_str();
    if fields.get("node").and_then(|node| node.as_str()) == Some(own) {
        Ok(())
    } else {
        Err(ApiError::bad_request("Node is not a cluster member"))
    }
}

async fn add(call: Call) -> Answer {
    own_node(&call, &call.fields()?)?;
    let queue = find(&call)?.ok_or_else(|| ApiError::unavailable("not_found"))?;
    match unsupported(queue.spec.kind) {
        Some(reason) => Err(ApiError::unavailable(reason)),
        None => Ok(Reply::no_content()),
    }
}

async fn delete(call: Call) -> Answer {
    let queue = find(&call)?.ok_or_else(ApiError::no_object)?;
    own_node(&call, &call.fields()?)?;
    match unsupported(queue.spec.kind) {
        Some(reason) => Err(ApiError::unavailable(reason)),
        None => Err(ApiError::unavailable("last_node")),
    }
}

async fn grow(call: Call) -> Answer {
    let fields = call.fields()?;
    fields.require(&["vhost_pattern", "queue_pattern", "strategy"])?;
    for pattern in [fields.required_text("vhost_pattern")?, fields.required_text("queue_pattern")?] {
        Pattern::new(pattern)
            .map_err(|error| ApiError::bad_request(format!("invalid pattern '{pattern}': {error}")))?;
    }
    let strategy = fields.required_text("strategy")?;
    if !matches!(strategy, "all" | "even") {
        return Err(ApiError::bad_request(format!("strategy '{strategy}' is not one of: all, even")));
    }
    known_node(&call).map_err(|_| ApiError::bad_request("Node is not a cluster member"))?;
    Ok(Reply::no_content())
}

async fn shrink(call: Call) -> Answer {
    known_node(&call)?;
    // Accepted and without effect, as in the reference: the last replica stays.
    Ok(Reply::bare(StatusCode::ACCEPTED))
}

fn known_node(call: &Call) -> Result<(), ApiError> {
    if call.parameter("node") == call.node().settings().node_name { Ok(()) } else { Err(ApiError::no_object()) }
}

async fn status(call: Call) -> Answer {
    let queue = find(&call)?.ok_or_else(ApiError::no_object)?;
    if let Some(reason) = unsupported(queue.spec.kind) {
        let body = json!({"status": "failed", "reason": reason});
        return Reply::json_status(StatusCode::SERVICE_UNAVAILABLE, &body);
    }
    // The log of a cluster of one is agreed on as soon as it is written.
    let counters = queue.counters;
    let changes = counters.publish + counters.deliver + counters.get + counters.ack;
    let index = i64::try_from(changes).unwrap_or(i64::MAX);
    Reply::json(&[wire::ReplicaStatus {
        node_name: call.node().settings().node_name.clone(),
        raft_state: "leader".to_owned(),
        membership: "voter".to_owned(),
        last_log_index: index,
        last_written: index,
        last_applied: index,
        commit_index: index,
        snapshot_index: -1,
        term: 1,
        machine_version: MACHINE_VERSION,
    }])
}

/// What the compatible version says its quorum queues run.
const MACHINE_VERSION: i64 = 8;
