//! Finding the first message taken at some time or later, by looking at a few.
//!
//! Times never fall from one message to the next, so half of what is left drops out with
//! every look. Who searches reads the message; this decides which.

/// A search under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Search {
    since_ms: u64,
    /// Everything before was taken earlier.
    from: u64,
    /// This and everything behind was taken later, or is yet to come.
    to: u64,
}

impl Search {
    /// Among the offsets `from..to`, one of which may be the first of `since_ms` or later.
    #[must_use]
    pub fn new(since_ms: u64, from: u64, to: u64) -> Self {
        Self { since_ms, from, to }
    }

    /// The offset to look at next and the last one that will do instead when it is gone.
    #[must_use]
    pub fn look(&self) -> Option<(u64, u64)> {
        (self.from < self.to).then(|| (self.from + (self.to - self.from) / 2, self.to - 1))
    }

    /// What the look at `asked` found: the first message from there on, and when it was taken;
    /// `None`: there is none before the end.
    pub fn saw(&mut self, asked: u64, found: Option<(u64, u64)>) {
        match found {
            Some((offset, at_ms)) if at_ms < self.since_ms => self.from = self.from.max(offset + 1),
            Some(_) | None => self.to = self.to.min(asked),
        }
    }

    /// Where it ended.
    #[must_use]
    pub fn found(&self) -> Option<u64> {
        (self.from >= self.to).then_some(self.from)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_ends_at_the_first_message_of_that_time_or_later(
            steps in prop::collection::vec((0u64..4, 0u64..3), 0..40),
            since_ms in 0u64..70,
            first in 0u64..5,
        ) {
            let (mut offset, mut at_ms) = (first, 0);
            let messages: Vec<(u64, u64)> = steps.into_iter().map(|(gap, later)| {
                offset += 1 + gap;
                at_ms += later;
                (offset, at_ms)
            }).collect();
            let end = offset + 1;
            let mut search = Search::new(since_ms, first, end);
            let mut looks = 0;
            while let Some((asked, last)) = search.look() {
                prop_assert!(last < end);
                let found = messages.iter().copied().find(|(offset, _)| (asked..=last).contains(offset));
                search.saw(asked, found);
                looks += 1;
                prop_assert!(looks <= 9);
            }
            let start = search.found().unwrap();
            let expected = messages.iter().find(|(_, at_ms)| *at_ms >= since_ms);
            let actual = messages.iter().find(|(offset, _)| *offset >= start);
            prop_assert_eq!(actual, expected);
        }
    }
}
