//! The node: what came and went, memory, disk, descriptors, logins, alarms.

use broker::domain::alarm::Scarce;
use broker::metrics::Churn;
use broker::{AuthAttempts, NodeStatus};

use super::text::{Metric, Number, Row, counter, gauge, labels, untyped};

/// Connections, channels and queues that came and went.
pub(super) const CHURN: &[Metric<Churn>] = &[
    counter("connections_opened_total", "Connections opened", |churn| churn.connection_created.into()),
    counter("connections_closed_total", "Connections closed or broken off", |churn| churn.connection_closed.into()),
    counter("channels_opened_total", "Channels opened", |churn| churn.channel_created.into()),
    counter("channels_closed_total", "Channels closed", |churn| churn.channel_closed.into()),
    counter("queues_declared_total", "Declarations of queues", |churn| churn.queue_declared.into()),
    counter("queues_created_total", "Queues created", |churn| churn.queue_created.into()),
    counter("queues_deleted_total", "Queues deleted", |churn| churn.queue_deleted.into()),
];

/// There is no Erlang here: what only its runtime has is zero.
const NONE: Number = Number::Whole(0);

/// Most processes the reference's runtime would allow; dashboards divide by it.
const PROCESSES_MAX: Number = Number::Whole(1_048_576);

/// Seconds between signs of life of cluster nodes, as the reference has them when nothing is set.
const NET_TICK_SECONDS: Number = Number::Whole(60);

/// What the node uses.
pub(super) const USED: &[Metric<NodeStatus>] = &[
    gauge("process_open_fds", "File descriptors that are open", |node| node.fd_used.into()),
    gauge("process_resident_memory_bytes", "Resident memory of the process", |node| node.memory_used.into()),
    gauge("disk_space_available_bytes", "Free bytes on the disk of the data", |node| node.disk_free.into()),
    gauge("erlang_processes_used", "Tasks: one for each connection, queue, virtual host, ...", |node| {
        node.tasks.into()
    }),
    counter("erlang_gc_runs_total", "Garbage collections of an Erlang runtime: none here", |_| NONE),
    counter("erlang_gc_reclaimed_bytes_total", "Bytes they gave back: none here", |_| NONE),
    counter("erlang_scheduler_context_switches_total", "Context switches of the process", |node| {
        node.context_switches.into()
    }),
];

/// What the node may use.
pub(super) const LIMITS: &[Metric<NodeStatus>] = &[
    gauge("process_max_fds", "File descriptors that may be open", |node| node.fd_total.into()),
    gauge("resident_memory_limit_bytes", "Memory at which publishers are blocked", |node| node.memory_limit.into()),
    gauge("disk_space_available_limit_bytes", "Free disk space below which publishers are blocked", |node| {
        node.disk_free_limit.into()
    }),
    gauge("erlang_processes_limit", "Processes there may be", |_| PROCESSES_MAX),
    gauge("erlang_scheduler_run_queue", "Tasks that are ready to run and wait for a thread", |node| {
        node.tasks_waiting.into()
    }),
    gauge("erlang_net_ticktime_seconds", "Time between signs of life of cluster nodes", |_| NET_TICK_SECONDS),
    gauge("erlang_uptime_seconds", "Time since the node started", |node| (node.uptime_ms as f64 / 1000.0).into()),
];

/// What messages cost the disk. The rest is of stores the reference no longer has either.
pub(super) const PERSISTER: &[Metric<NodeStatus>] = &[
    counter("io_read_ops_total", "Reads of the journal", |node| node.io.reads.count.into()),
    counter("io_read_bytes_total", "Bytes read from the journal", |node| node.io.reads.bytes.into()),
    counter("io_write_ops_total", "Writes to the journal", |node| node.io.writes.count.into()),
    counter("io_write_bytes_total", "Bytes written to the journal", |node| node.io.writes.bytes.into()),
    counter("io_sync_ops_total", "Syncs of the journal", |node| node.io.syncs.count.into()),
    counter("io_seek_ops_total", "Seeks: none, places are named", |_| NONE),
    counter("io_reopen_ops_total", "Files of the old file cache opened again: none", |_| NONE),
    counter("schema_db_ram_tx_total", "Transactions of the old schema database in memory: none", |_| NONE),
    counter("schema_db_disk_tx_total", "Transactions of the old schema database on disk: none", |_| NONE),
    counter("msg_store_read_total", "Reads of the old message store: none", |_| NONE),
    counter("msg_store_write_total", "Writes of the old message store: none", |_| NONE),
    counter("queue_index_read_ops_total", "Reads of the old queue index: none", |_| NONE),
    counter("queue_index_write_ops_total", "Writes of the old queue index: none", |_| NONE),
    counter("io_read_time_seconds_total", "Time of reads of the journal", |node| {
        node.io.reads.time.as_secs_f64().into()
    }),
    counter("io_write_time_seconds_total", "Time of writes to the journal", |node| {
        node.io.writes.time.as_secs_f64().into()
    }),
    counter("io_sync_time_seconds_total", "Time of syncs of the journal", |node| {
        node.io.syncs.time.as_secs_f64().into()
    }),
    counter("io_seek_time_seconds_total", "Time of seeks: none", |_| NONE),
];

/// Logins by protocol.
pub(super) const ATTEMPTS: &[Metric<AuthAttempts>] = &[
    counter("auth_attempts_total", "Logins tried", |row| row.attempts.into()),
    counter("auth_attempts_succeeded_total", "Logins that were let in", succeeded),
    counter("auth_attempts_failed_total", "Logins that were refused", |row| row.failed.into()),
];

/// Logins by source as well.
pub(super) const ATTEMPTS_BY_SOURCE: &[Metric<AuthAttempts>] = &[
    counter("auth_attempts_detailed_total", "Logins tried, by source", |row| row.attempts.into()),
    counter("auth_attempts_detailed_succeeded_total", "Logins that were let in, by source", succeeded),
    counter("auth_attempts_detailed_failed_total", "Logins that were refused, by source", |row| row.failed.into()),
];

fn succeeded(row: &AuthAttempts) -> Number {
    row.attempts.saturating_sub(row.failed).into()
}

/// Rows of logins; labels that say nothing are left out, as the reference does.
pub(super) fn attempts(all: Vec<AuthAttempts>) -> Vec<Row<AuthAttempts>> {
    let row = |attempts: AuthAttempts| {
        let pairs = [
            ("remote_address", attempts.remote_address.as_str()),
            ("username", attempts.username.as_str()),
            ("protocol", attempts.protocol.as_str()),
        ];
        let told: Vec<_> = pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        (labels(&told), attempts)
    };
    all.into_iter().map(row).collect()
}

/// Resource alarms.
pub(super) const ALARMS: &[Metric<NodeStatus>] = &[
    untyped("alarms_free_disk_space_watermark", "1 while too little disk space is free", |node| {
        node.alarms.is_scarce(Scarce::Disk).into()
    }),
    untyped("alarms_memory_used_watermark", "1 while too much memory is used", |node| {
        node.alarms.is_scarce(Scarce::Memory).into()
    }),
    gauge("unreachable_cluster_peers_count", "Nodes of the cluster that cannot be reached", |_| NONE),
];
