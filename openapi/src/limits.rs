//! Limits of virtual hosts and of users.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};

use crate::endpoint::{Access, CHANGED, Endpoint, LISTING, Operation, wire, wire_list};
use crate::fields::{Form, of, schema};
use crate::parameter::VHOST_HEADER;

/// The limits of a virtual host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VhostLimits {
    /// Which.
    pub vhost: String,
    /// Limits by name: `max-connections`, `max-queues`.
    #[schema(value_type = Limits)]
    pub value: BTreeMap<String, i64>,
}

/// The limits of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserLimits {
    /// Which.
    pub user: String,
    /// Limits by name: `max-connections`, `max-channels`.
    #[schema(value_type = Limits)]
    pub value: BTreeMap<String, i64>,
}

schema!(
    /// Limits by name: `max-connections`, and `max-queues` of a virtual host or `max-channels` of a user.
    Limits => |summary| {
        let limit = Form::INTEGER.object();
        let limits = ObjectBuilder::new().schema_type(SchemaType::new(Type::Object)).description(Some(summary));
        of(limits.additional_properties(Some(limit)).examples([json!({"max-connections": 100})]))
    }
);

/// One limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PutLimit {
    /// The limit; negative means none, 0 allows nothing.
    pub value: i64,
}

/// Limits of all virtual hosts.
pub const VHOST_LIMITS: Endpoint = Endpoint::new(
    "/vhost-limits",
    &[Operation::get(Access::Any, "Limits of all virtual hosts")
        .query(LISTING)
        .header(VHOST_HEADER)
        .gives(wire_list::<VhostLimits>())],
)
.without_head()
.without_negotiation();

/// Limits of one virtual host.
pub const OF_VHOST: Endpoint = Endpoint::new(
    "/vhost-limits/{vhost}",
    &[Operation::get(Access::VhostVisible, "Limits of a virtual host")
        .query(LISTING)
        .gives(wire_list::<VhostLimits>())],
)
.without_head()
.without_negotiation();

/// One limit of a virtual host.
pub const VHOST_LIMIT: Endpoint = Endpoint::new(
    "/vhost-limits/{vhost}/{limit}",
    &[
        Operation::put(Access::Administrator, "Sets a limit of a virtual host")
            .takes(wire::<PutLimit>())
            .status(CHANGED),
        Operation::delete(Access::Administrator, "Clears a limit of a virtual host"),
    ],
);

/// Limits of all users.
pub const USER_LIMITS: Endpoint = Endpoint::new(
    "/user-limits",
    &[Operation::get(Access::Administrator, "Limits of all users").query(LISTING).gives(wire_list::<UserLimits>())],
)
.without_head();

/// Limits of one user.
pub const OF_USER: Endpoint = Endpoint::new(
    "/user-limits/{user}",
    &[Operation::get(Access::Own, "Limits of a user").query(LISTING).gives(wire_list::<UserLimits>())],
)
.without_head();

/// One limit of a user.
pub const USER_LIMIT: Endpoint = Endpoint::new(
    "/user-limits/{user}/{limit}",
    &[
        Operation::put(Access::Administrator, "Sets a limit of a user").takes(wire::<PutLimit>()).status(CHANGED),
        Operation::delete(Access::Administrator, "Clears a limit of a user"),
    ],
);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[VHOST_LIMITS, OF_VHOST, VHOST_LIMIT, USER_LIMITS, OF_USER, USER_LIMIT];
