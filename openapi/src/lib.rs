//! Wire types of the HTTP API and the endpoint table.
//!
//! An endpoint is one constant beside its wire types in the file of its resource; the
//! API mounts a handler on it, the command line builds its URLs from it, and the
//! OpenAPI document ([`spec`]) and the reference page ([`mod@reference`]) are folds over the table.
//!
//! ```
//! assert_eq!(openapi::control::PLUGINS.fill(&[]), "/api/warren/plugins");
//! ```

pub mod arguments;
pub mod endpoint;
pub mod error;
pub mod fields;
pub mod listing;
pub mod operation;
pub mod parameter;
pub mod reference;
pub mod spec;

pub mod authentication;
pub mod bindings;
pub mod channels;
pub mod cluster;
pub mod connections;
pub mod consumers;
pub mod control;
pub mod definition_entries;
pub mod definitions;
pub mod documentation;
pub mod exchanges;
pub mod features;
pub mod health;
pub mod limits;
pub mod maintenance;
pub mod messages;
pub mod nodes;
pub mod overview;
pub mod parameters;
pub mod permissions;
pub mod policies;
pub mod policy_settings;
pub mod queues;
pub mod sessions;
pub mod settings;
pub mod statistics;
pub mod tls;
pub mod traffic;
pub mod users;
pub mod vhosts;
pub mod whoami;

pub use endpoint::{Access, Endpoint, Method, Operation, PREFIX};
use operation::wire;

/// A resource: the tag its endpoints bear in the document, and the endpoints.
pub struct Resource {
    /// Name of the resource, and of its file.
    pub name: &'static str,
    /// What it is about, in one line.
    pub summary: &'static str,
    /// Its endpoints.
    pub endpoints: &'static [Endpoint],
}

/// The endpoint table.
pub const RESOURCES: &[Resource] = &[
    Resource {
        name: "authentication",
        summary: "Login attempts and hashes of passwords",
        endpoints: authentication::ENDPOINTS,
    },
    Resource {
        name: "bindings",
        summary: "What brings messages from exchanges to queues and other exchanges",
        endpoints: bindings::ENDPOINTS,
    },
    Resource { name: "channels", summary: "Channels of open connections", endpoints: channels::ENDPOINTS },
    Resource { name: "cluster", summary: "The name of the cluster", endpoints: cluster::ENDPOINTS },
    Resource { name: "connections", summary: "Open connections of clients", endpoints: connections::ENDPOINTS },
    Resource { name: "consumers", summary: "Who is delivered messages", endpoints: consumers::ENDPOINTS },
    Resource {
        name: "control",
        summary: "The node itself: state, start and stop, plugins",
        endpoints: control::ENDPOINTS,
    },
    Resource {
        name: "definitions",
        summary: "Everything but messages as one document, out and in",
        endpoints: definitions::ENDPOINTS,
    },
    Resource { name: "documentation", summary: "What describes this API", endpoints: documentation::ENDPOINTS },
    Resource { name: "exchanges", summary: "Where messages are published to", endpoints: exchanges::ENDPOINTS },
    Resource { name: "features", summary: "Feature flags and deprecated features", endpoints: features::ENDPOINTS },
    Resource { name: "health", summary: "Checks for probes and monitoring", endpoints: health::ENDPOINTS },
    Resource { name: "limits", summary: "Limits of virtual hosts and users", endpoints: limits::ENDPOINTS },
    Resource { name: "maintenance", summary: "Small things asked of a node", endpoints: maintenance::ENDPOINTS },
    Resource { name: "messages", summary: "Publishing and fetching without a channel", endpoints: messages::ENDPOINTS },
    Resource { name: "nodes", summary: "Nodes and what they use", endpoints: nodes::ENDPOINTS },
    Resource { name: "overview", summary: "The broker at a glance", endpoints: overview::ENDPOINTS },
    Resource {
        name: "parameters",
        summary: "Runtime parameters, of virtual hosts and global",
        endpoints: parameters::ENDPOINTS,
    },
    Resource { name: "permissions", summary: "What users may do where", endpoints: permissions::ENDPOINTS },
    Resource {
        name: "policies",
        summary: "Settings for all objects whose name matches",
        endpoints: policies::ENDPOINTS,
    },
    Resource { name: "queues", summary: "Where messages wait", endpoints: queues::ENDPOINTS },
    Resource { name: "sessions", summary: "Logins that outlast a request", endpoints: sessions::ENDPOINTS },
    Resource { name: "settings", summary: "What is changed while the node runs", endpoints: settings::ENDPOINTS },
    Resource { name: "tls", summary: "What the node encrypts with", endpoints: tls::ENDPOINTS },
    Resource { name: "users", summary: "Who may log in", endpoints: users::ENDPOINTS },
    Resource { name: "vhosts", summary: "Virtual hosts", endpoints: vhosts::ENDPOINTS },
    Resource { name: "whoami", summary: "The caller, the version, login", endpoints: whoami::ENDPOINTS },
];

/// All endpoints.
pub fn endpoints() -> impl Iterator<Item = &'static Endpoint> {
    RESOURCES.iter().flat_map(|resource| resource.endpoints)
}
