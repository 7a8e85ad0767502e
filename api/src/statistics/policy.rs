//! How long samples are kept, and how closely.
//!
//! As configured a policy is in seconds; to sample by it, it is in rounds.

use std::collections::BTreeMap;

use super::series::Round;

/// For how long samples are kept at which distance: age in seconds, distance in seconds.
pub type Retention = BTreeMap<u32, u32>;

/// Longest time over which samples can be kept, in seconds.
pub const RETENTION_S_MAX: u32 = 366 * 24 * 3600;

/// Samples one object may have of one policy; a policy that asks for more keeps them at a
/// greater distance.
const SAMPLES_MAX: u32 = 4096;

/// The retention policies: of what there is one of, of other objects, and of flows between two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policies {
    /// Of the node and of virtual hosts.
    pub global: Retention,
    /// Of queues, exchanges, connections and channels.
    pub basic: Retention,
    /// Of flows between a channel and a queue or exchange.
    pub detailed: Retention,
}

impl Default for Policies {
    /// As the reference has them; a little longer than they say, so that a whole range fits.
    fn default() -> Self {
        Self {
            global: BTreeMap::from([(605, 5), (3660, 60), (29_400, 600), (86_400, 1800)]),
            basic: BTreeMap::from([(605, 5), (3600, 60)]),
            detailed: BTreeMap::from([(605, 5)]),
        }
    }
}

/// Ages as overview names them, for policies up to a tenth longer or shorter.
const NAMED_S: [(std::ops::RangeInclusive<u32>, u32); 5] =
    [(0..=66, 60), (540..=660, 600), (3240..=3960, 3600), (25_920..=31_681, 28_800), (77_760..=95_041, 86_400)];

/// The ages of a policy in the words of the reference; 0 for one that is none of its usual ones.
pub(crate) fn named_ages(retention: &Retention) -> Vec<u32> {
    let named = |age: &u32| NAMED_S.iter().find(|(ages, _)| ages.contains(age)).map_or(0, |(_, name)| *name);
    let mut ages: Vec<_> = retention.keys().map(named).collect();
    ages.sort_unstable();
    ages
}

/// A policy in rounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Policy {
    /// Up to which age records stand how far apart, both in rounds, youngest first.
    tiers: Vec<(Round, Round)>,
}

impl Policy {
    /// A policy for rounds of so many milliseconds.
    pub(super) fn new(retention: &Retention, interval_ms: u64) -> Self {
        let rounds =
            |seconds: u32| Round::try_from((u64::from(seconds) * 1000).div_ceil(interval_ms)).unwrap_or(Round::MAX);
        let tier = |(age, step): (&u32, &u32)| {
            let age = rounds(*age);
            (age, rounds(*step).max(1).max(age / SAMPLES_MAX))
        };
        Self { tiers: retention.iter().map(tier).collect() }
    }

    /// Whether there is anything to sample for.
    pub(super) fn keeps_any(&self) -> bool {
        !self.tiers.is_empty()
    }

    /// How far apart samples are taken.
    pub(super) fn step(&self) -> Round {
        self.tiers.first().map_or(1, |(_, step)| *step)
    }

    /// Whether a sample is taken at a round, the one before being `previous`.
    pub(super) fn is_due(&self, previous: Option<Round>, round: Round) -> bool {
        self.keeps_any() && previous.is_none_or(|previous| previous / self.step() != round / self.step())
    }

    /// Whether a record is too old to be kept.
    pub(super) fn is_over(&self, at: Round, now: Round) -> bool {
        self.tiers.last().is_none_or(|(age, _)| now.saturating_sub(at) > *age)
    }

    /// Whether two records, one after the other, are to be one.
    pub(super) fn joins(&self, one: Round, other: Round, now: Round, coarseness: Round) -> bool {
        let step = |at: Round| {
            let age = now.saturating_sub(at);
            self.tiers.iter().find(|(up_to, _)| age <= *up_to).or(self.tiers.last()).map_or(1, |(_, step)| *step)
        };
        let step = step(other).min(step(one)).saturating_mul(coarseness);
        one.div_ceil(step) == other.div_ceil(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_ages_have_names() {
        let Policies { global, basic, detailed } = Policies::default();
        assert_eq!(named_ages(&global), [600, 3600, 28_800, 86_400]);
        assert_eq!(named_ages(&basic), [600, 3600]);
        assert_eq!(named_ages(&detailed), [600]);
        assert_eq!(named_ages(&BTreeMap::from([(60, 5), (1000, 10)])), [0, 60]);
    }

    #[test]
    fn records_are_joined_by_age() {
        let policy = Policy::new(&Policies::default().basic, 5000);
        for (one, other, now, joined) in [
            (100, 101, 110, false),
            (100, 101, 300, true),
            (96, 97, 300, false),
            (97, 108, 300, true),
            (108, 109, 300, false),
        ] {
            assert_eq!(policy.joins(one, other, now, 1), joined, "{one} and {other} at {now}");
        }
        assert!(policy.joins(101, 102, 110, 2) && !policy.joins(101, 102, 110, 1));
        assert!(policy.is_over(0, 721) && !policy.is_over(0, 720));
        assert!(policy.is_due(None, 7) && policy.is_due(Some(7), 8));
    }

    #[test]
    fn samples_are_not_taken_more_often_than_kept() {
        let policy = Policy::new(&BTreeMap::from([(3600, 60)]), 5000);
        assert!(!policy.is_due(Some(12), 23) && policy.is_due(Some(12), 24));
        assert!(!Policy::new(&BTreeMap::new(), 5000).is_due(None, 1));
    }
}
