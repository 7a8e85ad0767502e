//! Builds frames into a growing buffer that its owner reuses, so that a batch of messages is one write and no allocation.

use super::{FRAME_END, FRAME_OVERHEAD_BYTES, MethodId, ShortString, frame_type};

/// One value of a field table.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    /// `t`
    Bool(bool),
    /// `l`
    Long(i64),
    /// `S`
    Text(String),
    /// `F`
    Table(Table),
}

/// A field table in the order its entries were given.
pub type Table = Vec<(ShortString, Field)>;

/// The properties of a published message; the tool needs two of the fourteen.
#[derive(Debug, Clone, Default)]
pub struct Properties {
    /// Delivery mode 2 instead of 1.
    pub persistent: bool,
    /// The `headers` property, left out when empty.
    pub headers: Table,
}

/// Writing protocol values at the end of a buffer.
pub trait Encode {
    /// A short string: one octet of length, then the text.
    fn put_short(&mut self, text: &ShortString);
    /// A long string: four octets of length, then the octets.
    fn put_long(&mut self, bytes: &[u8]);
    /// A field table.
    fn put_table(&mut self, table: &Table);
    /// A whole method frame, its arguments written by `args`.
    fn put_method(&mut self, channel: u16, id: MethodId, args: impl FnOnce(&mut Vec<u8>));
    /// A whole content header frame of class `basic`.
    fn put_header(&mut self, channel: u16, body_bytes: u64, properties: &Properties);
    /// The body frames for `body`, none of them longer than `frame_max` octets in all.
    fn put_body(&mut self, channel: u16, body: &[u8], frame_max: usize);
}

/// Writes a frame around what `payload` appends.
fn frame(out: &mut Vec<u8>, kind: u8, channel: u16, payload: impl FnOnce(&mut Vec<u8>)) {
    out.push(kind);
    out.extend_from_slice(&channel.to_be_bytes());
    sized(out, payload);
    out.push(FRAME_END);
}

/// Writes four octets of length before what `content` appends.
fn sized(out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>)) {
    let size_at = out.len();
    out.extend_from_slice(&[0; 4]);
    content(out);
    let size = u32::try_from(out.len() - size_at - 4).unwrap_or(u32::MAX);
    out[size_at..size_at + 4].copy_from_slice(&size.to_be_bytes());
}

fn put_field(out: &mut Vec<u8>, field: &Field) {
    match field {
        Field::Bool(value) => out.extend_from_slice(&[b't', u8::from(*value)]),
        Field::Long(value) => {
            out.push(b'l');
            out.extend_from_slice(&value.to_be_bytes());
        }
        Field::Text(text) => {
            out.push(b'S');
            out.put_long(text.as_bytes());
        }
        Field::Table(table) => {
            out.push(b'F');
            out.put_table(table);
        }
    }
}

impl Encode for Vec<u8> {
    fn put_short(&mut self, text: &ShortString) {
        let bytes = text.as_str().as_bytes();
        // A ShortString is at most 255 octets by construction.
        self.push(bytes.len() as u8);
        self.extend_from_slice(bytes);
    }

    fn put_long(&mut self, bytes: &[u8]) {
        sized(self, |out| out.extend_from_slice(bytes));
    }

    fn put_table(&mut self, table: &Table) {
        sized(self, |out| {
            for (name, field) in table {
                out.put_short(name);
                put_field(out, field);
            }
        });
    }

    fn put_method(&mut self, channel: u16, id: MethodId, args: impl FnOnce(&mut Vec<u8>)) {
        frame(self, frame_type::METHOD, channel, |out| {
            out.extend_from_slice(&id.0.to_be_bytes());
            out.extend_from_slice(&id.1.to_be_bytes());
            args(out);
        });
    }

    fn put_header(&mut self, channel: u16, body_bytes: u64, properties: &Properties) {
        const HEADERS: u16 = 1 << 13;
        const DELIVERY_MODE: u16 = 1 << 12;
        frame(self, frame_type::HEADER, channel, |out| {
            out.extend_from_slice(&60_u16.to_be_bytes());
            out.extend_from_slice(&0_u16.to_be_bytes());
            out.extend_from_slice(&body_bytes.to_be_bytes());
            let headers = if properties.headers.is_empty() { 0 } else { HEADERS };
            out.extend_from_slice(&(headers | DELIVERY_MODE).to_be_bytes());
            if headers != 0 {
                out.put_table(&properties.headers);
            }
            out.push(if properties.persistent { 2 } else { 1 });
        });
    }

    fn put_body(&mut self, channel: u16, body: &[u8], frame_max: usize) {
        let payload_max = frame_max.saturating_sub(FRAME_OVERHEAD_BYTES).max(1);
        for part in body.chunks(payload_max) {
            frame(self, frame_type::BODY, channel, |out| out.extend_from_slice(part));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::method;
    use super::*;

    fn short(text: &str) -> ShortString {
        text.parse().unwrap()
    }

    #[test]
    fn a_publish_is_byte_for_byte_what_the_protocol_says() {
        let mut out = Vec::new();
        out.put_method(1, method::BASIC_PUBLISH, |args| {
            args.extend_from_slice(&[0, 0]);
            args.put_short(&short(""));
            args.put_short(&short("q1"));
            args.push(0);
        });
        assert_eq!(out, b"\x01\x00\x01\x00\x00\x00\x0b\x00\x3c\x00\x28\x00\x00\x00\x02q1\x00\xce");

        out.clear();
        out.put_header(1, 5, &Properties { persistent: true, headers: Table::new() });
        assert_eq!(
            out,
            b"\x02\x00\x01\x00\x00\x00\x0f\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x10\x00\x02\xce"
        );

        out.clear();
        out.put_body(1, b"hello", 131_072);
        assert_eq!(out, b"\x03\x00\x01\x00\x00\x00\x05hello\xce");
    }

    #[test]
    fn a_body_larger_than_a_frame_is_split_and_an_empty_one_has_no_frame() {
        let mut out = Vec::new();
        out.put_body(3, b"abcdefgh", 8 + 3);
        assert_eq!(
            out,
            b"\x03\x00\x03\x00\x00\x00\x03abc\xce\x03\x00\x03\x00\x00\x00\x03def\xce\x03\x00\x03\x00\x00\x00\x02gh\xce"
        );
        out.clear();
        out.put_body(3, b"", 4096);
        assert!(out.is_empty());
    }

    #[test]
    fn a_table_carries_each_kind_of_field_with_its_mark() {
        let mut out = Vec::new();
        out.put_table(&vec![
            (short("b"), Field::Bool(true)),
            (short("n"), Field::Long(-2)),
            (short("s"), Field::Text("ab".into())),
            (short("t"), Field::Table(vec![(short("x"), Field::Bool(false))])),
        ]);
        let mut expected = vec![0, 0, 0, 35];
        expected.extend_from_slice(b"\x01bt\x01");
        expected.extend_from_slice(b"\x01nl\xff\xff\xff\xff\xff\xff\xff\xfe");
        expected.extend_from_slice(b"\x01sS\x00\x00\x00\x02ab");
        expected.extend_from_slice(b"\x01tF\x00\x00\x00\x04\x01xt\x00");
        expected[3] = (expected.len() - 4) as u8;
        assert_eq!(out, expected);
    }
}
