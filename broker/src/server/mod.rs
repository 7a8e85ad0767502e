//! Sockets and tasks of the AMQP listener.
//!
//! `listener` accepts (as `accept` says), `handshake` brings a socket to an open session, `driver` waits for
//! the socket, the clock and events, and `session` (with `methods`, `basic`, `publish`,
//! `transaction`, `events`, `throttle`, `firehose`) does what a client asks.

mod accept;
mod ack_timeout;
mod basic;
mod channel;
mod direct_reply;
mod driver;
mod events;
#[cfg(test)]
mod events_tests;
mod firehose;
mod flows;
mod handshake;
mod input;
mod listener;
mod methods;
mod outgoing;
mod output;
mod publish;
mod route_cache;
mod row;
#[cfg(test)]
mod row_tests;
mod session;
mod telling;
#[cfg(test)]
mod test_client;
mod throttle;
#[cfg(test)]
mod throttle_tests;
mod transaction;

pub use accept::Accepting;
pub(crate) use listener::AmqpListener;
