//! Which samples a request asks for, and the arithmetic from samples to what is sent.
//!
//! Owns the query parameters `…_age` and `…_incr`. Samples stand on a grid that ends at the
//! newest round, cut down to a multiple of the distance, as the reference cuts the clock: so a
//! range never ends in a sample that has not been taken yet.

use openapi::statistics::{Details, Sample};

use crate::error::ApiError;
use crate::query::QueryString;

/// Most times a range may be longer than the distance of its samples.
const SAMPLES_MAX: i64 = 500;

/// What counters are, as far as ranges go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// What happens to messages.
    MsgRates,
    /// How many messages there are.
    Lengths,
    /// Bytes.
    DataRates,
    /// What a node uses.
    NodeStats,
    /// How many messages there are in a vhost.
    VhostLengths,
    /// What came and went.
    Churn,
}

/// Sorts of counters.
const SORTS: usize = 6;

/// What the parameters of the first sorts begin with.
const PREFIXES: [&str; 4] = ["msg_rates", "lengths", "data_rates", "node_stats"];

/// How far back samples are wanted, and how far apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    /// In milliseconds.
    age_ms: u64,
    /// In milliseconds.
    step_ms: u64,
    /// Whether the newest sample is wanted even where the grid has not come to it.
    ahead: bool,
}

impl Range {
    /// Where the grid ends, seen from the newest round; in milliseconds.
    pub(super) fn end_ms(&self, newest_ms: u64) -> u64 {
        let end = newest_ms / self.step_ms * self.step_ms;
        if self.ahead && end < newest_ms { end + self.step_ms } else { end }
    }

    /// Points of the grid, oldest first; in milliseconds.
    pub(super) fn points(&self, newest_ms: u64) -> impl Iterator<Item = u64> + use<> {
        let (first, step) = (self.end_ms(newest_ms).saturating_sub(self.age_ms), self.step_ms);
        (0..=self.age_ms / step).map(move |point| first + point * step)
    }
}

/// Which samples a request asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ranges([Option<Range>; SORTS]);

impl Ranges {
    /// Reads the parameters. One end of a range alone, or one that is no number, asks for nothing.
    ///
    /// # Errors
    /// 400 for a range that makes no sense.
    pub(crate) fn parse(query: &QueryString) -> Result<Self, ApiError> {
        let mut ranges = Self::default();
        for (range, prefix) in ranges.0.iter_mut().zip(PREFIXES) {
            let end = |end: &str| query.get(&format!("{prefix}_{end}")).and_then(|text| text.parse::<i64>().ok());
            let (Some(age), Some(increment)) = (end("age"), end("incr")) else { continue };
            let positive = |seconds: i64| u64::try_from(seconds).ok().filter(|seconds| *seconds > 0)?.checked_mul(1000);
            *range = match (positive(age), positive(increment)) {
                (Some(age_ms), Some(step_ms)) if age / increment <= SAMPLES_MAX => {
                    Some(Range { age_ms, step_ms, ahead: false })
                }
                _ => {
                    let reason = format!("Invalid range parameters: age {age}, incr {increment}");
                    return Err(ApiError::bad_request(reason));
                }
            };
        }
        // As the reference has it, but see `of_overview`.
        ranges.0[Sort::VhostLengths as usize] = ranges.of(Sort::MsgRates);
        ranges.0[Sort::Churn as usize] = ranges.of(Sort::NodeStats);
        Ok(ranges)
    }

    /// As overview takes them: numbers of messages and what came and went are lengths there.
    pub(crate) fn of_overview(mut self) -> Self {
        self.0[Sort::VhostLengths as usize] = self.of(Sort::Lengths);
        self.0[Sort::Churn as usize] = self.of(Sort::Lengths);
        self
    }

    /// With lengths up to the newest sample, so that they agree with what is counted now.
    pub(crate) fn ahead(mut self) -> Self {
        if let Some(lengths) = &mut self.0[Sort::Lengths as usize] {
            lengths.ahead = true;
        }
        self
    }

    /// The range of a sort of counters.
    pub(super) fn of(&self, sort: Sort) -> Option<Range> {
        self.0[sort as usize]
    }

    /// Whether none is asked for.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}

/// What is sent of a counter of which samples were asked for: `samples` oldest first, the grid
/// ending at `end_ms`. A rate is only of what is fresh: from a newest sample that is no
/// older than one round (`interval_ms`). A counter that began again has no rate.
pub(super) fn with_samples(mut samples: Vec<Sample>, end_ms: u64, interval_ms: u64, is_gauge: bool) -> Details {
    samples.reverse();
    let slope = |newer: &Sample, older: &Sample| {
        let change = newer.sample as f64 - older.sample as f64;
        let change = if is_gauge { change } else { change.max(0.0) };
        change * 1000.0 / (newer.timestamp - older.timestamp) as f64
    };
    let rate = match samples.as_slice() {
        [newest, before, ..] if newest.timestamp + interval_ms >= end_ms => slope(newest, before),
        _ => 0.0,
    };
    let (avg_rate, avg) = match samples.as_slice() {
        [newest, .., oldest] => {
            let sum: f64 = samples.iter().map(|sample| sample.sample as f64).sum();
            (Some(slope(newest, oldest)), Some(sum / samples.len() as f64))
        }
        _ => (None, None),
    };
    Details { rate, samples: Some(samples), avg_rate, avg }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(query: &str) -> Ranges {
        Ranges::parse(&QueryString::parse(Some(query))).unwrap()
    }

    #[test]
    fn ranges_need_both_ends_and_sense() {
        for query in
            ["", "lengths_age=60", "lengths_incr=5", "lengths_age=x&lengths_incr=5", "lengths_age=1.5&lengths_incr=1"]
        {
            assert!(ranges(query).is_empty(), "{query}");
        }
        for (query, age, increment) in [
            ("msg_rates_age=0&msg_rates_incr=5", "0", "5"),
            ("data_rates_age=60&data_rates_incr=-5", "60", "-5"),
            ("node_stats_age=2505&node_stats_incr=5", "2505", "5"),
            (
                "node_stats_age=9223372036854775807&node_stats_incr=9223372036854775807",
                "9223372036854775807",
                "9223372036854775807",
            ),
        ] {
            let refusal = Ranges::parse(&QueryString::parse(Some(query))).unwrap_err();
            assert_eq!(refusal.status.as_u16(), 400);
            assert!(refusal.body.unwrap().to_string().contains(&format!("age {age}, incr {increment}")), "{query}");
        }
        assert!(ranges("msg_rates_age=2504&msg_rates_incr=5").of(Sort::MsgRates).is_some());
    }

    #[test]
    fn the_grid_ends_at_the_newest_round_that_fits() {
        let points = |query: &str| ranges(query).of(Sort::Lengths).unwrap().points(1_000_005_000).collect::<Vec<_>>();
        assert_eq!(points("lengths_age=10&lengths_incr=5"), [999_995_000, 1_000_000_000, 1_000_005_000]);
        // The end is a multiple of 60; an age that is none leaves a rest.
        assert_eq!(points("lengths_age=70&lengths_incr=60"), [999_890_000, 999_950_000]);
        assert_eq!(points("lengths_age=5&lengths_incr=10"), [999_995_000]);
        let ahead = ranges("lengths_age=60&lengths_incr=60").ahead().of(Sort::Lengths).unwrap();
        assert_eq!(ahead.points(1_000_005_000).collect::<Vec<_>>(), [999_960_000, 1_000_020_000]);
    }

    /// What a RabbitMQ 4.3 answered while a program published, fetched and acknowledged: values
    /// newest first, seconds between them, seconds from the newest to the end of the range,
    /// and `rate`, `avg_rate` and `avg`.
    #[test]
    fn the_arithmetic_is_that_of_the_reference() {
        type Recorded = (&'static [u64], u64, u64, f64, Option<f64>, Option<f64>);
        let recorded: [Recorded; 6] = [
            (&[120, 80, 40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 5, 0, 8.0, Some(2.0), Some(18.461_538_461_538_46)),
            (&[210, 110, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 5, 0, 20.0, Some(3.5), Some(25.384_615_384_615_383)),
            (
                &[35_983, 28_513, 19_173, 9833, 376, 0, 0, 0, 0, 0, 0, 0, 0],
                5,
                0,
                1494.0,
                Some(599.716_666_666_666_7),
                Some(7_221.384_615_384_615),
            ),
            (&[240, 200, 200, 160], 3, 1, 13.333_333_333_333_334, Some(8.888_888_888_888_89), Some(200.0)),
            (&[590, 590, 500, 400], 3, 1, 0.0, Some(21.111_111_111_111_11), Some(520.0)),
            (&[500], 10, 5, 0.0, None, None),
        ];
        for (values, step, rest, rate, avg_rate, avg) in recorded {
            let newest = 1_795_612_855_000;
            let at = |place: usize| newest - 1000 * step * place as u64;
            let samples =
                values.iter().enumerate().map(|(place, value)| Sample { sample: *value, timestamp: at(place) });
            let samples: Vec<_> = samples.collect();
            let oldest_first = samples.iter().rev().copied().collect();
            let details = with_samples(oldest_first, newest + 1000 * rest, 5000, true);
            assert_eq!(details, Details { rate, samples: Some(samples), avg_rate, avg });
        }
    }

    #[test]
    fn rates_are_of_the_last_two_samples_and_averages_of_all() {
        let samples = |values: &[u64]| {
            let at = |place: usize| 1_000_000 + 5000 * place as u64;
            values.iter().enumerate().map(|(place, value)| Sample { sample: *value, timestamp: at(place) }).collect()
        };
        let details = with_samples(samples(&[0, 10, 40]), 1_010_000, 5000, false);
        assert_eq!((details.rate, details.avg_rate), (6.0, Some(4.0)));
        assert_eq!(details.avg, Some(50.0 / 3.0));
        assert_eq!(details.samples.unwrap()[0], Sample { sample: 40, timestamp: 1_010_000 });
        assert_eq!(with_samples(samples(&[40, 10]), 1_005_000, 5000, true).rate, -6.0);
        assert_eq!(with_samples(samples(&[40, 10]), 1_005_000, 5000, false).rate, 0.0);
        assert_eq!(with_samples(samples(&[10, 40]), 1_010_001, 5000, false).rate, 0.0, "not fresh");
        let one = with_samples(samples(&[10]), 1_000_000, 5000, false);
        assert_eq!((one.rate, one.avg_rate, one.avg), (0.0, None, None));
        assert_eq!(
            with_samples(Vec::new(), 0, 5000, false),
            Details { samples: Some(Vec::new()), ..Details::default() }
        );
    }
}
