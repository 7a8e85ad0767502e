//! `warren-perf`: a load tool for AMQP 0-9-1 brokers, and a check that they lose, double and reorder nothing.
//!
//! A client and nothing else: it shares no code with the broker, works against any AMQP 0-9-1 server, and is built to cost
//! far less than any of them. `options` is the manual, `plan` says who does what, `publisher` and `consumer` do it on
//! `connection`s that speak `wire`, a `lane` is one publisher of a connection and a `receiver` what its consumers see,
//! `verify` judges what arrived, `usage` reads what the server's processes used,
//! `findings` and `report` put it together.

mod clock;
mod confirms;
mod connection;
mod consumer;
mod error;
#[cfg(test)]
mod faulty_broker;
mod findings;
mod lane;
mod options;
mod pace;
mod payload;
mod plan;
mod progress;
mod publisher;
mod receiver;
mod report;
mod run;
mod shared;
mod template;
mod topology;
mod uri;
mod usage;
mod verify;
mod wire;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::error::{EXIT_OK, EXIT_USAGE, EXIT_VERIFICATION};
use crate::options::Options;

fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(refused) => {
            let _ = refused.print();
            return ExitCode::from(if refused.use_stderr() { EXIT_USAGE } else { EXIT_OK });
        }
    };
    let report = match run::run(&options) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("warren-perf: {error}");
            return error.exit_code();
        }
    };
    let text = if options.json {
        serde_json::to_string_pretty(&report).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}")) + "\n"
    } else {
        report.to_string()
    };
    // A reader that has seen enough is no failure of the run.
    let _ = std::io::stdout().write_all(text.as_bytes());
    if !report.ok {
        eprintln!("warren-perf: verification FAILED: {}", report.failures.join("; "));
        return ExitCode::from(EXIT_VERIFICATION);
    }
    ExitCode::from(EXIT_OK)
}
