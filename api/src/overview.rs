//! The broker at a glance.

use broker::domain::exchange::ExchangeKind;
use broker::metrics::ChannelCounters;
use broker::{LiveConnection, Node, VhostTotals};
use openapi::overview as wire;
use serde_json::{Map, Value, json};

use crate::StatisticsSettings;
use crate::call::Call;
use crate::error::ApiError;
use crate::route::{Answer, Mounts};
use crate::statistics::Happened;
use crate::statistics::{Sampled, named_ages};

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::OVERVIEW).get(get_overview);
}

/// Exchange types, as overview and nodes list them.
pub(crate) fn exchange_types() -> Value {
    let describe =
        |kind: ExchangeKind| json!({"name": kind.as_str(), "description": kind.description(), "enabled": true});
    Value::Array(ExchangeKind::ALL.into_iter().map(describe).collect())
}

/// Listeners, as overview lists them.
fn listeners(node: &Node) -> Value {
    let name = &node.settings().node_name;
    let listeners = node.listeners().into_iter().map(|listener| {
        let (ip, port) = (listener.address.ip().to_string(), listener.address.port());
        let options = if listener.protocol.starts_with("amqp") {
            json!({"backlog": 128, "nodelay": true, "linger": [true, 0], "exit_on_close": false})
        } else {
            json!({"ip": ip, "port": port})
        };
        json!({"node": name, "protocol": listener.protocol, "ip_address": ip, "port": port,
               "socket_opts": options, "tls": listener.tls.is_some()})
    });
    Value::Array(listeners.collect())
}

/// HTTP listeners, as overview and nodes list them.
pub(crate) fn contexts(node: &Node) -> Value {
    let name = &node.settings().node_name;
    let http = node.listeners().into_iter().filter(|listener| listener.protocol.starts_with("http"));
    let contexts = http.map(|listener| {
        let description = if matches!(listener.protocol.as_str(), "http" | "https") {
            "Warren Management"
        } else {
            "Warren Prometheus"
        };
        json!({"ssl_opts": [], "node": name, "description": description, "path": "/", "cowboy_opts": "[]",
               "ip": listener.address.ip().to_string(), "port": listener.address.port().to_string()})
    });
    Value::Array(contexts.collect())
}

async fn get_overview(call: Call) -> Answer {
    let broker = call.broker()?;
    let node = call.node();
    let settings = node.settings();
    let StatisticsSettings { rates_mode, policies, .. } = call.statistics().settings();
    let without_stats = call.without_stats();
    let mut overview = json!({
        "management_version": settings.version,
        "rates_mode": rates_mode.as_str(),
        "sample_retention_policies": {
            "global": named_ages(&policies.global),
            "basic": named_ages(&policies.basic),
            "detailed": named_ages(&policies.detailed),
        },
        "exchange_types": exchange_types(),
        "product_version": settings.version,
        "product_name": settings.product,
        "rabbitmq_version": settings.version,
        "cluster_name": crate::cluster::name(broker, settings),
        "cluster_tags": {},
        "node_tags": {},
        "erlang_version": ERLANG_VERSION,
        "erlang_full_version": settings.platform,
        "crypto_lib_version": "none",
        "disable_stats": without_stats,
        "default_queue_type": settings.default_queue_type.as_str(),
        "is_op_policy_updating_enabled": true,
        "enable_queue_totals": call.query.is_true("enable_queue_totals"),
        "require_definition_json_extension": false,
    });
    let more = if without_stats { counted(&call)? } else { measured(&call)? };
    extend(&mut overview, more);
    if call.identity.is_monitoring() && !without_stats {
        extend(&mut overview, json!({"listeners": listeners(node), "contexts": contexts(node)}));
    }
    let ranges = call.ranges()?.of_overview();
    // Who sees everything sees what went before as well.
    let seen = if call.identity.is_monitoring() { None } else { Some(call.visible_vhosts()?) };
    call.statistics().fill(Sampled::Sum(seen.as_deref()), &ranges, &mut overview);
    call.statistics().fill(Sampled::Node, &ranges, &mut overview);
    call.object(&overview)
}

/// What clients that gate features on the runtime's version are told: the one the
/// compatible version ships with.
pub(crate) const ERLANG_VERSION: &str = "27.3.4";

fn extend(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}

/// Sums over what the vhosts hold that the caller sees.
fn sums(call: &Call) -> Result<VhostTotals, ApiError> {
    let broker = call.broker()?;
    let mut sums = VhostTotals::default();
    for vhost in call.visible_vhosts()? {
        let of_vhost = broker.queue_sums(&vhost);
        sums.queues += of_vhost.queues;
        sums.exchanges += of_vhost.exchanges;
        sums.consumers += of_vhost.consumers;
        sums.messages_ready += of_vhost.messages_ready;
        sums.messages_unacknowledged += of_vhost.messages_unacknowledged;
    }
    Ok(sums)
}

/// Totals that need no statistics.
fn counted(call: &Call) -> Result<Value, ApiError> {
    let sums = sums(call)?;
    Ok(json!({
        "node": call.node().settings().node_name,
        "object_totals": {
            "queues": sums.queues,
            "exchanges": sums.exchanges,
            "connections": call.broker()?.live_sums().connections,
        },
    }))
}

/// What happened to messages, and how many connections and channels there are, of those the
/// caller sees. Who sees everything sees what went before as well.
fn happened(call: &Call) -> Result<(ChannelCounters, u64, u64), ApiError> {
    let broker = call.broker()?;
    if call.identity.is_monitoring() {
        let sums = broker.live_sums();
        let happened = broker.sum_of_vhosts(Default::default()).happened;
        return Ok((happened, sums.connections, sums.channels));
    }
    let vhosts = call.visible_vhosts()?;
    let of_vhosts = vhosts.iter().map(|vhost| broker.vhost_counters(vhost).happened);
    let happened = of_vhosts.fold(ChannelCounters::default(), |sum, happened| sum.plus(&happened));
    let mut own = broker.live_connections();
    own.retain(|connection| call.identity.is_user(connection.user()));
    let channels: usize = own.iter().map(LiveConnection::channel_count).sum();
    Ok((happened, own.len() as u64, channels as u64))
}

fn measured(call: &Call) -> Result<Value, ApiError> {
    let sums = sums(call)?;
    let (happened, connections, channels) = happened(call)?;
    let mut totals = Map::new();
    if sums.queues > 0 {
        for (name, count) in [
            ("messages", sums.messages_ready + sums.messages_unacknowledged),
            ("messages_ready", sums.messages_ready),
            ("messages_unacknowledged", sums.messages_unacknowledged),
        ] {
            crate::stats::counter(&mut totals, name, count);
        }
    }
    let mut stats = Happened::at_rest(&happened);
    let traffic = call.broker()?.traffic();
    // Of the node, so for those who may look at nodes.
    if call.identity.is_monitoring() && (traffic.disk_reads > 0 || traffic.disk_writes > 0) {
        crate::stats::counter(&mut stats, "disk_reads", traffic.disk_reads);
        crate::stats::counter(&mut stats, "disk_writes", traffic.disk_writes);
    }
    Ok(json!({
        "message_stats": stats,
        "churn_rates": crate::stats::churn(&call.broker()?.churn()),
        "queue_totals": totals,
        "object_totals": {
            "channels": channels,
            "consumers": sums.consumers,
            "exchanges": sums.exchanges,
            "queues": sums.queues,
            "connections": connections,
        },
        "statistics_db_event_queue": 0,
        "node": call.node().settings().node_name,
    }))
}
