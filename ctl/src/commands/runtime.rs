//! The process behind the node: versions, logs, environment, memory.
//!
//! The process of a node on this host is looked at directly.

use openapi::control::{NODE, NodeSummary};
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::command::{Command, Needs, Section, Tool};
use crate::commands::status::{check_unit, size};
use crate::endpoints::{AUTH_ATTEMPTS, AUTH_ATTEMPTS_BY_SOURCE, EFFECTIVE_CONFIG, NODE_MEMORY, OVERVIEW};
use crate::exit::{Failure, Kind};
use crate::node_view;
use crate::output::{Answer, Format, Rows, float};
use crate::parse::Switch;
use crate::term::Term;

/// Commands of this file.
pub const ALL: &[&Command] = &[
    &COMMAND_LINE_ARGUMENTS,
    &ENVIRONMENT,
    &ERLANG_COOKIE_SOURCES,
    &ERLANG_VERSION,
    &LIST_NODE_AUTH_ATTEMPT_STATS,
    &MEMORY_BREAKDOWN,
    &MESSAGE_SIZE_STATS,
    &METADATA_STORE_STATUS,
    &OS_ENV,
    &SERVER_VERSION,
];

pub fn summary(call: &Call) -> Result<NodeSummary, Failure> {
    let told = call.summary()?;
    told.ok_or_else(|| {
        Failure::refused(
            Kind::Unavailable,
            "the HTTP API does not tell about the process; run the broker's own tools on its host",
        )
    })
}

/// `server_version`.
pub const SERVER_VERSION: Command = Command {
    name: "server_version",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Displays server version on the target node",
    usage: "server_version [--timeout <timeout>]",
    endpoints: &[&NODE, &OVERVIEW],
    banner: |call| Some(format!("Asking node {} for its RabbitMQ version...", call.node())),
    run: server_version,
    ..Command::BLANK
};

fn server_version(call: &Call) -> Result<Answer, Failure> {
    let version = match call.summary()? {
        Some(summary) => summary.compatible_version,
        None => node_view::overview(call)?["rabbitmq_version"].as_str().unwrap_or_default().to_owned(),
    };
    Ok(Answer::Report { json: json!({"result": "ok", "value": version}), text: version })
}

/// `erlang_version`.
pub const ERLANG_VERSION: Command = Command {
    name: "erlang_version",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Displays Erlang/OTP version on the target node",
    usage: "erlang_version [--timeout <timeout>]",
    explains: &[("--details", "more about the runtime"), ("--offline", "do not contact the node")],
    switches: &[Switch::flag("details"), Switch::flag("offline")],
    endpoints: &[&OVERVIEW],
    banner: |call| Some(format!("Asking node {} for its Erlang/OTP version...", call.node())),
    run: erlang_version,
    ..Command::BLANK
};

fn erlang_version(call: &Call) -> Result<Answer, Failure> {
    let overview = node_view::overview(call)?;
    let told = |key: &str| overview[key].as_str().unwrap_or_default().to_owned();
    if call.switches.flag("details") {
        return Ok(Answer::Message(told("erlang_full_version")));
    }
    // The version the node reports for clients that ask; nothing of it runs.
    Ok(Answer::Message(format!("Erlang/OTP {}", told("erlang_version"))))
}

/// `erlang_cookie_sources`.
pub const ERLANG_COOKIE_SOURCES: Command = Command {
    name: "erlang_cookie_sources",
    tools: &[Tool::Diagnostics],
    section: Section::Configuration,
    summary: "Display Erlang cookie source (e.g. $HOME/.erlang.cookie file) information useful for troubleshooting",
    usage: "erlang_cookie_sources [--timeout <timeout>]",
    endpoints: &[&NODE],
    banner: |_| Some("Listing Erlang cookie sources used by CLI tools...".to_owned()),
    run: erlang_cookie_sources,
    ..Command::BLANK
};

fn erlang_cookie_sources(call: &Call) -> Result<Answer, Failure> {
    let socket = match &call.target.route {
        crate::target::Route::Socket(path) => path.display().to_string(),
        _ => "(not in use)".to_owned(),
    };
    let text = format!("No cookie is used: whoever may open the control socket is let in\n\nControl socket: {socket}");
    Ok(Answer::Report { json: json!({"control_socket": socket}), text })
}

/// `environment`.
pub const ENVIRONMENT: Command = Command {
    name: "environment",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::Configuration,
    summary: "Displays the name and value of each variable in the application environment for each running application",
    usage: "environment",
    guides: &["configure", "monitoring"],
    format: Format::Erlang,
    endpoints: &[&EFFECTIVE_CONFIG],
    banner: |call| Some(format!("Application environment of node {} ...", call.node())),
    run: environment,
    ..Command::BLANK
};

fn environment(call: &Call) -> Result<Answer, Failure> {
    let reply = call.get(&EFFECTIVE_CONFIG, &[], "")?;
    let text = reply.body.as_str().unwrap_or_default();
    let settings: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.trim(), value.trim()))
        .filter(|(key, _)| !key.is_empty() && !key.starts_with('#'))
        .collect();
    if call.format == Format::Json {
        let entries: Map<String, Value> =
            settings.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect();
        return Ok(Answer::Report { text: String::new(), json: json!({"rabbit": entries}) });
    }
    let pairs = settings.iter().map(|(key, value)| Term::pair(Term::atom(*key), setting(value))).collect();
    Ok(Answer::Document(Term::List(vec![Term::pair(Term::atom("rabbit"), Term::List(pairs))])))
}

fn setting(value: &str) -> Term {
    match value {
        "true" => Term::Bool(true),
        "false" => Term::Bool(false),
        _ => value.parse().map_or_else(|_| Term::text(value), Term::Int),
    }
}

/// `command_line_arguments`.
pub const COMMAND_LINE_ARGUMENTS: Command = Command {
    name: "command_line_arguments",
    tools: &[Tool::Diagnostics],
    section: Section::Configuration,
    summary: "Displays target node's command-line arguments and flags as reported by the runtime",
    usage: "command_line_arguments",
    guides: &["configure", "monitoring"],
    format: Format::Erlang,
    endpoints: &[&NODE],
    banner: |call| Some(format!("Command line arguments of node {} ...", call.node())),
    run: command_line_arguments,
    ..Command::BLANK
};

fn command_line_arguments(call: &Call) -> Result<Answer, Failure> {
    let pid = summary(call)?.os_pid;
    let words = process_file(pid, "cmdline")?;
    Ok(Answer::Document(Term::List(words.into_iter().map(Term::Text).collect())))
}

/// The zero-terminated words of a file about a process of this host.
fn process_file(pid: u32, name: &str) -> Result<Vec<String>, Failure> {
    let path = format!("/proc/{pid}/{name}");
    let bytes =
        std::fs::read(&path).map_err(|error| Failure::refused(Kind::Unavailable, format!("{path}: {error}")))?;
    let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    Ok(words.map(|word| String::from_utf8_lossy(word).into_owned()).collect())
}

/// `os_env`.
pub const OS_ENV: Command = Command {
    name: "os_env",
    tools: &[Tool::Diagnostics],
    section: Section::Configuration,
    summary: "Lists RabbitMQ-specific environment variables set on target node",
    usage: "os_env [--timeout <timeout>]",
    needs: Needs::AppRunning,
    endpoints: &[&NODE],
    banner: |call| Some(format!("Listing RabbitMQ-specific environment variables defined on node {}...", call.node())),
    run: os_env,
    ..Command::BLANK
};

fn os_env(call: &Call) -> Result<Answer, Failure> {
    let mut words = process_file(summary(call)?.os_pid, "environ")?;
    words.retain(|word| word.starts_with("RABBITMQ_") || word.starts_with("WARREN_"));
    words.sort();
    let entries: Map<String, Value> = words
        .iter()
        .filter_map(|word| word.split_once('='))
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .collect();
    Ok(Answer::Report { text: words.join("\n"), json: Value::Object(entries) })
}

/// `memory_breakdown`.
pub const MEMORY_BREAKDOWN: Command = Command {
    name: "memory_breakdown",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Provides a memory usage breakdown on the target node.",
    usage: "memory_breakdown [--unit <unit>] [--timeout <timeout>]",
    explains: &[
        ("--unit <bytes | mb | gb>", "unit of sizes"),
        ("--formatter <json | csv | erlang>", "another form of the answer"),
    ],
    switches: &[Switch::text("unit")],
    needs: Needs::AppRunning,
    endpoints: &[&NODE_MEMORY],
    check: |call| check_unit(call, &["bytes", "mb", "gb"]),
    format: Format::Text,
    banner: |call| Some(format!("Reporting memory breakdown on node {}...", call.node())),
    run: memory_breakdown,
    ..Command::BLANK
};

fn memory_breakdown(call: &Call) -> Result<Answer, Failure> {
    let reply = call.get(&NODE_MEMORY, &[&call.node()], "")?;
    let memory = reply.body["memory"].as_object().cloned().unwrap_or_default();
    let total = match &memory.get("total") {
        Some(Value::Object(by)) => by.get("rss").and_then(Value::as_u64).unwrap_or_default(),
        Some(other) => other.as_u64().unwrap_or_default(),
        None => 0,
    };
    let mut parts: Vec<(&String, u64)> = memory
        .iter()
        .filter(|(name, _)| *name != "total")
        .filter_map(|(name, bytes)| bytes.as_u64().map(|bytes| (name, bytes)))
        .collect();
    parts.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    #[expect(clippy::cast_precision_loss, reason = "shares are shown with two digits")]
    let percent = |bytes: u64| {
        if total == 0 { 0.0 } else { (bytes as f64 * 10_000.0 / total as f64).round() / 100.0 }
    };
    let lines: Vec<String> = parts
        .iter()
        .map(|(name, bytes)| format!("{name}: {} ({}%)", size(call, *bytes), float(percent(*bytes))))
        .collect();
    let json: Map<String, Value> = parts
        .iter()
        .map(|(name, bytes)| ((*name).clone(), json!({"bytes": bytes, "percentage": percent(*bytes)})))
        .collect();
    Ok(Answer::Report { text: format!("{}\n", lines.join("\n")), json: Value::Object(json) })
}

/// `list_node_auth_attempt_stats`.
pub const LIST_NODE_AUTH_ATTEMPT_STATS: Command = Command {
    name: "list_node_auth_attempt_stats",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Lists authentication attempts on the target node",
    usage: "list_node_auth_attempts [--by-source]",
    explains: &[("--by-source", "counts per address and user")],
    guides: &["access-control", "monitoring"],
    switches: &[Switch::flag("by-source")],
    needs: Needs::AppRunning,
    format: Format::Table,
    endpoints: &[&AUTH_ATTEMPTS, &AUTH_ATTEMPTS_BY_SOURCE],
    banner: banner_of_attempts,
    run: list_node_auth_attempt_stats,
    ..Command::BLANK
};

fn banner_of_attempts(call: &Call) -> Option<String> {
    Some(format!("Listing authentication\n attempts for node \"{}\" ...", call.node()))
}

fn list_node_auth_attempt_stats(call: &Call) -> Result<Answer, Failure> {
    let node = call.node();
    let by_source = call.switches.flag("by-source");
    let endpoint = if by_source { &AUTH_ATTEMPTS_BY_SOURCE } else { &AUTH_ATTEMPTS };
    let reply = call.get(endpoint, &[&node], "")?;
    let attempts = reply.body.as_array().cloned().unwrap_or_default();
    if call.format == Format::Json {
        return Ok(Answer::Report {
            text: String::new(),
            json: json!({"node": node, "result": "ok", "attempts": attempts}),
        });
    }
    if attempts.is_empty() {
        return Ok(Answer::Message(format!("Node {node} reported no authentication attempt stats")));
    }
    let mut columns = vec!["protocol", "auth_attempts", "auth_attempts_failed", "auth_attempts_succeeded"];
    if by_source {
        columns.splice(1..1, ["remote_address", "username"]);
    }
    let rows = attempts.iter().map(|item| columns.iter().map(|name| Term::from_json(&item[*name])).collect()).collect();
    Ok(Answer::Rows(Rows { columns: columns.iter().map(|name| (*name).to_owned()).collect(), rows, ..Rows::default() }))
}

/// `metadata_store_status`.
pub const METADATA_STORE_STATUS: Command = Command {
    name: "metadata_store_status",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Displays quorum status of Khepri metadata store",
    usage: "metadata_store_status",
    needs: Needs::AppRunning,
    format: Format::PrettyTable,
    banner: |call| Some(format!("Status of metadata store on node {} ...", call.node())),
    run: metadata_store_status,
    ..Command::BLANK
};

fn metadata_store_status(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    Ok(alone(call))
}

/// The only member of a replicated thing: it leads and votes, and there is no log to show positions of.
pub fn alone(call: &Call) -> Answer {
    const COLUMNS: [&str; 10] = [
        "Node Name",
        "Raft State",
        "Membership",
        "Last Log Index",
        "Last Written",
        "Last Applied",
        "Commit Index",
        "Snapshot Index",
        "Term",
        "Machine Version",
    ];
    let mut row = vec![Term::atom(call.node()), Term::atom("leader"), Term::atom("voter")];
    row.resize(COLUMNS.len(), Term::Missing);
    Answer::Rows(Rows { columns: COLUMNS.map(str::to_owned).to_vec(), rows: vec![row], ..Rows::default() })
}

/// `message_size_stats`.
pub const MESSAGE_SIZE_STATS: Command = Command {
    name: "message_size_stats",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Displays message size distribution statistics aggregated across all cluster nodes",
    usage: "message_size_stats [--timeout <timeout>]",
    guides: &["monitoring"],
    needs: Needs::AppRunning,
    format: Format::PrettyTable,
    banner: |call| Some(format!("Gathering message size statistics across the cluster using node {} ...", call.node())),
    run: message_size_stats,
    ..Command::BLANK
};

fn message_size_stats(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    let instead = "list_queues name messages message_bytes gives the mean size in each queue";
    Err(Failure::refused(Kind::Unavailable, format!("the node keeps no distribution of message sizes; {instead}")))
}
