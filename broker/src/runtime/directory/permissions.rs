//! Changes of permissions and topic permissions: what is checked.

use std::sync::Arc;

use super::{Change, Directory, Plan, vhosts};
use crate::domain::name::{ExchangeName, UserName, VhostName};
use crate::domain::permission::{Permissions, TopicPermissions};
use crate::error::Error;
use crate::facade::Put;

/// Grants patterns in a vhost.
pub(crate) fn set(directory: &Directory, row: Permissions) -> Result<Plan<Put>, Error> {
    both_exist(directory, &row.user, &row.vhost)?;
    row.check()?;
    let existing = directory.permissions.get(&(row.user.clone(), row.vhost.clone()));
    Ok(match existing {
        Some(existing) if **existing == row => Plan::nothing(Put::Existed),
        Some(_) => Plan::one(Change::PutPermissions(Arc::new(row)), Put::Existed),
        None => Plan::one(Change::PutPermissions(Arc::new(row)), Put::Created),
    })
}

/// Revokes what a user has in a vhost. Its topic permissions stay, as in the reference.
pub(crate) fn clear(directory: &Directory, user: &UserName, vhost: &VhostName) -> Result<Plan<()>, Error> {
    if !directory.permissions.contains_key(&(user.clone(), vhost.clone())) {
        return Err(missing("permissions", user, vhost));
    }
    Ok(Plan::one(Change::DeletePermissions(user.clone(), vhost.clone()), ()))
}

/// Grants topic patterns on one exchange, which the caller knows to exist.
pub(crate) fn set_topic(directory: &Directory, row: TopicPermissions) -> Result<Plan<Put>, Error> {
    both_exist(directory, &row.user, &row.vhost)?;
    row.check()?;
    let existing = directory.topic_permissions.get(&(row.user.clone(), row.vhost.clone(), row.exchange.clone()));
    Ok(match existing {
        Some(existing) if **existing == row => Plan::nothing(Put::Existed),
        Some(_) => Plan::one(Change::PutTopicPermissions(Arc::new(row)), Put::Existed),
        None => Plan::one(Change::PutTopicPermissions(Arc::new(row)), Put::Created),
    })
}

/// Revokes topic patterns on one exchange or on all. Who has none at all is told so;
/// none on this exchange is a success, as in the reference.
pub(crate) fn clear_topic(
    directory: &Directory,
    user: &UserName,
    vhost: &VhostName,
    exchange: Option<&ExchangeName>,
) -> Result<Plan<()>, Error> {
    let rows: Vec<_> =
        directory.topic_permissions.keys().filter(|key| key.0 == *user && key.1 == *vhost).cloned().collect();
    if rows.is_empty() {
        return Err(missing("topic permissions", user, vhost));
    }
    let changes = rows
        .into_iter()
        .filter(|key| exchange.is_none_or(|exchange| key.2 == *exchange))
        .map(|(user, vhost, exchange)| Change::DeleteTopicPermissions(user, vhost, exchange))
        .collect();
    Ok(Plan { changes, outcome: () })
}

/// The deletion of every row of a vhost.
pub(super) fn all_in(directory: &Directory, vhost: &VhostName) -> Vec<Change> {
    let topic_rows = directory.topic_permissions.keys().filter(|key| key.1 == *vhost).cloned();
    let rows = directory.permissions.keys().filter(|key| key.1 == *vhost).cloned();
    topic_rows
        .map(|(user, vhost, exchange)| Change::DeleteTopicPermissions(user, vhost, exchange))
        .chain(rows.map(|(user, vhost)| Change::DeletePermissions(user, vhost)))
        .collect()
}

fn both_exist(directory: &Directory, user: &UserName, vhost: &VhostName) -> Result<(), Error> {
    vhosts::existing(directory, vhost)?;
    if directory.users.contains_key(user) { Ok(()) } else { Err(Error::NoSuchUser(user.clone())) }
}

fn missing(kind: &'static str, user: &UserName, vhost: &VhostName) -> Error {
    Error::NoSuchObject { kind, name: format!("user '{user}' in vhost '{vhost}'") }
}
