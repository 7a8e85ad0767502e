//! Users, passwords, permissions: credentials in, decisions out.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Broker, Inner, Put};
use crate::domain::name::{ExchangeName, UserName, VhostName};
use crate::domain::permission::{Permissions, TopicPermissions};
use crate::domain::user::{StoredPassword, User, UserLimits};
use crate::error::{Error, Resource};
use crate::runtime::directory::Directory;
use crate::runtime::directory::users::{NewPassword, UserChange};
use crate::runtime::directory::{permissions, users};

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
        self.inner.directory.snapshot()
    }

    /// Resolves when the first user has its password: on a first start it is hashed behind the start, and until then
    /// the user is shown without one.
    pub async fn users_settled(&self) {
        self.inner.directory.settled().await;
    }

    /// Checks a user name and password. A verified pair is remembered under a keyed hash
    /// for a bounded time, and forgotten at once when the user changes.
    ///
    /// # Errors
    /// [`Error::InvalidCredentials`], [`Error::LoopbackOnly`].
    pub async fn authenticate(&self, user: &str, password: &str, peer: Peer) -> Result<Arc<User>, Error> {
        let result = self.check_credentials(user, password, peer).await;
        // A check that could not run says nothing about the credentials.
        if !matches!(result, Err(Error::Internal(_) | Error::Unavailable(_))) {
            self.inner.credentials.count_attempt(peer.protocol, peer.address, user, result.is_ok());
        }
        result
    }

    /// The user of a verified certificate, who needs no password.
    ///
    /// # Errors
    /// As [`Self::authenticate`].
    pub async fn authenticate_certificate(&self, user: &str, peer: Peer) -> Result<Arc<User>, Error> {
        let Inner { directory, credentials, .. } = &*self.inner;
        directory.settled().await;
        let found = directory.snapshot().users.get(user).cloned();
        let result = found.ok_or_else(|| Error::InvalidCredentials(user.to_owned()));
        let result = result.and_then(|found| self.check_source(&found, peer).map(|()| found));
        credentials.count_attempt(peer.protocol, peer.address, user, result.is_ok());
        result
    }

    /// Counts a login that never came to a user.
    pub(crate) fn count_refused_login(&self, user: &str, peer: Peer) {
        self.inner.credentials.count_attempt(peer.protocol, peer.address, user, false);
    }

    /// Whether a user may come from there.
    fn check_source(&self, user: &User, peer: Peer) -> Result<(), Error> {
        let is_local = peer.address.is_none_or(|address| address.to_canonical().is_loopback());
        let is_bound = self.inner.settings.loopback_users.iter().any(|loopback| loopback == user.name.as_str());
        if is_bound && !is_local { Err(Error::LoopbackOnly(user.name.to_string())) } else { Ok(()) }
    }

    async fn check_credentials(&self, name: &str, password: &str, peer: Peer) -> Result<Arc<User>, Error> {
        let Inner { directory, credentials, settings, .. } = &*self.inner;
        // On a first boot the default user's password may still be on its way to the store.
        directory.settled().await;
        let refused = || Error::InvalidCredentials(name.to_owned());
        let found = directory.snapshot().users.get(name).cloned();
        let Some(mut user) = found.filter(|user| user.password.is_some()) else {
            credentials.pretend(settings.password_hashing, password).await?;
            return Err(refused());
        };
        loop {
            if !credentials.is_valid(&user, password).await? {
                return Err(refused());
            }
            // A slow check is overtaken when the user changes meanwhile.
            let now = directory.snapshot().users.get(name).cloned().ok_or_else(refused)?;
            let same_password = now.password == user.password;
            user = now;
            if same_password {
                break;
            }
        }
        self.check_source(&user, peer)?;
        Ok(user)
    }

    /// Login counters by protocol, or by source as well.
    #[must_use]
    pub fn auth_attempts(&self, by_source: bool) -> Vec<AuthAttempts> {
        self.inner.credentials.attempts(by_source)
    }

    /// Whether logins are also counted by address and user.
    #[must_use]
    pub fn are_login_sources_tracked(&self) -> bool {
        self.inner.credentials.are_sources_tracked()
    }

    /// Starts or ends counting logins by address and user; ends with the application.
    pub fn track_login_sources(&self, tracked: bool) {
        self.inner.credentials.track_sources(tracked);
    }

    /// Zeroes the login counters.
    pub fn reset_auth_attempts(&self) {
        self.inner.credentials.reset_attempts();
    }

    /// Hashes a password with the node's algorithm, as a new user's would be.
    ///
    /// # Errors
    /// `Internal` when the hash could not be made.
    pub async fn hash_password(&self, password: &str) -> Result<StoredPassword, Error> {
        let Inner { credentials, settings, .. } = &*self.inner;
        credentials.hash(settings.password_hashing, password.to_owned()).await
    }

    /// Creates or changes a user.
    ///
    /// # Errors
    /// [`Error::InvalidValue`] (empty name, a hash that is none, too many tags), `Unavailable`.
    pub async fn put_user(&self, user: PutUser) -> Result<Put, Error> {
        let PutUser { name, password, tags, limits } = user;
        let password = match password {
            PutPassword::Keep => NewPassword::Keep,
            PutPassword::Clear => NewPassword::Clear,
            PutPassword::Plain(password) => NewPassword::Set(self.hash_password(&password).await?),
            PutPassword::Hashed(stored) => NewPassword::Set(stored),
        };
        let change = UserChange { name: name.clone(), password, tags, limits };
        let put = self.change(move |directory| users::put(directory, change)).await;
        self.inner.credentials.forget(&name);
        put
    }

    /// Deletes a user and its permissions; its connections are closed.
    ///
    /// # Errors
    /// [`Error::NoSuchUser`].
    pub async fn delete_user(&self, user: &UserName) -> Result<(), Error> {
        let name = user.clone();
        let deleted = self.change(move |directory| users::delete(directory, &name)).await;
        self.inner.credentials.forget(user);
        deleted
    }

    /// Grants patterns in a vhost.
    ///
    /// # Errors
    /// [`Error::NoSuchVhost`], [`Error::NoSuchUser`], [`Error::InvalidPattern`].
    pub async fn set_permissions(&self, permissions: Permissions) -> Result<Put, Error> {
        self.change(move |directory| permissions::set(directory, permissions)).await
    }

    /// Revokes what a user has in a vhost.
    ///
    /// # Errors
    /// [`Error::NoSuchObject`] when there is no such row.
    pub async fn clear_permissions(&self, user: &UserName, vhost: &VhostName) -> Result<(), Error> {
        let (user, vhost) = (user.clone(), vhost.clone());
        self.change(move |directory| permissions::clear(directory, &user, &vhost)).await
    }

    /// Grants topic patterns on one exchange.
    ///
    /// # Errors
    /// As [`Self::set_permissions`], and [`Error::NoSuch`] for an unknown exchange.
    pub async fn set_topic_permissions(&self, permissions: TopicPermissions) -> Result<Put, Error> {
        let TopicPermissions { vhost, exchange, .. } = &permissions;
        let current = self.directory();
        let known = current.vhosts.contains_key(vhost) && current.users.contains_key(&permissions.user);
        // The default exchange is always there. Unknown users and vhosts are told first.
        if known && !exchange.is_default() && self.exchange(vhost, exchange.as_str()).is_none() {
            return Err(Error::NoSuch(Resource::Exchange(vhost.clone(), exchange.clone())));
        }
        self.change(move |directory| permissions::set_topic(directory, permissions)).await
    }

    /// Revokes topic patterns: on one exchange, or on all.
    ///
    /// # Errors
    /// [`Error::NoSuchObject`] when there is no row at all for the user in the vhost.
    pub async fn clear_topic_permissions(
        &self,
        user: &UserName,
        vhost: &VhostName,
        exchange: Option<&ExchangeName>,
    ) -> Result<(), Error> {
        let (user, vhost, exchange) = (user.clone(), vhost.clone(), exchange.cloned());
        let plan = move |directory: &Directory| permissions::clear_topic(directory, &user, &vhost, exchange.as_ref());
        self.change(plan).await
    }

    /// Sets all limits of a user; a limit that is `None` is cleared.
    ///
    /// # Errors
    /// [`Error::NoSuchUser`].
    pub async fn set_user_limits(&self, user: &UserName, limits: UserLimits) -> Result<(), Error> {
        let name = user.clone();
        self.change(move |directory| users::set_limits(directory, &name, limits)).await
    }
}
