//! What watching costs: throughput while a dashboard asks for everything, and the memory that samples of counters take.
//!
//! Stretches with and without a dashboard alternate, so that neither is the one that ran while the machine was quick.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::amqp;
use crate::broker::{Broker, Kind};
use crate::client::Client;
use crate::figures::{QUEUES, Sizes, scaled};
use crate::perf;
use crate::process::{cpu_seconds, resident_bytes};
use crate::table::{Table, Unit};

/// Stretches of each sort in a round.
const TURNS: usize = 3;
/// How often a dashboard asks for everything.
const POLLED_EVERY: Duration = Duration::from_secs(1);
/// What it asks for.
const DASHBOARD: [&str; 6] =
    ["/api/overview", "/api/queues", "/api/connections", "/api/channels", "/api/exchanges", "/api/nodes"];
/// How often each queue is published to while samples are taken.
const BUSY_EVERY: Duration = Duration::from_millis(500);

/// One stretch of messages through one queue.
#[derive(Clone, Copy)]
struct Stretch {
    messages: f64,
    per_second: f64,
    cpu_seconds: f64,
    polls: usize,
}

/// Messages per second through one queue, alone and while somebody watches everything.
pub fn dashboard(broker: &Broker, sizes: &Sizes, table: &mut Table) -> Result<()> {
    let seconds = sizes.stretch.as_secs_f64();
    // What the broker learns on the way counts for neither.
    stretch(broker, seconds / 2.0, false)?;
    let (mut alone, mut watched) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        alone.push(stretch(broker, seconds, false)?);
        watched.push(stretch(broker, seconds, true)?);
    }
    let kind = broker.kind();
    let rate = |stretches: &[Stretch]| median(stretches.iter().map(|stretch| stretch.per_second));
    let cpu =
        |stretches: &[Stretch]| median(stretches.iter().map(|stretch| stretch.cpu_seconds / stretch.messages * 1e6));
    table.record("messages per second", Unit::PerSecond, kind, rate(&alone));
    let name = "messages per second while a dashboard asks for everything each second";
    table.record(name, Unit::PerSecond, kind, rate(&watched));
    table.record("… as part of those alone", Unit::Times, kind, rate(&watched) / rate(&alone));
    table.record("CPU of a million messages", Unit::Seconds, kind, cpu(&alone));
    table.record("… with the dashboard", Unit::Seconds, kind, cpu(&watched));
    let polls: usize = watched.iter().map(|stretch| stretch.polls).sum();
    table.record("… times it asked", Unit::Count, kind, polls as f64);
    table.record("… in seconds", Unit::Count, kind, seconds * TURNS as f64);
    Ok(())
}

fn stretch(broker: &Broker, seconds: f64, watched: bool) -> Result<Stretch> {
    let options = format!("-s 16 --auto-ack --duration {seconds:.1}");
    let polling = AtomicBool::new(watched);
    let before = cpu_seconds(broker.pid())?;
    let (report, polls) = std::thread::scope(|scope| {
        let poll = scope.spawn(|| poll(broker, &polling));
        let report = perf::run(broker, &options);
        polling.store(false, Relaxed);
        (report, poll.join())
    });
    let (report, polls) = (report?, polls.ok().context("the dashboard panicked")??);
    let cpu_seconds = cpu_seconds(broker.pid())? - before;
    Ok(Stretch { messages: report.messages()?, per_second: report.number("/deliver/per_second")?, cpu_seconds, polls })
}

/// Asks for everything each second until it is told to stop; returns how often.
fn poll(broker: &Broker, polling: &AtomicBool) -> Result<usize> {
    let mut client = Client::open(broker.management())?;
    let mut polls = 0;
    while polling.load(Relaxed) {
        let started = Instant::now();
        for path in DASHBOARD {
            client.get(path)?;
        }
        polls += 1;
        sleep(POLLED_EVERY.saturating_sub(started.elapsed()));
    }
    Ok(polls)
}

/// Memory of the samples of many queues that are published to all the time: by the server's own account, and by how much
/// more is resident than in a server that samples nothing.
pub fn statistics(broker: &Broker, sizes: &Sizes, table: &mut Table) -> Result<()> {
    let seconds = sizes.statistics.as_secs();
    let account = format!("memory of samples of {QUEUES} busy queues after {seconds} s, by its own account");
    let resident = format!("memory of samples of {QUEUES} busy queues after {seconds} s, as resident memory");
    if broker.kind() == Kind::Rabbitmq {
        for name in [&account, &resident] {
            table.skip(name, Unit::Mebibytes, Kind::Rabbitmq, "not measured");
        }
        return Ok(());
    }
    let (with, sampled) = busy(sizes, false)?;
    let (without, _) = busy(sizes, true)?;
    let mebibytes = |bytes: f64| bytes / 1024.0 / 1024.0;
    table.record(&account, Unit::Mebibytes, Kind::Warren, mebibytes(sampled));
    table.record(&resident, Unit::Mebibytes, Kind::Warren, mebibytes(with - without));
    Ok(())
}

/// Resident memory and the account of samples of a server whose queues have all been published to for a while.
fn busy(sizes: &Sizes, disabled: bool) -> Result<(f64, f64)> {
    // A sample each second, so that as many are kept soon as usually in ten minutes.
    let settings = [
        format!("management.disable_stats={disabled}"),
        "collect_statistics_interval=1000".to_owned(),
        "management.sample_retention_policies.basic.600=1".to_owned(),
    ];
    let broker = Broker::start_warren_with(&sizes.tools, "statistics", &settings)?;
    let mut http = Client::open(broker.management())?;
    // The queues stay as long as they are.
    let policy = r#"{"pattern":"","apply-to":"queues","definition":{"max-length":1}}"#;
    http.ask("PUT", "/api/policies/%2F/one", policy)?;
    let queues: Vec<String> = (0..scaled(QUEUES, sizes.scale)).map(|number| format!("busy-{number}")).collect();
    let mut client = amqp::Client::open(broker.address())?;
    client.open_channel(1)?;
    client.declare_queues(&queues)?;
    client.confirm()?;
    let started = Instant::now();
    while started.elapsed() < sizes.statistics {
        let turn = Instant::now();
        client.publish_to_each(&queues)?;
        sleep(BUSY_EVERY.saturating_sub(turn.elapsed()));
    }
    let resident = resident_bytes(broker.pid())?;
    let nodes: Value = serde_json::from_slice(http.get("/api/nodes?columns=name")?)?;
    let node = nodes[0]["name"].as_str().context("a node has a name")?.to_owned();
    let memory: Value = serde_json::from_slice(http.get(&format!("/api/nodes/{node}/memory"))?)?;
    let sampled = memory["memory"]["mgmt_db"].as_f64().context("memory of samples")?;
    broker.stop()?;
    Ok((resident, sampled))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
