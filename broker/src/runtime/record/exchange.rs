//! The stored form of an exchange: `exchange/<vhost>/<name>`.

use serde::{Deserialize, Serialize};

use super::field::StoredTable;
use super::key::{self, kind};
use super::{damaged, erase, read, write};
use crate::domain::exchange::{Exchange, ExchangeKind};
use crate::domain::name::{ExchangeName, UserName, VhostName};
use crate::domain::queue::QueueId;
use crate::error::Error;
use crate::storage::{Entry, StorageError, Write};

#[derive(Serialize, Deserialize)]
struct Body {
    #[serde(rename = "type")]
    kind: String,
    durable: bool,
    auto_delete: bool,
    internal: bool,
    #[serde(default, skip_serializing_if = "StoredTable::is_empty")]
    arguments: StoredTable,
    declared_by: String,
    /// The identity under which an exchange that delays keeps messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delay: Option<u64>,
}

/// What the keys of a vhost's exchanges start with.
pub(crate) fn prefix(vhost: &VhostName) -> String {
    key::prefix(kind::EXCHANGE, [vhost.as_str()])
}

/// Stores an exchange; `delay` is the identity under which one that delays keeps messages.
///
/// # Errors
/// [`Error::InvalidArgument`] when its arguments are nested too deep to be stored.
pub(crate) fn put(vhost: &VhostName, exchange: &Exchange, delay: Option<QueueId>) -> Result<Write, Error> {
    let body = Body {
        kind: exchange.kind.as_str().to_owned(),
        durable: exchange.durable,
        auto_delete: exchange.auto_delete,
        internal: exchange.internal,
        arguments: StoredTable::from_table(&exchange.arguments)?,
        declared_by: exchange.declared_by.as_str().to_owned(),
        delay: delay.map(|id| id.0),
    };
    write(exchange_key(vhost, &exchange.name), &body)
}

/// Forgets an exchange.
pub(crate) fn delete(vhost: &VhostName, name: &ExchangeName) -> Write {
    erase(exchange_key(vhost, name))
}

/// The exchange an entry holds, its vhost, and the identity under which it keeps messages.
///
/// # Errors
/// [`StorageError::Damaged`] naming the key.
pub(crate) fn decode(entry: &Entry) -> Result<(VhostName, Exchange, Option<QueueId>), StorageError> {
    let [vhost, name] =
        key::parts(&entry.key, kind::EXCHANGE).ok_or_else(|| damaged(entry, "not the key of an exchange"))?;
    let body: Body = read(entry)?;
    let delay = body.delay.map(QueueId);
    let exchange = Exchange {
        name: ExchangeName::new(name).map_err(|error| damaged(entry, error))?,
        kind: ExchangeKind::from_wire(&body.kind)
            .ok_or_else(|| damaged(entry, format_args!("unknown exchange type '{}'", body.kind)))?,
        durable: body.durable,
        auto_delete: body.auto_delete,
        internal: body.internal,
        arguments: body.arguments.into_table().map_err(|error| damaged(entry, error))?,
        declared_by: UserName::new(body.declared_by).map_err(|error| damaged(entry, error))?,
    };
    if (exchange.kind == ExchangeKind::DelayedMessage) != delay.is_some() {
        return Err(damaged(entry, "it does not say where it keeps messages"));
    }
    Ok((VhostName::new(vhost).map_err(|error| damaged(entry, error))?, exchange, delay))
}

fn exchange_key(vhost: &VhostName, name: &ExchangeName) -> String {
    key::key(kind::EXCHANGE, [vhost.as_str(), name.as_str()])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::stored;
    use super::*;
    use crate::domain::value::tests::any_table;

    proptest! {
        #[test]
        fn an_exchange_comes_back_as_it_was(
            vhost in ".{0,8}",
            name in ".{0,20}",
            kind in proptest::sample::select(&ExchangeKind::ALL[..]),
            flags in any::<[bool; 3]>(),
            arguments in any_table(),
            id in any::<u64>(),
        ) {
            let vhost = VhostName::new(vhost).unwrap();
            let exchange = Exchange {
                name: ExchangeName::new(name).unwrap(),
                kind,
                durable: flags[0],
                auto_delete: flags[1],
                internal: flags[2],
                arguments,
                declared_by: UserName::new("水").unwrap(),
            };
            let delay = (kind == ExchangeKind::DelayedMessage).then_some(QueueId(id));
            let entry = stored(put(&vhost, &exchange, delay).unwrap());
            prop_assert!(entry.key.starts_with(&prefix(&vhost)));
            prop_assert_eq!(&delete(&vhost, &exchange.name).key, &entry.key);
            prop_assert_eq!(decode(&entry), Ok((vhost.clone(), exchange.clone(), delay)));
            let other = if delay.is_some() { None } else { Some(QueueId(id)) };
            prop_assert!(decode(&stored(put(&vhost, &exchange, other).unwrap())).is_err());
        }
    }
}
