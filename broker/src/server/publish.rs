//! `basic.publish`: checks, route, and the batches for the queues.

use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;

use super::channel::Channel;
use super::flows::Mark;
use super::session::Session;
use super::transaction::Held;
use crate::amqp091::confirm::{Answer, ConfirmTracker};
use crate::amqp091::content::{InPlace, Publish};
use crate::amqp091::encode;
use crate::amqp091::reply::{ReplyCode, Violation};
use crate::domain::message::Message;
use crate::runtime::publish::{check_and_route, is_plain, too_large};
use crate::runtime::queue::ConfirmRange;

/// `basic.return` code for a mandatory message no queue took.
const NO_ROUTE: u16 = 312;

impl Session {
    /// Takes a publish that lies whole in `chunk`. One that says what the one before said
    /// needs no second look at anything but its body's length.
    pub(super) fn publish_in_place(&mut self, number: u16, found: &InPlace, chunk: &Bytes) -> Result<(), Violation> {
        if found.is_ordinary()
            && found.body_len() <= self.max_message_size
            && let Some(channel) = self.channels.get_mut(&number)
            && channel.transaction.is_none()
            && let Some((queues, persistent, mark)) =
                channel.routes.recall(&self.topology, &self.directory, found.names(chunk), found.properties(chunk))
        {
            let message = found.take_known(chunk, persistent);
            channel.published.count(queues.len(), message.body_len());
            let sequence = channel.confirm.as_mut().map_or(0, |tracker| tracker.publish(queues.len() as u32, mark));
            self.outgoing.publish(queues, message, (number, channel.session.epoch), sequence);
            self.touch(number);
            return Ok(());
        }
        self.publish(number, found.take(chunk)?)
    }

    /// Takes a whole publish.
    pub(super) fn publish(&mut self, number: u16, publish: Publish) -> Result<(), Violation> {
        let Publish { mut message, mandatory, immediate } = publish;
        if immediate {
            return Err(Violation::connection(ReplyCode::NotImplemented, "immediate=true"));
        }
        if message.body_len() > self.max_message_size {
            return Err(self.too_large(message.body_len().into()));
        }
        self.touch(number);
        let Some(channel) = self.channels.get_mut(&number) else { return Ok(()) };
        let plain = is_plain(message.properties());
        let mut further_keys = Vec::new();
        let mark;
        if plain && let Some((queues, known)) = channel.routes.take(&self.topology, &self.directory, &message) {
            mark = known;
            self.routes.queues.clear();
            self.routes.replies.clear();
            self.routes.queues.extend_from_slice(queues);
        } else {
            let checked =
                check_and_route(&self.topology, &self.directory, &self.caller, &self.vhost, message, &mut self.routes)?;
            message = checked.message;
            further_keys = checked.further_keys;
            checked.traffic.count(1, self.routes.copies());
            self.vhost_handle.histories().remember(&self.routes.histories, &message);
            let Channel { flows, routes, confirm, .. } = channel;
            let unanswered = confirm.as_ref().map_or(0, ConfirmTracker::unanswered);
            let exchange = (message.exchange(), &checked.traffic);
            mark = flows.published(&self.vhost_handle, exchange, &self.routes.queues, unanswered);
            // Nothing is remembered while the firehose runs: what is remembered passes it by.
            if plain && checked.cacheable && self.firehose.is_none() {
                let (names, queues) = (message.names(), &self.routes.queues);
                routes.insert(&self.topology, &self.directory, names, queues, &checked.traffic, (flows, mark));
            }
        }
        message = self.addressed(number, message)?;
        self.copy_publish(number, &message, &further_keys);
        if let Some(channel) = self.channels.get_mut(&number)
            && let Some(transaction) = channel.transaction.as_mut()
        {
            let (queues, replies) = (self.routes.queues.clone(), self.routes.replies.clone());
            transaction.hold(Held { message, queues, replies, mandatory, mark })?;
            channel.entry.uncommitted.fetch_add(1, Relaxed);
            return Ok(());
        }
        self.hand_on(number, message, mandatory, mark);
        Ok(())
    }

    pub(super) fn too_large(&self, len: u64) -> Violation {
        too_large(len, self.max_message_size).into()
    }

    /// Puts a routed message into the batches of its queues, and returns or numbers it.
    pub(super) fn hand_on(&mut self, number: u16, message: Message, mandatory: bool, mark: Mark) {
        self.send_replies(&message);
        let Some(channel) = self.channels.get_mut(&number) else { return };
        let queues = &self.routes.queues;
        channel.published.count(queues.len(), message.body_len());
        if self.routes.is_empty() {
            channel.flows.unroutable(mark, mandatory);
            if mandatory {
                channel.entry.return_unroutable.fetch_add(1, Relaxed);
                self.traffic.return_unroutable.fetch_add(1, Relaxed);
                self.output.content(number, self.tuned.frame_max).give_back(NO_ROUTE, "NO_ROUTE", &message);
            } else {
                channel.entry.drop_unroutable.fetch_add(1, Relaxed);
                self.traffic.drop_unroutable.fetch_add(1, Relaxed);
            }
        }
        let sequence = match channel.confirm.as_mut() {
            Some(tracker) => {
                if queues.is_empty() {
                    self.to_confirm.push(number);
                }
                tracker.publish(queues.len() as u32, mark)
            }
            None => 0,
        };
        self.outgoing.publish(queues, message, (number, channel.session.epoch), sequence);
    }

    /// Queues answered.
    pub(super) fn confirmed(&mut self, ranges: &[ConfirmRange]) {
        for range in ranges {
            let Some(channel) = self.channels.get_mut(&range.channel) else { continue };
            if channel.session.epoch != range.epoch {
                continue;
            }
            if let Some(tracker) = channel.confirm.as_mut() {
                tracker.settle(range.first, range.last, range.accepted);
                self.to_confirm.push(range.channel);
            }
        }
    }

    /// Sends the confirms that are due.
    pub(super) fn answer_confirms(&mut self) {
        if self.to_confirm.is_empty() {
            return;
        }
        self.to_confirm.sort_unstable();
        self.to_confirm.dedup();
        for number in self.to_confirm.drain(..) {
            let Some(channel) = self.channels.get_mut(&number) else { continue };
            if channel.closing || channel.transaction.is_some() {
                continue;
            }
            let Some(tracker) = channel.confirm.as_mut() else { continue };
            let out = &mut self.output.bytes;
            let flows = &channel.flows;
            let answer = |answer: Answer| {
                if answer.accepted {
                    encode::basic_ack(out, number, answer.sequence, answer.multiple);
                } else {
                    encode::basic_nack(out, number, answer.sequence, answer.multiple);
                }
            };
            let confirmed = tracker.take_answers(answer, |mark, count| flows.confirmed(mark, count));
            channel.entry.confirmed.fetch_add(confirmed, Relaxed);
            self.traffic.confirmed.fetch_add(confirmed, Relaxed);
            channel.entry.unconfirmed.store(tracker.unanswered() as u64, Relaxed);
        }
    }
}
