//! Which plugins are enabled. Everything they stand for is built in, so enabling one is
//! bookkeeping that lets scripts and tools written for the reference succeed. Only the exchange
//! of events comes and goes with its plugin; metrics are served without one.
//!
//! The set lives in the data directory in the reference's own file and term format:
//! `[rabbitmq_management,rabbitmq_shovel].` It is not part of the broker's storage:
//! an operator may edit it, and it is read anew each time.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use broker::storage::BoxFuture;
use broker::{AppService, Broker, Listener};
use openapi::control::{Plugin, PluginChange, PluginList, PluginState};

use crate::error::ApiError;

/// Name of the file in the data directory.
const FILE: &str = "enabled_plugins";

/// What is enabled on a node nobody has configured.
const DEFAULT: &[&str] = &["rabbitmq_management"];

/// The plugin whose exchange is there as long as it is enabled.
pub(crate) const EVENT_EXCHANGE: &str = "rabbitmq_event_exchange";

/// Most plugins that may be enabled by name.
const ENABLED_MAX: usize = 256;

/// Longest plugin name, in bytes: the longest atom.
const NAME_BYTES_MAX: usize = 255;

/// Name, description and dependencies of every plugin of the distribution.
#[rustfmt::skip]
const PLUGINS: &[(&str, &str, &str)] = &[
    ("rabbitmq_amqp1_0", "Deprecated no-op AMQP 1.0 plugin", ""),
    ("rabbitmq_auth_backend_cache", "RabbitMQ Authentication Backend cache", ""),
    ("rabbitmq_auth_backend_http", "RabbitMQ HTTP Authentication Backend", "amqp_client"),
    ("rabbitmq_auth_backend_internal_loopback", "RabbitMQ Internal Loopback Authentication Backend", ""),
    ("rabbitmq_auth_backend_ldap", "RabbitMQ LDAP Authentication Backend", ""),
    ("rabbitmq_auth_backend_oauth2", "OAuth 2 and JWT-based AuthN and AuthZ backend", "jose,base64url,oauth2_client"),
    ("rabbitmq_auth_mechanism_ssl", "RabbitMQ SSL authentication (SASL EXTERNAL)", ""),
    ("rabbitmq_consistent_hash_exchange", "Consistent Hash Exchange Type", ""),
    ("rabbitmq_event_exchange", "Event Exchange Type", ""),
    ("rabbitmq_exchange_federation", "RabbitMQ Exchange Federation", "amqp_client,rabbitmq_federation_common"),
    ("rabbitmq_federation", "Deprecated no-op RabbitMQ Federation", "rabbitmq_queue_federation,rabbitmq_exchange_federation"),
    ("rabbitmq_federation_common", "RabbitMQ Federation Common", "amqp_client"),
    ("rabbitmq_federation_management", "RabbitMQ Federation Management", "amqp_client,rabbitmq_management,rabbitmq_federation"),
    ("rabbitmq_federation_prometheus", "Exposes rabbitmq_federation metrics to Prometheus", "rabbitmq_federation,rabbitmq_prometheus"),
    ("rabbitmq_jms_topic_exchange", "RabbitMQ JMS topic selector exchange plugin", ""),
    ("rabbitmq_management", "RabbitMQ Management Console", "amqp_client,cowboy,rabbitmq_web_dispatch,rabbitmq_management_agent,oauth2_client"),
    ("rabbitmq_management_agent", "RabbitMQ Management Agent", "rabbitmq_web_dispatch"),
    ("rabbitmq_mqtt", "RabbitMQ MQTT Adapter", ""),
    ("rabbitmq_peer_discovery_aws", "AWS-based RabbitMQ peer discovery backend", "rabbitmq_peer_discovery_common,rabbitmq_aws"),
    ("rabbitmq_peer_discovery_common", "Modules shared by various peer discovery backends", ""),
    ("rabbitmq_peer_discovery_consul", "Consult-based RabbitMQ peer discovery backend", "rabbitmq_peer_discovery_common"),
    ("rabbitmq_peer_discovery_etcd", "etcd-based RabbitMQ peer discovery backend", "rabbitmq_peer_discovery_common,eetcd,gun"),
    ("rabbitmq_peer_discovery_k8s", "Kubernetes-based RabbitMQ peer discovery backend", "rabbitmq_peer_discovery_common"),
    ("rabbitmq_prometheus", "Prometheus metrics for RabbitMQ", "cowboy,rabbitmq_management_agent,prometheus,rabbitmq_web_dispatch"),
    ("rabbitmq_queue_federation", "RabbitMQ Queue Federation", "amqp_client,rabbitmq_federation_common"),
    ("rabbitmq_random_exchange", "RabbitMQ Random Exchange", ""),
    ("rabbitmq_recent_history_exchange", "RabbitMQ Recent History Exchange", ""),
    ("rabbitmq_sharding", "RabbitMQ Sharding Plugin", ""),
    ("rabbitmq_shovel", "Data Shovel for RabbitMQ", "amqp_client,amqp10_client,rabbitmq_amqp_client"),
    ("rabbitmq_shovel_management", "Management extension for the Shovel plugin", "rabbitmq_management,rabbitmq_shovel"),
    ("rabbitmq_shovel_prometheus", "Exposes rabbitmq_shovel metrics to Prometheus", "rabbitmq_shovel,rabbitmq_prometheus"),
    ("rabbitmq_stomp", "RabbitMQ STOMP plugin", "amqp_client"),
    ("rabbitmq_stream", "RabbitMQ Stream", "rabbitmq_stream_common"),
    ("rabbitmq_stream_management", "RabbitMQ Stream Management", "rabbitmq_management,rabbitmq_stream"),
    ("rabbitmq_top", "RabbitMQ Top", "amqp_client,rabbitmq_management"),
    ("rabbitmq_tracing", "RabbitMQ message logging / tracing", "rabbitmq_management"),
    ("rabbitmq_trust_store", "Client X.509 certificates trust store", ""),
    ("rabbitmq_web_dispatch", "RabbitMQ Web Dispatcher", "amqp_client,cowboy"),
    ("rabbitmq_web_mqtt", "RabbitMQ MQTT-over-WebSockets adapter", "cowboy,rabbitmq_mqtt"),
    ("rabbitmq_web_mqtt_examples", "Rabbit WEB-MQTT - examples", "rabbitmq_web_dispatch,rabbitmq_web_mqtt"),
    ("rabbitmq_web_stomp", "RabbitMQ STOMP-over-WebSockets support", "cowboy,rabbitmq_stomp"),
    ("rabbitmq_web_stomp_examples", "Rabbit WEB-STOMP - examples", "rabbitmq_web_dispatch,rabbitmq_web_stomp"),
];

fn find(name: &str) -> Option<&'static (&'static str, &'static str, &'static str)> {
    PLUGINS.iter().find(|(own, _, _)| *own == name)
}

fn dependencies(plugin: &(&'static str, &'static str, &'static str)) -> impl Iterator<Item = &'static str> + use<> {
    plugin.2.split(',').filter(|name| !name.is_empty())
}

/// The plugins enabled by name, in order.
pub(crate) fn load(data_dir: &Path) -> Result<Vec<String>, ApiError> {
    read(data_dir).map_err(ApiError::internal)
}

/// Whether a plugin is enabled, by name or because another needs it.
///
/// # Errors
/// `Unavailable` when the file cannot be read.
fn is_enabled(data_dir: &Path, name: &str) -> Result<bool, broker::Error> {
    let enabled = read(data_dir).map_err(broker::Error::Unavailable)?;
    Ok(closure(&enabled).contains(name))
}

fn read(data_dir: &Path) -> Result<Vec<String>, String> {
    let path = data_dir.join(FILE);
    match fs::read_to_string(&path) {
        Ok(term) => parse(&term).ok_or_else(|| format!("{} is no list of plugin names", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Ok(DEFAULT.iter().map(|name| (*name).to_owned()).collect())
        }
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

/// What enabled plugins bring, whenever the application starts.
pub struct EnabledPlugins;

impl EnabledPlugins {
    async fn bring(&self, broker: Broker) -> Result<Vec<Listener>, broker::Error> {
        match is_enabled(broker.data_dir(), EVENT_EXCHANGE) {
            Ok(wanted) => broker.tell_events(wanted).await?,
            Err(error) => tracing::warn!(%error, "enabled plugins cannot be read: events are not told"),
        }
        Ok(Vec::new())
    }
}

impl AppService for EnabledPlugins {
    fn start(&self, broker: Broker) -> BoxFuture<'_, Result<Vec<Listener>, broker::Error>> {
        Box::pin(self.bring(broker))
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Replaces the enabled set. Names the distribution does not know are kept, as the
/// reference keeps them, and reported as missing.
pub(crate) fn replace(data_dir: &Path, names: Vec<String>) -> Result<PluginChange, ApiError> {
    if names.len() > ENABLED_MAX {
        return Err(ApiError::bad_request(format!("at most {ENABLED_MAX} plugins can be enabled by name")));
    }
    if let Some(name) = names.iter().find(|name| !is_name(name)) {
        return Err(ApiError::bad_request(format!("{name:?} is not a plugin name")));
    }
    let before = closure(&load(data_dir)?);
    let names: Vec<_> = names.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    store(data_dir, &names).map_err(|error| ApiError::internal(format!("cannot write {FILE}: {error}")))?;
    let after = closure(&names);
    let owned = |names: Vec<&&str>| names.into_iter().map(|name| (*name).to_owned()).collect();
    Ok(PluginChange {
        started: owned(after.difference(&before).collect()),
        stopped: owned(before.difference(&after).collect()),
        set: owned(after.iter().collect()),
        missing: names.into_iter().filter(|name| find(name).is_none()).collect(),
    })
}

/// All plugins and how they stand.
pub(crate) fn describe(enabled: &[String], version: &str, app_runs: bool) -> PluginList {
    let closure = closure(enabled);
    let plugins = PLUGINS.iter().map(|plugin| {
        let (name, description, _) = *plugin;
        let state = if enabled.iter().any(|own| own == name) {
            PluginState::Enabled
        } else if closure.contains(name) {
            PluginState::Implicit
        } else {
            PluginState::NotEnabled
        };
        Plugin {
            name: name.to_owned(),
            version: version.to_owned(),
            description: description.to_owned(),
            dependencies: dependencies(plugin).map(str::to_owned).collect(),
            enabled: state,
            running: app_runs && state != PluginState::NotEnabled,
        }
    });
    PluginList {
        plugins: plugins.collect(),
        missing: enabled.iter().filter(|name| find(name).is_none()).cloned().collect(),
    }
}

/// Enabled plugins and everything of the distribution they need.
fn closure(enabled: &[String]) -> BTreeSet<&'static str> {
    let mut all = BTreeSet::new();
    let mut open: Vec<_> = enabled.iter().filter_map(|name| find(name)).collect();
    while let Some(plugin) = open.pop() {
        if all.insert(plugin.0) {
            open.extend(dependencies(plugin).filter_map(find));
        }
    }
    all
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.contains(['\'', '\\']) && !name.contains(char::is_control)
}

/// Reads `[a,'b c'].`: a list of atoms, plain or quoted, and the full stop.
fn parse(term: &str) -> Option<Vec<String>> {
    let without_comments: String =
        term.lines().map(|line| line.split('%').next().unwrap_or_default()).collect::<Vec<_>>().join(" ");
    let list = without_comments.trim().strip_suffix('.')?.trim().strip_prefix('[')?.strip_suffix(']')?.trim();
    if list.is_empty() {
        return Some(Vec::new());
    }
    list.split(',')
        .map(|atom| {
            let atom = atom.trim();
            let name = atom.strip_prefix('\'').and_then(|atom| atom.strip_suffix('\'')).unwrap_or(atom);
            is_name(name).then(|| name.to_owned())
        })
        .collect()
}

fn print(names: &[String]) -> String {
    let atom = |name: &String| {
        let plain = name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '@'));
        if plain { name.clone() } else { format!("'{name}'") }
    };
    format!("[{}].\n", names.iter().map(atom).collect::<Vec<_>>().join(","))
}

/// Writes the file so that a crash leaves the old or the new one.
fn store(data_dir: &Path, names: &[String]) -> std::io::Result<()> {
    let written = data_dir.join(format!("{FILE}.new"));
    let mut file = fs::File::create(&written)?;
    file.write_all(print(names).as_bytes())?;
    file.sync_all()?;
    fs::rename(&written, data_dir.join(FILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_file_is_read_and_written_as_a_term() {
        for (term, expected) in [
            ("[].", Some(owned(&[]))),
            ("[rabbitmq_management].\n", Some(owned(&["rabbitmq_management"]))),
            (" [ a ,\n 'b-c' ] . % why", Some(owned(&["a", "b-c"]))),
            ("rabbitmq_management", None),
            ("[a", None),
            ("[,].", None),
        ] {
            assert_eq!(parse(term), expected, "{term}");
        }
        assert_eq!(print(&owned(&["a", "b-c"])), "[a,'b-c'].\n");
        assert_eq!(parse(&print(&owned(&["a", "b-c"]))), Some(owned(&["a", "b-c"])));
    }

    #[test]
    fn a_change_reports_what_came_and_went() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(load(dir.path()).unwrap(), owned(&["rabbitmq_management"]));
        assert!(!is_enabled(dir.path(), "rabbitmq_shovel").unwrap());
        let change =
            replace(dir.path(), owned(&["rabbitmq_management", "rabbitmq_shovel_management", "nope"])).unwrap();
        assert_eq!(change.started, owned(&["rabbitmq_shovel", "rabbitmq_shovel_management"]));
        assert_eq!(change.missing, owned(&["nope"]));
        assert!(is_enabled(dir.path(), "rabbitmq_shovel").unwrap());
        assert_eq!(change.set.len(), 5);
        let change = replace(dir.path(), owned(&["rabbitmq_management"])).unwrap();
        assert_eq!(change.stopped, owned(&["rabbitmq_shovel", "rabbitmq_shovel_management"]));
        assert_eq!(replace(dir.path(), owned(&["a\nb"])).unwrap_err().status.as_u16(), 400);
    }
}
