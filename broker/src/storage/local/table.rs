//! What a segment holds, written at its end when it is closed, so that a start reads no
//! payload.
//!
//! Owns the table's bytes. A table lists every data, remove and delete record of its
//! segment, dead ones too: it says exactly what reading the whole segment would say. All
//! numbers are LEB128:
//!
//! ```text
//! | bytes of the removals | removals | stretches |
//! removal:  | 0 remove, 1 delete | log | generation | record bytes / 8 | ranges | per range: first, last - first |
//! stretch:  | log | generation | first position | first place / 8 | bytes of the run | run |
//! ```
//! A stretch is the data records of one log and generation, as a run (see [`super::index`]).

use std::collections::HashMap;

use super::disk::SegmentId;
use super::index::{Run, put_number, take_number};
use super::record::{Header, Kind, RECORD_ALIGN, decode_ranges, record_bytes};
use super::slot::Slot;

const REMOVE: u64 = 0;
const DELETE: u64 = 1;

/// The table of a segment that is being written.
#[derive(Debug, Default, Clone)]
pub struct TableBuilder {
    removals: Vec<u8>,
    stretches: Vec<Open>,
    by_log: HashMap<(u64, u32), usize>,
}

#[derive(Debug, Clone)]
struct Open {
    log: u64,
    generation: u32,
    first: (u64, u64),
    run: Run,
    code: Vec<u8>,
}

impl TableBuilder {
    /// Notes a record of the segment.
    pub fn add(&mut self, header: &Header, place: u64, payload: &[u8]) {
        let bytes = record_bytes(payload.len());
        match header.kind {
            Kind::Data | Kind::Share => {
                let slot = Slot::new(header.position, 0, place, bytes, header.weight);
                self.stretch(header.log, header.generation, &slot).add(&slot);
            }
            Kind::Remove | Kind::Delete => {
                let kind = if header.kind == Kind::Remove { REMOVE } else { DELETE };
                let ranges = decode_ranges(payload);
                let numbers = [kind, header.log, header.generation.into(), (bytes / RECORD_ALIGN) as u64];
                for number in numbers.into_iter().chain([ranges.len() as u64]) {
                    put_number(&mut self.removals, number);
                }
                for (first, last) in ranges {
                    put_number(&mut self.removals, first);
                    put_number(&mut self.removals, last.wrapping_sub(first));
                }
            }
            Kind::Table | Kind::End => {}
        }
    }

    fn stretch(&mut self, log: u64, generation: u32, first: &Slot) -> &mut Open {
        let is_same = |open: &Open| open.log == log && open.generation == generation;
        let at = match self.stretches.last() {
            Some(last) if is_same(last) => self.stretches.len() - 1,
            _ => *self.by_log.entry((log, generation)).or_insert(self.stretches.len()),
        };
        if at == self.stretches.len() {
            let first = (first.position(), first.place());
            self.stretches.push(Open { log, generation, first, run: Run::from(first.0, first.1), code: Vec::new() });
        }
        &mut self.stretches[at]
    }

    /// The table's bytes.
    #[must_use]
    pub fn encode(mut self) -> Vec<u8> {
        self.stretches.sort_unstable_by_key(|open| (open.log, open.generation));
        let bytes = self.removals.len() + self.stretches.iter().map(|open| open.code.len() + 32).sum::<usize>();
        let mut table = Vec::with_capacity(bytes + 10);
        put_number(&mut table, self.removals.len() as u64);
        table.extend_from_slice(&self.removals);
        for open in self.stretches {
            put_number(&mut table, open.log);
            put_number(&mut table, open.generation.into());
            put_number(&mut table, open.first.0);
            put_number(&mut table, open.first.1 / RECORD_ALIGN as u64);
            put_number(&mut table, open.code.len() as u64);
            table.extend_from_slice(&open.code);
        }
        table
    }
}

impl Open {
    fn add(&mut self, slot: &Slot) {
        self.run.put(&mut self.code, slot);
    }
}

/// A remove or delete record, as a table lists it.
#[derive(Debug, PartialEq, Eq)]
pub struct Removal {
    /// Of which log.
    pub log: u64,
    /// The newest generation that it speaks of.
    pub generation: u32,
    /// Bytes of the record.
    pub bytes: u64,
    /// First and last position of each range; `None`: the whole log.
    pub ranges: Option<Vec<(u64, u64)>>,
}

/// Data records of one log and generation, as a table lists them.
#[derive(Debug)]
pub struct Stretch<'t> {
    /// The log.
    pub log: u64,
    /// The generation.
    pub generation: u32,
    segment: SegmentId,
    run: Run,
    code: &'t [u8],
}

impl Iterator for Stretch<'_> {
    type Item = Slot;

    fn next(&mut self) -> Option<Slot> {
        self.run.take(&mut self.code, self.segment)
    }
}

/// A table read back.
#[derive(Debug)]
pub struct Table<'t> {
    removals: &'t [u8],
    stretches: &'t [u8],
    segment: SegmentId,
}

impl<'t> Table<'t> {
    /// The table of a segment; `None` when these bytes are none.
    #[must_use]
    pub fn new(mut bytes: &'t [u8], segment: SegmentId) -> Option<Self> {
        let removals = usize::try_from(take_number(&mut bytes)?).ok()?;
        let (removals, stretches) = bytes.split_at_checked(removals)?;
        Some(Self { removals, stretches, segment })
    }

    /// All remove and delete records.
    pub fn removals(&self) -> impl Iterator<Item = Removal> + 't {
        let mut bytes = self.removals;
        std::iter::from_fn(move || take_removal(&mut bytes))
    }

    /// All data records.
    pub fn stretches(&self) -> impl Iterator<Item = Stretch<'t>> {
        let (mut bytes, segment) = (self.stretches, self.segment);
        std::iter::from_fn(move || take_stretch(&mut bytes, segment))
    }
}

fn take_removal(bytes: &mut &[u8]) -> Option<Removal> {
    let kind = take_number(bytes)?;
    let (log, generation) = (take_number(bytes)?, take_number(bytes)? as u32);
    let size = take_number(bytes)?.checked_mul(RECORD_ALIGN as u64)?;
    let mut ranges = Vec::new();
    for _ in 0..take_number(bytes)? {
        let first = take_number(bytes)?;
        ranges.push((first, first.checked_add(take_number(bytes)?)?));
    }
    Some(Removal { log, generation, bytes: size, ranges: (kind == REMOVE).then_some(ranges) })
}

fn take_stretch<'t>(bytes: &mut &'t [u8], segment: SegmentId) -> Option<Stretch<'t>> {
    let (log, generation) = (take_number(bytes)?, take_number(bytes)? as u32);
    let position = take_number(bytes)?;
    let place = take_number(bytes)?.checked_mul(RECORD_ALIGN as u64)?;
    let length = usize::try_from(take_number(bytes)?).ok()?;
    let (code, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(Stretch { log, generation, segment, run: Run::from(position, place), code })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::record::encode_range;
    use super::*;

    fn header(kind: Kind, log: u64, generation: u32, position: u64) -> Header {
        Header { kind, log, generation, position, group: 0, meta: [0; 16], weight: 3 }
    }

    #[test]
    fn a_table_lists_what_was_added() {
        let mut builder = TableBuilder::default();
        let mut ranges = Vec::new();
        encode_range(&mut ranges, 4, 9);
        encode_range(&mut ranges, u64::MAX - 1, u64::MAX);
        builder.add(&header(Kind::Data, 7, 1, 4), 8192, &[0; 40]);
        builder.add(&header(Kind::Data, 5, 1, 1), 8288, &[0; 8]);
        builder.add(&header(Kind::Data, 7, 2, 5), 8352, &[0; 40]);
        builder.add(&header(Kind::Remove, 7, 2, 0), 8448, &ranges);
        builder.add(&header(Kind::Data, 7, 1, 3), 8544, &[0; 40]);
        builder.add(&header(Kind::Delete, 5, 1, 0), 8640, &[]);
        let bytes = builder.encode();
        let table = Table::new(&bytes, 2).unwrap();
        let removals: Vec<_> = table.removals().collect();
        let ranges = Some(vec![(4, 9), (u64::MAX - 1, u64::MAX)]);
        assert_eq!(
            removals,
            [
                Removal { log: 7, generation: 2, bytes: 88, ranges },
                Removal { log: 5, generation: 1, bytes: 56, ranges: None }
            ]
        );
        let stretches: Vec<_> =
            table.stretches().map(|stretch| (stretch.log, stretch.generation, stretch.collect::<Vec<_>>())).collect();
        let slot = |position, place, bytes| Slot::new(position, 2, place, bytes, 3);
        assert_eq!(
            stretches,
            [
                (5, 1, vec![slot(1, 8288, 64)]),
                (7, 1, vec![slot(4, 8192, 96), slot(3, 8544, 96)]),
                (7, 2, vec![slot(5, 8352, 96)])
            ]
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(table) = Table::new(&bytes, 1) {
                let _ = table.removals().count();
                let _ = table.stretches().map(Iterator::count).sum::<usize>();
            }
        }
    }
}
