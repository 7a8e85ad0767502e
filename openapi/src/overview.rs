//! The broker at a glance.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::endpoint::{Access, Endpoint, OBJECT, Operation, Query, wire};
use crate::parameter::{LENGTH_RANGE, MESSAGE_RANGE, VHOST_HEADER};
use crate::traffic::{Churn, MessageStats, QueueTotals};

/// The broker at a glance. Totals are of what the caller may see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Overview {
    /// The compatible version.
    pub management_version: String,
    /// How much is sampled: `basic`, `detailed` or `none`.
    pub rates_mode: String,
    /// How long samples are kept, in seconds.
    pub sample_retention_policies: SampleRetention,
    /// Types of exchanges.
    pub exchange_types: Vec<ExchangeType>,
    /// The compatible version.
    pub product_version: String,
    /// Product name told to clients.
    pub product_name: String,
    /// The compatible version.
    pub rabbitmq_version: String,
    /// The cluster's name.
    pub cluster_name: String,
    /// Tags of the cluster.
    pub cluster_tags: BTreeMap<String, Value>,
    /// Tags of the node.
    pub node_tags: BTreeMap<String, Value>,
    /// Version of the runtime that the compatible version ships with.
    pub erlang_version: String,
    /// What the broker runs on.
    pub erlang_full_version: String,
    /// `none`.
    pub crypto_lib_version: String,
    /// Whether the answer leaves out what is counted.
    pub disable_stats: bool,
    /// Whether it keeps message counts all the same.
    pub enable_queue_totals: bool,
    /// Type of queues declared without one.
    pub default_queue_type: String,
    /// Whether operator policies can be changed.
    pub is_op_policy_updating_enabled: bool,
    /// Whether files of definitions need the extension `.json`.
    pub require_definition_json_extension: bool,
    /// The node that answers.
    pub node: String,
    /// How many objects there are.
    pub object_totals: ObjectTotals,
    /// What happened to messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = MessageStats, required = false)]
    pub message_stats: Option<MessageStats>,
    /// What came and went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Churn, required = false)]
    pub churn_rates: Option<Churn>,
    /// Messages in queues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = QueueTotals, required = false)]
    pub queue_totals: Option<QueueTotals>,
    /// Samples that wait to be taken; always 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, required = false)]
    pub statistics_db_event_queue: Option<u64>,
    /// Open listeners; for monitoring users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<Listener>, required = false)]
    pub listeners: Option<Vec<Listener>>,
    /// Listeners for HTTP; for monitoring users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<HttpContext>, required = false)]
    pub contexts: Option<Vec<HttpContext>>,
}

/// How long samples are kept, in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SampleRetention {
    /// Of the broker as a whole.
    pub global: Vec<u64>,
    /// Of single objects.
    pub basic: Vec<u64>,
    /// Of pairs of objects.
    pub detailed: Vec<u64>,
}

/// A type of exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExchangeType {
    /// Its name.
    pub name: String,
    /// How it routes.
    pub description: String,
    /// Whether exchanges of it can be declared.
    pub enabled: bool,
}

/// How many objects there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ObjectTotals {
    /// Open connections.
    pub connections: u64,
    /// Exchanges.
    pub exchanges: u64,
    /// Queues.
    pub queues: u64,
    /// Open channels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, required = false)]
    pub channels: Option<u64>,
    /// Consumers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, required = false)]
    pub consumers: Option<u64>,
}

/// An open listener.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Listener {
    /// Its node.
    pub node: String,
    /// `amqp`, `http`, …
    pub protocol: String,
    /// Address it is bound to.
    pub ip_address: String,
    /// Port it is bound to.
    pub port: u16,
    /// Whether it is encrypted.
    pub tls: bool,
    /// Options of its sockets.
    pub socket_opts: BTreeMap<String, Value>,
}

/// A listener for HTTP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HttpContext {
    /// Its node.
    pub node: String,
    /// What is served there.
    pub description: String,
    /// Below which path.
    pub path: String,
    /// Address it is bound to.
    pub ip: String,
    /// Port it is bound to, as text.
    pub port: String,
    /// Always `[]`.
    pub cowboy_opts: String,
    /// Options of its encryption.
    pub ssl_opts: Value,
}

const STATISTICS: &[Query] = &[
    Query::flag("disable_stats", "`true` leaves out what is counted."),
    Query::flag("enable_queue_totals", "`true` says that message counts are wanted all the same."),
];

/// The broker at a glance.
pub const OVERVIEW: Endpoint = Endpoint::new(
    "/overview",
    &[Operation::get(Access::Any, "The broker at a glance: versions, totals, listeners")
        .header(VHOST_HEADER)
        .query(OBJECT)
        .query(STATISTICS)
        .query(MESSAGE_RANGE)
        .query(LENGTH_RANGE)
        .gives(wire::<Overview>())],
);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[OVERVIEW];
