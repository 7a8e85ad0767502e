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

/// Totals are read from their owners when asked for, so nothing collected needs forgetting.
async fn reset_statistics(_call: Call) -> Answer {
    Ok(Reply::no_content())
}

async fn reset_statistics_of_node(call: Call) -> Answer {
    if call.parameter("node") == call.node().settings().node_name {
        Ok(Reply::no_content())
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
