//! A binding: source exchange, destination, key and arguments are its identity.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::exchange::{ExchangeKind, consistent_hash, headers, random, topic};
use super::name::{ExchangeName, QueueName};
use super::queue::QueueKind;
use super::term::canonical;
use super::value::FieldTable;
use crate::error::Error;

/// Where a binding leads.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Destination {
    /// To a queue.
    Queue(QueueName),
    /// To another exchange.
    Exchange(ExchangeName),
}

impl Destination {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Queue(name) => name.as_str(),
            Self::Exchange(name) => name.as_str(),
        }
    }
}

/// One binding.
#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    /// The exchange messages come from.
    pub source: ExchangeName,
    /// Where they go.
    pub destination: Destination,
    /// The binding key, at most 255 bytes.
    pub routing_key: String,
    /// Matching arguments (headers exchanges).
    pub arguments: FieldTable,
}

/// Characters of the argument hash in a properties key.
const ARGUMENTS_HASH_CHARACTERS: usize = 6;

impl Binding {
    /// The binding every queue has to the default exchange, by its name.
    #[must_use]
    pub fn implicit(queue: &QueueName) -> Self {
        Self {
            source: ExchangeName::default_exchange(),
            destination: Destination::Queue(queue.clone()),
            routing_key: queue.as_str().to_owned(),
            arguments: FieldTable::new(),
        }
    }

    /// Checks key, arguments and destination against the kind by which the source exchange matches;
    /// `queue` is the type of the queue it leads to.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] with the reference's sentence.
    pub fn check(&self, source: ExchangeKind, queue: Option<QueueKind>) -> Result<(), Error> {
        let refusal = match source {
            ExchangeKind::Direct
            | ExchangeKind::Fanout
            | ExchangeKind::DelayedMessage
            | ExchangeKind::ModulusHash
            | ExchangeKind::Random
            | ExchangeKind::RecentHistory => None,
            ExchangeKind::Headers => headers::refusal(&self.arguments),
            ExchangeKind::Topic => topic::refusal(&self.routing_key),
            ExchangeKind::LocalRandom => random::local_refusal(&self.routing_key, queue),
            ExchangeKind::ConsistentHash => return consistent_hash::weight(&self.routing_key).map(drop),
        };
        refusal.map_or(Ok(()), |refusal| Err(Error::InvalidArgument(refusal)))
    }

    /// What tells it from other bindings of the same source.
    #[must_use]
    pub fn identity(&self) -> BindingIdentity {
        BindingIdentity {
            destination: self.destination.clone(),
            routing_key: self.routing_key.as_str().into(),
            arguments: if self.arguments.is_empty() { Box::default() } else { canonical(&self.arguments).into() },
        }
    }

    /// The name of the binding between its two ends: the key in form encoding, and a hash
    /// of the arguments when there are any. The order of arguments does not matter, their
    /// types do.
    ///
    /// ```
    /// # use broker::domain::{binding::{Binding, Destination}, name::*, value::FieldTable};
    /// let binding = Binding {
    ///     source: ExchangeName::new("logs").unwrap(),
    ///     destination: Destination::Queue(QueueName::new("q").unwrap()),
    ///     routing_key: "a b*".to_owned(),
    ///     arguments: FieldTable::new(),
    /// };
    /// assert_eq!(binding.properties_key(), "a+b%2A");
    /// ```
    #[must_use]
    pub fn properties_key(&self) -> String {
        if self.routing_key.is_empty() && self.arguments.is_empty() {
            return "~".to_owned();
        }
        let mut key = form_encoded(&self.routing_key);
        if !self.arguments.is_empty() {
            let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(canonical(&self.arguments)));
            key.push('~');
            key.push_str(&digest[..ARGUMENTS_HASH_CHARACTERS]);
        }
        key
    }
}

/// What tells a binding from others of the same source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BindingIdentity {
    destination: Destination,
    routing_key: Box<str>,
    arguments: Box<[u8]>,
}

fn form_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => encoded.push(char::from(byte)),
            // Writing to a string cannot fail.
            other => drop(write!(encoded, "%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::value::FieldValue;

    fn key(routing_key: &str, arguments: &[(&str, FieldValue)]) -> String {
        let arguments = arguments.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let source = ExchangeName::new("e").unwrap();
        let destination = Destination::Queue(QueueName::new("q").unwrap());
        Binding { source, destination, routing_key: routing_key.to_owned(), arguments }.properties_key()
    }

    #[test]
    fn properties_keys_as_recorded() {
        for (routing_key, expected) in
            [("", "~"), ("rk", "rk"), ("a b*#~/é.-_", "a+b%2A%23%7E%2F%C3%A9.-_"), ("a/b", "a%2Fb")]
        {
            assert_eq!(key(routing_key, &[]), expected);
        }
    }

    #[test]
    fn keys_and_arguments_a_source_refuses() {
        let binding = |routing_key: &str, arguments| Binding {
            source: ExchangeName::new("e").unwrap(),
            destination: Destination::Queue(QueueName::new("q").unwrap()),
            routing_key: routing_key.to_owned(),
            arguments,
        };
        let odd = binding("#.a.#.#", [("x-match".to_owned(), FieldValue::text("z"))].into_iter().collect());
        for (kind, expected) in [
            (ExchangeKind::Direct, None),
            (ExchangeKind::Fanout, None),
            (
                ExchangeKind::Headers,
                Some("Invalid x-match field value <<\"z\">>; expected all, any, all-with-x, or any-with-x"),
            ),
            (ExchangeKind::Topic, Some("Topic binding key '#.a.#.#' uses 3 '#' wildcards, at most 2 are allowed")),
            (ExchangeKind::ModulusHash, None),
            (ExchangeKind::Random, None),
            (ExchangeKind::LocalRandom, Some("Non empty binding '#.a.#.#' key not permitted")),
            (ExchangeKind::ConsistentHash, Some("The binding key must be an integer: <<\"#.a.#.#\">>")),
        ] {
            assert_eq!(
                odd.check(kind, Some(QueueKind::Classic)).err().map(|error| error.to_string()).as_deref(),
                expected
            );
        }
        assert_eq!(binding("#.a.#", FieldTable::new()).check(ExchangeKind::Topic, None), Ok(()));
    }

    #[test]
    fn arguments_add_a_hash_that_ignores_order_and_sees_types() {
        let (a, b) = (("a", FieldValue::I64(1)), ("b", FieldValue::text("x")));
        let hashed = key("", &[a.clone(), b.clone()]);
        assert_eq!(hashed.len(), 1 + ARGUMENTS_HASH_CHARACTERS);
        assert!(hashed.starts_with('~'));
        assert_eq!(hashed, key("", &[b.clone(), a]));
        assert_ne!(hashed, key("", &[("a", FieldValue::F64(1.0)), b]));
        assert!(key("rk", &[("a", FieldValue::Void)]).starts_with("rk~"));
    }
}
