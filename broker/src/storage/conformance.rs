//! One suite of behaviours that every engine must pass.
//!
//! An engine joins with a [`Fixture`] and one line per suite. Knows the traits only.

use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;

use super::{
    BoxFuture, Change, Entry, Epoch, Expect, LogId, LogRecord, MetadataStore, Position, QueueLog, ReadLimit, Revision,
    StorageError, Write,
};

/// An engine under test.
pub trait Fixture {
    /// Its metadata store.
    fn metadata(&self) -> Arc<dyn MetadataStore>;
    /// Its log.
    fn log(&self) -> Arc<dyn QueueLog>;
    /// Closes it in order and opens it again.
    fn restart(&mut self) -> BoxFuture<'_, ()>;
}

const LOG: LogId = LogId(7);
const EPOCH: Epoch = Epoch(3);

/// A record whose payload can be told from every other's.
pub fn record(position: u64, payload_bytes: usize) -> LogRecord {
    let mut payload = format!("payload of {position} ").into_bytes();
    payload.resize(payload_bytes, b'.');
    let mut meta = [0; 16];
    meta[..8].copy_from_slice(&position.to_le_bytes());
    LogRecord {
        position: Position(position),
        meta,
        weight: position as u32 % 1000,
        shares: 1,
        payload: Bytes::from(payload),
    }
}

/// Records at these positions.
pub fn records(positions: RangeInclusive<u64>) -> Vec<LogRecord> {
    positions.map(|position| record(position, 40)).collect()
}

/// Few enough that a read of anything longer takes several.
const READ_LIMIT: ReadLimit = ReadLimit { records: 7, bytes: 2_000_000 };

/// Opens a log and reads all of it, checking that the summary tells the truth.
pub async fn contents(log: &Arc<dyn QueueLog>, id: LogId, epoch: Epoch) -> Result<Vec<LogRecord>, StorageError> {
    let summary = log.open(id, epoch).await?;
    let mut records: Vec<LogRecord> = Vec::new();
    let mut ranges = summary.ranges.clone();
    while !ranges.is_empty() {
        let batch = log.read(id, epoch, ranges.clone(), READ_LIMIT).await?;
        assert!(!batch.records.is_empty() && batch.records.len() <= READ_LIMIT.records);
        assert_eq!(batch.lost, Vec::new());
        records.extend(batch.records);
        let Some(next) = batch.next else { break };
        ranges.retain_mut(|range| {
            *range = next.max(*range.start())..=*range.end();
            !range.is_empty()
        });
    }
    assert_eq!(summary.records, records.len() as u64);
    assert_eq!(summary.weight, records.iter().map(|record| u64::from(record.weight)).sum::<u64>());
    let positions = summary.ranges.iter().flat_map(|range| range.start().0..=range.end().0);
    assert!(positions.eq(records.iter().map(|record| record.position.0)));
    Ok(records)
}

/// A range of positions.
pub fn range(positions: RangeInclusive<u64>) -> RangeInclusive<Position> {
    Position(*positions.start())..=Position(*positions.end())
}

fn write(key: &str, value: Option<&str>, expect: Expect) -> Write {
    Write { key: key.to_owned(), value: value.map(|value| Bytes::copy_from_slice(value.as_bytes())), expect }
}

fn put(key: &str, value: &str) -> Write {
    write(key, Some(value), Expect::Any)
}

fn keys(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.key.as_str()).collect()
}

/// Every behaviour of [`MetadataStore`].
pub async fn metadata_suite(fixture: &mut impl Fixture) {
    starts_empty(fixture).await;
    writes_are_read_and_listed_in_order(fixture).await;
    expectations_guard_each_request_alone(fixture).await;
    expectations_see_earlier_writes_of_their_request(fixture).await;
    watchers_see_every_change_in_order(fixture).await;
    restart_keeps_entries_and_revisions(fixture).await;
    closed_metadata_is_unavailable(fixture).await;
}

async fn starts_empty(fixture: &impl Fixture) {
    let store = fixture.metadata();
    assert_eq!(store.get("a").await, Ok(None));
    assert_eq!(store.list("").await, Ok(Vec::new()));
    assert_eq!(store.write(Vec::new()).await, Ok(Revision(0)), "an empty write tells the revision");
    assert_eq!(store.write(vec![write("a", None, Expect::Any)]).await, Ok(Revision(0)), "nothing to delete");
}

async fn writes_are_read_and_listed_in_order(fixture: &impl Fixture) {
    let store = fixture.metadata();
    let revision = store.write(vec![put("q/b", "2"), put("q/a", "1"), put("p", ""), put("r", "x")]).await.unwrap();
    let found = store.get("q/a").await.unwrap().unwrap();
    assert_eq!((found.key.as_str(), found.value.as_ref()), ("q/a", &b"1"[..]));
    assert!(found.revision <= revision);
    assert_eq!(store.get("p").await.unwrap().unwrap().value, Bytes::new(), "an empty value is a value");
    assert_eq!(keys(&store.list("q/").await.unwrap()), ["q/a", "q/b"]);
    assert_eq!(keys(&store.list("").await.unwrap()), ["p", "q/a", "q/b", "r"]);
    let next = store.write(vec![write("q/b", None, Expect::Any)]).await.unwrap();
    assert!(next > revision);
    assert_eq!(store.get("q/b").await, Ok(None));
}

async fn expectations_guard_each_request_alone(fixture: &impl Fixture) {
    let store = fixture.metadata();
    let first = store.write(vec![write("e", Some("1"), Expect::Absent)]).await.unwrap();
    assert_eq!(store.get("e").await.unwrap().unwrap().revision, first, "one write: its revision is the answer");
    let conflict = || Err(StorageError::Conflict { key: "e".to_owned() });
    let (again, stale, other, current) = tokio::join!(
        store.write(vec![write("e", Some("2"), Expect::Absent)]),
        store.write(vec![write("e2", Some("2"), Expect::Any), write("e", Some("2"), Expect::At(Revision(u64::MAX)))]),
        store.write(vec![put("unrelated", "3")]),
        store.write(vec![write("e", Some("4"), Expect::At(first))]),
    );
    assert_eq!(again, conflict());
    assert_eq!(stale, conflict());
    assert_eq!(store.get("e2").await, Ok(None), "a refused request changes nothing");
    other.unwrap();
    let second = current.unwrap();
    assert_eq!(store.get("e").await.unwrap().unwrap().value, Bytes::from_static(b"4"));
    assert_eq!(store.write(vec![write("e", None, Expect::At(first))]).await, conflict());
    store.write(vec![write("e", None, Expect::At(second))]).await.unwrap();
    assert_eq!(store.write(vec![write("e", None, Expect::At(second))]).await, conflict());
    store.write(vec![write("e", None, Expect::Absent)]).await.unwrap();
}

async fn expectations_see_earlier_writes_of_their_request(fixture: &impl Fixture) {
    let store = fixture.metadata();
    let conflict = Err(StorageError::Conflict { key: "s".to_owned() });
    let twice = vec![write("s", Some("1"), Expect::Absent), write("s", Some("2"), Expect::Absent)];
    assert_eq!(store.write(twice).await, conflict);
    assert_eq!(store.get("s").await, Ok(None));
    let replaced = vec![
        write("s", Some("1"), Expect::Absent),
        write("s", None, Expect::Any),
        write("s", Some("2"), Expect::Absent),
    ];
    store.write(replaced).await.unwrap();
    assert_eq!(store.get("s").await.unwrap().unwrap().value, Bytes::from_static(b"2"));
}

async fn watchers_see_every_change_in_order(fixture: &impl Fixture) {
    let store = fixture.metadata();
    let before = store.write(Vec::new()).await.unwrap();
    let mut early = store.watch(before);
    let first = store.write(vec![put("w/a", "1"), put("w/b", "2")]).await.unwrap();
    let mut late = store.watch(before);
    let mut news = store.watch(first);
    let last = store.write(vec![write("w/a", None, Expect::Any)]).await.unwrap();
    for watcher in [&mut early, &mut late] {
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push(watcher.recv().await.unwrap());
        }
        let expected = [("w/a", Some(&b"1"[..])), ("w/b", Some(&b"2"[..])), ("w/a", None)];
        assert_eq!(
            seen.iter().map(|change| (change.key.as_str(), change.value.as_deref())).collect::<Vec<_>>(),
            expected
        );
        assert!(seen.is_sorted_by(|a, b| a.revision < b.revision));
        assert_eq!(seen[2].revision, last);
    }
    assert_eq!(news.recv().await, Some(Change { key: "w/a".to_owned(), value: None, revision: last }));
}

async fn restart_keeps_entries_and_revisions(fixture: &mut impl Fixture) {
    let store = fixture.metadata();
    let revision = store.write(vec![put("kept", "v"), write("q/a", None, Expect::Any)]).await.unwrap();
    let before = store.list("").await.unwrap();
    drop(store);
    fixture.restart().await;
    let store = fixture.metadata();
    assert_eq!(store.list("").await.unwrap(), before);
    assert!(store.write(vec![put("next", "")]).await.unwrap() > revision, "revisions go on growing");
}

async fn closed_metadata_is_unavailable(fixture: &mut impl Fixture) {
    let store = fixture.metadata();
    let mut watcher = store.watch(store.write(Vec::new()).await.unwrap());
    store.close().await.unwrap();
    assert!(matches!(store.get("kept").await, Err(StorageError::Unavailable(_))));
    assert!(matches!(store.write(vec![put("x", "")]).await, Err(StorageError::Unavailable(_))));
    assert_eq!(watcher.recv().await, None);
    drop(store);
    fixture.restart().await;
    assert_eq!(fixture.metadata().get("x").await, Ok(None));
}

/// Every behaviour of [`QueueLog`].
pub async fn log_suite(fixture: &mut impl Fixture) {
    records_come_back_in_order(fixture).await;
    removed_records_stay_away(fixture).await;
    an_open_ended_range_spares_later_records(fixture).await;
    logs_are_separate_and_named(fixture).await;
    deleted_log_starts_anew(fixture).await;
    older_epochs_are_fenced(fixture).await;
    positions_must_grow(fixture).await;
    positions_may_be_given_out_again_to_a_new_owner(fixture).await;
    calls_fix_the_order(fixture).await;
    payloads_of_every_size_come_back(fixture).await;
    closed_log_is_unavailable(fixture).await;
}

async fn reopen(fixture: &mut impl Fixture) -> Arc<dyn QueueLog> {
    fixture.log().sync().await.unwrap();
    fixture.restart().await;
    fixture.log()
}

async fn records_come_back_in_order(fixture: &mut impl Fixture) {
    let log = fixture.log();
    assert_eq!(contents(&log, LOG, EPOCH).await, Ok(Vec::new()), "an unknown log is empty");
    log.append(LOG, EPOCH, records(1..=3)).await.unwrap();
    log.append(LOG, EPOCH, records(10..=12)).await.unwrap();
    log.append(LOG, EPOCH, Vec::new()).await.unwrap();
    let expected: Vec<_> = records(1..=3).into_iter().chain(records(10..=12)).collect();
    assert_eq!(contents(&log, LOG, EPOCH).await.unwrap(), expected, "in the same process");
    drop(log);
    for _ in 0..2 {
        let log = reopen(fixture).await;
        assert_eq!(contents(&log, LOG, EPOCH).await.unwrap(), expected, "after a restart");
    }
}

async fn removed_records_stay_away(fixture: &mut impl Fixture) {
    let log = fixture.log();
    log.remove(LOG, EPOCH, vec![range(2..=2), range(10..=11), range(500..=600)]).unwrap();
    log.append(LOG, EPOCH, records(13..=13)).await.unwrap();
    let expected = [record(1, 40), record(3, 40), record(12, 40), record(13, 40)];
    assert_eq!(contents(&log, LOG, EPOCH).await.unwrap(), expected);
    drop(log);
    let log = reopen(fixture).await;
    assert_eq!(contents(&log, LOG, EPOCH).await.unwrap(), expected);
}

async fn an_open_ended_range_spares_later_records(fixture: &mut impl Fixture) {
    let log = fixture.log();
    let earlier = log.append(LOG, EPOCH, records(14..=15));
    log.remove(LOG, EPOCH, vec![range(0..=u64::MAX)]).unwrap();
    let later = log.append(LOG, EPOCH, records(16..=17));
    earlier.await.unwrap();
    later.await.unwrap();
    assert_eq!(contents(&log, LOG, EPOCH).await.unwrap(), records(16..=17));
    drop(log);
    let log = reopen(fixture).await;
    assert_eq!(contents(&log, LOG, EPOCH).await.unwrap(), records(16..=17));
    log.remove(LOG, EPOCH, vec![range(0..=u64::MAX)]).unwrap();
    log.append(LOG, EPOCH, records(18..=18)).await.unwrap();
    drop(log);
    let log = reopen(fixture).await;
    assert_eq!(contents(&log, LOG, EPOCH).await.unwrap(), records(18..=18));
}

async fn logs_are_separate_and_named(fixture: &mut impl Fixture) {
    let log = fixture.log();
    let (one, two, empty) = (LogId(100), LogId(u64::MAX), LogId(101));
    for id in [one, two, empty] {
        contents(&log, id, EPOCH).await.unwrap();
    }
    let (first, second) = tokio::join!(log.append(one, EPOCH, records(1..=1)), log.append(two, EPOCH, records(1..=2)));
    first.and(second).unwrap();
    log.append(empty, EPOCH, records(1..=1)).await.unwrap();
    log.remove(empty, EPOCH, vec![range(1..=1)]).unwrap();
    log.remove(one, EPOCH, vec![range(2..=2)]).unwrap();
    drop(log);
    let log = reopen(fixture).await;
    let named = log.logs().await.unwrap();
    assert!(named.contains(&one) && named.contains(&two) && !named.contains(&empty), "{named:?}");
    let (first, second) = tokio::join!(contents(&log, one, EPOCH), contents(&log, two, EPOCH));
    assert_eq!((first.unwrap(), second.unwrap()), (records(1..=1), records(1..=2)));
}

async fn deleted_log_starts_anew(fixture: &mut impl Fixture) {
    let log = fixture.log();
    let id = LogId(200);
    let before = log.append(id, EPOCH, records(5..=9));
    let deleted = log.delete(id);
    let after = log.append(id, Epoch(1), records(1..=6));
    before.await.unwrap();
    deleted.await.unwrap();
    after.await.unwrap();
    assert_eq!(contents(&log, id, Epoch(1)).await.unwrap(), records(1..=6), "positions and epochs begin anew");
    log.delete(LogId(201)).await.unwrap();
    drop(log);
    let log = reopen(fixture).await;
    assert_eq!(contents(&log, id, Epoch(1)).await.unwrap(), records(1..=6));
    log.delete(id).await.unwrap();
    assert_eq!(contents(&log, id, Epoch(1)).await.unwrap(), Vec::new());
    drop(log);
    let log = reopen(fixture).await;
    assert_eq!(contents(&log, id, Epoch(1)).await.unwrap(), Vec::new());
}

async fn older_epochs_are_fenced(fixture: &mut impl Fixture) {
    let log = fixture.log();
    let id = LogId(300);
    contents(&log, id, Epoch(5)).await.unwrap();
    log.append(id, Epoch(5), records(1..=1)).await.unwrap();
    assert_eq!(contents(&log, id, Epoch(4)).await, Err(StorageError::Fenced));
    assert_eq!(contents(&log, id, Epoch(6)).await.unwrap(), records(1..=1));
    assert_eq!(log.append(id, Epoch(5), records(2..=2)).await, Err(StorageError::Fenced));
    assert_eq!(log.remove(id, Epoch(5), vec![range(1..=1)]), Err(StorageError::Fenced));
    log.append(id, Epoch(6), records(2..=2)).await.unwrap();
    assert_eq!(contents(&log, id, Epoch(6)).await.unwrap(), records(1..=2), "fenced calls changed nothing");
}

async fn positions_must_grow(fixture: &mut impl Fixture) {
    let log = fixture.log();
    let id = LogId(400);
    log.append(id, EPOCH, records(5..=6)).await.unwrap();
    log.remove(id, EPOCH, vec![range(5..=6)]).unwrap();
    for wrong in [records(6..=8), vec![record(9, 40), record(8, 40)]] {
        assert!(matches!(log.append(id, EPOCH, wrong).await, Err(StorageError::Unavailable(_))));
    }
    log.append(id, EPOCH, records(7..=7)).await.unwrap();
    assert_eq!(contents(&log, id, EPOCH).await.unwrap(), records(7..=7));
}

/// An owner that knows only the live records goes on behind the last of them.
async fn positions_may_be_given_out_again_to_a_new_owner(fixture: &mut impl Fixture) {
    let log = fixture.log();
    let id = LogId(450);
    log.append(id, EPOCH, records(1..=9)).await.unwrap();
    log.remove(id, EPOCH, vec![range(4..=6), range(8..=9)]).unwrap();
    drop(log);
    let log = reopen(fixture).await;
    let expected: Vec<_> = [1, 2, 3, 7].map(|position| record(position, 40)).into();
    assert_eq!(contents(&log, id, EPOCH).await.unwrap(), expected);
    let again: Vec<_> = (8..=12).map(|position| record(position, 99)).collect();
    log.append(id, EPOCH, again.clone()).await.unwrap();
    let expected = [expected, again].concat();
    assert_eq!(contents(&log, id, EPOCH).await.unwrap(), expected);
    log.remove(id, EPOCH, vec![range(7..=12)]).unwrap();
    assert_eq!(contents(&log, id, EPOCH).await.unwrap(), expected[..3], "opened by another owner");
    log.append(id, EPOCH, records(4..=4)).await.unwrap();
    drop(log);
    let log = reopen(fixture).await;
    assert_eq!(contents(&log, id, EPOCH).await.unwrap(), records(1..=4));
}

async fn calls_fix_the_order(fixture: &mut impl Fixture) {
    let log = fixture.log();
    let id = LogId(500);
    let second_first: Vec<_> = (1..=50).map(|position| log.append(id, EPOCH, records(position..=position))).collect();
    for appended in second_first.into_iter().rev() {
        appended.await.unwrap();
    }
    drop(log.append(id, EPOCH, records(51..=51)));
    assert_eq!(contents(&log, id, EPOCH).await.unwrap(), records(1..=51), "a dropped future undoes nothing");
}

async fn payloads_of_every_size_come_back(fixture: &mut impl Fixture) {
    let log = fixture.log();
    let id = LogId(600);
    let sizes = [0, 1, 7, 8, 9, 1000, 131_071, 131_072, 131_073, 600_000, 3_000_001, 17_000_000];
    let all: Vec<_> = (0u64..).zip(sizes).map(|(position, size)| record(position, size)).collect();
    log.append(id, EPOCH, all.clone()).await.unwrap();
    assert!(contents(&log, id, EPOCH).await.unwrap() == all, "in the same process");
    drop(log);
    let log = reopen(fixture).await;
    assert!(contents(&log, id, EPOCH).await.unwrap() == all, "after a restart");
    log.delete(id).await.unwrap();
}

async fn closed_log_is_unavailable(fixture: &mut impl Fixture) {
    let log = fixture.log();
    let id = LogId(700);
    let last = log.append(id, EPOCH, records(1..=2));
    log.remove(id, EPOCH, vec![range(1..=1)]).unwrap();
    log.close().await.unwrap();
    last.await.unwrap();
    assert!(matches!(contents(&log, id, EPOCH).await, Err(StorageError::Unavailable(_))));
    assert!(matches!(log.append(id, EPOCH, records(3..=3)).await, Err(StorageError::Unavailable(_))));
    assert!(matches!(log.remove(id, EPOCH, vec![range(2..=2)]), Err(StorageError::Unavailable(_))));
    drop(log);
    fixture.restart().await;
    assert_eq!(
        contents(&fixture.log(), id, EPOCH).await.unwrap(),
        records(2..=2),
        "closing finishes what was handed over"
    );
}
