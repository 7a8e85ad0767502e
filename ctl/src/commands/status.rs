//! The status of a node, and the report that gathers everything.

use serde_json::{Value, json};

use crate::call::Call;
use crate::command::{Command, Needs, Section, Tool};
use crate::commands::{access_control, cluster, listings, parameters, policies, runtime};
use crate::endpoints::{NODES, OVERVIEW, VHOSTS};
use crate::exit::{Failure, Kind};
use crate::node_view;
use crate::output::{Answer, float};
use crate::parse::Switch;

/// Commands of this file.
pub const ALL: &[&Command] = &[&REPORT, &STATUS];

/// Units of sizes, each with its number of bytes.
pub const UNITS: [(&str, f64); 7] = [
    ("bytes", 1.0),
    ("mb", 1e6),
    ("mib", 1_048_576.0),
    ("gb", 1e9),
    ("gib", 1_073_741_824.0),
    ("tb", 1e12),
    ("tib", 1_099_511_627_776.0),
];

/// Checks `--unit` against the units a command knows.
pub fn check_unit(call: &Call, known: &[&str]) -> Result<(), Failure> {
    match call.switches.text("unit") {
        Some(unit) if !known.contains(&unit.to_lowercase().as_str()) => {
            Err(Failure::usage(format!("\"unit '{unit}' is not supported. Please use one of: {}\"", known.join(", "))))
        }
        _ => Ok(()),
    }
}

/// A size in the unit asked for, at most four digits behind the point.
pub fn size(call: &Call, bytes: u64) -> String {
    let unit = call.switches.text("unit").unwrap_or("gb").to_lowercase();
    let factor = UNITS.iter().find(|(name, _)| *name == unit).map_or(1e9, |(_, bytes)| *bytes);
    if unit == "bytes" {
        return format!("{bytes} bytes");
    }
    #[expect(clippy::cast_precision_loss, reason = "sizes are shown with four digits")]
    let number = (bytes as f64 / factor * 10_000.0).round() / 10_000.0;
    format!("{} {unit}", float(number))
}

/// `status`.
pub const STATUS: Command = Command {
    name: "status",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Displays status of a node",
    usage: "status [--unit <unit>] [--timeout <timeout>]",
    explains: &[
        ("--unit <bytes | mb | mib | gb | gib>", "unit of sizes"),
        ("--formatter <json | erlang>", "another form of the answer"),
    ],
    guides: &["monitoring"],
    switches: &[Switch::text("unit")],
    needs: Needs::AppRunning,
    endpoints: &[&OVERVIEW, &NODES, &VHOSTS],
    check: |call| check_unit(call, &UNITS.map(|(name, _)| name)),
    banner: |call| Some(format!("Status of node {} ...", call.node())),
    run: status,
    ..Command::BLANK
};

/// The status of the node as text and as JSON.
pub fn status(call: &Call) -> Result<Answer, Failure> {
    let overview = node_view::overview(call)?;
    let node = node_view::node(call)?;
    let vhosts = call.get(&VHOSTS, &[], "columns=name")?.body;
    let number = |value: &Value, key: &str| value[key].as_u64().unwrap_or_default();
    let strings = |key: &str| -> Vec<String> {
        node[key].as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let alarms = node_view::alarms(&node);
    let listeners = node_view::listeners(&overview);
    let plugins = strings("enabled_plugins");
    let (config_files, log_files) = (strings("config_files"), node_view::log_names(strings("log_files")));
    let totals = &overview["object_totals"];
    let (connections, queues) = (number(totals, "connections"), number(totals, "queues"));
    let vhost_count = vhosts.as_array().map_or(0, Vec::len);
    let used = number(&node, "mem_used");
    let limit = number(&node, "mem_limit");
    let pid = node["os_pid"].as_str().map_or_else(|| node["os_pid"].to_string(), str::to_owned);
    let data = text(&node, "db_dir");

    let list = |items: &[String]| {
        if items.is_empty() {
            "(none)".to_owned()
        } else {
            items.iter().map(|item| format!(" * {item}")).collect::<Vec<_>>().join("\n")
        }
    };
    let runtime = [
        format!("OS PID: {pid}"),
        format!("OS: {}", os_name()),
        format!("Uptime (seconds): {}", number(&node, "uptime") / 1000),
        format!("Is under maintenance?: {}", node["being_drained"] == true),
        format!("RabbitMQ version: {}", text(&overview, "rabbitmq_version")),
        "RabbitMQ release series support status: see https://www.rabbitmq.com/release-information".to_owned(),
        format!("Node name: {}", call.node()),
        format!("Erlang configuration: {}", text(&overview, "erlang_full_version")),
        format!("Erlang processes: {} used, {} limit", number(&node, "proc_used"), number(&node, "proc_total")),
        format!("Scheduler run queue: {}", number(&node, "run_queue")),
        format!("Cluster heartbeat timeout (net_ticktime): {}", number(&node, "net_ticktime")),
    ];
    let memory = [
        format!("Total memory used: {}", size(call, used)),
        format!("Calculation strategy: {}", node["mem_calculation_strategy"].as_str().unwrap_or("rss")),
        format!("Memory high watermark: computed to: {}", size(call, limit)),
    ];
    let disk = [
        format!("Low free disk space watermark: {}", size(call, number(&node, "disk_free_limit"))),
        format!("Free disk space: {}", size(call, number(&node, "disk_free"))),
    ];
    let counts = [
        format!("Connection count: {connections}"),
        format!("Queue count: {queues}"),
        format!("Virtual host count: {vhost_count}"),
    ];
    let interfaces: Vec<String> = listeners.iter().map(|listener| listener.line().replacen('i', "I", 1)).collect();
    let sections = [
        ("Runtime", runtime.join("\n")),
        ("Plugins", format!("Enabled plugin file: {data}/enabled_plugins\nEnabled plugins:\n\n{}", list(&plugins))),
        ("Data directory", format!("Node data directory: {data}")),
        ("Config files", list(&config_files)),
        ("Log file(s)", list(&log_files)),
        ("Alarms", if alarms.is_empty() { "(none)".to_owned() } else { alarms.join("\n") }),
        ("Tags", "(none)".to_owned()),
        ("Memory", memory.join("\n")),
        ("Free Disk Space", disk.join("\n")),
        ("Totals", counts.join("\n")),
        ("Listeners", interfaces.join("\n")),
    ];
    let shown = sections.map(|(title, body)| format!("{title}\n\n{body}")).join("\n\n");
    let json = json!({
        "pid": pid.parse::<u64>().unwrap_or_default(),
        "os": os_name(),
        "uptime": number(&node, "uptime") / 1000,
        "is_under_maintenance": node["being_drained"] == true,
        "rabbitmq_version": overview["rabbitmq_version"],
        "erlang_version": overview["erlang_full_version"],
        "active_plugins": plugins,
        "data_directory": data,
        "config_files": config_files,
        "log_files": log_files,
        "alarms": alarms,
        "memory": {"strategy": "rss", "total": {"rss": used, "allocated": used}},
        "vm_memory_limit": limit,
        "disk_free": node["disk_free"],
        "disk_free_limit": node["disk_free_limit"],
        "processes": {"used": node["proc_used"], "limit": node["proc_total"]},
        "file_descriptors": {"total_used": node["fd_used"], "total_limit": node["fd_total"]},
        "run_queue": node["run_queue"],
        "net_ticktime": node["net_ticktime"],
        "totals": {"connection_count": connections, "queue_count": queues, "virtual_host_count": vhost_count},
        "listeners": listeners.iter().map(node_view::Listener::json).collect::<Vec<_>>(),
    });
    Ok(Answer::Report { text: shown, json })
}

fn os_name() -> String {
    rustix::system::uname().sysname().to_string_lossy().into_owned()
}

/// `report`.
pub const REPORT: Command = Command {
    name: "report",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Generate a server status report containing a concatenation of all server status information for support purposes",
    usage: "report",
    guides: &["monitoring"],
    needs: Needs::AppRunning,
    endpoints: &[&VHOSTS],
    banner: |call| Some(format!("Reporting server status of node {} ...\n", call.node())),
    run: report,
    ..Command::BLANK
};

/// What a report gathers of the node.
const OF_NODE: [&Command; 6] = [
    &STATUS,
    &cluster::CLUSTER_STATUS,
    &runtime::ENVIRONMENT,
    &listings::LIST_CONNECTIONS,
    &listings::LIST_CHANNELS,
    &runtime::COMMAND_LINE_ARGUMENTS,
];

/// What a report gathers of every virtual host.
const OF_VHOST: [&Command; 7] = [
    &listings::LIST_QUEUES,
    &listings::LIST_EXCHANGES,
    &listings::LIST_BINDINGS,
    &access_control::LIST_PERMISSIONS,
    &policies::LIST_POLICIES,
    &parameters::LIST_GLOBAL_PARAMETERS,
    &parameters::LIST_PARAMETERS,
];

/// A part of a report; of another broker, whose API does not carry all of them, it may be why there is none.
fn section(call: &Call, command: &'static Command, vhost: Option<&str>) -> Result<String, Failure> {
    match crate::run::section(call, command, vhost) {
        Err(failure) if failure.kind == Kind::Unavailable && call.other_broker()?.is_some() => {
            Ok(format!("{}\n", failure.text))
        }
        section => section,
    }
}

fn report(call: &Call) -> Result<Answer, Failure> {
    let vhosts = call.get(&VHOSTS, &[], "columns=name")?.body;
    let mut parts: Vec<String> = Vec::new();
    for command in OF_NODE {
        parts.push(section(call, command, None)?);
    }
    for vhost in vhosts.as_array().into_iter().flatten().filter_map(|vhost| vhost["name"].as_str()) {
        for command in OF_VHOST {
            parts.push(section(call, command, Some(vhost))?);
        }
    }
    Ok(Answer::Message(parts.join("\n")))
}
