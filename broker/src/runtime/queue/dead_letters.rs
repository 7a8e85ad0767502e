//! A queue's dead letters on their way to its vhost.
//!
//! The queue never waits for them: they stand here until the vhost's pump has room. What
//! is in the log stays there until the queues it goes to have taken it, so a crash loses
//! no letter.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::domain::message::Message;
use crate::domain::queue::QueueSpec;
use crate::domain::queue::dead_letter::DeadLetterTo;
use crate::domain::queue::ready::Entry;
use crate::domain::queue::state::DropReason;

/// Letters handed to the pump at once.
const LETTERS_PER_BATCH_MAX: usize = 64;

/// Letters that may wait before the queue stops handing out and dropping messages, which
/// keeps further ones where they are.
const LETTERS_WAITING_MAX: usize = 4096;

/// A message that left its queue.
#[derive(Debug)]
pub(crate) struct Letter {
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
    /// Its place in the queue's log, which waits to hear that it was taken.
    pub(crate) position: Option<u64>,
}

/// Letters of one queue, in order.
#[derive(Debug)]
pub(crate) struct LetterBatch {
    /// The queue.
    pub(crate) source: Arc<QueueSpec>,
    /// The letters.
    pub(crate) letters: Vec<Letter>,
    /// Where to say which positions were taken. Without capacity of its own: one message
    /// per letter with a position.
    pub(crate) taken: mpsc::UnboundedSender<u64>,
}

/// Letters of one queue, waiting and under way.
pub(super) struct DeadLetters {
    source: Arc<QueueSpec>,
    pump: mpsc::Sender<LetterBatch>,
    waiting: VecDeque<Letter>,
    /// Made when first needed: most queues have no dead letters.
    taken: Option<(mpsc::UnboundedSender<u64>, mpsc::UnboundedReceiver<u64>)>,
    under_way: usize,
}

impl DeadLetters {
    pub(super) fn new(source: Arc<QueueSpec>, pump: mpsc::Sender<LetterBatch>) -> Self {
        Self { source, pump, waiting: VecDeque::new(), taken: None, under_way: 0 }
    }

    pub(super) fn push(&mut self, entry: Entry, reason: DropReason, at_s: u64, to: Arc<DeadLetterTo>) {
        let position = entry.logged.then_some(entry.position);
        self.waiting.push_back(Letter { message: entry.message, failures: entry.failures, reason, at_s, to, position });
    }

    /// Whether [`Self::turn`] has anything to do or wait for.
    pub(super) fn is_busy(&self) -> bool {
        !self.waiting.is_empty() || self.under_way > 0
    }

    /// Whether more messages may leave.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < LETTERS_WAITING_MAX
    }

    /// Hands a batch over, or hears which position was taken. Nothing is lost when the
    /// future is dropped.
    pub(super) async fn turn(&mut self) -> Option<u64> {
        let Self { source, pump, waiting, taken, under_way } = self;
        let (taken, heard) = taken.get_or_insert_with(mpsc::unbounded_channel);
        tokio::select! {
            permit = pump.reserve(), if !waiting.is_empty() => match permit {
                Ok(permit) => permit.send(next_batch(source, waiting, taken, under_way)),
                // The vhost is gone, and so is everything letters could go to.
                Err(_) => waiting.clear(),
            },
            position = heard.recv(), if *under_way > 0 => {
                *under_way -= 1;
                return position;
            }
        }
        None
    }

    /// The queue is deleted: letters that left it before still arrive.
    pub(super) fn hand_over(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return;
        }
        let (source, pump) = (self.source.clone(), self.pump.clone());
        tokio::spawn(async move {
            // Nobody listens: the log of the queue is gone.
            let (taken, _) = mpsc::unbounded_channel();
            let mut under_way = 0;
            while !waiting.is_empty() {
                let batch = next_batch(&source, &mut waiting, &taken, &mut under_way);
                if pump.send(batch).await.is_err() {
                    return;
                }
            }
        });
    }
}

fn next_batch(
    source: &Arc<QueueSpec>,
    waiting: &mut VecDeque<Letter>,
    taken: &mpsc::UnboundedSender<u64>,
    under_way: &mut usize,
) -> LetterBatch {
    let letters: Vec<Letter> = waiting.drain(..waiting.len().min(LETTERS_PER_BATCH_MAX)).collect();
    *under_way += letters.iter().filter(|letter| letter.position.is_some()).count();
    LetterBatch { source: source.clone(), letters, taken: taken.clone() }
}
