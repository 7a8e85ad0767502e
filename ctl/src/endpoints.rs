//! The endpoints the commands ask, by the names the commands use.
//!
//! Owns nothing but the choice of names: an endpoint and its wire types are `openapi`'s.

use openapi::Endpoint;

pub use openapi::channels::CHANNELS;
pub use openapi::cluster::CLUSTER_NAME;
pub use openapi::connections::{
    CONNECTION, CONNECTIONS, OF_USER as CONNECTIONS_OF_USER, OF_VHOST as VHOST_CONNECTIONS,
};
pub use openapi::consumers::OF_VHOST as CONSUMERS_IN;
pub use openapi::features::{
    DEPRECATED as DEPRECATED_FEATURES, DEPRECATED_USED as DEPRECATED_FEATURES_USED, ENABLE as FEATURE_FLAG_ENABLE,
    FEATURE_FLAGS,
};
pub use openapi::health::{CERTIFICATE_EXPIRATION as HEALTH_CERTIFICATES, VIRTUAL_HOSTS as HEALTH_VHOSTS};
pub use openapi::limits::{OF_VHOST as VHOST_LIMITS_OF, USER_LIMIT, USER_LIMITS, VHOST_LIMITS};
pub use openapi::nodes::NODES;
pub use openapi::overview::OVERVIEW;
pub use openapi::parameters::{GLOBAL_PARAMETER, GLOBAL_PARAMETERS, PARAMETER, PARAMETERS};
pub use openapi::permissions::{
    OF_USER as USER_PERMISSIONS, OF_VHOST as VHOST_PERMISSIONS, PERMISSION,
    TOPIC_OF_EXCHANGE as TOPIC_PERMISSION_OF_EXCHANGE, TOPIC_OF_USER as USER_TOPIC_PERMISSIONS,
    TOPIC_OF_VHOST as VHOST_TOPIC_PERMISSIONS, TOPIC_PERMISSION,
};
pub use openapi::users::{USER, USERS};
pub use openapi::vhosts::{DELETION_PROTECTION as VHOST_PROTECTION, VHOST, VHOSTS};
pub use openapi::whoami::WHOAMI;

const fn at(path: &'static str) -> Endpoint {
    Endpoint::new(path, &[])
}

pub const QUEUES: Endpoint = at("/queues");
pub const QUEUES_IN: Endpoint = at("/queues/{vhost}");
pub const QUEUE: Endpoint = at("/queues/{vhost}/{queue}");
pub const QUEUE_CONTENTS: Endpoint = at("/queues/{vhost}/{queue}/contents");
pub const EXCHANGES_IN: Endpoint = at("/exchanges/{vhost}");
pub const BINDINGS_IN: Endpoint = at("/bindings/{vhost}");
pub const POLICIES_IN: Endpoint = at("/policies/{vhost}");
pub const POLICY: Endpoint = at("/policies/{vhost}/{policy}");
pub const OPERATOR_POLICIES_IN: Endpoint = at("/operator-policies/{vhost}");
pub const OPERATOR_POLICY: Endpoint = at("/operator-policies/{vhost}/{policy}");
pub const DEFINITIONS: Endpoint = at("/definitions");
