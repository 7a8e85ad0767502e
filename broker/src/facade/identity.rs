//! Users, passwords, permissions: credentials in, decisions out.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Broker, Put};
use crate::domain::name::{ExchangeName, UserName, VhostName};
use crate::domain::permission::{Permissions, TopicPermissions};
use crate::domain::user::{StoredPassword, User, UserLimits};
use crate::error::Error;
use crate::runtime::directory::Directory;

/// Where a login comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The address; `None` for the control socket, which counts as local.
    pub address: Option<IpAddr>,
    /// `amqp091` or `http`, as the login counters name it.
    pub protocol: &'static str,
}

/// Counters of login attempts of one protocol (and one source, when tracked).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthAttempts {
    /// `amqp091`, `http`.
    pub protocol: String,
    /// Peer address; empty when not tracked.
    pub remote_address: String,
    /// User name tried; empty when not tracked.
    pub username: String,
    /// All attempts.
    pub attempts: u64,
    /// Those refused.
    pub failed: u64,
}

/// What a user is to become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutUser {
    /// The name.
    pub name: UserName,
    /// How the password is given.
    pub password: PutPassword,
    /// All tags.
    pub tags: Vec<String>,
    /// New limits; `None` keeps those there are.
    pub limits: Option<UserLimits>,
}

/// How a password is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutPassword {
    /// Leave the stored one alone.
    Keep,
    /// No password: refuses password logins.
    Clear,
    /// In the clear; hashed with the node's algorithm.
    Plain(String),
    /// Already hashed.
    Hashed(StoredPassword),
}

impl Broker {
    /// The current picture of users, vhosts, permissions, policies and parameters.
    #[must_use]
    pub fn directory(&self) -> Arc<Directory> {
        todo!()
    }

    /// Checks a user name and password. A verified pair is remembered under a keyed hash
    /// for a bounded time, and forgotten at once when the user changes.
    ///
    /// # Errors
    /// [`Error::InvalidCredentials`], [`Error::LoopbackOnly`].
    pub async fn authenticate(&self, user: &str, password: &str, peer: Peer) -> Result<Arc<User>, Error> {
        let _ = (user, password, peer);
        todo!()
    }

    /// Login counters by protocol, or by source as well.
    #[must_use]
    pub fn auth_attempts(&self, by_source: bool) -> Vec<AuthAttempts> {
        let _ = by_source;
        todo!()
    }

    /// Zeroes the login counters.
    pub fn reset_auth_attempts(&self) {
        todo!()
    }

    /// Creates or changes a user.
    ///
    /// # Errors
    /// [`Error::InvalidValue`] (empty name, credential validation, too many tags), `Unavailable`.
    pub async fn put_user(&self, user: PutUser) -> Result<Put, Error> {
        let _ = user;
        todo!()
    }

    /// Deletes a user and its permissions; its connections are closed.
    ///
    /// # Errors
    /// [`Error::NoSuchUser`].
    pub async fn delete_user(&self, user: &UserName) -> Result<(), Error> {
        let _ = user;
        todo!()
    }

    /// Grants patterns in a vhost.
    ///
    /// # Errors
    /// [`Error::NoSuchUser`], [`Error::NoSuchVhost`], [`Error::InvalidValue`] for a pattern that is no regular expression.
    pub async fn set_permissions(&self, permissions: Permissions) -> Result<Put, Error> {
        let _ = permissions;
        todo!()
    }

    /// Revokes what a user has in a vhost.
    ///
    /// # Errors
    /// [`Error::NoSuchObject`] when there is no such row.
    pub async fn clear_permissions(&self, user: &UserName, vhost: &VhostName) -> Result<(), Error> {
        let _ = (user, vhost);
        todo!()
    }

    /// Grants topic patterns on one exchange.
    ///
    /// # Errors
    /// As [`Self::set_permissions`], and [`Error::NoSuch`] for an unknown exchange.
    pub async fn set_topic_permissions(&self, permissions: TopicPermissions) -> Result<Put, Error> {
        let _ = permissions;
        todo!()
    }

    /// Revokes topic patterns: on one exchange, or on all.
    ///
    /// # Errors
    /// [`Error::NoSuchObject`] when there is no such row.
    pub async fn clear_topic_permissions(
        &self,
        user: &UserName,
        vhost: &VhostName,
        exchange: Option<&ExchangeName>,
    ) -> Result<(), Error> {
        let _ = (user, vhost, exchange);
        todo!()
    }

    /// Sets or clears (`None`) one limit of a user.
    ///
    /// # Errors
    /// [`Error::NoSuchUser`].
    pub async fn set_user_limits(&self, user: &UserName, limits: UserLimits) -> Result<(), Error> {
        let _ = (user, limits);
        todo!()
    }
}
