//! The two text formats: families and samples out as bytes.
//!
//! It knows what a family is and how the formats spell it, and no metric. Text 0.0.4 is
//! what the reference speaks; OpenMetrics 1.0 differs in a few places:
//!
//! ```text
//!                 0.0.4                               OpenMetrics
//! counter         # TYPE x_total counter              # TYPE x counter
//! not so named    # TYPE x counter                    # TYPE x unknown      (samples must end in _total)
//! untyped         # TYPE x untyped                    # TYPE x unknown
//! untyped _info   # TYPE x_info untyped               # TYPE x info
//! bucket bound    le="100"                            le="100.0"
//! end             an empty line                       # EOF
//! ```

use std::fmt::Write as _;

use super::outlet::{CHUNK_BYTES, Outlet};

/// How a page is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Prometheus text 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The content type of an answer.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What a family measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Untyped,
    Summary,
    Histogram,
}

/// The value of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Whole(u64),
    Real(f64),
    /// There is nothing to say: no sample.
    Absent,
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self::Whole(number)
    }
}

impl From<f64> for Number {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

impl From<bool> for Number {
    fn from(is: bool) -> Self {
        Self::Whole(is.into())
    }
}

impl<N: Into<Self>> From<Option<N>> for Number {
    fn from(number: Option<N>) -> Self {
        number.map_or(Self::Absent, Into::into)
    }
}

/// One family whose samples are read off values of the same type.
pub(crate) struct Metric<T> {
    /// Its name, without the prefix that all of a page bear.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) help: &'static str,
    pub(crate) value: fn(&T) -> Number,
}

/// A counter.
pub(crate) const fn counter<T>(name: &'static str, help: &'static str, value: fn(&T) -> Number) -> Metric<T> {
    Metric { name, kind: Kind::Counter, help, value }
}

/// A gauge.
pub(crate) const fn gauge<T>(name: &'static str, help: &'static str, value: fn(&T) -> Number) -> Metric<T> {
    Metric { name, kind: Kind::Gauge, help, value }
}

/// Something of no type.
pub(crate) const fn untyped<T>(name: &'static str, help: &'static str, value: fn(&T) -> Number) -> Metric<T> {
    Metric { name, kind: Kind::Untyped, help, value }
}

/// Labels and what has them. The labels are spelled once for all families.
pub(crate) type Row<T> = (String, T);

/// A page under construction.
#[derive(Debug)]
pub(crate) struct Page {
    text: String,
    format: Format,
    /// Where what is written goes when it is much.
    outlet: Option<Outlet>,
}

/// A page that is written.
#[derive(Debug)]
pub(crate) enum Written {
    /// All of it.
    Whole(String),
    /// It has been sent; so many bytes.
    Sent(usize),
}

impl Written {
    /// Length in bytes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Whole(text) => text.len(),
            Self::Sent(bytes) => *bytes,
        }
    }
}

impl Page {
    /// An empty page. Once it is longer than a chunk it leaves through the outlet, if there is one.
    pub(crate) fn new(format: Format, outlet: Option<Outlet>) -> Self {
        Self { text: String::new(), format, outlet }
    }

    /// Ends the page.
    pub(crate) fn finish(mut self) -> Written {
        self.text.push_str(match self.format {
            Format::Text => "\n",
            Format::OpenMetrics => "# EOF\n",
        });
        match self.outlet {
            Some(mut outlet) if outlet.is_used() => {
                outlet.send(&mut self.text);
                Written::Sent(outlet.sent())
            }
            _ => Written::Whole(self.text),
        }
    }

    /// Sends what is written when it is a chunk.
    fn flow(&mut self) {
        if let Some(outlet) = self.outlet.as_mut().filter(|_| self.text.len() >= CHUNK_BYTES) {
            outlet.send(&mut self.text);
        }
    }

    /// Whether nobody will read what is written on.
    fn is_over(&self) -> bool {
        self.outlet.as_ref().is_some_and(Outlet::is_over)
    }

    /// Opens a family; its samples follow.
    pub(crate) fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let (name, kind) = match (self.format, kind) {
            (Format::Text, Kind::Untyped) => (name, "untyped"),
            (Format::OpenMetrics, Kind::Untyped) => match name.strip_suffix("_info") {
                Some(stem) => (stem, "info"),
                None => (name, "unknown"),
            },
            (Format::Text, Kind::Counter) => (name, "counter"),
            (Format::OpenMetrics, Kind::Counter) => match name.strip_suffix("_total") {
                Some(stem) => (stem, "counter"),
                None => (name, "unknown"),
            },
            (_, Kind::Gauge) => (name, "gauge"),
            (_, Kind::Summary) => (name, "summary"),
            (_, Kind::Histogram) => (name, "histogram"),
        };
        let _ = writeln!(self.text, "# TYPE {name} {kind}");
        let _ = write!(self.text, "# HELP {name} ");
        escape(&mut self.text, help, self.format == Format::OpenMetrics);
        self.text.push('\n');
    }

    /// One sample; `labels` as [`labels`] spells them.
    pub(crate) fn sample(&mut self, name: &str, labels: &str, number: Number) {
        let text = &mut self.text;
        if number == Number::Absent {
            return;
        }
        text.push_str(name);
        if !labels.is_empty() {
            let _ = write!(text, "{{{labels}}}");
        }
        let _ = match number {
            Number::Whole(number) => writeln!(text, " {number}"),
            Number::Real(number) => writeln!(text, " {number:?}"),
            Number::Absent => Ok(()),
        };
    }

    /// A bound of a histogram's bucket as the format spells it.
    pub(crate) fn bound(&self, bound: u32) -> String {
        match self.format {
            Format::Text => bound.to_string(),
            Format::OpenMetrics if bound >= 1_000_000 => {
                let exponent = bound.ilog10();
                format!("{}e+{exponent:02}", bound / 10u32.pow(exponent))
            }
            Format::OpenMetrics => format!("{bound}.0"),
        }
    }

    /// Families of one table, each with a sample for every row.
    pub(crate) fn table<T>(&mut self, prefix: &str, metrics: &[Metric<T>], rows: &[Row<T>]) {
        for metric in metrics {
            if self.is_over() {
                return;
            }
            let name = format!("{prefix}{}", metric.name);
            self.family(&name, metric.kind, metric.help);
            for (labels, value) in rows {
                self.sample(&name, labels, (metric.value)(value));
                self.flow();
            }
        }
    }
}

/// Spells labels.
pub(crate) fn labels(pairs: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push(',');
        }
        let _ = write!(text, "{name}=\"");
        escape(&mut text, value, true);
        text.push('"');
    }
    text
}

fn escape(out: &mut String, text: &str, quotes: bool) {
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            letter => out.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(format: Format) -> String {
        let mut page = Page::new(format, None);
        let metrics = [
            counter::<(u64, Option<f64>)>("seen_total", "Seen \"so\" far\\", |row| row.0.into()),
            counter("segments", "Files", |row| row.0.into()),
            gauge("level", "Level", |row| row.1.into()),
        ];
        let rows = [(String::new(), (3, None)), (labels(&[("vhost", "/"), ("queue", "a\"\\\nb")]), (4, Some(0.5)))];
        page.table("w_", &metrics, &rows);
        page.table("w_", &[untyped("about_info", "About", |(): &()| 1.into())], &[(labels(&[("v", "1")]), ())]);
        page.family("w_size", Kind::Histogram, "Sizes");
        for bound in [100, 1_000_000, 50_000_000] {
            let le = page.bound(bound);
            page.sample("w_size_bucket", &labels(&[("le", &le)]), Number::Whole(1));
        }
        page.family("w_time", Kind::Gauge, "Time");
        page.sample("w_time", "", Number::Real(f64::NAN));
        let Written::Whole(text) = page.finish() else { panic!("it was sent") };
        text
    }

    #[test]
    fn text_is_spelled_as_the_reference_does() {
        assert_eq!(
            page(Format::Text),
            "# TYPE w_seen_total counter\n# HELP w_seen_total Seen \"so\" far\\\\\n\
             w_seen_total 3\nw_seen_total{vhost=\"/\",queue=\"a\\\"\\\\\\nb\"} 4\n\
             # TYPE w_segments counter\n# HELP w_segments Files\n\
             w_segments 3\nw_segments{vhost=\"/\",queue=\"a\\\"\\\\\\nb\"} 4\n\
             # TYPE w_level gauge\n# HELP w_level Level\nw_level{vhost=\"/\",queue=\"a\\\"\\\\\\nb\"} 0.5\n\
             # TYPE w_about_info untyped\n# HELP w_about_info About\nw_about_info{v=\"1\"} 1\n\
             # TYPE w_size histogram\n# HELP w_size Sizes\n\
             w_size_bucket{le=\"100\"} 1\nw_size_bucket{le=\"1000000\"} 1\nw_size_bucket{le=\"50000000\"} 1\n\
             # TYPE w_time gauge\n# HELP w_time Time\nw_time NaN\n\n"
        );
    }

    #[test]
    fn open_metrics_names_families_without_the_suffixes_of_samples() {
        assert_eq!(
            page(Format::OpenMetrics),
            "# TYPE w_seen counter\n# HELP w_seen Seen \\\"so\\\" far\\\\\n\
             w_seen_total 3\nw_seen_total{vhost=\"/\",queue=\"a\\\"\\\\\\nb\"} 4\n\
             # TYPE w_segments unknown\n# HELP w_segments Files\n\
             w_segments 3\nw_segments{vhost=\"/\",queue=\"a\\\"\\\\\\nb\"} 4\n\
             # TYPE w_level gauge\n# HELP w_level Level\nw_level{vhost=\"/\",queue=\"a\\\"\\\\\\nb\"} 0.5\n\
             # TYPE w_about info\n# HELP w_about About\nw_about_info{v=\"1\"} 1\n\
             # TYPE w_size histogram\n# HELP w_size Sizes\n\
             w_size_bucket{le=\"100.0\"} 1\nw_size_bucket{le=\"1e+06\"} 1\nw_size_bucket{le=\"5e+07\"} 1\n\
             # TYPE w_time gauge\n# HELP w_time Time\nw_time NaN\n# EOF\n"
        );
    }
}
