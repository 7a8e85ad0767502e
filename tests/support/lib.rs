//! Starts the built binaries for the end-to-end tests.
//!
//! Owns processes, temporary folders, and what is fetched for the tests. It does not link the
//! broker: what is tested is what a user runs.

pub mod amqp;
mod binaries;
pub mod cache;
mod debian;
mod python;
mod server;
pub mod transcripts;
mod wait;
/// The wire as the load tool speaks it, which shares nothing with the broker.
#[path = "../../src/bin/warren-perf/wire/mod.rs"]
#[expect(dead_code, reason = "the load tool uses what the tests do not")]
mod wire;

pub use binaries::{Binaries, binaries, repository};
pub use debian::debian;
pub use python::{python, python_with, run_python, run_python_with};
pub use server::{Options, Server, free_port};
pub use wait::{DEADLINE, wait_until};
