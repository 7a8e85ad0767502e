//! What publishers hear of their publishes, from queues of every kind.

use super::command::{ConfirmRange, PublishBatch};
use super::outbound::{ConnectionEvent, ConnectionSender};
use crate::storage::StorageError;

/// Who waits for an append, and for which of its publishes in it.
pub(crate) struct Confirms {
    to: ConnectionSender,
    ranges: Vec<ConfirmRange>,
}

impl Confirms {
    /// `None` when nobody waits.
    pub(crate) fn of(from: Option<ConnectionSender>, ranges: Vec<ConfirmRange>) -> Option<Self> {
        from.filter(|_| !ranges.is_empty()).map(|to| Self { to, ranges })
    }

    /// Tells whether the append has become durable.
    pub(crate) fn tell(mut self, done: &Result<(), StorageError>) {
        for range in &mut self.ranges {
            range.accepted = done.is_ok();
            range.unavailable = done.is_err();
        }
        self.send();
    }

    fn send(self) {
        self.to.send(ConnectionEvent::Confirm(self.ranges));
    }
}

impl PublishBatch {
    /// Settles all of it unseen, which an owner does that has ended or is down.
    pub(crate) fn answer(self, accepted: bool) {
        let mut ranges = Vec::new();
        for incoming in &self.messages {
            push_range(&mut ranges, incoming.channel, incoming.epoch, incoming.sequence, accepted);
        }
        if let Some(confirms) = Confirms::of(self.from, ranges) {
            confirms.send();
        }
    }
}

/// Adds a sequence number to the last range when it continues it.
pub(crate) fn push_range(ranges: &mut Vec<ConfirmRange>, channel: u16, epoch: u32, sequence: u64, accepted: bool) {
    if sequence == 0 {
        return;
    }
    match ranges.last_mut() {
        Some(last)
            if last.channel == channel
                && last.epoch == epoch
                && last.accepted == accepted
                && last.last + 1 == sequence =>
        {
            last.last = sequence;
        }
        _ => {
            ranges.push(ConfirmRange { channel, epoch, first: sequence, last: sequence, accepted, unavailable: false })
        }
    }
}
