//! The stored form of a vhost: `vhost/<name>`, with its metadata and limits. Tracing is
//! not stored: it ends with the process, as in the reference.

use serde::{Deserialize, Serialize};

use super::key::{self, kind};
use super::{damaged, erase, read, write};
use crate::domain::name::VhostName;
use crate::domain::queue::QueueKind;
use crate::domain::vhost::{Vhost, VhostLimits};
use crate::error::Error;
use crate::storage::{Entry, StorageError, Write};

#[derive(Serialize, Deserialize)]
struct Body {
    description: String,
    tags: Vec<String>,
    default_queue_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    protected_from_deletion: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_connections: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_queues: Option<i64>,
}

/// What the keys of all vhosts start with.
pub(crate) fn prefix() -> String {
    key::prefix(kind::VHOST, [])
}

/// Stores a vhost.
///
/// # Errors
/// `Internal` only.
pub(crate) fn put(vhost: &Vhost) -> Result<Write, Error> {
    let body = Body {
        description: vhost.description.clone(),
        tags: vhost.tags.clone(),
        default_queue_type: vhost.default_queue_type.as_str().to_owned(),
        protected_from_deletion: vhost.protected_from_deletion,
        max_connections: vhost.limits.max_connections,
        max_queues: vhost.limits.max_queues,
    };
    write(vhost_key(&vhost.name), &body)
}

/// Forgets a vhost itself, not what is in it.
pub(crate) fn delete(name: &VhostName) -> Write {
    erase(vhost_key(name))
}

/// The vhost an entry holds.
///
/// # Errors
/// [`StorageError::Damaged`] naming the key.
pub(crate) fn decode(entry: &Entry) -> Result<Vhost, StorageError> {
    let [name] = key::parts(&entry.key, kind::VHOST).ok_or_else(|| damaged(entry, "not the key of a vhost"))?;
    let body: Body = read(entry)?;
    Ok(Vhost {
        name: VhostName::new(name).map_err(|error| damaged(entry, error))?,
        description: body.description,
        tags: body.tags,
        default_queue_type: QueueKind::from_wire(&body.default_queue_type)
            .ok_or_else(|| damaged(entry, format_args!("unknown queue type '{}'", body.default_queue_type)))?,
        protected_from_deletion: body.protected_from_deletion,
        tracing: false,
        limits: VhostLimits { max_connections: body.max_connections, max_queues: body.max_queues },
    })
}

fn vhost_key(name: &VhostName) -> String {
    key::key(kind::VHOST, [name.as_str()])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::stored;
    use super::*;

    proptest! {
        #[test]
        fn a_vhost_comes_back_without_tracing(
            names in any::<[String; 2]>(),
            tags in proptest::collection::vec(".{0,8}", 0..4),
            kind in prop_oneof![Just(QueueKind::Classic), Just(QueueKind::Quorum), Just(QueueKind::Stream)],
            protected in any::<Option<bool>>(),
            tracing in any::<bool>(),
            limits in any::<[Option<i64>; 2]>(),
        ) {
            let [name, description] = names;
            let vhost = Vhost {
                name: VhostName::new(name).unwrap(),
                description,
                tags,
                default_queue_type: kind,
                protected_from_deletion: protected,
                tracing,
                limits: VhostLimits { max_connections: limits[0], max_queues: limits[1] },
            };
            let entry = stored(put(&vhost).unwrap());
            prop_assert!(entry.key.starts_with(&prefix()));
            prop_assert_eq!(&delete(&vhost.name).key, &entry.key);
            prop_assert_eq!(decode(&entry), Ok(Vhost { tracing: false, ..vhost }));
        }
    }
}
