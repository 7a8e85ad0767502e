//! The command line beside RabbitMQ's own tools: `cargo bench --bench cli` (as root on a Debian-like system, see
//! `tests/live-rabbitmq.sh`). Every round starts each broker on an empty directory and takes all figures from it; the table
//! of medians goes to standard output and between the markers of BENCHMARKS.md. Add `-- --help` for its options.
//!
//! `figures` are what is measured; starting brokers, the tools, HTTP and the table are those of the other benches.

#[path = "../compare/bench.rs"]
mod bench;
#[path = "../compare/broker.rs"]
#[expect(dead_code, reason = "the bench `compare` uses more of it")]
mod broker;
#[path = "../http/client.rs"]
#[expect(dead_code, reason = "the bench `http` uses more of it")]
mod client;
mod figures;
#[path = "../compare/machine.rs"]
mod machine;
#[path = "../compare/table.rs"]
#[expect(dead_code, reason = "the bench `compare` uses more of it")]
mod table;
#[path = "../compare/tools.rs"]
mod tools;

use anyhow::{Context, Result};
use clap::Parser;

use bench::Bench;
use broker::Broker;
use table::Table;

/// Runs commands of both command lines, and says how long they take.
#[derive(Debug, Parser)]
#[command(name = "cli", bin_name = "cargo bench --bench cli --")]
struct Options {
    /// Rounds; the table shows medians
    #[arg(long, default_value_t = 5)]
    rounds: usize,

    /// Only figures whose group has this in its name (repeatable)
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,

    /// Let RabbitMQ's tools run all 100 commands of the script, instead of 20 whose time is taken five times
    #[arg(long)]
    all_commands: bool,

    /// AMQP port of the RabbitMQ node; its other ports follow from it
    #[arg(long, default_value_t = 5896)]
    rabbitmq_port: u16,

    #[command(flatten)]
    common: Bench,
}

fn main() -> Result<()> {
    let options = Options::parse();
    if !options.common.is_wanted("cli", options.rounds)? {
        return Ok(());
    }
    let tools = tools::build()?;
    let mut table = Table::default();
    for round in 1..=options.rounds {
        for kind in options.common.kinds() {
            let broker = Broker::start(kind, &tools, options.rabbitmq_port)?;
            if round == 1 {
                table.name_broker(kind, broker.version()?);
            }
            let setting = figures::Setting {
                broker: &broker,
                tools: &tools,
                scale: options.common.scale,
                all_commands: options.all_commands,
            };
            for group in figures::ALL {
                if options.only.is_empty() || options.only.iter().any(|text| group.name.contains(text.as_str())) {
                    eprintln!("cli: round {round} of {}: {} of {kind}", options.rounds, group.name);
                    (group.measure)(&setting, &mut table).with_context(|| format!("{} of {kind}", group.name))?;
                }
            }
            broker.stop()?;
        }
    }
    options.common.publish("cli", &table, options.rounds)
}
