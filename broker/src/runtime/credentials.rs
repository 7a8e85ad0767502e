//! Checking passwords without paying for a slow hash on every request.
//!
//! A verified pair of user and password is remembered under a hash keyed with a secret of
//! this process, together with the stored password it was verified against: so it is
//! forgotten at once when the password changes, and the memory of this process gives
//! nobody a password. Slow hashes run on blocking threads, a few at a time, because each
//! takes 19 MiB.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::domain::name::UserName;
use crate::domain::password::{self, SALT_BYTES};
use crate::domain::user::{HashAlgorithm, StoredPassword, User};
use crate::error::Error;
use crate::facade::AuthAttempts;

/// Slow hashes that run at the same time; more wait.
const SLOW_HASHES_MAX: usize = 2;

/// Verified credentials remembered; when there are more the oldest is forgotten.
const VERIFIED_MAX: usize = 4096;

/// How long a verified credential is remembered.
const VERIFIED_FOR: Duration = Duration::from_secs(600);

/// Sources whose login attempts are counted; attempts of more count for their protocol only.
const SOURCES_MAX: usize = 4096;

/// Runs password hashes, slow ones on blocking threads and a few at a time.
#[derive(Debug, Clone)]
pub(crate) struct HashingPool {
    slow: Arc<Semaphore>,
}

impl HashingPool {
    pub(crate) fn new() -> Self {
        Self { slow: Arc::new(Semaphore::new(SLOW_HASHES_MAX)) }
    }

    /// Hashes a new password with fresh salt.
    ///
    /// # Errors
    /// `Internal` when the system has no randomness to give.
    pub(crate) async fn hash(&self, algorithm: HashAlgorithm, password: String) -> Result<StoredPassword, Error> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|error| Error::Internal(format!("no randomness: {error}")))?;
        self.run(algorithm, move || password::hash(algorithm, &password, salt)).await?
    }

    async fn verify(&self, stored: StoredPassword, password: String) -> Result<bool, Error> {
        self.run(stored.algorithm, move || password::verify(&stored, &password)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        algorithm: HashAlgorithm,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        if !password::is_slow(algorithm) {
            return Ok(work());
        }
        let permit = self.slow.clone().acquire_owned().await;
        let work = move || {
            let result = work();
            drop(permit);
            result
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| Error::Internal(format!("a password check did not finish: {error}")))
    }
}

/// Verified credentials and login counters. Two leaf locks, each held for a few lines.
pub(crate) struct Credentials {
    pool: HashingPool,
    key: [u8; 32],
    verified: Mutex<Verified>,
    attempts: Mutex<Attempts>,
    /// Whether attempts are counted by address and user as well.
    track_sources: AtomicBool,
}

type Fingerprint = [u8; 32];

#[derive(Default)]
struct Verified {
    until: HashMap<Fingerprint, (UserName, Instant)>,
    /// In the order they were verified; the same lifetime for all makes it the order they expire.
    order: VecDeque<Fingerprint>,
}

#[derive(Default)]
struct Attempts {
    by_protocol: HashMap<&'static str, Counts>,
    by_source: HashMap<(&'static str, Option<IpAddr>, String), Counts>,
}

#[derive(Default, Clone, Copy)]
struct Counts {
    attempts: u64,
    failed: u64,
}

impl Counts {
    fn count(&mut self, succeeded: bool) {
        self.attempts += 1;
        self.failed += u64::from(!succeeded);
    }
}

impl Credentials {
    /// # Errors
    /// `Internal` when the system has no randomness to give.
    pub(crate) fn new(pool: HashingPool) -> Result<Self, Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| Error::Internal(format!("no randomness: {error}")))?;
        Ok(Self {
            pool,
            key,
            verified: Mutex::default(),
            attempts: Mutex::default(),
            track_sources: AtomicBool::new(false),
        })
    }

    /// Whether attempts are counted by address and user as well; the reference does so only when asked.
    pub(crate) fn are_sources_tracked(&self) -> bool {
        self.track_sources.load(Relaxed)
    }

    /// Starts or ends counting by address and user. What was counted stays.
    pub(crate) fn track_sources(&self, tracked: bool) {
        self.track_sources.store(tracked, Relaxed);
    }

    /// Hashes a new password with fresh salt.
    ///
    /// # Errors
    /// `Internal` when the system has no randomness to give.
    pub(crate) async fn hash(&self, algorithm: HashAlgorithm, password: String) -> Result<StoredPassword, Error> {
        self.pool.hash(algorithm, password).await
    }

    /// Whether this is the user's password.
    ///
    /// # Errors
    /// `Internal` when the check could not run.
    pub(crate) async fn is_valid(&self, user: &User, password: &str) -> Result<bool, Error> {
        let Some(stored) = &user.password else { return Ok(false) };
        if !password::is_slow(stored.algorithm) {
            return Ok(password::verify(stored, password));
        }
        let fingerprint = self.fingerprint(user.name.as_str(), password, &stored.hash);
        if self.lock_verified().is_known(&fingerprint, Instant::now()) {
            return Ok(true);
        }
        let valid = self.pool.verify(stored.clone(), password.to_owned()).await?;
        if valid {
            self.lock_verified().remember(fingerprint, user.name.clone(), Instant::now());
        }
        Ok(valid)
    }

    /// Takes as long as a wrong password does, so that nobody learns from the time which users
    /// there are.
    ///
    /// # Errors
    /// As [`Self::is_valid`].
    pub(crate) async fn pretend(&self, algorithm: HashAlgorithm, password: &str) -> Result<(), Error> {
        self.pool.hash(algorithm, password.to_owned()).await.map(drop)
    }

    /// Keeps slow hashes from running while it is held.
    #[cfg(test)]
    pub(crate) fn occupy(&self) -> tokio::sync::OwnedSemaphorePermit {
        let all = self.pool.slow.clone().try_acquire_many_owned(SLOW_HASHES_MAX as u32);
        all.expect("no hash runs")
    }

    /// Forgets what was verified for a user that changes or goes.
    pub(crate) fn forget(&self, user: &UserName) {
        self.lock_verified().forget(user);
    }

    /// Counts a login attempt.
    pub(crate) fn count_attempt(&self, protocol: &'static str, address: Option<IpAddr>, user: &str, succeeded: bool) {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.by_protocol.entry(protocol).or_default().count(succeeded);
        if self.are_sources_tracked() {
            let source = (protocol, address, user.to_owned());
            if attempts.by_source.len() < SOURCES_MAX || attempts.by_source.contains_key(&source) {
                attempts.by_source.entry(source).or_default().count(succeeded);
            }
        }
    }

    /// The counters, by protocol or by source.
    pub(crate) fn attempts(&self, by_source: bool) -> Vec<AuthAttempts> {
        let attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let row = |protocol: &str, remote_address: String, username: &str, counts: Counts| AuthAttempts {
            protocol: protocol.to_owned(),
            remote_address,
            username: username.to_owned(),
            attempts: counts.attempts,
            failed: counts.failed,
        };
        let mut rows: Vec<_> = if by_source {
            let address = |address: &Option<IpAddr>| address.map(|address| address.to_string()).unwrap_or_default();
            attempts
                .by_source
                .iter()
                .map(|((protocol, from, user), &c)| row(protocol, address(from), user, c))
                .collect()
        } else {
            attempts.by_protocol.iter().map(|(protocol, &counts)| row(protocol, String::new(), "", counts)).collect()
        };
        drop(attempts);
        rows.sort_by(|a, b| {
            (&a.protocol, &a.remote_address, &a.username).cmp(&(&b.protocol, &b.remote_address, &b.username))
        });
        rows
    }

    /// Zeroes the counters.
    pub(crate) fn reset_attempts(&self) {
        *self.attempts.lock().unwrap_or_else(PoisonError::into_inner) = Attempts::default();
    }

    /// H(key ‖ H(key ‖ user ‖ password ‖ stored hash)), each part with its length. The
    /// outer hash keeps the inner one from being extended.
    fn fingerprint(&self, user: &str, password: &str, stored: &str) -> Fingerprint {
        let mut inner = Sha256::new_with_prefix(self.key);
        for part in [user, password, stored] {
            inner.update((part.len() as u64).to_be_bytes());
            inner.update(part);
        }
        Sha256::new_with_prefix(self.key).chain_update(inner.finalize()).finalize().into()
    }

    fn lock_verified(&self) -> std::sync::MutexGuard<'_, Verified> {
        // The map is whole between calls: a panic elsewhere cannot have left it half-changed.
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Verified {
    fn is_known(&self, fingerprint: &Fingerprint, now: Instant) -> bool {
        self.until.get(fingerprint).is_some_and(|(_, until)| now < *until)
    }

    fn remember(&mut self, fingerprint: Fingerprint, user: UserName, now: Instant) {
        self.forget_expired(now);
        if self.until.insert(fingerprint, (user, now + VERIFIED_FOR)).is_some() {
            self.order.retain(|known| *known != fingerprint);
        }
        self.order.push_back(fingerprint);
        while self.order.len() > VERIFIED_MAX {
            self.forget_oldest();
        }
    }

    fn forget_expired(&mut self, now: Instant) {
        while let Some(oldest) = self.order.front()
            && !self.is_known(oldest, now)
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.order.pop_front() {
            self.until.remove(&oldest);
        }
    }

    fn forget(&mut self, user: &UserName) {
        self.until.retain(|_, (owner, _)| owner != user);
        let until = &self.until;
        self.order.retain(|fingerprint| until.contains_key(fingerprint));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::user::UserLimits;

    async fn user(credentials: &Credentials, name: &str, algorithm: HashAlgorithm, password: &str) -> User {
        User {
            name: UserName::new(name).unwrap(),
            password: Some(credentials.hash(algorithm, password.into()).await.unwrap()),
            tags: Vec::new(),
            limits: UserLimits::default(),
        }
    }

    fn remembered(credentials: &Credentials) -> usize {
        let verified = credentials.lock_verified();
        assert_eq!(verified.until.len(), verified.order.len());
        verified.order.len()
    }

    #[tokio::test]
    async fn a_verified_password_is_remembered_until_the_stored_one_changes() {
        let credentials = Credentials::new(HashingPool::new()).unwrap();
        let old = user(&credentials, "u", HashAlgorithm::Argon2id, "old").await;
        assert!(!credentials.is_valid(&old, "new").await.unwrap());
        assert_eq!(remembered(&credentials), 0, "a wrong password is not remembered");
        for _ in 0..2 {
            assert!(credentials.is_valid(&old, "old").await.unwrap());
            assert_eq!(remembered(&credentials), 1);
        }
        let new = user(&credentials, "u", HashAlgorithm::Argon2id, "new").await;
        assert!(!credentials.is_valid(&new, "old").await.unwrap());
        let other = User { name: UserName::new("v").unwrap(), ..new.clone() };
        assert!(credentials.is_valid(&other, "new").await.unwrap());
        credentials.forget(&old.name);
        assert_eq!(remembered(&credentials), 1);
        credentials.forget(&other.name);
        assert_eq!(remembered(&credentials), 0);
    }

    #[tokio::test]
    async fn cheap_hashes_and_users_without_a_password_need_no_memory() {
        let credentials = Credentials::new(HashingPool::new()).unwrap();
        let cheap = user(&credentials, "u", HashAlgorithm::Sha256, "p").await;
        assert!(credentials.is_valid(&cheap, "p").await.unwrap());
        let none = User { password: None, ..cheap };
        assert!(!credentials.is_valid(&none, "").await.unwrap());
        assert_eq!(remembered(&credentials), 0);
    }

    #[test]
    fn memory_is_bounded_in_number_and_time() {
        let mut verified = Verified::default();
        let start = Instant::now();
        let print = |number: usize| {
            let mut print = [0; 32];
            print[..8].copy_from_slice(&(number as u64).to_be_bytes());
            print
        };
        let user = UserName::new("u").unwrap();
        for number in 0..VERIFIED_MAX + 10 {
            verified.remember(print(number), user.clone(), start);
        }
        assert_eq!((verified.until.len(), verified.order.len()), (VERIFIED_MAX, VERIFIED_MAX));
        assert!(!verified.is_known(&print(9), start) && verified.is_known(&print(10), start));

        let later = start + VERIFIED_FOR;
        assert!(!verified.is_known(&print(10), later));
        verified.remember(print(0), user.clone(), later);
        assert_eq!((verified.until.len(), verified.order.len()), (1, 1));
        verified.remember(print(0), user, later);
        assert_eq!(verified.order.len(), 1, "verified twice at once is remembered once");
    }

    #[test]
    fn attempts_are_counted_by_protocol_and_source() {
        for track in [false, true] {
            let credentials = Credentials::new(HashingPool::new()).unwrap();
            credentials.track_sources(track);
            let address = Some(IpAddr::from([127, 0, 0, 1]));
            credentials.count_attempt("http", address, "a", true);
            credentials.count_attempt("http", address, "b", false);
            credentials.count_attempt("amqp091", None, "a", true);
            let row = |protocol: &str, address: &str, user: &str, attempts, failed| AuthAttempts {
                protocol: protocol.into(),
                remote_address: address.into(),
                username: user.into(),
                attempts,
                failed,
            };
            assert_eq!(credentials.attempts(false), [row("amqp091", "", "", 1, 0), row("http", "", "", 2, 1)]);
            let sources = [
                row("amqp091", "", "a", 1, 0),
                row("http", "127.0.0.1", "a", 1, 0),
                row("http", "127.0.0.1", "b", 1, 1),
            ];
            assert_eq!(credentials.attempts(true), if track { &sources[..] } else { &[] });
            credentials.reset_attempts();
            assert!(credentials.attempts(false).is_empty() && credentials.attempts(true).is_empty());
        }
    }
}
