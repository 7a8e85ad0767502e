//! The pump of dead letters: takes them from the vhost's queues, routes them on the current
//! picture, publishes them into the queues found, and tells their sources what became of them.
//!
//! A queue waits neither for the pump nor for another queue; the pump waits for queues. It
//! asks no permissions: who declared the source was asked then. It repeats nothing itself:
//! whether a letter that nobody took is sent again is for its source to decide.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::time::{Duration, Instant, sleep_until};

use super::handle::Shared;
use crate::domain::queue::QueueId;
use crate::domain::queue::dead_letter::{DeadLetter, Demise};
use crate::domain::routing::{RouteBuffer, route};
use crate::runtime::publish::route_request;
use crate::runtime::queue::{
    ConfirmRange, ConnectionEvent, ConnectionSender, Fate, Incoming, Letter, LetterAnswer, LetterBatch, PublishBatch,
    QueueCommand, QueueHandle, shares,
};
use crate::storage::LogHealth;

/// Batches the pump's mailbox holds. When it is full, letters wait in their queues.
pub(super) const PUMP_BATCHES_MAX: usize = 16;

/// Letters whose queues have not answered yet. Beyond it the pump takes no more. Each source
/// has a lower limit of its own, so that one whose letters get nowhere leaves room for others.
const LETTERS_UNDER_WAY_MAX: usize = 1 << 16;

/// After routes changed, letters that found none are tried again within this time, however
/// often routes change.
const ROUTES_SETTLE: Duration = Duration::from_millis(100);

/// A letter that stays with its source until every queue it went to has answered.
struct UnderWay {
    /// Queues that have not answered.
    missing: usize,
    key: u64,
    must_arrive: bool,
    fate: Fate,
    /// Where it went, when it matters which of them took it.
    targets: Vec<QueueHandle>,
    taken_by: Vec<QueueId>,
    source: QueueId,
    answers: mpsc::UnboundedSender<LetterAnswer>,
}

/// The pump of one vhost.
pub(super) struct Pump {
    shared: Arc<Shared>,
    sender: ConnectionSender,
    confirms: mpsc::UnboundedReceiver<ConnectionEvent>,
    /// Whether logs take appends.
    health: watch::Receiver<LogHealth>,
    /// By sequence number.
    under_way: HashMap<u64, UnderWay>,
    last_sequence: u64,
    /// Sources with letters that found no queue.
    stuck: HashMap<QueueId, mpsc::UnboundedSender<LetterAnswer>>,
    /// When to tell them that routes have changed.
    tell_at: Option<Instant>,
    buffer: RouteBuffer<QueueHandle>,
}

impl Pump {
    pub(super) fn new(shared: Arc<Shared>, health: watch::Receiver<LogHealth>) -> Self {
        let (sender, confirms) = ConnectionSender::new();
        Self {
            shared,
            sender,
            confirms,
            health,
            under_way: HashMap::new(),
            last_sequence: 0,
            stuck: HashMap::new(),
            tell_at: None,
            buffer: RouteBuffer::default(),
        }
    }

    /// Runs until the vhost and its last queue are gone.
    pub(super) async fn run(mut self, mut batches: mpsc::Receiver<LetterBatch>) {
        let shared = self.shared.clone();
        loop {
            let tell_at = self.tell_at;
            tokio::select! {
                biased;
                confirm = self.confirms.recv() => {
                    if let Some(ConnectionEvent::Confirm(ranges)) = confirm {
                        self.settle(&ranges);
                    }
                }
                () = shared.changed.notified(), if tell_at.is_none() && !self.stuck.is_empty() => {
                    self.tell_at = Some(Instant::now() + ROUTES_SETTLE);
                }
                () = sleep_until(tell_at.unwrap_or_else(Instant::now)), if tell_at.is_some() => {
                    self.tell_at = None;
                    for (_, source) in self.stuck.drain() {
                        // The source may be gone.
                        let _ = source.send(LetterAnswer::RoutesChanged);
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
        // What cannot become durable now waits with its source, which has it on disk.
        let waits = *self.health.borrow() != LogHealth::Well;
        for letter in &batch.letters {
            let demise = Demise {
                queue: &batch.source.name,
                reason: letter.reason,
                at_s: letter.at_s,
                failures: letter.failures,
            };
            let routed = DeadLetter::new(&letter.message, demise, &letter.to);
            let mut queues = match &routed {
                Some(routed) => self.route(routed, &letter.taken_by),
                None => Vec::new(),
            };
            let found = queues.len();
            if waits && letter.message.is_persistent() {
                queues.retain(|queue| !queue.spec().durable);
            }
            let fate = match (queues.len() < found, found == 0 && letter.taken_by.is_empty()) {
                (true, _) => Fate::Unavailable,
                (false, true) => Fate::NoRoute,
                (false, false) => Fate::Taken,
            };
            let sequence = self.expect(letter, &queues, fate, &batch);
            let shares = shares(queues.len());
            for (number, queue) in queues.into_iter().enumerate() {
                let Some(routed) = &routed else { break };
                // The number of the queue comes back with its answer.
                let channel = u16::try_from(number).unwrap_or(u16::MAX);
                let incoming = Incoming { message: routed.message.clone(), sequence, channel, epoch: 0, shares };
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
                // One that merely stopped does not answer: the letters stay in the source's log
                // for the next start.
                messages.iter().for_each(|incoming| self.settle_one(incoming.sequence, incoming.channel, Fate::Taken));
            }
        }
    }

    /// The queues a letter goes to; those in which it would go round for ever, and those that
    /// have it, are left out.
    fn route(&mut self, letter: &DeadLetter, taken_by: &[QueueId]) -> Vec<QueueHandle> {
        let topology = self.shared.topology.load();
        let keys: Vec<&str> = letter.routing_keys.iter().map(String::as_str).collect();
        let message = &letter.message;
        self.buffer.queues.clear();
        let buffer = &mut self.buffer;
        let routed = route_request(message, message.exchange(), &keys, |request| route(&topology, request, buffer));
        // An exchange that does not exist leads nowhere.
        if routed.is_none() {
            return Vec::new();
        }
        self.shared.histories.remember(&self.buffer.histories, message);
        self.buffer.replies.iter().for_each(|address| self.shared.replies.send(address, message));
        let wants = |queue: &QueueHandle| {
            !letter.closes_cycle(queue.spec().name.as_str()) && !taken_by.contains(&queue.spec().id)
        };
        self.buffer.queues.drain(..).filter(wants).collect()
    }

    /// The sequence number under which queues answer for a letter. `fate`: what becomes of it
    /// when they all take it.
    fn expect(&mut self, letter: &Letter, queues: &[QueueHandle], fate: Fate, batch: &LetterBatch) -> u64 {
        if queues.is_empty() {
            if letter.must_arrive && fate == Fate::NoRoute {
                self.stuck.insert(batch.source.id, batch.answers.clone());
            }
            // The source may be gone.
            let _ = batch.answers.send(LetterAnswer::Fate { key: letter.key, fate, taken_by: Vec::new() });
            return 0;
        }
        self.last_sequence += 1;
        let telling = letter.must_arrive || queues.len() > 1 || fate != Fate::Taken;
        let under_way = UnderWay {
            missing: queues.len(),
            key: letter.key,
            must_arrive: letter.must_arrive,
            fate,
            targets: if telling { queues.to_vec() } else { Vec::new() },
            taken_by: Vec::new(),
            source: batch.source.id,
            answers: batch.answers.clone(),
        };
        self.under_way.insert(self.last_sequence, under_way);
        self.last_sequence
    }

    fn settle(&mut self, ranges: &[ConfirmRange]) {
        for range in ranges {
            let fate = match (range.accepted, range.unavailable) {
                (true, _) => Fate::Taken,
                (false, true) => Fate::Unavailable,
                (false, false) => Fate::Refused,
            };
            (range.first..=range.last).for_each(|sequence| self.settle_one(sequence, range.channel, fate));
        }
    }

    /// A queue has answered for a letter.
    fn settle_one(&mut self, sequence: u64, target: u16, fate: Fate) {
        let Some(letter) = self.under_way.get_mut(&sequence) else { return };
        let target = letter.targets.get(usize::from(target));
        letter.missing -= 1;
        match (fate, target) {
            // What a deleted queue takes is in no queue; a letter that must arrive looks for another.
            (Fate::Taken, Some(target)) if letter.must_arrive && target.is_gone() => {}
            (Fate::Taken, Some(target)) => letter.taken_by.push(target.spec().id),
            (Fate::Taken, None) => {}
            (fate, _) => letter.fate = worse(letter.fate, fate),
        }
        if letter.missing > 0 {
            return;
        }
        let Some(mut letter) = self.under_way.remove(&sequence) else { return };
        if letter.must_arrive && letter.fate == Fate::Taken && letter.taken_by.is_empty() {
            letter.fate = Fate::NoRoute;
            self.stuck.insert(letter.source, letter.answers.clone());
        }
        let answer = LetterAnswer::Fate { key: letter.key, fate: letter.fate, taken_by: letter.taken_by };
        // The source may be gone.
        let _ = letter.answers.send(answer);
    }
}

/// What becomes of a letter of which different queues say different things.
fn worse(one: Fate, other: Fate) -> Fate {
    match (one, other) {
        (Fate::Unavailable, _) | (_, Fate::Unavailable) => Fate::Unavailable,
        (Fate::Refused, _) | (_, Fate::Refused) => Fate::Refused,
        (Fate::NoRoute, _) | (_, Fate::NoRoute) => Fate::NoRoute,
        (Fate::Taken, Fate::Taken) => Fate::Taken,
    }
}
