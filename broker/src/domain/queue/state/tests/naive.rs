//! What the models of single properties have in common: effects written down, and messages
//! that carry their number.

use super::*;

/// What a queue did, in order.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// Numbers of messages handed to consumers, and to whom.
    pub(super) delivered: Vec<(ConsumerId, u64, u32)>,
    /// Numbers of messages dropped, and why.
    pub(super) dropped: Vec<(u64, DropReason)>,
}

impl Effects for Done {
    fn admit(&mut self, _consumer: ConsumerId, _body_bytes: u32) -> bool {
        true
    }

    fn deliver(&mut self, consumer: ConsumerId, delivered: Delivered) {
        self.delivered.push((consumer, number(&delivered.message), delivered.slot));
    }

    fn forget(&mut self, _position: u64) {}

    fn forget_through(&mut self, _first: u64, _last: u64) {}

    fn forget_spilled(&mut self, _key: u64) {}

    fn dropped(&mut self, entry: Entry, reason: DropReason) {
        self.dropped.push((number(&entry.message), reason));
    }

    fn released(&mut self, _consumer: ConsumerId) {}
}

/// A message whose body is its number and as much more as makes `bytes` bytes, 8 at least.
pub(super) fn numbered(number: u64, bytes: usize) -> Message {
    let mut body = number.to_be_bytes().to_vec();
    body.resize(bytes.max(8), 0);
    Message::build("", "q", &[0, 0], &body, false)
}

pub(super) fn number(message: &Message) -> u64 {
    u64::from_be_bytes(message.body()[..8].try_into().unwrap())
}

/// Fetches a message as a client does that acknowledges: its number and slot.
pub(super) fn get(state: &mut QueueState, done: &mut Done) -> Option<(u64, u32)> {
    state.get(FETCHER, false, done).map(|delivered| (number(&delivered.message), delivered.slot))
}
