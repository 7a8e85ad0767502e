//! Runtime and global parameters: named documents.

use super::name::VhostName;

/// A parameter's value. The reference defines these as JSON documents that travel
/// unchanged from whoever sets them to whoever reads them, so the broker holds the
/// document instead of inventing a second tree for it.
pub type Document = serde_json::Value;

/// A runtime parameter of a vhost.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Where.
    pub vhost: VhostName,
    /// Whose parameter: `shovel`, `federation-upstream`, …
    pub component: String,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Document,
}
