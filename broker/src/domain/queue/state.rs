//! The queue itself: ready messages, messages that are out, consumers.
//!
//! A pure state machine: commands in, effects out through [`Effects`]; time is an argument.
//! Its owner persists and delivers the effects.

use super::consumer::{Consumer, ConsumerSet, Served};
use super::delayed::{Delayed, DelayedRetry};
use super::held::Held;
use super::page::Sum;
use super::ready::{Entry, ReadyList, Return};
use super::unacked::UnackedSlots;
use super::{ConsumerId, QueueKind, SessionId};
use crate::domain::message::Message;
use crate::metrics::QueueCounters;

/// A message handed to a consumer or fetched.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// The message.
    pub message: Message,
    /// The queue's place for it while it is out; meaningless without acknowledgement.
    pub slot: u32,
    /// Whether it was delivered before.
    pub redelivered: bool,
    /// How often it was handed out before (quorum queues show it).
    pub acquired: u32,
    /// How often that failed (quorum queues show it).
    pub failures: u16,
}

/// What becomes of a message that is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Done.
    Ack,
    /// Back to its place (`basic.nack`, `basic.recover`, a closed channel).
    Requeue,
    /// Back to its place, counted as a failed delivery (`basic.reject`).
    RejectRequeue,
    /// Dropped or dead-lettered (`basic.nack`).
    Discard,
    /// Dropped or dead-lettered, counted as a failed delivery (`basic.reject`).
    RejectDiscard,
}

/// Why a message left without being acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropReason {
    /// Rejected without requeue.
    Rejected,
    /// Its time was up.
    Expired,
    /// The queue was too long.
    MaxLength,
    /// It failed too often.
    DeliveryLimit,
}

impl DropReason {
    /// As `x-death` spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::MaxLength => "maxlen",
            Self::DeliveryLimit => "delivery_limit",
        }
    }
}

/// What to do with a message when the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// Drop from the head.
    #[default]
    DropHead,
    /// Refuse the new one.
    RejectPublish,
    /// Refuse the new one and dead-letter it.
    RejectPublishDlx,
}

/// The settings the state machine obeys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueLimits {
    /// What sort of queue: a quorum queue counts failures and serves returned messages first.
    pub kind: QueueKind,
    /// Longest life of a ready message.
    pub message_ttl_ms: Option<u64>,
    /// Most ready messages.
    pub max_length: Option<u64>,
    /// Most bytes of ready bodies.
    pub max_length_bytes: Option<u64>,
    /// What to do beyond.
    pub overflow: Overflow,
    /// Highest priority; 0: not a priority queue.
    pub max_priority: u8,
    /// Only one consumer is served.
    pub single_active_consumer: bool,
    /// Most failed deliveries of a message.
    pub delivery_limit: Option<u64>,
    /// Which returned messages wait before they come again; quorum queues only.
    pub delayed_retry: Option<DelayedRetry>,
    /// Whether anybody wants what leaves unacknowledged.
    pub dead_letters: bool,
}

/// Where a queue's effects go.
pub trait Effects {
    /// Whether the consumer can take a body of that length now; takes the room if so.
    fn admit(&mut self, consumer: ConsumerId, body_bytes: u32) -> bool;
    /// A message goes to a consumer.
    fn deliver(&mut self, consumer: ConsumerId, delivered: Delivered);
    /// The log no longer needs this position.
    fn forget(&mut self, position: u64);
    /// The log no longer needs any position from `first` to `last`.
    fn forget_through(&mut self, first: u64, last: u64);
    /// What was spilled under this key is no longer needed.
    fn forget_spilled(&mut self, key: u64);
    /// A message leaves unacknowledged. If it was logged, forgetting it is up to whoever dead-letters it.
    fn dropped(&mut self, entry: Entry, reason: DropReason);
    /// A returned message waits until then, in milliseconds since the epoch.
    fn delayed(&mut self, _held: &Held, _ready_at_ms: u64) {}
    /// It no longer waits.
    fn undelayed(&mut self, _position: u64) {}
    /// A place of a channel's shared prefetch is free again.
    fn released(&mut self, consumer: ConsumerId);
}

/// One queue.
#[derive(Debug)]
pub struct QueueState {
    ready: ReadyList,
    unacked: UnackedSlots,
    out: out::Out,
    consumers: ConsumerSet,
    limits: QueueLimits,
    next_position: u64,
    persistent: Sum,
    /// Messages that left and are still here, since nobody else has them.
    held: Sum,
    /// Returned messages that wait; empty in all but quorum queues.
    delayed: Delayed,
    /// The time as it was last told.
    now_ms: u64,
    counters: QueueCounters,
}

impl QueueState {
    /// An empty queue.
    #[must_use]
    pub fn new(limits: QueueLimits) -> Self {
        let quorum = limits.kind == QueueKind::Quorum;
        let returns = if quorum { Return::First } else { Return::ToPlace };
        let served = match (limits.single_active_consumer, quorum) {
            (false, _) => Served::All,
            (true, false) => Served::One,
            (true, true) => Served::HighestPriority,
        };
        Self {
            ready: ReadyList::new(limits.max_priority, returns),
            unacked: UnackedSlots::default(),
            out: out::Out::default(),
            consumers: ConsumerSet::new(served),
            limits,
            next_position: 1,
            persistent: Sum::default(),
            held: Sum::default(),
            delayed: Delayed::default(),
            now_ms: 0,
            counters: QueueCounters::default(),
        }
    }

    /// Makes a new state go on where an empty one left off.
    pub fn go_on(&mut self, next_position: u64, counters: QueueCounters) {
        self.next_position = next_position;
        self.counters = counters;
    }

    fn account_come(&mut self, message: &Message) {
        if message.is_persistent() {
            self.persistent.add(message.body_len());
        }
    }

    /// Sets what policies may change of a living queue. Messages that are in it keep their expiry.
    pub fn set_limits(&mut self, limits: &QueueLimits) {
        let QueueLimits { kind, max_priority, single_active_consumer, .. } = self.limits;
        self.limits = QueueLimits { kind, max_priority, single_active_consumer, ..limits.clone() };
    }

    /// The position the next message will get.
    #[must_use]
    pub fn next_position(&self) -> u64 {
        self.next_position
    }

    /// Whether a publish of such a body is to be refused because the queue is full. A
    /// quorum queue refuses only once it is over its limit.
    #[must_use]
    pub fn refuses_publish(&self, body_bytes: u32) -> bool {
        if self.limits.overflow == Overflow::DropHead {
            return false;
        }
        let (more, more_bytes) = match self.limits.kind {
            QueueKind::Quorum => (0, 0),
            QueueKind::Classic | QueueKind::Stream => (1, u64::from(body_bytes)),
        };
        self.is_longer_than_allowed(more, more_bytes)
    }

    fn is_longer_than_allowed(&self, more: u64, more_bytes: u64) -> bool {
        let elsewhere = self.held.with(self.delayed.sum());
        let (len, bytes) = (self.ready.len() as u64 + elsewhere.messages, self.ready.bytes() + elsewhere.bytes);
        self.limits.max_length.is_some_and(|max| len + more > max)
            || self.limits.max_length_bytes.is_some_and(|max| bytes + more_bytes > max)
    }

    /// Messages that left and are still here count for the length as well.
    pub fn set_held(&mut self, held: Sum) {
        self.held = held;
    }

    /// Takes a message; `expires_at_ms` 0: never.
    pub fn publish(&mut self, message: Message, expires_at_ms: u64, priority: u8, logged: bool) -> u64 {
        let position = self.next_position;
        self.next_position += 1;
        self.counters.publish += 1;
        self.account_come(&message);
        self.ready.push(Entry::published(position, message, expires_at_ms, priority, logged));
        position
    }

    /// Enforces the length limits by dropping from the head, `max` messages at most. Answers
    /// whether there is more to drop; a head on disk is dropped once it is read.
    pub fn enforce_length(&mut self, max: usize, effects: &mut impl Effects) -> bool {
        for _ in 0..max {
            if !self.is_too_long() {
                return false;
            }
            let Some(held) = self.ready.pop_held() else { return false };
            self.drop_held(held, DropReason::MaxLength, effects);
        }
        self.is_too_long() && !self.ready.is_head_paged()
    }

    /// Whether messages are to be dropped from the head.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        self.limits.overflow == Overflow::DropHead && self.is_longer_than_allowed(0, 0) && !self.ready.is_empty()
    }

    /// Drops heads whose time is up, `max` at most. Answers whether there may be more.
    pub fn expire(&mut self, now_ms: u64, max: usize, effects: &mut impl Effects) -> bool {
        for _ in 0..max {
            let Some(held) = self.ready.pop_expired(now_ms) else { return false };
            self.drop_held(held, DropReason::Expired, effects);
        }
        true
    }

    /// When the next head expires.
    #[must_use]
    pub fn next_expiry_ms(&self) -> Option<u64> {
        self.ready.next_expiry_ms()
    }

    fn drop_entry(&mut self, entry: Entry, reason: DropReason, effects: &mut impl Effects) {
        self.account_gone(entry.message.is_persistent(), entry.message.body_len());
        effects.dropped(entry, reason);
    }

    fn account_gone(&mut self, persistent: bool, body_len: u32) {
        if persistent {
            self.persistent = self.persistent.without(Sum { messages: 1, bytes: body_len.into() });
        }
    }

    fn finish(&mut self, entry: &Entry, effects: &mut impl Effects) {
        self.account_gone(entry.message.is_persistent(), entry.message.body_len());
        if entry.logged {
            effects.forget(entry.position);
        }
    }

    /// Gives ready messages to consumers with room, each in turn.
    pub fn deliver(&mut self, effects: &mut impl Effects) {
        while let Some(head) = self.ready.peek() {
            let body_bytes = head.message.body_len();
            let Some(id) = self.consumers.whose_turn() else { return };
            if !effects.admit(id, body_bytes) {
                self.consumers.park(id);
                continue;
            }
            let Some(entry) = self.ready.pop() else { return };
            let Some(consumer) = self.consumers.get(id) else { return };
            let (no_ack, session) = (consumer.no_ack, consumer.session);
            self.consumers.served(id);
            let delivered = self.hand_out(entry, no_ack, session, Some(id), effects);
            if no_ack {
                self.counters.deliver_no_ack += 1;
            } else {
                self.counters.deliver += 1;
            }
            effects.deliver(id, delivered);
        }
    }

    fn hand_out(
        &mut self,
        mut entry: Entry,
        no_ack: bool,
        session: SessionId,
        consumer: Option<ConsumerId>,
        effects: &mut impl Effects,
    ) -> Delivered {
        let failures = entry.failures;
        // A dead letter that failed elsewhere counts here once it was handed out here.
        let acquired = if entry.acquired == 0 { failures.into() } else { entry.acquired };
        let redelivered = acquired > 0;
        if redelivered {
            self.counters.redeliver += 1;
        }
        if no_ack {
            self.finish(&entry, effects);
            return Delivered { message: entry.message, slot: 0, redelivered, acquired, failures };
        }
        entry.acquired = entry.acquired.saturating_add(1);
        let message = entry.message.clone();
        let slot = self.keep_out(entry, session, consumer);
        Delivered { message, slot, redelivered, acquired, failures }
    }

    /// Fetches one message; not for a queue whose head is on disk.
    pub fn get(&mut self, session: SessionId, no_ack: bool, effects: &mut impl Effects) -> Option<Delivered> {
        let Some(entry) = self.ready.pop() else {
            self.counters.get_empty += 1;
            return None;
        };
        if no_ack {
            self.counters.get_no_ack += 1;
        } else {
            self.counters.get += 1;
        }
        Some(self.hand_out(entry, no_ack, session, None, effects))
    }

    /// Settles one message that is out; a slot settled before changes nothing.
    pub fn settle(&mut self, slot: u32, disposition: Disposition, effects: &mut impl Effects) {
        let Some(unacked) = self.unacked.take(slot) else { return };
        if let Some(consumer) = unacked.consumer {
            self.consumers.settled(consumer);
            effects.released(consumer);
        }
        match disposition {
            Disposition::Ack => {
                self.counters.ack += 1;
                self.finish_held(&unacked.held, effects);
            }
            Disposition::RejectRequeue if self.limits.kind == QueueKind::Quorum => {
                self.failed(unacked.held, effects);
            }
            Disposition::Requeue | Disposition::RejectRequeue => self.come_again(unacked.held, false, effects),
            Disposition::Discard => self.drop_held(unacked.held, DropReason::Rejected, effects),
            Disposition::RejectDiscard => {
                let mut held = unacked.held;
                held.fail();
                self.drop_held(held, DropReason::Rejected, effects);
            }
        }
    }

    fn failed(&mut self, mut held: Held, effects: &mut impl Effects) {
        let failures = u64::from(held.fail());
        if self.limits.delivery_limit.is_some_and(|limit| failures > limit) {
            self.drop_held(held, DropReason::DeliveryLimit, effects);
        } else {
            self.come_again(held, true, effects);
        }
    }

    /// What a channel has out, in the order to settle it when the channel is gone: as
    /// [`Disposition::RejectRequeue`], before [`Self::remove_consumers_of`].
    #[must_use]
    pub fn out_with(&self, session: SessionId) -> Vec<u32> {
        self.unacked.of_session(session)
    }

    /// A channel is gone, and with it its consumers.
    pub fn remove_consumers_of(&mut self, session: SessionId) -> Vec<ConsumerId> {
        let leaving = self.consumers.filter(|consumer| consumer.session == session);
        for &id in &leaving {
            self.consumers.remove(id);
        }
        leaving
    }

    /// Adds a consumer.
    pub fn add_consumer(&mut self, consumer: Consumer) -> ConsumerId {
        self.consumers.add(consumer)
    }

    /// Removes a consumer; what it has out stays out.
    pub fn remove_consumer(&mut self, id: ConsumerId) -> Option<Consumer> {
        self.consumers.remove(id)
    }

    /// A consumer has room again.
    pub fn resume(&mut self, id: ConsumerId) {
        self.consumers.resume(id);
    }

    /// The consumers.
    #[must_use]
    pub fn consumers(&self) -> &ConsumerSet {
        &self.consumers
    }

    /// Ready messages and bytes of their bodies.
    #[must_use]
    pub fn ready(&self) -> (u64, u64) {
        (self.ready.len() as u64, self.ready.bytes())
    }

    /// The next message to deliver.
    #[must_use]
    pub fn head(&self) -> Option<&Message> {
        self.ready.peek().map(|entry| &entry.message)
    }

    /// Messages that are out and bytes of their bodies.
    #[must_use]
    pub fn unacked(&self) -> (u64, u64) {
        (self.unacked.len() as u64, self.unacked.bytes())
    }

    /// Persistent messages and bytes of their bodies.
    #[must_use]
    pub fn persistent(&self) -> (u64, u64) {
        (self.persistent.messages, self.persistent.bytes)
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> QueueCounters {
        self.counters
    }

    /// The limits it obeys.
    #[must_use]
    pub fn limits(&self) -> &QueueLimits {
        &self.limits
    }
}

mod delay;
mod out;
mod paging;
#[cfg(test)]
mod tests;
