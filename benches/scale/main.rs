//! Many of one thing on one broker: 10,000 idle connections, 1,000 channels on one connection, 100,000 queues, 100,000
//! bindings on one topic exchange. `cargo bench --bench scale` starts the built server on an empty directory for each case and
//! prints what each thing costs; with `--amqp` and `--pid` it looks at a broker that runs already.
//!
//! Owns the cases; `client` speaks to the broker. A case fails when the broker refuses one of the many.

mod client;
mod server;

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};

use client::Client;
use server::Server;

/// Opens, declares and binds very many things, and says what each costs.
#[derive(Debug, Parser)]
#[command(name = "scale", bin_name = "cargo bench --bench scale --")]
struct Options {
    /// Only this case (repeatable)
    #[arg(long, value_enum)]
    only: Vec<Case>,

    /// Part of the usual numbers; below 1 for a quick look
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    scale: f64,

    /// A running broker's address instead of a fresh server for each case
    #[arg(long, requires = "pid")]
    amqp: Option<SocketAddr>,

    /// The running broker's process, whose memory is read
    #[arg(long, requires = "amqp")]
    pid: Option<u32>,

    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Case {
    Connections,
    Channels,
    Queues,
    Bindings,
}

/// Idle connections, each after its handshake, without a channel.
const CONNECTIONS: usize = 10_000;
/// Channels on one connection.
const CHANNELS: usize = 1_000;
/// Durable classic queues without messages.
const QUEUES: usize = 100_000;
/// Bindings on one topic exchange, each with its own pattern.
const BINDINGS: usize = 100_000;
/// Confirmed messages published through the bindings.
const MESSAGES: usize = 100_000;

fn main() -> Result<()> {
    let options = Options::parse();
    server::allow_many_files()?;
    let of = |count: usize| ((count as f64 * options.scale) as usize).max(1);
    for case in [Case::Connections, Case::Channels, Case::Queues, Case::Bindings] {
        if !options.only.is_empty() && !options.only.contains(&case) {
            continue;
        }
        let server = match (options.amqp, options.pid) {
            (Some(address), Some(pid)) => Server::running(address, pid),
            _ => Server::start()?,
        };
        match case {
            Case::Connections => connections(&server, of(CONNECTIONS))?,
            Case::Channels => channels(&server, of(CHANNELS))?,
            Case::Queues => queues(&server, of(QUEUES))?,
            Case::Bindings => bindings(&server, of(BINDINGS), of(MESSAGES))?,
        }
    }
    Ok(())
}

/// Runs `work` between two looks at the broker's memory and says what each of `count` things cost.
fn measure<T>(server: &Server, what: &str, count: usize, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let (before, started) = (server.resident_bytes()?, Instant::now());
    let made = work()?;
    let seconds = started.elapsed().as_secs_f64();
    let each = server.resident_bytes()?.saturating_sub(before) as f64 / count as f64;
    println!(
        "{count} {what}: {seconds:.2} s, {:.0} per second, {each:.0} bytes of memory each",
        count as f64 / seconds
    );
    Ok(made)
}

fn connections(server: &Server, count: usize) -> Result<()> {
    // The first one warms up what all share.
    let mut first = Client::open(server.address)?;
    let others = measure(server, "idle connections", count, || {
        (0..count).map(|_| Client::open(server.address)).collect::<Result<Vec<_>>>()
    })?;
    first.open_channel(1)?;
    ensure!(others.len() == count && first.declare_queue("scale-c", 1)? == 0, "the broker does not serve any longer");
    first.delete_queue("scale-c")
}

fn channels(server: &Server, count: usize) -> Result<()> {
    let mut client = Client::open(server.address)?;
    measure(server, "channels of one connection", count, || {
        (1..=count).try_for_each(|number| client.open_channel(number as u16))
    })?;
    ensure!(client.declare_queue("scale-ch", count as u16)? == 0, "the last channel does not work");
    client.delete_queue("scale-ch")
}

fn queues(server: &Server, count: usize) -> Result<()> {
    let mut client = Client::open(server.address)?;
    client.open_channel(1)?;
    let names: Vec<String> = (0..count).map(|number| format!("scale-{number}")).collect();
    measure(server, "durable classic queues", count, || client.declare_queues(&names))?;
    let started = Instant::now();
    client.delete_queues(&names)?;
    println!("and deleted in {:.2} s", started.elapsed().as_secs_f64());
    Ok(())
}

fn bindings(server: &Server, count: usize, messages: usize) -> Result<()> {
    let mut client = Client::open(server.address)?;
    client.open_channel(1)?;
    client.declare_topic_exchange("scale-x")?;
    client.declare_queue("scale-b", 1)?;
    client.confirm()?;
    let plain = client.publish_all("scale-x", messages, count)?;
    let patterns: Vec<String> = (0..count).map(pattern).collect();
    measure(server, "bindings of one topic exchange", count, || client.bind_all("scale-b", "scale-x", &patterns))?;
    let routed = client.publish_all("scale-x", messages, count)?;
    let each = |seconds: f64| seconds * 1e6 / messages as f64;
    println!(
        "{messages} messages: {:.2} µs each without bindings, {:.2} µs each through them",
        each(plain),
        each(routed)
    );
    let waiting = client.declare_queue("scale-b", 1)? as usize;
    ensure!(waiting == messages, "{waiting} of {messages} messages came through");
    client.delete_queue("scale-b")
}

/// A pattern of its own for every number, one in three with a wildcard of each kind.
fn pattern(number: usize) -> String {
    match number % 3 {
        0 => format!("a{}.*.k{number}.c", number % 100),
        1 => format!("a{}.b.k{number}.#", number % 100),
        _ => format!("a{}.b.k{number}.c", number % 100),
    }
}

/// The key that exactly the pattern of that number matches.
fn key(number: usize) -> String {
    format!("a{}.b.k{number}.c", number % 100)
}
