//! Memory by what it is for, as far as that is told apart.

use broker::NodeStatus;

use super::text::{Metric, Number, gauge};

/// What only an Erlang runtime tells apart.
const NONE: Number = Number::Whole(0);

/// Everything the process holds is `other_system`; the rest belongs to an Erlang runtime.
pub(super) const BREAKDOWN: &[Metric<NodeStatus>] = &[
    gauge("memory_code_module_bytes", "Code of an Erlang runtime: none here", |_| NONE),
    gauge("memory_client_connection_reader_bytes", "Reading from clients: not told apart", |_| NONE),
    gauge("memory_client_connection_writer_bytes", "Writing to clients: not told apart", |_| NONE),
    gauge("memory_client_connection_channel_bytes", "Channels: not told apart", |_| NONE),
    gauge("memory_client_connection_other_bytes", "Other parts of connections: not told apart", |_| NONE),
    gauge("memory_classic_queue_erlang_process_bytes", "Classic queues: not told apart", |_| NONE),
    gauge("memory_quorum_queue_erlang_process_bytes", "Quorum queues: not told apart", |_| NONE),
    gauge("memory_quorum_queue_dlx_erlang_process_bytes", "Dead letters of quorum queues: not told apart", |_| NONE),
    gauge("memory_stream_erlang_process_bytes", "Streams: not told apart", |_| NONE),
    gauge("memory_stream_replica_reader_erlang_process_bytes", "Replicas of streams: none here", |_| NONE),
    gauge("memory_stream_coordinator_erlang_process_bytes", "Coordination of streams: none here", |_| NONE),
    gauge("memory_plugin_bytes", "Plugins: none here", |_| NONE),
    gauge("memory_modern_metadata_store_bytes", "Metadata: not told apart", |_| NONE),
    gauge("memory_other_erlang_process_bytes", "Other Erlang processes: none here", |_| NONE),
    gauge("memory_metrics_bytes", "Counters: not told apart", |_| NONE),
    gauge("memory_management_stats_db_bytes", "Statistics: not told apart", |_| NONE),
    gauge("memory_classic_metadata_store_bytes", "The older metadata store: none here", |_| NONE),
    gauge("memory_quorum_queue_ets_table_bytes", "ETS tables of quorum queues: none here", |_| NONE),
    gauge("memory_modern_metadata_store_ets_table_bytes", "ETS tables of metadata: none here", |_| NONE),
    gauge("memory_other_ets_table_bytes", "Other ETS tables: none here", |_| NONE),
    gauge("memory_binary_heap_bytes", "Message bodies: not told apart", |_| NONE),
    gauge("memory_message_index_bytes", "Index of the message store: not told apart", |_| NONE),
    gauge("memory_atom_table_bytes", "Atoms of an Erlang runtime: none here", |_| NONE),
    gauge("memory_other_system_bytes", "Resident memory of the process", |node| node.memory_used.into()),
    gauge("memory_runtime_allocated_unused_bytes", "Allocated and not used: not told apart", |_| NONE),
    gauge("memory_runtime_reserved_unallocated_bytes", "Reserved and not allocated: not told apart", |_| NONE),
];
