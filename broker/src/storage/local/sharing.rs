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

/// Bytes of payloads remembered at most.
const REMEMBERED_BYTES_MAX: usize = 4 * 1024 * 1024;

type Key = (usize, usize);

#[derive(Debug)]
struct Place {
    payload: Bytes,
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
        self.bytes += payload.len();
        self.order.push_back(key(&payload));
        self.places.insert(key(&payload), Place { payload, place, left: record.shares - 1 });
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
            self.bytes -= place.payload.len();
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}
