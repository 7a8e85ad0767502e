//! Figures of the brokers of a round that are not loads: commands, provisioning, memory when idle.

use std::fs::read_to_string;
use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::broker::{Broker, Kind};
use crate::machine;
use crate::table::{Table, Unit};
use crate::tools::{TENANTS, children_cpu_seconds, provisioning_script, run_quietly};

/// Taken when a broker starts.
pub const START: &str = "start to first AMQP answer, empty directory";

/// One figure, or some that are taken together.
pub struct Figure {
    /// What `--only` looks at.
    pub name: &'static str,
    /// Rounds in which it is taken from RabbitMQ.
    pub rabbitmq_rounds: usize,
    /// Takes it once.
    pub measure: fn(&Broker, &mut Table) -> Result<()>,
}

/// In the order they are taken.
pub const ALL: &[Figure] = &[
    Figure { name: "idle memory", rabbitmq_rounds: usize::MAX, measure: idle_memory },
    Figure { name: "list_users", rabbitmq_rounds: usize::MAX, measure: list_users },
    // It takes RabbitMQ the better part of a minute.
    Figure { name: "provisioning", rabbitmq_rounds: 3, measure: provisioning },
    Figure { name: "disk", rabbitmq_rounds: usize::MAX, measure: disk },
];

/// What a broker does right after its start is not yet idleness.
const SETTLE: Duration = Duration::from_secs(5);

fn idle_memory(broker: &Broker, table: &mut Table) -> Result<()> {
    std::thread::sleep(SETTLE);
    table.record("idle memory, resident", Unit::Mebibytes, broker.kind(), resident_mib(broker.pid())?);
    Ok(())
}

/// Resident memory of the broker's main process.
pub fn resident_mib(pid: u32) -> Result<f64> {
    let status = read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS in /proc/PID/status")?;
    let kib: f64 = line.split_whitespace().next().unwrap_or_default().parse()?;
    Ok(kib / 1024.0)
}

fn list_users(broker: &Broker, table: &mut Table) -> Result<()> {
    // Processor time is counted in hundredths of a second, so a quick command is run often enough to see it.
    let times = match broker.kind() {
        Kind::Warren => 50,
        Kind::Rabbitmq => 3,
    };
    let (cpu_before, mut wall) = (children_cpu_seconds()?, Vec::new());
    for _ in 0..times {
        let started = Instant::now();
        let mut command = broker.tool("rabbitmqctl");
        run_quietly(command.arg("list_users").stdin(Stdio::null()))?;
        wall.push(started.elapsed().as_secs_f64());
    }
    let cpu = (children_cpu_seconds()? - cpu_before) / f64::from(times);
    let mean = wall.iter().sum::<f64>() / wall.len() as f64;
    table.record("one `list_users`, wall", Unit::Milliseconds, broker.kind(), mean * 1e3);
    table.record("one `list_users`, CPU of the command", Unit::Milliseconds, broker.kind(), cpu * 1e3);
    Ok(())
}

fn provisioning(broker: &Broker, table: &mut Table) -> Result<()> {
    let started = Instant::now();
    let mut command = broker.tool("bash");
    let mut shell = command.arg("-s").stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    let mut input = shell.stdin.take().context("the shell's input is a pipe")?;
    input.write_all(provisioning_script(TENANTS).as_bytes())?;
    drop(input);
    ensure!(shell.wait()?.success(), "a command of the script failed");
    let seconds = started.elapsed().as_secs_f64();
    table.record("provisioning script of 100 commands, wall", Unit::Seconds, broker.kind(), seconds);
    Ok(())
}

/// The disk belongs to neither, but its speed is what a confirm waits for.
fn disk(broker: &Broker, table: &mut Table) -> Result<()> {
    let sync = machine::sync()?;
    table.record("the disk: 4 KiB write with fdatasync, median", Unit::Microseconds, broker.kind(), sync.median_us);
    table.record("the disk: 4 KiB write with fdatasync, p99", Unit::Microseconds, broker.kind(), sync.p99_us);
    Ok(())
}
