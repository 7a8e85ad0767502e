//! Messages on their way from one owner's log into queues: each stays in the log until
//! every queue it went to has answered.
//!
//! Whoever forwards waits for queues, never a queue for it.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use crate::domain::message::Message;
use crate::runtime::queue::{
    ConfirmRange, ConnectionEvent, ConnectionSender, Incoming, PublishBatch, QueueCommand, QueueHandle, shares,
};

/// Messages for several queues, a batch for each.
#[derive(Debug, Default)]
pub(super) struct Outgoing(Vec<(QueueHandle, Vec<Incoming>)>);

impl Outgoing {
    /// Adds a message for each of the queues; `sequence` 0: nobody waits for their answers.
    pub(super) fn push(&mut self, queues: Vec<QueueHandle>, message: &Message, sequence: u64) {
        let shares = shares(queues.len());
        for queue in queues {
            let incoming = Incoming { message: message.clone(), sequence, channel: 0, epoch: 0, shares };
            match self.0.iter_mut().find(|(known, _)| *known == queue) {
                Some((_, messages)) => messages.push(incoming),
                None => self.0.push((queue, vec![incoming])),
            }
        }
    }
}

/// Queues yet to answer, and what is done when they have.
struct UnderWay<T> {
    queues: usize,
    what: T,
}

/// What is under way, by sequence number.
pub(super) struct Forwarding<T> {
    sender: ConnectionSender,
    answers: mpsc::UnboundedReceiver<ConnectionEvent>,
    /// The first has the number `first`.
    under_way: VecDeque<Option<UnderWay<T>>>,
    first: u64,
}

impl<T> Forwarding<T> {
    pub(super) fn new() -> Self {
        let (sender, answers) = ConnectionSender::new();
        Self { sender, answers, under_way: VecDeque::new(), first: 1 }
    }

    /// How many messages queues have not answered for.
    pub(super) fn len(&self) -> usize {
        self.under_way.len()
    }

    /// The number under which so many queues answer for a message.
    pub(super) fn expect(&mut self, queues: usize, what: T) -> u64 {
        self.under_way.push_back(Some(UnderWay { queues, what }));
        self.first + self.under_way.len() as u64 - 1
    }

    /// Resolves when queues answered. Nothing is lost when the future is dropped.
    pub(super) async fn answered(&mut self) -> Vec<ConfirmRange> {
        match self.answers.recv().await {
            Some(ConnectionEvent::Confirm(ranges)) => ranges,
            _ => Vec::new(),
        }
    }

    /// What is done with these answers: a queue took a message or refused it, which ends its
    /// way as well.
    pub(super) fn settle(&mut self, ranges: &[ConfirmRange]) -> Vec<T> {
        let mut done = Vec::new();
        for range in ranges {
            (range.first..=range.last).for_each(|sequence| self.settle_one(sequence, &mut done));
        }
        done
    }

    /// Hands messages to their queues, waiting for room; answers with what is done at once.
    pub(super) async fn send(&mut self, outgoing: Outgoing) -> Vec<T> {
        let mut done = Vec::new();
        for (queue, messages) in outgoing.0 {
            let batch = PublishBatch { from: Some(self.sender.clone()), messages };
            if let Err(QueueCommand::Publish(PublishBatch { messages, .. })) =
                queue.send(QueueCommand::Publish(batch)).await
                && queue.is_gone()
            {
                // A queue that is deleted counts as having answered. One that merely stopped
                // does not: its messages stay in the source's log for the next start.
                let answered = messages.iter().filter(|incoming| incoming.sequence != 0);
                answered.for_each(|incoming| self.settle_one(incoming.sequence, &mut done));
            }
        }
        done
    }

    fn settle_one(&mut self, sequence: u64, done: &mut Vec<T>) {
        let Some(at) = sequence.checked_sub(self.first) else { return };
        let Some(place) = self.under_way.get_mut(at as usize) else { return };
        if let Some(message) = place {
            message.queues -= 1;
        }
        if let Some(message) = place.take_if(|message| message.queues == 0) {
            done.push(message.what);
        }
        while let Some(None) = self.under_way.front() {
            self.under_way.pop_front();
            self.first += 1;
        }
    }
}
