//! The objects that stand in a definitions document, as they are exported and as an import reads them.
//!
//! What is optional here may be left out on import. An import reads each field by itself, and more leniently.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::arguments::{BindingArguments, DestinationType, ExchangeArguments, QueueArguments, QueueType};
use crate::limits::Limits;
use crate::policies::PolicySettings;
use crate::policy_settings::ApplyTo;
use crate::users::{HashingAlgorithm, Tags};
use crate::vhosts::VhostMetadata;

/// An object that names its virtual host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InVhost<T> {
    /// The object.
    #[serde(flatten)]
    pub entry: T,
    /// Its virtual host.
    pub vhost: String,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserEntry {
    /// Its name.
    pub name: String,
    /// Its password in the clear; never exported, and not beside a hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Salted hash of the password; empty when there is none.
    #[serde(default)]
    #[schema(required = false)]
    pub password_hash: String,
    /// How the hash was made; SHA-256 when left out.
    #[serde(default)]
    #[schema(value_type = HashingAlgorithm, required = false)]
    pub hashing_algorithm: String,
    /// Its tags.
    #[schema(value_type = Tags)]
    pub tags: Vec<String>,
    /// Its limits by name: `max-connections`, `max-channels`.
    #[serde(default)]
    #[schema(value_type = Limits, required = false)]
    pub limits: BTreeMap<String, i64>,
}

/// A virtual host. What stands in `metadata` counts before what stands beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VhostEntry {
    /// Its name.
    pub name: String,
    /// What was set on it.
    #[schema(required = false)]
    pub metadata: VhostMetadata,
    /// Its limits by name; for readers only, they are imported as a parameter.
    #[serde(default)]
    #[schema(value_type = Limits, required = false)]
    pub limits: BTreeMap<String, i64>,
    /// What it is for.
    #[serde(default)]
    #[schema(required = false)]
    pub description: String,
    /// Its tags.
    #[serde(default)]
    #[schema(value_type = Tags, required = false)]
    pub tags: Vec<String>,
    /// Type of queues declared without one.
    #[schema(value_type = QueueType, required = false)]
    pub default_queue_type: String,
}

/// A runtime parameter. Operator policies (`operator_policy`) and limits of virtual hosts (`vhost-limits`) are among them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ParameterEntry {
    /// Whose.
    #[schema(example = "operator_policy")]
    pub component: String,
    /// Its name.
    pub name: String,
    /// Its value: of an operator policy what a policy has but for its name, of limits the limits by name.
    #[schema(value_type = Object)]
    pub value: Value,
}

/// A policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PolicyEntry {
    /// Its name.
    pub name: String,
    /// Regular expression on names.
    pub pattern: String,
    /// What it applies to; `all` when left out.
    #[serde(rename = "apply-to")]
    #[schema(value_type = ApplyTo, required = false)]
    pub apply_to: String,
    /// Settings by key, at least one.
    #[schema(value_type = PolicySettings)]
    pub definition: Map<String, Value>,
    /// The highest of those that match applies; 0 when left out.
    #[serde(default)]
    #[schema(required = false)]
    pub priority: i64,
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueueEntry {
    /// Its name.
    #[schema(max_length = 255)]
    pub name: String,
    /// Survives a restart; true when left out.
    #[schema(required = false)]
    pub durable: bool,
    /// Goes with its last consumer.
    #[serde(default)]
    #[schema(required = false)]
    pub auto_delete: bool,
    /// Its type; for readers only, the argument `x-queue-type` counts.
    #[serde(rename = "type", default)]
    #[schema(value_type = QueueType, required = false)]
    pub kind: String,
    /// Arguments.
    #[serde(default)]
    #[schema(value_type = QueueArguments, required = false)]
    pub arguments: Map<String, Value>,
}

/// An exchange.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExchangeEntry {
    /// Its name.
    #[schema(max_length = 255)]
    pub name: String,
    /// `direct`, `fanout`, `topic`, `headers`, …
    #[serde(rename = "type")]
    #[schema(example = "topic")]
    pub kind: String,
    /// Survives a restart; true when left out.
    #[schema(required = false)]
    pub durable: bool,
    /// Goes with its last binding as source.
    #[serde(default)]
    #[schema(required = false)]
    pub auto_delete: bool,
    /// Arguments.
    #[serde(default)]
    #[schema(value_type = ExchangeArguments, required = false)]
    pub arguments: Map<String, Value>,
    /// Clients may not publish to it. Left out unless true, so that older brokers read the document.
    #[serde(default, skip_serializing_if = "is_false")]
    #[schema(required = false)]
    pub internal: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it that way")]
fn is_false(value: &bool) -> bool {
    !value
}

/// A binding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BindingEntry {
    /// The exchange messages come from.
    #[schema(max_length = 255)]
    pub source: String,
    /// Where they go.
    #[schema(max_length = 255)]
    pub destination: String,
    /// What leads there; `queue` when left out.
    #[schema(value_type = DestinationType, required = false)]
    pub destination_type: String,
    /// The binding key.
    #[serde(default)]
    #[schema(max_length = 255, required = false)]
    pub routing_key: String,
    /// Arguments.
    #[serde(default)]
    #[schema(value_type = BindingArguments, required = false)]
    pub arguments: Map<String, Value>,
}
