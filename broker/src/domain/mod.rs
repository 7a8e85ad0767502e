//! Values and rules of the broker: no clock, no I/O, no async, no lock.

pub mod alarm;
pub mod amount;
pub mod arguments;
pub mod binding;
pub mod component;
pub mod exchange;
pub mod firehose;
pub mod limit;
pub mod message;
pub mod name;
pub mod parameter;
pub mod password;
pub mod pattern;
pub mod permission;
pub mod policy;
pub mod properties;
pub mod queue;
pub mod reply_to;
pub mod routing;
pub mod stream;
pub mod term;
pub mod topology;
pub mod user;
pub mod value;
pub mod vhost;
pub mod wire;
