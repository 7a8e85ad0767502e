//! The stored form of a binding:
//! `binding/<vhost>/<source>/<q or e>/<destination>/<routing key>/<digest of arguments>`.
//!
//! The whole identity stands in the key, so a binding exists at most once. Arguments may
//! be long, so their place is taken by the SHA-256 of their sorted entries; without
//! arguments the last part is empty.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::field::StoredTable;
use super::key::{self, kind};
use super::{damaged, read, write};
use crate::domain::binding::{Binding, Destination};
use crate::domain::name::{ExchangeName, QueueName, VhostName};
use crate::error::Error;
use crate::storage::{Entry, Expect, StorageError, Write};

const TO_QUEUE: &str = "q";
const TO_EXCHANGE: &str = "e";

#[derive(Serialize, Deserialize)]
struct Body {
    #[serde(default, skip_serializing_if = "StoredTable::is_empty")]
    arguments: StoredTable,
}

/// What the keys of a vhost's bindings start with.
pub(crate) fn prefix(vhost: &VhostName) -> String {
    key::prefix(kind::BINDING, [vhost.as_str()])
}

/// Stores a binding.
///
/// # Errors
/// [`Error::InvalidArgument`] when its arguments are nested too deep to be stored.
pub(crate) fn put(vhost: &VhostName, binding: &Binding) -> Result<Write, Error> {
    let body = Body { arguments: StoredTable::from_table(&binding.arguments)? };
    write(binding_key(vhost, binding)?, &body)
}

/// Forgets a binding.
///
/// # Errors
/// [`Error::InvalidArgument`] when its arguments are nested too deep to be stored: then it is not stored either.
pub(crate) fn delete(vhost: &VhostName, binding: &Binding) -> Result<Write, Error> {
    Ok(Write { key: binding_key(vhost, binding)?, value: None, expect: Expect::Any })
}

/// The binding an entry holds, and its vhost.
///
/// # Errors
/// [`StorageError::Damaged`] naming the key.
pub(crate) fn decode(entry: &Entry) -> Result<(VhostName, Binding), StorageError> {
    let [vhost, source, to, destination, routing_key, _digest] =
        key::parts(&entry.key, kind::BINDING).ok_or_else(|| damaged(entry, "not the key of a binding"))?;
    let body: Body = read(entry)?;
    let destination = match to.as_str() {
        TO_QUEUE => Destination::Queue(QueueName::new(destination).map_err(|error| damaged(entry, error))?),
        TO_EXCHANGE => Destination::Exchange(ExchangeName::new(destination).map_err(|error| damaged(entry, error))?),
        other => return Err(damaged(entry, format_args!("unknown destination type '{other}'"))),
    };
    let binding = Binding {
        source: ExchangeName::new(source).map_err(|error| damaged(entry, error))?,
        destination,
        routing_key,
        arguments: body.arguments.into_table().map_err(|error| damaged(entry, error))?,
    };
    Ok((VhostName::new(vhost).map_err(|error| damaged(entry, error))?, binding))
}

fn binding_key(vhost: &VhostName, binding: &Binding) -> Result<String, Error> {
    let (to, destination) = match &binding.destination {
        Destination::Queue(name) => (TO_QUEUE, name.as_str()),
        Destination::Exchange(name) => (TO_EXCHANGE, name.as_str()),
    };
    let digest = arguments_digest(binding)?;
    let parts = [vhost.as_str(), binding.source.as_str(), to, destination, &binding.routing_key, &digest];
    Ok(key::key(kind::BINDING, parts))
}

fn arguments_digest(binding: &Binding) -> Result<String, Error> {
    if binding.arguments.is_empty() {
        return Ok(String::new());
    }
    let mut table = StoredTable::from_table(&binding.arguments)?;
    table.sort();
    let text = serde_json::to_vec(&table)
        .map_err(|error| Error::Internal(format!("cannot encode the arguments of a binding: {error}")))?;
    Ok(Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::stored;
    use super::*;
    use crate::domain::value::tests::any_table;
    use crate::domain::value::{FieldTable, FieldValue};

    fn binding(to: Destination, routing_key: &str, arguments: FieldTable) -> Binding {
        Binding { source: ExchangeName::new("x").unwrap(), destination: to, routing_key: routing_key.into(), arguments }
    }

    fn table(entries: &[(&str, i32)]) -> FieldTable {
        entries.iter().map(|&(name, value)| (name.to_owned(), FieldValue::I32(value))).collect()
    }

    #[test]
    fn every_part_of_the_identity_makes_another_key() {
        let vhost = VhostName::new("/").unwrap();
        let queue = || Destination::Queue(QueueName::new("d").unwrap());
        let exchange = || Destination::Exchange(ExchangeName::new("d").unwrap());
        let bindings = [
            binding(queue(), "k", table(&[])),
            binding(exchange(), "k", table(&[])),
            binding(queue(), "k/", table(&[])),
            binding(queue(), "k", table(&[("a", 1)])),
            binding(queue(), "k", table(&[("a", 2)])),
            binding(queue(), "k", table(&[("a", 1), ("b", 1)])),
        ];
        let mut keys: Vec<_> = bindings.iter().map(|b| put(&vhost, b).unwrap().key).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), bindings.len());
    }

    #[test]
    fn the_order_of_arguments_is_no_part_of_the_identity() {
        let vhost = VhostName::new("/").unwrap();
        let to = || Destination::Queue(QueueName::new("d").unwrap());
        let one = put(&vhost, &binding(to(), "", table(&[("a", 1), ("b", 2)]))).unwrap();
        let other = put(&vhost, &binding(to(), "", table(&[("b", 2), ("a", 1)]))).unwrap();
        assert_eq!(one.key, other.key);
    }

    proptest! {
        #[test]
        fn a_binding_comes_back_as_it_was(
            vhost in ".{0,8}",
            names in any::<[String; 3]>(),
            to_queue in any::<bool>(),
            arguments in any_table(),
        ) {
            let [source, destination, routing_key] = names;
            prop_assume!(source.len() <= 255 && destination.len() <= 255);
            let vhost = VhostName::new(vhost).unwrap();
            let destination = if to_queue {
                Destination::Queue(QueueName::new(destination).unwrap())
            } else {
                Destination::Exchange(ExchangeName::new(destination).unwrap())
            };
            let binding = Binding { source: ExchangeName::new(source).unwrap(), destination, routing_key, arguments };
            let entry = stored(put(&vhost, &binding).unwrap());
            prop_assert!(entry.key.starts_with(&prefix(&vhost)));
            prop_assert_eq!(&delete(&vhost, &binding).unwrap().key, &entry.key);
            prop_assert_eq!(decode(&entry), Ok((vhost, binding)));
        }
    }
}
