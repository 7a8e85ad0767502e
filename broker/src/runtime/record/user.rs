//! The stored form of a user: `user/<name>`. Holds the password's hash, never the password.

use serde::{Deserialize, Serialize};

use super::key::{self, kind};
use super::{damaged, erase, read, write};
use crate::domain::name::UserName;
use crate::domain::user::{HashAlgorithm, StoredPassword, User, UserLimits};
use crate::error::Error;
use crate::storage::{Entry, StorageError, Write};

#[derive(Serialize, Deserialize)]
struct Body {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<Password>,
    tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_connections: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_channels: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct Password {
    algorithm: String,
    hash: String,
}

/// What the keys of all users start with.
pub(crate) fn prefix() -> String {
    key::prefix(kind::USER, [])
}

/// Stores a user.
///
/// # Errors
/// `Internal` only.
pub(crate) fn put(user: &User) -> Result<Write, Error> {
    let body = Body {
        password: user.password.as_ref().map(|password| Password {
            algorithm: password.algorithm.as_str().to_owned(),
            hash: password.hash.clone(),
        }),
        tags: user.tags.clone(),
        max_connections: user.limits.max_connections,
        max_channels: user.limits.max_channels,
    };
    write(user_key(&user.name), &body)
}

/// Forgets a user.
pub(crate) fn delete(name: &UserName) -> Write {
    erase(user_key(name))
}

/// The user an entry holds.
///
/// # Errors
/// [`StorageError::Damaged`] naming the key.
pub(crate) fn decode(entry: &Entry) -> Result<User, StorageError> {
    let [name] = key::parts(&entry.key, kind::USER).ok_or_else(|| damaged(entry, "not the key of a user"))?;
    let body: Body = read(entry)?;
    let password = body.password.map(|password| {
        let algorithm = HashAlgorithm::from_name(&password.algorithm)
            .ok_or_else(|| damaged(entry, format_args!("unknown hashing algorithm '{}'", password.algorithm)))?;
        Ok(StoredPassword { algorithm, hash: password.hash })
    });
    Ok(User {
        name: UserName::new(name).map_err(|error| damaged(entry, error))?,
        password: password.transpose()?,
        tags: body.tags,
        limits: UserLimits { max_connections: body.max_connections, max_channels: body.max_channels },
    })
}

fn user_key(name: &UserName) -> String {
    key::key(kind::USER, [name.as_str()])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::stored;
    use super::*;

    proptest! {
        #[test]
        fn a_user_comes_back_as_it_was(
            name in ".{0,20}",
            password in proptest::option::of((0usize..4, ".{0,40}")),
            tags in proptest::collection::vec(".{0,8}", 0..4),
            max_connections in any::<Option<i64>>(),
            max_channels in any::<Option<i64>>(),
        ) {
            let user = User {
                name: UserName::new(name).unwrap(),
                password: password.map(|(at, hash)| StoredPassword { algorithm: HashAlgorithm::ALL[at], hash }),
                tags,
                limits: UserLimits { max_connections, max_channels },
            };
            let entry = stored(put(&user).unwrap());
            prop_assert!(entry.key.starts_with(&prefix()));
            prop_assert_eq!(&delete(&user.name).key, &entry.key);
            prop_assert_eq!(decode(&entry), Ok(user));
        }
    }
}
