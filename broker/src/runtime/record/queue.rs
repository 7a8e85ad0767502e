//! The stored form of a queue: `queue/<vhost>/<name>`. An exclusive owner is a
//! connection of this process, so it is not stored: exclusive queues do not survive.

use serde::{Deserialize, Serialize};

use super::field::StoredTable;
use super::key::{self, kind};
use super::{damaged, erase, read, write};
use crate::domain::name::{QueueName, UserName, VhostName};
use crate::domain::queue::{QueueId, QueueKind, QueueSpec};
use crate::error::Error;
use crate::storage::{Entry, StorageError, Write};

#[derive(Serialize, Deserialize)]
struct Body {
    id: u64,
    #[serde(rename = "type")]
    kind: String,
    durable: bool,
    auto_delete: bool,
    #[serde(default, skip_serializing_if = "StoredTable::is_empty")]
    arguments: StoredTable,
    declared_by: String,
}

/// What the keys of a vhost's queues start with.
pub(crate) fn prefix(vhost: &VhostName) -> String {
    key::prefix(kind::QUEUE, [vhost.as_str()])
}

/// Stores a queue.
///
/// # Errors
/// [`Error::InvalidArgument`] when its arguments are nested too deep to be stored.
pub(crate) fn put(vhost: &VhostName, queue: &QueueSpec) -> Result<Write, Error> {
    let body = Body {
        id: queue.id.0,
        kind: queue.kind.as_str().to_owned(),
        durable: queue.durable,
        auto_delete: queue.auto_delete,
        arguments: StoredTable::from_table(&queue.arguments)?,
        declared_by: queue.declared_by.as_str().to_owned(),
    };
    write(queue_key(vhost, &queue.name), &body)
}

/// Forgets a queue.
pub(crate) fn delete(vhost: &VhostName, name: &QueueName) -> Write {
    erase(queue_key(vhost, name))
}

/// The queue an entry holds, and its vhost.
///
/// # Errors
/// [`StorageError::Damaged`] naming the key.
pub(crate) fn decode(entry: &Entry) -> Result<(VhostName, QueueSpec), StorageError> {
    let [vhost, name] = key::parts(&entry.key, kind::QUEUE).ok_or_else(|| damaged(entry, "not the key of a queue"))?;
    let body: Body = read(entry)?;
    let queue = QueueSpec {
        id: QueueId(body.id),
        name: QueueName::new(name).map_err(|error| damaged(entry, error))?,
        kind: QueueKind::from_wire(&body.kind)
            .ok_or_else(|| damaged(entry, format_args!("unknown queue type '{}'", body.kind)))?,
        durable: body.durable,
        auto_delete: body.auto_delete,
        exclusive_owner: None,
        arguments: body.arguments.into_table().map_err(|error| damaged(entry, error))?,
        declared_by: UserName::new(body.declared_by).map_err(|error| damaged(entry, error))?,
    };
    Ok((VhostName::new(vhost).map_err(|error| damaged(entry, error))?, queue))
}

fn queue_key(vhost: &VhostName, name: &QueueName) -> String {
    key::key(kind::QUEUE, [vhost.as_str(), name.as_str()])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::stored;
    use super::*;
    use crate::domain::value::tests::any_table;

    proptest! {
        #[test]
        fn a_queue_comes_back_as_it_was(
            vhost in ".{0,8}",
            name in ".{0,20}",
            kind in prop_oneof![Just(QueueKind::Classic), Just(QueueKind::Quorum), Just(QueueKind::Stream)],
            id in any::<u64>(),
            flags in any::<[bool; 2]>(),
            arguments in any_table(),
        ) {
            let vhost = VhostName::new(vhost).unwrap();
            let queue = QueueSpec {
                id: QueueId(id),
                name: QueueName::new(name).unwrap(),
                kind,
                durable: flags[0],
                auto_delete: flags[1],
                exclusive_owner: None,
                arguments,
                declared_by: UserName::new("guest").unwrap(),
            };
            let entry = stored(put(&vhost, &queue).unwrap());
            prop_assert!(entry.key.starts_with(&prefix(&vhost)));
            prop_assert_eq!(&delete(&vhost, &queue.name).key, &entry.key);
            prop_assert_eq!(decode(&entry), Ok((vhost, queue)));
        }
    }
}
