//! Memory of the node by what it is for: the categories of the reference, as far as they are
//! told apart here.
//!
//! Owns which category has a counterpart and how its bytes are found; both the API and the
//! metrics show this one table.

use broker::domain::queue::QueueKind;
use broker::{Broker, Node, NodeStatus};
use serde_json::{Map, Value, json};

use crate::queues::memory as queue_memory;
use crate::statistics::Statistics;

/// Bytes by what they are for. What is not told apart is in `other`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Breakdown {
    /// Answers and deliveries that wait to be written to sockets.
    unwritten: u64,
    /// Bodies of messages that queues hold in memory.
    bodies: u64,
    /// What queues know of these messages, by kind.
    classic: u64,
    quorum: u64,
    stream: u64,
    /// Pages of the program.
    code: u64,
    /// Samples of counters; 0 where they are not asked for.
    statistics: u64,
    /// Resident memory.
    resident: u64,
}

impl Breakdown {
    /// Adds up what everything holds.
    pub(crate) fn of(node: &Node, broker: Option<&Broker>) -> Self {
        let status = node.status();
        let mut sum = Self::process(&status);
        if let Some(broker) = broker {
            sum.unwritten = broker.live_sums().send_pend;
            broker.each_queue_totals(|kind, totals, _| {
                let bodies = totals.bytes_in_memory();
                sum.bodies += bodies;
                let known = queue_memory(&totals).saturating_sub(bodies);
                match kind {
                    QueueKind::Classic => sum.classic += known,
                    QueueKind::Quorum => sum.quorum += known,
                    QueueKind::Stream => sum.stream += known,
                }
            });
        }
        sum
    }

    /// With what samples of counters take, told apart.
    pub(crate) fn with(self, statistics: &Statistics) -> Self {
        Self { statistics: statistics.size().1 as u64, ..self }
    }

    fn process(status: &NodeStatus) -> Self {
        Self { code: status.memory_file_backed, resident: status.memory_used, ..Self::default() }
    }

    /// What is told apart, so that all categories add up to the resident memory.
    fn told_apart(&self) -> u64 {
        self.unwritten + self.bodies + self.classic + self.quorum + self.stream + self.code + self.statistics
    }

    fn other(&self) -> u64 {
        self.resident.saturating_sub(self.told_apart())
    }

    /// Allocated by the process.
    fn allocated(&self) -> u64 {
        self.resident.saturating_sub(self.code)
    }

    /// As the API answers: bytes by category.
    pub(crate) fn in_bytes(&self) -> Map<String, Value> {
        let mut sections: Map<_, _> =
            CATEGORIES.iter().map(|category| (category.name.to_owned(), category.bytes_of(self).into())).collect();
        sections.insert("strategy".to_owned(), "rss".into());
        let total = json!({"erlang": self.allocated(), "rss": self.resident, "allocated": self.allocated()});
        sections.insert("total".to_owned(), total);
        sections
    }

    /// As the API answers: whole percent of the resident memory by category; what is there at
    /// all has one.
    pub(crate) fn in_percent(&self) -> Map<String, Value> {
        let mut sections: Map<_, _> = CATEGORIES
            .iter()
            .map(|category| (category.name.to_owned(), percent(category.bytes_of(self), self.resident).into()))
            .collect();
        sections.insert("total".to_owned(), 100.into());
        sections
    }

    /// Message bodies by who refers to them.
    pub(crate) fn binaries(&self) -> Map<String, Value> {
        BINARIES.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.map_or(0, |bytes| bytes(self)).into())).collect()
    }
}

fn percent(part: u64, total: u64) -> u64 {
    match ((part as f64 / total.max(1) as f64) * 100.0).round() as u64 {
        0 if part > 0 => 1,
        share => share,
    }
}

/// How the bytes of a category are found.
type Bytes = fn(&Breakdown) -> u64;

/// A category of the reference.
pub(crate) struct Category {
    /// Its name in the API.
    pub(crate) name: &'static str,
    /// Its name among the metrics, without prefix.
    pub(crate) metric: &'static str,
    /// What it is here.
    pub(crate) help: &'static str,
    /// `None`: not told apart, or of an Erlang runtime.
    bytes: Option<Bytes>,
}

impl Category {
    pub(crate) fn bytes_of(&self, breakdown: &Breakdown) -> u64 {
        self.bytes.map_or(0, |bytes| bytes(breakdown))
    }
}

const fn told(name: &'static str, metric: &'static str, help: &'static str, bytes: fn(&Breakdown) -> u64) -> Category {
    Category { name, metric, help, bytes: Some(bytes) }
}

const fn none(name: &'static str, metric: &'static str, help: &'static str) -> Category {
    Category { name, metric, help, bytes: None }
}

/// All categories, in the reference's order.
pub(crate) const CATEGORIES: &[Category] = &[
    none("connection_readers", "memory_client_connection_reader_bytes", "Reading from clients: part of other_system"),
    told("connection_writers", "memory_client_connection_writer_bytes", "What waits to be written to clients", |sum| {
        sum.unwritten
    }),
    none("connection_channels", "memory_client_connection_channel_bytes", "Channels: part of other_system"),
    none("connection_other", "memory_client_connection_other_bytes", "Other parts of connections: in other_system"),
    told(
        "quorum_queue_procs",
        "memory_quorum_queue_erlang_process_bytes",
        "What quorum queues know of messages in memory, without bodies",
        |sum| sum.quorum,
    ),
    none("quorum_queue_dlx_procs", "memory_quorum_queue_dlx_erlang_process_bytes", "Dead letters: in other_system"),
    told(
        "stream_queue_procs",
        "memory_stream_erlang_process_bytes",
        "What streams know of messages in memory, without bodies",
        |sum| sum.stream,
    ),
    none(
        "stream_queue_replica_reader_procs",
        "memory_stream_replica_reader_erlang_process_bytes",
        "Replicas of streams: none here",
    ),
    none(
        "stream_queue_coordinator_procs",
        "memory_stream_coordinator_erlang_process_bytes",
        "Coordination of streams: none here",
    ),
    told(
        "queue_procs",
        "memory_classic_queue_erlang_process_bytes",
        "What classic queues know of messages in memory, without bodies",
        |sum| sum.classic,
    ),
    none("plugins", "memory_plugin_bytes", "Plugins: part of the program"),
    none("metadata_store", "memory_modern_metadata_store_bytes", "Metadata: part of other_system"),
    none("other_proc", "memory_other_erlang_process_bytes", "Other Erlang processes: none here"),
    none("metrics", "memory_metrics_bytes", "Counters: part of other_system"),
    told(
        "mgmt_db",
        "memory_management_stats_db_bytes",
        "Samples of counters; among the metrics part of other_system",
        |sum| sum.statistics,
    ),
    none("quorum_ets", "memory_quorum_queue_ets_table_bytes", "ETS tables of quorum queues: none here"),
    none("mnesia", "memory_classic_metadata_store_bytes", "The older metadata store: none here"),
    none("metadata_store_ets", "memory_modern_metadata_store_ets_table_bytes", "ETS tables of metadata: none here"),
    none("other_ets", "memory_other_ets_table_bytes", "Other ETS tables: none here"),
    told("binary", "memory_binary_heap_bytes", "Bodies of messages that queues hold in memory", |sum| sum.bodies),
    none("msg_index", "memory_message_index_bytes", "Index of the journal: part of other_system"),
    told("code", "memory_code_module_bytes", "Pages of the program", |sum| sum.code),
    none("atom", "memory_atom_table_bytes", "Atoms of an Erlang runtime: none here"),
    told("other_system", "memory_other_system_bytes", "What is not told apart", Breakdown::other),
    none("allocated_unused", "memory_runtime_allocated_unused_bytes", "Allocated and not used: not told apart"),
    none(
        "reserved_unallocated",
        "memory_runtime_reserved_unallocated_bytes",
        "Reserved, not allocated: not told apart",
    ),
];

/// Who refers to message bodies, as `binary=true` lists it. Here it is queues.
const BINARIES: &[(&str, Option<Bytes>)] = &[
    ("connection_readers", None),
    ("connection_writers", Some(|sum| sum.unwritten)),
    ("connection_channels", None),
    ("connection_other", None),
    ("quorum_queue_procs", None),
    ("quorum_queue_dlx_procs", None),
    ("stream_queue_procs", None),
    ("stream_queue_replica_reader_procs", None),
    ("stream_queue_coordinator_procs", None),
    ("queue_procs", Some(|sum| sum.bodies)),
    ("metadata_store", None),
    ("plugins", None),
    ("mgmt_db", None),
    ("msg_index", None),
    ("other", None),
];

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: Breakdown = Breakdown {
        unwritten: 1,
        bodies: 100,
        classic: 20,
        quorum: 30,
        stream: 40,
        code: 300,
        statistics: 9,
        resident: 1000,
    };

    #[test]
    fn categories_add_up_to_the_resident_memory() {
        let sum: u64 = CATEGORIES.iter().map(|category| category.bytes_of(&SUM)).sum();
        assert_eq!(sum, 1000);
        let sections = SUM.in_bytes();
        assert_eq!((&sections["other_system"], &sections["mgmt_db"]), (&500.into(), &9.into()));
        assert_eq!(sections["total"], json!({"erlang": 700, "rss": 1000, "allocated": 700}));
        assert_eq!(sections.len(), CATEGORIES.len() + 2);
        assert_eq!(SUM.binaries()["queue_procs"], 100);
    }

    #[test]
    fn shares_are_whole_percent_and_never_hide_what_is_there() {
        let shares = SUM.in_percent();
        assert_eq!(
            (&shares["connection_writers"], &shares["code"], &shares["other_system"]),
            (&1.into(), &30.into(), &50.into())
        );
        assert_eq!((&shares["total"], &shares["plugins"]), (&100.into(), &0.into()));
        assert_eq!(Breakdown::default().in_percent()["code"], 0);
    }

    #[test]
    fn more_told_apart_than_resident_leaves_nothing_else() {
        assert_eq!(Breakdown { bodies: 2000, ..SUM }.in_bytes()["other_system"], 0);
    }
}
