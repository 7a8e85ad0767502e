//! Payloads that several logs are given: stored with the first, referred to by the others.
//!
//! Owns the memory of recent ones. A reference stands in the same segment as the payload,
//! so a segment explains itself and goes as a whole. What is remembered keeps its bytes, so
//! an address in here means what it meant.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use super::disk::SegmentId;
use crate::storage::LogRecord;

/// Payloads below this are written again: a reference is hardly shorter.
pub const SHARED_BYTES_MIN: usize = 64;

/// Payloads remembered at most.
const REMEMBERED_MAX: usize = 1024;

/// Bytes that payloads remembered keep allocated at most.
const REMEMBERED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A payload may be a part of a buffer of this length, which it keeps; its neighbours share it.
const BUFFER_BYTES: usize = 128 * 1024;

type Key = (usize, usize);

#[derive(Debug)]
struct Place {
    /// Keeps the address from being used again.
    _payload: Bytes,
    /// Bytes it keeps allocated.
    kept: usize,
    place: u64,
    /// Logs that have not come yet.
    left: u16,
}

/// Payloads written to the active segment that other logs may still bring.
#[derive(Debug, Default)]
pub struct SharedPayloads {
    segment: SegmentId,
    places: HashMap<Key, Place>,
    order: VecDeque<Key>,
    bytes: usize,
}

fn key(payload: &Bytes) -> Key {
    (payload.as_ptr() as usize, payload.len())
}

/// Whether looking for it pays.
pub fn is_shared(record: &LogRecord) -> bool {
    record.shares > 1 && record.payload.len() >= SHARED_BYTES_MIN
}

impl SharedPayloads {
    /// Where the payload stands in `segment`, if it does. Its last log makes it forgotten.
    pub fn find(&mut self, segment: SegmentId, payload: &Bytes) -> Option<u64> {
        if self.segment != segment {
            self.clear();
        }
        let found = self.places.get_mut(&key(payload))?;
        found.left = found.left.saturating_sub(1);
        let place = found.place;
        if found.left == 0 {
            self.forget(key(payload));
        }
        Some(place)
    }

    /// The record was written whole.
    pub fn remember(&mut self, segment: SegmentId, place: u64, record: &LogRecord) {
        if self.segment != segment {
            self.clear();
            self.segment = segment;
        }
        let payload = record.payload.clone();
        let key = key(&payload);
        self.forget(key);
        let beside = self.order.back().is_some_and(|last| last.0.abs_diff(key.0) < BUFFER_BYTES);
        let kept = if beside { payload.len() } else { payload.len().max(BUFFER_BYTES) };
        self.bytes += kept;
        self.order.push_back(key);
        self.places.insert(key, Place { _payload: payload, kept, place, left: record.shares - 1 });
        while self.places.len() > REMEMBERED_MAX || self.bytes > REMEMBERED_BYTES_MAX {
            let Some(oldest) = self.order.pop_front() else { break };
            self.forget(oldest);
        }
        // Those forgotten early are left in the order; it is kept near the truth.
        if self.order.len() > 2 * REMEMBERED_MAX {
            self.order.retain(|key| self.places.contains_key(key));
        }
    }

    fn forget(&mut self, key: Key) {
        if let Some(place) = self.places.remove(&key) {
            self.bytes -= place.kept;
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Position;

    fn shared(payload: Bytes) -> LogRecord {
        LogRecord { position: Position(1), meta: [0; 16], weight: 0, shares: 2, payload }
    }

    #[test]
    fn small_payloads_do_not_keep_a_thousand_buffers() {
        let mut shared_payloads = SharedPayloads::default();
        let first = Bytes::from(vec![0; BUFFER_BYTES]);
        for number in 0..REMEMBERED_MAX {
            let buffer = if number == 0 { first.clone() } else { Bytes::from(vec![0; BUFFER_BYTES]) };
            shared_payloads.remember(1, number as u64, &shared(buffer.slice(..100)));
            assert!(shared_payloads.places.len() * BUFFER_BYTES <= REMEMBERED_BYTES_MAX + BUFFER_BYTES);
        }
        assert!(first.is_unique(), "the buffer of the first is free again");
        shared_payloads.clear();
        // Parts of one buffer keep it once.
        for number in 0..REMEMBERED_MAX {
            shared_payloads.remember(1, number as u64, &shared(first.slice(number * 100..number * 100 + 100)));
        }
        assert_eq!(shared_payloads.places.len(), REMEMBERED_MAX);
    }
}
