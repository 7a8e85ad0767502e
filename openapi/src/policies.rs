//! Policies and operator policies.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::endpoint::{Access, Endpoint, LISTING, OBJECT, Operation, wire, wire_list};
use crate::parameter::VHOST_HEADER;
use crate::policy_settings::{ApplyTo, OperatorPolicySettings};

pub use crate::policy_settings::PolicySettings;

/// A policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Policy {
    /// Where.
    pub vhost: String,
    /// Its name.
    pub name: String,
    /// Regular expression on names.
    pub pattern: String,
    /// `all`, `queues`, `classic_queues`, `quorum_queues`, `streams` or `exchanges`.
    #[serde(rename = "apply-to")]
    #[schema(value_type = ApplyTo)]
    pub apply_to: String,
    /// Settings by key.
    #[schema(value_type = PolicySettings)]
    pub definition: Map<String, Value>,
    /// The highest of those that match applies.
    pub priority: i64,
}

/// What a policy is to become.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PutPolicy {
    /// Regular expression on names.
    pub pattern: String,
    /// Settings by key, at least one.
    #[schema(value_type = PolicySettings)]
    pub definition: Map<String, Value>,
    /// 0 when left out.
    #[serde(default)]
    pub priority: i64,
    /// `all` when left out.
    #[serde(rename = "apply-to", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ApplyTo>)]
    pub apply_to: Option<String>,
}

/// What an operator policy is to become.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PutOperatorPolicy {
    /// Regular expression on names.
    pub pattern: String,
    /// Settings by key, at least one; fewer keys than other policies may hold.
    #[schema(value_type = OperatorPolicySettings)]
    pub definition: Map<String, Value>,
    /// 0 when left out.
    #[serde(default)]
    pub priority: i64,
    /// `all` when left out.
    #[serde(rename = "apply-to", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ApplyTo>)]
    pub apply_to: Option<String>,
}

const fn list(access: Access, summary: &'static str) -> Operation {
    Operation::get(access, summary).query(LISTING).gives(wire_list::<Policy>())
}

/// All policies.
pub const POLICIES: Endpoint =
    Endpoint::new("/policies", &[list(Access::Any, "Policies the caller may see").header(VHOST_HEADER)]);

/// Policies of a virtual host.
pub const OF_VHOST: Endpoint = Endpoint::new("/policies/{vhost}", &[list(Access::Vhost, "Policies of a virtual host")]);

/// One policy.
pub const POLICY: Endpoint = Endpoint::new(
    "/policies/{vhost}/{policy}",
    &[
        Operation::get(Access::Policy, "One policy").query(OBJECT).gives(wire::<Policy>()),
        Operation::put(Access::Policy, "Creates or changes a policy").takes(wire::<PutPolicy>()),
        Operation::delete(Access::Policy, "Deletes a policy"),
    ],
);

/// All operator policies.
pub const OPERATOR_POLICIES: Endpoint = Endpoint::new(
    "/operator-policies",
    &[list(Access::Any, "Operator policies the caller may see").header(VHOST_HEADER)],
);

/// Operator policies of a virtual host.
pub const OPERATOR_OF_VHOST: Endpoint =
    Endpoint::new("/operator-policies/{vhost}", &[list(Access::Vhost, "Operator policies of a virtual host")]);

/// One operator policy.
pub const OPERATOR_POLICY: Endpoint = Endpoint::new(
    "/operator-policies/{vhost}/{policy}",
    &[
        Operation::get(Access::Administrator, "One operator policy").query(OBJECT).gives(wire::<Policy>()),
        Operation::put(Access::Administrator, "Creates or changes an operator policy")
            .takes(wire::<PutOperatorPolicy>()),
        Operation::delete(Access::Administrator, "Deletes an operator policy"),
    ],
);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[POLICIES, OF_VHOST, POLICY, OPERATOR_POLICIES, OPERATOR_OF_VHOST, OPERATOR_POLICY];
