//! The loads: one row each, run by `warren-perf` on the brokers of a round. To measure another load, add a row.

use anyhow::Result;

use crate::broker::{Broker, Kind};
use crate::perf;
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
    /// Messages at least, however small the scale.
    least: u64,
    /// Rounds for RabbitMQ, where preparing takes it too long for all of them.
    rabbitmq_rounds: usize,
    /// Run a tenth of it before.
    warm_up: bool,
    /// The CPU seconds that count.
    cpu: &'static str,
    /// Options of the same load for one pair, whose rate this one's is compared with.
    beside: Option<&'static str>,
    /// What the table shows besides CPU seconds per million.
    columns: &'static [Column],
}

/// What most loads have.
const LOAD: Load = Load {
    name: "",
    options: "",
    warren: 0,
    rabbitmq: 0,
    least: 1_000,
    rabbitmq_rounds: usize::MAX,
    warm_up: true,
    cpu: "/server/cpu_seconds",
    beside: None,
    columns: &[],
};

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
        ..LOAD
    },
    Load {
        name: "1 KB transient, automatic ack, 1 to 1",
        options: "-s 1024 --auto-ack",
        warren: 1_000_000,
        rabbitmq: 100_000,
        columns: &[RATE],
        ..LOAD
    },
    Load {
        name: "1 KB persistent, confirms (window 1000), ack by 100",
        options: "-s 1024 --persistent --confirm 1000 --ack-every 100",
        warren: 500_000,
        rabbitmq: 50_000,
        columns: &[RATE, CONFIRM_P50, CONFIRM_P99],
        ..LOAD
    },
    Load {
        name: "16 B persistent, confirms (window 1000), ack by 100",
        options: "-s 16 --persistent --confirm 1000 --ack-every 100",
        warren: 500_000,
        rabbitmq: 75_000,
        columns: &[RATE, CONFIRM_P50, CONFIRM_P99],
        ..LOAD
    },
    Load {
        name: "fan-out of 1 KB to 10 queues, automatic ack",
        options: "-s 1024 --auto-ack --queues 10 --consumers 10 --exchange-kind fanout",
        warren: 100_000,
        rabbitmq: 10_000,
        columns: &[RATE],
        ..LOAD
    },
    Load {
        name: "16 B transient, publish only",
        options: "-s 16 --consumers 0",
        warren: 2_000_000,
        rabbitmq: 150_000,
        columns: &[PUBLISH_RATE],
        ..LOAD
    },
    Load {
        name: "16 B transient, 1000 per second",
        options: "-s 16 --auto-ack --rate 1000",
        warren: 3_000,
        rabbitmq: 3_000,
        columns: &[P50, P99],
        ..LOAD
    },
    Load {
        name: "single message round trip, 100 per second",
        options: "-s 16 --auto-ack --rate 100",
        warren: 400,
        rabbitmq: 400,
        least: 200,
        warm_up: false,
        columns: &[P50, P99],
        ..LOAD
    },
    Load {
        name: "topic exchange with 10,000 bindings, 16 B, automatic ack",
        options: "-s 16 --auto-ack --exchange-kind topic --bindings 10000 --stall-timeout 120",
        warren: 1_000_000,
        rabbitmq: 50_000,
        warm_up: false,
        // Making the bindings takes it half a minute.
        rabbitmq_rounds: 1,
        columns: &[RATE],
        ..LOAD
    },
    Load {
        name: "1000 queues, publishers and consumers, 10,000 per second, 16 B",
        options: "-s 16 --auto-ack --queues 1000 -x 1000 -y 1000 --connections 8 --rate 10000",
        warren: 40_000,
        rabbitmq: 40_000,
        warm_up: false,
        rabbitmq_rounds: 2,
        columns: &[P50, P99],
        ..LOAD
    },
    Load {
        name: "1000 queues, publishers and consumers, 10,000 per second, 1 KB persistent, confirms",
        options: "-s 1024 --persistent --confirm 100 --ack-every 10 --queues 1000 -x 1000 -y 1000 --connections 8 --rate 10000",
        warren: 40_000,
        rabbitmq: 40_000,
        warm_up: false,
        rabbitmq_rounds: 2,
        columns: &[P50, P99, CONFIRM_P50, CONFIRM_P99],
        ..LOAD
    },
    Load {
        name: "drain of a backlog of 1 KB persistent, ack by 100",
        options: "-s 1024 --persistent --ack-every 100 --backlog-first",
        warren: 1_000_000,
        rabbitmq: 100_000,
        warm_up: false,
        cpu: "/deliver/server_cpu_seconds",
        columns: &[RATE],
        ..LOAD
    },
    Load {
        name: "4 to 4 on 4 queues, 16 B transient, automatic ack",
        options: "-s 16 --auto-ack --queues 4 -x 4 -y 4",
        warren: 3_000_000,
        rabbitmq: 200_000,
        beside: Some("-s 16 --auto-ack"),
        columns: &[RATE],
        ..LOAD
    },
    Load {
        name: "4 to 4 on 4 queues, 1 KB persistent, confirms (window 100), ack by 20",
        options: "-s 1024 --persistent --confirm 100 --ack-every 20 --prefetch 100 --queues 4 -x 4 -y 4",
        warren: 300_000,
        rabbitmq: 30_000,
        beside: Some("-s 1024 --persistent --confirm 100 --ack-every 20 --prefetch 100"),
        columns: &[RATE],
        ..LOAD
    },
];

impl Load {
    /// Whether it is to be run in this round.
    pub fn is_due(&self, kind: Kind, round: usize) -> bool {
        kind == Kind::Warren || round <= self.rabbitmq_rounds
    }

    /// Runs it once, most after a short warm-up, and records what `warren-perf` found; a failed verification is an error.
    pub fn measure(&self, broker: &Broker, scale: f64, table: &mut Table) -> Result<()> {
        let full = match broker.kind() {
            Kind::Warren => self.warren,
            Kind::Rabbitmq => self.rabbitmq,
        };
        let count = ((full as f64 * scale) as u64).max(self.least);
        let run = |options: &str, count: u64| perf::run(broker, &format!("{options} --count {count}"));
        if self.warm_up {
            run(self.options, (count / 10).max(1_000))?;
        }
        let report = run(self.options, count)?;
        let cpu = report.number(self.cpu)? * 1e6 / report.messages()?;
        let name = |what: &str| format!("{}: {what}", self.name);
        table.record(&name("CPU seconds per million"), Unit::Seconds, broker.kind(), cpu);
        for column in self.columns {
            table.record(&name(column.name), column.unit, broker.kind(), report.number(column.pointer)?);
        }
        if let Some(one) = self.beside {
            let one = run(one, count)?.number(RATE.pointer)?;
            let times = report.number(RATE.pointer)? / one;
            table.record(&name("times one pair"), Unit::Times, broker.kind(), times);
        }
        Ok(())
    }
}
