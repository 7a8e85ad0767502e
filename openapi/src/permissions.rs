//! Permissions and topic permissions.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::endpoint::{Access, Endpoint, LISTING, OBJECT, Operation, wire, wire_list};

/// What a user may do in a virtual host: three regular expressions on names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Permission {
    /// Who.
    pub user: String,
    /// Where.
    pub vhost: String,
    /// Names that may be created, changed and deleted.
    pub configure: String,
    /// Names that may be written to.
    pub write: String,
    /// Names that may be read from.
    pub read: String,
}

/// The patterns to grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PutPermission {
    /// Names that may be created, changed and deleted.
    pub configure: String,
    /// Names that may be written to.
    pub write: String,
    /// Names that may be read from.
    pub read: String,
}

/// What routing keys a user may use on an exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TopicPermission {
    /// Who.
    pub user: String,
    /// Where.
    pub vhost: String,
    /// On which exchange.
    pub exchange: String,
    /// Keys that may be published with.
    pub write: String,
    /// Keys that may be bound with.
    pub read: String,
}

/// The topic patterns to grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PutTopicPermission {
    /// On which exchange.
    pub exchange: String,
    /// Keys that may be published with.
    pub write: String,
    /// Keys that may be bound with.
    pub read: String,
}

const fn list(summary: &'static str) -> Operation {
    Operation::get(Access::Administrator, summary).query(LISTING).gives(wire_list::<Permission>())
}

const fn list_topic(summary: &'static str) -> Operation {
    Operation::get(Access::Administrator, summary).query(LISTING).gives(wire_list::<TopicPermission>())
}

/// All permissions.
pub const PERMISSIONS: Endpoint = Endpoint::new("/permissions", &[list("All permissions")]);

/// Permissions in a virtual host.
pub const OF_VHOST: Endpoint = Endpoint::new("/vhosts/{vhost}/permissions", &[list("Permissions in a virtual host")]);

/// Permissions of a user.
pub const OF_USER: Endpoint = Endpoint::new("/users/{user}/permissions", &[list("Permissions of a user")]);

/// What one user may do in one virtual host.
pub const PERMISSION: Endpoint = Endpoint::new(
    "/permissions/{vhost}/{user}",
    &[
        Operation::get(Access::Administrator, "Permissions of a user in a virtual host")
            .query(OBJECT)
            .gives(wire::<Permission>()),
        Operation::put(Access::Administrator, "Grants permissions in a virtual host").takes(wire::<PutPermission>()),
        Operation::delete(Access::Administrator, "Revokes all permissions in a virtual host"),
    ],
);

/// All topic permissions.
pub const TOPIC_PERMISSIONS: Endpoint = Endpoint::new("/topic-permissions", &[list_topic("All topic permissions")]);

/// Topic permissions in a virtual host.
pub const TOPIC_OF_VHOST: Endpoint =
    Endpoint::new("/vhosts/{vhost}/topic-permissions", &[list_topic("Topic permissions in a virtual host")]);

/// Topic permissions of a user.
pub const TOPIC_OF_USER: Endpoint =
    Endpoint::new("/users/{user}/topic-permissions", &[list_topic("Topic permissions of a user")]);

/// Topic permissions of one user in one virtual host.
pub const TOPIC_PERMISSION: Endpoint = Endpoint::new(
    "/topic-permissions/{vhost}/{user}",
    &[
        list_topic("Topic permissions of a user in a virtual host, one per exchange"),
        Operation::put(Access::Administrator, "Grants topic permissions on an exchange")
            .takes(wire::<PutTopicPermission>()),
        Operation::delete(Access::Administrator, "Revokes the topic permissions in a virtual host"),
    ],
);

/// Topic permissions on one exchange.
pub const TOPIC_OF_EXCHANGE: Endpoint = Endpoint::new(
    "/topic-permissions/{vhost}/{user}/{exchange}",
    &[
        list_topic("Topic permissions of a user in a virtual host, whichever the exchange"),
        Operation::put(Access::Administrator, "Grants topic permissions on the exchange the body names")
            .takes(wire::<PutTopicPermission>()),
        Operation::delete(Access::Administrator, "Revokes the topic permissions on an exchange"),
    ],
);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[
    PERMISSIONS,
    OF_VHOST,
    OF_USER,
    PERMISSION,
    TOPIC_PERMISSIONS,
    TOPIC_OF_VHOST,
    TOPIC_OF_USER,
    TOPIC_PERMISSION,
    TOPIC_OF_EXCHANGE,
];
