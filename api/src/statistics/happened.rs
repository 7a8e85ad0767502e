//! What happened to messages, as the reference shows it: a counter, and beside it how it runs.
//!
//! Owns which counters are shown together. Their names, their order and their sums are those of
//! [`super::kinds`], by which they are sampled too.

use broker::metrics::{ChannelCounters, QueueCounters};
use openapi::statistics::Details;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::kinds::{self, Column, HAPPENINGS, QUEUE_HAPPENINGS, SHOWN_DELIVERIES};

/// Counters of messages: what was published, and behind it what was delivered.
#[derive(Debug, Clone)]
pub(crate) struct Happened<const M: usize> {
    columns: &'static [Column],
    counts: [u64; M],
    details: [Details; M],
}

impl Happened<QUEUE_HAPPENINGS> {
    /// On a queue.
    pub(crate) fn on_queue(counters: &QueueCounters, details: [Details; QUEUE_HAPPENINGS]) -> Self {
        Self {
            columns: kinds::QUEUE.columns.last_chunk::<QUEUE_HAPPENINGS>().map_or(&[], |columns| columns),
            counts: kinds::queue_happenings(counters),
            details,
        }
    }
}

impl Happened<HAPPENINGS> {
    /// On a channel, or on all of them.
    pub(crate) fn on_channels(counters: &ChannelCounters, details: [Details; HAPPENINGS]) -> Self {
        Self { columns: &kinds::CHANNEL.columns, counts: (kinds::CHANNEL.show)(&kinds::of_channel(counters)), details }
    }

    /// The same as a value, before it is known how they run.
    pub(crate) fn at_rest(counters: &ChannelCounters) -> Map<String, Value> {
        let happened = Self::on_channels(counters, std::array::from_fn(|_| Details::default()));
        match serde_json::to_value(happened) {
            Ok(Value::Object(object)) => object,
            _ => Map::new(),
        }
    }
}

impl<const M: usize> Happened<M> {
    /// Places of counters that are shown: those of one sort together, once one of them has begun.
    fn shown(&self) -> impl Iterator<Item = usize> {
        let published = M - SHOWN_DELIVERIES;
        let has_begun = |sort: std::ops::Range<usize>| self.counts[sort].iter().any(|count| *count > 0);
        let (is_published, is_delivered) = (has_begun(0..published), has_begun(published..M));
        (0..M).filter(move |place| if *place < published { is_published } else { is_delivered })
    }

    /// Whether nothing has begun.
    pub(crate) fn is_empty(&self) -> bool {
        self.shown().next().is_none()
    }
}

impl<const M: usize> Serialize for Happened<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        for place in self.shown() {
            let name = self.columns[place].name;
            object.serialize_entry(name, &self.counts[place])?;
            object.serialize_entry(&format_args!("{name}_details"), &self.details[place])?;
        }
        object.end()
    }
}
