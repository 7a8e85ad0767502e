//! A bounded number of executions of every target, the same ones every time.

use fuzz::{connection, frames, tables};

/// Enough to meet every kind of damage; some seconds without optimisation.
const QUICK: u64 = 30_000;
/// A connection costs about as much as a hundred tables.
const CONNECTIONS: u64 = 400;

#[test]
fn frames_are_read() {
    (0..QUICK).for_each(frames::run);
}

#[test]
fn tables_are_read() {
    (0..QUICK).for_each(tables::run);
}

#[test]
fn connections_are_served() {
    let mut target = connection::Target::new();
    for seed in 0..CONNECTIONS {
        target.run(seed).map_err(|finding| format!("seed {seed}: {finding:#}")).unwrap();
    }
    target.stop().unwrap();
}
