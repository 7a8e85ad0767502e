//! Runtime and global parameters: named documents.

use super::name::VhostName;

/// A parameter's value. The reference defines these as JSON documents that travel
/// unchanged from whoever sets them to whoever reads them, so the broker holds the
/// document instead of inventing a second tree for it.
pub type Document = serde_json::Value;

/// Deepest nesting of arrays and objects in a document: far beyond any real one, and
/// within what every JSON reader on the way accepts.
pub const DOCUMENT_NESTING_MAX: usize = 64;

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
