//! Who listens for direct replies in a vhost, by address.
//!
//! A reply goes from the publisher's task straight to the connection of the listener.
//! Nobody waits: a listener whose client does not read loses replies beyond
//! [`REPLY_BYTES_MAX`], which the contract (at most once) allows.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use arc_swap::ArcSwap;
use imbl::HashMap;

use crate::domain::message::Message;
use crate::runtime::queue::{ConnectionEvent, ConnectionSender, OutboundCredit};

/// Bytes of replies under way to one listener. Beyond it replies are dropped; one larger
/// reply may go to a listener that has none under way.
pub(crate) const REPLY_BYTES_MAX: usize = 64 << 20;

/// A consumer of direct replies.
#[derive(Debug, Clone)]
pub(crate) struct ReplyListener {
    /// Its connection.
    pub(crate) to: ConnectionSender,
    /// Its channel, and which of the channels that had this number.
    pub(crate) channel: u16,
    /// See `channel`.
    pub(crate) epoch: u32,
    /// Bytes under way to it.
    pub(crate) under_way: Arc<AtomicUsize>,
}

/// A reply on its way to a channel.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The listener's channel.
    pub(crate) channel: u16,
    /// Which of the channels that had this number.
    pub(crate) epoch: u32,
    /// The reply.
    pub(crate) message: Message,
    /// To be kept until the socket has the bytes.
    pub(crate) room: ReplyRoom,
}

/// Room taken by a reply under way; dropping it gives the room back.
#[derive(Debug)]
pub(crate) struct ReplyRoom {
    under_way: Arc<AtomicUsize>,
    bytes: usize,
}

impl ReplyRoom {
    /// Takes room; `None` when too much is under way.
    fn take(under_way: &Arc<AtomicUsize>, bytes: usize) -> Option<Self> {
        let fits = |used: usize| (used == 0 || used + bytes <= REPLY_BYTES_MAX).then_some(used + bytes);
        under_way.fetch_update(Relaxed, Relaxed, fits).ok()?;
        Some(Self { under_way: under_way.clone(), bytes })
    }
}

impl Drop for ReplyRoom {
    fn drop(&mut self) {
        self.under_way.fetch_sub(self.bytes, Relaxed);
    }
}

/// The listeners of one vhost. Looking one up takes no lock.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    listeners: ArcSwap<HashMap<Arc<str>, ReplyListener>>,
}

impl Replies {
    /// Lets replies to an address through.
    pub(crate) fn listen(&self, address: &Arc<str>, listener: &ReplyListener) {
        self.listeners.rcu(|listeners| listeners.update(address.clone(), listener.clone()));
    }

    /// Ends an address for ever.
    pub(crate) fn leave(&self, address: &str) {
        self.listeners.rcu(|listeners| listeners.without(address));
    }

    /// Whether somebody listens there.
    pub(crate) fn is_heard(&self, address: &str) -> bool {
        self.listeners.load().contains_key(address)
    }

    /// Sends a reply. It is lost when nobody listens (any more) or the listener's room is used up.
    pub(crate) fn send(&self, address: &str, message: &Message) {
        let listeners = self.listeners.load();
        let Some(listener) = listeners.get(address) else { return };
        let Some(room) = ReplyRoom::take(&listener.under_way, OutboundCredit::cost(message.body_len())) else { return };
        let reply = Reply { channel: listener.channel, epoch: listener.epoch, message: message.clone(), room };
        listener.to.send(ConnectionEvent::Reply(Box::new(reply)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &[u8]) -> Message {
        Message::build("", "address", &[0, 0], body, false)
    }

    #[test]
    fn replies_reach_who_listens_until_they_leave() {
        let (to, mut events) = ConnectionSender::new();
        let (replies, address) = (Replies::default(), Arc::from("address"));
        replies.send(&address, &message(b"too early"));
        replies.listen(&address, &ReplyListener { to, channel: 3, epoch: 5, under_way: Arc::default() });
        assert!(replies.is_heard("address") && !replies.is_heard("other"));
        replies.send(&address, &message(b"in time"));
        replies.leave(&address);
        replies.send(&address, &message(b"too late"));
        let Ok(ConnectionEvent::Reply(reply)) = events.try_recv() else { panic!("a reply") };
        assert_eq!((reply.channel, reply.epoch, reply.message.body()), (3, 5, &b"in time"[..]));
        assert!(events.try_recv().is_err() && !replies.is_heard("address"));
    }

    #[test]
    fn a_listener_that_does_not_read_holds_a_bounded_number_of_bytes() {
        let (to, mut events) = ConnectionSender::new();
        let (replies, address, under_way) = (Replies::default(), Arc::from("address"), Arc::<AtomicUsize>::default());
        replies.listen(&address, &ReplyListener { to, channel: 1, epoch: 1, under_way: under_way.clone() });
        let large = message(&vec![0; REPLY_BYTES_MAX / 4]);
        (0..10).for_each(|_| replies.send(&address, &large));
        let mut held = Vec::new();
        while let Ok(ConnectionEvent::Reply(reply)) = events.try_recv() {
            held.push(reply);
        }
        assert_eq!(held.len(), 3, "the fourth would go beyond with its overhead");
        held.clear();
        assert_eq!(under_way.load(Relaxed), 0);
        replies.send(&address, &large);
        assert!(matches!(events.try_recv(), Ok(ConnectionEvent::Reply(_))));
    }
}
