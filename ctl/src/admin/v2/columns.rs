//! The columns of lists: a title, and where in an object the value is.
//!
//! Titles are those scripts of the second syntax name with `--columns`.

use crate::admin::v2::operations::Columns;

/// Of queues and streams.
pub const QUEUES: Columns = &[
    ("name", "name"),
    ("vhost", "vhost"),
    ("queue_type", "type"),
    ("durable", "durable"),
    ("auto_delete", "auto_delete"),
    ("exclusive", "exclusive"),
    ("arguments", "arguments"),
    ("node", "node"),
    ("state", "state"),
    ("leader", "leader"),
    ("members", "members"),
    ("online", "online"),
    ("memory", "memory#0"),
    ("consumer_count", "consumers#0"),
    ("consumer_utilisation", "consumer_utilisation#0"),
    ("policy", "policy"),
    ("operator_policy", "operator_policy"),
    ("message_bytes", "message_bytes#0"),
    ("message_count", "messages#0"),
    ("unacknowledged_message_count", "messages_unacknowledged#0"),
];
/// Of exchanges.
pub const EXCHANGES: Columns = &[
    ("name", "name"),
    ("vhost", "vhost"),
    ("exchange_type", "type"),
    ("durable", "durable"),
    ("auto_delete", "auto_delete"),
    ("arguments", "arguments"),
];
/// Of bindings.
pub const BINDINGS: Columns = &[
    ("vhost", "vhost"),
    ("source", "source"),
    ("destination", "destination"),
    ("destination_type", "destination_type"),
    ("routing_key", "routing_key"),
    ("arguments", "arguments"),
    ("properties_key", "properties_key"),
];
/// Of virtual hosts.
pub const VHOSTS: Columns =
    &[("name", "name"), ("tags", "tags"), ("description", "description"), ("default_queue_type", "default_queue_type")];
/// Of users.
pub const USERS: Columns = &[("name", "name"), ("tags", "tags"), ("password_hash", "password_hash")];
/// Of permissions.
pub const PERMISSIONS: Columns =
    &[("user", "user"), ("vhost", "vhost"), ("configure", "configure"), ("read", "read"), ("write", "write")];
/// Of policies.
pub const POLICIES: Columns = &[
    ("name", "name"),
    ("vhost", "vhost"),
    ("pattern", "pattern"),
    ("apply_to", "apply-to"),
    ("priority", "priority"),
    ("definition", "definition"),
];
/// Of runtime parameters.
pub const PARAMETERS: Columns = &[("name", "name"), ("vhost", "vhost"), ("component", "component"), ("value", "value")];
/// Of connections.
pub const CONNECTIONS: Columns = &[
    ("name", "name"),
    ("node", "node"),
    ("state", "state"),
    ("protocol", "protocol"),
    ("username", "user"),
    ("connected_at", "connected_at"),
    ("server_hostname", "host"),
    ("server_port", "port"),
    ("client_hostname", "peer_host"),
    ("client_port", "peer_port"),
    ("channel_max", "channel_max"),
    ("channel_count", "channels"),
];
/// Of channels.
pub const CHANNELS: Columns = &[
    ("id", "number"),
    ("name", "name"),
    ("vhost", "vhost"),
    ("state", "state"),
    ("consumer_count", "consumer_count"),
    ("has_publisher_confirms_enabled", "confirm"),
    ("prefetch_count", "prefetch_count"),
    ("messages_unacknowledged", "messages_unacknowledged"),
    ("messages_unconfirmed", "messages_unconfirmed"),
];
/// Of nodes.
pub const NODES: Columns = &[
    ("name", "name"),
    ("uptime", "uptime"),
    ("run_queue", "run_queue"),
    ("processors", "processors"),
    ("os_pid", "os_pid"),
    ("fd_total", "fd_total"),
    ("total_erlang_processes", "proc_total"),
    ("memory_high_watermark", "mem_limit"),
    ("has_memory_alarm_in_effect", "mem_alarm"),
    ("free_disk_space_low_watermark", "disk_free_limit"),
    ("has_free_disk_space_alarm_in_effect", "disk_free_alarm"),
    ("rates_mode", "rates_mode"),
];
/// Of feature flags.
pub const FEATURE_FLAGS: Columns = &[
    ("name", "name"),
    ("state", "state"),
    ("description", "desc"),
    ("doc_url", "doc_url"),
    ("stability", "stability"),
    ("provided_by", "provided_by"),
];
/// Of deprecated features.
pub const DEPRECATED: Columns = &[
    ("name", "name"),
    ("description", "desc"),
    ("deprecation_phase", "deprecation_phase"),
    ("doc_url", "doc_url"),
    ("provided_by", "provided_by"),
    ("state", "state"),
];
/// Of consumers.
pub const CONSUMERS: Columns = &[
    ("consumer_tag", "consumer_tag"),
    ("active", "active"),
    ("manual_ack", "ack_required"),
    ("prefetch_count", "prefetch_count"),
    ("exclusive", "exclusive"),
    ("arguments", "arguments"),
    ("vhost", "queue.vhost"),
    ("queue", "queue.name"),
];
/// Of messages.
pub const MESSAGES: Columns = &[
    ("payload_bytes", "payload_bytes"),
    ("redelivered", "redelivered"),
    ("exchange", "exchange"),
    ("routing_key", "routing_key"),
    ("message_count", "message_count"),
    ("properties", "properties"),
    ("payload", "payload"),
    ("payload_encoding", "payload_encoding"),
];
/// Of the overview.
pub const OVERVIEW: Columns = &[
    ("Product name", "product_name"),
    ("Product version", "product_version"),
    ("RabbitMQ version", "rabbitmq_version"),
    ("Erlang version", "erlang_version"),
    ("Erlang details", "erlang_full_version"),
    ("Connections (total)", "object_totals.connections"),
    ("AMQP 0-9-1 channels (total)", "object_totals.channels"),
    ("Queues and streams (total)", "object_totals.queues"),
    ("Consumers (total)", "object_totals.consumers"),
    ("Messages (total)", "queue_totals.messages"),
    ("Messages ready for delivery (total)", "queue_totals.messages_ready"),
    ("Messages delivered but unacknowledged by consumers (total)", "queue_totals.messages_unacknowledged"),
    ("Cluster tags", "cluster_tags"),
    ("Node tags", "node_tags"),
];
