//! The cluster a node is in. Warren's nodes stand alone, so joining and leaving are refused.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::call::Call;
use crate::command::{Command, Needs, Section, Tool, Words};
use crate::endpoints::{CLUSTER_NAME, FEATURE_FLAGS, NODES, OVERVIEW};
use crate::exit::{Failure, Kind};
use crate::node_view;
use crate::output::Answer;
use crate::parse::Switch;

/// Commands of this file.
pub const ALL: &[&Command] = &[
    &AWAIT_ONLINE_NODES,
    &CLUSTER_STATUS,
    &FORCE_BOOT,
    &FORCE_RESET,
    &FORCE_STANDALONE_KHEPRI_BOOT,
    &FORGET_CLUSTER_NODE,
    &HAS_REACHED_TARGET_CLUSTER_SIZE,
    &JOIN_CLUSTER,
    &RENAME_CLUSTER_NODE,
    &SET_CLUSTER_NAME,
    &UPDATE_CLUSTER_NODES,
];

/// How long `await_online_nodes` waits, in seconds.
const NODES_WAIT_SECONDS: u64 = 300;

const ALONE: &str = "a Warren node does not take part in clusters";

/// `cluster_status`.
pub const CLUSTER_STATUS: Command = Command {
    name: "cluster_status",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::Cluster,
    summary: "Displays all the nodes in the cluster grouped by node type, together with the currently running nodes",
    usage: "cluster_status [--timeout <timeout>]",
    guides: &["clustering", "cluster-formation", "monitoring"],
    needs: Needs::AppRunning,
    endpoints: &[&OVERVIEW, &NODES, &FEATURE_FLAGS],
    banner: |call| Some(format!("Cluster status of node {} ...", call.node())),
    run: cluster_status,
    ..Command::BLANK
};

/// The status of the cluster as text and as JSON.
pub fn cluster_status(call: &Call) -> Result<Answer, Failure> {
    let overview = node_view::overview(call)?;
    let nodes = call.get(&NODES, &[], "")?.body;
    let flags = call.get(&FEATURE_FLAGS, &[], "")?.body;
    let nodes = nodes.as_array().map(Vec::as_slice).unwrap_or_default();
    let name = |node: &Value| node["name"].as_str().unwrap_or_default().to_owned();
    let names: Vec<String> = nodes.iter().map(name).collect();
    let running: Vec<String> = nodes.iter().filter(|node| node["running"] == true).map(name).collect();
    let cores = |node: &Value| node["processors"].as_u64().unwrap_or_default();
    let maintenance = |node: &Value| {
        if node["being_drained"] == true { "in maintenance mode" } else { "not under maintenance" }
    };
    let text_of = |key: &str| overview[key].as_str().unwrap_or_default();
    let (version, erlang) = (text_of("rabbitmq_version"), text_of("erlang_version"));
    let listeners = node_view::listeners(&overview);
    let alarms: Vec<String> = nodes.iter().flat_map(node_view::alarms).collect();
    let flags = flags.as_array().map(Vec::as_slice).unwrap_or_default();
    let tags = overview["cluster_tags"].as_object().cloned().unwrap_or_default();

    let lines = |items: Vec<String>| if items.is_empty() { "(none)".to_owned() } else { items.join("\n") };
    let sections = [
        (
            "Basics",
            format!(
                "Cluster name: {}\nTotal CPU cores available cluster-wide: {}",
                text_of("cluster_name"),
                nodes.iter().map(cores).sum::<u64>()
            ),
        ),
        ("Cluster Tags", lines(tags.iter().map(|(key, value)| format!("{key}: {}", shown(value))).collect())),
        ("Disk Nodes", names.join("\n")),
        ("Running Nodes", running.join("\n")),
        (
            "Versions",
            lines(names.iter().map(|node| format!("{node}: RabbitMQ {version} on Erlang {erlang}")).collect()),
        ),
        (
            "CPU Cores",
            lines(
                nodes
                    .iter()
                    .map(|node| format!("Node: {}, available CPU cores: {}", name(node), cores(node)))
                    .collect(),
            ),
        ),
        (
            "Maintenance status",
            lines(nodes.iter().map(|node| format!("Node: {}, status: {}", name(node), maintenance(node))).collect()),
        ),
        ("Alarms", lines(alarms.clone())),
        ("Network Partitions", "(none)".to_owned()),
        (
            "Listeners",
            lines(listeners.iter().map(|listener| format!("Node: {}, {}", listener.node, listener.line())).collect()),
        ),
        (
            "Feature flags",
            lines(
                flags
                    .iter()
                    .map(|flag| format!("Flag: {}, state: {}", shown(&flag["name"]), shown(&flag["state"])))
                    .collect(),
            ),
        ),
    ];
    let text = sections.map(|(title, body)| format!("{title}\n\n{body}")).join("\n\n");

    let mut by_node: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for listener in &listeners {
        by_node.entry(&listener.node).or_default().push(listener.json());
    }
    let of_nodes = |value: &dyn Fn(&Value) -> Value| -> Value {
        Value::Object(nodes.iter().map(|node| (name(node), value(node))).collect())
    };
    let json = json!({
        "alarms": alarms,
        "cluster_tags": if tags.is_empty() { json!([]) } else { Value::Object(tags) },
        "listeners": by_node,
        "cpu_cores": of_nodes(&|node| json!(cores(node))),
        "cluster_name": overview["cluster_name"],
        "disk_nodes": names,
        "running_nodes": running,
        "versions": of_nodes(&|_| json!({"erlang_version": erlang, "rabbitmq_name": "RabbitMQ", "rabbitmq_version": version})),
        "partitions": {},
        "maintenance_status": of_nodes(&|node| json!(maintenance(node))),
        "feature_flags": flags,
    });
    Ok(Answer::Report { text, json })
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `set_cluster_name`.
pub const SET_CLUSTER_NAME: Command = Command {
    name: "set_cluster_name",
    section: Section::Configuration,
    summary: "Sets the cluster name",
    usage: "set_cluster_name <name>",
    explains: &[("<name>", "name")],
    guides: &["vhosts", "access-control"],
    needs: Needs::AppRunning,
    words: Words::exactly(1),
    endpoints: &[&CLUSTER_NAME],
    banner: |call| Some(format!("Setting cluster name to {} ...", call.word(0))),
    run: set_cluster_name,
    ..Command::BLANK
};

fn set_cluster_name(call: &Call) -> Result<Answer, Failure> {
    let reply = call.put(&CLUSTER_NAME, &[], &json!({"name": call.word(0)}))?;
    if reply.is_ok() { Ok(Answer::Done) } else { Err(Failure::refused(Kind::Unavailable, reply.reason())) }
}

/// `await_online_nodes`.
pub const AWAIT_ONLINE_NODES: Command = Command {
    name: "await_online_nodes",
    section: Section::Cluster,
    summary: "Waits for <count> nodes to join the cluster",
    usage: "await_online_nodes <count> [--timeout <timeout>]",
    explains: &[("<count>", "number of members to wait for; 1 returns at once")],
    needs: Needs::AppRunning,
    words: Words::exactly(1),
    endpoints: &[&NODES],
    check: check_count,
    banner: banner_of_await,
    run: await_online_nodes,
    ..Command::BLANK
};

fn check_count(call: &Call) -> Result<(), Failure> {
    match call.word(0).parse::<u32>() {
        Ok(count) if count > 0 => Ok(()),
        _ => Err(Failure::bad_argument("Argument must be a positive integer")),
    }
}

fn nodes_wait(call: &Call) -> u64 {
    let given = call.switches.integer("timeout").and_then(|seconds| u64::try_from(seconds).ok());
    given.unwrap_or(NODES_WAIT_SECONDS)
}

fn banner_of_await(call: &Call) -> Option<String> {
    let (count, node, seconds) = (call.word(0), call.node(), nodes_wait(call));
    Some(format!("Will wait for at least {count} nodes to join the cluster of {node}. Timeout: {seconds} seconds."))
}

fn await_online_nodes(call: &Call) -> Result<Answer, Failure> {
    let wanted = call.word(0).parse().unwrap_or(1);
    let online = call.until(Duration::from_secs(nodes_wait(call)), || {
        let nodes = call.get(&NODES, &[], "columns=running")?.body;
        let online = nodes.as_array().into_iter().flatten().filter(|node| node["running"] == true).count();
        Ok((online >= wanted).then_some(()))
    })?;
    online.map(|()| Answer::Done).ok_or_else(|| {
        let text = format!("Error: timed out while waiting. Not enough nodes joined {}'s cluster.", call.node());
        Failure::refused(Kind::Software, text)
    })
}

/// `has_reached_target_cluster_size`.
pub const HAS_REACHED_TARGET_CLUSTER_SIZE: Command = Command {
    name: "has_reached_target_cluster_size",
    tools: &[Tool::Ctl, Tool::Diagnostics, Tool::Upgrade],
    section: Section::Upgrade,
    summary: "Health check that exits with a non-zero code if the cluster has not yet reached its target size",
    usage: "has_reached_target_cluster_size [--timeout <timeout>]",
    guides: &["upgrade", "cluster-formation"],
    needs: Needs::AppRunning,
    banner: |call| Some(format!("Checking if target cluster size has been reached on node {} ...", call.node())),
    run: has_reached_target_cluster_size,
    ..Command::BLANK
};

fn has_reached_target_cluster_size(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    Ok(crate::commands::health::passed(call, format!("Target cluster size has been reached on node {}", call.node())))
}

/// `join_cluster`.
pub const JOIN_CLUSTER: Command = Command {
    name: "join_cluster",
    section: Section::Cluster,
    summary: "Instructs the node to become a member of the cluster that the specified node is in",
    usage: "join_cluster [--disc] <existing_cluster_member>",
    explains: &[
        ("<existing_cluster_member>", "member of the cluster to join"),
        ("--disc", "keep data on disk; always so"),
    ],
    guides: &["clustering", "cluster-formation"],
    switches: &[Switch::flag("disc")],
    words: Words::exactly(1),
    banner: |call| Some(format!("Clustering node {} with {}", call.node(), call.word(0))),
    run: join_cluster,
    ..Command::BLANK
};

fn join_cluster(call: &Call) -> Result<Answer, Failure> {
    call.summary()?;
    let node = call.node();
    if call.word(0) == node {
        return Err(Failure::refused(Kind::Software, format!("Error: cannot cluster node with itself: {node}")));
    }
    Err(Failure::refused(Kind::Unavailable, ALONE))
}

/// `forget_cluster_node`.
pub const FORGET_CLUSTER_NODE: Command = Command {
    name: "forget_cluster_node",
    section: Section::Cluster,
    summary: "Removes a node from the cluster",
    usage: "forget_cluster_node [--offline] <existing_cluster_member_node>",
    explains: &[("--offline", "do not contact the node")],
    guides: &["clustering", "cluster-formation"],
    switches: &[Switch::flag("offline")],
    words: Words::exactly(1),
    banner: |call| Some(format!("Removing node {} from the cluster", call.word(0))),
    run: forget_cluster_node,
    ..Command::BLANK
};

fn forget_cluster_node(call: &Call) -> Result<Answer, Failure> {
    if call.switches.flag("offline") {
        if call.summary().is_ok() {
            return Err(Failure::environment("this command requires the target node to be stopped."));
        }
        return Err(Failure::refused(Kind::Unavailable, ALONE));
    }
    call.summary()?;
    let node = call.node();
    if call.word(0) == node {
        let text = format!(
            "RabbitMQ on node {node} must be stopped with 'rabbitmqctl -n {node} stop_app' before it can be removed"
        );
        return Err(Failure::refused(Kind::Unavailable, text));
    }
    let text = "{:not_a_cluster_node, ~c\"The node selected is not in the cluster.\"}";
    Err(Failure::refused(Kind::Unavailable, text))
}

/// `force_boot`.
pub const FORCE_BOOT: Command = Command {
    name: "force_boot",
    section: Section::Cluster,
    summary: "Forces node to start even if it cannot contact or rejoin any of its previously known peers",
    usage: "force_boot",
    guides: &["clustering"],
    needs: Needs::AppStopped,
    banner: |call| Some(format!("Forcing boot for Khepri dir {} ...", call.node())),
    run: force_boot,
    ..Command::BLANK
};

fn force_boot(_: &Call) -> Result<Answer, Failure> {
    // A node that stands alone never waits for others when it boots.
    Ok(Answer::Done)
}

/// `force_standalone_khepri_boot`.
pub const FORCE_STANDALONE_KHEPRI_BOOT: Command = Command {
    name: "force_standalone_khepri_boot",
    section: Section::Cluster,
    summary: "Forces node to start as a standalone node",
    usage: "force_standalone_khepri_boot",
    guides: &["clustering"],
    run: force_standalone_khepri_boot,
    ..Command::BLANK
};

fn force_standalone_khepri_boot(call: &Call) -> Result<Answer, Failure> {
    call.summary()?;
    Ok(Answer::Done)
}

/// `force_reset`.
pub const FORCE_RESET: Command = Command {
    name: "force_reset",
    section: Section::Cluster,
    summary: "Forcefully returns a RabbitMQ node to its virgin state",
    usage: "force_reset",
    guides: &["clustering"],
    needs: Needs::AppStopped,
    banner: |call| Some(format!("Forcefully resetting node {} ...", call.node())),
    run: force_reset,
    ..Command::BLANK
};

fn force_reset(_: &Call) -> Result<Answer, Failure> {
    Err(Failure::refused(Kind::Unavailable, "Forced reset is unsupported with Khepri"))
}

/// `rename_cluster_node`.
pub const RENAME_CLUSTER_NODE: Command = Command {
    name: "rename_cluster_node",
    section: Section::Deprecated,
    summary: "DEPRECATED. This command is a no-op. Node renaming is incompatible with Raft-based features such as quorum queues, streams, Khepri. ",
    usage: "rename_cluster_node <oldnode1> <newnode1> [oldnode2] [newnode2] ...",
    guides: &["clustering"],
    words: Words::at_least(2),
    banner: |call| Some(call.command.summary.to_owned()),
    run: |_| Ok(Answer::Done),
    ..Command::BLANK
};

/// `update_cluster_nodes`.
pub const UPDATE_CLUSTER_NODES: Command = Command {
    name: "update_cluster_nodes",
    section: Section::Deprecated,
    summary: "DEPRECATED. This command is a no-op. Node update is incompatible with Raft-based features such as quorum queues, streams, Khepri. ",
    usage: "update_cluster_nodes <seed_node>",
    explains: &[("<seed_node>", "member to learn the others from")],
    guides: &["clustering"],
    needs: Needs::AppStopped,
    words: Words::exactly(1),
    run: update_cluster_nodes,
    ..Command::BLANK
};

fn update_cluster_nodes(call: &Call) -> Result<Answer, Failure> {
    Ok(Answer::Message(call.command.summary.to_owned()))
}
