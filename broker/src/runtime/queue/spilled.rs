//! Messages of a queue as one block of bytes, and back. Unlike what the queue's log holds,
//! such a block is of this process alone: it is never read after a restart.
//!
//! ```text
//! block: entry entry …
//! entry: | position u64 | expires u64 | acquired u32 | failures u16 | priority u8 | flags u8 | earlier failures u8 |
//!        | names_end u16 | properties_start u16 | properties_len u32 | body_start u32 | body_len u32 | length u32 | buffer |
//! ```
//! Integers are little-endian.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::domain::message::{Message, MessageLayout, Provenance};
use crate::domain::queue::ready::Entry;

const HEADER_BYTES: usize = 45;

const LOGGED: u8 = 1;
const PERSISTENT: u8 = 1 << 1;
const DEAD_LETTERED: u8 = 1 << 2;
const KEYS_REPLACED: u8 = 1 << 3;
const HIDDEN_KEYS: u8 = 1 << 4;

/// The block of these messages.
pub(super) fn to_block(entries: &[Entry]) -> Bytes {
    let length = |entry: &Entry| entry.message.buffer().len();
    let mut block = BytesMut::with_capacity(entries.iter().map(|entry| HEADER_BYTES + length(entry)).sum());
    for entry in entries {
        let (message, layout) = (&entry.message, entry.message.layout());
        let provenance = message.provenance();
        let mut flags = 0;
        for (flag, set) in [
            (LOGGED, entry.logged),
            (PERSISTENT, message.is_persistent()),
            (DEAD_LETTERED, provenance.dead_lettered),
            (KEYS_REPLACED, provenance.keys_replaced),
            (HIDDEN_KEYS, provenance.hidden_keys),
        ] {
            flags |= if set { flag } else { 0 };
        }
        block.put_u64_le(entry.position);
        block.put_u64_le(entry.expires_at_ms);
        block.put_u32_le(entry.acquired);
        block.put_u16_le(entry.failures);
        block.put_u8(entry.priority);
        block.put_u8(flags);
        block.put_u8(provenance.failures);
        block.put_u16_le(layout.names_end);
        block.put_u16_le(layout.properties_start);
        block.put_u32_le(layout.properties_len);
        block.put_u32_le(layout.body_start);
        block.put_u32_le(layout.body_len);
        block.put_u32_le(message.buffer().len() as u32);
        block.extend_from_slice(message.buffer());
    }
    block.freeze()
}

/// The messages of a block; `None` when it was not made by [`to_block`].
pub(super) fn from_block(mut block: Bytes) -> Option<Vec<Entry>> {
    let mut entries = Vec::new();
    while !block.is_empty() {
        if block.len() < HEADER_BYTES {
            return None;
        }
        let (position, expires_at_ms) = (block.get_u64_le(), block.get_u64_le());
        let (acquired, failures, priority) = (block.get_u32_le(), block.get_u16_le(), block.get_u8());
        let (flags, earlier_failures) = (block.get_u8(), block.get_u8());
        let layout = MessageLayout {
            names_end: block.get_u16_le(),
            properties_start: block.get_u16_le(),
            properties_len: block.get_u32_le(),
            body_start: block.get_u32_le(),
            body_len: block.get_u32_le(),
        };
        let length = block.get_u32_le() as usize;
        if block.len() < length {
            return None;
        }
        let has = |flag: u8| flags & flag != 0;
        let provenance = Provenance {
            dead_lettered: has(DEAD_LETTERED),
            keys_replaced: has(KEYS_REPLACED),
            failures: earlier_failures,
            hidden_keys: has(HIDDEN_KEYS),
        };
        let message = Message::try_from_parts(block.split_to(length), layout, has(PERSISTENT))?;
        entries.push(Entry {
            position,
            message: message.with_provenance(provenance),
            expires_at_ms,
            acquired,
            failures,
            logged: has(LOGGED),
            priority,
        });
    }
    Some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<Entry> {
        let kinds = [(true, true, 0), (false, true, 9), (false, false, 1_790_000_000_123)];
        let entry = |(number, &(logged, persistent, expires_at_ms)): (usize, &(bool, bool, u64))| {
            let provenance = Provenance {
                dead_lettered: logged,
                keys_replaced: !logged,
                failures: 2 + number as u8,
                hidden_keys: number == 1,
            };
            let body = vec![b'x'; number * 100];
            let message = Message::build("ex", "key", &[0, 0], &body, persistent).with_provenance(provenance);
            let mut entry = Entry::published(number as u64 + 1, message, expires_at_ms, 3, logged);
            entry.acquired += 70_000;
            entry
        };
        kinds.iter().enumerate().map(entry).collect()
    }

    #[test]
    fn everything_known_of_a_message_survives() {
        let before = entries();
        let after = from_block(to_block(&before)).unwrap();
        assert_eq!(format!("{before:?}"), format!("{after:?}"));
        assert!(from_block(Bytes::new()).unwrap().is_empty());
    }

    #[test]
    fn a_block_that_is_cut_or_bent_is_refused() {
        let block = to_block(&entries());
        let whole: Vec<usize> = (0..=3).map(|count| to_block(&entries()[..count]).len()).collect();
        for length in (0..block.len()).filter(|length| !whole.contains(length)) {
            assert!(from_block(block.slice(..length)).is_none(), "{length}");
        }
        let mut bent = block.to_vec();
        bent[37] = 200;
        assert!(from_block(Bytes::from(bent)).is_none(), "a body outside its buffer");
    }
}
