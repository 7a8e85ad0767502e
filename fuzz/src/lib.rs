//! Random input for what reads bytes from strangers: frames, tables, whole connections.
//!
//! A target is a function of a seed; it panics or fails when a rule does not hold. It needs no nightly toolchain: input is
//! made from a grammar and then damaged, by `random` alone, so a seed replays. The test `tests/bounded.rs` runs a bounded
//! number; by hand, for an hour:
//!
//! ```text
//! cargo run --release -p fuzz -- --minutes 60
//! ```

pub mod connection;
pub mod frames;
pub mod grammar;
pub mod random;
pub mod tables;
