//! Nodes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::endpoint::{Access, Endpoint, LISTING, OBJECT, Operation, wire, wire_list};

/// A node. Which field says what is in the table of ARCHITECTURE.md.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// `disc`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it runs.
    pub running: bool,
    /// Whether it is in maintenance.
    pub being_drained: bool,
    /// Nodes it cannot see.
    pub partitions: Vec<String>,
    /// Id of its process.
    pub os_pid: String,
    /// Most descriptors that may be open.
    pub fd_total: u64,
    /// Most connections that may be open; 0: as many as descriptors.
    pub sockets_total: u64,
    /// Memory in use from which publishers wait, in bytes.
    pub mem_limit: u64,
    /// Whether publishers wait for memory.
    pub mem_alarm: bool,
    /// Free disk space below which publishers wait, in bytes.
    pub disk_free_limit: u64,
    /// Whether publishers wait for disk space.
    pub disk_free_alarm: bool,
    /// Storage failed, and why; only while it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_alarm: Option<String>,
    /// Most processes the compatible version's runtime would have.
    pub proc_total: u64,
    /// How detailed statistics are.
    pub rates_mode: String,
    /// Since when it runs, in milliseconds.
    pub uptime: u64,
    /// Tasks that are ready to run and wait for a thread.
    pub run_queue: u64,
    /// Processors.
    pub processors: u64,
    /// Types of exchanges.
    pub exchange_types: Vec<Choice>,
    /// Ways to log in over AMQP.
    pub auth_mechanisms: Vec<Choice>,
    /// Programs the node is made of.
    pub applications: Vec<Application>,
    /// HTTP listeners.
    pub contexts: Vec<Map<String, Value>>,
    /// Where the log goes.
    pub log_files: Vec<String>,
    /// Data directory.
    pub db_dir: String,
    /// Files that were read.
    pub config_files: Vec<String>,
    /// Of the compatible version's cluster protocol, in seconds.
    pub net_ticktime: u64,
    /// Plugins that are enabled.
    pub enabled_plugins: Vec<String>,
    /// `rss`: memory is what the system counts.
    pub mem_calculation_strategy: String,
    /// Files open for replication.
    pub ra_open_file_metrics: RaftFiles,
    /// The compatible version.
    pub rabbitmq_version: String,
    /// The runtime the compatible version ships with.
    pub erlang_version: String,
    /// What runs here.
    pub erlang_full_version: String,
    /// Cryptographic library.
    pub crypto_lib_version: String,
    /// Memory in use, in bytes.
    pub mem_used: u64,
    /// Open descriptors.
    pub fd_used: u64,
    /// Open AMQP connections.
    pub sockets_used: u64,
    /// Tasks there are: one for each connection, queue, virtual host, …
    pub proc_used: u64,
    /// Free disk space, in bytes.
    pub disk_free: u64,
    /// Garbage collections.
    pub gc_num: u64,
    /// Bytes they freed.
    pub gc_bytes_reclaimed: u64,
    /// Context switches of the process.
    pub context_switches: u64,
    /// Reads of the journal.
    pub io_read_count: u64,
    /// Bytes read.
    pub io_read_bytes: u64,
    /// Average time of a read, in milliseconds.
    pub io_read_avg_time: f64,
    /// Writes to the journal.
    pub io_write_count: u64,
    /// Bytes written.
    pub io_write_bytes: u64,
    /// Average time of a write, in milliseconds.
    pub io_write_avg_time: f64,
    /// Syncs of the journal.
    pub io_sync_count: u64,
    /// Average time of a sync, in milliseconds.
    pub io_sync_avg_time: f64,
    /// Seeks.
    pub io_seek_count: u64,
    /// Average time of a seek, in milliseconds.
    pub io_seek_avg_time: f64,
    /// Files opened anew to keep within the limit.
    pub io_reopen_count: u64,
    /// Transactions of the older metadata store in memory.
    pub mnesia_ram_tx_count: u64,
    /// Its transactions on disk.
    pub mnesia_disk_tx_count: u64,
    /// Messages read from the older message store.
    pub msg_store_read_count: u64,
    /// Messages written to it.
    pub msg_store_write_count: u64,
    /// Writes of the older queue index.
    pub queue_index_write_count: u64,
    /// Reads of it.
    pub queue_index_read_count: u64,
    /// Connections opened.
    pub connection_created: u64,
    /// Connections closed.
    pub connection_closed: u64,
    /// Channels opened.
    pub channel_created: u64,
    /// Channels closed.
    pub channel_closed: u64,
    /// Declarations of queues.
    pub queue_declared: u64,
    /// Queues created.
    pub queue_created: u64,
    /// Queues deleted.
    pub queue_deleted: u64,
    /// Links to other nodes.
    pub cluster_links: Vec<Map<String, Value>>,
    /// Objects whose statistics wait to be dropped.
    pub metrics_gc_queue_length: GcQueues,
    /// Memory by category, with `memory=true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Map<String, Value>>,
    /// Message bodies by who refers to them, with `binary=true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary: Option<Map<String, Value>>,
    /// A rate beside each counter: `mem_used_details`, …
    #[serde(flatten)]
    pub rates: Map<String, Value>,
}

/// Something that may be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Choice {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Whether it can be used.
    pub enabled: bool,
}

/// A program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Application {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Its version.
    pub version: String,
}

/// Files that replication holds open. There is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RaftFiles {
    /// Of the log.
    pub ra_log_wal: u64,
    /// Of its segments.
    pub ra_log_segment_writer: u64,
}

/// How many objects that are gone still have statistics. An object takes its own with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GcQueues {
    /// Connections.
    pub connection_closed: u64,
    /// Channels.
    pub channel_closed: u64,
    /// Consumers.
    pub consumer_deleted: u64,
    /// Exchanges.
    pub exchange_deleted: u64,
    /// Queues.
    pub queue_deleted: u64,
    /// Virtual hosts.
    pub vhost_deleted: u64,
    /// Links between nodes.
    pub node_node_deleted: u64,
    /// Consumers of channels.
    pub channel_consumer_deleted: u64,
}

/// Memory of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodeMemory {
    /// Bytes, or percent, by category; and totals.
    pub memory: Map<String, Value>,
}

/// Memory of the tables of an Erlang runtime, which there is none of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TablesMemory {
    /// Bytes, or percent, by table; or `no_tables`.
    pub ets_tables_memory: Value,
}

/// All nodes.
pub const NODES: Endpoint =
    Endpoint::new("/nodes", &[Operation::get(Access::Monitor, "All nodes").query(LISTING).gives(wire_list::<Node>())]);

/// One node.
pub const NODE: Endpoint =
    Endpoint::new("/nodes/{node}", &[Operation::get(Access::Monitor, "One node").query(OBJECT).gives(wire::<Node>())]);

/// Memory of a node.
pub const MEMORY: Endpoint = Endpoint::new(
    "/nodes/{node}/memory",
    &[Operation::get(Access::Monitor, "Memory of a node, in bytes").gives(wire::<NodeMemory>())],
);

/// Memory of a node in shares.
pub const MEMORY_RELATIVE: Endpoint = Endpoint::new(
    "/nodes/{node}/memory/relative",
    &[Operation::get(Access::Monitor, "Memory of a node, in percent").gives(wire::<NodeMemory>())],
);

/// Memory of the runtime's tables, of which there are none here.
pub const MEMORY_TABLES: Endpoint = Endpoint::new(
    "/nodes/{node}/memory/ets",
    &[Operation::get(Access::Monitor, "Memory of runtime tables, in bytes").gives(wire::<TablesMemory>())],
);

/// The same in shares, or of the tables that match.
pub const MEMORY_TABLES_FILTERED: Endpoint = Endpoint::new(
    "/nodes/{node}/memory/ets/{filter}",
    &[Operation::get(Access::Monitor, "Memory of the runtime tables that match").gives(wire::<TablesMemory>())],
);

/// Both.
pub const MEMORY_TABLES_FILTERED_RELATIVE: Endpoint = Endpoint::new(
    "/nodes/{node}/memory/ets/{filter}/relative",
    &[Operation::get(Access::Monitor, "Memory of the runtime tables that match, in percent")
        .gives(wire::<TablesMemory>())],
);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] =
    &[NODES, NODE, MEMORY, MEMORY_RELATIVE, MEMORY_TABLES, MEMORY_TABLES_FILTERED, MEMORY_TABLES_FILTERED_RELATIVE];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use utoipa::PartialSchema;

    use super::*;

    /// Fields that the rows of the table under `heading` in ARCHITECTURE.md name.
    fn documented(heading: &str) -> BTreeSet<String> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../ARCHITECTURE.md");
        let text = std::fs::read_to_string(path).unwrap();
        let start = text.find(heading).unwrap_or_else(|| panic!("no table {heading}"));
        let rows = text[start..].lines().skip(2).take_while(|line| line.starts_with('|'));
        rows.flat_map(|row| {
            let cell = row.split('|').nth(1).unwrap_or_default();
            cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
    }

    #[test]
    fn the_table_of_fields_names_exactly_what_a_node_has() {
        let schema = serde_json::to_value(Node::schema()).unwrap();
        let parts = schema["allOf"].as_array().cloned().unwrap_or_else(|| vec![schema.clone()]);
        let fields: BTreeSet<_> = parts
            .iter()
            .filter_map(|part| part["properties"].as_object())
            .flat_map(|properties| properties.keys().cloned())
            .collect();
        assert!(fields.len() > 60, "{schema}");
        assert_eq!(documented("| Field of a node | Here |"), fields);
    }
}
