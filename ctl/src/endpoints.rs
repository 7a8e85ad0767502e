//! The endpoints the commands ask, by the names the commands use.
//!
//! Owns nothing but the choice of names: an endpoint and its wire types are `openapi`'s.

pub use openapi::authentication::{ATTEMPTS as AUTH_ATTEMPTS, ATTEMPTS_BY_SOURCE as AUTH_ATTEMPTS_BY_SOURCE};
pub use openapi::bindings::{
    OF_VHOST as BINDINGS_IN, ONE_TO_EXCHANGE as BINDING_TO_EXCHANGE, ONE_TO_QUEUE as BINDING_TO_QUEUE,
    TO_EXCHANGE as BINDINGS_TO_EXCHANGE, TO_QUEUE as BINDINGS_TO_QUEUE,
};
pub use openapi::channels::CHANNELS;
pub use openapi::cluster::CLUSTER_NAME;
pub use openapi::connections::{
    CONNECTION, CONNECTIONS, OF_USER as CONNECTIONS_OF_USER, OF_VHOST as VHOST_CONNECTIONS,
};
pub use openapi::consumers::OF_VHOST as CONSUMERS_IN;
pub use openapi::definitions::DEFINITIONS;
pub use openapi::exchanges::{EXCHANGE, OF_VHOST as EXCHANGES_IN};
pub use openapi::features::{
    DEPRECATED as DEPRECATED_FEATURES, DEPRECATED_USED as DEPRECATED_FEATURES_USED, ENABLE as FEATURE_FLAG_ENABLE,
    FEATURE_FLAGS,
};
pub use openapi::health::{
    CERTIFICATE_EXPIRATION as HEALTH_CERTIFICATES, LEADERS_ALL_PATTERN as HEALTH_LEADERS,
    LEADERS_VHOST_PATTERN as HEALTH_LEADERS_IN, LIVE, QUORUM_CRITICAL as HEALTH_QUORUM, READY,
    READY_TO_SERVE as HEALTH_READY, TARGET_CLUSTER_SIZE as HEALTH_CLUSTER_SIZE, VIRTUAL_HOSTS as HEALTH_VHOSTS,
};
pub use openapi::limits::{OF_VHOST as VHOST_LIMITS_OF, USER_LIMIT, USER_LIMITS, VHOST_LIMIT, VHOST_LIMITS};
pub use openapi::maintenance::{EFFECTIVE_CONFIG, REBALANCE, RESET as RESET_STATISTICS};
pub use openapi::messages::GET as QUEUE_MESSAGES;
pub use openapi::nodes::{MEMORY as NODE_MEMORY, NODES};
pub use openapi::overview::OVERVIEW;
pub use openapi::parameters::{GLOBAL_PARAMETER, GLOBAL_PARAMETERS, PARAMETER, PARAMETERS};
pub use openapi::permissions::{
    OF_USER as USER_PERMISSIONS, OF_VHOST as VHOST_PERMISSIONS, PERMISSION,
    TOPIC_OF_EXCHANGE as TOPIC_PERMISSION_OF_EXCHANGE, TOPIC_OF_USER as USER_TOPIC_PERMISSIONS,
    TOPIC_OF_VHOST as VHOST_TOPIC_PERMISSIONS, TOPIC_PERMISSION,
};
pub use openapi::policies::{
    OF_VHOST as POLICIES_IN, OPERATOR_OF_VHOST as OPERATOR_POLICIES_IN, OPERATOR_POLICY, POLICY,
};
pub use openapi::queues::{
    ADD_REPLICA as QUORUM_MEMBER, CONTENTS as QUEUE_CONTENTS, DELETE_REPLICA as QUORUM_MEMBER_GONE,
    GROW as QUORUM_GROW, OF_VHOST as QUEUES_IN, QUEUE, QUEUES, SHRINK as QUORUM_SHRINK, STATUS as QUORUM_STATUS,
};
pub use openapi::settings::SETTINGS;
pub use openapi::users::{USER, USERS};
pub use openapi::vhosts::{DELETION_PROTECTION as VHOST_PROTECTION, VHOST, VHOSTS};
pub use openapi::whoami::WHOAMI;
