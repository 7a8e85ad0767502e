//! The protocol's short string: at most 255 octets, checked once where it enters the program.

use std::fmt;
use std::str::FromStr;

/// A text that fits the protocol's short string.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ShortString(String);

/// The text has more than 255 octets.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0} bytes, but the protocol allows at most 255 here")]
pub struct TooLong(usize);

impl ShortString {
    /// The most octets one can have.
    pub const BYTES_MAX: usize = 255;

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ShortString {
    type Error = TooLong;

    fn try_from(text: String) -> Result<Self, TooLong> {
        if text.len() > Self::BYTES_MAX { Err(TooLong(text.len())) } else { Ok(Self(text)) }
    }
}

impl FromStr for ShortString {
    type Err = TooLong;

    fn from_str(text: &str) -> Result<Self, TooLong> {
        Self::try_from(text.to_owned())
    }
}

impl fmt::Display for ShortString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_255_octets_and_not_characters() {
        assert!(ShortString::try_from("x".repeat(255)).is_ok());
        assert_eq!(ShortString::try_from("x".repeat(256)), Err(TooLong(256)));
        assert_eq!(ShortString::try_from("水".repeat(86)), Err(TooLong(258)));
    }
}
