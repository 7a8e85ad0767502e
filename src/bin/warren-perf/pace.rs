//! When the next message is due at a fixed rate.

/// An even schedule from a start.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    start_ns: u64,
    per_second: f64,
}

impl Pace {
    /// `per_second` messages from `start_ns` on, the first at once.
    pub fn new(start_ns: u64, per_second: f64) -> Self {
        Self { start_ns, per_second }
    }

    /// When the message with this number (from 0) is due.
    pub fn due_ns(&self, number: u64) -> u64 {
        self.start_ns + (number as f64 * 1e9 / self.per_second) as u64
    }

    /// How many messages in all are due by now.
    pub fn due_by(&self, now_ns: u64) -> u64 {
        now_ns.checked_sub(self.start_ns).map_or(0, |elapsed_ns| (elapsed_ns as f64 * self.per_second / 1e9) as u64 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_due_evenly() {
        let pace = Pace::new(1_000, 1_000.0);
        assert_eq!((pace.due_ns(0), pace.due_ns(1), pace.due_ns(500)), (1_000, 1_001_000, 500_001_000));
        assert_eq!((pace.due_by(1_000), pace.due_by(1_000_999), pace.due_by(1_001_001)), (1, 1, 2));
        assert_eq!((pace.due_by(0), pace.due_by(999)), (0, 0));
    }
}
