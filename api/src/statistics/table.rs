//! The series of all objects of one kind, by identity.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem::size_of;

use super::kinds::Kind;
use super::policy::Policy;
use super::series::{Round, Series};

/// Objects of one kind that have statistics; others show rates of zero.
pub(super) const OBJECTS_MAX: usize = 100_000;

/// Rounds in which every series is looked at once, to join what has aged.
const THINNING_ROUNDS: Round = 12;

/// Rounds at which samples are taken by one policy.
#[derive(Debug, Clone)]
pub(super) struct Rhythm {
    /// How long samples are kept.
    pub(super) policy: Policy,
    /// The newest round that is complete.
    pub(super) newest: Option<Round>,
    /// The one before.
    pub(super) before: Option<Round>,
}

impl Rhythm {
    pub(super) fn new(policy: Policy) -> Self {
        Self { policy, newest: None, before: None }
    }

    /// Whether samples are taken at a round.
    pub(super) fn is_due(&self, round: Round) -> bool {
        self.policy.is_due(self.newest, round)
    }

    /// A round is complete.
    pub(super) fn complete(&mut self, round: Round) {
        self.before = self.newest.replace(round);
    }
}

/// The series of all objects of one kind.
#[derive(Debug)]
pub(super) struct Table<K, const N: usize, const M: usize> {
    kind: &'static Kind<N, M>,
    /// Bound of the log of one object, in bytes.
    bytes_max: usize,
    /// Boxed, so that room for objects to come is small.
    all: HashMap<K, Box<Series<N>>>,
    /// Whether objects were left out for their number, and the log says so.
    is_full: bool,
}

impl<K: Hash + Eq, const N: usize, const M: usize> Table<K, N, M> {
    pub(super) fn new(kind: &'static Kind<N, M>, object_bytes_max: usize) -> Self {
        let bytes_max = object_bytes_max.saturating_sub(size_of::<Series<N>>());
        Self { kind, bytes_max, all: HashMap::new(), is_full: false }
    }

    /// Takes the counters of an object at a round. An object of which everything is zero
    /// needs no series, as that is what is shown of one without.
    pub(super) fn take(&mut self, key: K, counters: &[u64; N], round: Round, rhythm: &Rhythm) {
        if let Some(series) = self.all.get_mut(&key) {
            if *series.last() != *counters && self.kind.began_again(series.last(), counters) {
                **series = Series::new(round);
            }
            series.see(round);
            if (round - series.began()).is_multiple_of(THINNING_ROUNDS) {
                series.thin(round, &rhythm.policy, self.bytes_max);
            }
            series.push(round, counters, &rhythm.policy, self.bytes_max);
        } else if *counters != [0; N] {
            if self.all.len() >= OBJECTS_MAX {
                self.refuse();
                return;
            }
            // What was there before sampling began did not come at the first round.
            let mut series = match rhythm.newest {
                None => Series::of(*counters, round),
                Some(_) => Series::new(round),
            };
            series.push(round, counters, &rhythm.policy, self.bytes_max);
            self.all.insert(key, Box::new(series));
        }
    }

    fn refuse(&mut self) {
        if !std::mem::replace(&mut self.is_full, true) {
            tracing::warn!("more than {OBJECTS_MAX} objects of a kind have statistics: further ones show no rates");
        }
    }

    /// Forgets objects that were not there at a round.
    pub(super) fn forget(&mut self, round: Round) {
        self.all.retain(|_, series| series.was_seen(round));
        if self.all.capacity() > 4 * self.all.len() {
            self.all.shrink_to(2 * self.all.len());
        }
        self.is_full &= self.all.len() >= OBJECTS_MAX;
    }

    /// The series of an object.
    pub(super) fn get<Q>(&self, key: &Q) -> Option<&Series<N>>
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.all.get(key).map(AsRef::as_ref)
    }

    /// What is shown of an object.
    pub(super) fn kind(&self) -> &'static Kind<N, M> {
        self.kind
    }

    /// Objects with a series, and bytes of memory they take.
    pub(super) fn size(&self) -> (usize, usize) {
        let series = self.all.values().map(|series| series.bytes() + size_of::<Box<Series<N>>>());
        let slots = self.all.capacity() * (size_of::<(K, Box<Series<N>>)>() + 1);
        (self.all.len(), series.sum::<usize>() + slots)
    }

    pub(super) fn clear(&mut self) {
        self.all = HashMap::new();
    }
}
