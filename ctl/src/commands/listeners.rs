//! Listeners: which there are, and checks of ports and protocols.

use std::net::ToSocketAddrs as _;
use std::time::Duration;

use serde_json::json;

use crate::call::Call;
use crate::command::{Command, Needs, Section, Tool, Words};
use crate::endpoints::OVERVIEW;
use crate::exit::{Failure, Kind};
use crate::node_view;
use crate::output::Answer;
use crate::parse::Switch;
use crate::terminal::say;

/// Commands of this file.
pub const ALL: &[&Command] = &[&CHECK_PORT_CONNECTIVITY, &CHECK_PORT_LISTENER, &CHECK_PROTOCOL_LISTENER, &LISTENERS];

/// How long connecting to a listener may take.
const CONNECT_WAIT: Duration = Duration::from_secs(30);

/// `listeners`.
pub const LISTENERS: Command = Command {
    name: "listeners",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Lists active connection listeners (bound interface, port, protocol) on the target node",
    usage: "listeners [--timeout <timeout>]",
    needs: Needs::AppRunning,
    endpoints: &[&OVERVIEW],
    banner: |call| Some(format!("Asking node {} to report its protocol listeners ...", call.node())),
    run: listeners,
    ..Command::BLANK
};

fn listeners(call: &Call) -> Result<Answer, Failure> {
    let all = node_view::listeners(&node_view::overview(call)?);
    let lines: Vec<String> = all.iter().map(|listener| listener.line().replacen('i', "I", 1)).collect();
    let documents: Vec<_> = all.iter().map(node_view::Listener::json).collect();
    let json = json!({"listeners": documents, "node": call.node(), "result": "ok"});
    Ok(Answer::Report { text: lines.join("\n"), json })
}

/// `check_port_listener`.
pub const CHECK_PORT_LISTENER: Command = Command {
    name: "check_port_listener",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Health check that exits with a non-zero code if target node does not have an active listener for given port",
    usage: "check_port_listener <port> [--timeout <timeout>]",
    needs: Needs::AppRunning,
    words: Words::exactly(1),
    endpoints: &[&OVERVIEW],
    check: check_port,
    banner: |call| {
        Some(format!("Asking node {} if there's an active listener on port {} ...", call.node(), call.word(0)))
    },
    run: check_port_listener,
    ..Command::BLANK
};

fn check_port(call: &Call) -> Result<(), Failure> {
    match call.word(0).parse::<u64>() {
        Ok(port) if port > 0 => Ok(()),
        _ => Err(Failure::bad_argument("Argument must be a positive integer")),
    }
}

fn check_port_listener(call: &Call) -> Result<Answer, Failure> {
    let all = node_view::listeners(&node_view::overview(call)?);
    let (node, port) = (call.node(), call.word(0).parse::<u64>().unwrap_or_default());
    if all.iter().any(|listener| listener.port == port) {
        let json = json!({"node": node, "port": port, "result": "ok"});
        let text = format!("A listener for port {port} is running on node {node}.");
        return Ok(Answer::Report { text, json });
    }
    let mut ports: Vec<u64> = all.iter().map(|listener| listener.port).collect();
    ports.sort_unstable();
    ports.dedup();
    let listed: Vec<String> = ports.iter().map(u64::to_string).collect();
    let text = format!(
        "No listener for port {port} is active on node {node}. Found listeners that use the following ports: {}",
        listed.join(", ")
    );
    let documents: Vec<_> = all.iter().map(node_view::Listener::json).collect();
    let json = json!({"listeners": documents, "missing": call.word(0), "ports": ports, "result": "error"});
    Err(Failure::plain(Kind::Unavailable, text).with_json(json))
}

/// `check_protocol_listener`.
pub const CHECK_PROTOCOL_LISTENER: Command = Command {
    name: "check_protocol_listener",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Health check that exits with a non-zero code if target node does not have an active listener for given protocol",
    usage: "check_protocol_listener <protocol> [--timeout <timeout>]",
    needs: Needs::AppRunning,
    words: Words::exactly(1),
    endpoints: &[&OVERVIEW],
    banner: |call| {
        Some(format!("Asking node {} if there's an active listener for protocol {} ...", call.node(), call.word(0)))
    },
    run: check_protocol_listener,
    ..Command::BLANK
};

/// Other names of a protocol.
fn protocol(name: &str) -> String {
    let lower = name.to_lowercase();
    match lower.as_str() {
        "amqp091" | "amqp0.9.1" | "amqp0-9-1" | "amqp10" | "amqp1.0" | "amqp1-0" | "amqp" => "amqp".to_owned(),
        "amqps" => "amqp/ssl".to_owned(),
        "mqtt3.1" | "mqtt3.1.1" | "mqtt31" | "mqtt311" => "mqtt".to_owned(),
        "stomp1.0" | "stomp1.1" | "stomp1.2" | "stomp10" | "stomp11" | "stomp12" => "stomp".to_owned(),
        _ => lower,
    }
}

fn check_protocol_listener(call: &Call) -> Result<Answer, Failure> {
    let all = node_view::listeners(&node_view::overview(call)?);
    let (node, wanted) = (call.node(), protocol(call.word(0)));
    if all.iter().any(|listener| listener.protocol == wanted) {
        let json = json!({"node": node, "protocol": wanted, "result": "ok"});
        let text = format!("A listener for protocol {wanted} is running on node {node}.");
        return Ok(Answer::Report { text, json });
    }
    let mut protocols: Vec<String> = Vec::new();
    for listener in &all {
        if !protocols.contains(&listener.protocol) {
            protocols.push(listener.protocol.clone());
        }
    }
    let documents: Vec<_> = all.iter().map(node_view::Listener::json).collect();
    let json = json!({"listeners": documents, "missing": call.word(0), "protocols": protocols, "result": "error"});
    protocols.sort();
    let text = format!(
        "No listener for protocol {wanted} is active on node {node}. Found listeners for the following protocols: {}",
        protocols.join(", ")
    );
    Err(Failure::refused(Kind::Unavailable, text).with_json(json))
}

/// `check_port_connectivity`.
pub const CHECK_PORT_CONNECTIVITY: Command = Command {
    name: "check_port_connectivity",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Basic TCP connectivity health check for each listener's port on the target node",
    usage: "check_port_connectivity [--address <target address>] [--timeout <timeout>]",
    switches: &[Switch::text("address").short('a')],
    needs: Needs::AppRunning,
    endpoints: &[&OVERVIEW],
    banner: banner_of_connectivity,
    run: check_port_connectivity,
    ..Command::BLANK
};

fn banner_of_connectivity(call: &Call) -> Option<String> {
    let way = match call.switches.text("address") {
        Some(address) => format!("{address} for node IP address"),
        None => "hostname resolution".to_owned(),
    };
    Some(format!("Testing TCP connections to all active listeners on node {} using {way} ...", call.node()))
}

fn check_port_connectivity(call: &Call) -> Result<Answer, Failure> {
    let all = node_view::listeners(&node_view::overview(call)?);
    let node = call.node();
    let host = node.split_once('@').map_or(node.as_str(), |(_, host)| host);
    let host = call.switches.text("address").unwrap_or(host);
    let (mut lines, mut closed) = (Vec::new(), Vec::new());
    for listener in &all {
        lines.push(format!("Will connect to {host}:{}", listener.port));
        if !connects(host, listener.port) {
            closed.push(listener);
        }
    }
    // Progress is told before the answer, whatever the format.
    say(&call.take_banner());
    if !lines.is_empty() {
        say(&format!("{}\n", lines.join("\n")));
    }
    let documents: Vec<_> = all.iter().map(node_view::Listener::json).collect();
    if closed.is_empty() {
        let mut ports: Vec<u64> = all.iter().map(|listener| listener.port).collect();
        ports.sort_unstable();
        ports.dedup();
        let ports: Vec<String> = ports.iter().map(u64::to_string).collect();
        let way = match call.switches.text("address") {
            Some(address) => format!("{address} for target IP address"),
            None => "node hostname resolution".to_owned(),
        };
        let text = format!("Successfully connected to ports {} on node {node} (using {way})", ports.join(", "));
        let json = json!({"node": node, "result": "ok", "listeners": documents});
        return Ok(Answer::Report { text, json });
    }
    let listed: Vec<String> = closed.iter().map(|listener| listener.line().replacen('i', "I", 1)).collect();
    let text = format!("Connection attempts to some of the listeners on node {node} failed:\n{}", listed.join("\n"));
    let failing: Vec<_> = closed.iter().map(|listener| listener.json()).collect();
    Err(Failure::plain(Kind::Unavailable, text)
        .with_json(json!({"result": "error", "node": node, "failures": failing})))
}

fn connects(host: &str, port: u64) -> bool {
    let Ok(port) = u16::try_from(port) else { return false };
    let Ok(addresses) = (host, port).to_socket_addrs() else { return false };
    addresses.into_iter().any(|address| std::net::TcpStream::connect_timeout(&address, CONNECT_WAIT).is_ok())
}
