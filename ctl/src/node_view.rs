//! What the node says about itself, in the shapes several commands show.

use serde_json::{Value, json};

use crate::call::Call;
use crate::endpoints::{NODES, OVERVIEW};
use crate::exit::Failure;

/// A listener as the tools show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Node it is on.
    pub node: String,
    /// `amqp`, `http`, …
    pub protocol: String,
    /// Address it is bound to; IPv6 in brackets.
    pub interface: String,
    /// Port it is bound to.
    pub port: u64,
}

impl Listener {
    fn of(value: &Value) -> Self {
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let address = text("ip_address");
        let interface = if address.contains(':') { format!("[{address}]") } else { address };
        Self {
            node: text("node"),
            protocol: text("protocol"),
            interface,
            port: value["port"].as_u64().unwrap_or_default(),
        }
    }

    /// What it is for.
    pub fn purpose(&self) -> &'static str {
        match self.protocol.as_str() {
            "amqp" => "AMQP 0-9-1 and AMQP 1.0",
            "amqp/ssl" => "AMQP 0-9-1 and AMQP 1.0 over TLS",
            "clustering" => "inter-node and CLI tool communication",
            "http" => "HTTP API",
            "https" => "HTTP API over TLS (HTTPS)",
            "http/prometheus" => "Prometheus exporter API over HTTP",
            "https/prometheus" => "Prometheus exporter API over TLS (HTTPS)",
            "mqtt" => "MQTT",
            "mqtt/ssl" => "MQTT over TLS",
            "stomp" => "STOMP",
            "stomp/ssl" => "STOMP over TLS",
            "stream" => "stream",
            "stream/ssl" => "stream over TLS",
            _ => "unknown",
        }
    }

    /// One line.
    pub fn line(&self) -> String {
        let Self { interface, port, protocol, .. } = self;
        format!("interface: {interface}, port: {port}, protocol: {protocol}, purpose: {}", self.purpose())
    }

    /// As an object.
    pub fn json(&self) -> Value {
        json!({
            "node": self.node,
            "port": self.port,
            "protocol": self.protocol,
            "interface": self.interface,
            "purpose": self.purpose(),
        })
    }
}

/// The overview of the node.
pub fn overview(call: &Call) -> Result<Value, Failure> {
    Ok(call.get(&OVERVIEW, &[], "")?.body)
}

/// The listeners of an overview.
pub fn listeners(overview: &Value) -> Vec<Listener> {
    overview["listeners"].as_array().into_iter().flatten().map(Listener::of).collect()
}

/// The node's own entry in the list of nodes.
pub fn node(call: &Call) -> Result<Value, Failure> {
    let nodes = call.get(&NODES, &[], "")?.body;
    let name = call.node();
    let all = nodes.as_array().cloned().unwrap_or_default();
    let own = all.iter().find(|node| node["name"] == name.as_str()).or(all.first()).cloned();
    Ok(own.unwrap_or(Value::Null))
}

/// Names of log files as the tools show them; `-` is the standard output.
pub fn log_names(files: Vec<String>) -> Vec<String> {
    files.into_iter().map(|file| if file == "-" { "<stdout>".to_owned() } else { file }).collect()
}

/// The alarms of a node's entry, one line each.
pub fn alarms(node: &Value) -> Vec<String> {
    let name = node["name"].as_str().unwrap_or_default();
    let mut lines = Vec::new();
    if node["mem_alarm"] == true {
        lines.push(format!("Memory alarm on node {name}"));
    }
    if node["disk_free_alarm"] == true {
        lines.push(format!("Free disk space alarm on node {name}"));
    }
    if let Some(reason) = node["storage_alarm"].as_str() {
        lines.push(format!("Storage alarm on node {name}: {reason}"));
    }
    lines
}
