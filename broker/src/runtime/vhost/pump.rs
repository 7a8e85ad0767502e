//! The pump of dead letters: takes them from the vhost's queues, routes them on the current
//! picture, publishes them into the queues found.
//!
//! A queue waits neither for the pump nor for another queue; the pump waits for queues. It
//! asks no permissions: who declared the source was asked then.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::handle::Shared;
use crate::domain::queue::dead_letter::{DeadLetter, Demise};
use crate::domain::routing::{RouteBuffer, route};
use crate::runtime::publish::route_request;
use crate::runtime::queue::{
    ConfirmRange, ConnectionEvent, ConnectionSender, Incoming, Letter, LetterBatch, PublishBatch, QueueCommand,
    QueueHandle, shares,
};

/// Batches the pump's mailbox holds. When it is full, letters wait in their queues.
pub(super) const PUMP_BATCHES_MAX: usize = 16;

/// Letters whose queues have not answered yet. Beyond it the pump takes no more.
const LETTERS_UNDER_WAY_MAX: usize = 4096;

/// A letter that stays in its source's log until every queue it went to has answered.
struct UnderWay {
    queues: usize,
    position: u64,
    taken: mpsc::UnboundedSender<u64>,
}

/// The pump of one vhost.
pub(super) struct Pump {
    shared: Arc<Shared>,
    sender: ConnectionSender,
    answers: mpsc::UnboundedReceiver<ConnectionEvent>,
    /// By sequence number, the first of which is `first`.
    under_way: VecDeque<Option<UnderWay>>,
    first: u64,
    buffer: RouteBuffer<QueueHandle>,
}

impl Pump {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let (sender, answers) = ConnectionSender::new();
        Self { shared, sender, answers, under_way: VecDeque::new(), first: 1, buffer: RouteBuffer::default() }
    }

    /// Runs until the vhost and its last queue are gone.
    pub(super) async fn run(mut self, mut batches: mpsc::Receiver<LetterBatch>) {
        loop {
            tokio::select! {
                biased;
                answer = self.answers.recv() => {
                    if let Some(ConnectionEvent::Confirm(ranges)) = answer {
                        self.settle(&ranges);
                    }
                }
                batch = batches.recv(), if self.under_way.len() < LETTERS_UNDER_WAY_MAX => match batch {
                    Some(batch) => self.send(batch).await,
                    None => return,
                },
            }
        }
    }

    async fn send(&mut self, batch: LetterBatch) {
        let mut outgoing: Vec<(QueueHandle, Vec<Incoming>)> = Vec::new();
        for letter in &batch.letters {
            let demise = Demise {
                queue: &batch.source.name,
                reason: letter.reason,
                at_s: letter.at_s,
                failures: letter.failures,
            };
            let routed = DeadLetter::new(&letter.message, demise, &letter.to);
            let queues = match &routed {
                Some(routed) => self.route(routed),
                None => Vec::new(),
            };
            let sequence = self.expect(letter, queues.len(), &batch.taken);
            let shares = shares(queues.len());
            for queue in queues {
                let Some(routed) = &routed else { break };
                let incoming = Incoming { message: routed.message.clone(), sequence, channel: 0, epoch: 0, shares };
                match outgoing.iter_mut().find(|(known, _)| *known == queue) {
                    Some((_, messages)) => messages.push(incoming),
                    None => outgoing.push((queue, vec![incoming])),
                }
            }
        }
        for (queue, messages) in outgoing {
            let batch = PublishBatch { from: Some(self.sender.clone()), messages };
            if let Err(QueueCommand::Publish(PublishBatch { messages, .. })) =
                queue.send(QueueCommand::Publish(batch)).await
                && queue.is_gone()
            {
                // A queue that is deleted counts as having answered. One that merely stopped
                // does not: the letters stay in the source's log for the next start.
                let answered = messages.iter().filter(|incoming| incoming.sequence != 0);
                answered.for_each(|incoming| self.settle_one(incoming.sequence));
            }
        }
    }

    /// The queues a letter goes to; one in which it would go round for ever is left out.
    fn route(&mut self, letter: &DeadLetter) -> Vec<QueueHandle> {
        let topology = self.shared.topology.load();
        let keys: Vec<&str> = letter.routing_keys.iter().map(String::as_str).collect();
        let message = &letter.message;
        self.buffer.queues.clear();
        let buffer = &mut self.buffer;
        let routed = route_request(message, message.exchange(), &keys, |request| route(&topology, request, buffer));
        // An exchange that does not exist drops its letters.
        if routed.is_none() {
            return Vec::new();
        }
        self.shared.histories.remember(&self.buffer.histories, message);
        self.buffer.replies.iter().for_each(|address| self.shared.replies.send(address, message));
        self.buffer.queues.drain(..).filter(|queue| !letter.closes_cycle(queue.spec().name.as_str())).collect()
    }

    /// The sequence number under which queues answer for a letter; 0 when nobody waits.
    fn expect(&mut self, letter: &Letter, queues: usize, taken: &mpsc::UnboundedSender<u64>) -> u64 {
        let Some(position) = letter.position else { return 0 };
        if queues == 0 {
            // The source may be gone.
            let _ = taken.send(position);
            return 0;
        }
        self.under_way.push_back(Some(UnderWay { queues, position, taken: taken.clone() }));
        self.first + self.under_way.len() as u64 - 1
    }

    fn settle(&mut self, ranges: &[ConfirmRange]) {
        for range in ranges {
            (range.first..=range.last).for_each(|sequence| self.settle_one(sequence));
        }
    }

    /// A queue took a letter or refused it, which ends its way as well.
    fn settle_one(&mut self, sequence: u64) {
        let Some(place) = sequence.checked_sub(self.first).and_then(|at| self.under_way.get_mut(at as usize)) else {
            return;
        };
        let Some(letter) = place else { return };
        letter.queues -= 1;
        if letter.queues == 0 {
            // The source may be gone.
            let _ = letter.taken.send(letter.position);
            *place = None;
        }
        while let Some(None) = self.under_way.front() {
            self.under_way.pop_front();
            self.first += 1;
        }
    }
}
