//! Small things an operator asks of a node.

use axum::http::StatusCode;
use openapi::maintenance as wire;
use serde_json::json;

use crate::call::Call;
use crate::error::ApiError;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::RESET).delete(reset_statistics);
    on.at(&wire::RESET_NODE).delete(reset_statistics_of_node);
    on.at(&wire::REBALANCE).post(rebalance);
    on.at(&wire::EFFECTIVE_CONFIG).get(get_effective_config);
    on.at(&wire::EXTENSIONS).get(list_extensions);
}

/// Forgets what was sampled. Counters are their owners' and go on.
async fn reset_statistics(call: Call) -> Answer {
    call.statistics().clear();
    Ok(Reply::no_content())
}

async fn reset_statistics_of_node(call: Call) -> Answer {
    if call.parameter("node") == call.node().settings().node_name {
        reset_statistics(call).await
    } else {
        Err(ApiError::no_object())
    }
}

/// With one node every leader already is where it can be.
async fn rebalance(_call: Call) -> Answer {
    Ok(Reply::no_content())
}

async fn get_effective_config(call: Call) -> Answer {
    let config = call.context.facts.effective_config.clone();
    Ok(Reply::with_body(StatusCode::OK, "text/plain", config.into()))
}

async fn list_extensions(_call: Call) -> Answer {
    Reply::json(&json!([]))
}
