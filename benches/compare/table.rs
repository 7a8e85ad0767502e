//! Keeps the samples and writes the table of their medians. Shared by the benches that stand a RabbitMQ beside Warren.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

use crate::broker::Kind;

/// What a sample counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Seconds,
    Milliseconds,
    Microseconds,
    Mebibytes,
    PerSecond,
    Bytes,
    /// How many there were, which is no figure of merit.
    Count,
    /// A ratio.
    Times,
}

impl Unit {
    fn symbol(self) -> &'static str {
        match self {
            Self::Seconds => " s",
            Self::Milliseconds => " ms",
            Self::Microseconds => " µs",
            Self::Mebibytes => " MiB",
            Self::Bytes => " B",
            Self::PerSecond | Self::Count => "",
            Self::Times => " ×",
        }
    }

    /// Three significant digits are more than two runs agree on.
    fn number(self, value: f64) -> String {
        match value.abs() {
            _ if matches!(self, Self::PerSecond | Self::Count | Self::Bytes) => thousands(value),
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
    warren: Samples,
    rabbitmq: Samples,
}

/// What is known of one broker's figure.
#[derive(Default)]
struct Samples {
    values: Vec<f64>,
    /// Why there are none.
    skipped: Option<&'static str>,
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
        self.samples(name, unit, kind).values.push(value);
    }

    /// Says why there is no sample.
    pub fn skip(&mut self, name: &str, unit: Unit, kind: Kind, why: &'static str) {
        self.samples(name, unit, kind).skipped = Some(why);
    }

    fn samples(&mut self, name: &str, unit: Unit, kind: Kind) -> &mut Samples {
        let at = self.rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
            let (warren, rabbitmq) = (Samples::default(), Samples::default());
            self.rows.push(Row { name: name.to_owned(), unit, warren, rabbitmq });
            self.rows.len() - 1
        });
        match kind {
            Kind::Warren => &mut self.rows[at].warren,
            Kind::Rabbitmq => &mut self.rows[at].rabbitmq,
        }
    }

    /// The section for BENCHMARKS.md, without its markers.
    pub fn section(&self, command: &str, machine: &str, rounds: usize) -> String {
        let version =
            |kind| self.versions.iter().find(|(known, _)| *known == kind).map_or("–", |(_, text)| text.as_str());
        let mut text = format!(
            "Made by `{command}` on {machine}.\n\nMedians of {rounds} rounds, smallest and largest in parentheses; n is the number of samples where it is another.\n\n\
             | figure | Warren {} | RabbitMQ {} | RabbitMQ ÷ Warren |\n|---|---:|---:|---:|\n",
            version(Kind::Warren),
            version(Kind::Rabbitmq)
        );
        for row in &self.rows {
            let cell = |samples: &Samples| cell(samples, row.unit, rounds);
            let ratio = match (median(&row.warren.values), median(&row.rabbitmq.values)) {
                (Some(warren), Some(rabbitmq)) if warren > 0.0 && !matches!(row.unit, Unit::Times | Unit::Count) => {
                    Unit::Seconds.number(rabbitmq / warren)
                }
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

fn cell(samples: &Samples, unit: Unit, rounds: usize) -> String {
    let sorted = sorted(&samples.values);
    let number = if sorted.len() == rounds { String::new() } else { format!(" n={}", sorted.len()) };
    match (median(&sorted), sorted.first(), sorted.last()) {
        (Some(median), Some(least), Some(most)) if sorted.len() > 1 => {
            format!("{}{} ({}–{}){number}", unit.number(median), unit.symbol(), unit.number(*least), unit.number(*most))
        }
        (Some(median), ..) => format!("{}{}{number}", unit.number(median), unit.symbol()),
        _ => samples.skipped.unwrap_or("–").to_owned(),
    }
}

/// Puts the section between the markers of that name in a file.
pub fn replace_section(path: &Path, name: &str, section: &str) -> Result<()> {
    let (begin, end) = (format!("<!-- {name}:begin -->"), format!("<!-- {name}:end -->"));
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let (before, rest) = text.split_once(&begin).with_context(|| format!("{} has no {begin}", path.display()))?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("{} has no {end} after that", path.display()))?;
    std::fs::write(path, format!("{before}{begin}\n{}\n{end}{after}", section.trim_end()))?;
    Ok(())
}
