//! What every bench beside RabbitMQ takes and gives: the options they share, and where the table goes.
//!
//! Knows nothing of what is measured; rounds, ports and the choice of figures are each bench's own.

use std::path::Path;

use anyhow::{Result, ensure};
use clap::Args;

use super::broker::Kind;
use super::machine;
use super::table::{self, Table};

/// Options of every bench.
#[derive(Debug, Args)]
pub struct Bench {
    /// Part of the usual numbers; below 1 for a quick look
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    pub scale: f64,

    /// Measure only this broker, for work on one of them
    #[arg(long, value_enum)]
    broker: Option<Kind>,

    /// Print the table, but leave BENCHMARKS.md as it is
    #[arg(long)]
    dry_run: bool,

    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

impl Bench {
    /// Whether cargo runs this as a bench; says how to when it does not. `cargo test --all-targets` runs
    /// benches too, and these take minutes and a RabbitMQ.
    pub fn is_wanted(&self, name: &str, rounds: usize) -> Result<bool> {
        if !self.bench {
            println!("run it with: cargo bench --bench {name}");
            return Ok(false);
        }
        ensure!(rounds > 0, "--rounds must be at least 1");
        ensure!(self.scale > 0.0, "--scale must be above 0");
        Ok(true)
    }

    /// The brokers to measure.
    pub fn kinds(&self) -> Vec<Kind> {
        self.broker.map_or(vec![Kind::Warren, Kind::Rabbitmq], |kind| vec![kind])
    }

    /// Prints the table, and writes it between the markers of this name.
    pub fn publish(&self, name: &str, table: &Table, rounds: usize) -> Result<()> {
        let section = table.section(&command_line(name), &machine::describe()?, rounds);
        println!("{section}");
        if !self.dry_run {
            table::replace_section(&root().join("BENCHMARKS.md"), name, &section)?;
        }
        Ok(())
    }
}

/// The checkout this was built in.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The command as a reader would type it.
fn command_line(name: &str) -> String {
    let given: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let tail = if given.is_empty() { String::new() } else { format!(" -- {}", given.join(" ")) };
    format!("cargo bench --bench {name}{tail}")
}
