//! Health checks: they say what they found and fail when it is bad.

use openapi::control::AppState;
use serde_json::json;

use crate::call::Call;
use crate::command::{Command, Needs, Section, Tool, Words};
use crate::endpoints::{DEPRECATED_FEATURES_USED, HEALTH_CERTIFICATES, HEALTH_VHOSTS, NODES, QUEUES};
use crate::exit::{Failure, Kind};
use crate::node_view;
use crate::output::{Answer, Format};
use crate::parse::Switch;

/// Commands of this file.
pub const ALL: &[&Command] = &[
    &ALARMS,
    &CHECK_ALARMS,
    &CHECK_CERTIFICATE_EXPIRATION,
    &CHECK_FOR_QUORUM_QUEUES_WITHOUT_AN_ELECTED_LEADER,
    &CHECK_IF_ANY_DEPRECATED_FEATURES_ARE_USED,
    &CHECK_IF_METADATA_STORE_IS_INITIALIZED,
    &CHECK_IF_METADATA_STORE_IS_INITIALIZED_WITH_DATA,
    &CHECK_IF_NEW_QUORUM_QUEUE_REPLICAS_HAVE_FINISHED_INITIAL_SYNC,
    &CHECK_IF_NODE_IS_MIRROR_SYNC_CRITICAL,
    &CHECK_IF_NODE_IS_QUORUM_CRITICAL,
    &CHECK_LOCAL_ALARMS,
    &CHECK_RUNNING,
    &CHECK_VIRTUAL_HOSTS,
    &IS_BOOTING,
    &IS_RUNNING,
    &NODE_HEALTH_CHECK,
    &PING,
];

/// A check that found nothing wrong: one line, nothing with `-s`, `ok` in JSON.
pub fn passed(call: &Call, text: String) -> Answer {
    if call.is_silent() && call.format != Format::Json {
        return Answer::Silent;
    }
    Answer::Report { text, json: json!({"result": "ok"}) }
}

/// `ping`.
pub const PING: Command = Command {
    name: "ping",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Checks that the node OS process is up, registered with EPMD and CLI tools can authenticate with it",
    usage: "ping [--timeout <timeout>]",
    guides: &["monitoring"],
    endpoints: &[&openapi::control::NODE],
    banner: banner_of_ping,
    run: ping,
    ..Command::BLANK
};

/// Milliseconds a ping may take when no time limit is given.
const PING_WAIT_MS: i64 = 60_000;

fn ping_wait_ms(call: &Call) -> i64 {
    call.switches.integer("timeout").map_or(PING_WAIT_MS, |seconds| seconds.saturating_mul(1000))
}

fn banner_of_ping(call: &Call) -> Option<String> {
    let (node, millis) = (call.node(), ping_wait_ms(call));
    Some(format!(
        "Will ping {node}. This only checks if the OS process is running and registered with epmd. Timeout: {millis} ms."
    ))
}

fn ping(call: &Call) -> Result<Answer, Failure> {
    match call.summary() {
        Ok(_) => Ok(Answer::Message("Ping succeeded".to_owned())),
        Err(failure) => {
            let (node, millis) = (call.node(), ping_wait_ms(call));
            let text = format!("Failed to connect and authenticate to {node} in {millis} ms");
            let is_away = matches!(failure.kind, Kind::Unavailable | Kind::TryAgain);
            Err(if is_away { Failure::refused(Kind::Unavailable, text) } else { failure })
        }
    }
}

fn app_state(call: &Call) -> Result<AppState, Failure> {
    Ok(call.summary()?.map_or(AppState::Running, |summary| summary.app_state))
}

fn running_text(call: &Call, state: AppState) -> String {
    let node = call.node();
    match state {
        AppState::Running => format!("RabbitMQ on node {node} is fully booted and running"),
        AppState::Booting | AppState::Stopped => {
            format!("RabbitMQ on node {node} is not running or has not fully booted yet (check with is_booting)")
        }
    }
}

/// `check_running`.
pub const CHECK_RUNNING: Command = Command {
    name: "check_running",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Health check that exits with a non-zero code if the RabbitMQ app on the target node is not running",
    usage: "check_running [--timeout <timeout>]",
    endpoints: &[&openapi::control::NODE],
    banner: |call| Some(format!("Checking if RabbitMQ is running on node {} ...", call.node())),
    run: check_running,
    ..Command::BLANK
};

fn check_running(call: &Call) -> Result<Answer, Failure> {
    let state = app_state(call)?;
    let text = running_text(call, state);
    if state == AppState::Running { Ok(Answer::Message(text)) } else { Err(Failure::refused(Kind::Unavailable, text)) }
}

/// `is_running`.
pub const IS_RUNNING: Command = Command {
    name: "is_running",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Checks if RabbitMQ is fully booted and running on the target node",
    usage: "is_running [--timeout <timeout>]",
    endpoints: &[&openapi::control::NODE],
    banner: |call| Some(format!("Asking node {} for its status ...", call.node())),
    run: is_running,
    ..Command::BLANK
};

fn is_running(call: &Call) -> Result<Answer, Failure> {
    let state = app_state(call)?;
    let text = running_text(call, state);
    Ok(Answer::Report { json: json!({"message": text, "result": state == AppState::Running}), text })
}

/// `is_booting`.
pub const IS_BOOTING: Command = Command {
    name: "is_booting",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Checks if RabbitMQ is still booting on the target node",
    usage: "is_booting [--timeout <timeout>]",
    endpoints: &[&openapi::control::NODE],
    banner: |call| Some(format!("Asking node {} for its boot status ...", call.node())),
    run: is_booting,
    ..Command::BLANK
};

fn is_booting(call: &Call) -> Result<Answer, Failure> {
    let booting = app_state(call)? == AppState::Booting;
    let node = call.node();
    let text = if booting {
        format!("RabbitMQ on node {node} is booting")
    } else {
        format!(
            "RabbitMQ on node {node} is fully booted (check with is_running), stopped or has not started booting yet"
        )
    };
    Ok(Answer::Report { json: json!({"message": text, "result": booting}), text })
}

/// `alarms`.
pub const ALARMS: Command = Command {
    name: "alarms",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Lists resource alarms (local or cluster-wide) in effect on the target node",
    usage: "alarms [--timeout <timeout>]",
    needs: Needs::AppRunning,
    endpoints: &[&NODES],
    banner: |call| Some(format!("Asking node {} to report any known resource alarms ...", call.node())),
    run: alarms,
    ..Command::BLANK
};

fn alarms(call: &Call) -> Result<Answer, Failure> {
    let lines = node_view::alarms(&node_view::node(call)?);
    let node = call.node();
    Ok(if lines.is_empty() {
        Answer::Report { text: no_alarms(&node), json: json!({"alarms": [], "node": node, "result": "ok"}) }
    } else {
        let json =
            json!({"global": [], "local": lines, "message": format!("Node {node} reported alarms"), "result": "ok"});
        Answer::Report { text: lines.join("\n"), json }
    })
}

fn no_alarms(node: &str) -> String {
    format!("Node {node} reported no alarms, local or clusterwide")
}

/// `check_alarms`.
pub const CHECK_ALARMS: Command = Command {
    name: "check_alarms",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Health check that exits with a non-zero code if the target node reports any alarms, local or cluster-wide.",
    usage: "check_alarms [--timeout <timeout>]",
    needs: Needs::AppRunning,
    endpoints: &[&NODES],
    banner: |call| Some(format!("Asking node {} to report any local resource alarms ...", call.node())),
    run: check_alarms,
    ..Command::BLANK
};

fn check_alarms(call: &Call) -> Result<Answer, Failure> {
    let lines = node_view::alarms(&node_view::node(call)?);
    let node = call.node();
    if lines.is_empty() {
        return Ok(passed(call, no_alarms(&node)));
    }
    let json =
        json!({"global": [], "local": lines, "message": format!("Node {node} reported alarms"), "result": "error"});
    Err(Failure::plain(Kind::Unavailable, lines.join("\n")).with_json(json))
}

/// `check_local_alarms`.
pub const CHECK_LOCAL_ALARMS: Command = Command {
    name: "check_local_alarms",
    tools: &[Tool::Diagnostics],
    section: Section::Deprecated,
    summary: "DEPRECATED. This command is a no-op. Local alarms have been removed. See https://www.rabbitmq.com/alarms.html",
    usage: "check_local_alarms [--timeout <timeout>]",
    guides: &["alarms"],
    needs: Needs::AppRunning,
    banner: |_| Some("This command is DEPRECATED and is a no-op. It will be removed in a future version.".to_owned()),
    run: check_local_alarms,
    ..Command::BLANK
};

fn check_local_alarms(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    Ok(passed(call, format!("Node {} reported no local alarms", call.node())))
}

/// `check_virtual_hosts`.
pub const CHECK_VIRTUAL_HOSTS: Command = Command {
    name: "check_virtual_hosts",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Health check that checks if all vhosts are running in the target node",
    usage: "check_virtual_hosts [--timeout <timeout>]",
    needs: Needs::AppRunning,
    endpoints: &[&HEALTH_VHOSTS],
    banner: |call| Some(format!("Checking if all vhosts are running on node {} ...", call.node())),
    run: check_virtual_hosts,
    ..Command::BLANK
};

fn check_virtual_hosts(call: &Call) -> Result<Answer, Failure> {
    let reply = call.get_checked(&HEALTH_VHOSTS, &[])?;
    let node = call.node();
    if reply.is_ok() {
        // As terms the reference prints nothing here.
        return Ok(match call.format {
            Format::Erlang => Answer::Silent,
            _ => passed(call, format!("Node {node} reported all vhosts as running")),
        });
    }
    let down: Vec<&str> =
        reply.body["virtual-hosts"].as_array().into_iter().flatten().filter_map(|name| name.as_str()).collect();
    let text = format!("Some virtual hosts on node {node} are down:\n{}", down.join("\n"));
    Err(Failure::plain(Kind::Unavailable, text)
        .with_json(json!({"result": "error", "message": "Some virtual hosts are down"})))
}

/// `check_certificate_expiration`.
pub const CHECK_CERTIFICATE_EXPIRATION: Command = Command {
    name: "check_certificate_expiration",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Checks the expiration date of every certificate (leaf, intermediary or any CA) in every certificate bundle file used by the node",
    usage: "check_certificate_expiration [--within <period>] [--unit <unit>]",
    explains: &[("<period>", "how far to look ahead"), ("<unit>", "days, weeks, months or years")],
    guides: &["ssl", "networking"],
    switches: &[Switch::text("unit"), Switch::integer("within")],
    endpoints: &[&HEALTH_CERTIFICATES],
    check: check_unit,
    banner: |call| Some(format!("Checking certificate expiration for all certificates on node {} ...", call.node())),
    run: check_certificate_expiration,
    ..Command::BLANK
};

fn check_unit(call: &Call) -> Result<(), Failure> {
    const UNITS: [&str; 4] = ["days", "weeks", "months", "years"];
    match call.switches.text("unit") {
        Some(unit) if !UNITS.contains(&unit.to_lowercase().as_str()) => {
            Err(Failure::usage(format!("\"unit '{unit}' is not supported. Please use one of: {}\"", UNITS.join(", "))))
        }
        _ => Ok(()),
    }
}

fn check_certificate_expiration(call: &Call) -> Result<Answer, Failure> {
    let within = call.switches.integer("within").unwrap_or(4);
    let unit = call.switches.text("unit").unwrap_or("weeks");
    let reply = call.get_checked(&HEALTH_CERTIFICATES, &[&within.to_string(), &unit.to_lowercase()])?;
    if reply.is_ok() {
        // One of a unit is spelled without its last letter.
        let unit = if within == 1 { unit.strip_suffix('s').unwrap_or(unit) } else { unit };
        return Ok(passed(call, format!("No certificates are expiring within {within} {unit}.")));
    }
    let text = format!("Some certificates expire within {within} {unit}:\n{}", reply.body["expired"]);
    Err(Failure::plain(Kind::Unavailable, text).with_json(reply.body))
}

/// `check_if_any_deprecated_features_are_used`.
pub const CHECK_IF_ANY_DEPRECATED_FEATURES_ARE_USED: Command = Command {
    name: "check_if_any_deprecated_features_are_used",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Generate a report listing all deprecated features in use",
    usage: "check_if_any_deprecated_features_are_used [--timeout <timeout>]",
    needs: Needs::AppRunning,
    endpoints: &[&DEPRECATED_FEATURES_USED, &QUEUES],
    banner: |_| Some("Checking if any deprecated features are used ...".to_owned()),
    run: check_if_any_deprecated_features_are_used,
    ..Command::BLANK
};

fn check_if_any_deprecated_features_are_used(call: &Call) -> Result<Answer, Failure> {
    let reply = call.get(&DEPRECATED_FEATURES_USED, &[], "")?;
    let mut used: Vec<&str> =
        reply.body.as_array().into_iter().flatten().filter_map(|feature| feature["name"].as_str()).collect();
    // The reference counts queues of that kind here, whether the list above names them or not.
    let transient = "transient_nonexcl_queues";
    if !used.contains(&transient) {
        let queues = call.get(&QUEUES, &[], "columns=durable,exclusive")?;
        let is_transient = |queue: &serde_json::Value| queue["durable"] == false && queue["exclusive"] == false;
        if queues.body.as_array().into_iter().flatten().any(is_transient) {
            used.push(transient);
        }
    }
    if used.is_empty() {
        return Ok(passed(call, "Cluster reported no deprecated features in use".to_owned()));
    }
    let json = json!({
        "deprecated_features": used,
        "message": "Cluster reported deprecated features in use",
        "result": "error",
    });
    let names = if call.is_silent() { String::new() } else { used.join("\n") };
    Err(Failure::plain(Kind::Unavailable, names).with_json(json))
}

/// `check_if_metadata_store_is_initialized`.
pub const CHECK_IF_METADATA_STORE_IS_INITIALIZED: Command = Command {
    name: "check_if_metadata_store_is_initialized",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Health check that exits with a non-zero code if the metadata store on target node has not yet finished initializing",
    usage: "check_if_metadata_store_initialized [--timeout <timeout>]",
    endpoints: &[&openapi::control::NODE],
    run: metadata_store_is_initialized,
    banner: |call| Some(format!("Checking if metadata store on node {} has finished initializing ...", call.node())),
    ..Command::BLANK
};

/// `check_if_metadata_store_is_initialized_with_data`.
pub const CHECK_IF_METADATA_STORE_IS_INITIALIZED_WITH_DATA: Command = Command {
    name: "check_if_metadata_store_is_initialized_with_data",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Health check that exits with a non-zero code if the metadata store on target node has not yet finished initializing",
    usage: "check_if_metadata_store_initialized [--timeout <timeout>]",
    endpoints: &[&openapi::control::NODE],
    run: metadata_store_is_initialized,
    banner: |call| Some(format!("Checking if metadata store on node {} has finished initializing ...", call.node())),
    ..Command::BLANK
};

fn metadata_store_is_initialized(call: &Call) -> Result<Answer, Failure> {
    let node = call.node();
    if app_state(call)? != AppState::Running {
        let text = format!("Metadata store on node {node} reports to not yet have finished initialization");
        return Err(Failure::refused(Kind::Unavailable, text).with_json(json!({"result": "error"})));
    }
    // Silent is silent here, whatever the format.
    Ok(if call.is_silent() {
        Answer::Silent
    } else {
        passed(call, format!("Metadata store on node {node} has completed its initialization"))
    })
}

/// `check_if_node_is_quorum_critical`.
pub const CHECK_IF_NODE_IS_QUORUM_CRITICAL: Command = Command {
    name: "check_if_node_is_quorum_critical",
    tools: &[Tool::Diagnostics, Tool::Queues],
    section: Section::Monitoring,
    summary: "Health check that exits with a non-zero code if there are queues/streams with minimum online quorum (queues/streams that will lose their quorum if the target node shuts down)",
    usage: "check_if_node_is_quorum_critical [--timeout <timeout>]",
    needs: Needs::AppRunning,
    banner: |call| Some(format!("Checking if node {} is critical for quorum of any queues/streams ...", call.node())),
    run: check_if_node_is_quorum_critical,
    ..Command::BLANK
};

fn check_if_node_is_quorum_critical(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    let text =
        format!("Node {} seems to be the only one in a single node cluster, the check does not apply", call.node());
    let message = "Target node seems to be the only one in a single node cluster, the check does not apply";
    let json = json!({"message": message, "result": "ok"});
    Ok(if call.is_silent() && call.format != Format::Json { Answer::Silent } else { Answer::Report { text, json } })
}

/// `check_if_node_is_mirror_sync_critical`.
pub const CHECK_IF_NODE_IS_MIRROR_SYNC_CRITICAL: Command = Command {
    name: "check_if_node_is_mirror_sync_critical",
    tools: &[Tool::Diagnostics, Tool::Queues],
    section: Section::Deprecated,
    summary: "DEPRECATED. Mirrored queues were removed in RabbitMQ 4.0. This command is a no-op.",
    usage: "check_if_node_is_mirror_sync_critical [--timeout <timeout>]",
    needs: Needs::AppRunning,
    banner: |_| Some("This command is DEPRECATED and is a no-op. It will be removed in a future version.".to_owned()),
    run: check_if_node_is_mirror_sync_critical,
    ..Command::BLANK
};

fn check_if_node_is_mirror_sync_critical(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    Ok(Answer::Report { text: "ok".to_owned(), json: json!({"result": "ok"}) })
}

/// `check_if_new_quorum_queue_replicas_have_finished_initial_sync`.
pub const CHECK_IF_NEW_QUORUM_QUEUE_REPLICAS_HAVE_FINISHED_INITIAL_SYNC: Command = Command {
    name: "check_if_new_quorum_queue_replicas_have_finished_initial_sync",
    tools: &[Tool::Diagnostics, Tool::Queues],
    section: Section::Monitoring,
    summary: "Health check that exits with a non-zero code if there are queues that run promotable replicas on the current node.",
    usage: "check_if_new_quorum_queue_replicas_have_finished_initial_sync [--timeout <timeout>]",
    needs: Needs::AppRunning,
    banner: banner_of_initial_sync,
    run: check_if_new_quorum_queue_replicas_have_finished_initial_sync,
    ..Command::BLANK
};

fn banner_of_initial_sync(call: &Call) -> Option<String> {
    Some(format!("Checking if node {} runs promotable replicas of any queues ...", call.node()))
}

fn check_if_new_quorum_queue_replicas_have_finished_initial_sync(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    Ok(passed(call, format!("Node {} reported no queues with promotable replicas", call.node())))
}

/// `check_for_quorum_queues_without_an_elected_leader`.
pub const CHECK_FOR_QUORUM_QUEUES_WITHOUT_AN_ELECTED_LEADER: Command = Command {
    name: "check_for_quorum_queues_without_an_elected_leader",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Checks that quorum queue have elected and available leader replicas",
    usage: "check_for_quorum_queues_without_an_elected_leader [--vhost <vhost>] [--across-all-vhosts] <pattern>",
    explains: &[
        ("<pattern>", "regular expression that names must match"),
        ("--across-all-vhosts", "every virtual host"),
    ],
    guides: &["monitoring", "quorum-queues"],
    switches: &[Switch::flag("across-all-vhosts")],
    needs: Needs::AppRunning,
    words: Words::exactly(1),
    endpoints: &[&QUEUES],
    banner: banner_of_leaders,
    run: check_for_quorum_queues_without_an_elected_leader,
    ..Command::BLANK
};

fn banner_of_leaders(call: &Call) -> Option<String> {
    let pattern = call.word(0);
    Some(if call.switches.flag("across-all-vhosts") {
        format!("Checking leader replicas of quorum queues matching '{pattern}' in all vhosts ...")
    } else {
        format!("Checking leader replicas of quorum queues matching '{pattern}' in vhost {} ...", call.vhost())
    })
}

fn check_for_quorum_queues_without_an_elected_leader(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    // A queue's owner task leads it for as long as the queue exists.
    Ok(leaders_answer(call))
}

/// Every quorum queue has a leader.
pub fn leaders_answer(call: &Call) -> Answer {
    let text = format!("Node {} reported all quorum queue as having responsive leader replicas", call.node());
    let json = json!({"message": text, "result": "ok"});
    if call.is_quiet() && call.format != Format::Json { Answer::Silent } else { Answer::Report { text, json } }
}

/// `node_health_check`.
pub const NODE_HEALTH_CHECK: Command = Command {
    name: "node_health_check",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::Deprecated,
    summary: "DEPRECATED. This command is a no-op. See https://www.rabbitmq.com/monitoring.html#health-checks",
    usage: "node_health_check [--timeout <timeout>]",
    guides: &["monitoring"],
    needs: Needs::AppRunning,
    banner: banner_of_health_check,
    run: node_health_check,
    ..Command::BLANK
};

fn banner_of_health_check(_: &Call) -> Option<String> {
    let text = "This command is DEPRECATED and is a no-op. It will be removed in a future version. \nUse one of the options \
                covered in https://www.rabbitmq.com/monitoring.html#health-checks instead.";
    Some(text.to_owned())
}

fn node_health_check(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    Ok(Answer::Done)
}
