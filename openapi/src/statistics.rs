//! How counters run: what stands beside each of them as `…_details`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a counter runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Details {
    /// Its change per second, between the last two samples.
    pub rate: f64,
    /// Its samples, newest first; when a range was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<Vec<Sample>>,
    /// Its change per second, between the oldest and the newest of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avg_rate: Option<f64>,
    /// Their mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avg: Option<f64>,
}

/// What a counter was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sample {
    /// Its value.
    pub sample: u64,
    /// When, in milliseconds since the epoch.
    pub timestamp: u64,
}
