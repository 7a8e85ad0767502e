//! Logins that outlast a request: a random token stands for a user until it expires, the
//! user logs out, or gets another password. It is taken as long as the user may use the API.
//!
//! Knows tokens and users; not how a token travels (`auth` reads it, `whoami` hands it out).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use broker::Broker;
use broker::domain::name::UserName;
use broker::domain::user::{StoredPassword, User};
use sha2::{Digest as _, Sha256};

use crate::error::ApiError;

/// Bytes of randomness in a token.
const TOKEN_BYTES: usize = 32;

/// Sessions of all users; beyond, the one nearest to its end goes.
const SESSIONS_MAX: usize = 8192;

/// Sessions of one user; beyond, the one nearest to its end goes.
const SESSIONS_PER_USER_MAX: usize = 64;

/// How long a session lasts when nothing is configured.
pub(crate) const LIFETIME_INITIAL: Duration = Duration::from_secs(8 * 60 * 60);

/// A token is kept as its hash, so that memory gives nobody a session.
type Fingerprint = [u8; 32];

/// One login.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// Who logged in.
    pub(crate) user: UserName,
    /// The password then; a new one ends the session.
    password: Option<StoredPassword>,
    /// Whether the login came from this host. A user that may log in only from here stays here.
    is_local: bool,
    /// From where the login came; `None` for the control socket.
    pub(crate) address: Option<IpAddr>,
    /// When it was.
    pub(crate) created: SystemTime,
    expires: Instant,
}

/// All logins that last.
#[derive(Debug, Default)]
pub(crate) struct Sessions(HashMap<Fingerprint, Session>);

impl Sessions {
    /// Begins a session and gives its token.
    ///
    /// # Errors
    /// `Internal` when the system has no randomness to give.
    pub(crate) fn open(
        &mut self,
        user: &User,
        address: Option<IpAddr>,
        lifetime: Duration,
        now: Instant,
    ) -> Result<String, ApiError> {
        let mut token = [0; TOKEN_BYTES];
        getrandom::fill(&mut token).map_err(|error| ApiError::internal(format!("no randomness: {error}")))?;
        let token = URL_SAFE_NO_PAD.encode(token);
        self.0.retain(|_, session| session.expires > now);
        self.make_room(SESSIONS_PER_USER_MAX, |session| session.user == user.name);
        self.make_room(SESSIONS_MAX, |_| true);
        let session = Session {
            user: user.name.clone(),
            password: user.password.clone(),
            is_local: is_local(address),
            address,
            created: SystemTime::now(),
            expires: now + lifetime,
        };
        self.0.insert(fingerprint(&token), session);
        Ok(token)
    }

    fn make_room(&mut self, max: usize, counts: impl Fn(&Session) -> bool) {
        while self.0.values().filter(|session| counts(session)).count() >= max {
            let counted = self.0.iter().filter(|(_, session)| counts(session));
            let Some(first) = counted.min_by_key(|(_, session)| session.expires).map(|(key, _)| *key) else { return };
            self.0.remove(&first);
        }
    }

    /// Who a token stands for.
    pub(crate) fn user(&self, broker: &Broker, token: &str, from: Option<IpAddr>, now: Instant) -> Option<Arc<User>> {
        let session = self.0.get(&fingerprint(token)).filter(|session| session.expires > now)?;
        let user = broker.directory().users.get(&session.user).cloned()?;
        let is_same = user.password == session.password && (!session.is_local || is_local(from));
        (is_same && user.is_management()).then_some(user)
    }

    /// Ends one session.
    pub(crate) fn close(&mut self, token: &str) {
        self.0.remove(&fingerprint(token));
    }

    /// Ends all sessions of a user, and says how many.
    pub(crate) fn close_all(&mut self, user: &UserName) -> usize {
        let before = self.0.len();
        self.0.retain(|_, session| session.user != *user);
        before - self.0.len()
    }

    /// Sessions of a user that still last, each with the time left.
    pub(crate) fn of(&self, user: &UserName, now: Instant) -> Vec<(Session, Duration)> {
        let lasting = self.0.values().filter(|session| session.user == *user && session.expires > now);
        let mut sessions: Vec<_> = lasting.map(|session| (session.clone(), session.expires - now)).collect();
        sessions.sort_by_key(|(_, left)| *left);
        sessions
    }
}

/// No address is the control socket.
fn is_local(address: Option<IpAddr>) -> bool {
    address.is_none_or(|address| address.to_canonical().is_loopback())
}

fn fingerprint(token: &str) -> Fingerprint {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> User {
        User {
            name: UserName::new(name).unwrap(),
            password: None,
            tags: vec!["administrator".to_owned()],
            limits: Default::default(),
        }
    }

    #[test]
    fn sessions_of_a_user_are_bounded_and_the_oldest_goes_first() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let first = sessions.open(&user("a"), None, LIFETIME_INITIAL, now).unwrap();
        let other = sessions.open(&user("b"), None, LIFETIME_INITIAL, now).unwrap();
        for n in 0..SESSIONS_PER_USER_MAX {
            let later = now + Duration::from_secs(n as u64 + 1);
            sessions.open(&user("a"), None, LIFETIME_INITIAL, later).unwrap();
        }
        assert_eq!(sessions.of(&user("a").name, now).len(), SESSIONS_PER_USER_MAX);
        assert!(!sessions.0.contains_key(&fingerprint(&first)));
        assert!(sessions.0.contains_key(&fingerprint(&other)));
        assert_eq!(sessions.close_all(&user("a").name), SESSIONS_PER_USER_MAX);
        sessions.close(&other);
        assert!(sessions.0.is_empty());
    }

    #[test]
    fn expired_sessions_are_not_listed_and_make_room() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        sessions.open(&user("a"), None, Duration::from_secs(1), now).unwrap();
        let later = now + Duration::from_secs(1);
        assert_eq!(sessions.of(&user("a").name, later).len(), 0);
        sessions.open(&user("b"), None, Duration::from_secs(1), later).unwrap();
        assert_eq!(sessions.0.len(), 1);
    }
}
