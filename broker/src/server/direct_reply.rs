//! Direct replies on a channel: the consumer of `amq.rabbitmq.reply-to`, requests whose
//! `reply_to` becomes its address, and methods that name an address as if it were a queue.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::basic::generated_tag;
use super::session::Session;
use crate::amqp091::encode;
use crate::amqp091::reply::{ReplyCode, Violation};
use crate::domain::message::Message;
use crate::domain::name::{QueueName, strip_line_breaks};
use crate::domain::reply_to::{self, DIRECT_REPLY_TO};
use crate::error::{Error, Operation, Resource};
use crate::runtime::publish::{asks_for_direct_replies, with_reply_to};
use crate::runtime::vhost::{Reply, ReplyListener};

/// The consumer of direct replies of a channel.
pub(super) struct DirectReply {
    pub(super) tag: String,
    pub(super) address: Arc<str>,
}

impl Session {
    /// `basic.consume` of `amq.rabbitmq.reply-to`. It needs no permission: there is no queue.
    pub(super) fn consume_replies(
        &mut self,
        number: u16,
        tag: &str,
        no_ack: bool,
        nowait: bool,
    ) -> Result<(), Violation> {
        let refused = |text: &str| Err(Violation::new(ReplyCode::PreconditionFailed, text));
        let Some(channel) = self.channels.get_mut(&number) else { return Ok(()) };
        if !no_ack {
            return refused("reply consumer cannot acknowledge");
        }
        if channel.direct_reply.is_some() {
            return refused("reply consumer already set");
        }
        let tag = if tag.is_empty() { generated_tag()? } else { tag.to_owned() };
        let mut key = [0; reply_to::KEY_BYTES];
        getrandom::fill(&mut key).map_err(|error| Violation::new(ReplyCode::InternalError, error.to_string()))?;
        let address: Arc<str> = reply_to::address(self.id, number, key).into();
        let listener = ReplyListener {
            to: self.sender.clone(),
            channel: number,
            epoch: channel.session.epoch,
            under_way: Arc::default(),
        };
        self.vhost_handle.replies().listen(&address, &listener);
        if !nowait {
            encode::basic_tag_ok(&mut self.output.bytes, number, 21, &tag);
        }
        channel.direct_reply = Some(DirectReply { tag, address });
        Ok(())
    }

    /// Ends the consumer of replies if its tag is this one (`None`: whatever it is).
    pub(super) fn stop_replies(&mut self, number: u16, tag: Option<&str>) -> bool {
        let Some(channel) = self.channels.get_mut(&number) else { return false };
        let stopped = channel.direct_reply.take_if(|reply| tag.is_none_or(|tag| reply.tag == tag));
        stopped.is_some_and(|reply| {
            self.vhost_handle.replies().leave(&reply.address);
            true
        })
    }

    /// A request asks for direct replies: it carries the address from here on.
    pub(super) fn addressed(&self, number: u16, message: Message) -> Result<Message, Violation> {
        if !asks_for_direct_replies(message.properties()) {
            return Ok(message);
        }
        let Some(reply) = self.channels.get(&number).and_then(|channel| channel.direct_reply.as_ref()) else {
            return Err(Error::no_reply_consumer().into());
        };
        Ok(with_reply_to(&message, &reply.address)?)
    }

    /// Sends a message that was published to addresses to who listens there.
    pub(super) fn send_replies(&self, message: &Message) {
        self.routes.replies.iter().for_each(|address| self.vhost_handle.replies().send(address, message));
    }

    /// A reply for one of the channels.
    pub(super) fn take_reply(&mut self, reply: Reply) {
        let Reply { channel: number, epoch, message, room } = reply;
        let Some(channel) = self.channels.get_mut(&number) else { return };
        if channel.closing || channel.session.epoch != epoch {
            return;
        }
        // Taken out for a moment: the channel numbers the delivery.
        let Some(consumer) = channel.direct_reply.take() else { return };
        let delivery_tag = channel.take_tag();
        let mut writer = self.output.content(number, self.tuned.frame_max);
        writer.deliver(&consumer.tag, delivery_tag, false, &message);
        let address = consumer.address.clone();
        channel.direct_reply = Some(consumer);
        channel.entry.counters.deliver_no_ack.fetch_add(1, Relaxed);
        self.traffic.direct_replies.fetch_add(1, Relaxed);
        self.count_sent(1);
        self.output.hold_until_written(room);
        self.copy_delivery(number, &message, &address, false);
        self.touch(number);
    }

    /// `queue.declare`, passive or not, of a name in the name space of addresses: says
    /// whether somebody listens. Takes no other name.
    pub(super) fn declare_address(&mut self, number: u16, name: &str, nowait: bool) -> Result<bool, Violation> {
        let name = strip_line_breaks(name);
        if !name.starts_with(DIRECT_REPLY_TO) {
            return Ok(false);
        }
        let name = QueueName::new(name).map_err(|error| Error::InvalidArgument(error.to_string()))?;
        if name.as_str() != DIRECT_REPLY_TO && !self.vhost_handle.replies().is_heard(name.as_str()) {
            return Err(Error::NoSuch(Resource::Queue(self.vhost.clone(), name)).into());
        }
        self.declared(number, name, 0, 1, nowait);
        Ok(true)
    }

    /// Refuses to consume from an address: only its own consumer does.
    pub(super) fn refuse_consuming_address(&self, number: u16, name: &QueueName) -> Result<(), Violation> {
        let Some(resource) = self.readable_address(name)? else { return Ok(()) };
        let own = self.channels.get(&number).and_then(|channel| channel.direct_reply.as_ref());
        let text = match own {
            Some(reply) if *reply.address == *name.as_str() => {
                format!("multiple consumers are unsupported for {resource}")
            }
            _ => format!("only creator channel may consume from {resource}"),
        };
        Err(Violation::new(ReplyCode::PreconditionFailed, text))
    }

    /// Refuses to fetch from an address: nothing is kept there.
    pub(super) fn refuse_fetching_from_address(&self, name: &QueueName) -> Result<(), Violation> {
        match self.readable_address(name)? {
            Some(resource) => {
                let text = format!("basic.get not supported by volatile {resource}");
                Err(Violation::new(ReplyCode::NotImplemented, text))
            }
            None => Ok(()),
        }
    }

    /// The resource an address is, for a user who may read it; `None` for other names.
    pub(super) fn readable_address(&self, name: &QueueName) -> Result<Option<Resource>, Error> {
        if !reply_to::is_address(name.as_str()) {
            return Ok(None);
        }
        let resource = Resource::Queue(self.vhost.clone(), name.clone());
        self.directory.decide(&self.user, Operation::Read, &resource).to_result(&resource)?;
        Ok(Some(resource))
    }
}
