//! Rates of counters: how fast what an answer shows has changed since it was last read.
//!
//! Samples are taken when somebody reads, at most one in five seconds and object, so a
//! broker nobody watches pays nothing. The first answer about an object has no earlier
//! sample and shows a rate of zero.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

/// Shortest time over which a rate is taken.
const INTERVAL: Duration = Duration::from_secs(5);

/// How long an object nobody reads keeps its samples.
const RETENTION: Duration = Duration::from_secs(600);

/// Most objects with samples; further ones show rates of zero.
const OBJECTS_MAX: usize = 200_000;

/// Counters that have rates. A sample names them by their place in this list.
const COUNTERS: &[&str] = &[
    "publish",
    "publish_in",
    "publish_out",
    "confirm",
    "return_unroutable",
    "drop_unroutable",
    "get",
    "get_no_ack",
    "get_empty",
    "deliver",
    "deliver_no_ack",
    "deliver_get",
    "redeliver",
    "ack",
    "messages",
    "messages_ready",
    "messages_unacknowledged",
    "recv_oct",
    "send_oct",
    "connection_created",
    "connection_closed",
    "channel_created",
    "channel_closed",
    "queue_declared",
    "queue_created",
    "queue_deleted",
    "mem_used",
    "fd_used",
    "sockets_used",
    "proc_used",
    "disk_free",
];

/// Parts of an item that hold counters too.
const GROUPS: &[&str] = &["message_stats", "churn_rates", "queue_totals"];

/// What an object is called among others of its kind.
type Key = (&'static str, String, String);

#[derive(Debug)]
struct Sample {
    at: Instant,
    counts: Vec<(usize, u64)>,
}

impl Sample {
    fn count(&self, counter: usize) -> u64 {
        self.counts.iter().find(|(own, _)| *own == counter).map_or(0, |(_, count)| *count)
    }
}

#[derive(Debug)]
struct Series {
    previous: Option<Sample>,
    latest: Sample,
}

/// Samples by object. The lock is a leaf, held for a few lines and never over an await.
#[derive(Debug, Default)]
pub(crate) struct Rates(Mutex<HashMap<Key, Series>>);

impl Rates {
    /// Fills in the rates of an item: of every counter that has a `_details` beside it,
    /// at the top and in the groups. `kind`, vhost and name identify the item.
    pub(crate) fn fill(&self, kind: &'static str, item: &mut Value) {
        let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let key = (kind, text("vhost"), text("name"));
        self.fill_at(key, item, Instant::now());
    }

    /// The same for an item that is not called by its own fields.
    pub(crate) fn fill_named(&self, kind: &'static str, name: &str, item: &mut Value) {
        self.fill_at((kind, String::new(), name.to_owned()), item, Instant::now());
    }

    fn fill_at(&self, key: Key, item: &mut Value, now: Instant) {
        let Value::Object(fields) = item else { return };
        let mut counts = Vec::new();
        collect(fields, &mut counts);
        for group in GROUPS {
            if let Some(Value::Object(group)) = fields.get(*group) {
                collect(group, &mut counts);
            }
        }
        if counts.is_empty() {
            return;
        }
        let rates = self.sample(key, Sample { at: now, counts });
        spread(fields, &rates);
        for group in GROUPS {
            if let Some(Value::Object(group)) = fields.get_mut(*group) {
                spread(group, &rates);
            }
        }
    }

    /// Takes a sample when one is due, and says how fast each counter runs.
    fn sample(&self, key: Key, sample: Sample) -> Vec<(usize, f64)> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = sample.at;
        if all.len() >= OBJECTS_MAX && !all.contains_key(&key) {
            all.retain(|_, series| now.duration_since(series.latest.at) < RETENTION);
            if all.len() >= OBJECTS_MAX {
                return Vec::new();
            }
        }
        let Some(series) = all.get_mut(&key) else {
            all.insert(key, Series { previous: None, latest: sample });
            return Vec::new();
        };
        let age = now.duration_since(series.latest.at);
        if age >= RETENTION {
            *series = Series { previous: None, latest: sample };
        } else if age >= INTERVAL {
            series.previous = Some(std::mem::replace(&mut series.latest, sample));
        }
        let Some(previous) = &series.previous else { return Vec::new() };
        let seconds = series.latest.at.duration_since(previous.at).as_secs_f64();
        let rate =
            |&(counter, count): &(usize, u64)| (counter, (count as f64 - previous.count(counter) as f64) / seconds);
        series.latest.counts.iter().map(rate).collect()
    }
}

fn details(name: &str) -> String {
    format!("{name}_details")
}

fn collect(fields: &Map<String, Value>, counts: &mut Vec<(usize, u64)>) {
    for (counter, name) in COUNTERS.iter().enumerate() {
        if let Some(count) = fields.get(*name).and_then(Value::as_u64)
            && fields.contains_key(&details(name))
        {
            counts.push((counter, count));
        }
    }
}

fn spread(fields: &mut Map<String, Value>, rates: &[(usize, f64)]) {
    for (counter, rate) in rates {
        if let Some(details) = fields.get_mut(&details(COUNTERS[*counter])) {
            details["rate"] = (*rate).into();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rates_are_taken_between_samples_five_seconds_apart() {
        let rates = Rates::default();
        let start = Instant::now();
        let read = |seconds: u64, publish: u64, messages: u64| {
            let mut item = json!({
                "name": "q", "vhost": "/", "messages": messages, "messages_details": {"rate": 0.0},
                "message_stats": {"publish": publish, "publish_details": {"rate": 0.0}},
            });
            let key = ("queue", "/".to_owned(), "q".to_owned());
            rates.fill_at(key, &mut item, start + Duration::from_secs(seconds));
            let rate = |details: &Value| details["rate"].as_f64().unwrap();
            (rate(&item["message_stats"]["publish_details"]), rate(&item["messages_details"]))
        };
        assert_eq!(read(0, 10, 10), (0.0, 0.0));
        assert_eq!(read(2, 14, 10), (0.0, 0.0), "too early for a second sample");
        assert_eq!(read(10, 30, 5), (2.0, -0.5));
        assert_eq!(read(12, 90, 5), (2.0, -0.5), "unchanged until the next sample is due");
        assert_eq!(read(15, 30, 5), (0.0, 0.0));
        assert_eq!(read(2000, 900, 5), (0.0, 0.0), "samples of long ago say nothing");
    }
}
