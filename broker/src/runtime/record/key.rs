//! Keys of stored records: `kind/part/part…`, each part escaped so that `/` only
//! separates. The encoding is injective: `/` becomes `%2F` and `%` becomes `%25`.

use std::fmt::Write as _;

/// Kinds of record, as they stand before the first `/`.
pub(crate) mod kind {
    /// Users.
    pub(crate) const USER: &str = "user";
    /// Vhosts.
    pub(crate) const VHOST: &str = "vhost";
    /// Permissions, by vhost and user.
    pub(crate) const PERMISSION: &str = "permission";
    /// Topic permissions, by vhost, user and exchange.
    pub(crate) const TOPIC_PERMISSION: &str = "topic-permission";
    /// User policies, by vhost and name.
    pub(crate) const POLICY: &str = "policy";
    /// Operator policies, by vhost and name.
    pub(crate) const OPERATOR_POLICY: &str = "operator-policy";
    /// Runtime parameters, by vhost, component and name.
    pub(crate) const PARAMETER: &str = "parameter";
    /// Global parameters, by name.
    pub(crate) const GLOBAL_PARAMETER: &str = "global-parameter";
    /// Exchanges, by vhost and name.
    pub(crate) const EXCHANGE: &str = "exchange";
    /// Recent histories, by vhost and exchange.
    pub(crate) const HISTORY: &str = "history";
    /// Queues, by vhost and name.
    pub(crate) const QUEUE: &str = "queue";
    /// Bindings, by vhost and identity.
    pub(crate) const BINDING: &str = "binding";
}

/// The key of the object of this kind that `parts` name.
pub(crate) fn key<'a>(kind: &str, parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut key = String::from(kind);
    for part in parts {
        key.push('/');
        escape(part, &mut key);
    }
    key
}

/// What all keys below `parts` start with: `key(…)` and the separator.
pub(crate) fn prefix<'a>(kind: &str, parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut prefix = key(kind, parts);
    prefix.push('/');
    prefix
}

/// The parts of a key after its kind; `None` when it was not made by [`key`] with `N` parts.
pub(crate) fn parts<const N: usize>(key: &str, kind: &str) -> Option<[String; N]> {
    let rest = key.strip_prefix(kind)?.strip_prefix('/')?;
    let parts = rest.split('/').map(unescape).collect::<Option<Vec<_>>>()?;
    parts.try_into().ok()
}

fn escape(part: &str, into: &mut String) {
    for character in part.chars() {
        match character {
            '/' | '%' => {
                // Writing to a string cannot fail.
                let _ = write!(into, "%{:02X}", character as u32);
            }
            other => into.push(other),
        }
    }
}

fn unescape(part: &str) -> Option<String> {
    let mut text = String::with_capacity(part.len());
    let mut pieces = part.split('%');
    text.push_str(pieces.next()?);
    for piece in pieces {
        text.push(match piece.get(..2)? {
            "2F" => '/',
            "25" => '%',
            _ => return None,
        });
        text.push_str(&piece[2..]);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_read_like_paths() {
        for (parts, expected) in
            [(&["/", "q"][..], "queue/%2F/q"), (&["", ""], "queue//"), (&["a%2Fb", "水/许"], "queue/a%252Fb/水%2F许")]
        {
            assert_eq!(key(kind::QUEUE, parts.iter().copied()), expected);
        }
        assert_eq!(prefix(kind::QUEUE, ["/"]), "queue/%2F/");
    }

    #[test]
    fn a_key_of_another_shape_is_not_read() {
        for bad in ["queue", "queue/a", "queue/a/b/c", "exchange/a/b", "queue/a/%zz", "queue/a/%2", "queue/a/%é"] {
            assert_eq!(parts::<2>(bad, kind::QUEUE), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn encoding_is_injective(a in ".{0,6}", b in ".{0,6}", c in "[/%25F]{0,6}", d in "[/%25F]{0,6}") {
            for pair in [[&a, &b], [&c, &d], [&a, &d]] {
                let key = key(kind::BINDING, pair.map(String::as_str));
                prop_assert_eq!(parts::<2>(&key, kind::BINDING), Some(pair.map(String::clone)));
            }
        }
    }
}
