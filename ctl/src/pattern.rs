//! What is wrong with a pattern that the node refused, in the words of PCRE.
//!
//! The node decides whether a pattern is accepted; this only names the usual mistakes
//! and where they are, as the reference's node reports them.

/// The first mistake and the byte it is at.
pub fn trouble(pattern: &str) -> Option<(&'static str, usize)> {
    let bytes = pattern.as_bytes();
    let (mut at, mut open, mut repeatable) = (0, 0_usize, false);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if at + 1 == bytes.len() => return Some(("\\ at end of pattern", bytes.len())),
            b'\\' => at += 1,
            b'[' => match end_of_class(bytes, at) {
                Some(end) => at = end,
                None => return Some(("missing terminating ] for character class", bytes.len())),
            },
            b'(' => open += 1,
            b')' if open == 0 => return Some(("unmatched parentheses", at)),
            b')' => open -= 1,
            b'*' | b'+' | b'?' if !repeatable => return Some(("nothing to repeat", at)),
            _ => {}
        }
        let opens_group = *byte == b'(';
        repeatable = !matches!(byte, b'(' | b'|');
        at += 1;
        // The mark behind an opening parenthesis belongs to it.
        if opens_group && bytes.get(at) == Some(&b'?') {
            at += 1;
        }
    }
    (open > 0).then_some(("missing )", bytes.len()))
}

fn end_of_class(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    if bytes.get(at) == Some(&b'^') {
        at += 1;
    }
    if bytes.get(at) == Some(&b']') {
        at += 1;
    }
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b']' => return Some(at),
            _ => at += 1,
        }
    }
    None
}

/// Whether a pattern of the usual simple kind matches somewhere in a name.
pub fn matches(pattern: &str, name: &str) -> bool {
    fancy_regex::Regex::new(pattern).is_ok_and(|regex| regex.is_match(name).unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_have_the_recorded_words() {
        for (pattern, expected) in [
            ("(", Some(("missing )", 1))),
            ("*", Some(("nothing to repeat", 0))),
            ("[", Some(("missing terminating ] for character class", 1))),
            ("a)", Some(("unmatched parentheses", 1))),
            ("^(a|b)$", None),
            ("(?!x).*", None),
            ("[]a]+", None),
        ] {
            assert_eq!(trouble(pattern), expected, "{pattern}");
        }
    }
}
