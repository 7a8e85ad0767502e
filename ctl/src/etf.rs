//! Terms in the Erlang external term format: exported definitions, encrypted values.
//!
//! A term is a tag byte and its content, big-endian:
//!
//! ```text
//! 131 | 97 byte | 98 i32 | 110 len sign le-bytes | 70 f64 | 109 u32 bytes | 119 u8 utf8 (atom)
//!     | 106 (empty list) | 108 u32 terms tail | 116 u32 (key value)* | 104 u8 terms (tuple) | 107 u16 bytes
//!     | 80 u32 zlib(term)
//! ```

use crate::term::Term;

const VERSION: u8 = 131;

/// Largest document unpacked, in bytes.
const UNPACKED_BYTES_MAX: usize = 1 << 30;

/// Deepest nesting read.
const DEPTH_MAX: usize = 128;

/// Why bytes are no term.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// They end too early, or a length is not true.
    #[error("{{:truncated, {0}}}")]
    Truncated(usize),
    /// A kind of term that no document holds.
    #[error("{{:unexpected_tag, {0}}}")]
    Tag(u8),
    /// Not a term at all, or one that nests too deeply.
    #[error(":badarg")]
    BadArgument,
}

/// A term as bytes.
pub fn encode(term: &Term) -> Vec<u8> {
    let mut out = vec![VERSION];
    put(&mut out, term);
    out
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    out.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
}

fn put_atom(out: &mut Vec<u8>, name: &str) {
    out.extend([119, u8::try_from(name.len()).unwrap_or(u8::MAX)]);
    out.extend(name.as_bytes());
}

fn put_binary(out: &mut Vec<u8>, text: &str) {
    out.push(109);
    put_length(out, text.len());
    out.extend(text.as_bytes());
}

fn put(out: &mut Vec<u8>, term: &Term) {
    match term {
        Term::Missing => put_atom(out, "null"),
        Term::Bool(value) => put_atom(out, if *value { "true" } else { "false" }),
        Term::Atom(name) => put_atom(out, name),
        Term::Int(number) => put_integer(out, *number),
        Term::Float(number) => {
            out.push(70);
            out.extend(number.to_be_bytes());
        }
        Term::Text(text) | Term::Pid(text) => put_binary(out, text),
        Term::Chars(text) => put_chars(out, text),
        Term::List(items) => {
            if !items.is_empty() {
                out.push(108);
                put_length(out, items.len());
                items.iter().for_each(|item| put(out, item));
            }
            out.push(106);
        }
        Term::Tuple(items) => {
            out.extend([104, u8::try_from(items.len()).unwrap_or(u8::MAX)]);
            items.iter().for_each(|item| put(out, item));
        }
        Term::Map(entries) => {
            out.push(116);
            put_length(out, entries.len());
            for (key, value) in entries {
                put(out, key);
                put(out, value);
            }
        }
    }
}

/// Characters that all fit a byte have a form of their own.
fn put_chars(out: &mut Vec<u8>, text: &str) {
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    match bytes.map(|bytes| (u16::try_from(bytes.len()), bytes)) {
        Some((Ok(length), bytes)) if length > 0 => {
            out.push(107);
            out.extend(length.to_be_bytes());
            out.extend(bytes);
        }
        _ => put(out, &Term::List(text.chars().map(|c| Term::Int(i64::from(u32::from(c)))).collect())),
    }
}

fn put_integer(out: &mut Vec<u8>, number: i64) {
    match (u8::try_from(number), i32::try_from(number)) {
        (Ok(byte), _) => out.extend([97, byte]),
        (_, Ok(small)) => {
            out.push(98);
            out.extend(small.to_be_bytes());
        }
        _ => {
            out.extend([110, 8, u8::from(number < 0)]);
            out.extend(number.unsigned_abs().to_le_bytes());
        }
    }
}

/// The term that bytes are.
pub fn decode(bytes: &[u8]) -> Result<Term, Error> {
    let rest = bytes.strip_prefix(&[VERSION]).ok_or(Error::BadArgument)?;
    if let Some(packed) = rest.strip_prefix(&[80]) {
        let packed = packed.get(4..).ok_or(Error::Truncated(bytes.len()))?;
        let unpacked = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(packed, UNPACKED_BYTES_MAX)
            .map_err(|_| Error::BadArgument)?;
        return Reader { bytes: &unpacked, at: 0 }.term(0);
    }
    Reader { bytes: rest, at: 0 }.term(0)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let end = self.at.checked_add(count).ok_or(Error::Truncated(self.at))?;
        let taken = self.bytes.get(self.at..end).ok_or(Error::Truncated(self.at))?;
        self.at = end;
        Ok(taken)
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        self.take(N)?.try_into().map_err(|_| Error::Truncated(self.at))
    }

    fn length(&mut self) -> Result<usize, Error> {
        usize::try_from(u32::from_be_bytes(self.number()?)).map_err(|_| Error::BadArgument)
    }

    fn text(&mut self, length: usize) -> Result<String, Error> {
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    fn items(&mut self, count: usize, depth: usize) -> Result<Vec<Term>, Error> {
        (0..count).map(|_| self.term(depth + 1)).collect()
    }

    fn term(&mut self, depth: usize) -> Result<Term, Error> {
        if depth > DEPTH_MAX {
            return Err(Error::BadArgument);
        }
        let [tag] = self.number()?;
        Ok(match tag {
            70 => Term::Float(f64::from_be_bytes(self.number()?)),
            97 => Term::Int(i64::from(self.number::<1>()?[0])),
            98 => Term::Int(i64::from(i32::from_be_bytes(self.number()?))),
            100 => {
                let length = u16::from_be_bytes(self.number()?);
                atom(self.text(usize::from(length))?)
            }
            104 => {
                let [count] = self.number()?;
                Term::Tuple(self.items(usize::from(count), depth)?)
            }
            106 => Term::List(Vec::new()),
            107 => {
                let length = u16::from_be_bytes(self.number()?);
                Term::Chars(self.take(usize::from(length))?.iter().copied().map(char::from).collect())
            }
            108 => {
                let count = self.length()?;
                let items = self.items(count, depth)?;
                self.term(depth + 1)?;
                Term::List(items)
            }
            109 => {
                let length = self.length()?;
                Term::Text(self.text(length)?)
            }
            110 => {
                let [length, sign] = self.number()?;
                let mut bytes = [0_u8; 8];
                let digits = self.take(usize::from(length))?;
                bytes.get_mut(..digits.len()).ok_or(Error::BadArgument)?.copy_from_slice(digits);
                let size = i64::try_from(u64::from_le_bytes(bytes)).map_err(|_| Error::BadArgument)?;
                Term::Int(if sign == 0 { size } else { -size })
            }
            116 => {
                let count = self.length()?;
                let mut entries = Vec::new();
                for _ in 0..count {
                    entries.push((self.term(depth + 1)?, self.term(depth + 1)?));
                }
                Term::Map(entries)
            }
            119 => {
                let [length] = self.number()?;
                atom(self.text(usize::from(length))?)
            }
            other => return Err(Error::Tag(other)),
        })
    }
}

fn atom(name: String) -> Term {
    match name.as_str() {
        "true" => Term::Bool(true),
        "false" => Term::Bool(false),
        _ => Term::Atom(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_document_reads_back_the_same() {
        let document = json!({"a": [1, -5, 70_000, 5_000_000_000_i64, -6_000_000_000_i64, 1.5, "水", true, null], "b": {}, "c": []});
        let term = Term::from_json(&document);
        assert_eq!(decode(&encode(&term)).map(|term| term.to_json()), Ok(document));
        let chars = Term::Tuple(vec![Term::Chars("a b".into()), Term::atom("x")]);
        assert_eq!(decode(&encode(&chars)), Ok(chars));
    }

    #[test]
    fn broken_terms_are_refused() {
        for bytes in
            [&b""[..], b"\x83", b"\x83\x6d\xff\xff\xff\xff", b"\x83\x6c\xff\xff\xff\xff", b"\x83\x50", b"\x83\x01"]
        {
            assert!(decode(bytes).is_err(), "{bytes:?}");
        }
    }
}
