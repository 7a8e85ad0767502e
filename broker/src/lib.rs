//! The broker: users, virtual hosts, exchanges, queues, bindings and messages,
//! served over AMQP 0-9-1 and through the façade [`Broker`].
//!
//! Code map: `domain` holds values and rules, `amqp091` the protocol as values,
//! `storage` the seam to durable state, `runtime` the owners of live state,
//! `server` the sockets, `tls` what encrypts them, `facade` the one door for the HTTP API.

pub mod amqp091;
pub mod domain;
mod error;
mod facade;
pub mod metrics;
mod runtime;
mod server;
pub mod storage;
pub mod tls;

pub use error::{DefinitionPlace, Error, ErrorKind, Operation, Resource};
pub use facade::*;
pub use runtime::directory::Directory;
pub use server::Accepting;
