//! A stream in segments, the pieces in which it is dropped, and the decision about that.
//!
//! ```text
//! first ─▶ segment │ segment │ segment │ open segment ◀─ next
//!          ╰───── may be dropped ─────╯   always stays
//! ```

use std::collections::VecDeque;

/// Size of a segment when nothing else is said, in bytes.
pub const SEGMENT_BYTES_DEFAULT: u64 = 500_000_000;

/// However small segments are to be, they become so large: each costs a record of its own.
pub const SEGMENT_BYTES_MIN: u64 = 1 << 10;

/// What a message counts beside its body, in bytes: what the log adds, names and properties.
pub const MESSAGE_OVERHEAD_BYTES: u64 = 64;

/// Consecutive messages of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Offset of the first message.
    pub first: u64,
    /// When it was taken, in milliseconds since the epoch; 0: not known.
    pub first_at_ms: u64,
    /// When the last message of the segment before was taken.
    pub before_at_ms: u64,
    /// Bytes of all bodies of the stream before it, whether or not they are still there.
    pub bodies_before_bytes: u64,
}

/// What of a stream is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Most bytes.
    pub max_bytes: Option<u64>,
    /// Longest age in milliseconds.
    pub max_age_ms: Option<u64>,
    /// Size of a segment; `None`: the default.
    pub segment_bytes: Option<u64>,
}

impl Retention {
    /// Bytes after which a segment is closed.
    #[must_use]
    pub fn segment_bytes(&self) -> u64 {
        self.segment_bytes.unwrap_or(SEGMENT_BYTES_DEFAULT).max(SEGMENT_BYTES_MIN)
    }
}

/// What a stream left behind, beside its segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// The oldest message.
    pub first: u64,
    /// Behind the newest one.
    pub next: u64,
    /// When the newest one was taken, in milliseconds since the epoch.
    pub last_at_ms: u64,
    /// Bytes of the bodies between.
    pub body_bytes: u64,
}

/// What is dropped, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropped {
    /// The oldest message that stays.
    pub first: u64,
    /// Segments that go because there are too many bytes.
    pub too_large: usize,
    /// Segments that go because they are too old.
    pub too_old: usize,
}

/// The segments of a stream, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Segments {
    all: VecDeque<Segment>,
    /// The next message's offset.
    next: u64,
    /// When the last message was taken.
    last_at_ms: u64,
    /// Bytes of all bodies there ever were.
    bodies_bytes: u64,
}

impl Segments {
    /// The segments a stream left behind. Those of which nothing is left, and those that never
    /// got a message, are left out.
    #[must_use]
    pub fn recovered(recorded: &[Segment], left: &Left) -> Self {
        let Left { first, next, last_at_ms, body_bytes } = *left;
        let mut segments = Self { next, last_at_ms, ..Self::default() };
        let follows = |at: usize| recorded.get(at + 1).map_or(next, |after| after.first);
        let stays = |(at, segment): &(usize, &Segment)| follows(*at) > first && segment.first < next;
        segments.all = recorded.iter().enumerate().filter(stays).map(|(_, segment)| *segment).collect();
        match segments.all.front_mut() {
            Some(front) => front.first = front.first.max(first),
            None if first < next => {
                let unknown = Segment { first, first_at_ms: 0, before_at_ms: 0, bodies_before_bytes: 0 };
                segments.all.push_back(unknown);
            }
            None => {}
        }
        segments.bodies_bytes = match (segments.all.front(), segments.all.back()) {
            (Some(front), Some(back)) => (front.bodies_before_bytes + body_bytes).max(back.bodies_before_bytes),
            _ => body_bytes,
        };
        segments
    }

    /// The oldest message, or the next one when there is none.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.all.front().map_or(self.next, |front| front.first)
    }

    /// The next message's offset.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }

    /// When the oldest message was taken, in milliseconds since the epoch; 0: not known, or
    /// there is none.
    #[must_use]
    pub fn first_at_ms(&self) -> u64 {
        self.all.front().map_or(0, |front| front.first_at_ms)
    }

    /// Number of segments.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is no message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Bytes of the bodies there are.
    #[must_use]
    pub fn body_bytes(&self) -> u64 {
        self.all.front().map_or(0, |front| self.bodies_bytes.saturating_sub(front.bodies_before_bytes))
    }

    /// Bytes from a segment on.
    fn bytes_from(&self, at: usize) -> u64 {
        self.all.get(at).map_or(0, |segment| {
            let bodies = self.bodies_bytes.saturating_sub(segment.bodies_before_bytes);
            bodies + (self.next - segment.first) * MESSAGE_OVERHEAD_BYTES
        })
    }

    /// A time for the next message that is not before those of the messages there are.
    #[must_use]
    pub fn time_ms(&self, now_ms: u64) -> u64 {
        now_ms.max(self.last_at_ms)
    }

    /// Takes a message at [`Self::next`]. Answers with the segment that begins with it, if one does.
    pub fn push(&mut self, body_bytes: u32, at_ms: u64, retention: &Retention) -> Option<Segment> {
        let size = u64::from(body_bytes) + MESSAGE_OVERHEAD_BYTES;
        let open = self.all.len().checked_sub(1).map(|last| self.bytes_from(last));
        let begins = open.is_none_or(|bytes| bytes + size > retention.segment_bytes()).then_some(Segment {
            first: self.next,
            first_at_ms: at_ms,
            before_at_ms: self.last_at_ms,
            bodies_before_bytes: self.bodies_bytes,
        });
        self.all.extend(begins);
        self.next += 1;
        self.last_at_ms = at_ms;
        self.bodies_bytes += u64::from(body_bytes);
        begins
    }

    /// When the last message of a closed segment was taken.
    fn closed_at_ms(&self, at: usize) -> Option<u64> {
        self.all.get(at + 1).map(|after| after.before_at_ms)
    }

    /// Drops the oldest segments that are too old, or too much; the open one stays.
    pub fn retain(&mut self, retention: &Retention, now_ms: u64) -> Option<Dropped> {
        let is_old = |closed_ms: u64| {
            retention.max_age_ms.is_some_and(|max| closed_ms.saturating_add(max) < now_ms && closed_ms != 0)
        };
        let (mut too_large, mut too_old) = (0, 0);
        while let Some(closed_ms) = self.closed_at_ms(too_large + too_old) {
            if retention.max_bytes.is_some_and(|max| self.bytes_from(too_large + too_old) > max) {
                too_large += 1;
            } else if is_old(closed_ms) {
                too_old += 1;
            } else {
                break;
            }
        }
        if too_large + too_old == 0 {
            return None;
        }
        self.all.drain(..too_large + too_old);
        Some(Dropped { first: self.first(), too_large, too_old })
    }

    /// When the oldest closed segment will be too old, in milliseconds since the epoch.
    #[must_use]
    pub fn next_drop_ms(&self, retention: &Retention) -> Option<u64> {
        let closed_ms = self.closed_at_ms(0).filter(|&closed_ms| closed_ms != 0)?;
        Some(closed_ms.saturating_add(retention.max_age_ms?).saturating_add(1))
    }

    /// The offsets `from..to` among which is the first message taken at that time or later.
    #[must_use]
    pub fn around(&self, time_ms: u64) -> (u64, u64) {
        let after = self.all.partition_point(|segment| segment.first_at_ms < time_ms);
        let from = after.checked_sub(1).map_or(self.first(), |at| self.all[at].first);
        (from, self.all.get(after).map_or(self.next, |segment| segment.first))
    }
}

#[cfg(test)]
mod tests;
