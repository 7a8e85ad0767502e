//! The owner taking messages: what they are worth, whether they fit, when they are confirmed.

use std::sync::atomic::Ordering::Relaxed;

use super::command::{ConfirmRange, Incoming, PublishBatch};
use super::confirms::{Confirms, push_range};
use super::outbound::ConnectionEvent;
use super::stored;
use super::task::{Append, Owner};
use crate::domain::message::Message;
use crate::domain::properties::check_expiration;
use crate::domain::queue::QueueKind;
use crate::domain::queue::ready::Entry;
use crate::domain::queue::state::{DropReason, Effects, Overflow};
use crate::runtime::clock::now_ms;

/// Priority of a message without one in a quorum queue.
const QUORUM_PRIORITY_DEFAULT: u8 = 4;

impl Owner {
    /// When a message published now expires, in milliseconds since the epoch; 0: never.
    fn expires_at_ms(&self, message: &Message) -> u64 {
        let queue = self.state.limits().message_ttl_ms;
        if queue.is_none() && !message.has_expiration() {
            return 0;
        }
        let own = message.glance().expiration.and_then(|text| check_expiration(text).ok());
        let ttl = match (queue, own) {
            (Some(queue), Some(own)) => Some(queue.min(own)),
            (queue, own) => queue.or(own),
        };
        ttl.map_or(0, |ttl| now_ms().saturating_add(ttl).max(1))
    }

    pub(super) fn priority(&self, message: &Message) -> u8 {
        let limits = self.state.limits();
        if limits.max_priority == 0 {
            return 0;
        }
        let asked = if message.has_priority() { message.glance().priority } else { None };
        asked.map_or(self.usual_priority(), |asked| asked.min(limits.max_priority))
    }

    /// Priority of a message without one.
    pub(super) fn usual_priority(&self) -> u8 {
        let limits = self.state.limits();
        let usual = if limits.kind == QueueKind::Quorum { QUORUM_PRIORITY_DEFAULT } else { 0 };
        usual.min(limits.max_priority)
    }

    pub(super) fn take(&mut self, batch: PublishBatch) {
        let (durable, quorum) = (self.context.spec.durable, self.context.spec.kind == QueueKind::Quorum);
        let mut records = Vec::new();
        let mut at_once: Vec<ConfirmRange> = Vec::new();
        let mut when_durable: Vec<ConfirmRange> = Vec::new();
        for Incoming { message, sequence, channel, epoch, shares } in batch.messages {
            if self.refuses(&message) {
                push_range(&mut at_once, channel, epoch, sequence, false);
                self.refused(message);
                continue;
            }
            // A quorum queue keeps everything it takes.
            let message = if quorum { message.made_persistent() } else { message };
            let logged = durable && message.is_persistent();
            let (expires_at_ms, priority) = (self.expires_at_ms(&message), self.priority(&message));
            if logged {
                if !self.mixed && priority != self.usual_priority() {
                    self.note_priorities();
                }
                records.push(stored::to_record(self.state.next_position(), &message, expires_at_ms, shares));
                push_range(&mut when_durable, channel, epoch, sequence, true);
            } else {
                push_range(&mut at_once, channel, epoch, sequence, true);
            }
            self.state.publish(message, expires_at_ms, priority, logged);
            // One that has no time at all still goes to a consumer that can take it now.
            if expires_at_ms != 0 && expires_at_ms <= now_ms() && self.dead_letters.has_room() {
                self.state.deliver(&mut self.outlets);
            }
        }
        if let Some(from) = &batch.from
            && !at_once.is_empty()
        {
            from.send(ConnectionEvent::Confirm(at_once));
        }
        if !records.is_empty() {
            self.context.traffic.disk_writes.fetch_add(records.len() as u64, Relaxed);
            let done = self.context.log.append(self.log, self.epoch, records);
            self.appends.push_back(Append { done, confirms: Confirms::of(batch.from, when_durable) });
        }
        // Only now can what is logged be read back.
        self.page_out();
    }

    /// Whether the queue is full, even after consumers got what they have room for.
    fn refuses(&mut self, message: &Message) -> bool {
        if !self.state.refuses_publish(message.body_len()) {
            return false;
        }
        if self.dead_letters.has_room() {
            self.state.deliver(&mut self.outlets);
        }
        self.state.refuses_publish(message.body_len())
    }

    fn refused(&mut self, message: Message) {
        if self.state.limits().overflow == Overflow::RejectPublishDlx {
            self.outlets.dropped(Entry::published(0, message, 0, 0, false), DropReason::MaxLength);
        }
    }
}
