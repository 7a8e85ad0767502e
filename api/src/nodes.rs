//! Nodes.

use broker::Node;
use broker::domain::alarm::Scarce;
use broker::domain::exchange::ExchangeKind;
use broker::domain::mechanism::Mechanism;
use broker::storage::IoCalls;
use openapi::nodes as wire;
use serde_json::{Map, Value, json};

use crate::call::{Call, to_value};
use crate::error::ApiError;
use crate::memory::Breakdown;
use crate::overview::{self, ERLANG_VERSION};
use crate::page::Listing;
use crate::plugins;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};
use crate::statistics::Sampled;

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

/// Names of fields that have a rate beside them.
const RATED: &[&str] = &[
    "mem_used",
    "fd_used",
    "sockets_used",
    "proc_used",
    "disk_free",
    "gc_num",
    "gc_bytes_reclaimed",
    "context_switches",
    "io_read_count",
    "io_read_bytes",
    "io_read_avg_time",
    "io_write_count",
    "io_write_bytes",
    "io_write_avg_time",
    "io_sync_count",
    "io_sync_avg_time",
    "io_seek_count",
    "io_seek_avg_time",
    "io_reopen_count",
    "mnesia_ram_tx_count",
    "mnesia_disk_tx_count",
    "msg_store_read_count",
    "msg_store_write_count",
    "queue_index_write_count",
    "queue_index_read_count",
    "connection_created",
    "connection_closed",
    "channel_created",
    "channel_closed",
    "queue_declared",
    "queue_created",
    "queue_deleted",
];

fn describe(call: &Call) -> Result<Value, ApiError> {
    let node = call.node();
    let settings = node.settings();
    if call.without_stats() {
        let being_drained = node.is_in_maintenance();
        return Ok(
            json!({"name": settings.node_name, "type": "disc", "running": true, "being_drained": being_drained}),
        );
    }
    let status = node.status();
    let facts = &call.context.facts;
    // Those enabled by name; what these need is not told.
    let enabled_plugins = plugins::load(&settings.data_dir)?;
    let breakdown = || Breakdown::of(node, call.broker.as_ref()).with(call.statistics());
    // The reference has no such alarm, so it is only shown while it is in force.
    let storage = status.alarms.causes.iter().find(|cause| cause.resource() == Scarce::Storage);
    let churn = status.churn;
    let item = wire::Node {
        name: settings.node_name.clone(),
        kind: "disc".to_owned(),
        running: call.broker.is_some(),
        being_drained: node.is_in_maintenance(),
        partitions: Vec::new(),
        os_pid: status.os_pid.to_string(),
        fd_total: status.fd_total,
        sockets_total: 0,
        mem_limit: status.memory_limit,
        mem_alarm: status.alarms.is_scarce(Scarce::Memory),
        disk_free_limit: status.disk_free_limit,
        disk_free_alarm: status.alarms.is_scarce(Scarce::Disk),
        storage_alarm: storage.map(ToString::to_string),
        proc_total: PROCESSES_MAX,
        rates_mode: call.statistics().settings().rates_mode.as_str().to_owned(),
        uptime: status.uptime_ms,
        run_queue: status.tasks_waiting,
        processors: status.processors as u64,
        exchange_types: ExchangeKind::ALL.into_iter().map(exchange_type).collect(),
        auth_mechanisms: Mechanism::ALL
            .map(|mechanism| wire::Choice {
                enabled: settings.auth_mechanisms.contains(&mechanism),
                ..choice(mechanism.name(), description(mechanism))
            })
            .to_vec(),
        applications: vec![
            application("rabbit", &settings.product, &settings.version),
            application("warren", "Warren", &facts.warren_version),
        ],
        contexts: contexts(node),
        log_files: facts.log_files.clone(),
        db_dir: settings.data_dir.display().to_string(),
        config_files: facts.config_files.iter().map(|path| path.display().to_string()).collect(),
        net_ticktime: 60,
        enabled_plugins,
        mem_calculation_strategy: "rss".to_owned(),
        ra_open_file_metrics: wire::RaftFiles::default(),
        rabbitmq_version: settings.version.clone(),
        erlang_version: ERLANG_VERSION.to_owned(),
        erlang_full_version: settings.platform.clone(),
        crypto_lib_version: "none".to_owned(),
        mem_used: status.memory_used,
        fd_used: status.fd_used,
        sockets_used: status.connections,
        proc_used: status.tasks,
        disk_free: status.disk_free,
        gc_num: 0,
        gc_bytes_reclaimed: 0,
        context_switches: status.context_switches,
        io_read_count: status.io.reads.count,
        io_read_bytes: status.io.reads.bytes,
        io_read_avg_time: average_ms(&status.io.reads),
        io_write_count: status.io.writes.count,
        io_write_bytes: status.io.writes.bytes,
        io_write_avg_time: average_ms(&status.io.writes),
        io_sync_count: status.io.syncs.count,
        io_sync_avg_time: average_ms(&status.io.syncs),
        io_seek_count: 0,
        io_seek_avg_time: 0.0,
        io_reopen_count: 0,
        mnesia_ram_tx_count: 0,
        mnesia_disk_tx_count: 0,
        msg_store_read_count: 0,
        msg_store_write_count: 0,
        queue_index_write_count: 0,
        queue_index_read_count: 0,
        connection_created: churn.connection_created,
        connection_closed: churn.connection_closed,
        channel_created: churn.channel_created,
        channel_closed: churn.channel_closed,
        queue_declared: churn.queue_declared,
        queue_created: churn.queue_created,
        queue_deleted: churn.queue_deleted,
        cluster_links: Vec::new(),
        metrics_gc_queue_length: wire::GcQueues::default(),
        memory: call.query.is_true("memory").then(|| breakdown().in_bytes()),
        binary: call.query.is_true("binary").then(|| breakdown().binaries()),
        rates: RATED.iter().map(|name| (format!("{name}_details"), json!({"rate": 0.0}))).collect(),
    };
    Ok(call.rated(Sampled::Node, &call.ranges()?, to_value(&item)?))
}

fn average_ms(calls: &IoCalls) -> f64 {
    calls.average().as_secs_f64() * 1000.0
}

fn choice(name: &str, description: &str) -> wire::Choice {
    wire::Choice { name: name.to_owned(), description: description.to_owned(), enabled: true }
}

/// What a mechanism is, in one line.
fn description(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::Plain => "SASL PLAIN authentication mechanism",
        Mechanism::Amqplain => "QPid AMQPLAIN mechanism",
        Mechanism::External => "SASL EXTERNAL authentication mechanism: the name in the client's TLS certificate",
    }
}

fn exchange_type(kind: ExchangeKind) -> wire::Choice {
    choice(kind.as_str(), kind.description())
}

fn application(name: &str, description: &str, version: &str) -> wire::Application {
    wire::Application { name: name.to_owned(), description: description.to_owned(), version: version.to_owned() }
}

/// HTTP listeners.
fn contexts(node: &Node) -> Vec<Map<String, Value>> {
    let Value::Array(contexts) = overview::contexts(node) else { return Vec::new() };
    contexts
        .into_iter()
        .filter_map(|context| if let Value::Object(context) = context { Some(context) } else { None })
        .collect()
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

fn memory(call: &Call, sections: fn(&Breakdown) -> Map<String, Value>) -> Answer {
    known(call)?;
    Reply::json(&wire::NodeMemory {
        memory: sections(&Breakdown::of(call.node(), call.broker.as_ref()).with(call.statistics())),
    })
}

async fn get_memory(call: Call) -> Answer {
    memory(&call, Breakdown::in_bytes)
}

async fn get_memory_relative(call: Call) -> Answer {
    memory(&call, Breakdown::in_percent)
}

/// There are no tables, so nothing adds up to nothing.
async fn get_memory_tables(call: Call) -> Answer {
    known(&call)?;
    tables(json!({"total": 0}))
}

async fn get_memory_tables_filtered(call: Call) -> Answer {
    known(&call)?;
    if call.parameter("filter") == "relative" {
        return tables(json!({"total": 100}));
    }
    tables("no_tables".into())
}

fn tables(ets_tables_memory: Value) -> Answer {
    Reply::json(&wire::TablesMemory { ets_tables_memory })
}
