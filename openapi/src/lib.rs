//! Wire types and the endpoint table.
