//! Deliveries that are not settled in time: only quorum queues have such a time.
//!
//! The messages go back to their queue, and their consumer ends: with `basic.cancel` where the
//! client understands it, else the channel closes with 406, as it does for fetched messages. A
//! settlement that comes later is taken and means nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::channel::Channels;
use super::session::Session;
use crate::amqp091::reply::{ReplyCode, Violation};
use crate::domain::queue::state::Disposition;
use crate::domain::queue::{ConsumerKey, QueueKind, SessionId};
use crate::domain::value::{FieldTable, FieldValue};
use crate::runtime::queue::{QueueCommand, QueueHandle, Settled};

/// Deadlines kept before those of settled deliveries are looked for and dropped.
const DEADLINES_MIN: usize = 64;

/// Deliveries of one consumer, or one fetched message, made at one moment.
#[derive(Debug)]
struct Deadline {
    session: SessionId,
    /// Delivery tags, first and last.
    tags: (u64, u64),
    /// Whose they are; `None`: fetched.
    consumer: Option<ConsumerKey>,
    /// The consumer has already been ended for an earlier one.
    ended: bool,
}

/// The deadlines of a connection. There are about as many as unsettled deliveries at most:
/// whenever they have doubled, those of settled deliveries are dropped.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    by_time: BTreeMap<(Instant, u64), Deadline>,
    /// Tells apart what falls on the same moment.
    next: u64,
    /// How many may be kept before they are looked through.
    room: usize,
}

impl Deadlines {
    /// When the first one is over.
    pub(super) fn first(&self) -> Option<Instant> {
        self.by_time.first_key_value().map(|((at, _), _)| *at)
    }

    fn take_due(&mut self, now: Instant) -> Option<Deadline> {
        let entry = self.by_time.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    fn add(&mut self, at: Instant, deadline: Deadline, channels: &Channels) {
        if self.by_time.len() >= self.room.max(DEADLINES_MIN) {
            self.by_time.retain(|_, deadline| !out(channels, deadline).is_empty());
            self.room = self.by_time.len() * 2;
        }
        self.next += 1;
        self.by_time.insert((at, self.next), deadline);
    }

    fn end(&mut self, consumer: ConsumerKey) {
        self.by_time.values_mut().filter(|one| one.consumer == Some(consumer)).for_each(|one| one.ended = true);
    }
}

/// Places in the channel's list of what is out of a deadline's deliveries.
fn out(channels: &Channels, deadline: &Deadline) -> std::ops::Range<usize> {
    let Some(channel) = channels.get(&deadline.session.channel) else { return 0..0 };
    if channel.session != deadline.session || channel.closing {
        return 0..0;
    }
    let from = channel.outstanding.partition_point(|one| one.tag < deadline.tags.0);
    let to = channel.outstanding.partition_point(|one| one.tag <= deadline.tags.1);
    from..to
}

impl Session {
    /// How long deliveries of a queue may stay unsettled: the consumer's argument goes before
    /// the queue's and the policy's, and these before the node's setting. `None`: for ever.
    pub(super) fn ack_timeout(&self, queue: &QueueHandle, arguments: Option<&FieldTable>) -> Option<Duration> {
        if queue.spec().kind != QueueKind::Quorum {
            return None;
        }
        let own = arguments.and_then(|arguments| arguments.get("x-consumer-timeout")).and_then(FieldValue::as_i64);
        let own = own.and_then(|ms| u64::try_from(ms).ok());
        let ms = own.or_else(|| self.broker.queue_settings(&self.vhost, queue.spec()).consumer_timeout_ms);
        Some(ms.map_or(self.broker.settings().consumer_timeout, Duration::from_millis))
    }

    /// Deliveries with these tags, first and last, were made now.
    pub(super) fn watch_deliveries(
        &mut self,
        session: SessionId,
        tags: (u64, u64),
        consumer: Option<ConsumerKey>,
        timeout: Duration,
    ) {
        // A time beyond what the clock can say never comes.
        let Some(at) = Instant::now().checked_add(timeout) else { return };
        self.deadlines.add(at, Deadline { session, tags, consumer, ended: false }, &self.channels);
    }

    /// Ends the deliveries whose time is over.
    pub(super) async fn expire_deliveries(&mut self, now: Instant) {
        while let Some(deadline) = self.deadlines.take_due(now) {
            if !out(&self.channels, &deadline).is_empty() {
                self.expire(deadline).await;
            }
        }
    }

    async fn expire(&mut self, deadline: Deadline) {
        let number = deadline.session.channel;
        let consumer = deadline.consumer.filter(|key| deadline.ended || self.consumers.contains_key(key));
        let Some(key) = consumer.filter(|_| self.capabilities.consumer_cancel_notify) else {
            let text = format!(
                "delivery acknowledgement on channel {number} timed out. Timeout value used: -1 ms. \
                 This timeout value can be configured, see consumers doc guide to learn more"
            );
            return self.fail(number, &Violation::new(ReplyCode::PreconditionFailed, text), (0, 0)).await;
        };
        // The consumer goes first, else it would be given the same messages again.
        if let Some(queue) = self.consumers.get(&key).map(|consumer| consumer.queue.clone()) {
            tracing::warn!(connection = %self.entry.name(), queue = %queue.spec().name, "a consumer did not settle in time");
            let connection = self.id;
            queue.ask(|reply| QueueCommand::Cancel { connection, consumer: key, reply }).await;
            self.drain_events().await;
            self.consumers_cancelled(vec![key]);
            self.deadlines.end(key);
        }
        let places = out(&self.channels, &deadline);
        let Some(channel) = self.channels.get_mut(&number) else { return };
        let mut slots = Vec::new();
        let mut queue = None;
        for one in channel.outstanding.range_mut(places) {
            if let Some(slot) = one.slot.take() {
                slots.push(slot);
                queue = Some(one.taken.queue().clone());
            }
        }
        if let Some(queue) = queue {
            let _ = queue.send(QueueCommand::Settle(Settled { disposition: Disposition::Requeue, slots })).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::queue::ConnectionId;

    #[test]
    fn deadlines_of_settled_deliveries_do_not_pile_up() {
        let mut deadlines = Deadlines::default();
        let (now, channels) = (Instant::now(), Channels::default());
        let session = SessionId { connection: ConnectionId(1), channel: 1, epoch: 1 };
        for tag in 0..10_000 {
            let deadline = Deadline { session, tags: (tag, tag), consumer: None, ended: false };
            deadlines.add(now + Duration::from_millis(tag), deadline, &channels);
            assert!(deadlines.by_time.len() <= DEADLINES_MIN);
        }
        let first = deadlines.first().unwrap();
        assert!(deadlines.take_due(first - Duration::from_millis(1)).is_none());
        assert_eq!(deadlines.take_due(first).map(|one| one.consumer), Some(None));
    }
}
