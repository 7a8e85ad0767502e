//! The way from a queue to a connection, and the room on it.
//!
//! A queue never waits for a connection. The event channel has no capacity of its own;
//! what bounds it is credit held beforehand: deliveries by [`OutboundCredit`] and
//! prefetch, confirms by the publishes the connection itself sent.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};

use tokio::sync::mpsc;

use super::command::{ConfirmRange, Delivery};
use crate::domain::queue::ConsumerKey;

/// Delivered bytes (bodies and a flat share for framing) a consumer may have under way
/// to a socket that does not drain.
pub(crate) const OUTBOUND_BYTES_MAX: usize = 1 << 20;

/// What a message costs of the credit beside its body.
pub(crate) const OUTBOUND_MESSAGE_OVERHEAD_BYTES: usize = 64;

/// What a connection is told from outside.
#[derive(Debug)]
pub(crate) enum ConnectionEvent {
    /// Messages for one of its consumers.
    Deliver(Delivery),
    /// Messages of a stream for one of its consumers.
    DeliverStream(crate::runtime::stream::StreamDelivery),
    /// A direct reply for one of its channels.
    Reply(Box<crate::runtime::vhost::Reply>),
    /// Publishes a queue settled.
    Confirm(Vec<ConfirmRange>),
    /// A consumer ended because its queue is gone or access was withdrawn.
    ConsumerCancelled(ConsumerKey),
    /// Close with 320 and this reason.
    Close(String),
    /// The user's permissions in the vhost changed: consumers that lost read end.
    PermissionsChanged,
    /// Resource alarms began or ended: the connection looks at their picture.
    AlarmsChanged,
    /// The vhost's metadata changed, or whether its messages are copied to the firehose.
    VhostChanged,
}

/// Sends events to one connection.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionSender {
    events: mpsc::UnboundedSender<ConnectionEvent>,
}

impl ConnectionSender {
    /// A channel to a connection.
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<ConnectionEvent>) {
        let (events, receiver) = mpsc::unbounded_channel();
        (Self { events }, receiver)
    }

    /// Sends an event; false when the connection is gone.
    pub(crate) fn send(&self, event: ConnectionEvent) -> bool {
        self.events.send(event).is_ok()
    }
}

/// Room for deliveries of one consumer. The queue takes, the connection gives back once
/// the bytes are with the socket.
#[derive(Debug, Default)]
pub(crate) struct OutboundCredit {
    used_bytes: AtomicUsize,
    starved: AtomicBool,
}

impl OutboundCredit {
    /// What a body of that length takes.
    pub(crate) fn cost(body_bytes: u32) -> usize {
        body_bytes as usize + OUTBOUND_MESSAGE_OVERHEAD_BYTES
    }

    /// Bytes that may still be taken. A single larger message is allowed into an idle consumer.
    pub(crate) fn room(&self) -> usize {
        OUTBOUND_BYTES_MAX.saturating_sub(self.used_bytes.load(SeqCst))
    }

    /// Takes room.
    pub(crate) fn take(&self, bytes: usize) {
        self.used_bytes.fetch_add(bytes, SeqCst);
    }

    /// The queue has no room: it wants a `Resume`. Returns true when room appeared meanwhile.
    pub(crate) fn starve(&self) -> bool {
        self.starved.store(true, SeqCst);
        self.room() > 0 && self.starved.swap(false, SeqCst)
    }

    /// Gives room back; true when the queue waits for a `Resume`.
    pub(crate) fn give(&self, bytes: usize) -> bool {
        let before = self.used_bytes.fetch_sub(bytes, SeqCst);
        before - bytes <= OUTBOUND_BYTES_MAX / 2 && self.starved.swap(false, SeqCst)
    }
}

/// The unacknowledged messages of a whole channel under a global `basic.qos`.
#[derive(Debug, Default)]
pub(crate) struct ChannelLimiter {
    limit: AtomicU32,
    used: AtomicU32,
}

impl ChannelLimiter {
    /// Sets the limit; 0 means none.
    pub(crate) fn set_limit(&self, limit: u16) {
        self.limit.store(limit.into(), SeqCst);
    }

    /// Takes one place if there is one.
    pub(crate) fn try_take(&self) -> bool {
        self.used
            .fetch_update(SeqCst, SeqCst, |used| {
                let limit = self.limit.load(SeqCst);
                (limit == 0 || used < limit).then_some(used + 1)
            })
            .is_ok()
    }

    /// Gives places back.
    pub(crate) fn give(&self, count: u32) {
        let _ = self.used.fetch_update(SeqCst, SeqCst, |used| Some(used.saturating_sub(count)));
    }
}
