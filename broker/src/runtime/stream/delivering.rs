//! The owner and its consumers: who comes and goes, and who gets what in one pass.

use crate::domain::message::Message;
use crate::domain::queue::{ConnectionId, ConsumerKey, SessionId};
use crate::domain::stream::{Bounds, Filter, OffsetSpec, Search, Start};
use crate::error::Error;
use crate::facade::ConsumerInfo;
use crate::runtime::clock::now_ms;
use crate::runtime::queue::{ConnectionEvent, ConsumeRequest, OutboundCredit};

use super::pages::{Pages, Walked};
use super::reader::{READ_MESSAGES_MIN, Reader};
use super::task::Owner;

/// A batch goes once it is worth so much: the connection writes it while it is in the cache.
const BATCH_BYTES_MAX: usize = 128 << 10;

/// Messages looked at for one reader before another has its turn.
const TURN_MESSAGES_MAX: usize = 1024;

/// Messages looked at in one pass before other queues have theirs.
const PASS_MESSAGES_MAX: usize = 8192;

/// A batch for one consumer of a stream.
#[derive(Debug)]
pub(crate) struct StreamDelivery {
    /// The consumer.
    pub(crate) consumer: ConsumerKey,
    /// What settling any of them names.
    pub(crate) slot: u32,
    /// The messages with their offsets, in order.
    pub(crate) messages: Vec<(u64, Message)>,
}

impl Owner {
    pub(super) fn consume(&mut self, request: ConsumeRequest) -> Result<(), Error> {
        let ConsumeRequest { session, key, prefetch, to, credit, info, .. } = request;
        let spec = match info.arguments.get("x-stream-offset") {
            None => OffsetSpec::default(),
            Some(value) => OffsetSpec::from_value(value)
                .ok_or_else(|| Error::InvalidArgument("the offset to start with means nothing".to_owned()))?,
        };
        let bounds = Bounds { first: self.segments.first(), next: self.segments.next(), last_batch: self.last_batch };
        let decision = spec.decide(bounds, now_ms());
        tracing::debug!(
            queue = %self.resource(), consumer = info.tag, asked = ?spec, start = ?decision.start, why = %decision.why,
            "a consumer starts"
        );
        let (next, search) = match decision.start {
            Start::At(offset) => (offset, None),
            Start::Since(time_ms) => {
                let (from, to) = self.segments.around(time_ms);
                (from, Some(Search::new(time_ms, from, to)))
            }
        };
        let reader = Reader {
            id: self.readers.next_id(),
            key,
            session,
            to,
            credit,
            filter: Filter::from_arguments(&info.arguments),
            info,
            prefetch: prefetch.into(),
            out: 0,
            next,
            search,
            starved: false,
            read_messages: READ_MESSAGES_MIN,
        };
        self.readers.add(reader);
        Ok(())
    }

    pub(super) fn cancel(&mut self, connection: ConnectionId, key: ConsumerKey) {
        self.leave(|reader| reader.key == key && reader.session.connection == connection);
    }

    pub(super) fn session_closed(&mut self, session: SessionId) {
        self.leave(|reader| reader.session == session);
    }

    fn leave(&mut self, leaves: impl Fn(&Reader) -> bool) {
        self.readers.remove(leaves);
        if self.readers.is_empty() {
            self.pages.clear();
        }
    }

    pub(super) fn list_consumers(&self) -> Vec<ConsumerInfo> {
        let info = |reader: &Reader| ConsumerInfo { active: true, blocked: reader.is_full(), ..reader.info.clone() };
        self.readers.iter().map(info).collect()
    }

    /// Gives readers what they have room for and what is in memory, in turn. Answers whether
    /// there is more to give.
    pub(super) fn deliver(&mut self) -> bool {
        let Self { readers, pages, segments, durable, counters, .. } = self;
        let (first, end) = (segments.first(), *durable);
        let mut looked = 0;
        loop {
            let before = looked;
            for reader in readers.in_turn() {
                reader.next = reader.next.max(first);
                if reader.next >= end || !reader.has_room() {
                    continue;
                }
                let (seen, delivered) = deliver_to(reader, pages, end);
                looked += seen;
                counters.deliver += delivered;
                if looked >= PASS_MESSAGES_MAX {
                    break;
                }
            }
            if looked == before {
                return false;
            }
            if looked >= PASS_MESSAGES_MAX {
                readers.turn();
                return true;
            }
        }
    }
}

/// Gives one reader a batch. Answers with the messages looked at and with those delivered.
fn deliver_to(reader: &mut Reader, pages: &mut Pages, end: u64) -> (usize, u64) {
    let mut room = reader.credit.room();
    if room == 0 {
        // Look again after announcing the want, or the wake-up could fall between.
        if !reader.credit.starve() {
            reader.starved = true;
            return (0, 0);
        }
        room = reader.credit.room();
    }
    let room = room.min(BATCH_BYTES_MAX);
    let places = (reader.prefetch - reader.out) as usize;
    let (mut seen, mut taken, mut messages) = (0, 0, Vec::new());
    let filter = reader.filter.as_ref();
    let walked = pages.walk(&mut reader.next, end, |offset, message| {
        if seen == TURN_MESSAGES_MAX || taken >= room || messages.len() == places {
            return false;
        }
        seen += 1;
        if filter.is_none_or(|filter| filter.passes(message.properties())) {
            taken += OutboundCredit::cost(message.body_len());
            messages.push((offset, message.clone()));
        }
        true
    });
    if walked == Walked::AtEnd {
        reader.read_messages = READ_MESSAGES_MIN;
    }
    let delivered = messages.len();
    if delivered > 0 {
        reader.out += delivered as u32;
        // Taken before the connection can give it back.
        reader.credit.take(taken);
        // A connection that is gone closes its sessions.
        let delivery = StreamDelivery { consumer: reader.key, slot: reader.id, messages };
        reader.to.send(ConnectionEvent::DeliverStream(delivery));
    }
    (seen, delivered as u64)
}
