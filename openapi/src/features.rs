//! Feature flags and deprecated features.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::endpoint::{Access, CHANGED, Endpoint, LISTING, Operation, wire_list};

/// A feature flag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FeatureFlag {
    /// Its name.
    pub name: String,
    /// What it stands for.
    pub desc: String,
    /// Where to read more.
    pub doc_url: String,
    /// `enabled` or `disabled`.
    pub state: String,
    /// `required`, `stable` or `experimental`.
    pub stability: String,
    /// `hard` or `soft`; `none` when it is not required.
    pub require_level: String,
    /// `supported` or `unsupported`.
    pub experiment_level: String,
    /// Callbacks it defines.
    pub callbacks: Vec<String>,
    /// Which part of the broker brings it.
    pub provided_by: String,
}

/// A deprecated feature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeprecatedFeature {
    /// Its name.
    pub name: String,
    /// `permitted` or `denied`.
    pub state: String,
    /// What it is.
    pub desc: String,
    /// How far its removal has come.
    pub deprecation_phase: String,
    /// Where to read more.
    pub doc_url: String,
    /// Which part of the broker brings it.
    pub provided_by: String,
}

/// All feature flags.
pub const FEATURE_FLAGS: Endpoint = Endpoint::new(
    "/feature-flags",
    &[Operation::get(Access::Any, "All feature flags").query(LISTING).gives(wire_list::<FeatureFlag>())],
);

/// Enabling one.
pub const ENABLE: Endpoint = Endpoint::new(
    "/feature-flags/{flag}/enable",
    &[Operation::put(Access::Administrator, "Enables a feature flag").status(CHANGED)],
);

/// All deprecated features.
pub const DEPRECATED: Endpoint = Endpoint::new(
    "/deprecated-features",
    &[Operation::get(Access::Any, "All deprecated features").query(LISTING).gives(wire_list::<DeprecatedFeature>())],
);

/// Those in use.
pub const DEPRECATED_USED: Endpoint = Endpoint::new(
    "/deprecated-features/used",
    &[Operation::get(Access::Any, "Deprecated features in use").query(LISTING).gives(wire_list::<DeprecatedFeature>())],
);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[FEATURE_FLAGS, ENABLE, DEPRECATED, DEPRECATED_USED];
