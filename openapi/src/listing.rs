//! What listing parameters make of an answer: a page, or objects cut to columns.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// The envelope of a page; `items` holds what the list would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page {
    /// Items before the filter.
    pub total_count: u64,
    /// Items that passed it.
    pub filtered_count: u64,
    /// Items on this page.
    pub item_count: u64,
    /// Which page this is, from 1.
    pub page: u64,
    /// Most items on a page.
    pub page_size: u64,
    /// How many pages there are.
    pub page_count: u64,
}

/// An object cut to the fields that `columns` names; an empty array when it has none of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Columns {
    /// What is left.
    Some(Map<String, Value>),
    /// Nothing.
    None(Vec<Value>),
}
