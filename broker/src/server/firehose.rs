//! Copies of what a connection publishes and gets, for `amq.rabbitmq.trace`, while tracing
//! is on in its vhost. They go out with the connection's own batches, so a queue that takes
//! them slowly slows down what they are copies of, and nothing piles up.

use super::outgoing::Outgoing;
use super::session::Session;
use crate::domain::exchange::delayed::is_delay;
use crate::domain::firehose::Tap;
use crate::domain::message::Message;
use crate::domain::routing::RouteBuffer;
use crate::runtime::publish::route_own;
use crate::runtime::queue::QueueHandle;
use crate::runtime::vhost::{LiveTopology, VhostHandle};

/// What the copies of one connection have in common.
pub(super) struct Firehose {
    node: String,
    vhost: String,
    connection: String,
    user: String,
    handle: VhostHandle,
    routes: RouteBuffer<QueueHandle>,
}

impl Firehose {
    fn tap(&self, channel: u16) -> Tap<'_> {
        let Self { node, vhost, connection, user, .. } = self;
        Tap { node, vhost, connection, channel, user }
    }

    /// Copies a message that was delivered from a queue: the message, the queue, and whether it was delivered before.
    pub(super) fn delivered(
        &mut self,
        topology: &LiveTopology,
        outgoing: &mut Outgoing,
        channel: u16,
        (message, queue, redelivered): (&Message, &str, bool),
    ) {
        let copy = self.tap(channel).delivered(message, queue, redelivered);
        self.send(topology, outgoing, copy);
    }

    fn send(&mut self, topology: &LiveTopology, outgoing: &mut Outgoing, copy: Option<Message>) {
        let Some(copy) = copy else { return };
        route_own(topology, &copy, &mut self.routes);
        self.handle.histories().remember(&self.routes.histories, &copy);
        self.routes.replies.iter().for_each(|address| self.handle.replies().send(address, &copy));
        outgoing.publish(&self.routes.queues, copy, (0, 0), 0);
    }
}

impl Session {
    /// Begins or ends copying, as the directory says of the vhost.
    pub(super) fn attach_firehose(&mut self) {
        let traced = self.directory.vhosts.get(&self.vhost).is_some_and(|vhost| vhost.tracing);
        if traced == self.firehose.is_some() {
            return;
        }
        self.firehose = traced.then(|| {
            Box::new(Firehose {
                node: self.broker.settings().node_name.clone(),
                vhost: self.vhost.as_str().to_owned(),
                connection: self.entry.name().to_owned(),
                user: self.user.as_str().to_owned(),
                handle: self.vhost_handle.clone(),
                routes: RouteBuffer::default(),
            })
        });
    }

    /// Copies a publish whose route is in the session's buffer.
    pub(super) fn copy_publish(&mut self, channel: u16, message: &Message, further_keys: &[String]) {
        let Some(firehose) = self.firehose.as_deref_mut() else { return };
        let queues = self.routes.queues.iter().map(QueueHandle::spec).filter(|queue| !is_delay(queue));
        let queues = queues.map(|queue| queue.name.as_str());
        let queues = queues.chain(self.routes.replies.iter().map(String::as_str));
        let copy = firehose.tap(channel).published(message, further_keys, queues);
        firehose.send(&self.topology, &mut self.outgoing, copy);
    }

    /// Copies one delivery.
    pub(super) fn copy_delivery(&mut self, channel: u16, message: &Message, queue: &str, redelivered: bool) {
        if self.firehose.is_none() {
            return;
        }
        self.refresh();
        let Some(firehose) = self.firehose.as_deref_mut() else { return };
        firehose.delivered(&self.topology, &mut self.outgoing, channel, (message, queue, redelivered));
    }
}
