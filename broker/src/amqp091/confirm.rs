//! Publisher confirms of one channel: which sequence numbers are settled, and the fewest
//! acknowledgements that say so.

use std::collections::VecDeque;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pending {
    /// Queues that have not answered yet.
    queues_left: u32,
    /// What whoever publishes is told again when it is confirmed.
    mark: u16,
    refused: bool,
}

/// An acknowledgement to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Sequence number.
    pub sequence: u64,
    /// All up to it that were not answered before.
    pub multiple: bool,
    /// `basic.ack`, or `basic.nack`.
    pub accepted: bool,
}

/// Sequence numbers from the first unanswered one on.
#[derive(Debug)]
pub struct ConfirmTracker {
    first: u64,
    pending: VecDeque<Pending>,
}

impl Default for ConfirmTracker {
    fn default() -> Self {
        Self { first: 1, pending: VecDeque::new() }
    }
}

impl ConfirmTracker {
    /// Numbers a publish that waits for `queues` answers, and bears a mark.
    pub fn publish(&mut self, queues: u32, mark: u16) -> u64 {
        self.pending.push_back(Pending { queues_left: queues, mark, refused: false });
        self.first + self.pending.len() as u64 - 1
    }

    /// A queue answered for everything from `first` to `last`.
    pub fn settle(&mut self, first: u64, last: u64, accepted: bool) {
        for sequence in first.max(self.first)..=last {
            let Some(pending) = self.pending.get_mut((sequence - self.first) as usize) else { return };
            pending.queues_left = pending.queues_left.saturating_sub(1);
            pending.refused |= !accepted;
        }
    }

    /// Publishes that are not answered yet.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.pending.len()
    }

    /// Takes what is settled from the front, as few answers as possible. `confirmed` is told
    /// which marks were accepted and how often, runs of one together.
    pub fn take_answers(&mut self, mut answer: impl FnMut(Answer), mut confirmed: impl FnMut(u16, u64)) -> u64 {
        let mut run: Option<Answer> = None;
        let mut taken = 0;
        let mut marked = (0, 0);
        while let Some(pending) = self.pending.front().copied().filter(|pending| pending.queues_left == 0) {
            self.pending.pop_front();
            let sequence = self.first;
            self.first += 1;
            taken += 1;
            if !pending.refused {
                if marked.0 != pending.mark {
                    if marked.1 > 0 {
                        confirmed(marked.0, marked.1);
                    }
                    marked = (pending.mark, 0);
                }
                marked.1 += 1;
            }
            run = Some(match run {
                Some(run) if run.accepted != pending.refused => Answer { sequence, multiple: true, ..run },
                Some(run) => {
                    answer(run);
                    Answer { sequence, multiple: false, accepted: !pending.refused }
                }
                None => Answer { sequence, multiple: false, accepted: !pending.refused },
            });
        }
        if let Some(run) = run {
            answer(run);
        }
        if marked.1 > 0 {
            confirmed(marked.0, marked.1);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(tracker: &mut ConfirmTracker) -> Vec<(u64, bool, bool)> {
        let mut found = Vec::new();
        tracker.take_answers(|answer| found.push((answer.sequence, answer.multiple, answer.accepted)), |_, _| {});
        found
    }

    #[test]
    fn marks_come_back_with_what_was_confirmed() {
        let mut tracker = ConfirmTracker::default();
        [7, 7, 8, 7, 7].into_iter().for_each(|mark| {
            tracker.publish(1, mark);
        });
        tracker.settle(1, 3, true);
        tracker.settle(4, 4, false);
        tracker.settle(5, 5, true);
        let mut marks = Vec::new();
        tracker.take_answers(|_| {}, |mark, count| marks.push((mark, count)));
        assert_eq!(marks, [(7, 2), (8, 1), (7, 1)], "what was refused is not confirmed");
    }

    #[test]
    fn runs_are_answered_once_and_refusals_split_them() {
        let mut tracker = ConfirmTracker::default();
        for _ in 0..6 {
            tracker.publish(1, 0);
        }
        tracker.settle(1, 3, true);
        assert_eq!(answers(&mut tracker), [(3, true, true)]);
        tracker.settle(5, 5, false);
        assert_eq!(answers(&mut tracker), []);
        tracker.settle(4, 4, true);
        tracker.settle(6, 6, true);
        assert_eq!(answers(&mut tracker), [(4, false, true), (5, false, false), (6, false, true)]);
        assert_eq!(tracker.unanswered(), 0);
    }

    #[test]
    fn a_publish_to_many_queues_waits_for_all() {
        let mut tracker = ConfirmTracker::default();
        assert_eq!(tracker.publish(2, 0), 1);
        assert_eq!(tracker.publish(0, 0), 2);
        tracker.settle(1, 1, true);
        assert_eq!(answers(&mut tracker), []);
        tracker.settle(1, 1, false);
        assert_eq!(answers(&mut tracker), [(1, false, false), (2, false, true)]);
    }
}
