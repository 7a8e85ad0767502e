//! The header with which a stream tells a message's offset, put among encoded properties at
//! delivery: stored and shared bytes stay as they are.

use crate::domain::properties::{DELIVERY_MODE, HEADERS, Properties, glance};
use crate::domain::value::{FieldTable, FieldValue};

/// The header's name.
pub const OFFSET: &str = "x-stream-offset";

/// What a message without a delivery mode is said to have: the reference stores whether a
/// message is durable, and every delivery tells it.
const TRANSIENT: u8 = 1;

/// Appends `properties`, flags and list, with the offset among the headers. Properties that
/// cannot be read, which no publish brings, are appended as they are.
pub fn write_with_offset(out: &mut Vec<u8>, properties: &[u8], offset: u64) {
    let spliced = splice(out, properties, offset);
    if spliced.is_none() {
        match Properties::decode(properties) {
            Ok(mut decoded) => {
                decoded.delivery_mode.get_or_insert(TRANSIENT);
                let headers = decoded.headers.get_or_insert_with(FieldTable::new);
                headers.insert(OFFSET, FieldValue::I64(offset as i64));
                out.extend_from_slice(&decoded.encode());
            }
            Err(_) => out.extend_from_slice(properties),
        }
    }
}

/// Does it without decoding anything. `None`, with nothing written, when the message brought
/// a header of that name with it, from the stream it was read from before.
fn splice(out: &mut Vec<u8>, properties: &[u8], offset: u64) -> Option<()> {
    let entry = entry(offset);
    let flags = u16::from_be_bytes(*properties.first_chunk::<2>()?);
    let (head, table, rest) = match glance(properties).ok()?.headers {
        Some(table) => {
            let start = table.as_ptr() as usize - properties.as_ptr() as usize;
            (&properties[2..start], &table[4..], &properties[start + table.len()..])
        }
        None => {
            let start = 2 + short_strings(flags, properties)?;
            (&properties[2..start], &properties[..0], &properties[start..])
        }
    };
    if table.windows(OFFSET.len()).any(|window| window == OFFSET.as_bytes()) {
        return None;
    }
    out.extend_from_slice(&(flags | HEADERS | DELIVERY_MODE).to_be_bytes());
    out.extend_from_slice(head);
    out.extend_from_slice(&((table.len() + entry.len()) as u32).to_be_bytes());
    out.extend_from_slice(table);
    out.extend_from_slice(&entry);
    if flags & DELIVERY_MODE == 0 {
        out.push(TRANSIENT);
    }
    out.extend_from_slice(rest);
    Some(())
}

/// Bytes of the short strings that stand before the headers.
fn short_strings(flags: u16, properties: &[u8]) -> Option<usize> {
    // Content type and content encoding.
    let count = (flags >> 14).count_ones();
    let mut at = 0;
    for _ in 0..count {
        at += 1 + usize::from(*properties.get(2 + at)?);
    }
    Some(at)
}

/// The table entry: name, `l`, value.
fn entry(offset: u64) -> [u8; ENTRY_BYTES] {
    let mut entry = [0; ENTRY_BYTES];
    entry[0] = OFFSET.len() as u8;
    entry[1..=OFFSET.len()].copy_from_slice(OFFSET.as_bytes());
    entry[OFFSET.len() + 1] = b'l';
    entry[OFFSET.len() + 2..].copy_from_slice(&offset.to_be_bytes());
    entry
}

const ENTRY_BYTES: usize = 1 + OFFSET.len() + 1 + 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(properties: &Properties) {
        let (mut out, encoded) = (vec![9], properties.encode());
        write_with_offset(&mut out, &encoded, 1 << 40);
        let mut expected = properties.clone();
        expected.delivery_mode.get_or_insert(TRANSIENT);
        expected.headers.get_or_insert_default().insert(OFFSET, FieldValue::I64(1 << 40));
        assert_eq!(out[0], 9);
        assert_eq!(Properties::decode(&out[1..]), Ok(expected.clone()), "{properties:?}");
        assert_eq!(out[1..], expected.encode());
    }

    #[test]
    fn the_offset_joins_whatever_is_there() {
        let texts = [None, Some("text/plain".to_owned())];
        let headers = |names: &[&str]| -> FieldTable {
            names.iter().map(|name| ((*name).to_owned(), FieldValue::text("v"))).collect()
        };
        for content_type in texts.clone() {
            for content_encoding in texts.clone() {
                for headers in [None, Some(headers(&[])), Some(headers(&["a", "b"])), Some(headers(&["a", OFFSET]))] {
                    for delivery_mode in [None, Some(2)] {
                        check(&Properties {
                            content_type: content_type.clone(),
                            content_encoding: content_encoding.clone(),
                            headers: headers.clone(),
                            delivery_mode,
                            priority: Some(3),
                            app_id: Some("app".to_owned()),
                            ..Properties::default()
                        });
                    }
                }
            }
        }
    }

    #[test]
    fn properties_that_cannot_be_read_stay_what_they_are() {
        for properties in [&[][..], &[0x80], &[0x80, 0, 9, b'x'], &[0x20, 0, 0, 0, 0, 9]] {
            let mut out = Vec::new();
            write_with_offset(&mut out, properties, 7);
            assert_eq!(out, properties);
        }
    }
}
