//! All series of a node, and how one is read.

use std::borrow::Borrow;
use std::hash::Hash;

use broker::domain::exchange::ExchangeId;
use broker::domain::name::VhostName;
use broker::domain::queue::{ConnectionId, QueueId};
use openapi::statistics::{Details, Sample};

use super::Policies;
use super::flows::FlowTables;
use super::kinds::{self, Kind};
use super::policy::Policy;
use super::range::{self, Ranges};
use super::series::{Round, Series};
use super::table::{Rhythm, Table};

/// Bytes that the samples of a queue, channel, connection or exchange may take; with their place in
/// the table ten thousand of them are less than 20 MB.
pub(super) const OBJECT_BYTES_MAX: usize = 1950;

/// Bytes that the samples of a vhost or the node may take.
pub(super) const GLOBAL_BYTES_MAX: usize = 16_384;

/// Rounds are counted from a day's beginning, so that they stand where any usual distance of
/// samples has its grid.
const DAY_MS: u64 = 24 * 3600 * 1000;

/// Key of what there is one of.
type Only = ();

/// Everything sampled.
#[derive(Debug)]
pub(super) struct Store {
    interval_ms: u64,
    /// When round 0 would have been, in milliseconds since the epoch; set with the first round.
    origin_ms: Option<u64>,
    /// The round before which nothing was sampled: what was before counts as zero.
    first: Round,
    pub(super) global: Rhythm,
    pub(super) basic: Rhythm,
    pub(super) detailed: Rhythm,
    pub(super) queues: Table<QueueId, { kinds::QUEUE_COUNTERS }, 12>,
    pub(super) channels: Table<(ConnectionId, u16), { kinds::CHANNEL_COUNTERS }, 12>,
    pub(super) connections: Table<ConnectionId, 2, 2>,
    pub(super) exchanges: Table<ExchangeId, 2, 2>,
    pub(super) vhosts: Table<VhostName, { kinds::VHOST_COUNTERS }, 17>,
    pub(super) all_vhosts: Table<Only, { kinds::VHOST_COUNTERS }, 17>,
    pub(super) node: Table<Only, { kinds::NODE_COUNTERS }, { kinds::NODE_COUNTERS }>,
    /// Pairs of them.
    pub(super) flows: FlowTables,
}

impl Store {
    pub(super) fn new(policies: &Policies, interval_ms: u64) -> Self {
        Self {
            interval_ms,
            origin_ms: None,
            first: 0,
            global: Rhythm::new(Policy::new(&policies.global, interval_ms)),
            basic: Rhythm::new(Policy::new(&policies.basic, interval_ms)),
            detailed: Rhythm::new(Policy::new(&policies.detailed, interval_ms)),
            queues: Table::new(&kinds::QUEUE, OBJECT_BYTES_MAX),
            channels: Table::new(&kinds::CHANNEL, OBJECT_BYTES_MAX),
            connections: Table::new(&kinds::CONNECTION, OBJECT_BYTES_MAX),
            exchanges: Table::new(&kinds::EXCHANGE, OBJECT_BYTES_MAX),
            vhosts: Table::new(&kinds::VHOST, GLOBAL_BYTES_MAX),
            all_vhosts: Table::new(&kinds::VHOST, GLOBAL_BYTES_MAX),
            node: Table::new(&kinds::NODE, GLOBAL_BYTES_MAX),
            flows: FlowTables::new(),
        }
    }

    /// The round a time belongs to; `None` when that round has been, or the clock went back.
    pub(super) fn begin(&mut self, now_ms: u64) -> Option<Round> {
        let origin = *self.origin_ms.get_or_insert(now_ms / DAY_MS * DAY_MS);
        let round = Round::try_from(now_ms.checked_sub(origin)? / self.interval_ms).ok()?;
        let newest = self.basic.newest.max(self.global.newest).max(self.detailed.newest);
        if newest.is_none() {
            self.first = round;
        }
        newest.is_none_or(|newest| newest < round).then_some(round)
    }

    /// When a round was, in milliseconds since the epoch.
    fn at_ms(&self, round: Round) -> u64 {
        self.origin_ms.unwrap_or_default() + u64::from(round) * self.interval_ms
    }

    /// The newest round at a time.
    fn round_at(&self, at_ms: u64) -> Option<Round> {
        let since = at_ms.checked_sub(self.origin_ms?)? / self.interval_ms;
        Some(Round::try_from(since).unwrap_or(Round::MAX))
    }

    /// How the counters of an object run; without a series they were always zero.
    pub(super) fn read<K, Q, const N: usize, const M: usize>(
        &self,
        table: &Table<K, N, M>,
        object: &Q,
        rhythm: &Rhythm,
        ranges: &Ranges,
    ) -> [Details; M]
    where
        K: Borrow<Q> + Hash + Eq,
        Q: Hash + Eq + ?Sized,
    {
        let (kind, series) = (table.kind(), table.get(object));
        let mut details = [const { Details { rate: 0.0, samples: None, avg_rate: None, avg: None } }; M];
        if let Some(change) = series.and_then(|series| self.newest_change(series, rhythm)) {
            let (seconds, change) = change;
            for ((details, column), change) in details.iter_mut().zip(&kind.columns).zip((kind.show)(&change)) {
                let change = change.cast_signed();
                let change = if column.is_gauge { change } else { change.max(0) };
                details.rate = change as f64 / seconds;
            }
        }
        let Some(newest) = rhythm.newest.filter(|_| !ranges.is_empty()) else { return details };
        let newest_ms = self.at_ms(newest);
        let mut place = 0;
        while let Some(column) = kind.columns.get(place) {
            // Columns of one range stand together and are read together.
            let together = kind.columns[place..].iter().take_while(|other| other.sort == column.sort).count();
            if let Some(wanted) = ranges.of(column.sort) {
                let points: Vec<_> = wanted.points(newest_ms).collect();
                let shown = self.samples(kind, series, &points);
                let end_ms = wanted.end_ms(newest_ms);
                for (place, details) in details.iter_mut().enumerate().skip(place).take(together) {
                    let taken = points.iter().zip(&shown);
                    let samples =
                        taken.filter_map(|(at, shown)| Some(Sample { sample: shown.as_ref()?[place], timestamp: *at }));
                    let is_gauge = kind.columns[place].is_gauge;
                    *details = range::with_samples(samples.collect(), end_ms, self.interval_ms, is_gauge);
                }
            }
            place += together;
        }
        details
    }

    /// What was added at the newest round, and in how many seconds.
    fn newest_change<const N: usize>(&self, series: &Series<N>, rhythm: &Rhythm) -> Option<(f64, [u64; N])> {
        let (newest, before) = (rhythm.newest?, rhythm.before);
        // A round that is under way has come to this object already.
        let (round, before) =
            if series.newest_at() > newest { (series.newest_at(), newest) } else { (newest, before?) };
        let change = series.change_at(round)?;
        Some((u64::from(round - before) as f64 * self.interval_ms as f64 / 1000.0, change))
    }

    /// The counters at points in time, oldest first; `None` where they are not known any more.
    fn samples<const N: usize, const M: usize>(
        &self,
        kind: &Kind<N, M>,
        series: Option<&Series<N>>,
        points: &[u64],
    ) -> Vec<Option<[u64; M]>> {
        let zero = Some([0; M]);
        let Some(series) = series else { return vec![zero; points.len()] };
        let rounds = points.iter().map(|at| self.round_at(*at).filter(|round| *round >= self.first));
        let sampled: Vec<_> = rounds.collect();
        let mut shown = vec![zero; sampled.iter().filter(|round| round.is_none()).count()];
        series.at(sampled.into_iter().flatten(), |counters| shown.push(counters.map(kind.show)));
        shown
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.queues.clear();
        self.channels.clear();
        self.connections.clear();
        self.exchanges.clear();
        self.vhosts.clear();
        self.all_vhosts.clear();
        self.node.clear();
        self.flows.clear();
        for rhythm in [&mut self.global, &mut self.basic, &mut self.detailed] {
            (rhythm.newest, rhythm.before) = (None, None);
        }
        self.origin_ms = None;
    }
}
