//! Where in a stream a consumer starts, decided from what it asks and what there is.

use std::fmt;

use super::age_ms;
use crate::domain::value::FieldValue;

/// What `x-stream-offset` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OffsetSpec {
    /// The oldest message there is.
    First,
    /// What was published together last.
    Last,
    /// What is published from now on.
    #[default]
    Next,
    /// This message, or the oldest one when it is gone.
    Offset(u64),
    /// What was taken at that time, in milliseconds since the epoch, or later.
    Time(u64),
    /// What was taken so many milliseconds ago, or later.
    Ago(u64),
}

impl OffsetSpec {
    /// Reads the argument's value; `None` when it means nothing.
    #[must_use]
    pub fn from_value(value: &FieldValue) -> Option<Self> {
        match value {
            FieldValue::Timestamp(seconds) => Some(Self::Time(seconds.saturating_mul(1_000))),
            FieldValue::LongString(_) => match value.as_text()? {
                "first" => Some(Self::First),
                "last" => Some(Self::Last),
                "next" => Some(Self::Next),
                text => age_ms(text).map(Self::Ago),
            },
            // One below zero is below every message there is.
            number => number.as_i64().map(|number| Self::Offset(u64::try_from(number).unwrap_or(0))),
        }
    }

    /// Where to start in a stream with these bounds, and why there.
    #[must_use]
    pub fn decide(self, bounds: Bounds, now_ms: u64) -> Decision {
        let at = |offset: u64, why| Decision { start: Start::At(offset), why };
        let since = |time_ms, why| match bounds.is_empty() {
            true => at(bounds.next, Why::Empty),
            false => Decision { start: Start::Since(time_ms), why },
        };
        match self {
            Self::First => at(bounds.first, Why::Oldest),
            Self::Last if bounds.is_empty() => at(bounds.next, Why::Empty),
            Self::Last => at(bounds.last_batch.clamp(bounds.first, bounds.next), Why::LastBatch),
            Self::Next => at(bounds.next, Why::Newest),
            Self::Offset(offset) if offset < bounds.first => at(bounds.first, Why::Gone),
            Self::Offset(offset) if offset > bounds.next => at(offset, Why::Ahead),
            Self::Offset(offset) => at(offset, Why::Asked),
            Self::Time(time_ms) => since(time_ms, Why::Time),
            Self::Ago(ago_ms) => since(now_ms.saturating_sub(ago_ms), Why::Time),
        }
    }
}

/// What a stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The oldest message.
    pub first: u64,
    /// Behind the newest one.
    pub next: u64,
    /// The first of those that were published together last.
    pub last_batch: u64,
}

impl Bounds {
    /// Whether there is no message.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.first >= self.next
    }
}

/// Where to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With this offset.
    At(u64),
    /// With the first message taken at that time or later, in milliseconds since the epoch.
    Since(u64),
}

/// Where to start, and how that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Where.
    pub start: Start,
    /// Why there.
    pub why: Why,
}

/// Why a consumer starts where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It asked for the oldest message.
    Oldest,
    /// It asked for what was published last.
    LastBatch,
    /// It asked for what comes.
    Newest,
    /// It asked for this message, which is there, or is the next.
    Asked,
    /// It asked for a message that is gone: the oldest one stands for it.
    Gone,
    /// It asked for a message that is yet to come.
    Ahead,
    /// It asked for a time, which is looked up.
    Time,
    /// There is nothing to start with but what comes.
    Empty,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Oldest => "the oldest message was asked for",
            Self::LastBatch => "what was published last was asked for",
            Self::Newest => "what comes was asked for",
            Self::Asked => "this offset was asked for",
            Self::Gone => "the offset asked for is gone",
            Self::Ahead => "the offset asked for is yet to come",
            Self::Time => "a time was asked for",
            Self::Empty => "the stream is empty",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { first: 10, next: 20, last_batch: 17 };
    const EMPTY: Bounds = Bounds { first: 10, next: 10, last_batch: 10 };
    const NOW_MS: u64 = 1_000_000;

    #[test]
    fn values_ask_for_offsets() {
        for (value, expected) in [
            (FieldValue::text("first"), Some(OffsetSpec::First)),
            (FieldValue::text("last"), Some(OffsetSpec::Last)),
            (FieldValue::text("next"), Some(OffsetSpec::Next)),
            (FieldValue::text("1h"), Some(OffsetSpec::Ago(3_600_000))),
            (FieldValue::text("First"), None),
            (FieldValue::text("5"), None),
            (FieldValue::text(""), None),
            (FieldValue::I32(5), Some(OffsetSpec::Offset(5))),
            (FieldValue::I64(1 << 40), Some(OffsetSpec::Offset(1 << 40))),
            (FieldValue::I64(-1), Some(OffsetSpec::Offset(0))),
            (FieldValue::U8(7), Some(OffsetSpec::Offset(7))),
            (FieldValue::Timestamp(3), Some(OffsetSpec::Time(3_000))),
            (FieldValue::Timestamp(u64::MAX), Some(OffsetSpec::Time(u64::MAX))),
            (FieldValue::Boolean(true), None),
            (FieldValue::Void, None),
            (FieldValue::F64(1.5), None),
            (FieldValue::Array(vec![FieldValue::I32(1)]), None),
        ] {
            assert_eq!(OffsetSpec::from_value(&value), expected, "{value:?}");
        }
    }

    #[test]
    fn a_start_is_where_it_was_asked_for_as_far_as_there_is_such_a_place() {
        use OffsetSpec::{Ago, First, Last, Next, Offset, Time};
        use Start::{At, Since};
        for (spec, bounds, start, why) in [
            (First, BOUNDS, At(10), Why::Oldest),
            (First, EMPTY, At(10), Why::Oldest),
            (Last, BOUNDS, At(17), Why::LastBatch),
            (Last, Bounds { last_batch: 3, ..BOUNDS }, At(10), Why::LastBatch),
            (Last, EMPTY, At(10), Why::Empty),
            (Next, BOUNDS, At(20), Why::Newest),
            (Next, EMPTY, At(10), Why::Newest),
            (Offset(0), BOUNDS, At(10), Why::Gone),
            (Offset(10), BOUNDS, At(10), Why::Asked),
            (Offset(20), BOUNDS, At(20), Why::Asked),
            (Offset(25), BOUNDS, At(25), Why::Ahead),
            (Time(5), BOUNDS, Since(5), Why::Time),
            (Time(5), EMPTY, At(10), Why::Empty),
            (Ago(400), BOUNDS, Since(NOW_MS - 400), Why::Time),
            (Ago(u64::MAX), BOUNDS, Since(0), Why::Time),
            (Ago(400), EMPTY, At(10), Why::Empty),
        ] {
            assert_eq!(spec.decide(bounds, NOW_MS), Decision { start, why }, "{spec:?} of {bounds:?}");
        }
    }
}
