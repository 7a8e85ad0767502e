//! Returned messages of a quorum queue that wait before they come again.

use std::collections::BTreeMap;
use std::fmt;

use super::held::Held;
use super::page::Sum;

/// Memory of messages that may wait at once. Beyond it returned messages come again without a
/// delay.
pub const DELAYED_BYTES_MAX: u64 = 64 << 20;

/// Which returned messages wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    /// `all`
    All,
    /// `failed`: those that were rejected, or whose channel closed.
    Failed,
    /// `returned`: those that were returned otherwise.
    Returned,
}

/// Which returned messages wait, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DelayedRetry {
    /// Which.
    pub retried: Retried,
    /// The shortest delay in milliseconds, taken as often as the message failed.
    pub min_ms: u64,
    /// The longest delay in milliseconds.
    pub max_ms: u64,
}

impl DelayedRetry {
    /// What these settings come to. Values that make no sense mean no delay, and without a
    /// longest delay it is the shortest one.
    #[must_use]
    pub fn resolve(retried: Option<&str>, min_ms: Option<u64>, max_ms: Option<u64>) -> Option<Self> {
        let retried = match retried? {
            "all" => Retried::All,
            "failed" => Retried::Failed,
            "returned" => Retried::Returned,
            _ => return None,
        };
        let min_ms = min_ms.filter(|&min| min > 0)?;
        Some(Self { retried, min_ms, max_ms: max_ms.filter(|&max| max > 0).unwrap_or(min_ms) })
    }

    /// When a message that returns now is ready, in milliseconds since the epoch; `None`: now.
    #[must_use]
    pub fn ready_at_ms(&self, failed: bool, failures: u16, now_ms: u64) -> Option<u64> {
        let waits = match self.retried {
            Retried::All => true,
            Retried::Failed => failed,
            Retried::Returned => !failed,
        };
        let delay_ms = self.min_ms.saturating_mul(failures.max(1).into()).min(self.max_ms);
        waits.then(|| now_ms.saturating_add(delay_ms))
    }
}

impl fmt::Display for DelayedRetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let retried = match self.retried {
            Retried::All => "all",
            Retried::Failed => "failed",
            Retried::Returned => "returned",
        };
        write!(f, "{retried} (min: {}ms, max: {}ms)", self.min_ms, self.max_ms)
    }
}

/// Messages that wait, the first to be ready first.
#[derive(Debug, Default)]
pub struct Delayed {
    by_time: BTreeMap<(u64, u64), Held>,
    sum: Sum,
    memory_bytes: u64,
}

impl Delayed {
    /// Whether another message may wait.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.memory_bytes < DELAYED_BYTES_MAX
    }

    /// Keeps a message until then, in milliseconds since the epoch.
    pub fn insert(&mut self, ready_at_ms: u64, held: Held) {
        self.sum.add(held.body_len());
        self.memory_bytes += held.cost();
        self.by_time.insert((ready_at_ms, held.position()), held);
    }

    /// Takes the first message if it is ready.
    pub fn pop_ready(&mut self, now_ms: u64) -> Option<Held> {
        let first = self.by_time.first_entry().filter(|first| first.key().0 <= now_ms)?;
        let held = first.remove();
        self.sum = self.sum.without(Sum { messages: 1, bytes: held.body_len().into() });
        self.memory_bytes -= held.cost();
        Some(held)
    }

    /// When the first message is ready.
    #[must_use]
    pub fn next_ms(&self) -> Option<u64> {
        self.by_time.first_key_value().map(|((at, _), _)| *at)
    }

    /// Messages that wait, and bytes of their bodies.
    #[must_use]
    pub fn sum(&self) -> Sum {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::message::Message;
    use crate::domain::queue::held::Stub;
    use crate::domain::queue::ready::Entry;

    #[test]
    fn settings_that_make_no_sense_mean_no_delay() {
        let shown = |retried, min, max| DelayedRetry::resolve(retried, min, max).map(|retry| retry.to_string());
        for (retried, min, max, expected) in [
            (Some("all"), Some(1000), Some(2500), Some("all (min: 1000ms, max: 2500ms)")),
            (Some("failed"), Some(10), None, Some("failed (min: 10ms, max: 10ms)")),
            (Some("returned"), Some(10), Some(0), Some("returned (min: 10ms, max: 10ms)")),
            (Some("all"), Some(10), Some(5), Some("all (min: 10ms, max: 5ms)")),
            (Some("all"), None, Some(5), None),
            (Some("all"), Some(0), Some(5), None),
            (Some("disabled"), Some(1), Some(5), None),
            (Some("bogus"), Some(1), Some(5), None),
            (None, Some(1), Some(5), None),
        ] {
            assert_eq!(shown(retried, min, max).as_deref(), expected, "{retried:?} {min:?} {max:?}");
        }
    }

    #[test]
    fn the_delay_grows_with_the_failures_up_to_the_longest() {
        let retry = |retried| DelayedRetry { retried, min_ms: 100, max_ms: 250 };
        for (retried, failed, failures, expected) in [
            (Retried::All, false, 0, Some(1100)),
            (Retried::All, true, 1, Some(1100)),
            (Retried::All, true, 2, Some(1200)),
            (Retried::All, true, 3, Some(1250)),
            (Retried::Failed, false, 2, None),
            (Retried::Failed, true, 1, Some(1100)),
            (Retried::Returned, false, 2, Some(1200)),
            (Retried::Returned, true, 1, None),
        ] {
            assert_eq!(retry(retried).ready_at_ms(failed, failures, 1000), expected, "{retried:?} {failed} {failures}");
        }
    }

    #[test]
    fn messages_wait_in_the_order_of_their_time() {
        let entry = |position| {
            let message = Message::build("", "q", &[0, 0], &[b'x'; 10], true);
            let entry = Entry::published(position, message, 0, 0, true);
            if position % 2 == 0 { Held::Away(Stub::logged(&entry)) } else { Held::Here(entry) }
        };
        let mut delayed = Delayed::default();
        for (at, position) in [(300, 1), (100, 2), (100, 3), (200, 4)] {
            delayed.insert(at, entry(position));
        }
        assert_eq!((delayed.next_ms(), delayed.sum()), (Some(100), Sum { messages: 4, bytes: 40 }));
        let mut ready =
            |now| std::iter::from_fn(|| delayed.pop_ready(now)).map(|held| held.position()).collect::<Vec<_>>();
        assert_eq!((ready(99), ready(200), ready(299), ready(u64::MAX)), (vec![], vec![2, 3, 4], vec![], vec![1]));
        assert_eq!((delayed.next_ms(), delayed.sum(), delayed.memory_bytes), (None, Sum::default(), 0));
    }
}
