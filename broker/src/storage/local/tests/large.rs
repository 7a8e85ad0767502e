//! Large records beside the others: what waits for them, and what does not.

use tokio::sync::oneshot;

use super::super::core::Core;
use super::super::request::{Read, Request};
use super::super::simulated::{Chance, SimulatedDisk};
use super::{append, check_accounts, open, positions, read, remove, run, settle, write_large};
use crate::storage::conformance::{range, record};
use crate::storage::{LogId, LogRecord, ReadLimit};

const LONG: usize = 5000;

/// A group, without what is written beside it.
fn group(core: &mut Core, mut requests: Vec<Request>) {
    core.run(&mut requests).unwrap();
    core.answer();
}

fn append_of(
    log: u64,
    records: Vec<LogRecord>,
) -> (Request, oneshot::Receiver<Result<(), crate::storage::StorageError>>) {
    let (reply, confirm) = oneshot::channel();
    (Request::Append(LogId(log), records, reply), confirm)
}

#[test]
fn others_are_confirmed_while_a_large_record_is_written() {
    let disk = SimulatedDisk::default();
    let (mut core, _) = open(&disk);
    let (long, mut long_confirm) = append_of(1, vec![record(1, 40), record(2, LONG), record(3, 40)]);
    group(&mut core, vec![long]);
    let (other, mut other_confirm) = append_of(2, vec![record(1, 40)]);
    let (later, mut later_confirm) = append_of(1, vec![record(4, 40)]);
    let (synced, mut sync) = oneshot::channel();
    let (reply, mut answer) = oneshot::channel();
    let limit = ReadLimit { records: usize::MAX, bytes: usize::MAX };
    let ranges = vec![range(1..=9)];
    let reading = Request::Read(Read { log: LogId(1), ranges, rest: None, limit, reply });
    group(&mut core, vec![other, later, reading, Request::Sync(synced)]);
    assert!(matches!(other_confirm.try_recv(), Ok(Ok(()))) && matches!(later_confirm.try_recv(), Ok(Ok(()))));
    assert!(long_confirm.try_recv().is_err() && sync.try_recv().is_err());
    assert_eq!(core.take_reads().len(), 0, "the read waits");
    write_large(&mut core).unwrap();
    assert!(matches!(long_confirm.try_recv(), Ok(Ok(()))) && matches!(sync.try_recv(), Ok(Ok(()))));
    core.take_reads().into_iter().for_each(|job| job.run().answer());
    let records = vec![record(1, 40), record(2, LONG), record(3, 40), record(4, 40)];
    assert_eq!(answer.try_recv().unwrap().unwrap().records, records);
    check_accounts(&core);
    for crashed in [disk.clone(), disk.crash(&mut Chance::new(7))] {
        let (mut core, findings) = open(&crashed);
        assert_eq!((findings, read(&mut core, 1)), (vec![], records.clone()));
        check_accounts(&core);
    }
}

#[test]
fn a_large_record_that_is_removed_while_it_is_written_is_dropped() {
    for delete in [false, true] {
        let disk = SimulatedDisk::default();
        let (mut core, _) = open(&disk);
        let (long, mut confirm) = append_of(1, vec![record(1, LONG)]);
        group(&mut core, vec![long]);
        let removal = if delete { Request::Delete(LogId(1), oneshot::channel().0) } else { remove(1, 1, 1) };
        group(&mut core, vec![removal]);
        write_large(&mut core).unwrap();
        assert!(matches!(confirm.try_recv(), Ok(Ok(()))));
        settle(&mut core);
        assert_eq!(positions(&core, 1), [] as [u64; 0]);
        drop(core);
        let (mut core, findings) = open(&disk);
        assert_eq!((findings, read(&mut core, 1)), (vec![], vec![]));
    }
}

#[test]
fn a_large_record_cut_short_by_a_crash_leaves_nothing() {
    for calls in 0..8 {
        let disk = SimulatedDisk::default();
        let (mut core, _) = open(&disk);
        run(&mut core, vec![append(1, vec![record(1, 40)])]).unwrap();
        let (long, mut confirm) = append_of(1, vec![record(2, LONG)]);
        group(&mut core, vec![long]);
        disk.fail_after(calls);
        assert!(write_large(&mut core).is_err(), "{calls}");
        assert!(!matches!(confirm.try_recv(), Ok(Ok(()))));
        drop(core);
        for seed in 1..20 {
            let crashed = disk.crash(&mut Chance::new(seed));
            let (mut core, findings) = open(&crashed);
            assert_eq!((findings, read(&mut core, 1)), (vec![], vec![record(1, 40)]), "{calls} {seed}");
            run(&mut core, vec![append(1, vec![record(2, LONG)])]).unwrap();
            assert_eq!(positions(&core, 1), [1, 2]);
            drop(core);
            let (mut core, findings) = open(&crashed);
            assert_eq!((findings, read(&mut core, 1).len()), (vec![], 2));
        }
    }
}
