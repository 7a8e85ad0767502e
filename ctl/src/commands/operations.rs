//! What changes a running node: limits, log level, listeners, maintenance, statistics.

use serde_json::{Value, json};

use crate::call::Call;
use crate::command::{Command, Needs, Section, Tool, Words};
use crate::endpoints::{AUTH_ATTEMPTS, RESET_STATISTICS, SETTINGS};
use crate::exit::{Failure, Kind};
use crate::output::Answer;
use crate::parse::Switch;

/// Commands of this file.
pub const ALL: &[&Command] = &[
    &ACTIVATE_FREE_DISK_SPACE_MONITORING,
    &DEACTIVATE_FREE_DISK_SPACE_MONITORING,
    &DISABLE_AUTH_ATTEMPT_SOURCE_TRACKING,
    &DRAIN,
    &ENABLE_AUTH_ATTEMPT_SOURCE_TRACKING,
    &RESET_NODE_AUTH_ATTEMPT_METRICS,
    &RESET_STATS_DB,
    &RESUME_LISTENERS,
    &REVIVE,
    &SET_DISK_FREE_LIMIT,
    &SET_LOG_LEVEL,
    &SET_VM_MEMORY_HIGH_WATERMARK,
    &SUSPEND_LISTENERS,
];

/// Changes settings of the running node.
fn change(call: &Call, settings: &Value) -> Result<Answer, Failure> {
    let reply = call.put(&SETTINGS, &[], settings)?;
    match reply.status {
        404 | 405 => {
            let text = "this node cannot change that while it runs; set it in its configuration file";
            Err(Failure::refused(Kind::Unavailable, text))
        }
        _ if reply.is_ok() => Ok(Answer::Done),
        _ => Err(Failure::refused(Kind::Unavailable, reply.reason())),
    }
}

/// A number of bytes, or a number with a unit.
fn is_size(text: &str) -> bool {
    const UNITS: [&str; 16] =
        ["", "b", "k", "kb", "kib", "m", "mb", "mib", "g", "gb", "gib", "t", "tb", "tib", "pb", "pib"];
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    number.parse::<f64>().is_ok() && UNITS.contains(&unit.to_lowercase().as_str())
}

fn bad() -> Failure {
    Failure { text: "Bad argument.".to_owned(), ..Failure::bad_argument("") }
}

/// `set_disk_free_limit`.
pub const SET_DISK_FREE_LIMIT: Command = Command {
    name: "set_disk_free_limit",
    section: Section::Configuration,
    summary: "Sets the disk_free_limit setting",
    usage: "set_disk_free_limit <disk_limit> | mem_relative <fraction>",
    explains: &[
        ("<disk_limit>", "bytes, or a number with a unit: 1GB"),
        ("mem_relative <fraction>", "fraction of the memory of the machine"),
    ],
    guides: &["disk-alarms", "alarms"],
    needs: Needs::AppRunning,
    words: Words::between(1, 2),
    endpoints: &[&SETTINGS],
    check: check_disk_limit,
    banner: banner_of_disk_limit,
    run: set_disk_free_limit,
    ..Command::BLANK
};

fn check_disk_limit(call: &Call) -> Result<(), Failure> {
    match (call.word(0), call.words.get(1)) {
        ("mem_relative", Some(fraction)) if fraction.parse::<f64>().is_ok_and(|number| number >= 0.0) => Ok(()),
        ("mem_relative", Some(_)) => Err(bad()),
        ("mem_relative", None) => Err(Failure::usage("not enough arguments.")),
        (_, Some(_)) => Err(Failure::usage("too many arguments.")),
        (limit, None) if is_size(limit) => Ok(()),
        _ => Err(bad()),
    }
}

fn banner_of_disk_limit(call: &Call) -> Option<String> {
    let node = call.node();
    Some(match call.words.get(1) {
        Some(fraction) => format!("Setting disk free limit on {node} to {fraction} times the total RAM ..."),
        None => format!("Setting disk free limit on {node} to {} bytes ...", call.word(0)),
    })
}

fn set_disk_free_limit(call: &Call) -> Result<Answer, Failure> {
    change(
        call,
        &match call.words.get(1) {
            Some(fraction) => json!({"disk_free_limit": {"relative": fraction.parse::<f64>().unwrap_or_default()}}),
            None => json!({"disk_free_limit": {"absolute": call.word(0)}}),
        },
    )
}

/// `set_vm_memory_high_watermark`.
pub const SET_VM_MEMORY_HIGH_WATERMARK: Command = Command {
    name: "set_vm_memory_high_watermark",
    section: Section::Configuration,
    summary: "Sets the vm_memory_high_watermark setting",
    usage: "set_vm_memory_high_watermark <fraction> | absolute <value>",
    explains: &[
        ("<fraction>", "fraction of the memory of the machine"),
        ("absolute <value>", "bytes, or a number with a unit: 1GB"),
    ],
    guides: &["alarms", "memory-use"],
    needs: Needs::AppRunning,
    words: Words::between(1, 2),
    endpoints: &[&SETTINGS],
    check: check_watermark,
    banner: banner_of_watermark,
    run: set_vm_memory_high_watermark,
    ..Command::BLANK
};

fn check_watermark(call: &Call) -> Result<(), Failure> {
    match (call.word(0), call.words.get(1)) {
        ("absolute", Some(value)) if is_size(value) => Ok(()),
        ("absolute", Some(_)) => Err(bad()),
        ("absolute", None) => Err(Failure::usage("not enough arguments.")),
        (_, Some(_)) => Err(Failure::usage("too many arguments.")),
        (fraction, None) => match fraction.parse::<f64>() {
            Ok(number) if (0.0..=1.0).contains(&number) => Ok(()),
            Ok(_) => Err(Failure::bad_argument("The threshold should be a fraction between 0.0 and 1.0")),
            Err(_) => Err(bad()),
        },
    }
}

fn banner_of_watermark(call: &Call) -> Option<String> {
    let node = call.node();
    Some(match call.words.get(1) {
        Some(value) => format!("Setting memory threshold on {node} to {value} bytes ..."),
        None => format!("Setting memory threshold on {node} to {} ...", call.word(0)),
    })
}

fn set_vm_memory_high_watermark(call: &Call) -> Result<Answer, Failure> {
    change(
        call,
        &match call.words.get(1) {
            Some(value) => json!({"memory_high_watermark": {"absolute": value}}),
            None => json!({"memory_high_watermark": {"relative": call.word(0).parse::<f64>().unwrap_or_default()}}),
        },
    )
}

/// `set_log_level`.
pub const SET_LOG_LEVEL: Command = Command {
    name: "set_log_level",
    section: Section::Configuration,
    summary: "Sets log level in the running node",
    usage: "set_log_level <log_level>",
    explains: &[("<log_level>", "debug, info, warning, error, critical or none")],
    guides: &["logging"],
    needs: Needs::AppRunning,
    words: Words::exactly(1),
    endpoints: &[&SETTINGS],
    banner: banner_of_log_level,
    run: set_log_level,
    ..Command::BLANK
};

const LOG_LEVELS: [&str; 6] = ["debug", "info", "warning", "error", "critical", "none"];

fn banner_of_log_level(call: &Call) -> Option<String> {
    LOG_LEVELS.contains(&call.word(0)).then(|| format!("Setting log level to \"{}\" ...", call.word(0)))
}

fn set_log_level(call: &Call) -> Result<Answer, Failure> {
    let level = call.word(0);
    if !LOG_LEVELS.contains(&level) {
        call.require()?;
        let text = format!("level {level} is not supported. Try one of {}", LOG_LEVELS.join(", "));
        return Err(Failure::refused(Kind::Unavailable, text));
    }
    change(call, &json!({"log_level": level}))
}

/// `suspend_listeners`.
pub const SUSPEND_LISTENERS: Command = Command {
    name: "suspend_listeners",
    section: Section::Operations,
    summary: "Suspends client connection listeners so that no new client connections are accepted",
    usage: "suspend_listeners",
    guides: &["upgrade"],
    endpoints: &[&SETTINGS],
    run: |call| change(call, &json!({"listeners_suspended": true})),
    banner: |call| {
        Some(format!(
            "Will suspend client connection listeners on node {}. The node will no longer accept client connections!",
            call.node()
        ))
    },
    ..Command::BLANK
};

/// `resume_listeners`.
pub const RESUME_LISTENERS: Command = Command {
    name: "resume_listeners",
    section: Section::Operations,
    summary: "Resumes client connection listeners making them accept client connections again",
    usage: "resume_listeners",
    guides: &["upgrade"],
    endpoints: &[&SETTINGS],
    run: |call| change(call, &json!({"listeners_suspended": false})),
    banner: |call| {
        Some(format!(
            "Will resume client connection listeners on node {}. The node will now accept client connections",
            call.node()
        ))
    },
    ..Command::BLANK
};

/// `drain`.
pub const DRAIN: Command = Command {
    name: "drain",
    tools: &[Tool::Upgrade],
    section: Section::Upgrade,
    summary: "Puts the node in maintenance mode. Such nodes will not serve any client traffic or host any primary queue replicas",
    usage: "drain",
    guides: &["upgrade"],
    endpoints: &[&SETTINGS],
    run: |call| change(call, &json!({"maintenance": true})),
    banner: |call| {
        Some(format!(
            "Will put node {} into maintenance mode. The node will no longer serve any client traffic!",
            call.node()
        ))
    },
    ..Command::BLANK
};

/// `revive`.
pub const REVIVE: Command = Command {
    name: "revive",
    tools: &[Tool::Upgrade],
    section: Section::Upgrade,
    summary: "Puts the node out of maintenance and into regular operating mode. Such nodes will again serve client traffic and host primary queue replicas",
    usage: "revive",
    guides: &["upgrade"],
    endpoints: &[&SETTINGS],
    run: |call| change(call, &json!({"maintenance": false})),
    banner: |call| {
        Some(format!(
            "Will put node {} back into regular operating mode. The node will again serve client traffic and host primary queue replicas.",
            call.node()
        ))
    },
    ..Command::BLANK
};

/// `activate_free_disk_space_monitoring`.
pub const ACTIVATE_FREE_DISK_SPACE_MONITORING: Command = Command {
    name: "activate_free_disk_space_monitoring",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "[Re-]activates free disk space monitoring on a node",
    usage: "activate_free_disk_space_monitoring [--timeout <timeout>]",
    guides: &["alarms", "monitoring"],
    switches: &[Switch::text("unit")],
    needs: Needs::AppRunning,
    endpoints: &[&SETTINGS],
    run: |call| change(call, &json!({"disk_monitoring": true})),
    banner: |call| Some(format!("[Re-]activating free disk space monitoring on node {}...", call.node())),
    ..Command::BLANK
};

/// `deactivate_free_disk_space_monitoring`.
pub const DEACTIVATE_FREE_DISK_SPACE_MONITORING: Command = Command {
    name: "deactivate_free_disk_space_monitoring",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Deactivates free disk space monitoring on a node",
    usage: "deactivate_free_disk_space_monitoring [--timeout <timeout>]",
    guides: &["alarms", "monitoring"],
    switches: &[Switch::text("unit")],
    needs: Needs::AppRunning,
    endpoints: &[&SETTINGS],
    run: |call| change(call, &json!({"disk_monitoring": false})),
    banner: |call| Some(format!("Deactivating free disk space monitoring on node {}...", call.node())),
    ..Command::BLANK
};

/// `enable_auth_attempt_source_tracking`.
pub const ENABLE_AUTH_ATTEMPT_SOURCE_TRACKING: Command = Command {
    name: "enable_auth_attempt_source_tracking",
    tools: &[Tool::Diagnostics],
    section: Section::Configuration,
    summary: "Enables the tracking of peer IP address and username of authentication attempts",
    usage: "enable_auth_attempt_source_tracking",
    guides: &["access-control", "monitoring"],
    needs: Needs::AppRunning,
    endpoints: &[&SETTINGS],
    run: |call| change(call, &json!({"auth_attempt_source_tracking": true})),
    banner: |_| Some("Enabling authentication attempt source tracking ...".to_owned()),
    ..Command::BLANK
};

/// `disable_auth_attempt_source_tracking`.
pub const DISABLE_AUTH_ATTEMPT_SOURCE_TRACKING: Command = Command {
    name: "disable_auth_attempt_source_tracking",
    tools: &[Tool::Diagnostics],
    section: Section::Configuration,
    summary: "Disables the tracking of peer IP address and username of authentication attempts",
    usage: "disable_track_auth_attempt_source",
    guides: &["access-control", "monitoring"],
    needs: Needs::AppRunning,
    endpoints: &[&SETTINGS],
    run: |call| change(call, &json!({"auth_attempt_source_tracking": false})),
    banner: |_| Some("Disabling authentication attempt source tracking ...".to_owned()),
    ..Command::BLANK
};

/// `reset_node_auth_attempt_metrics`.
pub const RESET_NODE_AUTH_ATTEMPT_METRICS: Command = Command {
    name: "reset_node_auth_attempt_metrics",
    tools: &[Tool::Diagnostics],
    section: Section::Configuration,
    summary: "Resets auth attempt metrics on the target node",
    usage: "reset_node_auth_attempt_metrics",
    guides: &["access-control", "monitoring"],
    needs: Needs::AppRunning,
    endpoints: &[&AUTH_ATTEMPTS],
    banner: |call| Some(format!("Reset auth attempt metrics on node {} ...", call.node())),
    run: reset_node_auth_attempt_metrics,
    ..Command::BLANK
};

fn reset_node_auth_attempt_metrics(call: &Call) -> Result<Answer, Failure> {
    let reply = call.delete(&AUTH_ATTEMPTS, &[&call.node()], "")?;
    if reply.is_ok() { Ok(Answer::Done) } else { Err(Failure::refused(Kind::Unavailable, reply.reason())) }
}

/// `reset_stats_db`.
pub const RESET_STATS_DB: Command = Command {
    name: "reset_stats_db",
    section: Section::Management,
    summary: "Resets statistics database. This will remove all metrics data!",
    usage: "reset_stats_db [--all]",
    switches: &[Switch::flag("all")],
    words: Words::ANY,
    endpoints: &[&RESET_STATISTICS],
    banner: banner_of_reset,
    run: reset_stats_db,
    ..Command::BLANK
};

fn banner_of_reset(call: &Call) -> Option<String> {
    Some(if call.switches.flag("all") {
        "Resetting statistics database in all nodes".to_owned()
    } else {
        format!("Resetting statistics database on node {}", call.node())
    })
}

fn reset_stats_db(call: &Call) -> Result<Answer, Failure> {
    let reply = call.delete(&RESET_STATISTICS, &[], "")?;
    if reply.is_ok() { Ok(Answer::Silent) } else { Err(Failure::refused(Kind::Unavailable, reply.reason())) }
}
