//! Broken bytes: what they cost, and that they are reported.

use super::super::core::Core;
use super::super::record::HEAD_BYTES;
use super::super::recover::Finding;
use super::super::simulated::SimulatedDisk;
use super::{SMALL_SEGMENT, append, check_accounts, open, open_log, positions, read, read_batch, run, settle};
use crate::storage::conformance::records;
use crate::storage::{LogRecord, Position, StorageError};

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
