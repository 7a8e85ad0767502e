//! The consumers of a stream: each a place in it and the room it has.

use std::sync::Arc;

use crate::domain::queue::{ConnectionId, ConsumerKey, SessionId};
use crate::domain::stream::{Filter, Search};
use crate::facade::ConsumerInfo;
use crate::runtime::queue::{ConnectionSender, OutboundCredit};

/// Messages of the first read for a reader; each further one is twice as long, so that one
/// who takes a few costs little and one who takes all reads in large blocks.
pub(super) const READ_MESSAGES_MIN: usize = 64;

/// One consumer.
pub(super) struct Reader {
    /// Stands for it where messages of queues have a slot each; never used again.
    pub(super) id: u32,
    pub(super) key: ConsumerKey,
    pub(super) session: SessionId,
    pub(super) to: ConnectionSender,
    pub(super) credit: Arc<OutboundCredit>,
    pub(super) info: ConsumerInfo,
    /// Most unacknowledged messages.
    pub(super) prefetch: u32,
    /// How many it has now.
    pub(super) out: u32,
    /// The offset it is to see next, or a later one.
    pub(super) next: u64,
    /// Where it starts is being looked up.
    pub(super) search: Option<Search>,
    /// Which messages it wants.
    pub(super) filter: Option<Filter>,
    /// It waits for its connection to make room.
    pub(super) starved: bool,
    /// How many messages are read next for it.
    pub(super) read_messages: usize,
}

impl Reader {
    /// Whether its prefetch is used up.
    pub(super) fn is_full(&self) -> bool {
        self.out >= self.prefetch
    }

    /// Whether it could take a message now.
    pub(super) fn has_room(&self) -> bool {
        self.search.is_none() && !self.starved && !self.is_full()
    }
}

/// All consumers of a stream, in order of registration.
#[derive(Default)]
pub(super) struct Readers {
    all: Vec<Reader>,
    next_id: u32,
    /// Whose turn it is.
    turn: usize,
}

impl Readers {
    /// An identity for the next one.
    pub(super) fn next_id(&mut self) -> u32 {
        self.next_id = self.next_id.wrapping_add(1);
        self.next_id
    }

    pub(super) fn add(&mut self, reader: Reader) {
        self.all.push(reader);
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Reader> {
        self.all.iter()
    }

    /// All of them, the one whose turn it is first.
    pub(super) fn in_turn(&mut self) -> impl Iterator<Item = &mut Reader> {
        let turn = self.turn.min(self.all.len());
        let (first, second) = self.all.split_at_mut(turn);
        second.iter_mut().chain(first)
    }

    /// It is the next one's turn.
    pub(super) fn turn(&mut self) {
        self.turn = (self.turn + 1) % self.all.len().max(1);
    }

    pub(super) fn get(&mut self, id: u32) -> Option<&mut Reader> {
        self.all.iter_mut().find(|reader| reader.id == id)
    }

    /// So many deliveries of a reader are settled; what one that left still had out is nobody's.
    pub(super) fn settled(&mut self, id: u32, count: u32) {
        if let Some(reader) = self.get(id) {
            reader.out = reader.out.saturating_sub(count);
        }
    }

    /// Readers of a connection have room again.
    pub(super) fn resume(&mut self, connection: ConnectionId, consumer: Option<ConsumerKey>) {
        self.all
            .iter_mut()
            .filter(|reader| {
                reader.session.connection == connection && consumer.is_none_or(|wanted| wanted == reader.key)
            })
            .for_each(|reader| reader.starved = false);
    }

    /// Removes those for which `leaves` holds.
    pub(super) fn remove(&mut self, leaves: impl Fn(&Reader) -> bool) {
        self.all.retain(|reader| !leaves(reader));
    }
}
