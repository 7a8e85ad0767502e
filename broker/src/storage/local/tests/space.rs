//! What is written, how often it is synced, and how space comes back.

use std::collections::{BTreeMap, BTreeSet};

use super::super::core::Core;
use super::super::journal::LocalLog;
use super::super::record::HEAD_BYTES;
use super::super::segment::{Segment, Suspicion};
use super::super::simulated::{Chance, SimulatedDisk};
use super::{SMALL_SEGMENT, append, check_accounts, open, positions, read, remove, run, settle};
use crate::storage::conformance::{record, records};
use crate::storage::{Epoch, LogId, LogRecord, Position, QueueLog, StorageError};

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

impl CloneBytes for BTreeMap<u32, Segment> {
    fn clone_bytes(&self) -> Vec<u64> {
        self.values().map(|segment| segment.bytes).collect()
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
    for position in 1..=15 {
        run(&mut core, vec![append(30, vec![record(position, 1500)])]).unwrap();
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
