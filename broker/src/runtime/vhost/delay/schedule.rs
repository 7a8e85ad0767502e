//! What is due when: places in a log, in order of time, ties in order of arrival.
//!
//! This is all the memory a message takes while it waits, so room grows by an eighth and
//! not twofold, and goes back when most of it is empty.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A message that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    /// When, in milliseconds since the epoch.
    pub(super) at_ms: u64,
    /// Its place in the log; later arrivals have greater ones.
    pub(super) position: u64,
}

/// Room a schedule starts with and keeps.
const ROOM_MIN: usize = 64;

/// The messages of one exchange that wait.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    heap: BinaryHeap<Reverse<Due>>,
}

impl Schedule {
    pub(super) fn push(&mut self, due: Due) {
        let length = self.heap.len();
        if length == self.heap.capacity() {
            self.heap.reserve_exact(ROOM_MIN.max(length / 8));
        }
        self.heap.push(Reverse(due));
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    /// When the next is due.
    pub(super) fn next_ms(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse(due)| due.at_ms)
    }

    /// Takes what is due by `now_ms`, the first `limit` of it in order.
    pub(super) fn take(&mut self, now_ms: u64, limit: usize) -> Vec<Due> {
        let mut taken = Vec::new();
        while taken.len() < limit && self.next_ms().is_some_and(|at_ms| at_ms <= now_ms) {
            taken.extend(self.heap.pop().map(|Reverse(due)| due));
        }
        if self.heap.capacity() > ROOM_MIN.max(4 * self.heap.len()) {
            self.heap.shrink_to(ROOM_MIN.max(2 * self.heap.len()));
        }
        taken
    }

    /// Bytes it takes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.heap.capacity() * size_of::<Reverse<Due>>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_million_messages_take_18_bytes_each_and_give_them_back() {
        const COUNT: u64 = 1_000_000;
        let mut schedule = Schedule::default();
        for position in 0..COUNT {
            schedule.push(Due { at_ms: position * 7919 % COUNT, position });
        }
        assert!(schedule.bytes() <= COUNT as usize * 18 + 4096, "{}", schedule.bytes());
        let mut last = None;
        while let Some(due) = schedule.take(u64::MAX, 1).pop() {
            assert!(last < Some(due));
            last = Some(due);
        }
        assert!(schedule.bytes() <= ROOM_MIN * 16);
    }

    proptest! {
        #[test]
        fn what_is_due_comes_in_order_of_time_then_arrival(
            times in proptest::collection::vec(0u64..20, 0..60),
            now_ms in 0u64..25,
            limit in 1usize..40,
        ) {
            let mut schedule = Schedule::default();
            let mut model = Vec::new();
            for (position, &at_ms) in times.iter().enumerate() {
                let due = Due { at_ms, position: position as u64 };
                schedule.push(due);
                model.push(due);
            }
            model.sort();
            let expected: Vec<_> = model.iter().copied().filter(|due| due.at_ms <= now_ms).take(limit).collect();
            prop_assert_eq!(schedule.next_ms(), model.first().map(|due| due.at_ms));
            let left = model.len() - expected.len();
            prop_assert_eq!(schedule.take(now_ms, limit), expected);
            prop_assert_eq!(schedule.len(), left);
        }
    }
}
