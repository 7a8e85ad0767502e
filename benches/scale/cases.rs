//! The cases: each takes a broker on an empty directory, makes very many of one thing, and records what each costs.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::ValueEnum;

use crate::broker::{Broker, Kind};
use crate::client::Client;
use crate::http;
use crate::process::{cpu_seconds, open_files, resident_bytes};
use crate::table::{Table, Unit};

/// What there are many of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Case {
    /// Idle connections, each after its handshake, without a channel
    Connections,
    /// Channels on one connection
    Channels,
    /// Durable classic queues without messages
    Queues,
    /// Bindings on one topic exchange, each with its own pattern
    Bindings,
    /// Queues that a new policy applies to
    Policy,
}

/// In the order they are run.
pub const ALL: [Case; 5] = [Case::Connections, Case::Channels, Case::Queues, Case::Bindings, Case::Policy];

/// Confirmed messages published through the bindings.
const MESSAGES: usize = 100_000;
/// Queues declared one by one, each after the answer to the one before.
const ONE_BY_ONE: usize = 1_000;
/// Connections that declare at once.
const DECLARING: usize = 10;
/// The longest wait for connections to be gone, and for a policy.
const PATIENCE: Duration = Duration::from_secs(120);

impl Case {
    /// How many there are. RabbitMQ takes minutes for 100,000 queues or bindings, so it has fewer; figures are per piece.
    fn count(self, kind: Kind) -> usize {
        match (self, kind) {
            (Self::Channels, _) => 1_000,
            (Self::Connections | Self::Policy, _) | (Self::Queues | Self::Bindings, Kind::Rabbitmq) => 10_000,
            (Self::Queues | Self::Bindings, Kind::Warren) => 100_000,
        }
    }

    /// Runs it on a broker of its own.
    pub fn measure(self, broker: Broker, scale: f64, table: &mut Table) -> Result<()> {
        let count = ((self.count(broker.kind()) as f64 * scale) as usize).max(DECLARING);
        let mut figures = Figures { kind: broker.kind(), table };
        match self {
            Self::Connections => connections(&broker, count, &mut figures)?,
            Self::Channels => channels(&broker, count, &mut figures)?,
            Self::Queues => return queues(broker, count, &mut figures),
            Self::Bindings => bindings(&broker, count, &mut figures)?,
            Self::Policy => policy(&broker, count, &mut figures)?,
        }
        broker.stop()
    }
}

/// Where a broker's figures go.
struct Figures<'a> {
    kind: Kind,
    table: &'a mut Table,
}

impl Figures<'_> {
    fn record(&mut self, name: &str, unit: Unit, value: f64) {
        self.table.record(name, unit, self.kind, value);
    }
}

/// What so many things took to make.
struct Cost {
    seconds: f64,
    cpu_seconds: f64,
    bytes: f64,
}

/// Runs `work` between two looks at the broker's process.
fn cost<T>(broker: &Broker, work: impl FnOnce() -> Result<T>) -> Result<(T, Cost)> {
    let (bytes, cpu, started) = (resident_bytes(broker.pid())?, cpu_seconds(broker.pid())?, Instant::now());
    let made = work()?;
    let seconds = started.elapsed().as_secs_f64();
    let cost =
        Cost { seconds, cpu_seconds: cpu_seconds(broker.pid())? - cpu, bytes: resident_bytes(broker.pid())? - bytes };
    Ok((made, cost))
}

fn connections(broker: &Broker, count: usize, figures: &mut Figures<'_>) -> Result<()> {
    let address = broker.address();
    // The first one warms up what all share.
    let mut first = Client::open(address)?;
    let files = open_files(broker.pid())?;
    let open = || (0..count).map(|_| Client::open(address)).collect::<Result<Vec<_>>>();
    let (others, cost) = cost(broker, open)?;
    let n = count as f64;
    figures.record("idle connections", Unit::Count, n);
    figures.record("idle connections: opened one after the other, per second", Unit::PerSecond, n / cost.seconds);
    figures.record("idle connections: CPU to open one", Unit::Microseconds, cost.cpu_seconds / n * 1e6);
    figures.record("idle connections: memory of one", Unit::Bytes, cost.bytes / n);
    first.open_channel(1)?;
    ensure!(first.declare_queue("scale-c", 1)? == 0, "the broker does not serve any longer");
    let closing = Instant::now();
    drop(others);
    while open_files(broker.pid())? > files {
        ensure!(closing.elapsed() < PATIENCE, "connections that were closed stay");
        std::thread::sleep(Duration::from_millis(1));
    }
    figures.record("idle connections: all closed at once", Unit::Seconds, closing.elapsed().as_secs_f64());
    Ok(())
}

fn channels(broker: &Broker, count: usize, figures: &mut Figures<'_>) -> Result<()> {
    let mut client = Client::open(broker.address())?;
    let open = || (1..=count).try_for_each(|number| client.open_channel(number as u16));
    let ((), cost) = cost(broker, open)?;
    let n = count as f64;
    figures.record("channels of one connection", Unit::Count, n);
    figures.record(
        "channels of one connection: opened one after the other, per second",
        Unit::PerSecond,
        n / cost.seconds,
    );
    figures.record("channels of one connection: memory of one", Unit::Bytes, cost.bytes / n);
    ensure!(client.declare_queue("scale-ch", count as u16)? == 0, "the last channel does not work");
    Ok(())
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}-{number}")).collect()
}

fn queues(broker: Broker, count: usize, figures: &mut Figures<'_>) -> Result<()> {
    let bare = resident_bytes(broker.pid())?;
    let mut client = Client::open(broker.address())?;
    client.open_channel(1)?;
    let first = names("first", ONE_BY_ONE);
    let started = Instant::now();
    client.declare_one_by_one(&first)?;
    let each = ONE_BY_ONE as f64 / started.elapsed().as_secs_f64();

    let mut clients = (0..DECLARING)
        .map(|_| Client::open(broker.address()).and_then(|mut client| client.open_channel(1).map(|()| client)))
        .collect::<Result<Vec<_>>>()?;
    let names = names("scale", count);
    let share = count.div_ceil(DECLARING);
    let declare = || {
        std::thread::scope(|scope| {
            let declaring: Vec<_> = clients
                .iter_mut()
                .zip(names.chunks(share))
                .map(|(client, names)| scope.spawn(move || client.declare_queues(names)))
                .collect();
            declaring.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| anyhow::bail!("panicked")))
        })
    };
    let ((), cost) = cost(&broker, declare)?;
    let n = count as f64;
    figures.record("durable classic queues", Unit::Count, n);
    figures.record(
        "durable classic queues: declared by 10 connections without waiting, per second",
        Unit::PerSecond,
        n / cost.seconds,
    );
    figures.record("durable classic queues: declared one after the other, per second", Unit::PerSecond, each);
    figures.record("durable classic queues: memory of an idle one", Unit::Bytes, cost.bytes / n);
    let listing = Instant::now();
    http::Client::open(broker.management())?.get("/api/queues?columns=name,messages&page=1&page_size=500")?;
    figures.record(
        "durable classic queues: a page of 500 of the list",
        Unit::Milliseconds,
        listing.elapsed().as_secs_f64() * 1e3,
    );
    drop(clients);
    drop(client);

    let broker = broker.crash_and_restart()?;
    figures.record(
        "durable classic queues: kill -9, start to first AMQP answer",
        Unit::Seconds,
        broker.started_in().as_secs_f64(),
    );
    let mut client = Client::open(broker.address())?;
    client.open_channel(1)?;
    ensure!(client.declare_queue(&names[count - 1], 1)? == 0, "the last queue is not there");
    let each = (resident_bytes(broker.pid())? - bare) / n;
    figures.record("durable classic queues: memory of an idle one after that restart", Unit::Bytes, each);
    let deleting = Instant::now();
    client.delete_queues(&names)?;
    figures.record(
        "durable classic queues: deleted by one connection, per second",
        Unit::PerSecond,
        n / deleting.elapsed().as_secs_f64(),
    );
    broker.stop()
}

fn bindings(broker: &Broker, count: usize, figures: &mut Figures<'_>) -> Result<()> {
    let mut client = Client::open(broker.address())?;
    client.open_channel(1)?;
    client.declare_topic_exchange("scale-x")?;
    client.declare_queue("scale-b", 1)?;
    client.confirm()?;
    let plain = client.publish_all("scale-x", keys(count))?;
    let patterns: Vec<String> = (0..count).map(pattern).collect();
    let ((), cost) = cost(broker, || client.bind_all("scale-b", "scale-x", &patterns))?;
    let n = count as f64;
    figures.record("bindings of one topic exchange", Unit::Count, n);
    figures.record("bindings of one topic exchange: added, per second", Unit::PerSecond, n / cost.seconds);
    figures.record("bindings of one topic exchange: memory of one", Unit::Bytes, cost.bytes / n);
    let routed = client.publish_all("scale-x", keys(count))?;
    let each = |seconds: f64| seconds * 1e6 / MESSAGES as f64;
    figures.record(
        "bindings of one topic exchange: a confirmed message before there were any",
        Unit::Microseconds,
        each(plain),
    );
    figures.record(
        "bindings of one topic exchange: a confirmed message through them, each with another key",
        Unit::Microseconds,
        each(routed),
    );
    let waiting = client.declare_queue("scale-b", 1)? as usize;
    ensure!(waiting == MESSAGES, "{waiting} of {MESSAGES} messages came through");
    Ok(())
}

fn policy(broker: &Broker, count: usize, figures: &mut Figures<'_>) -> Result<()> {
    let mut client = Client::open(broker.address())?;
    client.open_channel(1)?;
    let names = names("scale-p", count);
    client.declare_queues(&names)?;
    client.confirm()?;
    ensure!(client.publish_to_each(&names)? == 0, "a queue without a policy refuses messages");
    let listing = Instant::now();
    let bytes = http::Client::open(broker.management())?.get("/api/queues")?.len();
    ensure!(bytes > count, "the list of queues is short");
    figures.record("all queues listed over HTTP", Unit::Milliseconds, listing.elapsed().as_secs_f64() * 1e3);

    let policy =
        r#"{"pattern":"^scale-p","definition":{"max-length":1,"overflow":"reject-publish"},"apply-to":"queues"}"#;
    let started = Instant::now();
    http::Client::open(broker.management())?.ask("PUT", "/api/policies/%2F/scale", policy)?;
    let answered = started.elapsed();
    while client.publish_to_each(&names)? < count {
        ensure!(started.elapsed() < PATIENCE, "a policy does not reach every queue");
    }
    figures.record("queues a new policy applies to", Unit::Count, count as f64);
    figures.record(
        "queues a new policy applies to: until it is answered",
        Unit::Milliseconds,
        answered.as_secs_f64() * 1e3,
    );
    figures.record(
        "queues a new policy applies to: until each has refused a message by it",
        Unit::Milliseconds,
        started.elapsed().as_secs_f64() * 1e3,
    );
    Ok(())
}

/// The keys of as many messages, striding through the patterns, so that no route is asked for twice in a row.
fn keys(patterns: usize) -> impl Iterator<Item = String> {
    const STRIDE: usize = 7919;
    (0..MESSAGES).map(move |number| key(number * STRIDE % patterns))
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
