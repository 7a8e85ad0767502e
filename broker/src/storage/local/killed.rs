//! What recovery learns from remove records: which positions are dead, and who says so.
//!
//! Owns one log's dead ranges while the journal is read.

use std::collections::BTreeMap;

use super::disk::SegmentId;

/// What remove records say of one log: ranges, the newest generation that they speak of,
/// and the segment that says so.
#[derive(Default)]
pub struct Killed(BTreeMap<u64, Kill>);

#[derive(Clone, Copy, PartialEq, Eq)]
struct Kill {
    last: u64,
    generation: u32,
    segment: SegmentId,
}

impl Killed {
    /// The segment whose record killed this one.
    #[must_use]
    pub fn killer(&self, position: u64, generation: u32) -> Option<SegmentId> {
        let (_, kill) = self.0.range(..=position).next_back()?;
        (position <= kill.last && generation <= kill.generation).then_some(kill.segment)
    }

    /// Adds a range. Where ranges overlap, the one that speaks of newer generations counts;
    /// of equals, the first.
    pub fn insert(&mut self, first: u64, last: u64, generation: u32, segment: SegmentId) {
        let kill = Kill { last, generation, segment };
        let mut next = Some(first);
        while let Some(start) = next.filter(|start| *start <= last) {
            let overlapping = match self.0.range(..=start).next_back() {
                Some((begin, old)) if old.last >= start => Some((*begin, *old)),
                _ => self.0.range(start..=last).next().map(|(begin, old)| (*begin, *old)),
            };
            let Some((begin, old)) = overlapping else {
                self.join(start, kill);
                return;
            };
            if begin > start {
                self.join(start, Kill { last: begin - 1, ..kill });
            }
            let (from, to) = (begin.max(start), old.last.min(last));
            if old.generation < generation {
                self.0.remove(&begin);
                if begin < from {
                    self.0.insert(begin, Kill { last: from - 1, ..old });
                }
                if to < old.last {
                    self.0.insert(to + 1, old);
                }
                self.join(from, Kill { last: to, ..kill });
            }
            next = to.checked_add(1);
        }
    }

    /// Adds a free range, merged with neighbours that say the same.
    fn join(&mut self, mut first: u64, mut kill: Kill) {
        let same = |a: &Kill| (a.generation, a.segment) == (kill.generation, kill.segment);
        let after = kill.last.checked_add(1).and_then(|next| Some((next, *self.0.get(&next)?)));
        let before = self.0.range(..first).next_back().map(|(start, old)| (*start, *old));
        if let Some((start, old)) = after.filter(|(_, old)| same(old)) {
            self.0.remove(&start);
            kill.last = old.last;
        }
        if let Some((start, _)) = before.filter(|(_, old)| same(old) && old.last.checked_add(1) == Some(first)) {
            first = start;
        }
        self.0.insert(first, kill);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn kills_agree_with_a_plain_table(inserts in proptest::collection::vec((0u64..40, 0u64..12, 0u32..4, 1u32..4), 0..40)) {
            let mut killed = Killed::default();
            let mut table = [None::<(u32, SegmentId)>; 60];
            for (first, span, generation, segment) in inserts {
                killed.insert(first, first + span, generation, segment);
                for cell in &mut table[first as usize..=(first + span) as usize] {
                    if cell.is_none_or(|(old, _)| old < generation) {
                        *cell = Some((generation, segment));
                    }
                }
            }
            for (position, cell) in table.iter().enumerate() {
                for generation in 0..5 {
                    let expected = cell.filter(|(kills, _)| generation <= *kills).map(|(_, segment)| segment);
                    prop_assert_eq!(killed.killer(position as u64, generation), expected);
                }
            }
        }

        #[test]
        fn kills_reach_the_greatest_position(first in 0u64..3) {
            let mut killed = Killed::default();
            killed.insert(u64::MAX - first, u64::MAX, 1, 1);
            killed.insert(0, u64::MAX, 2, 2);
            killed.insert(5, u64::MAX, 1, 3);
            prop_assert_eq!(killed.killer(u64::MAX, 2), Some(2));
            prop_assert_eq!(killed.0.len(), 1);
        }
    }
}
