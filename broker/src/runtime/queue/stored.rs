//! A message as a log record, and back.
//!
//! ```text
//! meta: | names_end u16 | properties_start u16 | properties_len u32 | body_start u32 | body_len u32 | flags u8 | 0 0 0 |
//! payload: the message's buffer
//! ```
//! Integers are little-endian. Flag bit 0: persistent.

use crate::domain::message::{Message, MessageLayout};
use crate::storage::{LogRecord, Position};

const PERSISTENT: u8 = 1;

/// The record of a message.
pub(super) fn to_record(position: u64, message: &Message) -> LogRecord {
    let layout = message.layout();
    let mut meta = [0u8; 20];
    meta[0..2].copy_from_slice(&layout.names_end.to_le_bytes());
    meta[2..4].copy_from_slice(&layout.properties_start.to_le_bytes());
    meta[4..8].copy_from_slice(&layout.properties_len.to_le_bytes());
    meta[8..12].copy_from_slice(&layout.body_start.to_le_bytes());
    meta[12..16].copy_from_slice(&layout.body_len.to_le_bytes());
    meta[16] = if message.is_persistent() { PERSISTENT } else { 0 };
    LogRecord { position: Position(position), meta, payload: message.buffer().clone() }
}

/// The message of a record; `None` when the record was not made by [`to_record`].
pub(super) fn from_record(record: LogRecord) -> Option<Message> {
    let meta = &record.meta;
    let u16_at = |at: usize| u16::from_le_bytes([meta[at], meta[at + 1]]);
    let u32_at = |at: usize| u32::from_le_bytes([meta[at], meta[at + 1], meta[at + 2], meta[at + 3]]);
    let layout = MessageLayout {
        names_end: u16_at(0),
        properties_start: u16_at(2),
        properties_len: u32_at(4),
        body_start: u32_at(8),
        body_len: u32_at(12),
    };
    Message::try_from_parts(record.payload, layout, meta[16] & PERSISTENT != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_the_log() {
        let message = Message::build("ex", "key", &[0, 0], b"body", true);
        let back = from_record(to_record(7, &message)).unwrap();
        assert_eq!(
            (back.exchange(), back.routing_key(), back.properties(), back.body(), back.is_persistent()),
            ("ex", "key", &[0u8, 0][..], &b"body"[..], true)
        );
    }

    #[test]
    fn a_layout_outside_the_payload_is_refused() {
        let mut record = to_record(7, &Message::build("ex", "key", &[0, 0], b"body", true));
        record.meta[12] = 200;
        assert!(from_record(record).is_none());
    }
}
