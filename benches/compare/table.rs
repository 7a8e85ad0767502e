//! Keeps the samples and writes the table of their medians.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

use crate::broker::Kind;

const BEGIN: &str = "<!-- compare:begin -->";
const END: &str = "<!-- compare:end -->";

/// What a sample counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Seconds,
    Milliseconds,
    Microseconds,
    Mebibytes,
    PerSecond,
}

impl Unit {
    fn symbol(self) -> &'static str {
        match self {
            Self::Seconds => " s",
            Self::Milliseconds => " ms",
            Self::Microseconds => " µs",
            Self::Mebibytes => " MiB",
            Self::PerSecond => "",
        }
    }

    /// Three significant digits are more than two runs agree on.
    fn number(self, value: f64) -> String {
        match value.abs() {
            _ if self == Self::PerSecond => thousands(value),
            size if size >= 100.0 => thousands(value),
            size if size >= 10.0 => format!("{value:.1}"),
            size if size >= 1.0 => format!("{value:.2}"),
            _ => format!("{value:.3}"),
        }
    }
}

fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

struct Row {
    name: String,
    unit: Unit,
    warren: Vec<f64>,
    rabbitmq: Vec<f64>,
}

/// All samples, by figure, in the order figures were first seen.
#[derive(Default)]
pub struct Table {
    rows: Vec<Row>,
    versions: Vec<(Kind, String)>,
}

impl Table {
    /// Says which version a broker is.
    pub fn name_broker(&mut self, kind: Kind, version: String) {
        self.versions.push((kind, version));
    }

    /// Adds a sample.
    pub fn record(&mut self, name: &str, unit: Unit, kind: Kind, value: f64) {
        let at = self.rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
            self.rows.push(Row { name: name.to_owned(), unit, warren: Vec::new(), rabbitmq: Vec::new() });
            self.rows.len() - 1
        });
        match kind {
            Kind::Warren => self.rows[at].warren.push(value),
            Kind::Rabbitmq => self.rows[at].rabbitmq.push(value),
        }
    }

    /// The section for BENCHMARKS.md, without its markers.
    pub fn section(&self, command: &str, machine: &str, rounds: usize) -> String {
        let version =
            |kind| self.versions.iter().find(|(known, _)| *known == kind).map_or("–", |(_, text)| text.as_str());
        let mut text = format!(
            "Made by `{command}` on {machine}.\n\nMedians of {rounds}, smallest and largest in parentheses.\n\n\
             | figure | Warren {} | RabbitMQ {} | RabbitMQ ÷ Warren |\n|---|---:|---:|---:|\n",
            version(Kind::Warren),
            version(Kind::Rabbitmq)
        );
        for row in &self.rows {
            let cell = |samples: &[f64]| cell(samples, row.unit);
            let ratio = match (median(&row.warren), median(&row.rabbitmq)) {
                (Some(warren), Some(rabbitmq)) if warren > 0.0 => Unit::Seconds.number(rabbitmq / warren),
                _ => "–".to_owned(),
            };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "| {} | {} | {} | {ratio} |", row.name, cell(&row.warren), cell(&row.rabbitmq));
        }
        text
    }
}

fn sorted(samples: &[f64]) -> Vec<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn median(samples: &[f64]) -> Option<f64> {
    let sorted = sorted(samples);
    let upper = *sorted.get(sorted.len() / 2)?;
    Some(if sorted.len().is_multiple_of(2) { (sorted[sorted.len() / 2 - 1] + upper) / 2.0 } else { upper })
}

fn cell(samples: &[f64], unit: Unit) -> String {
    let sorted = sorted(samples);
    match (median(samples), sorted.first(), sorted.last()) {
        (Some(median), Some(least), Some(most)) if sorted.len() > 1 => {
            format!("{}{} ({}–{})", unit.number(median), unit.symbol(), unit.number(*least), unit.number(*most))
        }
        (Some(median), ..) => format!("{}{}", unit.number(median), unit.symbol()),
        _ => "–".to_owned(),
    }
}

/// Puts the section between the markers of a file.
pub fn replace_section(path: &Path, section: &str) -> Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let (before, rest) = text.split_once(BEGIN).with_context(|| format!("{} has no {BEGIN}", path.display()))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("{} has no {END} after that", path.display()))?;
    std::fs::write(path, format!("{before}{BEGIN}\n{}\n{END}{after}", section.trim_end()))?;
    Ok(())
}
