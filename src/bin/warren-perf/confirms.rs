//! The window of publishes that wait for their confirm, and how long each waited.

use hdrhistogram::Histogram;

use crate::clock::Clock;
use crate::report::latencies;

/// The outstanding publishes of one channel; delivery tags count from 1.
pub struct Confirms {
    /// When each outstanding tag was sent, at `tag % slots`; 0 when it is settled.
    sent_ns: Vec<u64>,
    slots: u64,
    window: u64,
    /// The tag the next publish gets.
    next: u64,
    /// The lowest tag that may be outstanding.
    lowest: u64,
    outstanding: u64,
    /// Tags the server confirmed.
    pub confirmed: u64,
    /// Tags the server refused.
    pub refused: u64,
    /// Confirms for tags that were not outstanding: a fault of the server.
    pub unknown: u64,
    /// Time from publish to confirm, in nanoseconds.
    pub latency: Histogram<u64>,
    clock: Clock,
}

/// Slots per publish of the window: tags settled out of order keep theirs until all before them are settled.
const SLOTS_PER_PUBLISH: u64 = 4;

impl Confirms {
    /// An empty window of at most `window` publishes.
    pub fn new(window: u32, clock: Clock) -> Self {
        let slots = SLOTS_PER_PUBLISH * u64::from(window);
        Self {
            sent_ns: vec![0; slots as usize],
            slots,
            window: u64::from(window),
            next: 1,
            lowest: 1,
            outstanding: 0,
            confirmed: 0,
            refused: 0,
            unknown: 0,
            latency: latencies(),
            clock,
        }
    }

    /// How many more may be published now.
    pub fn room(&self) -> u64 {
        (self.window - self.outstanding).min(self.slots - (self.next - self.lowest))
    }

    /// How many wait.
    pub fn outstanding(&self) -> u64 {
        self.outstanding
    }

    /// Notes a publish. Only call with room.
    pub fn published(&mut self, sent_ns: u64) {
        let slot = (self.next % self.slots) as usize;
        self.sent_ns[slot] = sent_ns.max(1);
        self.next += 1;
        self.outstanding += 1;
    }

    /// The server settled `tag`, and with `multiple` all below it.
    pub fn settle(&mut self, tag: u64, multiple: bool, confirmed: bool) {
        if tag >= self.next || tag < self.lowest {
            self.unknown += 1;
            return;
        }
        let now = self.clock.now_ns();
        let first = if multiple { self.lowest } else { tag };
        for tag in first..=tag {
            self.settle_one(tag, multiple, confirmed, now);
        }
        while self.lowest < self.next && self.sent_ns[(self.lowest % self.slots) as usize] == 0 {
            self.lowest += 1;
        }
    }

    fn settle_one(&mut self, tag: u64, multiple: bool, confirmed: bool, now_ns: u64) {
        let slot = &mut self.sent_ns[(tag % self.slots) as usize];
        if *slot == 0 {
            // Below a `multiple` there may be tags settled before; a single one is settled only once.
            self.unknown += u64::from(!multiple);
            return;
        }
        self.latency.saturating_record(now_ns.saturating_sub(*slot));
        *slot = 0;
        self.outstanding -= 1;
        if confirmed {
            self.confirmed += 1;
        } else {
            self.refused += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confirms_settle_one_by_one_by_range_and_out_of_order() {
        let mut confirms = Confirms::new(4, Clock::start());
        (0..4).for_each(|_| confirms.published(1));
        assert_eq!((confirms.room(), confirms.outstanding()), (0, 4));
        confirms.settle(2, false, true);
        assert_eq!((confirms.room(), confirms.outstanding()), (1, 3));
        confirms.settle(3, true, true);
        assert_eq!((confirms.room(), confirms.outstanding(), confirms.confirmed), (3, 1, 3));
        confirms.published(1);
        confirms.settle(5, true, false);
        assert_eq!((confirms.room(), confirms.outstanding(), confirms.refused), (4, 0, 2));
        assert_eq!((confirms.unknown, confirms.latency.len()), (0, 5));
    }

    #[test]
    fn one_late_confirm_holds_the_slots_only_at_four_windows() {
        let mut confirms = Confirms::new(2, Clock::start());
        confirms.published(1);
        for tag in 2..=8 {
            assert_eq!(confirms.room(), 1);
            confirms.published(1);
            confirms.settle(tag, false, true);
        }
        assert_eq!((confirms.room(), confirms.outstanding()), (0, 1));
        confirms.settle(1, false, true);
        assert_eq!((confirms.room(), confirms.outstanding()), (2, 0));
    }

    #[test]
    fn a_confirm_for_nothing_is_noticed() {
        let mut confirms = Confirms::new(4, Clock::start());
        confirms.settle(1, false, true);
        confirms.published(1);
        confirms.settle(9, true, true);
        confirms.settle(1, false, true);
        confirms.settle(1, false, true);
        assert_eq!((confirms.unknown, confirms.confirmed, confirms.outstanding()), (3, 1, 0));
    }
}
