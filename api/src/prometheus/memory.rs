//! Memory by what it is for: the table of the API under the names of metrics.

use super::text::{Kind, Page};
use crate::memory::{Breakdown, CATEGORIES};

/// Writes one family a category.
pub(super) fn write(page: &mut Page, prefix: &str, breakdown: &Breakdown) {
    for category in CATEGORIES {
        let name = format!("{prefix}{}", category.metric);
        page.family(&name, Kind::Gauge, category.help);
        page.sample(&name, "", category.bytes_of(breakdown).into());
    }
}
