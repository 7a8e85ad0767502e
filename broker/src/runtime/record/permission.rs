//! The stored forms of permissions, `permission/<vhost>/<user>`, and of topic
//! permissions, `topic-permission/<vhost>/<user>/<exchange>`.

use serde::{Deserialize, Serialize};

use super::key::{self, kind};
use super::{damaged, erase, read, write};
use crate::domain::name::{ExchangeName, UserName, VhostName};
use crate::domain::permission::{Permissions, TopicPermissions};
use crate::error::Error;
use crate::storage::{Entry, StorageError, Write};

#[derive(Serialize, Deserialize)]
struct Body {
    configure: String,
    write: String,
    read: String,
}

#[derive(Serialize, Deserialize)]
struct TopicBody {
    write: String,
    read: String,
}

/// What the keys of all permissions start with.
pub(crate) fn prefix() -> String {
    key::prefix(kind::PERMISSION, [])
}

/// Stores a row.
///
/// # Errors
/// `Internal` only.
pub(crate) fn put(row: &Permissions) -> Result<Write, Error> {
    let body = Body { configure: row.configure.clone(), write: row.write.clone(), read: row.read.clone() };
    write(row_key(&row.user, &row.vhost), &body)
}

/// Forgets a row.
pub(crate) fn delete(user: &UserName, vhost: &VhostName) -> Write {
    erase(row_key(user, vhost))
}

/// The row an entry holds.
///
/// # Errors
/// [`StorageError::Damaged`] naming the key.
pub(crate) fn decode(entry: &Entry) -> Result<Permissions, StorageError> {
    let [vhost, user] =
        key::parts(&entry.key, kind::PERMISSION).ok_or_else(|| damaged(entry, "not the key of permissions"))?;
    let body: Body = read(entry)?;
    Ok(Permissions {
        user: UserName::new(user).map_err(|error| damaged(entry, error))?,
        vhost: VhostName::new(vhost).map_err(|error| damaged(entry, error))?,
        configure: body.configure,
        write: body.write,
        read: body.read,
    })
}

/// What the keys of all topic permissions start with.
pub(crate) fn topic_prefix() -> String {
    key::prefix(kind::TOPIC_PERMISSION, [])
}

/// Stores a topic row.
///
/// # Errors
/// `Internal` only.
pub(crate) fn put_topic(row: &TopicPermissions) -> Result<Write, Error> {
    let body = TopicBody { write: row.write.clone(), read: row.read.clone() };
    write(topic_key(&row.user, &row.vhost, &row.exchange), &body)
}

/// Forgets a topic row.
pub(crate) fn delete_topic(user: &UserName, vhost: &VhostName, exchange: &ExchangeName) -> Write {
    erase(topic_key(user, vhost, exchange))
}

/// The topic row an entry holds.
///
/// # Errors
/// [`StorageError::Damaged`] naming the key.
pub(crate) fn decode_topic(entry: &Entry) -> Result<TopicPermissions, StorageError> {
    let [vhost, user, exchange] = key::parts(&entry.key, kind::TOPIC_PERMISSION)
        .ok_or_else(|| damaged(entry, "not the key of topic permissions"))?;
    let body: TopicBody = read(entry)?;
    Ok(TopicPermissions {
        user: UserName::new(user).map_err(|error| damaged(entry, error))?,
        vhost: VhostName::new(vhost).map_err(|error| damaged(entry, error))?,
        exchange: ExchangeName::new(exchange).map_err(|error| damaged(entry, error))?,
        write: body.write,
        read: body.read,
    })
}

fn row_key(user: &UserName, vhost: &VhostName) -> String {
    key::key(kind::PERMISSION, [vhost.as_str(), user.as_str()])
}

fn topic_key(user: &UserName, vhost: &VhostName, exchange: &ExchangeName) -> String {
    key::key(kind::TOPIC_PERMISSION, [vhost.as_str(), user.as_str(), exchange.as_str()])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::stored;
    use super::*;

    proptest! {
        #[test]
        fn rows_come_back_as_they_were(names in any::<[String; 2]>(), exchange in ".{0,20}", patterns in any::<[String; 3]>()) {
            let [user, vhost] = names;
            let (user, vhost) = (UserName::new(user).unwrap(), VhostName::new(vhost).unwrap());
            let [configure, write, read] = patterns;

            let topic = TopicPermissions {
                user: user.clone(),
                vhost: vhost.clone(),
                exchange: ExchangeName::new(exchange).unwrap(),
                write: write.clone(),
                read: read.clone(),
            };
            let entry = stored(put_topic(&topic).unwrap());
            prop_assert!(entry.key.starts_with(&topic_prefix()));
            prop_assert_eq!(&delete_topic(&topic.user, &topic.vhost, &topic.exchange).key, &entry.key);
            prop_assert_eq!(decode_topic(&entry), Ok(topic));

            let row = Permissions { user, vhost, configure, write, read };
            let entry = stored(put(&row).unwrap());
            prop_assert!(entry.key.starts_with(&prefix()));
            prop_assert_eq!(&delete(&row.user, &row.vhost).key, &entry.key);
            prop_assert_eq!(decode(&entry), Ok(row));
        }
    }
}
