//! Health checks: 200 and `ok`, or 503 with what is wrong.

use axum::http::StatusCode;
use broker::AppState;
use broker::domain::alarm::{Cause, Scarce};
use openapi::health as wire;
use serde_json::{Value, json};

use crate::call::Call;
use crate::error::ApiError;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::LIVE).get(probe_live);
    on.at(&wire::READY).get(probe_ready);
    on.at(&wire::ALARMS).get(check_alarms);
    on.at(&wire::LOCAL_ALARMS).get(check_local_alarms);
    on.at(&wire::VIRTUAL_HOSTS).get(check_ok);
    on.at(&wire::PORT_LISTENER).get(check_port);
    on.at(&wire::PROTOCOL_LISTENER).get(check_protocols);
    on.at(&wire::CERTIFICATE_EXPIRATION).get(check_certificates);
    on.at(&wire::QUORUM_CRITICAL).get(check_quorum_critical);
    on.at(&wire::METADATA_STORE).get(check_ok);
    on.at(&wire::METADATA_STORE_DATA).get(check_metadata);
    on.at(&wire::LEADERS_ALL).get(check_ok);
    on.at(&wire::LEADERS_ALL_PATTERN).get(check_ok);
    on.at(&wire::LEADERS_VHOST).get(check_ok);
    on.at(&wire::LEADERS_VHOST_PATTERN).get(check_ok);
    on.at(&wire::IS_IN_SERVICE).get(check_in_service);
    on.at(&wire::BELOW_CONNECTION_LIMIT).get(check_runs);
    on.at(&wire::READY_TO_SERVE).get(check_ready);
    on.at(&wire::TARGET_CLUSTER_SIZE).get(check_ok);
    on.at(&wire::ALIVENESS).get(check_vhost);
    on.at(&wire::NODE).get(check_ok);
    on.at(&wire::NAMED_NODE).get(check_node);
}

/// Why a node in maintenance fails.
const NOT_IN_SERVICE: &str = "this rabbit node is not currently available to serve";

fn ok() -> Answer {
    Reply::json(&json!({"status": "ok"}))
}

/// A failed check: 503, the reason, and details under further names.
fn failed(reason: &str, details: Value) -> Answer {
    let mut body = json!({"status": "failed", "reason": reason});
    if let (Value::Object(body), Value::Object(details)) = (&mut body, details) {
        body.extend(details);
    }
    Reply::json_status(StatusCode::SERVICE_UNAVAILABLE, &body)
}

/// Sentences about the alarms in force: those of failed storage, and the others.
fn alarm_sentences(call: &Call) -> (Vec<String>, Vec<String>) {
    let alarms = call.node().status().alarms;
    let (failed, scarce): (Vec<_>, Vec<_>) =
        alarms.causes.iter().partition(|cause| cause.resource() == Scarce::Storage);
    let sentences = |causes: Vec<&Cause>| causes.into_iter().map(ToString::to_string).collect();
    (sentences(failed), sentences(scarce))
}

fn probe(reasons: Vec<String>, warnings: Vec<String>) -> Answer {
    let (status, word) =
        if reasons.is_empty() { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "failed") };
    Reply::json_status(status, &wire::Probe { status: word.to_owned(), reasons, warnings })
}

/// Storage that failed confirms nothing until the process is started again.
async fn probe_live(call: Call) -> Answer {
    let (failed, scarce) = alarm_sentences(&call);
    probe(failed, scarce)
}

async fn probe_ready(call: Call) -> Answer {
    let (mut reasons, warnings) = alarm_sentences(&call);
    let node = call.node();
    match node.app_state() {
        AppState::Running => {}
        AppState::Booting => reasons.push("the application is starting".to_owned()),
        AppState::Stopped => reasons.push("the application is stopped; start_app starts it".to_owned()),
    }
    if node.is_in_maintenance() {
        reasons.push("the node is in maintenance".to_owned());
    }
    if node.are_listeners_suspended() {
        reasons.push("the listeners of clients are suspended".to_owned());
    }
    probe(reasons, warnings)
}

/// What cannot fail on a node that answers: its vhosts run while it runs, and a queue's
/// only replica, the leader, is here.
async fn check_ok(_call: Call) -> Answer {
    ok()
}

async fn check_alarms(call: Call) -> Answer {
    alarms(&call, "There are alarms in effect in the cluster")
}

async fn check_local_alarms(call: Call) -> Answer {
    alarms(&call, "There are alarms in effect on the node")
}

fn alarms(call: &Call, reason: &str) -> Answer {
    let status = call.node().status();
    let scarce = status.alarms.scarce();
    let alarms: Vec<_> =
        scarce.iter().map(|resource| json!({"node": status.name, "resource": resource.name()})).collect();
    if alarms.is_empty() { ok() } else { failed(reason, json!({ "alarms": alarms })) }
}

async fn check_port(call: Call) -> Answer {
    let port: i64 = call.parameter("port").parse().map_err(|_| ApiError::bad_request("Invalid port"))?;
    let ports: Vec<_> = call.node().listeners().iter().map(|listener| i64::from(listener.address.port())).collect();
    if ports.contains(&port) {
        Reply::json(&json!({"status": "ok", "port": port}))
    } else {
        failed("No active listener", json!({"missing": port, "ports": ports}))
    }
}

/// A protocol under the name listeners bear.
fn canonical_protocol(name: &str) -> String {
    let name = name.trim().to_lowercase();
    match name.as_str() {
        "amqp091" | "amqp0.9.1" | "amqp0-9-1" | "amqp-0-9-1" | "amqp10" | "amqp1.0" => "amqp".to_owned(),
        "amqps" | "amqp/tls" => "amqp/ssl".to_owned(),
        "management" => "http".to_owned(),
        "http/tls" | "http/ssl" => "https".to_owned(),
        "prometheus" => "http/prometheus".to_owned(),
        _ => name,
    }
}

async fn check_protocols(call: Call) -> Answer {
    let mut protocols: Vec<_> = call.node().listeners().into_iter().map(|listener| listener.protocol).collect();
    protocols.sort();
    protocols.dedup();
    let wanted = call.parameter("protocols").split(',').map(canonical_protocol);
    let missing: Vec<_> = wanted.filter(|name| !protocols.contains(name)).collect();
    if missing.is_empty() {
        Reply::json(&json!({"status": "ok", "protocols": protocols}))
    } else {
        failed("No active listener", json!({"missing": missing, "protocols": protocols}))
    }
}

/// No listener holds a certificate, so none expires; the question is still checked.
async fn check_certificates(call: Call) -> Answer {
    match call.parameter("unit") {
        "day" | "days" | "week" | "weeks" | "month" | "months" | "year" | "years" => {}
        _ => {
            return Err(ApiError::bad_request(
                "Time unit not recognised. Supported units: days, weeks, months, years.",
            ));
        }
    }
    match call.parameter("within").parse::<i64>() {
        Ok(_) => ok(),
        Err(_) => Err(ApiError::bad_request("Invalid expiration value.")),
    }
}

async fn check_quorum_critical(_call: Call) -> Answer {
    Reply::json(&json!({"status": "ok", "reason": "single node cluster"}))
}

async fn check_metadata(call: Call) -> Answer {
    let directory = call.directory()?;
    if directory.vhosts.is_empty() || directory.users.is_empty() {
        failed("Metadata store has no virtual host or no user", json!({}))
    } else {
        ok()
    }
}

async fn check_runs(call: Call) -> Answer {
    match call.node().app_state() {
        AppState::Running => ok(),
        AppState::Booting | AppState::Stopped => failed("the application does not run", json!({})),
    }
}

async fn check_in_service(call: Call) -> Answer {
    if call.node().is_in_maintenance() {
        return failed(NOT_IN_SERVICE, json!({}));
    }
    check_runs(call).await
}

async fn check_ready(call: Call) -> Answer {
    if !call.node().is_in_maintenance() && call.node().are_listeners_suspended() {
        return failed("no active listeners for AMQP/AMQPS", json!({}));
    }
    check_in_service(call).await
}

async fn check_vhost(call: Call) -> Answer {
    call.vhost()?;
    call.enter_vhost()?;
    ok()
}

async fn check_node(call: Call) -> Answer {
    if call.parameter("node") == call.node().settings().node_name { ok() } else { Err(ApiError::no_object()) }
}
