//! Where a queue's effects go: consumers' connections, the log, dead letters.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::command::Delivery;
use super::notes::{Note, What};
use super::outbound::{ChannelLimiter, ConnectionEvent, ConnectionSender, OutboundCredit};
use crate::domain::queue::held::Held;
use crate::domain::queue::state::{Delivered, DropReason, Effects};
use crate::domain::queue::{ConsumerId, ConsumerKey, ready::Entry};
use crate::facade::ConsumerInfo;
use crate::storage::Position;

/// The way to one consumer.
pub(super) struct Outlet {
    id: ConsumerId,
    pub(super) key: ConsumerKey,
    pub(super) to: ConnectionSender,
    pub(super) credit: Arc<OutboundCredit>,
    pub(super) limiter: Option<Arc<ChannelLimiter>>,
    pub(super) info: ConsumerInfo,
    /// Room seen at the start of this pass; the shared counter is touched once per batch.
    room: Option<usize>,
    taken: usize,
    batch: Vec<Delivered>,
}

impl Outlet {
    pub(super) fn new(
        id: ConsumerId,
        key: ConsumerKey,
        to: ConnectionSender,
        credit: Arc<OutboundCredit>,
        limiter: Option<Arc<ChannelLimiter>>,
        info: ConsumerInfo,
    ) -> Self {
        Self { id, key, to, credit, limiter, info, room: None, taken: 0, batch: Vec::new() }
    }

    /// Sends what was collected.
    fn send(&mut self) {
        // Taken before the connection can give it back.
        let taken = std::mem::take(&mut self.taken);
        self.credit.take(taken);
        if self.batch.is_empty() {
            return;
        }
        let capacity = self.batch.len().min(BATCH_CAPACITY_KEPT);
        let messages = std::mem::replace(&mut self.batch, Vec::with_capacity(capacity));
        // A connection that is gone closes its sessions; the messages come back that way.
        self.to.send(ConnectionEvent::Deliver(Delivery { consumer: self.key, messages }));
    }
}

/// What the log of notes is to know of a message that waits.
pub(super) enum Delay {
    /// It waits.
    Begun(Note),
    /// The message at this position no longer waits.
    Ended(u64),
}

/// Collects effects of one pass.
#[derive(Default)]
pub(super) struct Outlets {
    by_slot: Vec<Option<Outlet>>,
    touched: Vec<u32>,
    forgotten: Vec<RangeInclusive<Position>>,
    forgotten_spilled: Vec<u64>,
    dropped: Vec<(Entry, DropReason)>,
    /// Messages that began or ended to wait, in order.
    delays: Vec<Delay>,
    /// Shared prefetch of consumers that left with so many messages out.
    owed: Vec<(ConsumerId, Arc<ChannelLimiter>, u32)>,
}

impl Outlets {
    pub(super) fn insert(&mut self, outlet: Outlet) {
        let slot = outlet.id.slot as usize;
        if self.by_slot.len() <= slot {
            self.by_slot.resize_with(slot + 1, || None);
        }
        self.by_slot[slot] = Some(outlet);
    }

    /// A consumer left; `out` messages of it are still to be settled.
    pub(super) fn remove(&mut self, id: ConsumerId, out: u32) {
        self.flush();
        let Some(place) = self.by_slot.get_mut(id.slot as usize) else { return };
        if let Some(limiter) = place.take_if(|outlet| outlet.id == id).and_then(|outlet| outlet.limiter)
            && out > 0
        {
            self.owed.push((id, limiter, out));
        }
    }

    pub(super) fn get(&self, id: ConsumerId) -> Option<&Outlet> {
        self.by_slot.get(id.slot as usize)?.as_ref().filter(|outlet| outlet.id == id)
    }

    /// Sends what was collected for consumers, a batch each.
    pub(super) fn flush(&mut self) {
        for slot in self.touched.drain(..) {
            let Some(outlet) = self.by_slot[slot as usize].as_mut() else { continue };
            outlet.send();
            outlet.room = None;
        }
    }

    /// Positions the log may forget since the last call.
    pub(super) fn take_forgotten(&mut self) -> Vec<RangeInclusive<Position>> {
        std::mem::take(&mut self.forgotten)
    }

    /// Keys of what was spilled and is no longer needed, since the last call.
    pub(super) fn take_forgotten_spilled(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.forgotten_spilled)
    }

    /// Delays begun and ended since the last call.
    pub(super) fn take_delays(&mut self) -> Vec<Delay> {
        std::mem::take(&mut self.delays)
    }

    /// Messages dropped since the last call.
    pub(super) fn take_dropped(&mut self) -> Vec<(Entry, DropReason)> {
        std::mem::take(&mut self.dropped)
    }
}

/// A batch goes once it is worth so much: the connection writes it while it is in the cache,
/// and while the queue works on the next.
const BATCH_BYTES_MAX: usize = 128 << 10;

/// Room a consumer's next batch starts with, so that a steady flow does not regrow it.
const BATCH_CAPACITY_KEPT: usize = 1024;

impl Effects for Outlets {
    fn admit(&mut self, consumer: ConsumerId, body_bytes: u32) -> bool {
        let Some(outlet) = self.by_slot.get_mut(consumer.slot as usize).and_then(Option::as_mut) else { return false };
        if outlet.room.is_none() {
            self.touched.push(consumer.slot);
        }
        let room = *outlet.room.get_or_insert_with(|| outlet.credit.room());
        if room <= outlet.taken {
            // Look again after announcing the want, or the wake-up could fall between.
            let taken = std::mem::take(&mut outlet.taken);
            outlet.credit.take(taken);
            if !outlet.credit.starve() {
                outlet.room = Some(0);
                return false;
            }
            outlet.room = Some(outlet.credit.room());
        }
        if let Some(limiter) = &outlet.limiter
            && !limiter.try_take()
        {
            return false;
        }
        outlet.taken += OutboundCredit::cost(body_bytes);
        true
    }

    fn deliver(&mut self, consumer: ConsumerId, delivered: Delivered) {
        if let Some(outlet) = self.by_slot.get_mut(consumer.slot as usize).and_then(Option::as_mut) {
            outlet.batch.push(delivered);
            if outlet.taken >= BATCH_BYTES_MAX {
                outlet.send();
                outlet.room = Some(outlet.credit.room());
            }
        }
    }

    fn forget(&mut self, position: u64) {
        self.forget_through(position, position);
    }

    fn forget_through(&mut self, first: u64, last: u64) {
        match self.forgotten.last_mut() {
            Some(range) if range.end().0 + 1 == first => *range = *range.start()..=Position(last),
            _ => self.forgotten.push(Position(first)..=Position(last)),
        }
    }

    fn forget_spilled(&mut self, key: u64) {
        self.forgotten_spilled.push(key);
    }

    fn dropped(&mut self, entry: Entry, reason: DropReason) {
        self.dropped.push((entry, reason));
    }

    fn delayed(&mut self, held: &Held, ready_at_ms: u64) {
        if held.is_logged() {
            let (position, failures, acquired) = (held.position(), held.failures(), held.acquired());
            let what = What::Delayed;
            self.delays.push(Delay::Begun(Note { position, at_ms: ready_at_ms, failures, acquired, what }));
        }
    }

    fn undelayed(&mut self, position: u64) {
        self.delays.push(Delay::Ended(position));
    }

    fn released(&mut self, consumer: ConsumerId) {
        if let Some(outlet) = self.get(consumer) {
            if let Some(limiter) = &outlet.limiter {
                limiter.give(1);
            }
        } else if let Some(at) = self.owed.iter().position(|(id, ..)| *id == consumer) {
            let (_, limiter, out) = &mut self.owed[at];
            limiter.give(1);
            *out -= 1;
            if *out == 0 {
                self.owed.swap_remove(at);
            }
        }
    }
}
