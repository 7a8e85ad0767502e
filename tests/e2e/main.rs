//! End to end: through sockets and the built binaries.
#![expect(clippy::unwrap_used, reason = "all of it is test code: a panic is how it fails")]

mod admin;
mod boundaries;
mod bounds;
mod crash;
mod dependencies;
mod documents;
mod events;
mod health;
mod interrupted;
mod many;
mod metrics;
mod node;
mod openapi;
mod pika;
mod shell;
mod targets;
mod tls;
mod tls_tools;
mod transcripts;
mod verbs;
