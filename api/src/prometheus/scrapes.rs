//! How often each page was asked for, and what that cost.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::Endpoint;
use super::text::{Format, Kind, Number, Page, labels};

/// One page in one format.
#[derive(Debug, Default)]
struct Scraped {
    count: AtomicU64,
    nanos: AtomicU64,
    bytes: AtomicU64,
}

/// All pages since the listener was opened first.
#[derive(Debug, Default)]
pub(crate) struct Scrapes([[Scraped; 2]; 3]);

/// The reference counts by the page's registry, and both of these are its default one or its own.
fn registry(endpoint: Endpoint) -> (usize, &'static str) {
    match endpoint {
        Endpoint::Aggregated | Endpoint::PerObject => (0, "default"),
        Endpoint::Detailed => (1, "detailed"),
        Endpoint::MemoryBreakdown => (2, "memory-breakdown"),
    }
}

impl Scrapes {
    /// Counts one.
    pub(crate) fn count(&self, endpoint: Endpoint, format: Format, took: Duration, bytes: usize) {
        let scraped = &self.0[registry(endpoint).0][format as usize];
        scraped.count.fetch_add(1, Relaxed);
        scraped.nanos.fetch_add(took.as_nanos().try_into().unwrap_or(u64::MAX), Relaxed);
        scraped.bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// Writes what a page says of itself.
    pub(crate) fn write(&self, page: &mut Page, endpoint: Endpoint) {
        let (index, registry) = registry(endpoint);
        let formats = [Format::Text, Format::OpenMetrics];
        let rows = || {
            formats.into_iter().zip(&self.0[index]).filter(|(_, scraped)| scraped.count.load(Relaxed) > 0).map(
                |(format, scraped)| {
                    (labels(&[("registry", registry), ("content_type", format.content_type())]), scraped)
                },
            )
        };
        type Sum = fn(&Scraped) -> Number;
        let families: [(&str, &str, Sum); 2] = [
            ("telemetry_scrape_duration_seconds", "Time it took to write this page", |scraped| {
                Number::Real(scraped.nanos.load(Relaxed) as f64 / 1e9)
            }),
            ("telemetry_scrape_size_bytes", "Size of this page before it is compressed", |scraped| {
                scraped.bytes.load(Relaxed).into()
            }),
        ];
        for (name, help, sum) in families {
            page.family(name, Kind::Summary, help);
            for (labels, scraped) in rows() {
                page.sample(&format!("{name}_count"), &labels, scraped.count.load(Relaxed).into());
                page.sample(&format!("{name}_sum"), &labels, sum(scraped));
            }
        }
    }
}
