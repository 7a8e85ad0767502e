//! The dead letters of one queue that have their messages in memory: those that wait for the
//! pump, in order, and those under way.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::letter::{Letter, LetterAnswer, LetterBatch};
use crate::domain::message::Message;
use crate::domain::queue::dead_letter::DeadLetterTo;
use crate::domain::queue::state::DropReason;
use crate::domain::queue::{QueueId, QueueSpec};

/// Letters handed to the pump at once.
pub(super) const LETTERS_PER_BATCH_MAX: usize = 64;

/// A dead message without its body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Demised {
    /// Its place in the queue's log; `None`: the log does not have it.
    pub(super) position: Option<u64>,
    /// Its note in the queue's log of notes.
    pub(super) note: Option<u64>,
    /// Bytes of its body.
    pub(super) bytes: u32,
    /// Failed deliveries.
    pub(super) failures: u16,
    /// Why it left.
    pub(super) reason: DropReason,
    /// When, in seconds since the epoch.
    pub(super) at_s: u64,
}

/// A letter with its message.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) demised: Demised,
    pub(super) message: Message,
    /// Queues that took it already.
    pub(super) taken_by: Vec<QueueId>,
}

/// Where letters go, and how safely.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) to: Arc<DeadLetterTo>,
    pub(super) must_arrive: bool,
}

/// Letters in memory.
#[derive(Debug, Default)]
pub(super) struct Lane {
    waiting: VecDeque<Kept>,
    bytes: u64,
    under_way: HashMap<u64, Kept>,
    last_key: u64,
}

impl Lane {
    pub(super) fn push(&mut self, kept: Kept) {
        self.bytes += u64::from(kept.demised.bytes);
        self.waiting.push_back(kept);
    }

    /// Puts letters before all others, in their order.
    pub(super) fn put_first(&mut self, letters: Vec<Kept>) {
        for kept in letters.into_iter().rev() {
            self.bytes += u64::from(kept.demised.bytes);
            self.waiting.push_front(kept);
        }
    }

    /// Letters that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Bytes of their bodies.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Letters under way.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// Takes the letter of that key, which is no longer under way.
    pub(super) fn arrived(&mut self, key: u64) -> Option<Kept> {
        self.under_way.remove(&key)
    }

    /// Sends up to `max` letters that wait on their way.
    pub(super) fn send(
        &mut self,
        source: &Arc<QueueSpec>,
        terms: &Terms,
        max: usize,
        answers: &mpsc::UnboundedSender<LetterAnswer>,
    ) -> LetterBatch {
        let count = self.waiting.len().min(max).min(LETTERS_PER_BATCH_MAX);
        let mut letters = Vec::with_capacity(count);
        for kept in self.waiting.drain(..count) {
            self.bytes = self.bytes.saturating_sub(kept.demised.bytes.into());
            self.last_key += 1;
            letters.push(Letter {
                key: self.last_key,
                message: kept.message.clone(),
                failures: kept.demised.failures,
                reason: kept.demised.reason,
                at_s: kept.demised.at_s,
                to: terms.to.clone(),
                must_arrive: terms.must_arrive,
                taken_by: kept.taken_by.clone(),
            });
            self.under_way.insert(self.last_key, kept);
        }
        LetterBatch { source: source.clone(), letters, answers: answers.clone() }
    }

    /// Gives everything up and answers with it.
    pub(super) fn clear(&mut self) -> Vec<Demised> {
        self.bytes = 0;
        let under_way = self.under_way.drain().map(|(_, kept)| kept);
        self.waiting.drain(..).chain(under_way).map(|kept| kept.demised).collect()
    }
}
