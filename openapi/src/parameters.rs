//! Runtime parameters and global parameters.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::endpoint::{Access, Endpoint, LISTING, OBJECT, Operation, wire, wire_list};
use crate::parameter::VHOST_HEADER;

/// A runtime parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Parameter {
    /// Its value.
    pub value: Value,
    /// Where.
    pub vhost: String,
    /// Whose: `shovel`, `federation-upstream`, …
    pub component: String,
    /// Its name.
    pub name: String,
}

/// A global parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GlobalParameter {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Value,
}

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PutParameter {
    /// Any JSON value.
    pub value: Value,
}

const fn list(access: Access, summary: &'static str) -> Operation {
    Operation::get(access, summary).query(LISTING).gives(wire_list::<Parameter>())
}

/// All parameters.
pub const PARAMETERS: Endpoint =
    Endpoint::new("/parameters", &[list(Access::GlobalParameter, "All runtime parameters").header(VHOST_HEADER)]);

/// Parameters of a component.
pub const OF_COMPONENT: Endpoint = Endpoint::new(
    "/parameters/{component}",
    &[list(Access::GlobalParameter, "Runtime parameters of a component").header(VHOST_HEADER)],
);

/// Parameters of a component in a virtual host.
pub const OF_VHOST: Endpoint = Endpoint::new(
    "/parameters/{component}/{vhost}",
    &[list(Access::Policy, "Runtime parameters of a component in a virtual host")],
);

/// One parameter.
pub const PARAMETER: Endpoint = Endpoint::new(
    "/parameters/{component}/{vhost}/{name}",
    &[
        Operation::get(Access::Policy, "One runtime parameter").query(OBJECT).gives(wire::<Parameter>()),
        Operation::put(Access::Policy, "Creates or replaces a runtime parameter").takes(wire::<PutParameter>()),
        Operation::delete(Access::Policy, "Deletes a runtime parameter"),
    ],
);

/// All global parameters.
pub const GLOBAL_PARAMETERS: Endpoint = Endpoint::new(
    "/global-parameters",
    &[Operation::get(Access::GlobalParameter, "All global parameters")
        .query(LISTING)
        .gives(wire_list::<GlobalParameter>())],
);

/// One global parameter.
pub const GLOBAL_PARAMETER: Endpoint = Endpoint::new(
    "/global-parameters/{name}",
    &[
        Operation::get(Access::GlobalParameter, "One global parameter").query(OBJECT).gives(wire::<GlobalParameter>()),
        Operation::put(Access::GlobalParameter, "Creates or replaces a global parameter").takes(wire::<PutParameter>()),
        Operation::delete(Access::GlobalParameter, "Deletes a global parameter"),
    ],
);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] =
    &[PARAMETERS, OF_COMPONENT, OF_VHOST, PARAMETER, GLOBAL_PARAMETERS, GLOBAL_PARAMETER];
