//! Login attempts, and hashing passwords.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::endpoint::{Access, Endpoint, LISTING, Operation, wire, wire_list};

/// Login attempts over one protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuthAttempts {
    /// Peer address; only when attempts are counted by source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_address: Option<String>,
    /// User tried; only when attempts are counted by source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The protocol.
    pub protocol: String,
    /// All attempts.
    pub auth_attempts: u64,
    /// Those refused.
    pub auth_attempts_failed: u64,
    /// Those let in.
    pub auth_attempts_succeeded: u64,
}

const fn list(summary: &'static str) -> Operation {
    Operation::get(Access::Monitor, summary).query(LISTING).gives(wire_list::<AuthAttempts>())
}

/// Attempts by protocol.
pub const ATTEMPTS: Endpoint = Endpoint::new(
    "/auth/attempts/{node}",
    &[list("Login attempts by protocol"), Operation::delete(Access::Administrator, "Zeroes the login counters")],
);

/// Attempts by source.
pub const ATTEMPTS_BY_SOURCE: Endpoint = Endpoint::new(
    "/auth/attempts/{node}/source",
    &[list("Login attempts by source"), Operation::delete(Access::Administrator, "Zeroes the login counters")],
);

/// A hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HashedPassword {
    /// The hash, as `password_hash` of a user takes it.
    pub ok: String,
}

/// Hashing a password.
pub const HASH_PASSWORD: Endpoint = Endpoint::new(
    "/auth/hash_password/{password}",
    &[Operation::get(Access::Administrator, "Hashes a password as a new user's would be")
        .gives(wire::<HashedPassword>())],
)
.without_head();

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[HASH_PASSWORD, ATTEMPTS, ATTEMPTS_BY_SOURCE];
