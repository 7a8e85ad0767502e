//! Consuming, fetching and settling on a channel.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::channel::Outstanding;
use super::methods::wire_count;
use super::session::{Consumer, Session};
use crate::amqp091::confirm::ConfirmTracker;
use crate::amqp091::encode;
use crate::amqp091::method::Method;
use crate::amqp091::reply::{ReplyCode, Violation};
use crate::domain::arguments;
use crate::domain::name::QueueName;
use crate::domain::queue::consumer::check_stream_consumer;
use crate::domain::queue::state::Disposition;
use crate::domain::queue::{ConsumerKey, QueueKind};
use crate::domain::reply_to::DIRECT_REPLY_TO;
use crate::domain::value::FieldValue;
use crate::error::{Error, Resource};
use crate::facade::ConsumerInfo;
use crate::runtime::publish::with_delivery_counts;
use crate::runtime::queue::{ConsumeRequest, OutboundCredit, QueueCommand};

impl Session {
    /// `basic.consume`: the queue answers before it delivers.
    pub(super) async fn consume(&mut self, number: u16, method: Method<'_>) -> Result<(), Violation> {
        let Method::BasicConsume { queue, consumer_tag, no_ack, exclusive, nowait, arguments, .. } = method else {
            return Ok(());
        };
        let Some(channel) = self.channels.get(&number) else { return Ok(()) };
        if channel.consumers.contains_key(consumer_tag) {
            return Err(Violation::connection(
                ReplyCode::NotAllowed,
                format!("attempt to reuse consumer tag '{consumer_tag}'"),
            ));
        }
        if queue == DIRECT_REPLY_TO {
            return self.consume_replies(number, consumer_tag, no_ack, nowait);
        }
        let name = self.named_queue(number, queue)?;
        self.refuse_consuming_address(number, &name)?;
        let handle = self.broker.readable_queue(&self.caller, &self.vhost, &name, "basic.consume")?;
        let tag = if consumer_tag.is_empty() { generated_tag()? } else { consumer_tag.to_owned() };
        let (kind, resource) = (handle.spec().kind, Resource::Queue(self.vhost.clone(), name.clone()));
        arguments::check_consumer(&resource, &arguments, kind)?;
        let (mut prefetch, mut limiter) = (channel.prefetch, channel.limiter.clone());
        if kind == QueueKind::Stream {
            // Nothing is shared between consumers of a stream: each gets what the channel may have.
            prefetch = prefetch.max(channel.entry.global_prefetch.load(Relaxed));
            limiter = None;
            check_stream_consumer(&resource, prefetch, no_ack)?;
        }
        let priority = arguments.get("x-priority").and_then(FieldValue::as_i64).unwrap_or(0);
        self.next_consumer += 1;
        let key = ConsumerKey(self.next_consumer);
        let credit = Arc::new(OutboundCredit::default());
        let ack_timeout = self.ack_timeout(&handle, Some(&arguments)).filter(|_| !no_ack);
        let request = ConsumeRequest {
            session: channel.session,
            key,
            tag: tag.clone(),
            no_ack,
            exclusive,
            prefetch,
            priority,
            to: self.sender.clone(),
            credit: credit.clone(),
            limiter,
            info: self.consumer_info(number, &name, &tag, !no_ack, exclusive, prefetch, arguments),
        };
        let told = self.consumer_to_tell(&request.info);
        let attached = handle.ask(|reply| QueueCommand::Consume { request: Box::new(request), reply }).await;
        match attached {
            Some(Ok(())) => {}
            Some(Err(error)) => return Err(error.into()),
            None => return Err(Error::NoSuch(Resource::Queue(self.vhost.clone(), name)).into()),
        }
        self.broker.events().tell_all(told.into_iter().collect());
        if !nowait {
            encode::basic_tag_ok(&mut self.output.bytes, number, 21, &tag);
        }
        if let Some(channel) = self.channels.get_mut(&number) {
            let taken = channel.flows.taken(&self.vhost_handle, &handle);
            let consumer =
                Consumer { channel: number, tag: tag.clone(), no_ack, queue: handle, taken, credit, ack_timeout };
            self.consumers.insert(key, consumer);
            channel.consumers.insert(tag, key);
            channel.entry.consumers.store(channel.consumers.len() as u32, Relaxed);
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "each is a column of the consumer listing")]
    fn consumer_info(
        &self,
        number: u16,
        queue: &QueueName,
        tag: &str,
        ack_required: bool,
        exclusive: bool,
        prefetch_count: u16,
        arguments: crate::domain::value::FieldTable,
    ) -> ConsumerInfo {
        ConsumerInfo {
            connection: self.id,
            connection_name: self.entry.name().to_owned(),
            peer_host: self.entry.facts.peer.ip().to_canonical().to_string(),
            peer_port: self.entry.facts.peer.port(),
            channel: number,
            user: self.user.clone(),
            vhost: self.vhost.clone(),
            queue: queue.clone(),
            tag: tag.to_owned(),
            ack_required,
            exclusive,
            prefetch_count,
            active: true,
            blocked: false,
            arguments,
        }
    }

    /// `basic.cancel`: answered after the last delivery; an unknown tag is fine.
    pub(super) async fn cancel(&mut self, number: u16, tag: &str, nowait: bool) -> Result<(), Violation> {
        let key = self.channels.get(&number).and_then(|channel| channel.consumers.get(tag)).copied();
        if self.stop_replies(number, Some(tag)) {
            // There is no queue to tell.
        } else if let Some(key) = key {
            if let Some(queue) = self.consumers.get(&key).map(|consumer| consumer.queue.clone()) {
                let connection = self.id;
                queue.ask(|reply| QueueCommand::Cancel { connection, consumer: key, reply }).await;
            }
            self.drain_events().await;
            if let Some(consumer) = self.consumers.remove(&key) {
                self.tell_consumer_deleted(&consumer, true);
            }
            if let Some(channel) = self.channels.get_mut(&number) {
                channel.consumers.remove(tag);
                channel.entry.consumers.store(channel.consumers.len() as u32, Relaxed);
            }
        }
        if !nowait {
            encode::basic_tag_ok(&mut self.output.bytes, number, 31, tag);
        }
        Ok(())
    }

    /// `basic.get`
    pub(super) async fn get(&mut self, number: u16, queue: &str, no_ack: bool) -> Result<(), Violation> {
        let name = self.named_queue(number, queue)?;
        self.refuse_fetching_from_address(&name)?;
        let handle = self.broker.readable_queue(&self.caller, &self.vhost, &name, "basic.get")?;
        let Some(session) = self.channels.get(&number).map(|channel| channel.session) else { return Ok(()) };
        let fetched = match handle.ask(|reply| QueueCommand::Get { session, no_ack, reply }).await {
            Some(fetched) => fetched?,
            None => return Err(Error::NoSuch(Resource::Queue(self.vhost.clone(), name)).into()),
        };
        let Some(channel) = self.channels.get_mut(&number) else { return Ok(()) };
        let taken = channel.flows.taken(&self.vhost_handle, &handle);
        let Some(fetched) = fetched else {
            channel.entry.counters.get_empty.fetch_add(1, Relaxed);
            taken.found_empty();
            encode::basic_get_empty(&mut self.output.bytes, number);
            return Ok(());
        };
        let delivered = fetched.delivered;
        let mut watched = None;
        let tag = channel.take_tag();
        let counter = if no_ack { &channel.entry.counters.get_no_ack } else { &channel.entry.counters.get };
        counter.fetch_add(1, Relaxed);
        taken.fetched(delivered.redelivered, no_ack);
        channel.entry.counters.redeliver.fetch_add(u64::from(delivered.redelivered), Relaxed);
        if !no_ack {
            channel.outstanding.push_back(Outstanding { tag, slot: Some(delivered.slot), taken });
            channel.entry.unacknowledged.store(channel.outstanding.len() as u64, Relaxed);
            watched = self.ack_timeout(&handle, None);
        }
        let message = match handle.spec().kind {
            QueueKind::Quorum => with_delivery_counts(&delivered.message, delivered.acquired, delivered.failures),
            QueueKind::Classic | QueueKind::Stream => delivered.message,
        };
        let left = wire_count(fetched.messages_left);
        self.copy_delivery(number, &message, handle.spec().name.as_str(), delivered.redelivered);
        let mut writer = self.output.content(number, self.tuned.frame_max);
        writer.get_ok(tag, delivered.redelivered, &message, left);
        if let Some(timeout) = watched {
            self.watch_deliveries(session, (tag, tag), None, timeout);
        }
        Ok(())
    }

    /// `basic.ack`, `basic.nack`, `basic.reject`
    pub(super) fn settle(&mut self, number: u16, method: &Method<'_>) -> Result<(), Violation> {
        let (tag, multiple, disposition) = match *method {
            Method::BasicAck { delivery_tag, multiple } => (delivery_tag, multiple, Disposition::Ack),
            Method::BasicNack { delivery_tag, multiple, requeue: true } => {
                (delivery_tag, multiple, Disposition::Requeue)
            }
            Method::BasicNack { delivery_tag, multiple, requeue: false } => {
                (delivery_tag, multiple, Disposition::Discard)
            }
            Method::BasicReject { delivery_tag, requeue: true } => (delivery_tag, false, Disposition::RejectRequeue),
            Method::BasicReject { delivery_tag, requeue: false } => (delivery_tag, false, Disposition::RejectDiscard),
            _ => return Ok(()),
        };
        self.touch(number);
        let Some(channel) = self.channels.get_mut(&number) else { return Ok(()) };
        let outgoing = &mut self.outgoing;
        let mut transaction = channel.transaction.take();
        if let Some(transaction) = &transaction {
            transaction.check_room()?;
        }
        let settled = channel.settled_by(tag, multiple, |outstanding| {
            if disposition == Disposition::Ack {
                outstanding.taken.acknowledged();
            }
            match transaction.as_mut() {
                Some(transaction) => transaction.settlements.push((outstanding, disposition)),
                None => outgoing.settle_one(&outstanding, disposition),
            }
        });
        if let Some(transaction) = &transaction {
            channel.entry.acks_uncommitted.store(transaction.settlements.len() as u64, Relaxed);
        }
        channel.transaction = transaction;
        let settled = settled?;
        if disposition == Disposition::Ack {
            channel.entry.counters.ack.fetch_add(settled, Relaxed);
        }
        channel.entry.unacknowledged.store(channel.outstanding.len() as u64, Relaxed);
        Ok(())
    }

    /// `basic.recover` and `basic.recover-async`
    pub(super) async fn recover(&mut self, number: u16, requeue: bool, answer: bool) -> Result<(), Violation> {
        if !requeue {
            return Err(Violation::connection(ReplyCode::NotImplemented, "requeue=false"));
        }
        if let Some(channel) = self.channels.get_mut(&number) {
            for outstanding in channel.outstanding.drain(..) {
                self.outgoing.settle_one(&outstanding, Disposition::Requeue);
            }
            channel.entry.unacknowledged.store(0, Relaxed);
        }
        self.flush().await;
        if answer {
            encode::bare(&mut self.output.bytes, number, 60, 111);
        }
        Ok(())
    }

    /// `confirm.select`
    pub(super) fn confirm_select(&mut self, number: u16, nowait: bool) -> Result<(), Violation> {
        let Some(channel) = self.channels.get_mut(&number) else { return Ok(()) };
        if channel.entry.transactional.load(Relaxed) {
            return Err(Violation::new(ReplyCode::PreconditionFailed, "cannot switch from tx to confirm mode"));
        }
        // What came before was not published in confirm mode.
        channel.count_published(&self.traffic);
        channel.confirm.get_or_insert_with(ConfirmTracker::default);
        channel.entry.confirm.store(true, Relaxed);
        if !nowait {
            encode::bare(&mut self.output.bytes, number, 85, 11);
        }
        Ok(())
    }
}

/// `amq.ctag-` and 22 characters that do not repeat.
pub(super) fn generated_tag() -> Result<String, Violation> {
    use base64::Engine as _;
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| Violation::new(ReplyCode::InternalError, error.to_string()))?;
    Ok(format!("amq.ctag-{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)))
}
