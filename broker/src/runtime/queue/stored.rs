//! A message as a log record, and back.
//!
//! ```text
//! meta: | names_end u16 | properties_start u16 | properties_len u32 | body_start u32 | flags u8 | 0 0 | failures u8 |
//! with EXPIRES the body ends with the payload, so its start is known, and the time stands there:
//! meta: | names_end u16 | properties_start u16 | properties_len u32 | expires u32 | flags u8 | expires u16 | failures u8 |
//! weight: length of the body; payload: the message's buffer
//! ```
//! Integers are little-endian; the time is in milliseconds since the epoch, low bits first,
//! and good for some thousands of years. `failures` are those in earlier queues.

use crate::domain::message::{Message, MessageLayout, Provenance};
use crate::storage::{LogRecord, Position};

const PERSISTENT: u8 = 1;
const EXPIRES: u8 = 1 << 1;
const DEAD_LETTERED: u8 = 1 << 2;
const KEYS_REPLACED: u8 = 1 << 3;
const HIDDEN_KEYS: u8 = 1 << 4;

/// A message read back.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) message: Message,
    /// Milliseconds since the epoch; 0: never.
    pub(crate) expires_at_ms: u64,
}

/// Later times are as good as never.
const EXPIRES_AT_MS_MAX: u64 = (1 << 48) - 1;

/// The record of a message; `expires_at_ms` 0: never; `shares`: how many queues get it.
pub(crate) fn to_record(position: u64, message: &Message, expires_at_ms: u64, shares: u16) -> LogRecord {
    let layout = message.layout();
    let provenance = message.provenance();
    let mut payload = message.buffer().clone();
    let mut meta = [0u8; 16];
    meta[0..2].copy_from_slice(&layout.names_end.to_le_bytes());
    meta[2..4].copy_from_slice(&layout.properties_start.to_le_bytes());
    meta[4..8].copy_from_slice(&layout.properties_len.to_le_bytes());
    meta[8..12].copy_from_slice(&layout.body_start.to_le_bytes());
    for (flag, set) in [
        (PERSISTENT, message.is_persistent()),
        (EXPIRES, expires_at_ms != 0),
        (DEAD_LETTERED, provenance.dead_lettered),
        (KEYS_REPLACED, provenance.keys_replaced),
        (HIDDEN_KEYS, provenance.hidden_keys),
    ] {
        meta[12] |= if set { flag } else { 0 };
    }
    if expires_at_ms != 0 {
        payload.truncate(layout.body_start as usize + layout.body_len as usize);
        let time = expires_at_ms.min(EXPIRES_AT_MS_MAX).to_le_bytes();
        meta[8..12].copy_from_slice(&time[..4]);
        meta[13..15].copy_from_slice(&time[4..6]);
    }
    meta[15] = provenance.failures;
    LogRecord { position: Position(position), meta, weight: layout.body_len, shares, payload }
}

/// The message of a record; `None` when the record was not made by [`to_record`].
pub(crate) fn from_record(record: LogRecord) -> Option<Stored> {
    let meta = &record.meta;
    let u16_at = |at: usize| u16::from_le_bytes([meta[at], meta[at + 1]]);
    let u32_at = |at: usize| u32::from_le_bytes([meta[at], meta[at + 1], meta[at + 2], meta[at + 3]]);
    let has = |flag: u8| meta[12] & flag != 0;
    let body_len = record.weight;
    let (body_start, expires_at_ms) = match has(EXPIRES) {
        true => {
            let time = [meta[8], meta[9], meta[10], meta[11], meta[13], meta[14], 0, 0];
            let start = u32::try_from(record.payload.len()).ok()?.checked_sub(body_len)?;
            (start, u64::from_le_bytes(time))
        }
        false => (u32_at(8), 0),
    };
    let layout = MessageLayout {
        names_end: u16_at(0),
        properties_start: u16_at(2),
        properties_len: u32_at(4),
        body_start,
        body_len,
    };
    let provenance = Provenance {
        dead_lettered: has(DEAD_LETTERED),
        keys_replaced: has(KEYS_REPLACED),
        failures: record.meta[15],
        hidden_keys: has(HIDDEN_KEYS),
    };
    let persistent = has(PERSISTENT);
    let message = Message::try_from_parts(record.payload, layout, persistent)?.with_provenance(provenance);
    Some(Stored { message, expires_at_ms })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_message_survives_the_log() {
        for expires_at_ms in [0, 1, 1_790_000_000_123, EXPIRES_AT_MS_MAX] {
            for dead_lettered in [false, true] {
                let provenance = Provenance {
                    dead_lettered,
                    keys_replaced: !dead_lettered,
                    failures: 3,
                    hidden_keys: dead_lettered,
                };
                let message = Message::build("ex", "key", &[0, 0], b"body", true).with_provenance(provenance);
                let back = from_record(to_record(7, &message, expires_at_ms, 1)).unwrap();
                let (message, at) = (back.message, back.expires_at_ms);
                assert_eq!(
                    (message.exchange(), message.routing_key(), message.properties(), message.body()),
                    ("ex", "key", &[0u8, 0][..], &b"body"[..])
                );
                assert_eq!((message.is_persistent(), message.provenance(), at), (true, provenance, expires_at_ms));
            }
        }
    }

    #[test]
    fn a_buffer_that_goes_on_behind_the_body_is_cut() {
        let message = Message::build("ex", "key", &[0, 0], b"body", true);
        let mut buffer = message.buffer().to_vec();
        buffer.extend_from_slice(b"the next frame");
        let message = Message::from_parts(Bytes::from(buffer), message.layout(), true);
        assert_eq!(from_record(to_record(7, &message, 5, 1)).unwrap().message.body(), b"body");
    }

    #[test]
    fn a_layout_outside_the_payload_is_refused() {
        for expires_at_ms in [0, 9] {
            let mut record = to_record(7, &Message::build("ex", "key", &[0, 0], b"body", true), expires_at_ms, 1);
            record.weight = 200;
            assert!(from_record(record).is_none());
        }
    }
}
