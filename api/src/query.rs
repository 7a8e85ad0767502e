//! The query string: form-encoded pairs, the first of a name wins.

use percent_encoding::percent_decode_str;

/// Whether every percent sign begins an escape.
pub(crate) fn has_whole_escapes(text: &str) -> bool {
    text.split('%')
        .skip(1)
        .all(|rest| rest.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)))
}

/// Decoded parameters in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct QueryString(Vec<(String, Option<String>)>);

impl QueryString {
    /// Decodes a raw query string; a pair that is no UTF-8 is taken with replacement characters.
    pub(crate) fn parse(raw: Option<&str>) -> Self {
        let decode = |text: &str| {
            let spaced = text.replace('+', " ");
            percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
        };
        let pairs = raw.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').map_or((pair, None), |(name, value)| (name, Some(value)));
                    (decode(name), value.map(decode))
                })
                .collect(),
        )
    }

    /// Whether a raw query string can be read: every pair has a name, and every escape two digits.
    pub(crate) fn is_wellformed(raw: &str) -> bool {
        has_whole_escapes(raw) && raw.split('&').all(|pair| !pair.starts_with('='))
    }

    /// The value under a name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_deref().unwrap_or_default())
    }

    /// Whether a name stands there without a value, not even an empty one.
    pub(crate) fn is_bare(&self, name: &str) -> bool {
        self.0.iter().any(|(key, value)| key == name && value.is_none())
    }

    /// All values under a name, in order.
    pub(crate) fn all<'q>(&'q self, name: &'q str) -> impl Iterator<Item = &'q str> {
        let values = self.0.iter().filter(move |(key, _)| key == name);
        values.map(|(_, value)| value.as_deref().unwrap_or_default())
    }

    /// Whether the value under a name is `true`.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_told_from_what_is_unusual() {
        for (raw, expected) in [
            ("", true),
            ("a", true),
            ("&&a=%2F&b=", true),
            ("=a", false),
            ("a&=", false),
            ("a=%", false),
            ("a=%2", false),
            ("%zz", false),
        ] {
            assert_eq!(QueryString::is_wellformed(raw), expected, "{raw}");
        }
    }
}
