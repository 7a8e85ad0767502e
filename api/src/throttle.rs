//! Slows down guessing passwords: failed logins fill buckets that drain with time, and
//! while one is full further attempts are refused unchecked.
//!
//! Three buckets a failure falls into: one of the user as tried from that source, one of
//! the source, one of the user. The user's own counts only against sources that failed
//! with that user lately, so nobody locks out an administrator from elsewhere.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Failures of one user from one source before attempts are refused.
const PAIR: Bucket = Bucket { failures_max: 30, drains_per_second: 1.0 };

/// Failures from one source, and of one user, before attempts are refused.
const SOURCE: Bucket = Bucket { failures_max: 300, drains_per_second: 10.0 };

/// How many more failures are taken from this host itself: scripts and reverse proxies are
/// there, and whoever guesses from there is either inside already or one of many behind a proxy.
const LOOPBACK_FACTOR: u32 = 10;

/// Sources and users remembered. What has drained is forgotten first; while all of them
/// still drain, failures of further ones are not counted.
const KEYS_MAX: usize = 8192;

/// A full memory is looked through no more often.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

struct Bucket {
    failures_max: u32,
    drains_per_second: f64,
}

/// An address, or the network behind it: whoever has one IPv6 address has 2^64.
type Source = IpAddr;

/// A user's name, hashed: names are whatever was sent, of any length, and would be kept.
type Name = u64;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Pair(Source, Name),
    Source(Source),
    User(Name),
}

impl Key {
    fn bucket(&self) -> Bucket {
        let (bucket, source) = match self {
            Self::Pair(source, _) => (PAIR, Some(source)),
            Self::Source(source) => (SOURCE, Some(source)),
            Self::User(_) => (SOURCE, None),
        };
        let factor = if source.is_some_and(IpAddr::is_loopback) { LOOPBACK_FACTOR } else { 1 };
        Bucket { failures_max: bucket.failures_max * factor, ..bucket }
    }
}

/// Why an attempt is refused unchecked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany {
    /// Which bucket is full: `user and source`, `source` or `user`.
    pub(crate) of: &'static str,
    /// When the next attempt will be taken, in whole seconds, at least 1.
    pub(crate) seconds: u64,
}

/// Failed logins of late.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    /// How full each bucket was, and when.
    levels: HashMap<Key, (f64, Instant)>,
    /// When what has drained was last looked for.
    swept: Option<Instant>,
    /// How names are hashed; nobody outside can find two that are alike.
    names: RandomState,
}

impl Throttle {
    /// Whether an attempt may be checked. Attempts without an address, those over the
    /// control socket, always may.
    pub(crate) fn judge(&self, source: Option<IpAddr>, user: &str, now: Instant) -> Result<(), TooMany> {
        let Some(source) = source.map(network) else { return Ok(()) };
        let name = self.names.hash_one(user);
        let pair = Key::Pair(source, name);
        self.judge_key(&pair, "user and source", now)?;
        self.judge_key(&Key::Source(source), "source", now)?;
        if self.level(&pair, now) > 0.0 { self.judge_key(&Key::User(name), "user", now) } else { Ok(()) }
    }

    fn judge_key(&self, key: &Key, of: &'static str, now: Instant) -> Result<(), TooMany> {
        let bucket = key.bucket();
        let over = self.level(key, now) + 1.0 - f64::from(bucket.failures_max);
        if over <= 0.0 {
            return Ok(());
        }
        let wait = Duration::from_secs_f64(over / bucket.drains_per_second);
        Err(TooMany { of, seconds: wait.as_secs() + u64::from(wait.subsec_nanos() > 0) })
    }

    /// Counts a failure.
    pub(crate) fn count_failure(&mut self, source: Option<IpAddr>, user: &str, now: Instant) {
        let Some(source) = source.map(network) else { return };
        let name = self.names.hash_one(user);
        for key in [Key::Pair(source, name), Key::Source(source), Key::User(name)] {
            let level = self.level(&key, now) + 1.0;
            if self.levels.len() >= KEYS_MAX && !self.levels.contains_key(&key) {
                self.forget_drained(now);
                if self.levels.len() >= KEYS_MAX {
                    continue;
                }
            }
            self.levels.insert(key, (level, now));
        }
    }

    fn level(&self, key: &Key, now: Instant) -> f64 {
        let Some((level, at)) = self.levels.get(key) else { return 0.0 };
        let drained = now.saturating_duration_since(*at).as_secs_f64() * key.bucket().drains_per_second;
        (level - drained).max(0.0)
    }

    fn forget_drained(&mut self, now: Instant) {
        if self.swept.is_some_and(|swept| now.saturating_duration_since(swept) < SWEEP_EVERY) {
            return;
        }
        self.swept = Some(now);
        let drained: Vec<_> = self.levels.keys().filter(|key| self.level(key, now) <= 0.0).copied().collect();
        for key in drained {
            self.levels.remove(&key);
        }
    }
}

fn network(address: IpAddr) -> Source {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.into(),
            None => std::net::Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    fn fail(throttle: &mut Throttle, source: &str, user: &str, times: u32, now: Instant) {
        for _ in 0..times {
            throttle.count_failure(address(source), user, now);
        }
    }

    #[test]
    fn a_pair_is_refused_until_its_bucket_has_drained_and_others_are_not() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        fail(&mut throttle, "10.0.0.1", "a", PAIR.failures_max - 1, now);
        assert_eq!(throttle.judge(address("10.0.0.1"), "a", now), Ok(()));
        fail(&mut throttle, "10.0.0.1", "a", 2, now);
        let refused = Err(TooMany { of: "user and source", seconds: 2 });
        assert_eq!(throttle.judge(address("10.0.0.1"), "a", now), refused);
        assert_eq!(throttle.judge(address("::ffff:10.0.0.1"), "a", now), refused);
        assert_eq!(throttle.judge(address("10.0.0.1"), "b", now), Ok(()));
        assert_eq!(throttle.judge(address("10.0.0.2"), "a", now), Ok(()));
        assert_eq!(throttle.judge(None, "a", now), Ok(()));
        assert_eq!(throttle.judge(address("10.0.0.1"), "a", now + Duration::from_secs(2)), Ok(()));
    }

    #[test]
    fn this_host_may_fail_more_often() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        fail(&mut throttle, "127.0.0.1", "a", PAIR.failures_max * LOOPBACK_FACTOR - 1, now);
        assert_eq!(throttle.judge(address("127.0.0.1"), "a", now), Ok(()));
        fail(&mut throttle, "127.0.0.1", "a", 1, now);
        assert_eq!(
            throttle.judge(address("127.0.0.1"), "a", now).map_err(|refusal| refusal.of),
            Err("user and source")
        );
    }

    #[test]
    fn a_source_that_tries_many_users_is_refused_as_a_whole() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for n in 0..SOURCE.failures_max {
            throttle.count_failure(address("2001:db8::1"), &n.to_string(), now);
        }
        let refused = Err(TooMany { of: "source", seconds: 1 });
        assert_eq!(throttle.judge(address("2001:db8::2"), "new", now), refused);
        assert_eq!(throttle.judge(address("2001:db8:0:1::1"), "new", now), Ok(()));
    }

    #[test]
    fn a_user_guessed_from_many_sources_is_refused_to_those_that_guess() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for n in 0..SOURCE.failures_max {
            fail(&mut throttle, &format!("10.0.{}.{}", n / 256, n % 256), "admin", 1, now);
        }
        assert_eq!(throttle.judge(address("10.0.0.1"), "admin", now), Err(TooMany { of: "user", seconds: 1 }));
        assert_eq!(throttle.judge(address("192.0.2.1"), "admin", now), Ok(()));
    }

    #[test]
    fn a_long_name_takes_no_more_memory_than_a_short_one() {
        let mut throttle = Throttle::default();
        throttle.count_failure(address("10.0.0.1"), &"a".repeat(1 << 20), Instant::now());
        assert!(format!("{throttle:?}").len() < 1000);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_drained_keys_make_room() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for n in 0..KEYS_MAX {
            throttle.count_failure(address("10.0.0.1"), &n.to_string(), now);
        }
        assert_eq!(throttle.levels.len(), KEYS_MAX);
        let later = now + Duration::from_secs(3600);
        throttle.count_failure(address("10.0.0.9"), "late", later);
        assert_eq!(throttle.levels.len(), 3);
    }
}
