//! The pump of dead letters: takes them from the vhost's queues, routes them on the current
//! picture, publishes them into the queues found.
//!
//! A queue waits neither for the pump nor for another queue; the pump waits for queues. It
//! asks no permissions: who declared the source was asked then.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::forwarding::{Forwarding, Outgoing};
use super::handle::Shared;
use crate::domain::queue::dead_letter::{DeadLetter, Demise};
use crate::domain::routing::{RouteBuffer, route};
use crate::runtime::publish::route_request;
use crate::runtime::queue::{Letter, LetterBatch, QueueHandle};

/// Batches the pump's mailbox holds. When it is full, letters wait in their queues.
pub(super) const PUMP_BATCHES_MAX: usize = 16;

/// Letters whose queues have not answered yet. Beyond it the pump takes no more.
const LETTERS_UNDER_WAY_MAX: usize = 4096;

/// A letter's place in its source's log, and who waits to hear that it was taken.
struct Source {
    position: u64,
    taken: mpsc::UnboundedSender<u64>,
}

impl Source {
    fn tell(self) {
        // The source may be gone.
        let _ = self.taken.send(self.position);
    }
}

/// The pump of one vhost.
pub(super) struct Pump {
    shared: Arc<Shared>,
    forwarding: Forwarding<Source>,
    buffer: RouteBuffer<QueueHandle>,
}

impl Pump {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, forwarding: Forwarding::new(), buffer: RouteBuffer::default() }
    }

    /// Runs until the vhost and its last queue are gone.
    pub(super) async fn run(mut self, mut batches: mpsc::Receiver<LetterBatch>) {
        loop {
            tokio::select! {
                biased;
                ranges = self.forwarding.answered() => {
                    self.forwarding.settle(&ranges).into_iter().for_each(Source::tell);
                }
                batch = batches.recv(), if self.forwarding.len() < LETTERS_UNDER_WAY_MAX => match batch {
                    Some(batch) => self.send(batch).await,
                    None => return,
                },
            }
        }
    }

    async fn send(&mut self, batch: LetterBatch) {
        let mut outgoing = Outgoing::default();
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
            if let Some(routed) = routed {
                outgoing.push(queues, &routed.message, sequence);
            }
        }
        self.forwarding.send(outgoing).await.into_iter().for_each(Source::tell);
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
        let source = Source { position, taken: taken.clone() };
        if queues == 0 {
            source.tell();
            return 0;
        }
        self.forwarding.expect(queues, source)
    }
}
