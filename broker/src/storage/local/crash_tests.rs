//! The journal against a disk that crashes, lies broken, or is cut: nothing confirmed is
//! lost, nothing removed comes back, and whatever is found is reported.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::core::Core;
use super::journal::LocalLog;
use super::record::HEAD_BYTES;
use super::recover::Finding;
use super::request::{Read, Request};
use super::segment::Suspicion;
use super::simulated::{Chance, SimulatedDisk};
use crate::storage::conformance::{range, record, records};
use crate::storage::{Epoch, LogBatch, LogId, LogRecord, LogSummary, Position, QueueLog, ReadLimit, StorageError};

/// Small enough that a few groups fill it, so that everything happens often.
const SMALL_SEGMENT: u64 = HEAD_BYTES as u64 + 3000;

/// Histories per test run; each fails with its number, which replays it.
const SEEDS: u64 = 100;

fn open(disk: &SimulatedDisk) -> (Core, Vec<Finding>) {
    Core::open(Box::new(disk.clone()), SMALL_SEGMENT).unwrap()
}

/// Runs a group and the work that becomes due.
fn run(core: &mut Core, mut requests: Vec<Request>) -> std::io::Result<()> {
    core.run(&mut requests)?;
    core.answer();
    core.work()
}

fn append(log: u64, records: Vec<LogRecord>) -> Request {
    Request::Append(LogId(log), records, oneshot::channel().0)
}

fn remove(log: u64, first: u64, last: u64) -> Request {
    Request::Remove(LogId(log), vec![range(first..=last)])
}

fn settle(core: &mut Core) {
    while core.has_work() {
        run(core, Vec::new()).unwrap();
    }
}

fn open_log(core: &mut Core, log: u64) -> LogSummary {
    let (reply, mut answer) = oneshot::channel();
    let mut requests = vec![Request::Open(LogId(log), reply)];
    core.run(&mut requests).unwrap();
    core.answer();
    answer.try_recv().unwrap().unwrap()
}

/// What one read brings; damage it finds is handed to the journal.
fn read_batch(core: &mut Core, log: u64, ranges: Vec<RangeInclusive<Position>>, records: usize) -> LogBatch {
    let (reply, mut answer) = oneshot::channel();
    let limit = ReadLimit { records, bytes: usize::MAX };
    core.run(&mut vec![Request::Read(Read { log: LogId(log), ranges, limit, reply })]).unwrap();
    core.answer();
    for job in core.take_reads() {
        let done = job.run();
        if !done.damaged.is_empty() {
            core.run(&mut vec![Request::Damaged(done.log, done.damaged.clone())]).unwrap();
        }
        done.answer();
    }
    answer.try_recv().unwrap().unwrap()
}

fn read(core: &mut Core, log: u64) -> Vec<LogRecord> {
    let summary = open_log(core, log);
    let batch = read_batch(core, log, summary.ranges, usize::MAX);
    assert_eq!((batch.lost, batch.next, summary.records), (Vec::new(), None, batch.records.len() as u64));
    batch.records
}

fn positions(core: &Core, log: u64) -> Vec<u64> {
    core.logs.get(&log).map(|index| index.live().map(|slot| slot.position()).collect()).unwrap_or_default()
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
                            let mut record = record(position, self.chance.below(200) as usize);
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
                    let shared = records.into_iter().map(|record| LogRecord { shares: 3, ..record });
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
            let done = {
                let mut requests = requests;
                core.run(&mut requests).is_ok()
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

/// The segments' figures agree with the index.
fn check_accounts(core: &Core) {
    let mut live: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for slot in core.logs.values().flat_map(|index| index.live()) {
        let figures = live.entry(slot.segment()).or_default();
        figures.0 += 1;
        figures.1 += slot.bytes() as u64;
    }
    for (id, segment) in &core.segments {
        let figures = live.remove(id).unwrap_or_default();
        assert_eq!((segment.live_records, segment.live_bytes), figures, "segment {id}");
        assert!(segment.targets.iter().all(|target| target < id && core.segments.contains_key(target)));
    }
    assert_eq!(live, BTreeMap::new(), "records in segments that are gone");
}

#[test]
fn seeded_histories_survive_their_crashes() {
    for seed in 0..SEEDS {
        let mut history = History::new(seed);
        for round in 0..12 {
            history.round(seed, round);
        }
    }
}

#[test]
fn everything_is_given_back_when_everything_is_removed() {
    let disk = SimulatedDisk::default();
    let (mut core, _) = open(&disk);
    for position in 1..=500 {
        run(&mut core, vec![append(position % 3, records(position..=position))]).unwrap();
    }
    assert!(core.segments.len() > 10);
    for log in 0..3 {
        run(&mut core, vec![remove(log, 0, u64::MAX)]).unwrap();
    }
    settle(&mut core);
    assert!(core.segments.len() <= 2, "{:?}", core.segments);
}

#[test]
fn a_backlog_does_not_pin_what_flows_past_it() {
    let disk = SimulatedDisk::default();
    let (mut core, _) = open(&disk);
    let mut seen = BTreeSet::new();
    for position in 1..=3000u64 {
        let mut requests = vec![append(1, records(position..=position))];
        if position % 100 == 0 {
            requests.push(append(2, records(position..=position)));
        }
        run(&mut core, requests).unwrap();
        run(&mut core, vec![remove(1, position, position)]).unwrap();
        seen.extend(core.segments.keys().copied());
    }
    settle(&mut core);
    assert!(seen.len() > 50, "{}", seen.len());
    assert!(core.segments.len() < 12, "{:?}", core.segments);
    assert_eq!(positions(&core, 2).len(), 30);
    drop(core);
    let (mut core, findings) = open(&disk);
    assert_eq!(findings, []);
    assert_eq!((positions(&core, 1), positions(&core, 2).len()), (Vec::new(), 30));
    assert_eq!(read(&mut core, 2).len(), 30);
}

#[test]
fn what_is_removed_before_it_is_written_is_never_written() {
    let disk = SimulatedDisk::default();
    let (mut core, _) = open(&disk);
    run(&mut core, vec![append(1, records(1..=1))]).unwrap();
    let before = core.segments.clone_bytes();
    run(&mut core, vec![append(1, records(2..=50)), remove(1, 2, 50)]).unwrap();
    assert_eq!(core.segments.clone_bytes(), before);
    assert_eq!(positions(&core, 1), [1]);
}

trait CloneBytes {
    fn clone_bytes(&self) -> Vec<u64>;
}

impl CloneBytes for BTreeMap<u32, super::segment::Segment> {
    fn clone_bytes(&self) -> Vec<u64> {
        self.values().map(|segment| segment.bytes).collect()
    }
}

/// A journal of one segment that is still appended to, as it lies on the disk.
fn one_segment() -> Vec<u8> {
    let (core, disk) = ten_records();
    let mut bytes = disk.files().remove(0).1;
    bytes.truncate(core.segments[&1].bytes as usize);
    bytes
}

/// The same, closed; and where its table begins.
fn one_closed_segment() -> (Vec<u8>, usize) {
    let (mut core, disk) = ten_records();
    core.finish().unwrap();
    (disk.files().remove(0).1, core.segments[&1].bytes as usize)
}

fn ten_records() -> (Core, SimulatedDisk) {
    let disk = SimulatedDisk::default();
    let (mut core, _) = open(&disk);
    for position in 1..=10 {
        run(&mut core, vec![append(1, records(position..=position))]).unwrap();
    }
    (core, disk)
}

#[test]
fn a_tail_cut_anywhere_keeps_every_whole_record() {
    let whole = one_segment();
    let record_bytes = (whole.len() - HEAD_BYTES) / 10;
    for cut in HEAD_BYTES..whole.len() {
        let disk = SimulatedDisk::with_files(vec![(1, whole[..cut].to_vec())]);
        let (mut core, findings) = Core::open(Box::new(disk.clone()), SMALL_SEGMENT).unwrap();
        let kept = ((cut - HEAD_BYTES) / record_bytes) as u64;
        assert_eq!(read(&mut core, 1), records(1..=kept), "cut at {cut}");
        let torn = (cut - HEAD_BYTES) % record_bytes;
        let expected = Finding::TornTail { segment: 1, at: (cut - torn) as u64, bytes: torn as u64 };
        assert_eq!(findings, if torn == 0 { vec![] } else { vec![expected] });
        run(&mut core, vec![append(1, records(20..=20))]).unwrap();
        drop(core);
        let (mut core, findings) = Core::open(Box::new(disk), SMALL_SEGMENT).unwrap();
        assert_eq!(findings, [], "cut once, then clean");
        assert_eq!(read(&mut core, 1).len() as u64, kept + 1);
    }
}

#[test]
fn a_flipped_bit_costs_one_record_and_is_reported() {
    let whole = one_segment();
    let record_bytes = (whole.len() - HEAD_BYTES) / 10;
    for at in HEAD_BYTES..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        let disk = SimulatedDisk::with_files(vec![(1, damaged)]);
        let (mut core, findings) = Core::open(Box::new(disk.clone()), SMALL_SEGMENT).unwrap();
        let hit = ((at - HEAD_BYTES) / record_bytes) as u64 + 1;
        let kept: Vec<u64> = (1..=10).filter(|position| *position != hit).collect();
        assert_eq!(positions(&core, 1), kept, "byte {at}");
        if hit == 10 {
            // The last record: the same as a group cut short.
            assert!(matches!(findings[..], [Finding::TornTail { .. }]), "byte {at}: {findings:?}");
            continue;
        }
        let expected = HEAD_BYTES + (hit as usize - 1) * record_bytes;
        assert!(
            matches!(findings[..], [Finding::Damage { at, bytes, .. }] if at == expected as u64 && bytes == record_bytes as u64),
            "byte {at}: {findings:?}"
        );
        assert_eq!(disk.kept(), [1]);
        run(&mut core, vec![append(1, records(11..=11))]).unwrap();
        settle(&mut core);
        drop(core);
        let (mut core, findings) = Core::open(Box::new(disk), SMALL_SEGMENT).unwrap();
        assert_eq!(findings, [], "the damaged segment was rewritten");
        let left: Vec<u64> = read(&mut core, 1).iter().map(|record| record.position.0).collect();
        assert_eq!(left, kept.into_iter().chain([11]).collect::<Vec<_>>());
    }
}

#[test]
fn a_payload_of_many_logs_is_stored_once_and_moves_as_one() {
    let disk = SimulatedDisk::default();
    let (mut core, _) = Core::open(Box::new(disk.clone()), HEAD_BYTES as u64 + 20_000).unwrap();
    let routed = |position, log: u64| LogRecord { shares: 20, weight: log as u32, ..record(position, 1000) };
    for position in 1..=5 {
        let one = routed(position, 0).payload;
        // Two groups: the later one refers to what the earlier one wrote.
        for logs in [1..=8, 9..=20] {
            let share = |log| append(log, vec![LogRecord { payload: one.clone(), ..routed(position, log) }]);
            run(&mut core, logs.map(share).collect()).unwrap();
        }
    }
    let bytes = |core: &Core| core.segments.values().map(|segment| segment.used()).sum::<u64>();
    assert!(bytes(&core) < 5 * (1056 + 19 * 64) + 100, "{}", bytes(&core));
    let expected = |position, log| LogRecord { shares: 1, ..routed(position, log) };
    let check = |core: &mut Core, logs: std::ops::RangeInclusive<u64>, positions: &[u64]| {
        for log in logs {
            let expected: Vec<_> = positions.iter().map(|position| expected(*position, log)).collect();
            assert_eq!(read(core, log), expected, "log {log}");
        }
    };
    check(&mut core, 1..=20, &[1, 2, 3, 4, 5]);
    // The records that hold the payloads go first; then the segment is rewritten.
    run(&mut core, (1..=15).map(|log| remove(log, 1, 4)).collect()).unwrap();
    for position in 1..=2 {
        run(&mut core, vec![append(30, vec![record(position, 19_000)])]).unwrap();
    }
    core.segments.get_mut(&1).unwrap().suspicion = Suspicion::HalfRewritten;
    core.reclaim.note_closed();
    settle(&mut core);
    assert!(!core.segments.contains_key(&1), "{:?}", core.segments);
    check(&mut core, 1..=15, &[5]);
    check(&mut core, 16..=20, &[1, 2, 3, 4, 5]);
    check_accounts(&core);
    drop(core);
    let (mut core, findings) = open(&disk);
    assert_eq!(findings, []);
    check(&mut core, 16..=20, &[1, 2, 3, 4, 5]);
}

#[test]
fn a_flipped_bit_in_a_closed_segment_is_found_on_reading() {
    let (whole, table) = one_closed_segment();
    let record_bytes = (table - HEAD_BYTES) / 10;
    let left_of = |records: Vec<LogRecord>| records.iter().map(|record| record.position.0).collect::<Vec<_>>();
    for at in (HEAD_BYTES..table).step_by(7) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        let disk = SimulatedDisk::with_files(vec![(1, damaged)]);
        let (mut core, findings) = open(&disk);
        assert_eq!(findings, [], "no payload was read");
        let hit = ((at - HEAD_BYTES) / record_bytes) as u64 + 1;
        let ranges = open_log(&mut core, 1).ranges;
        let batch = read_batch(&mut core, 1, ranges, 100);
        assert_eq!(batch.lost, [Position(hit)], "byte {at}");
        let kept: Vec<u64> = (1..=10).filter(|position| *position != hit).collect();
        assert_eq!(left_of(batch.records), kept);
        assert_eq!(disk.kept(), [1]);
        run(&mut core, vec![append(1, records(11..=11))]).unwrap();
        settle(&mut core);
        check_accounts(&core);
        drop(core);
        let (mut core, findings) = open(&disk);
        assert_eq!(findings, [], "the damaged segment was rewritten");
        assert_eq!(left_of(read(&mut core, 1)), kept.into_iter().chain([11]).collect::<Vec<_>>());
    }
}

#[test]
fn a_table_that_is_damaged_costs_nothing() {
    let (whole, table) = one_closed_segment();
    for at in table..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        let (mut core, findings) = open(&SimulatedDisk::with_files(vec![(1, damaged)]));
        // Padding is not looked at.
        assert!(matches!(findings[..], [] | [Finding::TornTail { segment: 1, .. }]), "byte {at}: {findings:?}");
        assert_eq!(read(&mut core, 1), records(1..=10));
    }
}

#[test]
fn a_journal_of_the_format_before_is_read_and_goes_on() {
    let mut old = one_segment();
    for head in [0, HEAD_BYTES / 2] {
        old[head + 8..head + 12].copy_from_slice(&1u32.to_le_bytes());
        let check = crc32c::crc32c_append(crc32c::crc32c(&old[head..head + 28]), &old[head + 32..head + 40]);
        old[head + 28..head + 32].copy_from_slice(&check.to_le_bytes());
    }
    let disk = SimulatedDisk::with_files(vec![(1, old)]);
    let (mut core, findings) = open(&disk);
    assert_eq!((findings, read(&mut core, 1)), (vec![], records(1..=10)));
    for position in 11..=100 {
        run(&mut core, vec![append(1, records(position..=position))]).unwrap();
    }
    core.finish().unwrap();
    let (mut core, findings) = open(&disk);
    assert_eq!((findings, read(&mut core, 1)), (vec![], records(1..=100)));
}

#[test]
fn a_bad_sector_costs_its_page_and_is_reported() {
    let whole = one_segment();
    for at in [HEAD_BYTES as u64 + 10, whole.len() as u64 - 1] {
        let disk = SimulatedDisk::with_files(vec![(1, whole.clone())]);
        disk.make_unreadable(1, at);
        let (core, findings) = open(&disk);
        assert!(matches!(findings[..], [Finding::Damage { segment: 1, .. }]), "{findings:?}");
        assert_eq!(positions(&core, 1), [] as [u64; 0], "all ten lie in one page");
        assert_eq!(disk.kept(), [1]);
    }
    let disk = SimulatedDisk::with_files(vec![(1, whole)]);
    disk.make_unreadable(1, 0);
    let (mut core, findings) = open(&disk);
    assert!(matches!(findings[..], [Finding::Damage { segment: 1, at: 0, .. }]), "{findings:?}");
    assert_eq!(read(&mut core, 1), records(1..=10), "the second copy of the head serves");
}

#[test]
fn a_segment_cut_short_is_damage() {
    let disk = SimulatedDisk::default();
    let (mut core, _) = open(&disk);
    for position in 1..=100 {
        run(&mut core, vec![append(1, records(position..=position))]).unwrap();
    }
    core.finish().unwrap();
    let files = disk.files();
    let whole = files[1].1.len();
    let end = core.segments[&2].bytes as usize;
    for (cut, lost) in [(whole - 1, 0), (end, 0), (end - 1, 1), (end - 96, 1), (end - 97, 2)] {
        let mut files = files.clone();
        files[1].1.truncate(cut);
        let (core, findings) = open(&SimulatedDisk::with_files(files));
        assert!(matches!(findings[..], [Finding::Damage { segment: 2, .. }]), "{findings:?}");
        assert_eq!(positions(&core, 1).len(), 100 - lost, "cut at {cut} of {whole}");
    }
}

#[test]
fn an_unreadable_journal_is_refused_and_left_alone() {
    let mut lost = one_segment();
    lost[..HEAD_BYTES].fill(0xFF);
    let disk = SimulatedDisk::with_files(vec![(1, lost.clone())]);
    assert!(matches!(Core::open(Box::new(disk.clone()), SMALL_SEGMENT), Err(StorageError::Damaged(_))));
    assert_eq!(disk.files(), [(1, lost)]);
}

#[tokio::test]
async fn nothing_is_confirmed_after_a_failed_write_or_sync() {
    for calls in 0..12 {
        let disk = SimulatedDisk::default();
        let (log, _) = LocalLog::open(Box::new(disk.clone()), None).unwrap();
        disk.fail_after(calls);
        let mut confirmed = Vec::new();
        let mut failed = false;
        for position in 1..=10 {
            match log.append(LogId(1), Epoch(1), records(position..=position)).await {
                Ok(()) => {
                    assert!(!failed, "confirmed after a failure");
                    confirmed.push(position);
                }
                Err(StorageError::Unavailable(_)) => failed = true,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(failed);
        let refused = log.remove(LogId(1), Epoch(1), vec![Position(1)..=Position(1)]);
        assert!(matches!(refused, Err(StorageError::Unavailable(_))));
        assert!(matches!(log.sync().await, Err(StorageError::Unavailable(_))));
        assert!(matches!(log.close().await, Err(StorageError::Unavailable(_))));
        let mut chance = Chance::new(calls + 1);
        let (mut core, _) = Core::open(Box::new(disk.crash(&mut chance)), SMALL_SEGMENT).unwrap();
        let kept: Vec<u64> = read(&mut core, 1).iter().map(|record| record.position.0).collect();
        assert!(kept.starts_with(&confirmed), "{kept:?} {confirmed:?}");
    }
}

#[tokio::test]
async fn many_appends_share_a_sync_and_removes_cost_none() {
    let disk = SimulatedDisk::default();
    let (log, _) = LocalLog::open(Box::new(disk.clone()), None).unwrap();
    log.append(LogId(1), Epoch(1), records(1..=1)).await.unwrap();
    let before = disk.syncs();
    for position in 1..=1000 {
        log.remove(LogId(1), Epoch(1), vec![Position(position)..=Position(position)]).unwrap();
    }
    log.sync().await.unwrap();
    assert!(disk.syncs() <= before + 3, "{} syncs", disk.syncs() - before);
}
