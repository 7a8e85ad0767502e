//! The log of changes in front of the metadata database: what makes one change durable
//! with one write and one sync.
//!
//! Owns the bytes of `metadata.changes`, a file of fixed size that is written from its
//! start again whenever the database itself has become durable. Knows keys, values and
//! revisions; knows nothing of the database.
//!
//! ```text
//! file:    | record | record | … | older records, zeros |
//! record, a multiple of 8 bytes:
//!   0  crc32c u32, of all that follows    4  bytes of the body u32
//!   8  first revision u64                16  changes u32    20 zero u32
//!  24  body: per change | key bytes u32 | value bytes u32, or DELETED | key | value |
//! ```
//!
//! Each change has the revision after the one before it, in a record and across records.
//! So reading goes on as long as records are whole and follow the revision that the
//! database has; what an earlier round left behind has smaller revisions and ends it. A
//! record is synced before the next one is written, so only the last can be torn.

use std::io::{Error, Result};

use bytes::Bytes;

use super::disk::DiskFile;
use crate::storage::{Change, Revision, StorageError};

/// Length of the file in bytes; what does not fit makes the database durable instead.
pub const CHANGE_LOG_BYTES: u64 = 1 << 20;

const HEADER_BYTES: usize = 24;
const CHANGE_HEADER_BYTES: usize = 8;
const ALIGN: usize = 8;
const CHECKED_FROM: usize = 4;
/// Stands for the length of a value that is not there.
const DELETED: u32 = u32::MAX;

/// The log, open for appending.
#[derive(Debug)]
pub struct ChangeLog {
    file: Box<dyn DiskFile>,
    /// Where the next record goes.
    end: u64,
    buffer: Vec<u8>,
}

/// What became of an append.
#[derive(Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is durable.
    Durable,
    /// It does not fit; nothing was written.
    NoRoom,
}

impl ChangeLog {
    /// Takes a file for appending from its start: whatever is in it must be durable
    /// elsewhere. A file that is short is filled up with zeros first, so that no later sync
    /// has to record new space.
    ///
    /// # Errors
    /// The system's.
    pub fn start(file: Box<dyn DiskFile>) -> Result<Self> {
        let bytes = file.bytes()?;
        if bytes < CHANGE_LOG_BYTES {
            let missing = usize::try_from(CHANGE_LOG_BYTES - bytes).map_err(Error::other)?;
            file.write(&vec![0; missing], bytes)?;
            file.sync()?;
        }
        Ok(Self { file, end: 0, buffer: Vec::new() })
    }

    /// Writes changes that follow each other and all before them, and syncs. After an error the
    /// log must not be used again.
    ///
    /// # Errors
    /// The system's; the changes may be durable or not.
    pub fn append(&mut self, changes: &[Change]) -> Result<Appended> {
        let Some(first) = changes.first() else { return Ok(Appended::Durable) };
        self.buffer.clear();
        if !encode(&mut self.buffer, first.revision, changes) {
            return Ok(Appended::NoRoom);
        }
        let end = self.end + self.buffer.len() as u64;
        if end > CHANGE_LOG_BYTES {
            return Ok(Appended::NoRoom);
        }
        self.file.write(&self.buffer, self.end)?;
        self.file.sync()?;
        self.end = end;
        Ok(Appended::Durable)
    }

    /// Starts over: everything in the log is durable elsewhere.
    pub fn rewind(&mut self) {
        self.end = 0;
        self.buffer = Vec::new();
    }
}

/// Changes in a log that come after `after`, which must be where the database is.
///
/// # Errors
/// `Unavailable` when the file cannot be read; `Damaged` when a record is broken that was
/// followed by others, so that it had been synced.
pub fn read(file: &dyn DiskFile, after: Revision) -> std::result::Result<Vec<Change>, StorageError> {
    let unreadable = |error: Error| StorageError::Unavailable(format!("cannot read the log of changes: {error}"));
    let bytes = file.bytes().map_err(unreadable)?.min(CHANGE_LOG_BYTES);
    let mut log = vec![0; usize::try_from(bytes).unwrap_or_default()];
    file.read(&mut log, 0).map_err(unreadable)?;
    let mut changes = Vec::new();
    let mut at = 0;
    // The first record may begin anywhere up to the change that is due.
    let mut expected: Option<u64> = None;
    while let Some(record) = Record::decode(&log[at..]) {
        let follows = match expected {
            Some(expected) => record.first == expected,
            None => record.first <= after.0 + 1,
        };
        if !follows {
            break;
        }
        expected = Some(record.first + record.changes.len() as u64);
        changes.extend(record.changes.into_iter().filter(|change| change.revision > after));
        at += record.bytes;
    }
    let due = expected.unwrap_or_default().max(after.0 + 1);
    let later = (at..log.len()).step_by(ALIGN).find(|&place| begins_later(&log[place..], due));
    match later {
        Some(place) => Err(StorageError::Damaged(format!(
            "the log of changes is broken at byte {at}: change {due} is missing, and later ones follow at byte {place}"
        ))),
        None => Ok(changes),
    }
}

/// Whether a whole record begins here whose changes come behind one that is missing.
fn begins_later(log: &[u8], due: u64) -> bool {
    number(log, 8).is_some_and(|first| first > due) && Record::decode(log).is_some()
}

/// Appends a record to `buffer`; `false` when something is longer than a record can say.
fn encode(buffer: &mut Vec<u8>, first: Revision, changes: &[Change]) -> bool {
    buffer.extend_from_slice(&[0; HEADER_BYTES]);
    for change in changes {
        let value = change.value.as_deref();
        let (Ok(key_bytes), Ok(value_bytes)) =
            (u32::try_from(change.key.len()), u32::try_from(value.unwrap_or_default().len()))
        else {
            return false;
        };
        buffer.extend_from_slice(&key_bytes.to_le_bytes());
        buffer.extend_from_slice(&value.map_or(DELETED, |_| value_bytes).to_le_bytes());
        buffer.extend_from_slice(change.key.as_bytes());
        buffer.extend_from_slice(value.unwrap_or_default());
    }
    let (Ok(body_bytes), Ok(count)) = (u32::try_from(buffer.len() - HEADER_BYTES), u32::try_from(changes.len())) else {
        return false;
    };
    buffer.resize(buffer.len().next_multiple_of(ALIGN), 0);
    buffer[4..8].copy_from_slice(&body_bytes.to_le_bytes());
    buffer[8..16].copy_from_slice(&first.0.to_le_bytes());
    buffer[16..20].copy_from_slice(&count.to_le_bytes());
    let check = crc32c::crc32c(&buffer[CHECKED_FROM..]);
    buffer[..CHECKED_FROM].copy_from_slice(&check.to_le_bytes());
    true
}

/// A record that was read.
struct Record {
    first: u64,
    changes: Vec<Change>,
    /// Its length.
    bytes: usize,
}

impl Record {
    /// The record that begins here, if a whole one does.
    fn decode(log: &[u8]) -> Option<Self> {
        let body_bytes = half(log, 4)? as usize;
        let (first, count) = (number(log, 8)?, half(log, 16)?);
        let bytes = HEADER_BYTES.checked_add(body_bytes)?.checked_next_multiple_of(ALIGN)?;
        let checked = log.get(CHECKED_FROM..bytes)?;
        if count == 0 || half(log, 0)? != crc32c::crc32c(checked) {
            return None;
        }
        let mut body = log.get(HEADER_BYTES..HEADER_BYTES + body_bytes)?;
        let mut changes = Vec::new();
        for revision in (first..).take(count as usize) {
            let (key_bytes, value_bytes) = (half(body, 0)? as usize, half(body, 4)?);
            let (key, rest) = body.get(CHANGE_HEADER_BYTES..)?.split_at_checked(key_bytes)?;
            let (value, rest) = match value_bytes {
                DELETED => (None, rest),
                bytes => {
                    let (value, rest) = rest.split_at_checked(bytes as usize)?;
                    (Some(Bytes::copy_from_slice(value)), rest)
                }
            };
            let key = std::str::from_utf8(key).ok()?.to_owned();
            changes.push(Change { key, value, revision: Revision(revision) });
            body = rest;
        }
        Some(Self { first, changes, bytes })
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::super::disk::Disk;
    use super::super::simulated::{Chance, SimulatedDisk};
    use super::*;

    const FILE: u32 = 1;

    fn change(revision: u64, value_bytes: usize) -> Change {
        let value = (!revision.is_multiple_of(5)).then(|| Bytes::from(vec![revision as u8; value_bytes]));
        Change { key: format!("queue//q{revision}"), value, revision: Revision(revision) }
    }

    fn new_log() -> (SimulatedDisk, ChangeLog) {
        let disk = SimulatedDisk::default();
        let log = ChangeLog::start(disk.create(FILE).unwrap()).unwrap();
        disk.sync_directory().unwrap();
        (disk, log)
    }

    fn contents(disk: &SimulatedDisk, after: u64) -> std::result::Result<Vec<Change>, StorageError> {
        read(&*disk.open(FILE).unwrap(), Revision(after))
    }

    #[test]
    fn what_was_appended_is_read_from_where_the_database_is() {
        let (disk, mut log) = new_log();
        let changes: Vec<_> = (1..=9).map(|revision| change(revision, 30)).collect();
        for group in changes.chunks(2) {
            assert_eq!(log.append(group).unwrap(), Appended::Durable);
        }
        for after in 0..=9 {
            assert_eq!(contents(&disk, after).unwrap(), changes[after as usize..]);
        }
        assert_eq!(log.append(&[]).unwrap(), Appended::Durable);
    }

    #[test]
    fn what_an_earlier_round_left_is_not_read() {
        let (disk, mut log) = new_log();
        for revision in 1..=9 {
            log.append(&[change(revision, 30)]).unwrap();
        }
        log.rewind();
        assert_eq!(contents(&disk, 9).unwrap(), []);
        for revision in 10..=12 {
            log.append(&[change(revision, 30)]).unwrap();
            let expected: Vec<_> = (10..=revision).map(|revision| change(revision, 30)).collect();
            assert_eq!(contents(&disk, 9).unwrap(), expected);
        }
    }

    #[test]
    fn what_does_not_fit_is_not_written() {
        let (disk, mut log) = new_log();
        assert_eq!(log.append(&[change(1, CHANGE_LOG_BYTES as usize)]).unwrap(), Appended::NoRoom);
        let mut revision = 1;
        while log.append(&[change(revision, 100_000)]).unwrap() == Appended::Durable {
            revision += 1;
        }
        assert_eq!(contents(&disk, 0).unwrap().len() as u64, revision - 1);
        log.rewind();
        assert_eq!(log.append(&[change(revision, 100_000)]).unwrap(), Appended::Durable);
        assert_eq!(disk.used(), CHANGE_LOG_BYTES);
    }

    #[test]
    fn a_crash_leaves_all_that_was_synced_and_at_most_what_was_under_way() {
        for seed in 0..300 {
            let mut chance = Chance::new(seed);
            let (disk, mut log) = new_log();
            let mut durable = 0;
            let mut base = 0;
            disk.fail_after(chance.below(60));
            loop {
                let count = chance.below(3) + 1;
                let bytes = chance.below(2000) as usize;
                let group: Vec<_> = (durable + 1..=durable + count).map(|revision| change(revision, bytes)).collect();
                match log.append(&group) {
                    Ok(Appended::Durable) => durable += count,
                    Ok(Appended::NoRoom) => unreachable!("so few fit"),
                    Err(_) => {
                        let found = contents(&disk.crash(&mut chance), base).unwrap();
                        let last = found.last().map_or(base, |change| change.revision.0);
                        assert!(last == durable || last == durable + count, "seed {seed}");
                        let revisions = found.iter().map(|change| change.revision.0);
                        assert!(revisions.eq(base + 1..=last), "seed {seed}");
                        break;
                    }
                }
                if chance.one_in(10) {
                    base = durable;
                    log.rewind();
                }
            }
        }
    }

    #[test]
    fn damage_before_what_was_synced_later_is_told() {
        let (disk, mut log) = new_log();
        for revision in 1..=9 {
            log.append(&[change(revision, 30)]).unwrap();
        }
        let (_, bytes) = disk.files().remove(0);
        let last = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        for at in 0..last {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x10;
            let damaged = SimulatedDisk::with_files(vec![(FILE, bytes)]);
            match contents(&damaged, 0) {
                Err(StorageError::Damaged(_)) => {}
                Ok(found) => assert_eq!(found.len(), 8, "only the last can have been torn; byte {at}"),
                Err(error) => panic!("{error}"),
            }
        }
    }
}
