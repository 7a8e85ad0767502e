//! A broker full of unread messages: its memory, its restart after a kill, and its memory when all has been read.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::alone::Setting;
use crate::amqp::{Client, Event};
use crate::broker::{Broker, Kind};
use crate::figures::resident_mib;
use crate::perf;
use crate::table::{Table, Unit};

/// What RabbitMQ takes in of persistent messages on a small machine, for an estimate of how long a case would take.
pub const RABBITMQ_PER_SECOND: f64 = 20_000.0;

/// The queue's name in `warren-perf`.
const QUEUE: &str = "warren-perf";

/// How long a broker may rest before its memory is read.
const SETTLE_SECONDS: u64 = 5;

/// How long a restarted broker may take until it holds what it held.
const PATIENCE: Duration = Duration::from_secs(180);

/// How often it is asked.
const ASK_EVERY: Duration = Duration::from_millis(1);

/// Fills one queue, kills the broker, starts it again, and drains the queue.
pub fn messages(
    name: &str,
    (count, bytes): (u64, usize),
    kind: Kind,
    setting: &Setting<'_>,
    table: &mut Table,
) -> Result<()> {
    let broker = setting.broker(kind)?;
    let fill = format!(
        "--consumers 0 --keep --persistent --confirm 1000 -s {bytes} --count {count} --settle {SETTLE_SECONDS} --stall-timeout 120"
    );
    let filled = perf::run(&broker, &fill)?;
    let row = |what: &str| format!("{name}: {what}");
    let mebibytes = |kib: f64| kib / 1024.0;
    let settled = mebibytes(filled.number("/server/resident_kib_settled")?);
    table.record(&row("memory"), Unit::Mebibytes, kind, settled);
    let peak = mebibytes(filled.number("/server/resident_kib_peak")?);
    table.record(&row("most memory while they came"), Unit::Mebibytes, kind, peak);

    let broker = restarted(broker, name, (QUEUE, count), table)?;
    table.record(&row("memory after that restart"), Unit::Mebibytes, kind, resident_mib(broker.pid())?);
    let drained =
        perf::run(&broker, &format!("--publishers 0 --ack-every 100 --settle {SETTLE_SECONDS} --stall-timeout 120"))?;
    table.record(&row("read, messages per second"), Unit::PerSecond, kind, drained.number("/deliver/per_second")?);
    let cpu = drained.number("/deliver/server_cpu_seconds_per_million")?;
    table.record(&row("read, CPU seconds per million"), Unit::Seconds, kind, cpu);
    let settled = mebibytes(drained.number("/server/resident_kib_settled")?);
    table.record(&row("memory when all is read"), Unit::Mebibytes, kind, settled);
    broker.stop()
}

/// Makes queues with a message each, kills the broker and starts it again.
pub fn queues(name: &str, count: u64, kind: Kind, setting: &Setting<'_>, table: &mut Table) -> Result<()> {
    let broker = setting.broker(kind)?;
    perf::run(
        &broker,
        &format!(
            "--consumers 0 --keep --persistent --confirm 1000 -s 16 --queues {count} --count {count} --stall-timeout 120"
        ),
    )?;
    sleep(Duration::from_secs(SETTLE_SECONDS));
    let memory = resident_mib(broker.pid())?;
    table.record(&format!("{name}: memory"), Unit::Mebibytes, kind, memory);
    let last = format!("{QUEUE}-{count}");
    restarted(broker, name, (&last, 1), table)?.stop()
}

/// Kills a broker and starts it again; returns it when a queue holds what it held and its first message was delivered.
fn restarted(broker: Broker, name: &str, (queue, count): (&str, u64), table: &mut Table) -> Result<Broker> {
    let kind = broker.kind();
    let broker = broker.crash_and_restart()?;
    let row = |what: &str| format!("{name}: kill -9, start to {what}");
    table.record(&row("first AMQP answer"), Unit::Seconds, kind, broker.started_in().as_secs_f64());
    let ready = await_queue(&broker, queue, count)?;
    table.record(&row("right count and first message"), Unit::Seconds, kind, ready.as_secs_f64());
    Ok(broker)
}

/// Asks until the queue has the count and hands out a message; returns how long that took since the process was started.
fn await_queue(broker: &Broker, queue: &str, count: u64) -> Result<Duration> {
    loop {
        // It does not accept connections or logins yet, or hangs up on them, or does not know the queue.
        let said = match first_message(broker, queue, count) {
            Ok(Answer::Delivered(at)) => return Ok(at - broker.started()),
            Ok(Answer::Holds(held)) => format!("it says that {queue} holds {held}"),
            Ok(Answer::Unknown) => format!("it knows no {queue}"),
            Err(error) => error.to_string(),
        };
        let waited = broker.started().elapsed();
        ensure!(waited < PATIENCE, "{queue} has not its {count} messages after {} s: {said}", waited.as_secs());
        sleep(ASK_EVERY);
    }
}

/// What a restarted broker says of a queue.
enum Answer {
    /// It has the right count, and its first message came at this moment.
    Delivered(Instant),
    /// It has another count.
    Holds(u32),
    /// There is none.
    Unknown,
}

fn first_message(broker: &Broker, queue: &str, count: u64) -> std::io::Result<Answer> {
    let mut client = Client::connect(broker.address())?;
    match client.count(queue)? {
        None => return Ok(Answer::Unknown),
        Some(held) if u64::from(held) != count => return Ok(Answer::Holds(held)),
        Some(_) => client.consume(queue, 1)?,
    }
    match client.event()? {
        Event::Delivery { .. } => Ok(Answer::Delivered(Instant::now())),
        Event::Confirm { .. } => Err(std::io::Error::other("a confirm where none was asked for")),
    }
}
