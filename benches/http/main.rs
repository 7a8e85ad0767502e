//! The management API beside a live RabbitMQ's: `cargo bench --bench http` (as root on a Debian-like system, see
//! `tests/live-rabbitmq.sh`). Every round starts each broker on an empty directory and takes all figures from it; the table
//! of medians goes to standard output and between the markers of BENCHMARKS.md. Add `-- --help` for its options.
//!
//! A round of both brokers at full size takes some three and a half minutes: `--stretch` shortens the part with the dashboard (42 s and a
//! half stretch for each broker), `--statistics` that with the busy queues (twice 15 s, Warren alone; with 600 samples
//! are as many as are ever kept), `--only` takes single groups, `--broker` leaves the other one out, `--scale` makes
//! everything smaller.
//!
//! `client` speaks HTTP, `figures` and `dashboard` are what is measured; starting brokers, AMQP, the load tool, the machine's description and
//! the table are those of the benches `compare` and `scale`.

#[path = "../scale/client.rs"]
#[expect(dead_code, reason = "the bench `scale` uses more of it")]
mod amqp;
#[path = "../compare/bench.rs"]
mod bench;
#[path = "../compare/broker.rs"]
#[expect(dead_code, reason = "the bench `compare` uses more of it")]
mod broker;
mod client;
mod dashboard;
mod figures;
#[path = "../compare/machine.rs"]
mod machine;
#[path = "../compare/perf.rs"]
#[expect(dead_code, reason = "the bench `compare` uses more of it")]
mod perf;
#[path = "../scale/process.rs"]
#[expect(dead_code, reason = "the bench `scale` uses more of it")]
mod process;
#[path = "../compare/table.rs"]
mod table;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;

use bench::Bench;
use broker::Broker;
use figures::Sizes;
use table::Table;

/// Asks the management API of two brokers for everything, and says how long that takes.
#[derive(Debug, Parser)]
#[command(name = "http", bin_name = "cargo bench --bench http --")]
struct Options {
    /// Rounds; the table shows medians
    #[arg(long, default_value_t = 5)]
    rounds: usize,

    /// Only figures whose group has this in its name (repeatable)
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,

    /// AMQP port of the RabbitMQ node; its other ports follow from it
    #[arg(long, default_value_t = 5894)]
    rabbitmq_port: u16,

    /// Seconds that messages flow with and without a dashboard, three times each
    #[arg(long, default_value_t = 7.0, value_name = "SECONDS", value_parser = seconds)]
    stretch: f64,

    /// Seconds that queues are busy before the memory of their samples is read, twice: with and without samples
    #[arg(long, default_value_t = 15.0, value_name = "SECONDS", value_parser = seconds)]
    statistics: f64,

    #[command(flatten)]
    common: Bench,
}

/// A length of time that is one.
fn seconds(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|seconds| (1.0..=3600.0).contains(seconds)).ok_or_else(|| "1 to 3600 seconds".to_owned())
}

fn main() -> Result<()> {
    let options = Options::parse();
    if !options.common.is_wanted("http", options.rounds)? {
        return Ok(());
    }
    process::allow_many_files()?;
    let kinds = options.common.kinds();
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let sizes = Sizes {
        scale: options.common.scale,
        stretch: Duration::from_secs_f64(options.stretch),
        statistics: Duration::from_secs_f64(options.statistics),
        tools: tools.to_owned(),
    };
    let mut table = Table::default();
    for round in 1..=options.rounds {
        for kind in &kinds {
            let broker = Broker::start(*kind, tools, options.rabbitmq_port)?;
            if round == 1 {
                table.name_broker(*kind, broker.version()?);
            }
            for group in figures::ALL {
                if options.only.is_empty() || options.only.iter().any(|text| group.name.contains(text.as_str())) {
                    eprintln!("http: round {round} of {}: {} of {kind}", options.rounds, group.name);
                    (group.measure)(&broker, &sizes, &mut table)
                        .with_context(|| format!("{} of {kind}", group.name))?;
                }
            }
            broker.stop()?;
        }
    }
    options.common.publish("http", &table, options.rounds)
}
