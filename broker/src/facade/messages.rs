//! Publishing, fetching and purging without a channel.

use super::{Broker, Caller};
use crate::domain::message::Message;
use crate::domain::name::{QueueName, VhostName};
use crate::error::Error;

/// What came of a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// At least one queue took it (durably, when it is persistent and the queue durable).
    Routed,
    /// No binding matched.
    Unroutable,
    /// A queue refused it (`reject-publish`).
    Rejected,
}

/// What to do with fetched messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckMode {
    /// Take them out of the queue.
    Ack,
    /// Put them back, counted as returned.
    Requeue,
    /// Reject without requeue: dead-letters.
    Reject,
    /// Reject with requeue.
    RejectRequeue,
}

/// A fetched message.
#[derive(Debug, Clone)]
pub struct FetchedMessage {
    /// The message.
    pub message: Message,
    /// Whether it had been delivered before.
    pub redelivered: bool,
    /// Ready messages left after it.
    pub messages_left: u64,
}

impl Broker {
    /// Routes one message as `basic.publish` with mandatory and confirm would.
    ///
    /// # Errors
    /// `NoSuchVhost`, `NoSuch` exchange, `AccessRefused`, `TopicAccessRefused`, `InternalExchange`, `InvalidMessage`.
    pub async fn publish(&self, caller: &Caller, vhost: &VhostName, message: Message) -> Result<Published, Error> {
        let _ = (caller, vhost, message);
        todo!()
    }

    /// Fetches up to `count` messages, all before any is settled.
    ///
    /// # Errors
    /// `NoSuch` queue, `AccessRefused`, `Locked`, `NotImplemented` (streams).
    pub async fn get_messages(
        &self,
        caller: &Caller,
        vhost: &VhostName,
        queue: &QueueName,
        count: u32,
        ack: AckMode,
    ) -> Result<Vec<FetchedMessage>, Error> {
        let _ = (caller, vhost, queue, count, ack);
        todo!()
    }

    /// Drops all ready messages and says how many.
    ///
    /// # Errors
    /// `NoSuch` queue, `AccessRefused`, `Locked`, `NotImplemented` (streams).
    pub async fn purge_queue(&self, caller: &Caller, vhost: &VhostName, queue: &QueueName) -> Result<u64, Error> {
        let _ = (caller, vhost, queue);
        todo!()
    }
}
