//! A series against a model that keeps everything.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::policy::Policy;
use super::series::{Round, Series};

const COUNTERS: usize = 4;

/// Counters by round; before the first they are zero.
#[derive(Default)]
struct Model(BTreeMap<Round, [u64; COUNTERS]>);

impl Model {
    fn at(&self, round: Round) -> [u64; COUNTERS] {
        self.0.range(..=round).next_back().map_or([0; COUNTERS], |(_, counters)| *counters)
    }
}

fn policy() -> Policy {
    // Rounds of a second: every one for 20, every tenth for 100, every fiftieth for 300.
    Policy::new(&BTreeMap::from([(20, 1), (100, 10), (300, 50)]), 1000)
}

fn read(series: &Series<COUNTERS>, rounds: impl IntoIterator<Item = Round>) -> Vec<Option<[u64; COUNTERS]>> {
    let mut read = Vec::new();
    series.at(rounds, |counters| read.push(counters.copied()));
    read
}

/// Steps: how many rounds later, and what each counter is then.
fn steps(changes: impl Strategy<Value = u64> + Clone) -> impl Strategy<Value = Vec<(Round, [u64; COUNTERS])>> {
    let counters = [changes.clone(), changes.clone(), changes.clone(), changes];
    proptest::collection::vec((1..30u32, counters), 1..200)
}

proptest! {
    #[test]
    fn a_series_is_its_model_on_the_grid_of_every_age(steps in steps(0..3u64)) {
        let (mut series, mut model, policy) = (Series::new(0), Model::default(), policy());
        let mut now = 0;
        for (wait, counters) in steps {
            now += wait;
            series.push(now, &counters, &policy, usize::MAX >> 1);
            series.thin(now, &policy, usize::MAX >> 1);
            model.0.insert(now, counters);
            for (age, step) in [(20, 1), (100, 10), (300, 50)] {
                // One step less: what lies between two of a coarser grid may have been joined.
                let first = now.saturating_sub(age - step).next_multiple_of(step);
                let grid: Vec<_> = (first..=now).step_by(step as usize).collect();
                let expected: Vec<_> = grid.iter().map(|round| Some(model.at(*round))).collect();
                prop_assert_eq!(read(&series, grid), expected, "age {}", age);
            }
            let change = series.change_at(now);
            let before = model.at(now - 1);
            let expected: [u64; COUNTERS] = std::array::from_fn(|at| counters[at].wrapping_sub(before[at]));
            prop_assert_eq!(change.unwrap_or_default(), expected);
        }
        // Rounds in which nothing changes: what is too old goes, and what is known stays true.
        series.thin(now + 300, &policy, usize::MAX >> 1);
        prop_assert_eq!(read(&series, [now + 300]), vec![Some(model.at(now))]);
        series.thin(now + 301, &policy, usize::MAX >> 1);
        prop_assert_eq!(series.bytes(), size_of::<Series<COUNTERS>>());
        prop_assert_eq!(read(&series, [now + 301]), vec![Some(model.at(now))]);
    }

    #[test]
    fn a_series_keeps_its_bound_and_its_ends(steps in steps(any::<u64>()), bytes_max in 60..400usize) {
        let (mut series, policy) = (Series::new(0), policy());
        let mut now = 0;
        for (wait, counters) in steps {
            now += wait;
            let before = *series.last();
            series.push(now, &counters, &policy, bytes_max);
            prop_assert!(series.bytes() <= size_of::<Series<COUNTERS>>() + bytes_max);
            prop_assert_eq!(read(&series, [now]), vec![Some(counters)]);
            let expected: [u64; COUNTERS] = std::array::from_fn(|at| counters[at].wrapping_sub(before[at]));
            prop_assert_eq!(series.change_at(now).unwrap_or_default(), expected);
        }
    }
}

#[test]
fn what_is_idle_takes_no_log() {
    let policy = policy();
    let mut series = Series::of([5, 0, 0, 0], 0);
    for round in 1..1000 {
        series.push(round, &[5, 0, 0, 0], &policy, 1000);
    }
    assert_eq!(series.bytes(), size_of::<Series<COUNTERS>>());
    series.push(1000, &[6, 0, 0, 0], &policy, 1000);
    assert!(series.bytes() > size_of::<Series<COUNTERS>>());
    series.thin(1301, &policy, 1000);
    assert_eq!(series.bytes(), size_of::<Series<COUNTERS>>());
    assert_eq!(read(&series, [1301]), [Some([6, 0, 0, 0])]);
}
