//! Nodes that are not Warren: what they lack, and what takes the place of Warren's own endpoints there.
//!
//! Owns the table of endpoints that not every broker with a management API has, and the conversions from standard endpoints.
//! Decided by what the target answers, in one place for all commands; knows no command.

use openapi::control::{
    AppState, NODE, NodeAlarm, NodeListener, NodeSummary, PLUGINS, Plugin, PluginList, PluginState,
};
use openapi::{Endpoint, Method};
use serde_json::Value;

/// A broker with a management API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// What it calls itself.
    pub product: String,
    /// Its version.
    pub version: String,
    /// Whether it is LavinMQ, whose API is a part of RabbitMQ's.
    pub lavinmq: bool,
}

impl Broker {
    /// The broker an overview is of.
    pub fn of(overview: &Value) -> Self {
        let text = |key: &str| overview[key].as_str().map(str::to_owned);
        match text("lavinmq_version") {
            Some(version) => Self { product: "LavinMQ".to_owned(), version, lavinmq: true },
            None => Self {
                product: text("product_name").unwrap_or_else(|| "RabbitMQ".to_owned()),
                version: text("rabbitmq_version").or_else(|| text("management_version")).unwrap_or_default(),
                lavinmq: false,
            },
        }
    }

    /// Whether its version is at least that; one that cannot be read counts as new.
    fn is_at_least(&self, (major, minor): (u32, u32)) -> bool {
        let mut parts = self.version.split('.').map(|part| part.parse::<u32>().ok());
        match (parts.next().flatten(), parts.next().flatten()) {
            (Some(own_major), Some(own_minor)) => (own_major, own_minor) >= (major, minor),
            _ => true,
        }
    }
}

/// Which brokers have an endpoint.
struct Row {
    /// How its path begins.
    path: &'static str,
    /// The version of RabbitMQ it came with; `None`: no RabbitMQ has it.
    since: Option<(u32, u32)>,
    /// Whether LavinMQ has it.
    lavinmq: bool,
    /// What to do instead.
    instead: &'static str,
}

const ON_ITS_HOST: &str = "run the broker's own tools on its host";

/// Endpoints that not every broker has; what has no row is everywhere.
const ROWS: &[Row] = &[
    Row {
        path: "/warren/node/settings",
        since: None,
        lavinmq: false,
        instead: "set it in its configuration file, or run rabbitmqctl on its host",
    },
    Row { path: "/warren/plugins", since: None, lavinmq: false, instead: "run rabbitmq-plugins on its host" },
    Row { path: "/warren/", since: None, lavinmq: false, instead: ON_ITS_HOST },
    Row {
        path: "/deprecated-features",
        since: Some((3, 13)),
        lavinmq: false,
        instead: "nothing is deprecated there that it could name",
    },
    Row { path: "/feature-flags", since: Some((3, 8)), lavinmq: false, instead: "it has no feature flags" },
    Row { path: "/auth/attempts", since: Some((3, 8)), lavinmq: false, instead: "its log says who could not log in" },
    Row { path: "/health/checks/", since: Some((3, 8)), lavinmq: false, instead: "ping and list_queues work there" },
    Row {
        path: "/health/checks/below-node-connection-limit",
        since: Some((4, 1)),
        lavinmq: false,
        instead: "compare list_connections with the limit",
    },
    Row {
        path: "/vhosts/{vhost}/deletion/protection",
        since: Some((4, 1)),
        lavinmq: false,
        instead: "it does not protect virtual hosts",
    },
    Row { path: "/topic-permissions", since: Some((3, 7)), lavinmq: false, instead: "it has no topic permissions" },
    Row {
        path: "/users/{user}/topic-permissions",
        since: Some((3, 7)),
        lavinmq: false,
        instead: "it has no topic permissions",
    },
    Row { path: "/user-limits", since: Some((3, 8)), lavinmq: false, instead: "it has limits of virtual hosts only" },
    Row { path: "/nodes/{node}/memory", since: Some((3, 6)), lavinmq: false, instead: "status tells the sum" },
    Row { path: "/cluster-name", since: Some((3, 6)), lavinmq: false, instead: "its node name is its name" },
    Row { path: "/config/effective", since: Some((4, 0)), lavinmq: false, instead: ON_ITS_HOST },
    Row { path: "/reset", since: Some((3, 6)), lavinmq: false, instead: "it has no database of statistics" },
    Row {
        path: "/health/checks/quorum-queues-without-elected-leaders/",
        since: Some((4, 1)),
        lavinmq: false,
        instead: "quorum_status shows the leader of one queue",
    },
    Row {
        path: "/health/checks/reached-target-cluster-size",
        since: Some((4, 3)),
        lavinmq: false,
        instead: "cluster_status lists the nodes",
    },
    Row { path: "/queues/quorum/", since: Some((3, 12)), lavinmq: false, instead: ON_ITS_HOST },
    Row {
        path: "/queues/quorum/{vhost}/{queue}/status",
        since: Some((3, 13)),
        lavinmq: false,
        instead: "list_queues tells leader and members",
    },
    Row {
        path: "/connections/username/{username}",
        since: Some((3, 10)),
        lavinmq: true,
        instead: "close_connection ends one at a time",
    },
];

fn row(endpoint: &Endpoint) -> Option<&'static Row> {
    // The longest beginning that fits says most.
    ROWS.iter().filter(|row| endpoint.path.starts_with(row.path)).max_by_key(|row| row.path.len())
}

/// Whether an answer of that status may mean that the broker does not have the endpoint.
pub fn may_lack(endpoint: &Endpoint, status: u16) -> bool {
    let row = row(endpoint);
    status == 405
        || (status == 404 && (row.is_some() || endpoint.parameters().next().is_none()))
        // An older broker may take the path for another of its own, and find it malformed.
        || (status == 400 && row.is_some())
}

/// What is said of an endpoint the broker does not have; `None` when it should have it.
pub fn lacks(broker: &Broker, place: &str, endpoint: &Endpoint, method: Method, status: u16) -> Option<String> {
    let row = row(endpoint);
    let has = match row {
        None => status == 404 && endpoint.parameters().next().is_some(),
        Some(row) if broker.lavinmq => row.lavinmq || status == 400,
        Some(row) => row.since.is_some_and(|since| broker.is_at_least(since)) && status != 405,
    };
    if has {
        return None;
    }
    let since = match row.and_then(|row| row.since) {
        Some((major, minor)) if !broker.lavinmq => format!(", which RabbitMQ {major}.{minor} and later have"),
        _ => String::new(),
    };
    let instead = row.map(|row| format!("; {}", row.instead)).unwrap_or_default();
    let (method, path) = (method.as_str(), endpoint.full_path());
    Some(format!("{} {} at {place} has no endpoint {method} {path}{since}{instead}", broker.product, broker.version))
}

/// Whether an endpoint is Warren's own.
pub fn is_own(endpoint: &Endpoint) -> bool {
    endpoint.path.starts_with("/warren/")
}

/// What Warren's own endpoint would answer of that node, made of the standard overview and node entry.
pub fn made(endpoint: &Endpoint, method: Method, overview: &Value, node: &Value) -> Option<Value> {
    if method != Method::Get {
        return None;
    }
    let made = match endpoint.path {
        path if path == NODE.path => serde_json::to_value(summary(overview, node)),
        path if path == PLUGINS.path => serde_json::to_value(plugins(node)),
        _ => return None,
    };
    made.ok()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

fn summary(overview: &Value, node: &Value) -> NodeSummary {
    let number = |key: &str| node[key].as_u64().unwrap_or_default();
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let broker = Broker::of(overview);
    let alarm = |resource: &str, on: bool| {
        on.then(|| NodeAlarm { resource: resource.to_owned(), reason: format!("{resource} alarm is on") })
    };
    let (memory_alarm, disk_alarm) = (node["mem_alarm"] == true, node["disk_free_alarm"] == true);
    let own = |listener: &&Value| listener["node"] == node["name"];
    NodeSummary {
        node: text(node, "name"),
        app_state: if node["running"] == false { AppState::Stopped } else { AppState::Running },
        os_pid: node["os_pid"].as_str().and_then(|pid| pid.parse().ok()).unwrap_or_default(),
        warren_version: String::new(),
        compatible_version: text(overview, "rabbitmq_version"),
        product: broker.product,
        data_dir: text(node, "db_dir"),
        config_files: strings(&node["config_files"]),
        log_files: strings(&node["log_files"]),
        uptime_ms: number("uptime"),
        listeners: overview["listeners"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(own)
            .map(|listener| NodeListener {
                protocol: text(listener, "protocol"),
                ip_address: text(listener, "ip_address"),
                port: listener["port"].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap_or_default(),
            })
            .collect(),
        cluster_name: text(overview, "cluster_name"),
        memory_used: number("mem_used"),
        memory_limit: number("mem_limit"),
        memory_alarm,
        disk_free: number("disk_free"),
        disk_free_limit: number("disk_free_limit"),
        disk_alarm,
        alarms: alarm("memory", memory_alarm).into_iter().chain(alarm("disk", disk_alarm)).collect(),
        fd_used: number("fd_used"),
        fd_total: number("fd_total"),
        processors: node["processors"].as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or_default(),
    }
}

/// The plugins that run: a standard node does not tell which others it has, nor what they need.
fn plugins(node: &Value) -> PluginList {
    let enabled = strings(&node["enabled_plugins"]);
    let applications = node["applications"].as_array().map(Vec::as_slice).unwrap_or_default();
    let of_plugins = |application: &&Value| {
        application["name"].as_str().is_some_and(|name| {
            // Parts of the broker itself carry the prefix as well.
            const PARTS: [&str; 2] = ["rabbitmq_prelaunch", "rabbitmq_codegen"];
            enabled.iter().any(|known| known == name) || (name.starts_with("rabbitmq_") && !PARTS.contains(&name))
        })
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut plugins: Vec<Plugin> = applications
        .iter()
        .filter(of_plugins)
        .map(|application| {
            let name = text(&application["name"]);
            let by_name = enabled.contains(&name);
            Plugin {
                version: text(&application["version"]),
                description: text(&application["description"]),
                dependencies: Vec::new(),
                enabled: if by_name { PluginState::Enabled } else { PluginState::Implicit },
                running: true,
                name,
            }
        })
        .collect();
    plugins.sort_by(|one, other| one.name.cmp(&other.name));
    let missing = enabled.into_iter().filter(|name| !plugins.iter().any(|plugin| plugin.name == *name)).collect();
    PluginList { plugins, missing }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::{DEPRECATED_FEATURES, QUEUE, QUORUM_STATUS, SETTINGS, USER_LIMITS, USERS, VHOST_PROTECTION};
    use serde_json::json;

    fn broker(overview: &Value) -> Broker {
        Broker::of(overview)
    }

    #[test]
    fn what_a_broker_lacks_is_said_with_its_version_and_what_to_do() {
        let old = broker(&json!({"rabbitmq_version": "3.10.8", "product_name": "RabbitMQ"}));
        let new = broker(&json!({"rabbitmq_version": "4.3.5", "product_name": "RabbitMQ"}));
        let lavin = broker(&json!({"rabbitmq_version": "3.13.0", "lavinmq_version": "2.4.1"}));
        let said =
            |broker: &Broker, endpoint: &Endpoint, method, status| lacks(broker, "h:1", endpoint, method, status);
        for (who, endpoint, status, lacking) in [
            (&old, &DEPRECATED_FEATURES, 404, true),
            (&new, &DEPRECATED_FEATURES, 404, false),
            (&old, &VHOST_PROTECTION, 404, true),
            (&new, &VHOST_PROTECTION, 404, false),
            (&new, &SETTINGS, 404, true),
            (&new, &QUEUE, 404, false),
            (&old, &QUORUM_STATUS, 400, true),
            (&new, &QUORUM_STATUS, 400, false),
            (&new, &QUORUM_STATUS, 404, false),
            (&lavin, &USER_LIMITS, 404, true),
            (&lavin, &USERS, 405, true),
        ] {
            assert!(may_lack(endpoint, status) || !lacking, "{}", endpoint.path);
            assert_eq!(said(who, endpoint, Method::Get, status).is_some(), lacking, "{who:?} {}", endpoint.path);
        }
        let text = said(&old, &DEPRECATED_FEATURES, Method::Get, 404).expect("lacking");
        assert!(text.starts_with("RabbitMQ 3.10.8 at h:1 has no endpoint GET /api/deprecated-features"), "{text}");
        assert!(said(&lavin, &USER_LIMITS, Method::Get, 404).is_some_and(|text| text.starts_with("LavinMQ 2.4.1")));
    }

    #[test]
    fn plugins_of_a_standard_node_are_those_that_run() {
        let node = json!({
            "enabled_plugins": ["rabbitmq_management", "custom"],
            "applications": [
                {"name": "rabbit", "version": "4.3.5", "description": ""},
                {"name": "rabbitmq_prelaunch", "version": "4.3.5", "description": ""},
                {"name": "rabbitmq_web_dispatch", "version": "4.3.5", "description": ""},
                {"name": "rabbitmq_management", "version": "4.3.5", "description": "API"},
            ],
        });
        let list = plugins(&node);
        let found: Vec<_> = list.plugins.iter().map(|plugin| (plugin.name.as_str(), plugin.enabled)).collect();
        assert_eq!(
            found,
            [("rabbitmq_management", PluginState::Enabled), ("rabbitmq_web_dispatch", PluginState::Implicit)]
        );
        assert_eq!(list.missing, ["custom"]);
    }
}
