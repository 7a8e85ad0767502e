//! Puts how counters run into answers that are built as JSON values.

use broker::domain::name::VhostName;
use openapi::statistics::Details;
use serde_json::{Map, Value};

use super::kinds::{self, Kind};
use super::store::Store;
use super::{Ranges, RatesMode, Statistics};

/// Parts of an item that hold counters too.
const GROUPS: &[&str] = &["message_stats", "churn_rates", "queue_totals"];

/// What an item describes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sampled<'a> {
    /// A vhost.
    Vhost(&'a VhostName),
    /// What the node uses.
    Node,
    /// Sums over these vhosts; `None`: over all that were ever there.
    Sum(Option<&'a [VhostName]>),
}

impl Statistics {
    /// Fills in how the counters of an item run: of every one that has a `_details` beside it,
    /// at the top and in the groups. What happened to messages is left out where it is not
    /// to be kept.
    pub(crate) fn fill(&self, subject: Sampled<'_>, ranges: &Ranges, item: &mut Value) {
        let Value::Object(fields) = item else { return };
        if self.settings().rates_mode == RatesMode::None
            && let Some(stats) = fields.get_mut("message_stats")
        {
            match subject {
                // Overview always has the field, and what it cost the disk was not counted by message.
                Sampled::Sum(_) | Sampled::Node => {
                    if let Value::Object(stats) = stats {
                        stats.retain(|name, _| name.starts_with("disk_"));
                    }
                }
                Sampled::Vhost(_) => drop(fields.remove("message_stats")),
            }
        }
        let store = self.lock();
        let Store { global, .. } = &*store;
        match subject {
            Sampled::Vhost(name) => {
                spread(fields, &kinds::VHOST, &store.read(&store.vhosts, name, global, ranges));
            }
            Sampled::Node => spread(fields, &kinds::NODE, &store.read(&store.node, &(), global, ranges)),
            Sampled::Sum(None) => {
                spread(fields, &kinds::VHOST, &store.read(&store.all_vhosts, &(), global, ranges));
            }
            Sampled::Sum(Some(vhosts)) => {
                let of_vhosts = vhosts.iter().map(|vhost| store.read(&store.vhosts, vhost, global, ranges));
                let sum = of_vhosts.reduce(|mut sum, details| {
                    sum.iter_mut().zip(details).for_each(|(sum, details)| add(sum, details));
                    sum
                });
                if let Some(sum) = sum {
                    spread(fields, &kinds::VHOST, &sum);
                }
            }
        }
    }
}

/// Adds how a counter runs to how another one does, over the same range.
fn add(sum: &mut Details, other: Details) {
    let plus = |one: Option<f64>, other: Option<f64>| Some(one? + other?);
    sum.rate += other.rate;
    sum.avg_rate = plus(sum.avg_rate, other.avg_rate);
    sum.avg = plus(sum.avg, other.avg);
    if let (Some(samples), Some(others)) = (&mut sum.samples, other.samples) {
        // Newest first, so what both still know stands in front.
        samples.truncate(others.len());
        for (sample, other) in samples.iter_mut().zip(others) {
            sample.sample = sample.sample.saturating_add(other.sample);
        }
    }
}

fn spread<const N: usize, const M: usize>(fields: &mut Map<String, Value>, kind: &Kind<N, M>, details: &[Details; M]) {
    for (column, details) in kind.columns.iter().zip(details) {
        let name = format!("{}_details", column.name);
        let put = |fields: &mut Map<String, Value>| {
            if let Some(place) = fields.get_mut(&name) {
                *place = serde_json::to_value(details).unwrap_or_default();
            }
        };
        put(fields);
        for group in GROUPS {
            if let Some(Value::Object(group)) = fields.get_mut(*group) {
                put(group);
            }
        }
    }
}
