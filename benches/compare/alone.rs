//! Cases that have a broker to themselves, started on an empty directory for each: long ones, and those that kill it.

use std::path::Path;

use anyhow::{Context, Result};

use crate::broker::{Broker, Kind};
use crate::table::{Table, Unit};
use crate::{backlog, isolation};

/// RabbitMQ is not asked to do what would take it longer than this.
const RABBITMQ_SECONDS_MAX: f64 = 120.0;

/// What the table says then.
pub const TOO_LONG: &str = "skipped: over 2 minutes";

/// One case.
pub struct Case {
    /// What `--only` looks at, and how its rows begin.
    pub name: &'static str,
    /// Rounds at most, for Warren.
    warren_rounds: usize,
    /// Rounds at most, for RabbitMQ.
    rabbitmq_rounds: usize,
    what: What,
}

enum What {
    /// Messages and their size.
    Backlog(u64, usize),
    /// Queues with a message each.
    Queues(u64),
    Isolation,
}

/// In the order they are run.
pub const ALL: &[Case] = &[
    Case { name: "1 M of 1 KB unread", warren_rounds: 3, rabbitmq_rounds: 1, what: What::Backlog(1_000_000, 1024) },
    Case { name: "10 M of 100 B unread", warren_rounds: 2, rabbitmq_rounds: 1, what: What::Backlog(10_000_000, 100) },
    Case { name: "10,000 queues", warren_rounds: 3, rabbitmq_rounds: 1, what: What::Queues(10_000) },
    Case { name: "isolation", warren_rounds: 3, rabbitmq_rounds: 1, what: What::Isolation },
];

/// What a case needs to know.
pub struct Setting<'a> {
    pub tools: &'a Path,
    pub rabbitmq_port: u16,
    pub scale: f64,
}

impl Setting<'_> {
    /// A broker on an empty directory.
    pub fn broker(&self, kind: Kind) -> Result<Broker> {
        Broker::start(kind, self.tools, self.rabbitmq_port)
    }

    /// A number of messages or queues as it is to be used.
    pub fn scaled(&self, count: u64) -> u64 {
        ((count as f64 * self.scale) as u64).max(100)
    }
}

impl Case {
    /// Whether it is to be run in this round.
    pub fn is_due(&self, kind: Kind, round: usize) -> bool {
        round
            <= match kind {
                Kind::Warren => self.warren_rounds,
                Kind::Rabbitmq => self.rabbitmq_rounds,
            }
    }

    /// Runs it once.
    pub fn measure(&self, kind: Kind, setting: &Setting<'_>, table: &mut Table) -> Result<()> {
        let done = match self.what {
            What::Backlog(messages, bytes) => {
                let (messages, name) = (setting.scaled(messages), self.name);
                // Filling, reading, and what it does in between.
                let seconds = messages as f64 / backlog::RABBITMQ_PER_SECOND * 2.0;
                if kind == Kind::Rabbitmq && seconds > RABBITMQ_SECONDS_MAX {
                    table.skip(&format!("{name}: memory"), Unit::Mebibytes, kind, TOO_LONG);
                    return Ok(());
                }
                backlog::messages(name, (messages, bytes), kind, setting, table)
            }
            What::Queues(queues) => backlog::queues(self.name, setting.scaled(queues), kind, setting, table),
            What::Isolation => isolation::measure(kind, setting, table),
        };
        done.with_context(|| format!("{} of {kind}", self.name))
    }
}
