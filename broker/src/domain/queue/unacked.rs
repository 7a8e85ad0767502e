//! Messages that are out with a consumer and not settled yet.
//!
//! Each has a slot the channel names when it settles, so an acknowledgement is an
//! array access however many messages are out.

use super::held::{Held, Resident, Stub};
use super::page::Sum;
use super::ready::Entry;
use super::{ConsumerId, SessionId};

/// A message that is out.
#[derive(Debug)]
pub struct Unacked {
    /// The message.
    pub held: Held,
    /// With which channel.
    pub session: SessionId,
    /// By which consumer; `None`: it was fetched.
    pub consumer: Option<ConsumerId>,
}

/// Slots kept allocated when nothing is out; a burst's memory goes back beyond that.
const IDLE_CAPACITY_SLOTS_MAX: usize = 1024;

/// All messages that are out, by slot.
#[derive(Debug, Default)]
pub struct UnackedSlots {
    /// With how many were handed out before.
    slots: Vec<Option<(u64, Unacked)>>,
    handed_out: u64,
    free: Vec<u32>,
    bytes: u64,
    resident: Resident,
    away: Sum,
}

impl UnackedSlots {
    /// Keeps a message and names its slot.
    ///
    /// # Panics
    /// With 2^32 messages out at once, which prefetch and memory rule out long before.
    pub fn insert(&mut self, unacked: Unacked) -> u32 {
        self.bytes += u64::from(unacked.held.body_len());
        self.resident.add(&unacked.held);
        if let Held::Away(stub) = &unacked.held {
            self.away = self.away.with(stub.sum());
        }
        let out = Some((self.handed_out, unacked));
        self.handed_out += 1;
        if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = out;
            return slot;
        }
        self.slots.push(out);
        u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 messages are out")
    }

    /// Takes the message of a slot; `None` when it was settled already.
    pub fn take(&mut self, slot: u32) -> Option<Unacked> {
        let (_, unacked) = self.slots.get_mut(slot as usize)?.take()?;
        self.bytes -= u64::from(unacked.held.body_len());
        self.resident.subtract(&unacked.held);
        if let Held::Away(stub) = &unacked.held {
            self.away = self.away.without(stub.sum());
        }
        self.free.push(slot);
        if self.free.len() == self.slots.len() {
            self.slots.clear();
            self.slots.shrink_to(IDLE_CAPACITY_SLOTS_MAX);
            self.free.clear();
            self.free.shrink_to(IDLE_CAPACITY_SLOTS_MAX);
        }
        Some(unacked)
    }

    /// Slots of everything that is out with a channel, in the order it was handed out.
    #[must_use]
    pub fn of_session(&self, session: SessionId) -> Vec<u32> {
        let slots = self.slots.iter().enumerate();
        let mut found: Vec<(u64, u32)> = slots
            .filter_map(|(slot, out)| {
                let (turn, _) = out.as_ref().filter(|(_, unacked)| unacked.session == session)?;
                Some((*turn, slot as u32))
            })
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, slot)| slot).collect()
    }

    /// Number of messages that are out.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether none is out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of their bodies.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Those that are on disk.
    #[must_use]
    pub fn away(&self) -> Sum {
        self.away
    }

    /// Memory of their bodies and what is known of them.
    #[must_use]
    pub fn resident(&self) -> Resident {
        self.resident
    }

    /// The message of a slot that is in memory and that no log has.
    #[must_use]
    pub fn spillable(&self, slot: u32) -> Option<&Entry> {
        match self.slots.get(slot as usize)?.as_ref()?.1.held {
            Held::Here(ref entry) if !entry.logged => Some(entry),
            _ => None,
        }
    }

    /// The message of a slot, which is in memory, was written as part of a block and leaves memory.
    pub fn leave(&mut self, slot: u32, block: u64) {
        if let Some(Some((_, unacked))) = self.slots.get_mut(slot as usize)
            && let Held::Here(entry) = &unacked.held
        {
            let stub = Stub::in_block(entry, block);
            self.resident.subtract(&unacked.held);
            self.away = self.away.with(stub.sum());
            unacked.held = Held::Away(stub);
        }
    }
}
