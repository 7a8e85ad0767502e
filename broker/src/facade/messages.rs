//! Publishing, fetching and purging without a channel.

use std::sync::atomic::Ordering::Relaxed;

use super::{Broker, Caller};
use crate::amqp091::confirm::ConfirmTracker;
use crate::domain::message::Message;
use crate::domain::name::{QueueName, VhostName};
use crate::domain::queue::state::{Delivered, Disposition};
use crate::domain::queue::{QueueKind, SessionId};
use crate::domain::routing::RouteBuffer;
use crate::error::{Error, Operation, Resource};
use crate::metrics::{ChannelCounters, Publishes, QueueCounters};
use crate::runtime::publish::{self, with_delivery_counts};
use crate::runtime::queue::{
    ConnectionEvent, ConnectionSender, Incoming, PublishBatch, QueueCommand, QueueHandle, Settled, shares,
};

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
        let topology = self.topology(vhost).ok_or_else(|| Error::NoSuchVhost(vhost.clone()))?;
        let max = self.settings().max_message_size;
        if message.body_len() > max {
            return Err(publish::too_large(message.body_len().into(), max));
        }
        let mut buffer = RouteBuffer::default();
        let checked = publish::check_and_route(&topology, &self.directory(), caller, vhost, message, &mut buffer)?;
        if publish::asks_for_direct_replies(checked.message.properties()) {
            // Replies would go to a consumer of the publishing channel, and there is no channel.
            return Err(Error::no_reply_consumer());
        }
        checked.traffic.count(1, buffer.copies());
        self.copy_publish(caller, vhost, &checked, &buffer).await;
        let counters = self.traffic_counters();
        let mut counted = Publishes::default();
        counted.count(buffer.queues.len(), checked.message.body_len());
        counted.received_confirm = 1;
        counters.published(&counted);
        let happened = |happened: ChannelCounters| self.registry().happened(vhost, &happened);
        happened(ChannelCounters { publish: 1, ..ChannelCounters::default() });
        let confirmed = ChannelCounters { confirm: 1, ..ChannelCounters::default() };
        if let Some(vhost) = self.vhost(vhost) {
            vhost.histories().remember(&buffer.histories, &checked.message);
            buffer.replies.iter().for_each(|address| vhost.replies().send(address, &checked.message));
        }
        if buffer.queues.is_empty() {
            counters.confirmed.fetch_add(1, Relaxed);
            let returned = u64::from(buffer.replies.is_empty());
            counters.return_unroutable.fetch_add(returned, Relaxed);
            happened(ChannelCounters { return_unroutable: returned, ..confirmed });
            return Ok(if buffer.replies.is_empty() { Published::Unroutable } else { Published::Routed });
        }
        let (sender, mut events) = ConnectionSender::new();
        let mut tracker = ConfirmTracker::default();
        let sequence = tracker.publish(buffer.queues.len() as u32, 0);
        for queue in &buffer.queues {
            let incoming = Incoming {
                message: checked.message.clone(),
                sequence,
                channel: 1,
                epoch: 0,
                shares: shares(buffer.queues.len()),
            };
            let batch = PublishBatch { from: Some(sender.clone()), messages: vec![incoming] };
            if queue.send(QueueCommand::Publish(batch)).await.is_err() && queue.is_gone() {
                tracker.settle(sequence, sequence, true);
            }
        }
        drop(sender);
        let mut refused = false;
        loop {
            tracker.take_answers(|answer| refused |= !answer.accepted, |_, _| {});
            if tracker.unanswered() == 0 {
                if !refused {
                    counters.confirmed.fetch_add(1, Relaxed);
                    happened(confirmed);
                }
                return Ok(if refused { Published::Rejected } else { Published::Routed });
            }
            match events.recv().await {
                Some(ConnectionEvent::Confirm(ranges)) => {
                    for range in ranges {
                        tracker.settle(range.first, range.last, range.accepted);
                    }
                }
                Some(_) => {}
                None => return Err(Error::Unavailable("the queue stopped before it took the message".to_owned())),
            }
        }
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
        let handle = self.readable_queue(caller, vhost, queue, "basic.get")?;
        let session = SessionId { connection: self.registry().next_id(), channel: 1, epoch: 0 };
        let gone = Error::NoSuch(Resource::Queue(vhost.clone(), queue.clone()));
        // A task of its own: whoever asked may go away in the middle, and what was fetched
        // by then must be settled all the same.
        let fetching = tokio::spawn(fetch(handle, session, count, ack));
        let fetched = fetching.await.map_err(|error| Error::Internal(error.to_string()))?;
        let fetched = fetched?.ok_or(gone)?;
        let queue_counters = QueueCounters {
            get: fetched.len() as u64,
            get_empty: u64::from(fetched.len() < count as usize),
            ack: if ack == AckMode::Ack { fetched.len() as u64 } else { 0 },
            redeliver: fetched.iter().filter(|message| message.redelivered).count() as u64,
            ..QueueCounters::default()
        };
        self.registry().happened(vhost, &ChannelCounters { queue: queue_counters, ..ChannelCounters::default() });
        self.copy_fetched(caller, vhost, queue, &fetched).await;
        Ok(fetched)
    }

    /// Drops all ready messages and says how many.
    ///
    /// # Errors
    /// `NoSuch` queue, `AccessRefused`, `Locked`, `NotImplemented` (streams).
    pub async fn purge_queue(&self, caller: &Caller, vhost: &VhostName, queue: &QueueName) -> Result<u64, Error> {
        let handle = self.readable_queue(caller, vhost, queue, "queue.purge")?;
        Ok(handle.ask(|reply| QueueCommand::Purge { reply }).await.unwrap_or_default())
    }

    /// A queue the caller may read from; `method` names what a stream refuses.
    pub(crate) fn readable_queue(
        &self,
        caller: &Caller,
        vhost: &VhostName,
        name: &QueueName,
        method: &str,
    ) -> Result<QueueHandle, Error> {
        let topology = self.topology(vhost).ok_or_else(|| Error::NoSuchVhost(vhost.clone()))?;
        let resource = Resource::Queue(vhost.clone(), name.clone());
        if !caller.internal {
            self.directory().decide(&caller.user, Operation::Read, &resource).to_result(&resource)?;
        }
        let found = topology.queue(name.as_str()).filter(|queue| !queue.is_gone());
        let queue = found.ok_or_else(|| Error::NoSuch(resource.clone()))?;
        if queue.spec().exclusive_owner.is_some_and(|owner| Some(owner) != caller.connection) {
            return Err(Error::Locked(resource));
        }
        if queue.spec().kind == QueueKind::Stream && method != "basic.consume" {
            return Err(Error::NotImplemented(format!("{method} not supported by stream queues {resource}")));
        }
        Ok(queue.clone())
    }
}

/// Fetches and settles; `None` when the queue ended meanwhile.
async fn fetch(
    queue: QueueHandle,
    session: SessionId,
    count: u32,
    ack: AckMode,
) -> Result<Option<Vec<FetchedMessage>>, Error> {
    let mut fetched = Vec::new();
    let mut slots = Vec::new();
    for _ in 0..count {
        let answer = queue.ask(|reply| QueueCommand::Get { session, no_ack: false, reply }).await;
        match answer {
            Some(Ok(Some(one))) => {
                slots.push(one.delivered.slot);
                fetched.push(FetchedMessage {
                    redelivered: one.delivered.redelivered,
                    message: shown(&queue, one.delivered),
                    messages_left: one.messages_left,
                });
            }
            Some(Ok(None)) => break,
            Some(Err(error)) => {
                let _ = queue.ask(|reply| QueueCommand::SessionClosed { session, reply }).await;
                return Err(error);
            }
            None => return Ok(None),
        }
    }
    let disposition = match ack {
        AckMode::Ack => Disposition::Ack,
        AckMode::Requeue => Disposition::Requeue,
        AckMode::Reject => Disposition::RejectDiscard,
        AckMode::RejectRequeue => Disposition::RejectRequeue,
    };
    let _ = queue.send(QueueCommand::Settle(Settled { disposition, slots })).await;
    Ok(Some(fetched))
}

/// A message as its queue's type shows it.
fn shown(queue: &QueueHandle, delivered: Delivered) -> Message {
    match queue.spec().kind {
        QueueKind::Quorum => with_delivery_counts(&delivered.message, delivered.acquired, delivered.failures),
        QueueKind::Classic | QueueKind::Stream => delivered.message,
    }
}
