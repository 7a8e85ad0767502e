//! Warren beside a live RabbitMQ, measured by one command: `cargo bench --bench compare` (as root on a Debian-like system,
//! see `tests/live-rabbitmq.sh`). Add `-- --help` for its options.
//!
//! Every round starts both brokers on empty directories and takes each figure from one, then from the other (A B A B); the
//! table of medians goes to standard output and between the markers of BENCHMARKS.md. A figure is a row of `loads::LOADS`,
//! a function of `figures`, or a case of `alone`, which has a broker to itself; `broker` starts and stops, `perf` runs the
//! load tool, `table` writes.

mod alone;
#[path = "../../tests/support/amqp.rs"]
#[expect(dead_code, reason = "the tests use more of their client than this")]
mod amqp;
mod backlog;
mod bench;
#[expect(dead_code, reason = "the bench `scale` uses more of it")]
mod broker;
mod figures;
mod isolation;
mod loads;
mod machine;
mod perf;
#[expect(dead_code, reason = "the bench `scale` uses more of it")]
mod table;
mod tools;
#[path = "../../src/bin/warren-perf/wire/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the load tool uses what this does not, and no unit test runs here")]
mod wire;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;

use bench::Bench;
use broker::{Broker, Kind};
use table::Table;

/// Measures Warren and RabbitMQ 4.3 side by side and writes the table of BENCHMARKS.md.
#[derive(Debug, Parser)]
#[command(name = "compare", bin_name = "cargo bench --bench compare --")]
struct Options {
    /// Rounds; the table shows medians
    #[arg(long, default_value_t = 5)]
    rounds: usize,

    /// Only figures whose name contains this text (repeatable)
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,

    /// AMQP port of the RabbitMQ node; its other ports follow from it
    #[arg(long, default_value_t = 5892)]
    rabbitmq_port: u16,

    #[command(flatten)]
    common: Bench,
}

impl Options {
    fn wants(&self, figure: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|text| figure.contains(text.as_str()))
    }

    /// Whether anything is wanted of the brokers that serve a whole round.
    fn wants_a_round(&self) -> bool {
        let mut names = figures::ALL.iter().map(|f| f.name).chain(loads::LOADS.iter().map(|load| load.name));
        self.wants(figures::START) || names.any(|name| self.wants(name))
    }
}

/// How long the client of the tests waits for an answer.
const DEADLINE: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    let options = Options::parse();
    if !options.common.is_wanted("compare", options.rounds)? {
        return Ok(());
    }
    let began = Instant::now();
    let tools = tools::build()?;
    let kinds = options.common.kinds();
    let mut table = Table::default();
    for kind in &kinds {
        // Makes RabbitMQ's tree when it is not there, and brings both programs into the page cache.
        progress(format_args!("preparing {kind}"));
        let broker = Broker::start(*kind, &tools, options.rabbitmq_port)?;
        table.name_broker(*kind, broker.version()?);
        broker.stop()?;
    }
    for round in 1..=options.rounds {
        let mut brokers = Vec::new();
        for kind in kinds.iter().filter(|_| options.wants_a_round()) {
            progress(format_args!("round {round} of {}: start of {kind}", options.rounds));
            let broker = Broker::start(*kind, &tools, options.rabbitmq_port)?;
            if options.wants(figures::START) {
                table.record(figures::START, table::Unit::Seconds, *kind, broker.started_in().as_secs_f64());
            }
            brokers.push(broker);
        }
        for figure in figures::ALL.iter().filter(|figure| options.wants(figure.name)) {
            for broker in brokers.iter().filter(|b| b.kind() == Kind::Warren || round <= figure.rabbitmq_rounds) {
                progress(format_args!("round {round} of {}: {} of {}", options.rounds, figure.name, broker.kind()));
                (figure.measure)(broker, &mut table)
                    .with_context(|| format!("{} of {}", figure.name, broker.kind()))?;
            }
        }
        for load in loads::LOADS.iter().filter(|load| options.wants(load.name)) {
            for broker in brokers.iter().filter(|broker| load.is_due(broker.kind(), round)) {
                progress(format_args!("round {round} of {}: {} of {}", options.rounds, load.name, broker.kind()));
                load.measure(broker, options.common.scale, &mut table)
                    .with_context(|| format!("{} of {}", load.name, broker.kind()))?;
            }
        }
        for broker in brokers {
            broker.stop()?;
        }
        let setting =
            alone::Setting { tools: &tools, rabbitmq_port: options.rabbitmq_port, scale: options.common.scale };
        for case in alone::ALL.iter().filter(|case| options.wants(case.name)) {
            for kind in kinds.iter().filter(|kind| case.is_due(**kind, round)) {
                progress(format_args!("round {round} of {}: {} of {kind}", options.rounds, case.name));
                case.measure(*kind, &setting, &mut table)?;
            }
        }
        progress(format_args!("round {round} of {} ended after {} s", options.rounds, began.elapsed().as_secs()));
    }
    options.common.publish("compare", &table, options.rounds)
}

fn progress(what: std::fmt::Arguments<'_>) {
    eprintln!("compare: {what}");
}
