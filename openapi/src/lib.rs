//! Wire types of the HTTP API and the endpoint table.
//!
//! An endpoint is one constant beside its wire types in the file of its resource; the
//! API mounts a handler on it, the command line builds its URLs from it, and the
//! OpenAPI document ([`spec`]) is a fold over the table.
//!
//! ```
//! assert_eq!(openapi::control::PLUGINS.fill(&[]), "/api/warren/plugins");
//! ```

pub mod endpoint;
pub mod error;
pub mod spec;

pub mod cluster;
pub mod control;
pub mod documentation;
pub mod overview;
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
    Resource { name: "cluster", endpoints: cluster::ENDPOINTS },
    Resource { name: "control", endpoints: control::ENDPOINTS },
    Resource { name: "documentation", endpoints: documentation::ENDPOINTS },
    Resource { name: "overview", endpoints: overview::ENDPOINTS },
    Resource { name: "users", endpoints: users::ENDPOINTS },
    Resource { name: "vhosts", endpoints: vhosts::ENDPOINTS },
    Resource { name: "whoami", endpoints: whoami::ENDPOINTS },
];

/// All endpoints.
pub fn endpoints() -> impl Iterator<Item = &'static Endpoint> {
    RESOURCES.iter().flat_map(|resource| resource.endpoints)
}
