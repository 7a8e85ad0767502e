//! Large records beside the others: what waits for them, and what does not.

use tokio::sync::oneshot;

use super::super::core::Core;
use super::super::record::HEAD_BYTES;
use super::super::recover::Finding;
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
fn a_large_record_that_was_removed_does_not_come_back_whole_after_a_crash() {
    for delete in [false, true] {
        let disk = SimulatedDisk::default();
        let (mut core, _) = open(&disk);
        run(&mut core, vec![append(2, vec![record(1, 40)])]).unwrap();
        let (long, _confirm) = append_of(1, vec![record(1, LONG)]);
        group(&mut core, vec![long]);
        let (removed, mut synced) = oneshot::channel();
        let removal = if delete { Request::Delete(LogId(1), removed) } else { remove(1, 1, 1) };
        group(&mut core, vec![removal]);
        // Enough for the remove record to be written anew with what is around it.
        for position in 2..=200 {
            group(&mut core, vec![append_of(2, vec![record(position, 400)]).0]);
            group(&mut core, vec![remove(2, position, position)]);
            core.work().unwrap();
        }
        while core.has_work() {
            core.work().unwrap();
        }
        check_accounts(&core);
        assert!(core.segments.len() < 10, "space came back meanwhile");
        assert!(!delete || matches!(synced.try_recv(), Ok(Ok(()))));
        // It is written, and nobody heard of it before the crash.
        core.large.take_jobs().into_iter().for_each(|job| drop(job.run()));
        drop(core);
        for seed in 1..20 {
            let crashed = disk.crash(&mut Chance::new(seed));
            let (mut core, findings) = open(&crashed);
            assert_eq!((findings, read(&mut core, 1)), (vec![], vec![]), "{delete} {seed}");
            check_accounts(&core);
            settle(&mut core);
            assert_eq!(positions(&core, 2), [1]);
            drop(core);
            let (mut core, _) = open(&crashed);
            assert_eq!(read(&mut core, 1), vec![], "{delete} {seed}");
        }
    }
}

#[test]
fn a_large_record_cut_short_by_a_crash_leaves_nothing_or_all() {
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
            assert_eq!(findings, vec![], "{calls} {seed}");
            let left = read(&mut core, 1);
            // A whole body may stay although its table is not there yet.
            let whole = vec![record(1, 40), record(2, LONG)];
            assert!(left == whole[..1] || calls > 5 && left == whole, "{calls} {seed}");
            let position = left.len() as u64 + 1;
            run(&mut core, vec![append(1, vec![record(position, LONG)])]).unwrap();
            settle(&mut core);
            check_accounts(&core);
            assert_eq!(positions(&core, 1), (1..=position).collect::<Vec<_>>());
            drop(core);
            let (mut core, findings) = open(&crashed);
            assert_eq!((findings, read(&mut core, 1).len()), (vec![], position as usize));
        }
    }
}

/// A journal whose only segment holds a confirmed large record, and where its table begins.
fn one_large() -> (Vec<(u32, Vec<u8>)>, usize) {
    let disk = SimulatedDisk::default();
    let (mut core, _) = open(&disk);
    run(&mut core, vec![append(1, vec![record(1, LONG)])]).unwrap();
    let files = disk.files();
    assert_eq!(files.len(), 1);
    (files, core.segments[&1].bytes as usize)
}

#[test]
fn a_confirmed_large_record_does_not_go_with_its_table() {
    let (whole, table) = one_large();
    for at in table..whole[0].1.len() {
        let mut damaged = whole.clone();
        damaged[0].1[at] ^= 1 << (at % 8);
        let disk = SimulatedDisk::with_files(damaged);
        let (mut core, findings) = open(&disk);
        assert_eq!((findings, read(&mut core, 1)), (vec![], vec![record(1, LONG)]), "byte {at}");
        settle(&mut core);
        check_accounts(&core);
        drop(core);
        let (mut core, findings) = open(&disk);
        assert_eq!((findings, read(&mut core, 1)), (vec![], vec![record(1, LONG)]), "byte {at}, written anew");
    }
    let disk = SimulatedDisk::with_files(whole);
    disk.make_unreadable(1, table as u64);
    let (core, _) = open(&disk);
    assert_eq!(disk.files().len(), 1, "nothing is deleted because it cannot be read now");
    assert_eq!(disk.kept(), [1]);
    drop(core);
}

#[test]
fn a_large_record_that_is_damaged_with_its_table_is_reported() {
    let (whole, table) = one_large();
    for at in [HEAD_BYTES, HEAD_BYTES + 4, HEAD_BYTES + 4000] {
        let mut damaged = whole.clone();
        damaged[0].1[table + 1] ^= 4;
        damaged[0].1[at] ^= 4;
        let disk = SimulatedDisk::with_files(damaged);
        let (core, findings) = open(&disk);
        assert!(matches!(findings[..], [Finding::Damage { segment: 1, .. }]), "byte {at}: {findings:?}");
        assert_eq!((positions(&core, 1), disk.kept()), (vec![], vec![1]), "byte {at}");
    }
}

#[test]
fn a_large_record_that_was_only_begun_does_not_pass_for_the_newest_segment() {
    let disk = SimulatedDisk::default();
    let (mut core, _) = open(&disk);
    run(&mut core, vec![append(1, vec![record(1, 40)])]).unwrap();
    let (long, _confirm) = append_of(2, vec![record(1, LONG)]);
    group(&mut core, vec![long]);
    for position in 2..=60 {
        group(&mut core, vec![append_of(1, vec![record(position, 40)]).0]);
    }
    let newest = *core.segments.keys().next_back().unwrap();
    assert!(newest > 2 && !core.segments.contains_key(&2), "the large record has an older number");
    drop(core);
    let mut files = disk.files();
    files.push((2, Vec::new()));
    // Whatever else is wrong with an older segment is still damage.
    let older = files.iter_mut().find(|(id, _)| *id == 1).unwrap();
    let end = older.1.len() - 1;
    older.1.truncate(end);
    let disk = SimulatedDisk::with_files(files);
    let (mut core, findings) = open(&disk);
    assert!(matches!(findings[..], [Finding::Damage { segment: 1, .. }]), "{findings:?}");
    assert_eq!(read(&mut core, 1).len(), 60);
    run(&mut core, vec![append(1, vec![record(61, 40)])]).unwrap();
    let place = core.logs[&1].get(61).unwrap();
    assert!(place.segment() >= newest, "the newest segment is appended to");
}
