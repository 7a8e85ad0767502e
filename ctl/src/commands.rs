//! The command families; each file is one help section or a part of one.
//!
//! To add a command, copy a block in its family's file, change it, and add its name to
//! that file's list.

pub mod access_control;
pub mod bulk;
pub mod cluster;
pub mod connections;
pub mod definitions;
pub mod encryption;
pub mod erlang;
pub mod feature_flags;
pub mod health;
pub mod help;
pub mod limits;
pub mod listeners;
pub mod listings;
pub mod logs;
pub mod mirroring;
pub mod network;
pub mod nodes;
pub mod operations;
pub mod parameters;
pub mod plugins;
pub mod policies;
pub mod probes;
pub mod queues;
pub mod replicas;
pub mod runtime;
pub mod status;
pub mod streams;
pub mod tls;
pub mod topology;
pub mod users;
pub mod virtual_hosts;

use crate::command::Command;

/// All families.
pub const FAMILIES: &[&[&Command]] = &[
    help::ALL,
    nodes::ALL,
    cluster::ALL,
    replicas::ALL,
    streams::ALL,
    users::ALL,
    access_control::ALL,
    health::ALL,
    listeners::ALL,
    listings::ALL,
    status::ALL,
    parameters::ALL,
    policies::ALL,
    virtual_hosts::ALL,
    limits::ALL,
    queues::ALL,
    connections::ALL,
    operations::ALL,
    mirroring::ALL,
    feature_flags::ALL,
    encryption::ALL,
    runtime::ALL,
    tls::ALL,
    network::ALL,
    logs::ALL,
    erlang::ALL,
    definitions::ALL,
    plugins::ALL,
    topology::ALL,
    bulk::ALL,
    probes::ALL,
];
