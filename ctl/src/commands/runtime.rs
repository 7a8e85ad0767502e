//! The process behind the node: versions, logs, environment, memory.
//!
//! What only Erlang's runtime has is refused with a line that says what to use instead.
//! Files and processes of a node on this host are looked at directly.

use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::net::ToSocketAddrs as _;
use std::time::{Duration, Instant};

use openapi::control::{NODE, NodeSummary};
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::command::{Command, Needs, Section, Tool, Words};
use crate::commands::status::{check_unit, size};
use crate::endpoints::{AUTH_ATTEMPTS, AUTH_ATTEMPTS_BY_SOURCE, EFFECTIVE_CONFIG, NODE_MEMORY, OVERVIEW};
use crate::exit::{Failure, Kind};
use crate::node_view;
use crate::output::{Answer, Format, Rows, float};
use crate::parse::Switch;
use crate::term::Term;

/// Commands of this file.
pub const ALL: &[&Command] = &[
    &CERTIFICATES,
    &CIPHER_SUITES,
    &COMMAND_LINE_ARGUMENTS,
    &CONSUME_EVENT_STREAM,
    &DISCOVER_PEERS,
    &ENVIRONMENT,
    &ERLANG_COOKIE_HASH,
    &ERLANG_COOKIE_SOURCES,
    &ERLANG_VERSION,
    &LIST_NETWORK_INTERFACES,
    &LIST_NODE_AUTH_ATTEMPT_STATS,
    &LOG_LOCATION,
    &LOG_TAIL,
    &LOG_TAIL_STREAM,
    &MAYBE_STUCK,
    &MEMORY_BREAKDOWN,
    &MESSAGE_SIZE_STATS,
    &METADATA_STORE_STATUS,
    &OBSERVER,
    &OS_ENV,
    &REMOTE_SHELL,
    &RESOLVER_INFO,
    &RESOLVE_HOSTNAME,
    &RUNTIME_THREAD_STATS,
    &SERVER_VERSION,
    &TLS_VERSIONS,
];

/// Most of a log file that is read for its last lines, in bytes.
const LOG_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How often a followed log file is looked at.
const LOG_POLL_EVERY: Duration = Duration::from_millis(200);

/// Something that exists in Erlang's runtime alone.
pub fn erlang_only(what: &str, instead: &str) -> Failure {
    Failure::refused(Kind::Unavailable, format!("{what}: a Warren node has no Erlang runtime; {instead}"))
}

fn summary(call: &Call) -> Result<NodeSummary, Failure> {
    let told = call.summary()?;
    told.ok_or_else(|| Failure::refused(Kind::Unavailable, "this node does not tell; only a Warren node does"))
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

/// `erlang_cookie_hash`.
pub const ERLANG_COOKIE_HASH: Command = Command {
    name: "erlang_cookie_hash",
    tools: &[Tool::Diagnostics],
    section: Section::Configuration,
    summary: "Displays a hash of the Erlang cookie (shared secret) used by the target node",
    usage: "erlang_cookie_hash [--timeout <timeout>]",
    banner: |call| Some(format!("Asking node {} its Erlang cookie hash...", call.node())),
    run: erlang_cookie_hash,
    ..Command::BLANK
};

fn erlang_cookie_hash(_: &Call) -> Result<Answer, Failure> {
    let instead = "whoever may open its control socket is let in";
    Err(Failure::refused(Kind::Unavailable, format!("a Warren node has no shared secret; {instead}")))
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
    needs: Needs::AppRunning,
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

/// `log_location`.
pub const LOG_LOCATION: Command = Command {
    name: "log_location",
    tools: &[Tool::Diagnostics],
    section: Section::Configuration,
    summary: "Shows log file location(s) on target node",
    usage: "log_location [--all|-a] [--timeout <timeout>]",
    switches: &[Switch::flag("all").short('a')],
    endpoints: &[&NODE],
    banner: |call| Some(format!("Log file location(s) on node {} ...", call.node())),
    run: log_location,
    ..Command::BLANK
};

fn log_location(call: &Call) -> Result<Answer, Failure> {
    let files = summary(call)?.log_files;
    let count = if call.switches.flag("all") { files.len() } else { 1 };
    let shown: Vec<String> = files.into_iter().take(count).collect();
    Ok(Answer::Message(shown.join("\n")))
}

/// `log_tail`.
pub const LOG_TAIL: Command = Command {
    name: "log_tail",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Prints the last N lines of the log on the node",
    usage: "log_tail [--number|-N <number>] [--timeout <timeout>]",
    explains: &[("<number>", "number of lines")],
    switches: &[Switch::integer("number").short('N')],
    endpoints: &[&NODE],
    banner: |call| {
        Some(format!(
            "Last {} log lines on node {} ...",
            call.switches.integer("number").unwrap_or(LOG_LINES),
            call.node()
        ))
    },
    run: log_tail,
    ..Command::BLANK
};

/// Lines `log_tail` shows.
const LOG_LINES: i64 = 50;

fn log_file(call: &Call) -> Result<String, Failure> {
    let files = summary(call)?.log_files;
    files
        .into_iter()
        .find(|file| file.starts_with('/'))
        .ok_or_else(|| Failure::refused(Kind::Unavailable, "the node logs to its standard output, not to a file"))
}

fn log_tail(call: &Call) -> Result<Answer, Failure> {
    let count = usize::try_from(call.switches.integer("number").unwrap_or(LOG_LINES))
        .map_err(|_| Failure::refused(Kind::Unavailable, "the number of lines cannot be negative"))?;
    let path = log_file(call)?;
    let broken = |error: std::io::Error| Failure::refused(Kind::Unavailable, format!("{path}: {error}"));
    let mut file = std::fs::File::open(&path).map_err(broken)?;
    let length = file.metadata().map_err(broken)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_BYTES_MAX))).map_err(broken)?;
    let mut bytes = Vec::new();
    file.take(LOG_BYTES_MAX).read_to_end(&mut bytes).map_err(broken)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    Ok(Answer::Message(lines[lines.len().saturating_sub(count)..].join("\n")))
}

/// `log_tail_stream`.
pub const LOG_TAIL_STREAM: Command = Command {
    name: "log_tail_stream",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Streams logs from a running node for a period of time",
    usage: "log_tail_stream [--duration|-d <seconds>] [--timeout <timeout>]",
    explains: &[("<duration_in_seconds>", "how long, in seconds; for ever by default")],
    switches: &[Switch::integer("duration").short('d')],
    endpoints: &[&NODE],
    banner: |call| Some(format!("Streaming logs from node {} ...", call.node())),
    run: log_tail_stream,
    ..Command::BLANK
};

fn log_tail_stream(call: &Call) -> Result<Answer, Failure> {
    let path = log_file(call)?;
    let broken = |error: std::io::Error| Failure::refused(Kind::Unavailable, format!("{path}: {error}"));
    let mut file = std::fs::File::open(&path).map_err(broken)?;
    file.seek(SeekFrom::End(0)).map_err(broken)?;
    print!("{}", call.take_banner());
    let end =
        call.switches.integer("duration").and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
    let start = Instant::now();
    while end.is_none_or(|end| start.elapsed() < end) {
        let mut bytes = Vec::new();
        (&mut file).take(LOG_BYTES_MAX).read_to_end(&mut bytes).map_err(broken)?;
        let mut out = std::io::stdout();
        // A reader that went away ends the stream.
        if out.write_all(&bytes).and_then(|()| out.flush()).is_err() {
            break;
        }
        std::thread::sleep(LOG_POLL_EVERY);
    }
    Ok(Answer::Silent)
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

/// `resolve_hostname`.
pub const RESOLVE_HOSTNAME: Command = Command {
    name: "resolve_hostname",
    tools: &[Tool::Diagnostics],
    section: Section::Configuration,
    summary: "Resolves a hostname to a set of addresses. Takes Erlang's inetrc file into account.",
    usage: "resolve_hostname <hostname> [--address-family <ipv4 | ipv6>]",
    switches: &[Switch::text("address-family").short('a'), Switch::flag("offline")],
    words: Words::exactly(1),
    check: check_family,
    banner: banner_of_resolve,
    run: resolve_hostname,
    ..Command::BLANK
};

fn family(call: &Call) -> &str {
    call.switches.text("address-family").unwrap_or("IPv4")
}

fn check_family(call: &Call) -> Result<(), Failure> {
    match family(call).to_lowercase().as_str() {
        "ipv4" | "ipv6" => Ok(()),
        other => {
            Err(Failure::bad_argument(format!("unsupported IP address family {other}. Valid values are: ipv4, ipv6")))
        }
    }
}

fn banner_of_resolve(call: &Call) -> Option<String> {
    Some(format!("Asking node {} to resolve hostname {} to {} addresses...", call.node(), call.word(0), family(call)))
}

fn resolve_hostname(call: &Call) -> Result<Answer, Failure> {
    let wanted_v4 = family(call).eq_ignore_ascii_case("ipv4");
    let found = (call.word(0), 0)
        .to_socket_addrs()
        .map_err(|error| Failure::refused(Kind::Unavailable, format!("{}: {error}", call.word(0))))?;
    let mut addresses: Vec<String> = Vec::new();
    for address in found.filter(|address| address.is_ipv4() == wanted_v4).map(|address| address.ip().to_string()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(Answer::Report { text: addresses.join("\n"), json: json!({"addresses": addresses}) })
}

/// `resolver_info`.
pub const RESOLVER_INFO: Command = Command {
    name: "resolver_info",
    tools: &[Tool::Diagnostics],
    section: Section::Configuration,
    summary: "Displays effective hostname resolver (inetrc) configuration on target node",
    usage: "resolver_info",
    switches: &[Switch::flag("offline")],
    banner: |call| {
        Some(format!("Asking node {} for its effective hostname resolver (inetrc) configuration...", call.node()))
    },
    run: resolver_info,
    ..Command::BLANK
};

fn resolver_info(_: &Call) -> Result<Answer, Failure> {
    // Names are resolved by the operating system, as its own files say.
    let text = "Runtime Hostname Resolver (inetrc) Settings\n\nLookup order: native\nHosts file: /etc/hosts\nResolver conf file: \
                /etc/resolv.conf\nCache size: \n\ninetrc File Host Entries\n\n(none)";
    let json = json!({"lookup": ["native"], "hosts_file": "/etc/hosts", "resolv_conf": "/etc/resolv.conf"});
    Ok(Answer::Report { text: text.to_owned(), json })
}

/// `list_network_interfaces`.
pub const LIST_NETWORK_INTERFACES: Command = Command {
    name: "list_network_interfaces",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Lists network interfaces (NICs) on the target node",
    usage: "list_network_interfaces [--timeout <timeout>]",
    switches: &[Switch::flag("offline")],
    banner: |call| Some(format!("Asking node {} to report its network interfaces ...", call.node())),
    run: list_network_interfaces,
    ..Command::BLANK
};

fn list_network_interfaces(_: &Call) -> Result<Answer, Failure> {
    let interfaces = interfaces();
    let text: Vec<String> = interfaces
        .iter()
        .map(|(name, fields)| {
            let lines: Vec<String> = fields.iter().map(|(key, value)| format!("{key}: {value}")).collect();
            format!("Interface {name}\n\n{}\n\n", lines.join("\n"))
        })
        .collect();
    let json = interfaces
        .iter()
        .map(|(name, fields)| (name.clone(), json!(fields.iter().cloned().collect::<BTreeMap<_, _>>())))
        .collect();
    Ok(Answer::Report { text: text.join("\n"), json: Value::Object(json) })
}

/// Interfaces of this host with what the system's files say of each.
fn interfaces() -> BTreeMap<String, Vec<(String, String)>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten() {
        let read = |file: &str| std::fs::read_to_string(entry.path().join(file)).unwrap_or_default().trim().to_owned();
        let mut fields = vec![("hwaddr".to_owned(), read("address"))];
        let flags = u32::from_str_radix(read("flags").trim_start_matches("0x"), 16).unwrap_or_default();
        const NAMES: [(u32, &str); 6] =
            [(1, "up"), (2, "broadcast"), (8, "loopback"), (16, "pointtopoint"), (64, "running"), (4096, "multicast")];
        let set: Vec<&str> = NAMES.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name).collect();
        fields.push(("flags".to_owned(), set.join(", ")));
        found.insert(entry.file_name().to_string_lossy().into_owned(), fields);
    }
    found
}

/// `discover_peers`.
pub const DISCOVER_PEERS: Command = Command {
    name: "discover_peers",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Performs peer discovery and lists discovered nodes, if any",
    usage: "discover_peers [--timeout <timeout>]",
    needs: Needs::AppRunning,
    banner: |_| Some("Discovering peers nodes ...".to_owned()),
    run: discover_peers,
    ..Command::BLANK
};

fn discover_peers(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    let node = call.node();
    Ok(Answer::Report {
        text: format!("[:{}]", quoted_atom(&node)),
        json: json!({"node": node, "result": "ok", "value": [node]}),
    })
}

/// A word as Elixir writes it behind the colon.
pub fn quoted_atom(word: &str) -> String {
    let bare = word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '@'));
    if bare { word.to_owned() } else { format!("\"{word}\"") }
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

/// `certificates`.
pub const CERTIFICATES: Command = Command {
    name: "certificates",
    tools: &[Tool::Diagnostics],
    section: Section::Configuration,
    summary: "Displays certificates (public keys) for every listener on target node that is configured to use TLS",
    usage: "certificates",
    guides: &["configure", "ssl"],
    format: Format::Erlang,
    banner: |call| Some(format!("Certificates of node {} ...", call.node())),
    run: certificates,
    ..Command::BLANK
};

fn certificates(call: &Call) -> Result<Answer, Failure> {
    call.summary()?;
    Ok(Answer::Document(Term::Map(Vec::new())))
}

/// `cipher_suites`.
pub const CIPHER_SUITES: Command = Command {
    name: "cipher_suites",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Lists cipher suites enabled by default. To list all available cipher suites, add the --all argument.",
    usage: "cipher_suites [--format <openssl | erlang | map>] [--all] [--timeout <timeout>]",
    explains: &[("--format", "format to use"), ("--all", "all of them")],
    switches: &[Switch::text("format"), Switch::flag("all")],
    format: Format::Lines,
    banner: |_| Some("Listing available cipher suites in OpenSSL format".to_owned()),
    run: cipher_suites,
    ..Command::BLANK
};

fn cipher_suites(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    Err(Failure::refused(Kind::Unavailable, "this node has no TLS listeners, so it offers no cipher suites"))
}

/// `tls_versions`.
pub const TLS_VERSIONS: Command = Command {
    name: "tls_versions",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Lists TLS versions supported (but not necessarily allowed) on the target node",
    usage: "tls_versions [--timeout <timeout>]",
    needs: Needs::AppRunning,
    format: Format::Lines,
    banner: |_| Some("Listing all TLS versions supported by the runtime...".to_owned()),
    run: tls_versions,
    ..Command::BLANK
};

fn tls_versions(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    Err(Failure::refused(Kind::Unavailable, "this node has no TLS listeners, so it offers no TLS versions"))
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

/// `runtime_thread_stats`.
pub const RUNTIME_THREAD_STATS: Command = Command {
    name: "runtime_thread_stats",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Provides a breakdown of runtime thread activity stats on the target node",
    usage: "runtime_thread_stats [--sample-interval <interval>]",
    explains: &[("--sample-interval <seconds>", "how long to measure")],
    guides: &["runtime"],
    switches: &[Switch::integer("sample-interval").short('i')],
    needs: Needs::AppRunning,
    banner: banner_of_threads,
    run: runtime_thread_stats,
    ..Command::BLANK
};

fn banner_of_threads(call: &Call) -> Option<String> {
    let seconds = call.switches.integer("sample-interval").unwrap_or(5);
    Some(format!("Will collect runtime thread stats on {} for {seconds} seconds...", call.node()))
}

fn runtime_thread_stats(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    Err(erlang_only("runtime_thread_stats", "use `top -H -p PID` with the process id that `status` shows"))
}

/// `maybe_stuck`.
pub const MAYBE_STUCK: Command = Command {
    name: "maybe_stuck",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Detects Erlang processes (\"lightweight threads\") potentially not making progress on the target node",
    usage: "maybe_stuck [--timeout <timeout>]",
    needs: Needs::AppRunning,
    banner: |call| Some(format!("Asking node {} to detect potentially stuck Erlang processes...", call.node())),
    run: maybe_stuck,
    ..Command::BLANK
};

fn maybe_stuck(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    Err(erlang_only(
        "maybe_stuck",
        "check_virtual_hosts and list_unresponsive_queues ask the tasks that could be stuck",
    ))
}

/// `observer`.
pub const OBSERVER: Command = Command {
    name: "observer",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Starts a CLI observer interface on the target node",
    usage: "observer [--interval <seconds>]",
    explains: &[("--interval <seconds>", "seconds between two looks")],
    switches: &[Switch::integer("interval").short('i')],
    run: observer,
    ..Command::BLANK
};

fn observer(_: &Call) -> Result<Answer, Failure> {
    Err(erlang_only("observer", "use `top` or the metrics endpoint"))
}

/// `remote_shell`.
pub const REMOTE_SHELL: Command = Command {
    name: "remote_shell",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Starts an interactive Erlang shell on the target node",
    usage: "remote_shell",
    run: remote_shell,
    ..Command::BLANK
};

fn remote_shell(_: &Call) -> Result<Answer, Failure> {
    Err(erlang_only("remote_shell", "everything it can do is a command or an endpoint of the HTTP API"))
}

/// `consume_event_stream`.
pub const CONSUME_EVENT_STREAM: Command = Command {
    name: "consume_event_stream",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Streams internal events from a running node. Output is jq-compatible.",
    usage: "consume_event_stream [--duration|-d <seconds>] [--pattern <pattern>] [--timeout <timeout>]",
    explains: &[
        ("<duration_in_seconds>", "how long, in seconds; for ever by default"),
        ("<pattern>", "regular expression that names must match"),
    ],
    switches: &[Switch::integer("duration").short('d'), Switch::text("pattern")],
    format: Format::JsonStream,
    run: consume_event_stream,
    ..Command::BLANK
};

fn consume_event_stream(call: &Call) -> Result<Answer, Failure> {
    call.summary()?;
    Err(Failure::refused(Kind::Unavailable, "the node publishes no internal events; its log has them"))
}
