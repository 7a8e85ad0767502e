//! Runs the fuzz targets for a time or a number of executions, and says how many there were.

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use clap::{Parser, ValueEnum};
use fuzz::{connection, frames, tables};

/// Random input for frames, tables and whole connections, until the time or the number is over or a rule does not hold.
#[derive(Debug, Parser)]
#[command(name = "fuzz", bin_name = "cargo run --release -p fuzz --")]
struct Options {
    /// Only this target; all of them share the time otherwise
    #[arg(long, value_enum)]
    target: Option<Target>,

    /// Minutes to run
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,

    /// Executions to run of each target, if that is over earlier
    #[arg(long, default_value_t = u64::MAX)]
    executions: u64,

    /// First seed; each execution takes the next one. Chosen by the clock when not given
    #[arg(long)]
    seed: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    Frames,
    Tables,
    Connection,
}

/// Executions of the quick targets in one turn; the slow one has [`CONNECTIONS_PER_TURN`].
const QUICK_PER_TURN: u64 = 2000;
/// Executions of the target `connection` in one turn.
const CONNECTIONS_PER_TURN: u64 = 50;
/// Between two lines of progress.
const SAY_EVERY: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let options = Options::parse();
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let seed = options.seed.unwrap_or(clock.as_secs() << 32);
    println!("first seed {seed}");
    let mut counts = [0u64; 3];
    let outcome = run(&options, seed, &mut counts);
    say(&counts);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(finding) => {
            println!("FINDING: {finding:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options, first: u64, counts: &mut [u64; 3]) -> Result<()> {
    let (started, mut said) = (Instant::now(), Instant::now());
    let mut connections = connection::Target::new();
    let wanted = |target| options.target.is_none_or(|chosen| chosen == target);
    let targets = [Target::Frames, Target::Tables, Target::Connection];
    loop {
        let mut any = false;
        for (target, count) in targets.into_iter().zip(&mut *counts) {
            let turn = if target == Target::Connection { CONNECTIONS_PER_TURN } else { QUICK_PER_TURN };
            for _ in 0..turn {
                if !wanted(target) || *count >= options.executions {
                    break;
                }
                any = true;
                let seed = first.wrapping_add(*count);
                *count += 1;
                once(target, seed, &mut connections)
                    .map_err(|finding| finding.context(format!("target {target:?}, seed {seed}")))?;
            }
        }
        if said.elapsed() >= SAY_EVERY {
            said = Instant::now();
            say(counts);
        }
        if !any || started.elapsed().as_secs_f64() >= options.minutes * 60.0 {
            return connections.stop();
        }
    }
}

fn once(target: Target, seed: u64, connections: &mut connection::Target) -> Result<()> {
    let pure = match target {
        Target::Frames => frames::run,
        Target::Tables => tables::run,
        Target::Connection => return connections.run(seed),
    };
    catch_unwind(|| pure(seed)).map_err(|_panic| anyhow!("it panicked; the message is above"))
}

fn say(counts: &[u64; 3]) {
    println!("executions: frames {}, tables {}, connection {}", counts[0], counts[1], counts[2]);
}
