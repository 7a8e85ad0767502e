//! The journal against a disk that crashes, lies broken, or is cut: nothing confirmed is
//! lost, nothing removed comes back, and whatever is found is reported.

mod damage;
mod full;
mod histories;
mod large;
mod metadata;
mod space;
mod whole;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use tokio::sync::oneshot;

use super::core::Core;
use super::record::HEAD_BYTES;
use super::recover::Finding;
use super::request::{Read, Request};
use super::simulated::SimulatedDisk;
use crate::storage::conformance::range;
use crate::storage::{LogBatch, LogId, LogRecord, LogSummary, Position, ReadLimit};

/// Small enough that a few groups fill it, so that everything happens often.
const SMALL_SEGMENT: u64 = HEAD_BYTES as u64 + 3000;

fn open(disk: &SimulatedDisk) -> (Core, Vec<Finding>) {
    Core::open(Box::new(disk.clone()), SMALL_SEGMENT).unwrap()
}

/// Runs a group and the work that becomes due.
fn run(core: &mut Core, mut requests: Vec<Request>) -> std::io::Result<()> {
    core.run(&mut requests)?;
    core.answer();
    write_large(core)?;
    core.work()
}

/// What the thread for large records does.
pub(super) fn write_large(core: &mut Core) -> std::io::Result<()> {
    let jobs = core.large.take_jobs();
    if jobs.is_empty() {
        return Ok(());
    }
    core.run(&mut jobs.into_iter().map(|job| Request::Written(Box::new(job.run()))).collect())?;
    core.answer();
    Ok(())
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
    core.run(&mut vec![Request::Read(Read { log: LogId(log), ranges, rest: None, limit, reply })]).unwrap();
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
        assert!(segment.targets.iter().all(|target| {
            // That of a single large record has none, and goes as soon as it is dead.
            let target_segment = core.segments.get(target);
            core.large.is_under_way(*target)
                || target_segment
                    .is_some_and(|segment| target < id || segment.targets.is_empty() && segment.live_records == 0)
        }));
    }
    assert_eq!(live, BTreeMap::new(), "records in segments that are gone");
}
