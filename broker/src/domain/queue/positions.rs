//! Growing positions in little memory: consecutive ones are one run, and runs between the
//! first and the last cost about two bytes.
//!
//! ```text
//! first run │ gap, length - 1 │ gap, length - 1 │ … │ last run
//!  decoded  │        variable-length integers        │  decoded, still grows
//! ```

use std::collections::VecDeque;
use std::ops::RangeInclusive;

/// Most bytes of a variable-length integer: seven bits each.
const VARINT_BYTES_MAX: u32 = 10;

/// Positions in growing order; taken from the front, added at the back.
#[derive(Debug, Default)]
pub struct Positions {
    front: Option<(u64, u64)>,
    /// Runs between `front` and `back`, each relative to the end of the one before.
    between: VecDeque<u8>,
    /// Where the last run before `back` ends.
    before_back: u64,
    /// `None` while there is one run at most.
    back: Option<(u64, u64)>,
}

impl Positions {
    /// Adds positions above all others.
    pub fn push(&mut self, run: RangeInclusive<u64>) {
        let (first, last) = (*run.start(), *run.end());
        match (&mut self.back, &mut self.front) {
            (Some(back), _) if back.1 + 1 == first => back.1 = last,
            (Some(back), _) => {
                let (start, end) = std::mem::replace(back, (first, last));
                put_varint(&mut self.between, start - self.before_back);
                put_varint(&mut self.between, end - start);
                self.before_back = end;
            }
            (None, Some(front)) if front.1 + 1 == first => front.1 = last,
            (None, Some(front)) => {
                self.before_back = front.1;
                self.back = Some((first, last));
            }
            (None, None) => self.front = Some((first, last)),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.front.is_none()
    }

    /// Takes the first run.
    pub fn pop_run(&mut self) -> Option<RangeInclusive<u64>> {
        let (first, last) = self.front.take()?;
        let mut at = 0;
        self.front = match self.decode(&mut at, last) {
            Some(next) => {
                self.between.drain(..at);
                Some(next)
            }
            None => {
                self.between = VecDeque::new();
                self.back.take()
            }
        };
        Some(first..=last)
    }

    /// Takes everything below `end` and tells how many positions that were.
    pub fn take_below(&mut self, end: u64) -> u64 {
        let mut taken = 0;
        while let Some((first, last)) = self.front
            && first < end
        {
            if last >= end {
                self.front = Some((end, last));
                return taken + (end - first);
            }
            taken += last - first + 1;
            self.pop_run();
        }
        taken
    }

    /// The first `max` runs.
    #[must_use]
    pub fn first_runs(&self, max: usize) -> Vec<RangeInclusive<u64>> {
        let Some(front) = self.front else { return Vec::new() };
        let mut runs = vec![front.0..=front.1];
        let (mut at, mut end) = (0, front.1);
        while runs.len() < max
            && let Some((first, last)) = self.decode(&mut at, end)
        {
            runs.push(first..=last);
            end = last;
        }
        if runs.len() < max
            && let Some((first, last)) = self.back
        {
            runs.push(first..=last);
        }
        runs
    }

    /// The run encoded at `at`, which moves behind it.
    fn decode(&self, at: &mut usize, end_before: u64) -> Option<(u64, u64)> {
        let first = end_before + take_varint(&self.between, at)?;
        Some((first, first + take_varint(&self.between, at)?))
    }
}

fn put_varint(bytes: &mut VecDeque<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push_back(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push_back(value as u8);
}

fn take_varint(bytes: &VecDeque<u8>, at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for place in 0..VARINT_BYTES_MAX {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn positions_come_out_as_they_went_in(
            runs in prop::collection::vec((1..1_000_000u64, 1..300u64), 0..60),
            below in prop::collection::vec(0..40_000_000u64, 0..8),
        ) {
            let (mut positions, mut model) = (Positions::default(), Vec::new());
            let mut next = 1;
            for (gap, len) in &runs {
                // A gap of one is no gap: runs that touch are one.
                let first = next + gap % 5 * gap;
                positions.push(first..=first + len - 1);
                model.extend(first..first + len);
                next = first + len;
            }
            let mut below = below;
            below.sort_unstable();
            for end in below {
                let at = model.partition_point(|position| *position < end);
                prop_assert_eq!(positions.take_below(end), at as u64);
                model.drain(..at);
                prop_assert_eq!(positions.is_empty(), model.is_empty());
                let listed: Vec<u64> = positions.first_runs(usize::MAX).into_iter().flatten().collect();
                prop_assert_eq!(&listed, &model);
                prop_assert!(positions.first_runs(3).len() <= 3);
            }
            let mut left = Vec::new();
            while let Some(run) = positions.pop_run() {
                left.extend(run);
            }
            prop_assert_eq!(left, model);
        }
    }

    #[test]
    fn every_second_position_costs_two_bytes() {
        let mut positions = Positions::default();
        (0..1000).for_each(|number| positions.push(number * 2..=number * 2));
        assert!(positions.between.len() <= 2000);
        assert_eq!(positions.first_runs(2), [0..=0, 2..=2]);
    }
}
