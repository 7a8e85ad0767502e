//! Users.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::endpoint::{Access, Endpoint, OBJECT, Operation, PAGED, wire, wire_list};
use crate::fields::{one_of, schema, words};
use crate::limits::Limits;

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Salted hash of the password; empty when there is none.
    pub password_hash: String,
    /// How the hash was made.
    #[schema(value_type = HashingAlgorithm)]
    pub hashing_algorithm: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its limits by name.
    #[schema(value_type = Limits)]
    pub limits: BTreeMap<String, i64>,
}

/// What a user is to become.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PutUser {
    /// Password in the clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Or its salted hash; empty for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<String>,
    /// How the hash was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<HashingAlgorithm>)]
    pub hashing_algorithm: Option<String>,
    /// Tags, comma-separated; an array is taken too.
    #[schema(value_type = Tags)]
    pub tags: String,
}

schema!(
    /// Tags: a list, or one text with commas between them. Those that matter to the broker are `management`,
    /// `policymaker`, `monitoring`, `administrator` and `impersonator`.
    Tags => words
);

schema!(
    /// How a password is hashed.
    HashingAlgorithm => |summary| one_of(summary, HASHING_ALGORITHMS)
);

/// How passwords are hashed, as it stands in definitions.
pub const HASHING_ALGORITHMS: &[&str] =
    &["rabbit_password_hashing_sha256", "rabbit_password_hashing_sha512", "rabbit_password_hashing_md5", "argon2id"];

/// Users to delete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BulkDelete {
    /// Their names.
    pub users: Vec<String>,
}

/// All users.
pub const USERS: Endpoint = Endpoint::new(
    "/users",
    &[Operation::get(Access::Administrator, "All users").query(PAGED).gives(wire_list::<User>())],
);

/// Users who can enter no vhost.
pub const WITHOUT_PERMISSIONS: Endpoint = Endpoint::new(
    "/users/without-permissions",
    &[Operation::get(Access::Administrator, "Users without a permission anywhere")
        .query(PAGED)
        .gives(wire_list::<User>())],
);

/// Deleting several.
pub const BULK_DELETE: Endpoint = Endpoint::new(
    "/users/bulk-delete",
    &[Operation::post(Access::Administrator, "Deletes several users").takes(wire::<BulkDelete>())],
);

/// One user.
pub const USER: Endpoint = Endpoint::new(
    "/users/{user}",
    &[
        Operation::get(Access::Administrator, "One user").query(OBJECT).gives(wire::<User>()),
        Operation::put(Access::Administrator, "Creates or changes a user").takes(wire::<PutUser>()),
        Operation::delete(Access::Administrator, "Deletes a user"),
    ],
);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[USERS, WITHOUT_PERMISSIONS, BULK_DELETE, USER];
