//! Keys the reference broker knows and Warren does not honour: told apart from typing
//! errors, so that an existing configuration file starts and says what it does not get.

/// The list; its format is explained in its first lines.
const LIST: &str = include_str!("reference_keys.txt");

/// What becomes of a key of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It is ignored, with a warning.
    Ignored,
    /// It is refused: without it the broker would be less protected than configured.
    Refused,
}

/// Looks a key up.
pub fn look_up(key: &str) -> Option<Known> {
    let key = key.replace("\\.", "\u{1}");
    LIST.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let (known, pattern) = match line.strip_prefix('!') {
            Some(pattern) => (Known::Refused, pattern),
            None => (Known::Ignored, line),
        };
        matches(pattern, &key).then_some(known)
    })
}

/// Keys without free words, for suggestions.
pub fn plain_keys() -> impl Iterator<Item = &'static str> {
    LIST.lines().map(|line| line.trim_start_matches('!')).filter(|line| !line.contains(['#', '$', '*']))
}

fn matches(pattern: &str, key: &str) -> bool {
    let mut words = key.split('.');
    for part in pattern.split('.') {
        match (part, words.next()) {
            ("**", Some(_)) => return true,
            (_, None) => return false,
            (part, Some(word)) => {
                if part != word && !part.starts_with('$') {
                    return false;
                }
            }
        }
    }
    words.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_keys_are_ignored_or_refused() {
        for (key, expected) in [
            ("collect_statistics", Some(Known::Ignored)),
            ("mqtt.listeners.tcp.default", Some(Known::Ignored)),
            ("mqtt", None),
            ("log.connection.level", Some(Known::Ignored)),
            ("cluster_tags.zone", Some(Known::Ignored)),
            ("cluster_tags", None),
            ("cluster_tags.a.b", None),
            ("cluster_tags.a\\.b", Some(Known::Ignored)),
            ("ssl_options.crl_check", Some(Known::Refused)),
            ("ssl_options.reuse_sessions", Some(Known::Ignored)),
            ("hearthbeat", None),
        ] {
            assert_eq!(look_up(key), expected, "{key}");
        }
    }
}
