//! Runs `warren-perf` against a broker and takes figures out of its report.

use std::io::Read;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::broker::Broker;

fn command(broker: &Broker, options: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_warren-perf"));
    command.args(["--uri", &broker.uri(), "--json"]).args(options.split_whitespace()).stdin(Stdio::null());
    command
}

/// Runs it to its end; a failed verification is an error.
pub fn run(broker: &Broker, options: &str) -> Result<Report> {
    let output = command(broker, options).args(["--server-pid", &broker.pid().to_string()]).output()?;
    ensure!(output.status.success(), "warren-perf {options}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(Report(serde_json::from_slice(&output.stdout).context("the report of warren-perf")?))
}

/// What it reported.
pub struct Report(Value);

impl Report {
    /// A number of the report, by its JSON pointer.
    pub fn number(&self, pointer: &str) -> Result<f64> {
        self.0.pointer(pointer).and_then(Value::as_f64).with_context(|| format!("no {pointer} in the report"))
    }

    /// The messages that count: those delivered, or published where nobody consumes.
    pub fn messages(&self) -> Result<f64> {
        self.number(if self.0["deliver"].is_null() { "/publish/messages" } else { "/deliver/messages" })
    }
}

/// One that runs beside a measurement and whose own figures do not matter; it is ended when dropped.
pub struct Background(Child);

impl Background {
    /// Starts it with the lowest priority: it is there to load the broker, not the processor.
    pub fn start(broker: &Broker, options: &str) -> Result<Self> {
        let plain = command(broker, options);
        let mut gentle = Command::new("nice");
        gentle.args(["-n", "19"]).arg(plain.get_program()).args(plain.get_args());
        Ok(Self(gentle.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?))
    }

    /// Fails when it has ended already, so that a measurement beside nothing is noticed.
    pub fn ensure_running(&mut self) -> Result<()> {
        if self.0.try_wait()?.is_none() {
            return Ok(());
        }
        let mut said = String::new();
        if let Some(stderr) = &mut self.0.stderr {
            stderr.read_to_string(&mut said)?;
        }
        bail!("the load in the background ended before the measurement: {said}");
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
