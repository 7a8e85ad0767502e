//! Random histories with crashes in them, checked after each against what was confirmed.

use std::collections::BTreeMap;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::super::core::Core;
use super::super::recover::Finding;
use super::super::request::Request;
use super::super::simulated::{Chance, SimulatedDisk};
use super::{append, check_accounts, open, positions, read, remove, write_large};
use crate::storage::conformance::record;
use crate::storage::{LogId, LogRecord};

/// Histories per test run, of [`ROUNDS`] crashes each; a failure names its seed.
const SEEDS: std::ops::Range<u64> = 0..250;

/// `FIRST..END`: runs these histories instead.
const SEEDS_VARIABLE: &str = "WARREN_JOURNAL_SEEDS";

const ROUNDS: u64 = 12;

fn seeds() -> std::ops::Range<u64> {
    let asked = std::env::var(SEEDS_VARIABLE).ok();
    let range = asked.as_deref().and_then(|text| text.split_once(".."));
    let range = range.map(|(first, end)| first.parse().unwrap()..end.parse().unwrap());
    range.unwrap_or(SEEDS)
}

/// What may or must be there: log → position → records, of which one is there. (More than
/// one: the log was deleted and begun anew in a group that a crash interrupted.)
type Model = BTreeMap<u64, BTreeMap<u64, Vec<LogRecord>>>;

/// A random history with crashes in it, checked after each.
struct History {
    chance: Chance,
    disk: SimulatedDisk,
    next: BTreeMap<u64, u64>,
    /// Confirmed, and nobody asked to remove it.
    must: Model,
    /// Appended, and not known to be removed for good.
    may: Model,
    serial: u64,
    /// The payload of the record before: some go to several logs.
    routed: Bytes,
}

impl History {
    fn new(seed: u64) -> Self {
        Self {
            chance: Chance::new(seed),
            disk: SimulatedDisk::default(),
            next: BTreeMap::new(),
            must: Model::new(),
            may: Model::new(),
            serial: 0,
            routed: Bytes::new(),
        }
    }

    /// A group of requests; what it asks, as steps on a model.
    fn group(&mut self) -> (Vec<Request>, Vec<Step>) {
        let (mut requests, mut steps) = (Vec::new(), Vec::new());
        for _ in 0..=self.chance.below(4) {
            let log = self.chance.below(4);
            let next = *self.next.get(&log).unwrap_or(&1);
            match self.chance.below(if log == 3 { 40 } else { 9 }) {
                // Log 3 mostly grows: a backlog between logs that come and go.
                0..=3 | 9.. => {
                    let count = 1 + self.chance.below(6);
                    let records: Vec<LogRecord> = (next..next + count)
                        .map(|position| {
                            self.serial += 1;
                            let bound = if self.chance.one_in(12) { 1500 } else { 200 };
                            let bytes = self.chance.below(bound);
                            let mut record = record(position, bytes as usize);
                            record.meta[8..16].copy_from_slice(&self.serial.to_le_bytes());
                            if self.chance.one_in(2) {
                                record.payload = self.routed.clone();
                            }
                            self.routed = record.payload.clone();
                            record
                        })
                        .collect();
                    self.next.insert(log, next + count + self.chance.below(2));
                    steps.push(Step::Append(log, records.clone()));
                    let shares = 1 + self.chance.below(2) as u16 * 2;
                    let shared = records.into_iter().map(|record| LogRecord { shares, ..record });
                    requests.push(append(log, shared.collect()));
                }
                4..=7 => {
                    let first = next.saturating_sub(1 + self.chance.below(20));
                    let last = if self.chance.one_in(8) { u64::MAX } else { first + self.chance.below(12) };
                    steps.push(Step::Remove(log, first, last));
                    requests.push(remove(log, first, last));
                }
                _ => {
                    // Positions begin anew, as they may.
                    self.next.insert(log, 1 + self.chance.below(3));
                    steps.push(Step::Remove(log, 0, u64::MAX));
                    requests.push(Request::Delete(LogId(log), oneshot::channel().0));
                }
            }
        }
        (requests, steps)
    }

    fn round(&mut self, seed: u64, round: u64) {
        let (mut core, findings) = open(&self.disk);
        let harmless = |finding: &Finding| !matches!(finding, Finding::Damage { maybe_unfinished: false, .. });
        assert!(findings.iter().all(harmless), "seed {seed} round {round}: a crash is no damage: {findings:?}");
        self.check(&mut core, seed, round);
        self.disk.fail_after(5 + self.chance.below(120));
        loop {
            let (requests, steps) = self.group();
            // Large records are written elsewhere meanwhile, or not to their end.
            let written = !self.chance.one_in(20);
            let done = {
                let mut requests = requests;
                core.run(&mut requests).is_ok() && (core.large.is_idle() || written && write_large(&mut core).is_ok())
            };
            for step in steps {
                step.apply(&mut self.may, done, true);
                step.apply(&mut self.must, true, done);
            }
            if done {
                core.answer();
            }
            if !done || core.work().is_err() || self.chance.one_in(200) {
                break;
            }
            if self.chance.one_in(10) && !self.reopen(&mut core) {
                break;
            }
        }
        drop(core);
        self.disk = self.disk.crash(&mut self.chance);
    }

    /// Another owner takes a log over; returns whether the disk still works.
    fn reopen(&mut self, core: &mut Core) -> bool {
        let log = self.chance.below(4);
        let mut requests = vec![Request::Open(LogId(log), oneshot::channel().0)];
        if core.run(&mut requests).is_err() {
            return false;
        }
        core.answer();
        self.next.insert(log, positions(core, log).last().map_or(1, |last| last + 1));
        true
    }

    fn check(&mut self, core: &mut Core, seed: u64, round: u64) {
        let mut found = Model::new();
        for log in 0..4 {
            let records = read(core, log);
            let expected: Vec<u64> = records.iter().map(|record| record.position.0).collect();
            assert_eq!(positions(core, log), expected);
            for record in records {
                let position = record.position.0;
                let known = self.may.get(&log).and_then(|records| records.get(&position));
                assert!(
                    known.is_some_and(|known| known.contains(&record)),
                    "seed {seed} round {round}: log {log} has {record:?}, not one of {known:?}"
                );
                found.entry(log).or_default().insert(position, vec![record]);
            }
        }
        for (log, records) in &self.must {
            for position in records.keys() {
                assert!(
                    found.get(log).is_some_and(|records| records.contains_key(position)),
                    "seed {seed} round {round}: log {log} lost {position}"
                );
            }
        }
        check_accounts(core);
        // An owner goes on behind the last live record.
        self.next = found.iter().filter_map(|(log, records)| Some((*log, records.keys().last()? + 1))).collect();
        self.must = found.clone();
        self.may = found;
    }
}

enum Step {
    Append(u64, Vec<LogRecord>),
    Remove(u64, u64, u64),
}

impl Step {
    fn apply(&self, model: &mut Model, removes: bool, appends: bool) {
        match self {
            Self::Append(log, records) if appends => {
                let log = model.entry(*log).or_default();
                for record in records {
                    log.entry(record.position.0).or_default().push(record.clone());
                }
            }
            Self::Remove(log, first, last) if removes => {
                if let Some(log) = model.get_mut(log) {
                    log.retain(|position, _| !(first..=last).contains(&position));
                }
            }
            _ => {}
        }
    }
}

#[test]
fn seeded_histories_survive_their_crashes() {
    for seed in seeds() {
        let mut history = History::new(seed);
        for round in 0..ROUNDS {
            history.round(seed, round);
        }
    }
}
