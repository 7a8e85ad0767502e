//! The node: state, stop, start, reset, shutdown, plugins.

use axum::http::StatusCode;
use broker::domain::alarm::Scarce;
use openapi::control::{self as wire, AppState, NodeAlarm, NodeListener, NodeSummary};
use openapi::error::APP_RUNNING;

use crate::call::Call;
use crate::error::ApiError;
use crate::plugins;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::NODE).get(get_node);
    on.at(&wire::STOP_APP).post(stop_app);
    on.at(&wire::START_APP).post(start_app);
    on.at(&wire::RESET).post(reset);
    on.at(&wire::SHUTDOWN).post(shutdown);
    on.at(&wire::PLUGINS).get(list_plugins).put(put_plugins);
}

async fn get_node(call: Call) -> Answer {
    let node = call.node();
    let settings = node.settings();
    let status = node.status();
    let facts = &call.context.facts;
    let cluster_name = match &call.broker {
        Some(broker) => crate::cluster::name(broker, settings),
        None => crate::cluster::default_name(settings),
    };
    Reply::json(&NodeSummary {
        node: settings.node_name.clone(),
        app_state: match node.app_state() {
            broker::AppState::Booting => AppState::Booting,
            broker::AppState::Running => AppState::Running,
            broker::AppState::Stopped => AppState::Stopped,
        },
        os_pid: status.os_pid,
        warren_version: facts.warren_version.clone(),
        compatible_version: settings.version.clone(),
        product: settings.product.clone(),
        data_dir: settings.data_dir.display().to_string(),
        config_files: facts.config_files.iter().map(|path| path.display().to_string()).collect(),
        log_files: facts.log_files.clone(),
        uptime_ms: status.uptime_ms,
        listeners: node
            .listeners()
            .into_iter()
            .map(|listener| NodeListener {
                protocol: listener.protocol,
                ip_address: listener.address.ip().to_string(),
                port: listener.address.port(),
            })
            .collect(),
        cluster_name,
        memory_used: status.memory_used,
        memory_limit: status.memory_limit,
        memory_alarm: status.alarms.is_scarce(Scarce::Memory),
        disk_free: status.disk_free,
        disk_free_limit: status.disk_free_limit,
        disk_alarm: status.alarms.is_scarce(Scarce::Disk),
        alarms: (status.alarms.causes.iter())
            .map(|cause| NodeAlarm { resource: cause.resource().name().to_owned(), reason: cause.to_string() })
            .collect(),
        fd_used: status.fd_used,
        fd_total: status.fd_total,
        processors: status.processors,
    })
}

async fn stop_app(call: Call) -> Answer {
    call.node().stop_app().await?;
    Ok(Reply::no_content())
}

async fn start_app(call: Call) -> Answer {
    call.node().start_app().await?;
    Ok(Reply::no_content())
}

async fn reset(call: Call) -> Answer {
    match call.node().reset().await {
        Ok(()) => Ok(Reply::no_content()),
        Err(broker::Error::NotAllowed(reason)) => Err(ApiError::new(StatusCode::CONFLICT, APP_RUNNING, reason)),
        Err(error) => Err(error.into()),
    }
}

async fn shutdown(call: Call) -> Answer {
    (call.context.facts.shutdown)();
    Ok(Reply::bare(StatusCode::ACCEPTED))
}

async fn list_plugins(call: Call) -> Answer {
    let enabled = plugins::load(&call.node().settings().data_dir)?;
    let running = call.broker.is_some();
    Reply::json(&plugins::describe(&enabled, &call.node().settings().version, running))
}

async fn put_plugins(call: Call) -> Answer {
    let body: wire::PutPlugins =
        serde_json::from_slice(&call.body).map_err(|error| ApiError::bad_request(error.to_string()))?;
    let data_dir = call.node().settings().data_dir.clone();
    let changed = tokio::task::spawn_blocking(move || plugins::replace(&data_dir, body.enabled)).await;
    let changed = changed.map_err(|error| ApiError::internal(error.to_string()))??;
    if let Some(broker) = &call.broker {
        broker.tell_events(changed.set.iter().any(|name| name == plugins::EVENT_EXCHANGE)).await?;
    }
    Reply::json(&changed)
}
