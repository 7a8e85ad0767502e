//! What a queue is asked, and what it answers.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::outbound::{ChannelLimiter, ConnectionSender, OutboundCredit};
use crate::domain::arguments::EffectiveArguments;
use crate::domain::message::Message;
use crate::domain::queue::state::{Delivered, Disposition};
use crate::domain::queue::{ConnectionId, ConsumerKey, SessionId};
use crate::error::Error;
use crate::facade::ConsumerInfo;

/// A routed message on its way into one queue.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
    /// The message.
    pub(crate) message: Message,
    /// Publishing sequence number on its channel; 0: no confirm is wanted.
    pub(crate) sequence: u64,
    /// The channel to confirm on.
    pub(crate) channel: u16,
    /// The epoch of that channel.
    pub(crate) epoch: u32,
    /// How many queues get this very message.
    pub(crate) shares: u16,
}

/// How many queues a message goes to, as far as anybody wants to know.
pub(crate) fn shares(queues: usize) -> u16 {
    u16::try_from(queues).unwrap_or(u16::MAX)
}

/// Messages of one connection for one queue, in publishing order.
#[derive(Debug)]
pub(crate) struct PublishBatch {
    /// Where confirms go; `None`: nobody waits.
    pub(crate) from: Option<ConnectionSender>,
    /// The messages.
    pub(crate) messages: Vec<Incoming>,
}

/// Sequence numbers of one channel that a queue settled alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConfirmRange {
    /// The channel.
    pub(crate) channel: u16,
    /// Its epoch.
    pub(crate) epoch: u32,
    /// First sequence number.
    pub(crate) first: u64,
    /// Last sequence number; everything between is meant too.
    pub(crate) last: u64,
    /// Taken, or refused.
    pub(crate) accepted: bool,
    /// Refused since storage could not take it, which may pass.
    pub(crate) unavailable: bool,
}

/// A batch for one consumer.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// The consumer.
    pub(crate) consumer: ConsumerKey,
    /// The messages, in order.
    pub(crate) messages: Vec<Delivered>,
}

/// Unacknowledged messages settled alike.
#[derive(Debug)]
pub(crate) struct Settled {
    /// What becomes of them.
    pub(crate) disposition: Disposition,
    /// Their slots.
    pub(crate) slots: Vec<u32>,
}

/// A fetched message and what is left.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// The message.
    pub(crate) delivered: Delivered,
    /// Ready messages after it.
    pub(crate) messages_left: u64,
}

/// A consumer to attach.
#[derive(Debug)]
pub(crate) struct ConsumeRequest {
    /// Its channel.
    pub(crate) session: SessionId,
    /// Its identity within the connection.
    pub(crate) key: ConsumerKey,
    /// Its tag.
    pub(crate) tag: String,
    /// Deliveries count as acknowledged when sent.
    pub(crate) no_ack: bool,
    /// No other consumer beside it.
    pub(crate) exclusive: bool,
    /// Most unacknowledged messages; 0: no limit.
    pub(crate) prefetch: u16,
    /// `x-priority`.
    pub(crate) priority: i64,
    /// Where deliveries go.
    pub(crate) to: ConnectionSender,
    /// Room for deliveries on the connection.
    pub(crate) credit: Arc<OutboundCredit>,
    /// The channel's shared prefetch, when `basic.qos` was global.
    pub(crate) limiter: Option<Arc<ChannelLimiter>>,
    /// What listings show of the connection and channel.
    pub(crate) info: ConsumerInfo,
}

/// Everything a queue can be asked.
#[derive(Debug)]
pub(crate) enum QueueCommand {
    /// Take messages.
    Publish(PublishBatch),
    /// Settle deliveries.
    Settle(Settled),
    /// A consumer that was out of room has room again.
    Resume {
        /// Its connection.
        connection: ConnectionId,
        /// The consumer; `None`: any of the connection.
        consumer: Option<ConsumerKey>,
    },
    /// Attach a consumer. The answer precedes its first delivery.
    Consume {
        /// The consumer.
        request: Box<ConsumeRequest>,
        /// [`Error::ExclusiveUse`], or attached.
        reply: oneshot::Sender<Result<(), Error>>,
    },
    /// Detach a consumer; its unacknowledged messages stay out until its channel settles or closes.
    Cancel {
        /// Its connection.
        connection: ConnectionId,
        /// The consumer.
        consumer: ConsumerKey,
        /// Answered after its last delivery.
        reply: oneshot::Sender<()>,
    },
    /// Fetch one message.
    Get {
        /// The channel that fetches.
        session: SessionId,
        /// Count it as acknowledged at once.
        no_ack: bool,
        /// The message, or `None` when there is none; with the consumer count for listings.
        reply: oneshot::Sender<Result<Option<Fetched>, Error>>,
    },
    /// Drop all ready messages.
    Purge {
        /// How many there were.
        reply: oneshot::Sender<u64>,
    },
    /// A channel closed: detach its consumers, put back its unacknowledged messages.
    SessionClosed {
        /// The channel.
        session: SessionId,
        /// Answered when that is done, and who is told that nobody consumes any more has been told.
        reply: oneshot::Sender<()>,
    },
    /// List consumers.
    Consumers {
        /// The consumers.
        reply: oneshot::Sender<Vec<ConsumerInfo>>,
    },
    /// Something used the queue: `x-expires` starts again.
    Touch {
        /// Answered when the published counts hold all that came before.
        reply: oneshot::Sender<()>,
    },
    /// Policies changed what applies to it.
    Settings(Box<EffectiveArguments>),
    /// Delete the queue with its messages.
    Delete {
        /// Only without consumers.
        if_unused: bool,
        /// Only without ready messages.
        if_empty: bool,
        /// Ready messages that went with it.
        reply: oneshot::Sender<Result<u64, Error>>,
    },
    /// Stop the owner; durable messages stay in the log.
    Stop {
        /// Answered when everything handed to the log is durable.
        reply: oneshot::Sender<()>,
    },
}
