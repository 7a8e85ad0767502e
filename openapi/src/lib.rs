//! Wire types of the HTTP API and the endpoint table.
//!
//! An endpoint is one constant beside its wire types in the file of its resource; the
//! API mounts a handler on it, the command line builds its URLs from it, and the
//! OpenAPI document ([`spec`]) and the reference page ([`mod@reference`]) are folds over the table.
//!
//! ```
//! assert_eq!(openapi::control::PLUGINS.fill(&[]), "/api/warren/plugins");
//! ```

pub mod endpoint;
pub mod error;
pub mod reference;
pub mod spec;

pub mod authentication;
pub mod bindings;
pub mod channels;
pub mod cluster;
pub mod connections;
pub mod consumers;
pub mod control;
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
pub mod queues;
pub mod sessions;
pub mod settings;
pub mod users;
pub mod vhosts;
pub mod whoami;

pub use endpoint::{Access, Endpoint, Method, Operation, PREFIX};

/// A resource: the tag its endpoints bear in the document, and the endpoints.
pub struct Resource {
    /// Name of the resource, and of its file.
    pub name: &'static str,
    /// Its endpoints.
    pub endpoints: &'static [Endpoint],
}

/// The endpoint table.
pub const RESOURCES: &[Resource] = &[
    Resource { name: "authentication", endpoints: authentication::ENDPOINTS },
    Resource { name: "bindings", endpoints: bindings::ENDPOINTS },
    Resource { name: "channels", endpoints: channels::ENDPOINTS },
    Resource { name: "cluster", endpoints: cluster::ENDPOINTS },
    Resource { name: "connections", endpoints: connections::ENDPOINTS },
    Resource { name: "consumers", endpoints: consumers::ENDPOINTS },
    Resource { name: "control", endpoints: control::ENDPOINTS },
    Resource { name: "definitions", endpoints: definitions::ENDPOINTS },
    Resource { name: "documentation", endpoints: documentation::ENDPOINTS },
    Resource { name: "exchanges", endpoints: exchanges::ENDPOINTS },
    Resource { name: "features", endpoints: features::ENDPOINTS },
    Resource { name: "health", endpoints: health::ENDPOINTS },
    Resource { name: "limits", endpoints: limits::ENDPOINTS },
    Resource { name: "maintenance", endpoints: maintenance::ENDPOINTS },
    Resource { name: "messages", endpoints: messages::ENDPOINTS },
    Resource { name: "nodes", endpoints: nodes::ENDPOINTS },
    Resource { name: "overview", endpoints: overview::ENDPOINTS },
    Resource { name: "parameters", endpoints: parameters::ENDPOINTS },
    Resource { name: "permissions", endpoints: permissions::ENDPOINTS },
    Resource { name: "policies", endpoints: policies::ENDPOINTS },
    Resource { name: "queues", endpoints: queues::ENDPOINTS },
    Resource { name: "sessions", endpoints: sessions::ENDPOINTS },
    Resource { name: "settings", endpoints: settings::ENDPOINTS },
    Resource { name: "users", endpoints: users::ENDPOINTS },
    Resource { name: "vhosts", endpoints: vhosts::ENDPOINTS },
    Resource { name: "whoami", endpoints: whoami::ENDPOINTS },
];

/// All endpoints.
pub fn endpoints() -> impl Iterator<Item = &'static Endpoint> {
    RESOURCES.iter().flat_map(|resource| resource.endpoints)
}
