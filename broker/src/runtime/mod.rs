//! The owners of live state: one task each.

pub(crate) mod directory;
