//! AMQP 0-9-1 as values: bytes and frames in, methods and replies out. No socket, task or storage.
//!
//! `frame` cuts frames out of bytes and writes them, `method` reads what clients send,
//! `encode` writes what the broker sends and `delivery` the messages among it, `content`
//! puts content frames together into messages, `confirm` numbers publishes, `handshake` is
//! the connection's start, and `reply` is the one table from broker errors to reply codes.

pub mod confirm;
pub mod content;
pub mod delivery;
pub mod encode;
pub mod frame;
pub mod handshake;
pub mod method;
pub mod reply;
