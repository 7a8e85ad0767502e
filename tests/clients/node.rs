//! Clients written in JavaScript: amqplib.

use std::path::PathBuf;
use std::process::Command;

use tests::cache::{Cached, run};
use tests::repository;

use crate::broker::{Broker, lacking};
use crate::verdict::Verdict;

pub fn amqplib(broker: &Broker) -> Verdict {
    if let Some(verdict) = lacking(&["node", "npm"]) {
        return verdict;
    }
    broker.judge(Command::new("node").arg("amqplib_program.mjs").current_dir(installed()))
}

/// The programs beside the modules they import, since that is where Node looks.
fn installed() -> PathBuf {
    let source = repository().join("tests/clients/node");
    let package = std::fs::read_to_string(source.join("package.json")).expect("it can be read");
    let cached = Cached::open("client-node", &package);
    let copy = |name: &str| std::fs::copy(source.join(name), cached.folder.join(name)).expect("target/ can be written");
    copy("amqplib_program.mjs");
    if !cached.is_made {
        copy("package.json");
        let quiet = ["install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--silent"];
        run(Command::new("npm").args(quiet).current_dir(&cached.folder));
        cached.made();
    }
    cached.folder.clone()
}
