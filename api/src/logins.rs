//! What all listeners share about logins: the sessions, and the failures of late.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use broker::Broker;
use broker::domain::user::User;

use crate::session::Sessions;
use crate::throttle::{Throttle, TooMany};

/// Logins of one server, shared by its listeners.
#[derive(Debug, Clone, Default)]
pub struct Logins(Arc<Mutex<State>>);

/// The sessions and the failures.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Logins that last.
    pub(crate) sessions: Sessions,
    /// Failures of late.
    pub(crate) throttle: Throttle,
}

impl Logins {
    /// The state, for a few lines without an await: a leaf lock.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is one call on a map: a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who a token stands for.
    pub(crate) fn user(&self, broker: &Broker, token: &str, from: Option<IpAddr>) -> Option<Arc<User>> {
        self.lock().sessions.user(broker, token, from, Instant::now())
    }

    /// Whether a login may be checked.
    pub(crate) fn judge(&self, source: Option<IpAddr>, user: &str) -> Result<(), TooMany> {
        self.lock().throttle.judge(source, user, Instant::now())
    }

    /// Counts a failed login.
    pub(crate) fn count_failure(&self, source: Option<IpAddr>, user: &str) {
        self.lock().throttle.count_failure(source, user, Instant::now());
    }
}
