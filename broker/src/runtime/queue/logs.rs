//! The logs of one queue, told apart by the highest bits of their numbers.

use crate::domain::queue::{QueueKind, QueueSpec};
use crate::storage::LogId;

/// What a log of a queue is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogKind {
    /// Its messages.
    Messages,
    /// Messages written down for want of memory; nobody knows it after a restart. A stream keeps
    /// its segments there.
    Spilled,
    /// Holds a record once a message came whose priority is not the usual one: as long as it is
    /// empty, messages need not be read to find their order.
    Priorities,
    /// What must be remembered of messages that are not ready.
    Notes,
}

const SPILLED: u64 = 1 << 63;
const NOTES: u64 = 1 << 62;
const PRIORITIES: u64 = 1 << 61;

impl LogKind {
    /// The log of that kind, of the queue with that log of messages.
    pub(crate) fn of(self, messages: LogId) -> LogId {
        match self {
            Self::Messages => messages,
            Self::Spilled => LogId(messages.0 | SPILLED),
            Self::Priorities => LogId(messages.0 | PRIORITIES),
            Self::Notes => LogId(messages.0 | NOTES),
        }
    }
}

/// Whose log it is, as the number of its log of messages, and what it is for.
pub(crate) fn owner_of(log: LogId) -> (LogId, LogKind) {
    let kind = match log.0 & (SPILLED | NOTES | PRIORITIES) {
        0 => LogKind::Messages,
        NOTES => LogKind::Notes,
        PRIORITIES => LogKind::Priorities,
        _ => LogKind::Spilled,
    };
    (LogId(log.0 & !(SPILLED | NOTES | PRIORITIES)), kind)
}

/// The second log of a queue with that first one.
pub(crate) fn second_of(log: LogId) -> LogId {
    LogKind::Spilled.of(log)
}

/// The logs that last as long as the queue.
pub(crate) fn lasting_logs(spec: &QueueSpec) -> impl Iterator<Item = LogId> + use<> {
    let log = LogId(spec.id.0);
    let sorted = spec.kind == QueueKind::Quorum || spec.arguments.get("x-max-priority").is_some();
    let priorities = sorted.then(|| LogKind::Priorities.of(log));
    let segments = (spec.kind == QueueKind::Stream).then(|| second_of(log));
    let notes = (spec.kind == QueueKind::Quorum).then(|| LogKind::Notes.of(log));
    [priorities, segments, notes, Some(log)].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_known_by_its_number() {
        for kind in [LogKind::Messages, LogKind::Spilled, LogKind::Priorities, LogKind::Notes] {
            assert_eq!(owner_of(kind.of(LogId(7))), (LogId(7), kind));
        }
    }
}
