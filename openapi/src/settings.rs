//! What an operator changes on a running node: resource limits, log level, listeners,
//! maintenance. Changes last until the application stops. These endpoints are Warren's own.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::endpoint::{Access, CHANGED, Endpoint, Operation, wire};

/// Bytes: a number, or text with a unit such as `1GB` or `512MiB`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Amount {
    /// A number of bytes.
    Bytes(u64),
    /// A number with a unit.
    Text(String),
}

/// Where a resource alarm starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResourceLimit {
    /// At an amount.
    Absolute(Amount),
    /// At this many times the memory there is.
    Relative(f64),
}

/// Settings of a running node. A field that is absent is left as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeSettings {
    /// Where the memory alarm starts; relative from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_high_watermark: Option<ResourceLimit>,
    /// Where the disk alarm starts. Not taken while free disk space is not monitored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_free_limit: Option<ResourceLimit>,
    /// Whether free disk space is monitored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_monitoring: Option<bool>,
    /// `debug`, `info`, `warning`, `error`, `critical` or `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_level: Option<String>,
    /// Whether AMQP listeners are closed to new connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listeners_suspended: Option<bool>,
    /// Whether the node is in maintenance: listeners suspended, connections closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<bool>,
    /// Whether logins are also counted by address and user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_attempt_source_tracking: Option<bool>,
}

/// Settings of the running node.
pub const SETTINGS: Endpoint = Endpoint::new(
    "/warren/node/settings",
    &[
        Operation::get(Access::Administrator, "Settings that can be changed while the node runs")
            .gives(wire::<NodeSettings>()),
        Operation::put(Access::Administrator, "Changes settings of the running node; absent ones stay")
            .takes(wire::<NodeSettings>())
            .status(CHANGED),
    ],
);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[SETTINGS];
