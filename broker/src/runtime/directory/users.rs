//! Changes of users: what is checked, and what follows.

use std::sync::Arc;

use super::{Change, Directory, Plan};
use crate::domain::name::UserName;
use crate::domain::password;
use crate::domain::user::{StoredPassword, User, UserLimits, check_tags};
use crate::error::Error;
use crate::facade::Put;

/// What becomes of the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NewPassword {
    /// It stays as it is.
    Keep,
    /// There is none any more.
    Clear,
    /// It is this one.
    Set(StoredPassword),
}

/// What a user is to become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserChange {
    pub(crate) name: UserName,
    pub(crate) password: NewPassword,
    pub(crate) tags: Vec<String>,
    /// Limits to set; those not named stay.
    pub(crate) limits: Option<UserLimits>,
}

/// Creates or changes a user.
pub(crate) fn put(directory: &Directory, change: UserChange) -> Result<Plan<Put>, Error> {
    let UserChange { name, password, tags, limits } = change;
    if name.as_str().is_empty() {
        return Err(Error::InvalidValue("user cannot be an empty string".into()));
    }
    check_tags(&tags)?;
    let existing = directory.users.get(&name);
    let password = match password {
        NewPassword::Keep => existing.and_then(|user| user.password.clone()),
        NewPassword::Clear => None,
        // How an export writes a user without a password.
        NewPassword::Set(stored) if stored.hash.is_empty() => None,
        NewPassword::Set(stored) => {
            password::check_hash(&stored)?;
            Some(stored)
        }
    };
    let kept = existing.map_or_else(UserLimits::default, |user| user.limits);
    let limits = limits.map_or(kept, |limits| UserLimits {
        max_connections: limits.max_connections.or(kept.max_connections),
        max_channels: limits.max_channels.or(kept.max_channels),
    });
    Ok(put_user(existing, User { name, password, tags, limits }))
}

/// Sets all limits of a user.
pub(crate) fn set_limits(directory: &Directory, name: &UserName, limits: UserLimits) -> Result<Plan<()>, Error> {
    let user = directory.users.get(name).ok_or_else(|| Error::NoSuchUser(name.clone()))?;
    let Plan { changes, .. } = put_user(Some(user), User { limits, ..(**user).clone() });
    Ok(Plan { changes, outcome: () })
}

/// Deletes a user and all that was granted to it.
pub(crate) fn delete(directory: &Directory, name: &UserName) -> Result<Plan<()>, Error> {
    if !directory.users.contains_key(name) {
        return Err(Error::NoSuchUser(name.clone()));
    }
    let rows = directory.permissions.keys().filter(|key| key.0 == *name);
    let topic_rows = directory.topic_permissions.keys().filter(|key| key.0 == *name);
    let mut changes: Vec<_> = topic_rows.cloned().map(|(u, v, x)| Change::DeleteTopicPermissions(u, v, x)).collect();
    changes.extend(rows.cloned().map(|(user, vhost)| Change::DeletePermissions(user, vhost)));
    changes.push(Change::DeleteUser(name.clone()));
    Ok(Plan { changes, outcome: () })
}

fn put_user(existing: Option<&Arc<User>>, user: User) -> Plan<Put> {
    match existing {
        Some(existing) if **existing == user => Plan::nothing(Put::Existed),
        Some(_) => Plan::one(Change::PutUser(Arc::new(user)), Put::Existed),
        None => Plan::one(Change::PutUser(Arc::new(user)), Put::Created),
    }
}
