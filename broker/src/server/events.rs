//! What reaches a connection from outside: deliveries, confirms, cancellations, closing.

use std::sync::atomic::Ordering::Relaxed;

use super::channel::Outstanding;
use super::session::Session;
use crate::amqp091::encode;
use crate::amqp091::reply::{ReplyCode, Violation};
use crate::domain::queue::state::Delivered;
use crate::domain::queue::{ConsumerKey, QueueKind};
use crate::error::{Error, Operation, Resource};
use crate::runtime::publish::with_delivery_counts;
use crate::runtime::queue::{ConnectionEvent, Delivery, OutboundCredit, QueueCommand, QueueHandle};
use crate::runtime::stream::StreamDelivery;

impl Session {
    /// Takes one event.
    pub(super) async fn take_event(&mut self, event: ConnectionEvent) {
        match event {
            ConnectionEvent::Deliver(delivery) => self.deliver(delivery),
            ConnectionEvent::DeliverStream(delivery) => self.deliver_stream(delivery),
            ConnectionEvent::Reply(reply) => self.take_reply(*reply),
            ConnectionEvent::Confirm(ranges) => self.confirmed(&ranges),
            ConnectionEvent::ConsumerCancelled(key) => self.consumer_cancelled(key),
            ConnectionEvent::Close(reason) => {
                let violation = Violation::connection(ReplyCode::ConnectionForced, reason);
                self.fail(0, &violation, (0, 0)).await;
            }
            ConnectionEvent::PermissionsChanged => self.permissions_changed().await,
            ConnectionEvent::AlarmsChanged => self.alarms_changed(),
            ConnectionEvent::VhostChanged => self.refresh(),
        }
    }

    /// Takes the events that are there, so that what follows in the output comes after them.
    pub(super) async fn drain_events(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            self.take_event(event).await;
        }
    }

    /// Takes the events that are there, but for the cancellations of this channel's consumers: these are handed back,
    /// for [`Self::consumers_cancelled`] after the answer. The reference answers `queue.delete` before it notifies
    /// the consumers of the same channel, and clients that wait for the answer rely on it.
    pub(super) async fn drain_events_but_cancellations(&mut self, number: u16) -> Vec<ConsumerKey> {
        let mut held = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            match event {
                ConnectionEvent::ConsumerCancelled(key)
                    if self.consumers.get(&key).is_some_and(|consumer| consumer.channel == number) =>
                {
                    held.push(key);
                }
                event => self.take_event(event).await,
            }
        }
        held
    }

    /// Notifies the client of cancellations.
    pub(super) fn consumers_cancelled(&mut self, keys: Vec<ConsumerKey>) {
        for key in keys {
            self.consumer_cancelled(key);
        }
    }

    fn deliver(&mut self, delivery: Delivery) {
        if self.firehose.is_some() {
            // A queue bound to the firehose since the last look gets its copies too.
            self.refresh();
        }
        let Some(consumer) = self.consumers.get(&delivery.consumer) else { return };
        let number = consumer.channel;
        let Some(channel) = self.channels.get_mut(&number).filter(|channel| !channel.closing) else { return };
        let (session, first) = (channel.session, channel.next_tag);
        let quorum = consumer.queue.spec().kind == QueueKind::Quorum;
        let (mut cost, mut redeliveries) = (0, 0);
        let count = delivery.messages.len() as u64;
        let mut writer = self.output.content(number, self.tuned.frame_max);
        for Delivered { message, slot, redelivered, acquired, failures } in delivery.messages {
            let tag = channel.take_tag();
            cost += OutboundCredit::cost(message.body_len());
            redeliveries += u64::from(redelivered);
            let message = if quorum { with_delivery_counts(&message, acquired, failures) } else { message };
            writer.deliver(&consumer.tag, tag, redelivered, &message);
            if let Some(firehose) = self.firehose.as_deref_mut() {
                let queue = consumer.queue.spec().name.as_str();
                firehose.delivered(&self.topology, &mut self.outgoing, number, (&message, queue, redelivered));
            }
            if !consumer.no_ack {
                channel.outstanding.push_back(Outstanding { tag, slot: Some(slot), taken: consumer.taken.clone() });
            }
        }
        let counter =
            if consumer.no_ack { &channel.entry.counters.deliver_no_ack } else { &channel.entry.counters.deliver };
        counter.fetch_add(count, Relaxed);
        consumer.taken.delivered(count, redeliveries, consumer.no_ack);
        channel.entry.counters.redeliver.fetch_add(redeliveries, Relaxed);
        channel.entry.unacknowledged.store(channel.outstanding.len() as u64, Relaxed);
        let watched = consumer.ack_timeout.map(|timeout| (timeout, channel.next_tag - 1));
        self.output.grant_when_written(&consumer.credit, cost, &consumer.queue, delivery.consumer);
        self.count_sent(count);
        if let Some((timeout, last)) = watched {
            self.watch_deliveries(session, (first, last), Some(delivery.consumer), timeout);
        }
        self.touch(number);
    }

    /// Messages of a stream: each tells its offset, and none was delivered before.
    fn deliver_stream(&mut self, delivery: StreamDelivery) {
        if self.firehose.is_some() {
            self.refresh();
        }
        let Some(consumer) = self.consumers.get(&delivery.consumer) else { return };
        let number = consumer.channel;
        let Some(channel) = self.channels.get_mut(&number).filter(|channel| !channel.closing) else { return };
        let mut cost = 0;
        let count = delivery.messages.len() as u64;
        let mut writer = self.output.content(number, self.tuned.frame_max);
        for (offset, message) in delivery.messages {
            let tag = channel.take_tag();
            cost += OutboundCredit::cost(message.body_len());
            writer.deliver_at(&consumer.tag, tag, offset, &message);
            if let Some(firehose) = self.firehose.as_deref_mut() {
                let queue = consumer.queue.spec().name.as_str();
                firehose.delivered(&self.topology, &mut self.outgoing, number, (&message, queue, false));
            }
            channel.outstanding.push_back(Outstanding {
                tag,
                slot: Some(delivery.slot),
                taken: consumer.taken.clone(),
            });
        }
        consumer.taken.delivered(count, 0, false);
        channel.entry.counters.deliver.fetch_add(count, Relaxed);
        channel.entry.unacknowledged.store(channel.outstanding.len() as u64, Relaxed);
        self.output.grant_when_written(&consumer.credit, cost, &consumer.queue, delivery.consumer);
        self.count_sent(count);
        self.touch(number);
    }

    /// Counts deliveries: each is a method, a header and a body.
    pub(super) fn count_sent(&self, deliveries: u64) {
        self.entry.send_cnt.fetch_add(deliveries * 3, Relaxed);
        self.traffic.send_cnt.fetch_add(deliveries * 3, Relaxed);
    }

    fn consumer_cancelled(&mut self, key: ConsumerKey) {
        let Some(consumer) = self.consumers.remove(&key) else { return };
        self.tell_consumer_deleted(&consumer, false);
        let Some(channel) = self.channels.get_mut(&consumer.channel) else { return };
        channel.consumers.remove(&consumer.tag);
        channel.entry.consumers.store(channel.consumers.len() as u32, Relaxed);
        if self.capabilities.consumer_cancel_notify && !channel.closing {
            encode::basic_cancel(&mut self.output.bytes, consumer.channel, &consumer.tag);
        }
    }

    /// Ends the consumers that lost the right to read.
    async fn permissions_changed(&mut self) {
        self.refresh();
        let lost: Vec<(ConsumerKey, QueueHandle)> = self
            .consumers
            .iter()
            .filter(|(_, consumer)| {
                let resource = Resource::Queue(self.vhost.clone(), consumer.queue.spec().name.clone());
                !self.directory.decide(&self.user, Operation::Read, &resource).is_allowed()
            })
            .map(|(&key, consumer)| (key, consumer.queue.clone()))
            .collect();
        let connection = self.id;
        for (consumer, queue) in lost {
            queue.ask(|reply| QueueCommand::Cancel { connection, consumer, reply }).await;
            self.consumer_cancelled(consumer);
        }
    }

    /// `connection.update-secret`: what the user may is looked at anew. The secret itself is not
    /// asked, as by the reference: a user with a password has none that expires.
    pub(super) async fn update_secret(&mut self, reason: &str) -> Result<(), Violation> {
        self.refresh();
        if !self.directory.may_enter(&self.user, &self.vhost) {
            return Err(Error::VhostAccessRefused { vhost: self.vhost.clone(), user: self.user.clone() }.into());
        }
        self.permissions_changed().await;
        encode::bare(&mut self.output.bytes, 0, 10, 71);
        tracing::info!(connection = %self.entry.name(), user = %self.user, reason, "secret updated");
        Ok(())
    }

    /// Gives consumers their room back and wakes the queues that wait for it.
    pub(super) async fn resume_consumers(&mut self) {
        let mut resumable = Vec::new();
        self.output.take_resumable(|queue, consumer| resumable.push((queue, consumer)));
        let connection = self.id;
        for (queue, consumer) in resumable {
            let _ = queue.send(QueueCommand::Resume { connection, consumer: Some(consumer) }).await;
        }
    }
}
