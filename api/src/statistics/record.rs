//! One record of a series, as bytes: what changed at a round, and by how much.
//!
//! ```text
//! mask << 1 | late    which counters changed; whether a gap follows       (LEB128)
//! gap                 rounds since the record before, when that is not 1  (LEB128)
//! change …            of each counter of the mask, zigzag                 (LEB128)
//! ```
//!
//! The counters that change most stand first in the mask, so that their record has a head
//! of one byte. It does not know what is counted.

/// Changes of all counters at one round, and how long after the record before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<const N: usize> {
    /// Rounds since the record before; at least 1.
    pub(super) gap: u32,
    /// What was added to each counter; a counter that fell wraps.
    pub(super) change: [u64; N],
}

impl<const N: usize> Record<N> {
    /// Appends the record.
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        let changed = self.change.iter().enumerate().filter(|(_, change)| **change != 0);
        let mask = changed.clone().fold(0, |mask, (counter, _)| mask | (1u64 << counter));
        let late = self.gap != 1;
        put(to, mask << 1 | u64::from(late));
        if late {
            put(to, u64::from(self.gap));
        }
        changed.for_each(|(_, change)| put(to, zigzag(*change)));
    }

    /// Reads the record that begins at `at`, and says where the next one begins; `None` at
    /// the end.
    pub(super) fn read(from: &[u8], mut at: usize) -> Option<(Self, usize)> {
        let head = take(from, &mut at)?;
        let gap = if head & 1 == 1 { u32::try_from(take(from, &mut at)?).ok()? } else { 1 };
        let mut change = [0; N];
        for (counter, change) in change.iter_mut().enumerate() {
            if head >> 1 & (1 << counter) != 0 {
                *change = unzigzag(take(from, &mut at)?);
            }
        }
        Some((Self { gap, change }, at))
    }
}

/// Small changes in either direction become small numbers.
fn zigzag(change: u64) -> u64 {
    let signed = change.cast_signed();
    (signed << 1 ^ signed >> 63).cast_unsigned()
}

fn unzigzag(number: u64) -> u64 {
    number >> 1 ^ (number & 1).wrapping_neg()
}

fn put(to: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

fn take(from: &[u8], at: &mut usize) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = *from.get(*at)?;
        *at += 1;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_as_they_were() {
        let mut bytes = Vec::new();
        let records = [
            Record { gap: 1, change: [5, 0, 0] },
            Record { gap: 900, change: [0, u64::MAX, 1 << 40] },
            Record { gap: 1, change: [0; 3] },
            Record { gap: u32::MAX, change: [i64::MIN.cast_unsigned(), i64::MAX.cast_unsigned(), 1] },
        ];
        records.iter().for_each(|record| record.write(&mut bytes));
        let mut at = 0;
        for record in records {
            let (read, next) = Record::read(&bytes, at).unwrap();
            assert_eq!(read, record);
            at = next;
        }
        assert_eq!(Record::<3>::read(&bytes, at), None);
    }

    #[test]
    fn a_usual_record_is_short() {
        let mut bytes = Vec::new();
        Record { gap: 1, change: [60, 60, 3u64.wrapping_neg(), 0, 0, 0, 0, 0] }.write(&mut bytes);
        assert_eq!(bytes.len(), 4);
    }
}
