//! What the counters of one object were, round by round: a log of changes that thins out as
//! it ages.
//!
//! A round at which nothing changed costs nothing. As records age they are joined, so that a
//! minute that is ten minutes old is one record, as the retention policy says; when the log
//! would grow over its bound they are joined more coarsely still, so that history loses
//! detail and never its beginning. The record of the newest round always stands alone: the
//! rates are read from it. It does not know what is counted, nor what time it is.

use std::mem::size_of;

use super::policy::Policy;
use super::record::Record;

/// A round of sampling; rounds are counted from the first.
pub(super) type Round = u32;

/// Bytes the log grows by.
const GROWTH_BYTES: usize = 64;

/// Counters of one object.
#[derive(Debug, Clone)]
pub(super) struct Series<const N: usize> {
    /// Counters before the first record.
    base: [u64; N],
    /// Counters now.
    last: [u64; N],
    /// Records, oldest first.
    log: Vec<u8>,
    /// Round of the newest record, or from which `base` counts when there is none.
    newest_at: Round,
    /// Where the newest record begins.
    newest: u32,
    /// Round before which nothing is known any more.
    known_from: Round,
    /// Round at which the object came.
    began: Round,
    /// Round at which the object was last there.
    seen: Round,
}

impl<const N: usize> Series<N> {
    /// Counters of an object that was there when sampling began.
    pub(super) fn of(counters: [u64; N], round: Round) -> Self {
        Self {
            base: counters,
            last: counters,
            log: Vec::new(),
            newest_at: round,
            newest: 0,
            known_from: 0,
            began: round,
            seen: round,
        }
    }

    /// Counters of an object that has come since.
    pub(super) fn new(round: Round) -> Self {
        Self { newest_at: 0, ..Self::of([0; N], round) }
    }

    /// Bytes of memory it takes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.log.capacity()
    }

    /// The object was there at a round.
    pub(super) fn see(&mut self, round: Round) {
        self.seen = round;
    }

    /// Whether the object was there at a round.
    pub(super) fn was_seen(&self, round: Round) -> bool {
        self.seen == round
    }

    /// Round of the newest record.
    pub(super) fn newest_at(&self) -> Round {
        self.newest_at
    }

    /// Round at which the object came.
    pub(super) fn began(&self) -> Round {
        self.began
    }

    /// Counters at the newest round.
    pub(super) fn last(&self) -> &[u64; N] {
        &self.last
    }

    /// Takes the counters of a round, later than any before. `bytes_max` bounds the log.
    pub(super) fn push(&mut self, round: Round, counters: &[u64; N], policy: &Policy, bytes_max: usize) {
        if *counters == self.last {
            return;
        }
        let mut change = *counters;
        for (change, last) in change.iter_mut().zip(self.last) {
            *change = change.wrapping_sub(last);
        }
        let mut bytes = Vec::with_capacity(GROWTH_BYTES);
        Record { gap: round - self.newest_at, change }.write(&mut bytes);
        if self.log.len() + bytes.len() > bytes_max {
            self.thin(round, policy, bytes_max.saturating_sub(bytes.len()));
        }
        if self.log.capacity() < self.log.len() + bytes.len() {
            self.log.reserve_exact(bytes.len().max(GROWTH_BYTES.min(bytes_max - self.log.len())));
        }
        self.newest = self.log.len() as u32;
        self.log.extend_from_slice(&bytes);
        self.newest_at = round;
        self.last = *counters;
    }

    /// Joins and drops records as their age asks for, seen from a round, and more coarsely
    /// until the log takes no more than so many bytes.
    pub(super) fn thin(&mut self, now: Round, policy: &Policy, bytes_max: usize) {
        for coarseness in (0..Round::BITS).map(|power| 1 << power) {
            self.join(now, policy, coarseness);
            if self.log.len() <= bytes_max {
                return;
            }
        }
        // One record is left, and even that is too long.
        self.base = self.last;
        self.known_from = self.newest_at;
        self.log = Vec::new();
        self.newest = 0;
    }

    fn join(&mut self, now: Round, policy: &Policy, coarseness: Round) {
        let records: Vec<_> = self.records().collect();
        let mut joined = Vec::with_capacity(self.log.len());
        let mut written_at = records.first().map_or(self.newest_at, |(at, record)| at - record.gap);
        let mut pending: Option<(Round, [u64; N])> = None;
        for (place, (at, record)) in records.iter().enumerate() {
            let is_newest = place + 1 == records.len();
            let mut change = record.change;
            if let Some((before, pending)) = pending.take() {
                if !is_newest && policy.joins(before, *at, now, coarseness) {
                    add(&mut change, &pending);
                } else {
                    Record { gap: before - written_at, change: pending }.write(&mut joined);
                    written_at = before;
                }
            }
            if !is_newest && policy.is_over(*at, now) {
                add(&mut self.base, &change);
                (self.known_from, written_at) = (*at, *at);
            } else {
                pending = Some((*at, change));
            }
        }
        self.newest = joined.len() as u32;
        if let Some((at, change)) = pending {
            if policy.is_over(at, now) {
                add(&mut self.base, &change);
                self.known_from = at;
            } else {
                Record { gap: at - written_at, change }.write(&mut joined);
            }
        }
        if joined.len() != self.log.len() {
            joined.shrink_to_fit();
            self.log = joined;
        }
    }

    /// Records with their rounds, oldest first.
    fn records(&self) -> impl Iterator<Item = (Round, Record<N>)> + '_ {
        let mut at = 0;
        let records: Vec<_> = std::iter::from_fn(|| {
            let (record, next) = Record::<N>::read(&self.log, at)?;
            at = next;
            Some(record)
        })
        .collect();
        let mut round = self.newest_at - records.iter().map(|record| record.gap).sum::<Round>();
        records.into_iter().map(move |record| {
            round += record.gap;
            (round, record)
        })
    }

    /// What was added at a round; `None`: nothing, or it is not the newest at which something was.
    pub(super) fn change_at(&self, round: Round) -> Option<[u64; N]> {
        if self.newest_at != round || self.log.is_empty() {
            return None;
        }
        Record::read(&self.log, self.newest as usize).map(|(record, _)| record.change)
    }

    /// The counters as they were after each of the rounds, which come oldest first; `None`
    /// where that is not known any more.
    pub(super) fn at(&self, rounds: impl IntoIterator<Item = Round>, mut show: impl FnMut(Option<&[u64; N]>)) {
        let mut records = self.records().peekable();
        let mut counters = self.base;
        for round in rounds {
            while let Some((_, record)) = records.next_if(|(at, _)| *at <= round) {
                add(&mut counters, &record.change);
            }
            show((round >= self.known_from).then_some(&counters));
        }
    }
}

fn add<const N: usize>(to: &mut [u64; N], change: &[u64; N]) {
    for (to, change) in to.iter_mut().zip(change) {
        *to = to.wrapping_add(*change);
    }
}
