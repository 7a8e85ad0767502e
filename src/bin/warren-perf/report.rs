//! What a run found, as a table for people and as JSON for programs.

use std::fmt::{self, Write as _};

use hdrhistogram::Histogram;
use serde::Serialize;

/// Significant digits kept of a latency.
const LATENCY_DIGITS: u8 = 3;

/// An empty histogram of latencies in nanoseconds, from one to a minute; longer ones count as a minute.
pub fn latencies() -> Histogram<u64> {
    const MINUTE_NS: u64 = 60_000_000_000;
    Histogram::new_with_bounds(1, MINUTE_NS, LATENCY_DIGITS).expect("the bounds are constant and valid")
}

/// The whole run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Every message arrived once and in order, and none was refused.
    pub ok: bool,
    /// What was wrong, one line each.
    pub failures: Vec<String>,
    /// Remarks that do not make the run fail.
    pub notes: Vec<String>,
    /// The options as given, program name left out.
    pub options: Vec<String>,
    /// First publish to last answer.
    pub publish: Option<Phase>,
    /// First publish (with a backlog: first delivery) to last delivery.
    pub deliver: Option<Phase>,
    /// Messages the server confirmed.
    pub confirmed: Option<u64>,
    /// Messages marked redelivered.
    pub redelivered: u64,
    /// Publish to delivery.
    pub latency_us: Option<Latency>,
    /// Publish to confirm.
    pub confirm_latency_us: Option<Latency>,
    /// The watched processes.
    pub server: Option<Server>,
    /// CPU seconds of this tool during the run.
    pub client_cpu_seconds: f64,
    /// The same per million messages, published or delivered, whichever are more.
    pub client_cpu_seconds_per_million: f64,
}

/// Messages in a time.
#[derive(Debug, Serialize)]
pub struct Phase {
    /// How many.
    pub messages: u64,
    /// In how long.
    pub seconds: f64,
    /// So many in a second.
    pub per_second: f64,
    /// CPU seconds of the watched processes. With a backlog: of this phase alone, else of the whole run.
    pub server_cpu_seconds: Option<f64>,
    /// The same per million of these messages.
    pub server_cpu_seconds_per_million: Option<f64>,
}

/// What the watched processes used.
#[derive(Debug, Serialize)]
pub struct Server {
    /// The processes, without their children.
    pub pids: Vec<u32>,
    /// User and system seconds during the run.
    pub cpu_seconds: f64,
    /// Resident memory before the first publish.
    pub resident_kib_before: u64,
    /// Resident memory with the whole backlog, when it was published first.
    pub resident_kib_published: Option<u64>,
    /// The most seen while it ran.
    pub resident_kib_peak: u64,
    /// Resident memory after the last message.
    pub resident_kib_after: u64,
    /// Resident memory after the rest that was asked for.
    pub resident_kib_settled: Option<u64>,
}

/// A distribution of latencies in microseconds.
#[derive(Debug, Serialize)]
pub struct Latency {
    pub samples: u64,
    pub min: f64,
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

impl Latency {
    /// Takes the percentiles; `None` without samples.
    pub fn of(histogram: &Histogram<u64>) -> Option<Self> {
        let us = |ns: u64| ns as f64 / 1_000.0;
        let at = |percentile| us(histogram.value_at_percentile(percentile));
        (!histogram.is_empty()).then(|| Self {
            samples: histogram.len(),
            min: us(histogram.min()),
            mean: histogram.mean() / 1_000.0,
            p50: at(50.0),
            p90: at(90.0),
            p99: at(99.0),
            p999: at(99.9),
            max: us(histogram.max()),
        })
    }
}

/// `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Microseconds with a unit that suits them.
fn time(us: f64) -> String {
    if us < 1_000.0 {
        format!("{us:.0} us")
    } else if us < 1_000_000.0 {
        format!("{:.2} ms", us / 1_000.0)
    } else {
        format!("{:.2} s", us / 1_000_000.0)
    }
}

fn mib(kib: u64) -> String {
    format!("{:.1} MiB", kib as f64 / 1024.0)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: String| writeln!(f, "{name:<16} {value}");
        for (name, phase) in [("published", &self.publish), ("delivered", &self.deliver)] {
            let Some(phase) = phase else { continue };
            let mut text = format!(
                "{} messages in {:.3} s, {} per second",
                grouped(phase.messages),
                phase.seconds,
                grouped(phase.per_second as u64)
            );
            if let Some(cpu) = phase.server_cpu_seconds_per_million {
                write!(text, ", server CPU {cpu:.3} s per million")?;
            }
            row(name, text)?;
        }
        if let Some(confirmed) = self.confirmed {
            row("confirmed", format!("{} messages", grouped(confirmed)))?;
        }
        if self.redelivered > 0 {
            row("redelivered", format!("{} messages", grouped(self.redelivered)))?;
        }
        for (name, latency) in [("latency", &self.latency_us), ("confirm latency", &self.confirm_latency_us)] {
            let Some(l) = latency else { continue };
            let values =
                [("min", l.min), ("p50", l.p50), ("p90", l.p90), ("p99", l.p99), ("p99.9", l.p999), ("max", l.max)];
            row(name, values.map(|(name, us)| format!("{name} {}", time(us))).join(", "))?;
        }
        if let Some(server) = &self.server {
            let moments = [
                ("before", Some(server.resident_kib_before)),
                ("with the backlog", server.resident_kib_published),
                ("at most", Some(server.resident_kib_peak)),
                ("after", Some(server.resident_kib_after)),
                ("settled", server.resident_kib_settled),
            ];
            let memory: Vec<String> =
                moments.iter().filter_map(|(when, kib)| Some(format!("{} {when}", mib((*kib)?)))).collect();
            row("server", format!("CPU {:.2} s; memory {}", server.cpu_seconds, memory.join(", ")))?;
        }
        row(
            "this tool",
            format!("CPU {:.2} s, {:.3} s per million", self.client_cpu_seconds, self.client_cpu_seconds_per_million),
        )?;
        for note in &self.notes {
            row("note", note.clone())?;
        }
        for failure in &self.failures {
            row("FAILED", failure.clone())?;
        }
        row("verification", if self.ok { "every message once and in order" } else { "FAILED" }.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([12.0, 1_500.0, 2_000_000.0].map(time), ["12 us", "1.50 ms", "2.00 s"]);
    }

    #[test]
    fn percentiles_come_in_microseconds() {
        let mut histogram = latencies();
        assert!(Latency::of(&histogram).is_none());
        (1..=1000).for_each(|us| histogram.saturating_record(us * 1_000));
        let latency = Latency::of(&histogram).unwrap();
        let close = |got: f64, wanted: f64| assert!((got - wanted).abs() <= wanted * 0.002, "{got} {wanted}");
        close(latency.p50, 500.0);
        close(latency.p99, 990.0);
        close(latency.max, 1000.0);
        assert_eq!(latency.samples, 1000);
    }
}
