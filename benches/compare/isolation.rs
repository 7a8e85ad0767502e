//! What a quiet queue notices of its neighbours: its latency alone, and beside queues that are filled, purged, read slowly,
//! sent huge messages, or made by the thousand.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::alone::Setting;
use crate::amqp::Client;
use crate::broker::{Broker, Kind};
use crate::perf::{self, Background, Report};
use crate::table::{Table, Unit};

/// The load of the queue that is watched, and for how long.
const QUIET: &str = "--queue-name quiet -s 16 --auto-ack --rate 500 --duration";
const WATCH_SECONDS: u64 = 4;

/// What a neighbour gets of time before the watch begins.
const HEAD_START: Duration = Duration::from_secs(1);

/// Longer than the watch, its start and its head start.
const NEIGHBOUR_SECONDS: u64 = 30;

/// Queues purged during one watch, and the time between two purges.
const PURGES: u64 = 4;
const PURGE_EVERY: Duration = Duration::from_millis(800);

/// How fast the neighbours are, so that the processor is not what the quiet queue waits for.
struct Pace {
    /// Messages of 1 KB per second into the queue that is filled.
    filling: u64,
    /// Messages of 100 B in each queue that is purged.
    purged: u64,
    /// Queues of the import.
    imported: u64,
}

fn pace(kind: Kind, setting: &Setting<'_>) -> Pace {
    match kind {
        Kind::Warren => Pace { filling: 50_000, purged: setting.scaled(1_000_000), imported: setting.scaled(10_000) },
        Kind::Rabbitmq => Pace { filling: 5_000, purged: setting.scaled(50_000), imported: setting.scaled(10_000) },
    }
}

/// Takes all of them.
pub fn measure(kind: Kind, setting: &Setting<'_>, table: &mut Table) -> Result<()> {
    let broker = setting.broker(kind)?;
    broker.allow_huge_messages()?;
    let pace = pace(kind, setting);
    // The first run of anything is slower.
    perf::run(&broker, &format!("{QUIET} 1"))?;
    let quiet = watch(&broker)?;
    let alone = quiet.number(P99)?;
    note("alone", &quiet, kind, None, table)?;

    let filling = format!(
        "--queue-name filled --consumers 0 --keep --persistent -s 1024 --rate {} --duration {NEIGHBOUR_SECONDS}",
        pace.filling
    );
    let filled = beside(&broker, &filling)?;
    note("beside a queue that only grows", &filled, kind, Some(alone), table)?;

    let purged = beside_purges(&broker, pace.purged)?;
    note("beside purges of long queues", &purged, kind, Some(alone), table)?;

    let slow = format!(
        "--queue-name slow --keep -s 1024 --rate 5000 --duration {NEIGHBOUR_SECONDS} --consume-rate 100 --prefetch 100"
    );
    let slow = beside(&broker, &slow)?;
    note("beside a slow consumer", &slow, kind, Some(alone), table)?;

    let huge =
        format!("--queue-name huge --keep -s 67108864 --rate 2 --confirm 1 --auto-ack --duration {NEIGHBOUR_SECONDS}");
    let huge = beside(&broker, &huge)?;
    note("beside messages of 64 MiB", &huge, kind, Some(alone), table)?;

    let imported = beside_import(&broker, pace.imported)?;
    note("beside an import of 10,000 queues", &imported, kind, Some(alone), table)?;
    broker.stop()
}

const P50: &str = "/latency_us/p50";
const P99: &str = "/latency_us/p99";

fn note(when: &str, report: &Report, kind: Kind, alone: Option<f64>, table: &mut Table) -> Result<()> {
    let row = |what: &str| format!("isolation, 500 messages per second {when}: {what}");
    table.record(&row("p50"), Unit::Microseconds, kind, report.number(P50)?);
    let p99 = report.number(P99)?;
    table.record(&row("p99"), Unit::Microseconds, kind, p99);
    if let Some(alone) = alone {
        table.record(&row("p99, times that alone"), Unit::Times, kind, p99 / alone);
    }
    Ok(())
}

fn watch(broker: &Broker) -> Result<Report> {
    perf::run(broker, &format!("{QUIET} {WATCH_SECONDS}"))
}

/// Watches the quiet queue beside a load.
fn beside(broker: &Broker, load: &str) -> Result<Report> {
    let mut neighbour = Background::start(broker, load)?;
    sleep(HEAD_START);
    let report = watch(broker)?;
    neighbour.ensure_running().with_context(|| load.to_owned())?;
    Ok(report)
}

/// Watches it while full queues are purged.
fn beside_purges(broker: &Broker, messages: u64) -> Result<Report> {
    let fill = format!(
        "--queue-name purged --queues {PURGES} --consumers 0 --keep --persistent -s 100 --count {}",
        messages * PURGES
    );
    perf::run(broker, &format!("{fill} --stall-timeout 120"))?;
    let mut client = Client::connect(broker.address())?;
    std::thread::scope(|scope| {
        let purging = scope.spawn(move || -> Result<()> {
            for queue in 1..=PURGES {
                sleep(PURGE_EVERY);
                client.purge(&format!("purged-{queue}"))?;
            }
            Ok(())
        });
        let report = watch(broker)?;
        let purged = purging.join().map_err(|_| anyhow::anyhow!("the purging thread panicked"))?;
        purged.context("a purge")?;
        Ok(report)
    })
}

/// Watches it while definitions are imported. The import may take longer than that, and is waited for.
fn beside_import(broker: &Broker, queues: u64) -> Result<Report> {
    let queue = |number| json!({"name": format!("imported-{number}"), "vhost": "/", "durable": true, "auto_delete": false, "arguments": {}});
    let definitions = json!({"queues": (0..queues).map(queue).collect::<Vec<_>>()}).to_string();
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("compare/definitions.json");
    std::fs::write(&path, definitions)?;
    let mut import = start_import(broker, &path)?;
    let report = watch(broker)?;
    let status = import.wait()?;
    ensure!(status.success(), "the import ended with {status}");
    Ok(report)
}

fn start_import(broker: &Broker, path: &std::path::Path) -> Result<Child> {
    let mut command: Command = broker.tool("rabbitmqctl");
    let mut child = command.arg("import_definitions").stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    let mut input = child.stdin.take().context("the tool's input is a pipe")?;
    input.write_all(&std::fs::read(path)?)?;
    Ok(child)
}
