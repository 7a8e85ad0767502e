//! A disk that runs full: appends wait, nothing is refused and nothing is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::sync::oneshot::{self, Receiver};

use super::super::core::Core;
use super::super::journal::LocalLog;
use super::super::patient::{PatientDisk, Wait};
use super::super::request::{Read, Request};
use super::super::simulated::{Chance, SimulatedDisk};
use super::{SMALL_SEGMENT, check_accounts, open, positions, read, remove, run, settle};
use crate::storage::conformance::{range, record};
use crate::storage::{Epoch, LogHealth, LogId, QueueLog, ReadLimit, StorageError};

/// Histories per test run; each fails with its number, which replays it.
const SEEDS: u64 = 60;

type Confirm = Receiver<Result<(), StorageError>>;

fn append_one(core: &mut Core, log: u64, position: u64) -> std::io::Result<Confirm> {
    let (reply, confirm) = oneshot::channel();
    run(core, vec![Request::Append(LogId(log), vec![record(position, 400)], reply)])?;
    Ok(confirm)
}

fn is_confirmed(confirm: &mut Confirm) -> bool {
    matches!(confirm.try_recv(), Ok(Ok(())))
}

#[test]
fn appends_wait_for_the_room_that_removes_make() {
    let disk = SimulatedDisk::default();
    let (mut core, _) = open(&disk);
    let health = core.space.health().subscribe();
    disk.limit(8 * SMALL_SEGMENT);
    let mut last = 0;
    let mut waiting = loop {
        last += 1;
        let mut confirm = append_one(&mut core, 1, last).unwrap();
        if !is_confirmed(&mut confirm) {
            break vec![confirm];
        }
        assert!(last < 1000, "the disk never ran full");
    };
    assert!(matches!(&*health.borrow(), LogHealth::DiskFull(why) if why.contains("reserve")), "{health:?}");
    assert!(disk.used() <= 6 * SMALL_SEGMENT + 2000, "the reserve was not touched: {}", disk.used());
    waiting.push(append_one(&mut core, 1, last + 1).unwrap());
    // Another log waits as well, and what was written is read meanwhile.
    waiting.push(append_one(&mut core, 2, 1).unwrap());
    let (reply, mut answer) = oneshot::channel();
    let limit = ReadLimit { records: usize::MAX, bytes: usize::MAX };
    let ranges = vec![range(last - 3..=last - 2), range(last - 1..=u64::MAX)];
    run(&mut core, vec![Request::Read(Read { log: LogId(1), ranges, rest: None, limit, reply })]).unwrap();
    core.take_reads().into_iter().for_each(|job| job.run().answer());
    let batch = answer.try_recv().unwrap().unwrap();
    assert_eq!((batch.records.len(), batch.next.map(|next| next.0)), (3, Some(last)), "the rest is not there yet");
    let (reply, mut answer) = oneshot::channel();
    let ranges = vec![range(last..=u64::MAX)];
    run(&mut core, vec![Request::Read(Read { log: LogId(1), ranges, rest: None, limit, reply })]).unwrap();
    // What waits is read from where it waits: whoever reads it may be who makes room.
    let batch = answer.try_recv().unwrap().unwrap();
    assert_eq!((batch.records, batch.next), (vec![record(last, 400), record(last + 1, 400)], None));
    waiting.push(append_one(&mut core, 1, last + 2).unwrap());
    run(&mut core, vec![remove(1, last + 2, u64::MAX)]).unwrap();
    let (reply, mut answer) = oneshot::channel();
    let (ranges, limit) = (vec![range(last..=u64::MAX)], ReadLimit { records: 1, ..limit });
    run(&mut core, vec![Request::Read(Read { log: LogId(1), ranges, rest: None, limit, reply })]).unwrap();
    let batch = answer.try_recv().unwrap().unwrap();
    assert_eq!((batch.records, batch.next), (vec![record(last, 400)], Some(crate::storage::Position(last + 1))));
    // A consumer makes room; an open-ended range spares what was handed over later.
    run(&mut core, vec![remove(1, 1, last - 1)]).unwrap();
    for _ in 0..100 {
        run(&mut core, Vec::new()).unwrap();
    }
    assert!(waiting.iter_mut().all(is_confirmed));
    assert_eq!(*health.borrow(), LogHealth::Well);
    settle(&mut core);
    check_accounts(&core);
    drop(core);
    let (mut core, _) = open(&disk.crash(&mut Chance::new(1)));
    assert_eq!((positions(&core, 1), positions(&core, 2)), (vec![last, last + 1], vec![1]));
    assert_eq!(read(&mut core, 2), vec![record(1, 400)]);
}

#[test]
fn a_log_is_deleted_and_the_journal_closed_while_appends_wait() {
    let disk = SimulatedDisk::default();
    let (mut core, _) = open(&disk);
    let mut first = append_one(&mut core, 1, 1).unwrap();
    assert!(is_confirmed(&mut first));
    disk.limit(disk.used());
    // Enough to look at the disk again.
    append_one(&mut core, 9, 1).unwrap();
    append_one(&mut core, 9, 2).unwrap();
    let mut confirms: Vec<Confirm> = (1..=3).map(|log| append_one(&mut core, log, 9).unwrap()).collect();
    let (reply, mut deleted) = oneshot::channel();
    run(&mut core, vec![Request::Delete(LogId(2), reply)]).unwrap();
    assert!(matches!(deleted.try_recv(), Ok(Ok(()))));
    assert!(matches!(confirms[1].try_recv(), Ok(Err(StorageError::Unavailable(_)))));
    let (reply, _closed) = oneshot::channel();
    run(&mut core, vec![Request::Close(reply)]).unwrap();
    assert!(matches!(confirms[0].try_recv(), Ok(Err(StorageError::Unavailable(_)))));
    assert!(matches!(confirms[2].try_recv(), Ok(Err(StorageError::Unavailable(_)))));
    assert_eq!(positions(&core, 1), [1]);
}

#[test]
fn a_write_without_room_is_done_again_when_there_is_some() {
    for patient in [true, false] {
        let disk = SimulatedDisk::default();
        let asked = Arc::new(AtomicU64::new(0));
        let (room, count) = (disk.clone(), Arc::clone(&asked));
        let patience = Arc::new(move |wait| {
            if wait == Wait::Ends {
                return true;
            }
            if count.fetch_add(1, Relaxed) == 3 {
                room.limit(1 << 30);
            }
            patient
        });
        let patient_disk = PatientDisk::new(Box::new(disk.clone()), patience);
        let (mut core, _) = Core::open(Box::new(patient_disk), SMALL_SEGMENT).unwrap();
        let mut first = append_one(&mut core, 1, 1).unwrap();
        assert!(is_confirmed(&mut first));
        // Others filled the disk since it was looked at.
        disk.limit(disk.used() + 700);
        let long = vec![record(2, 20_000)];
        let (reply, mut confirm) = oneshot::channel();
        let result = run(&mut core, vec![Request::Append(LogId(1), long, reply)]);
        assert_eq!((result.is_ok(), is_confirmed(&mut confirm)), (patient, patient));
        assert_eq!(asked.load(Relaxed), if patient { 4 } else { 1 });
        drop(core);
        let (mut core, _) = open(&disk.crash(&mut Chance::new(3)));
        let expected = if patient { vec![record(1, 400), record(2, 20_000)] } else { vec![record(1, 400)] };
        assert_eq!(read(&mut core, 1), expected);
    }
}

#[tokio::test]
async fn a_large_record_without_room_holds_up_nobody_else() {
    const MIB: usize = 1 << 20;
    let disk = SimulatedDisk::default();
    let (log, _) = LocalLog::open(Box::new(disk.clone()), None).unwrap();
    let epoch = Epoch(1);
    log.append(LogId(1), epoch, vec![record(1, 40)]).await.unwrap();
    // More than the reserve and a segment is free, but less than the record takes.
    disk.limit(disk.used() + 50 * MIB as u64);
    let mut health = log.health();
    let large = log.append(LogId(1), epoch, vec![record(2, 52 * MIB)]);
    health.wait_for(|health| matches!(health, LogHealth::DiskFull(_))).await.unwrap();
    for position in 1..=500 {
        log.append(LogId(2), epoch, vec![record(position, 40)]).await.unwrap();
    }
    disk.limit(1 << 30);
    large.await.unwrap();
    log.close().await.unwrap();
}

/// Publishers and a consumer on a small disk, with crashes: what was confirmed is there.
#[test]
fn seeded_histories_on_a_small_disk_lose_nothing() {
    let mut waited = 0;
    for seed in 1..=SEEDS {
        let mut chance = Chance::new(seed);
        let mut disk = SimulatedDisk::default();
        let (mut confirmed, mut next, mut first) = (Vec::new(), 1u64, 1u64);
        for round in 0..4 {
            disk.limit((6 + chance.below(6)) * SMALL_SEGMENT);
            let (mut core, _) = open(&disk);
            let there = positions(&core, 1);
            assert!(confirmed.iter().all(|position| there.contains(position)), "seed {seed} round {round}");
            next = there.last().map_or(next, |last| last + 1);
            let mut waiting: Vec<(u64, Confirm)> = Vec::new();
            for _ in 0..120 {
                if waiting.len() < 5 && !chance.one_in(4) {
                    waiting.push((next, append_one(&mut core, 1, next).unwrap()));
                    next += 1;
                }
                waiting.retain_mut(|(position, confirm)| {
                    let done = is_confirmed(confirm);
                    if done {
                        confirmed.push(*position);
                    }
                    !done
                });
                waited += waiting.len();
                if chance.one_in(3) && confirmed.len() > 20 {
                    let last = confirmed[confirmed.len() / 2];
                    run(&mut core, vec![remove(1, first, last)]).unwrap();
                    first = last + 1;
                    confirmed.retain(|position| *position > last);
                }
                run(&mut core, Vec::new()).unwrap();
            }
            drop(core);
            disk = disk.crash(&mut chance);
        }
    }
    assert!(waited > 0, "no disk ran full");
}

#[test]
fn the_disk_is_full_as_long_as_a_write_waits_for_room() {
    let (mut core, _) = open(&SimulatedDisk::default());
    let (health, waiting) = (core.space.health(), core.space.writes_waiting());
    health.send_replace(LogHealth::DiskFull("a large message".to_owned()));
    waiting.fetch_add(1, Relaxed);
    let mut confirm = append_one(&mut core, 1, 1).unwrap();
    assert!(is_confirmed(&mut confirm), "there is room for what is small");
    assert!(matches!(&*health.borrow(), LogHealth::DiskFull(_)));
    waiting.fetch_sub(1, Relaxed);
    append_one(&mut core, 1, 2).unwrap();
    assert_eq!(*health.borrow(), LogHealth::Well);
}
