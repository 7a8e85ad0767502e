//! Very many of one thing on one broker, Warren beside a live RabbitMQ: 10,000 idle connections, 1,000 channels on one
//! connection, 100,000 queues, 100,000 bindings on one topic exchange, a policy for 10,000 queues. `cargo bench --bench scale`
//! (as root on a Debian-like system, see `tests/live-rabbitmq.sh`) starts a broker on an empty directory for each case, prints
//! what each thing costs and writes it between its markers in BENCHMARKS.md.
//!
//! A case fails when the broker refuses one of the many. `client` speaks AMQP, `cases` are what is measured; starting brokers,
//! the machine's description and the table are those of the bench `compare`.

#[path = "../compare/bench.rs"]
mod bench;
#[path = "../compare/broker.rs"]
#[expect(dead_code, reason = "the other bench uses more of it")]
mod broker;
mod cases;
mod client;
#[path = "../http/client.rs"]
mod http;
#[path = "../compare/machine.rs"]
mod machine;
mod process;
#[path = "../compare/table.rs"]
#[expect(dead_code, reason = "the other bench uses more of it")]
mod table;

use std::path::Path;

use anyhow::{Context, Result};
use clap::Parser;

use bench::Bench;
use broker::Broker;
use cases::Case;
use table::Table;

/// Opens, declares and binds very many things, and says what each costs.
#[derive(Debug, Parser)]
#[command(name = "scale", bin_name = "cargo bench --bench scale --")]
struct Options {
    /// Only this case (repeatable)
    #[arg(long, value_enum)]
    only: Vec<Case>,

    /// Rounds; the table shows medians
    #[arg(long, default_value_t = 1)]
    rounds: usize,

    /// AMQP port of the RabbitMQ node; its other ports follow from it
    #[arg(long, default_value_t = 5893)]
    rabbitmq_port: u16,

    #[command(flatten)]
    common: Bench,
}

fn main() -> Result<()> {
    let options = Options::parse();
    if !options.common.is_wanted("scale", options.rounds)? {
        return Ok(());
    }
    process::allow_many_files()?;
    let kinds = options.common.kinds();
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut table = Table::default();
    for kind in &kinds {
        let broker = Broker::start(*kind, tools, options.rabbitmq_port)?;
        table.name_broker(*kind, broker.version()?);
        broker.stop()?;
    }
    for round in 1..=options.rounds {
        for case in cases::ALL.into_iter().filter(|case| options.only.is_empty() || options.only.contains(case)) {
            for kind in &kinds {
                eprintln!("scale: round {round} of {}: {case:?} of {kind}", options.rounds);
                let broker = Broker::start(*kind, tools, options.rabbitmq_port)?;
                case.measure(broker, options.common.scale, &mut table)
                    .with_context(|| format!("{case:?} of {kind}"))?;
            }
        }
    }
    options.common.publish("scale", &table, options.rounds)
}
