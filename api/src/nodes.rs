//! Nodes.

use broker::domain::alarm::Scarce;
use openapi::nodes as wire;
use serde_json::{Value, json};

use crate::call::Call;
use crate::error::ApiError;
use crate::overview::{ERLANG_VERSION, contexts, exchange_types};
use crate::page::Listing;
use crate::plugins;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};
use crate::statistics::Sampled;
use crate::stats;

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::NODES).get(list_nodes);
    on.at(&wire::NODE).get(get_node);
    on.at(&wire::MEMORY).get(get_memory);
    on.at(&wire::MEMORY_RELATIVE).get(get_memory_relative);
    on.at(&wire::MEMORY_TABLES).get(get_memory_tables);
    on.at(&wire::MEMORY_TABLES_FILTERED).get(get_memory_tables_filtered);
    on.at(&wire::MEMORY_TABLES_FILTERED_RELATIVE).get(get_memory_tables_filtered);
}

/// Most processes the reference's runtime would allow; tools divide by it.
const PROCESSES_MAX: u64 = 1_048_576;

fn describe(call: &Call) -> Result<Value, ApiError> {
    let node = call.node();
    let settings = node.settings();
    let status = node.status();
    let facts = &call.context.facts;
    let enabled = plugins::describe(&plugins::load(&settings.data_dir)?, &settings.version, true);
    let enabled: Vec<_> =
        enabled.plugins.into_iter().filter(|plugin| plugin.running).map(|plugin| plugin.name).collect();
    let mechanism = |name: &str, description: &str| json!({"name": name, "description": description, "enabled": true});
    let broker = call.broker()?;
    let mut item = json!({
        "partitions": [],
        "os_pid": status.os_pid.to_string(),
        "fd_total": status.fd_total,
        "sockets_total": 0,
        "mem_limit": status.memory_limit,
        "mem_alarm": status.alarms.is_scarce(Scarce::Memory),
        "disk_free_limit": status.disk_free_limit,
        "disk_free_alarm": status.alarms.is_scarce(Scarce::Disk),
        "proc_total": PROCESSES_MAX,
        "rates_mode": call.statistics().settings().rates_mode.as_str(),
        "uptime": status.uptime_ms,
        "run_queue": 0,
        "processors": status.processors,
        "exchange_types": exchange_types(),
        "auth_mechanisms": [
            mechanism("PLAIN", "SASL PLAIN authentication mechanism"),
            mechanism("AMQPLAIN", "QPid AMQPLAIN mechanism"),
        ],
        "applications": [
            {"name": "rabbit", "description": settings.product, "version": settings.version},
            {"name": "warren", "description": "Warren", "version": facts.warren_version},
        ],
        "contexts": contexts(node),
        "log_files": facts.log_files,
        "db_dir": settings.data_dir.display().to_string(),
        "config_files": facts.config_files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
        "net_ticktime": 60,
        "enabled_plugins": enabled,
        "mem_calculation_strategy": "rss",
        "ra_open_file_metrics": {"ra_log_wal": 0, "ra_log_segment_writer": 0},
        "name": settings.node_name,
        "type": "disc",
        "running": true,
        "being_drained": node.is_in_maintenance(),
        "erlang_version": ERLANG_VERSION,
        "erlang_full_version": settings.platform,
        "crypto_lib_version": "none",
        "cluster_links": [],
        "metrics_gc_queue_length": {
            "connection_closed": 0, "channel_closed": 0, "consumer_deleted": 0, "exchange_deleted": 0,
            "queue_deleted": 0, "vhost_deleted": 0, "node_node_deleted": 0, "channel_consumer_deleted": 0,
        },
    });
    if let Value::Object(item) = &mut item {
        item.insert("rabbitmq_version".to_owned(), settings.version.clone().into());
        let sockets = broker.connections().len();
        for (name, count) in [
            ("mem_used", status.memory_used),
            ("fd_used", status.fd_used),
            ("sockets_used", u64::try_from(sockets).unwrap_or(u64::MAX)),
            ("proc_used", u64::from(status.os_pid > 0)),
            ("disk_free", status.disk_free),
        ] {
            stats::counter(item, name, count);
        }
        if let Value::Object(churn) = stats::churn(&status.churn) {
            item.extend(churn);
        }
        // The reference has no such alarm, so it is only shown while it is in force.
        if let Some(cause) = status.alarms.causes.iter().find(|cause| cause.resource() == Scarce::Storage) {
            item.insert("storage_alarm".to_owned(), cause.to_string().into());
        }
        if call.query.is_true("memory") {
            item.insert("memory".to_owned(), memory(call));
        }
        if call.query.is_true("binary") {
            item.insert("binary".to_owned(), json!({"queue_procs": 0, "connection_readers": 0, "other": 0}));
        }
    }
    Ok(call.rated(Sampled::Node, &call.ranges()?, item))
}

/// Refuses a node that is not this one.
fn known(call: &Call) -> Result<(), ApiError> {
    if call.parameter("node") == call.node().settings().node_name { Ok(()) } else { Err(ApiError::no_object()) }
}

async fn list_nodes(call: Call) -> Answer {
    let item = describe(&call)?;
    call.list([item], Listing::Plain)
}

async fn get_node(call: Call) -> Answer {
    known(&call)?;
    let item = describe(&call)?;
    call.object(&item)
}

/// What the process holds. Warren does not tell categories apart.
fn memory(call: &Call) -> Value {
    let used = call.node().status().memory_used;
    json!({"other_system": used, "strategy": "rss", "total": {"erlang": used, "rss": used, "allocated": used}})
}

async fn get_memory(call: Call) -> Answer {
    known(&call)?;
    Reply::json(&json!({"memory": memory(&call)}))
}

async fn get_memory_relative(call: Call) -> Answer {
    known(&call)?;
    Reply::json(&json!({"memory": {"total": 100, "other_system": 100}}))
}

async fn get_memory_tables(call: Call) -> Answer {
    known(&call)?;
    Reply::json(&json!({"ets_tables_memory": {"total": 0}}))
}

async fn get_memory_tables_filtered(call: Call) -> Answer {
    known(&call)?;
    if call.parameter("filter") == "relative" {
        return Reply::json(&json!({"ets_tables_memory": {"total": 100}}));
    }
    Reply::json(&json!({"ets_tables_memory": "no_tables"}))
}
