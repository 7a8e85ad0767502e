//! The encoded form that properties and field tables keep inside a message.
//!
//! A message holds its properties as the publisher sent them; routing by headers, expiry
//! and dead-lettering look into them. Decoding is bounded by the slice and by
//! [`NESTING_MAX`]; it never panics.

use bytes::Bytes;

use super::value::{FieldTable, FieldValue};

/// Deepest nesting of tables and arrays that is decoded.
pub const NESTING_MAX: usize = 32;

/// Why bytes are no value; the sentence goes into a 501 or 502.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The slice ends inside a value.
    #[error("truncated field")]
    Truncated,
    /// A short string is not UTF-8.
    #[error("Malformed UTF-8 in shortstr")]
    Utf8,
    /// An unknown type tag.
    #[error("unknown field type")]
    Type,
    /// Bytes behind the last value.
    #[error("octets behind the last field")]
    Trailing,
    /// More property flags than there are properties.
    #[error("unknown property flags")]
    Flags,
    /// Tables within tables beyond [`NESTING_MAX`].
    #[error("fields nested too deeply")]
    Nesting,
}

/// Reads values from a slice.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What is left.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Takes `count` bytes.
    ///
    /// # Errors
    /// [`Malformed::Truncated`]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Malformed::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    /// An octet.
    ///
    /// # Errors
    /// [`Malformed::Truncated`]
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    /// A short.
    ///
    /// # Errors
    /// [`Malformed::Truncated`]
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// A long.
    ///
    /// # Errors
    /// [`Malformed::Truncated`]
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// A long long.
    ///
    /// # Errors
    /// [`Malformed::Truncated`]
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// A short string.
    ///
    /// # Errors
    /// [`Malformed`]
    pub fn short_string(&mut self) -> Result<&'a str, Malformed> {
        let len = self.u8()?;
        std::str::from_utf8(self.take(len.into())?).map_err(|_| Malformed::Utf8)
    }

    /// A short string that nobody looks into, of whatever octets.
    ///
    /// # Errors
    /// [`Malformed::Truncated`]
    pub fn skip_short_string(&mut self) -> Result<(), Malformed> {
        let len = self.u8()?;
        self.take(len.into()).map(drop)
    }

    /// A long string.
    ///
    /// # Errors
    /// [`Malformed::Truncated`]
    pub fn long_string(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.u32()?;
        self.take(len as usize)
    }

    /// A field table.
    ///
    /// # Errors
    /// [`Malformed`]
    pub fn table(&mut self) -> Result<FieldTable, Malformed> {
        self.nested_table(0)
    }

    fn nested_table(&mut self, depth: usize) -> Result<FieldTable, Malformed> {
        if depth > NESTING_MAX {
            return Err(Malformed::Nesting);
        }
        let mut inner = Reader(self.long_string()?);
        let mut entries = Vec::new();
        while !inner.0.is_empty() {
            let name = inner.short_string()?.to_owned();
            entries.push((name, inner.value(depth)?));
        }
        Ok(entries.into_iter().collect())
    }

    /// Walks a field table without building it.
    ///
    /// # Errors
    /// [`Malformed`]
    pub fn skip_table(&mut self) -> Result<(), Malformed> {
        self.skip_nested_table(0)
    }

    fn skip_nested_table(&mut self, depth: usize) -> Result<(), Malformed> {
        if depth > NESTING_MAX {
            return Err(Malformed::Nesting);
        }
        let mut inner = Reader(self.long_string()?);
        while !inner.0.is_empty() {
            inner.short_string()?;
            inner.skip_value(depth)?;
        }
        Ok(())
    }

    fn skip_value(&mut self, depth: usize) -> Result<(), Malformed> {
        match self.u8()? {
            b't' | b'b' | b'B' => self.take(1).map(drop),
            b's' | b'u' => self.take(2).map(drop),
            b'I' | b'i' | b'f' => self.take(4).map(drop),
            b'D' => self.take(5).map(drop),
            b'l' | b'd' | b'T' => self.take(8).map(drop),
            b'S' | b'x' => self.long_string().map(drop),
            b'V' => Ok(()),
            b'F' => self.skip_nested_table(depth + 1),
            b'A' => {
                if depth >= NESTING_MAX {
                    return Err(Malformed::Nesting);
                }
                let mut inner = Reader(self.long_string()?);
                while !inner.0.is_empty() {
                    inner.skip_value(depth + 1)?;
                }
                Ok(())
            }
            _ => Err(Malformed::Type),
        }
    }

    fn value(&mut self, depth: usize) -> Result<FieldValue, Malformed> {
        Ok(match self.u8()? {
            b't' => FieldValue::Boolean(self.u8()? != 0),
            b'b' => FieldValue::I8(self.u8()?.cast_signed()),
            b'B' => FieldValue::U8(self.u8()?),
            b's' => FieldValue::I16(self.u16()?.cast_signed()),
            b'u' => FieldValue::U16(self.u16()?),
            b'I' => FieldValue::I32(self.u32()?.cast_signed()),
            b'i' => FieldValue::U32(self.u32()?),
            b'l' => FieldValue::I64(self.u64()?.cast_signed()),
            b'f' => FieldValue::F32(f32::from_bits(self.u32()?)),
            b'd' => FieldValue::F64(f64::from_bits(self.u64()?)),
            b'D' => FieldValue::Decimal(self.u8()?, self.u32()?),
            b'S' => FieldValue::LongString(Bytes::copy_from_slice(self.long_string()?)),
            b'x' => FieldValue::ByteArray(Bytes::copy_from_slice(self.long_string()?)),
            b'T' => FieldValue::Timestamp(self.u64()?),
            b'F' => FieldValue::Table(self.nested_table(depth + 1)?),
            b'V' => FieldValue::Void,
            b'A' => {
                if depth >= NESTING_MAX {
                    return Err(Malformed::Nesting);
                }
                let mut inner = Reader(self.long_string()?);
                let mut items = Vec::new();
                while !inner.0.is_empty() {
                    items.push(inner.value(depth + 1)?);
                }
                FieldValue::Array(items)
            }
            _ => return Err(Malformed::Type),
        })
    }
}

/// Writes a short string; longer text is cut at a character boundary within 255 bytes.
pub fn write_short_string(out: &mut Vec<u8>, text: &str) {
    let text = cut_short(text);
    out.push(text.len() as u8);
    out.extend_from_slice(text.as_bytes());
}

/// The longest prefix of `text` that fits a short string.
#[must_use]
pub fn cut_short(text: &str) -> &str {
    if text.len() <= 255 { text } else { &text[..text.floor_char_boundary(255)] }
}

/// Writes a long string.
pub fn write_long_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Writes a field table.
pub fn write_table(out: &mut Vec<u8>, table: &FieldTable) {
    with_length(out, |out| {
        for (name, value) in table.iter() {
            write_short_string(out, name);
            write_value(out, value);
        }
    });
}

fn with_length(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let len = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&len.to_be_bytes());
}

fn write_value(out: &mut Vec<u8>, value: &FieldValue) {
    match value {
        FieldValue::Boolean(v) => out.extend_from_slice(&[b't', u8::from(*v)]),
        FieldValue::I8(v) => out.extend_from_slice(&[b'b', v.cast_unsigned()]),
        FieldValue::U8(v) => out.extend_from_slice(&[b'B', *v]),
        FieldValue::I16(v) => tagged(out, b's', &v.to_be_bytes()),
        FieldValue::U16(v) => tagged(out, b'u', &v.to_be_bytes()),
        FieldValue::I32(v) => tagged(out, b'I', &v.to_be_bytes()),
        FieldValue::U32(v) => tagged(out, b'i', &v.to_be_bytes()),
        FieldValue::I64(v) => tagged(out, b'l', &v.to_be_bytes()),
        FieldValue::F32(v) => tagged(out, b'f', &v.to_be_bytes()),
        FieldValue::F64(v) => tagged(out, b'd', &v.to_be_bytes()),
        FieldValue::Decimal(scale, unscaled) => {
            out.extend_from_slice(&[b'D', *scale]);
            out.extend_from_slice(&unscaled.to_be_bytes());
        }
        FieldValue::LongString(v) => {
            out.push(b'S');
            write_long_string(out, v);
        }
        FieldValue::ByteArray(v) => {
            out.push(b'x');
            write_long_string(out, v);
        }
        FieldValue::Timestamp(v) => tagged(out, b'T', &v.to_be_bytes()),
        FieldValue::Table(v) => {
            out.push(b'F');
            write_table(out, v);
        }
        FieldValue::Void => out.push(b'V'),
        FieldValue::Array(items) => {
            out.push(b'A');
            with_length(out, |out| {
                for item in items {
                    write_value(out, item);
                }
            });
        }
    }
}

fn tagged(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::value::tests::any_table;

    proptest! {
        #[test]
        fn a_table_is_what_it_was_after_the_wire(table in any_table()) {
            let mut bytes = Vec::new();
            write_table(&mut bytes, &table);
            prop_assert_eq!(Reader::new(&bytes).skip_table(), Ok(()));
            prop_assert_eq!(Reader::new(&bytes).table(), Ok(table));
        }

        #[test]
        fn arbitrary_bytes_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            // Walking and building agree on what is a table.
            prop_assert_eq!(Reader::new(&bytes).skip_table(), Reader::new(&bytes).table().map(drop));
        }
    }

    #[test]
    fn deep_nesting_is_refused() {
        let mut value = FieldValue::Void;
        for _ in 0..100 {
            value = FieldValue::Array(vec![value]);
        }
        let mut bytes = Vec::new();
        write_table(&mut bytes, &[("a".to_owned(), value)].into_iter().collect());
        assert_eq!(Reader::new(&bytes).table(), Err(Malformed::Nesting));
    }
}
