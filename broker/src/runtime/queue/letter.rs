//! What goes between a queue and its vhost's pump of dead letters.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::domain::message::Message;
use crate::domain::queue::dead_letter::DeadLetterTo;
use crate::domain::queue::state::DropReason;
use crate::domain::queue::{QueueId, QueueSpec};

/// A message that left its queue, on its way to others.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    /// The source's name for it.
    pub(crate) key: u64,
    /// The message as it was in the queue.
    pub(crate) message: Message,
    /// Failed deliveries.
    pub(crate) failures: u16,
    /// Why it left.
    pub(crate) reason: DropReason,
    /// When, in seconds since the epoch.
    pub(crate) at_s: u64,
    /// Where it goes.
    pub(crate) to: Arc<DeadLetterTo>,
    /// Whether it stays until a queue took it (at least once).
    pub(crate) must_arrive: bool,
    /// Queues that took it already; it is not sent there again.
    pub(crate) taken_by: Vec<QueueId>,
}

/// Letters of one queue, in order.
#[derive(Debug)]
pub(crate) struct LetterBatch {
    /// The queue.
    pub(crate) source: Arc<QueueSpec>,
    /// The letters.
    pub(crate) letters: Vec<Letter>,
    /// Where to say what became of them. Without capacity of its own: one answer per letter,
    /// and of news that routes changed one per answer that found none.
    pub(crate) answers: mpsc::UnboundedSender<LetterAnswer>,
}

/// What became of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Every queue it goes to took it.
    Taken,
    /// There is no queue it could go to.
    NoRoute,
    /// A queue refused it.
    Refused,
    /// A queue could not make it durable, which may pass.
    Unavailable,
}

/// What a source hears of its letters.
#[derive(Debug)]
pub(crate) enum LetterAnswer {
    /// What became of one.
    Fate {
        /// The source's name for it.
        key: u64,
        /// What became of it.
        fate: Fate,
        /// Queues that took it, when others did not.
        taken_by: Vec<QueueId>,
    },
    /// Letters that found no queue may find one now.
    RoutesChanged,
}
