//! The loads: one row each, run by `warren-perf`. To measure another load, add a row.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::broker::{Broker, Kind};
use crate::table::{Table, Unit};

/// One load.
pub struct Load {
    /// How the table calls it.
    pub name: &'static str,
    /// Options of `warren-perf` but for the number of messages.
    options: &'static str,
    /// Messages for Warren.
    warren: u64,
    /// Messages for RabbitMQ, which needs longer for each.
    rabbitmq: u64,
    /// What the table shows besides CPU seconds per million.
    columns: &'static [Column],
}

/// A figure of `warren-perf`'s report.
struct Column {
    name: &'static str,
    pointer: &'static str,
    unit: Unit,
}

const RATE: Column = Column { name: "messages per second", pointer: "/deliver/per_second", unit: Unit::PerSecond };
const PUBLISH_RATE: Column =
    Column { name: "messages per second", pointer: "/publish/per_second", unit: Unit::PerSecond };
const P50: Column = Column { name: "latency p50", pointer: "/latency_us/p50", unit: Unit::Microseconds };
const P99: Column = Column { name: "latency p99", pointer: "/latency_us/p99", unit: Unit::Microseconds };
const CONFIRM_P50: Column =
    Column { name: "confirm p50", pointer: "/confirm_latency_us/p50", unit: Unit::Microseconds };
const CONFIRM_P99: Column =
    Column { name: "confirm p99", pointer: "/confirm_latency_us/p99", unit: Unit::Microseconds };

/// In the order of the table.
pub const LOADS: &[Load] = &[
    Load {
        name: "16 B transient, automatic ack, 1 to 1",
        options: "-s 16 --auto-ack",
        warren: 3_000_000,
        rabbitmq: 200_000,
        columns: &[RATE],
    },
    Load {
        name: "1 KB transient, automatic ack, 1 to 1",
        options: "-s 1024 --auto-ack",
        warren: 1_000_000,
        rabbitmq: 100_000,
        columns: &[RATE],
    },
    Load {
        name: "1 KB persistent, confirms (window 1000), ack by 100",
        options: "-s 1024 --persistent --confirm 1000 --ack-every 100",
        warren: 500_000,
        rabbitmq: 50_000,
        columns: &[RATE, CONFIRM_P50, CONFIRM_P99],
    },
    Load {
        name: "16 B persistent, confirms (window 1000), ack by 100",
        options: "-s 16 --persistent --confirm 1000 --ack-every 100",
        warren: 500_000,
        rabbitmq: 75_000,
        columns: &[RATE, CONFIRM_P50, CONFIRM_P99],
    },
    Load {
        name: "fan-out of 1 KB to 10 queues, automatic ack",
        options: "-s 1024 --auto-ack --queues 10 --consumers 10 --exchange-kind fanout",
        warren: 100_000,
        rabbitmq: 10_000,
        columns: &[RATE],
    },
    Load {
        name: "16 B transient, publish only",
        options: "-s 16 --consumers 0",
        warren: 2_000_000,
        rabbitmq: 150_000,
        columns: &[PUBLISH_RATE],
    },
    Load {
        name: "16 B transient, 1000 per second",
        options: "-s 16 --auto-ack --rate 1000",
        warren: 3_000,
        rabbitmq: 3_000,
        columns: &[P50, P99],
    },
];

impl Load {
    /// Runs it once after a short warm-up and records what `warren-perf` found; a failed verification is an error.
    pub fn measure(&self, broker: &Broker, scale: f64, table: &mut Table) -> Result<()> {
        let full = match broker.kind() {
            Kind::Warren => self.warren,
            Kind::Rabbitmq => self.rabbitmq,
        };
        let count = ((full as f64 * scale) as u64).max(1_000);
        self.run(broker, (count / 10).max(1_000))?;
        let report = self.run(broker, count)?;
        let number = |pointer: &str| {
            report.pointer(pointer).and_then(Value::as_f64).with_context(|| format!("no {pointer} in the report"))
        };
        let messages = if report["deliver"].is_null() { "/publish/messages" } else { "/deliver/messages" };
        let cpu = number("/server/cpu_seconds")? * 1e6 / number(messages)?;
        let name = |what: &str| format!("{}: {what}", self.name);
        table.record(&name("CPU seconds per million"), Unit::Seconds, broker.kind(), cpu);
        for column in self.columns {
            table.record(&name(column.name), column.unit, broker.kind(), number(column.pointer)?);
        }
        Ok(())
    }

    fn run(&self, broker: &Broker, count: u64) -> Result<Value> {
        let output = Command::new(env!("CARGO_BIN_EXE_warren-perf"))
            .args(["--uri", &broker.uri(), "--json"])
            .args(["--server-pid", &broker.pid().to_string(), "--count", &count.to_string()])
            .args(self.options.split_whitespace())
            .stdin(Stdio::null())
            .output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).context("the report of warren-perf")
    }
}
