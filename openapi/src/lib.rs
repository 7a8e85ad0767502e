//! Wire types of the HTTP API and the endpoint table.
//!
//! An endpoint is one constant beside its wire types in the file of its resource; the
//! API mounts a handler on it, the command line builds its URLs from it, and the
//! OpenAPI document ([`spec`]) is a fold over the table.
//!
//! ```
//! assert_eq!(openapi::control::PLUGINS.fill(&[]), "/api/warren/plugins");
//! ```

pub mod control;
pub mod endpoint;
pub mod error;
pub mod spec;

pub use endpoint::{Access, Endpoint, Method, Operation, PREFIX};

/// A resource: the tag its endpoints bear in the document, and the endpoints.
pub struct Resource {
    /// Name of the resource, and of its file.
    pub name: &'static str,
    /// Its endpoints.
    pub endpoints: &'static [Endpoint],
}

/// The endpoint table.
pub const RESOURCES: &[Resource] = &[Resource { name: "control", endpoints: control::ENDPOINTS }];

/// All endpoints.
pub fn endpoints() -> impl Iterator<Item = &'static Endpoint> {
    RESOURCES.iter().flat_map(|resource| resource.endpoints)
}
