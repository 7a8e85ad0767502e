//! The consumers of a queue, and whose turn it is.
//!
//! Among those of the highest priority that can take a message, each gets one in turn.
//! A consumer without room is parked and costs nothing until it has room again.
//!
//! With a single active consumer only that one is served. It is followed by the one of the
//! highest priority, the longest-standing of equals; in a quorum queue a higher priority takes
//! over as soon as the active one has nothing out.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

use super::{ConnectionId, ConsumerId, ConsumerKey, SessionId};
use crate::error::{Error, Resource};

/// What a consumer of a stream must bring.
///
/// # Errors
/// [`Error::InvalidArgument`] without a prefetch, [`Error::NotImplemented`] without acknowledgements.
pub fn check_stream_consumer(queue: &Resource, prefetch: u16, no_ack: bool) -> Result<(), Error> {
    if prefetch == 0 {
        return Err(Error::InvalidArgument(format!("consumer prefetch count is not set for stream {queue}")));
    }
    if no_ack {
        return Err(Error::NotImplemented(format!("automatic acknowledgement not supported by stream {queue}")));
    }
    Ok(())
}

/// Which consumers are served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Served {
    /// All that have room.
    #[default]
    All,
    /// One, until it leaves.
    One,
    /// The one of the highest priority.
    HighestPriority,
}

/// A consumer as its queue sees it.
#[derive(Debug, Clone)]
pub struct Consumer {
    /// Its connection's name for it.
    pub key: ConsumerKey,
    /// Its channel.
    pub session: SessionId,
    /// Its tag.
    pub tag: String,
    /// Deliveries count as acknowledged when sent.
    pub no_ack: bool,
    /// No other consumer beside it.
    pub exclusive: bool,
    /// Most unacknowledged messages; 0: no limit.
    pub prefetch: u16,
    /// Higher is served first.
    pub priority: i64,
    /// How many it has now.
    pub unacked: u32,
    parked: bool,
}

impl Consumer {
    /// A consumer with nothing out.
    #[must_use]
    pub fn new(
        key: ConsumerKey,
        session: SessionId,
        tag: String,
        no_ack: bool,
        exclusive: bool,
        prefetch: u16,
        priority: i64,
    ) -> Self {
        Self { key, session, tag, no_ack, exclusive, prefetch, priority, unacked: 0, parked: false }
    }

    /// Whether its prefetch is used up.
    #[must_use]
    pub fn is_full(&self) -> bool {
        !self.no_ack && self.prefetch != 0 && self.unacked >= u32::from(self.prefetch)
    }
}

/// All consumers of a queue.
#[derive(Debug, Default)]
pub struct ConsumerSet {
    consumers: Vec<Option<(u32, Consumer)>>,
    /// In order of registration.
    order: Vec<ConsumerId>,
    turns: BTreeMap<Reverse<i64>, VecDeque<ConsumerId>>,
    served: Served,
    /// The one that is served when only one is.
    active: Option<ConsumerId>,
    lives: u32,
}

impl ConsumerSet {
    /// An empty set.
    #[must_use]
    pub fn new(served: Served) -> Self {
        Self { served, ..Self::default() }
    }

    /// Adds a consumer.
    pub fn add(&mut self, consumer: Consumer) -> ConsumerId {
        let slot = self.consumers.iter().position(Option::is_none).unwrap_or_else(|| {
            self.consumers.push(None);
            self.consumers.len() - 1
        });
        self.lives = self.lives.wrapping_add(1);
        let id = ConsumerId { slot: slot as u32, life: self.lives };
        self.turns.entry(Reverse(consumer.priority)).or_default().push_back(id);
        self.order.push(id);
        self.consumers[slot] = Some((id.life, consumer));
        self.choose_active();
        id
    }

    /// Sees to it that the single active consumer is the one it should be.
    fn choose_active(&mut self) {
        let active = self.active.and_then(|id| self.get(id));
        let stays = match self.served {
            Served::All => return,
            Served::One => active.is_some(),
            Served::HighestPriority => active.is_some_and(|active| active.unacked > 0),
        };
        if !stays {
            // Of equals the longest-standing one, which `min_by_key` finds first.
            let next = self.order.iter().min_by_key(|&&id| self.get(id).map(|consumer| Reverse(consumer.priority)));
            self.active = next.copied();
        }
    }

    /// Whether the active consumer is to make room for another once it has nothing out.
    fn is_to_give_way(&self) -> bool {
        let Some(active) = self.active.and_then(|id| self.get(id)) else { return false };
        self.served == Served::HighestPriority && self.iter().any(|(_, other)| other.priority > active.priority)
    }

    /// Removes a consumer.
    pub fn remove(&mut self, id: ConsumerId) -> Option<Consumer> {
        self.get(id)?;
        let (_, consumer) = self.consumers.get_mut(id.slot as usize)?.take()?;
        self.order.retain(|&other| other != id);
        if let Some(turns) = self.turns.get_mut(&Reverse(consumer.priority)) {
            turns.retain(|&other| other != id);
            if turns.is_empty() {
                self.turns.remove(&Reverse(consumer.priority));
            }
        }
        if self.active == Some(id) {
            self.active = None;
        }
        self.choose_active();
        Some(consumer)
    }

    /// One consumer.
    #[must_use]
    pub fn get(&self, id: ConsumerId) -> Option<&Consumer> {
        self.consumers
            .get(id.slot as usize)?
            .as_ref()
            .filter(|(life, _)| *life == id.life)
            .map(|(_, consumer)| consumer)
    }

    fn get_mut(&mut self, id: ConsumerId) -> Option<&mut Consumer> {
        self.consumers
            .get_mut(id.slot as usize)?
            .as_mut()
            .filter(|(life, _)| *life == id.life)
            .map(|(_, consumer)| consumer)
    }

    /// The consumer a connection calls `key`.
    #[must_use]
    pub fn find(&self, connection: ConnectionId, key: ConsumerKey) -> Option<ConsumerId> {
        self.order.iter().copied().find(|&id| {
            self.get(id).is_some_and(|consumer| consumer.key == key && consumer.session.connection == connection)
        })
    }

    /// Consumers for which `wanted` holds, in order of registration.
    #[must_use]
    pub fn filter(&self, wanted: impl Fn(&Consumer) -> bool) -> Vec<ConsumerId> {
        self.order.iter().copied().filter(|&id| self.get(id).is_some_and(&wanted)).collect()
    }

    /// All consumers in order of registration.
    pub fn iter(&self) -> impl Iterator<Item = (ConsumerId, &Consumer)> {
        self.order.iter().filter_map(|&id| Some((id, self.get(id)?)))
    }

    /// Number of consumers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Whether one of them is exclusive.
    #[must_use]
    pub fn has_exclusive(&self) -> bool {
        self.iter().any(|(_, consumer)| consumer.exclusive)
    }

    /// Whether a consumer is being served: all are, unless only one may be.
    #[must_use]
    pub fn is_active(&self, id: ConsumerId) -> bool {
        self.served == Served::All || self.active == Some(id)
    }

    /// The single active consumer.
    #[must_use]
    pub fn single_active(&self) -> Option<ConsumerId> {
        self.active
    }

    /// Whether only one consumer is served.
    #[must_use]
    pub fn is_single_active(&self) -> bool {
        self.served != Served::All
    }

    /// Whose turn it is. Consumers whose prefetch is used up are parked on the way.
    pub fn whose_turn(&mut self) -> Option<ConsumerId> {
        if self.is_single_active() {
            let id = self.active?;
            let can = self.get(id).is_some_and(|consumer| !consumer.parked && !consumer.is_full());
            return (can && !self.is_to_give_way()).then_some(id);
        }
        loop {
            let (&priority, turns) = self.turns.iter().find(|(_, turns)| !turns.is_empty())?;
            let id = *turns.front()?;
            if self.get(id).is_some_and(|consumer| !consumer.is_full()) {
                return Some(id);
            }
            self.park_front(priority);
        }
    }

    fn park_front(&mut self, priority: Reverse<i64>) {
        if let Some(id) = self.turns.get_mut(&priority).and_then(VecDeque::pop_front)
            && let Some(consumer) = self.get_mut(id)
        {
            consumer.parked = true;
        }
    }

    /// The consumer whose turn it is has no room: it is passed over until [`Self::resume`].
    pub fn park(&mut self, id: ConsumerId) {
        let Some(consumer) = self.get_mut(id) else { return };
        consumer.parked = true;
        let priority = Reverse(consumer.priority);
        if let Some(turns) = self.turns.get_mut(&priority) {
            turns.retain(|&other| other != id);
        }
    }

    /// A consumer has room again.
    pub fn resume(&mut self, id: ConsumerId) {
        let Some(consumer) = self.get_mut(id) else { return };
        if !std::mem::take(&mut consumer.parked) {
            return;
        }
        let priority = Reverse(consumer.priority);
        self.turns.entry(priority).or_default().push_back(id);
    }

    /// A message went to the consumer whose turn it was.
    pub fn served(&mut self, id: ConsumerId) {
        let Some(consumer) = self.get_mut(id) else { return };
        if !consumer.no_ack {
            consumer.unacked += 1;
        }
        let priority = Reverse(consumer.priority);
        if let Some(turns) = self.turns.get_mut(&priority)
            && turns.len() > 1
        {
            turns.rotate_left(1);
        }
    }

    /// A message of the consumer was settled.
    pub fn settled(&mut self, id: ConsumerId) {
        let Some(consumer) = self.get_mut(id) else { return };
        consumer.unacked = consumer.unacked.saturating_sub(1);
        let drained = consumer.unacked == 0;
        if consumer.parked && !consumer.is_full() {
            self.resume(id);
        }
        if drained && self.served == Served::HighestPriority {
            self.choose_active();
        }
    }
}
