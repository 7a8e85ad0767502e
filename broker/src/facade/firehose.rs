//! Copies of what is published and fetched without a channel, for `amq.rabbitmq.trace`,
//! while tracing is on in the vhost.

use super::{Broker, Caller, FetchedMessage};
use crate::domain::exchange::delayed::is_delay;
use crate::domain::firehose::Tap;
use crate::domain::message::Message;
use crate::domain::name::{QueueName, VhostName};
use crate::domain::routing::RouteBuffer;
use crate::runtime::publish::{Checked, publish_own};
use crate::runtime::queue::QueueHandle;

/// Whoever comes without a channel is said to come over the first one, as by the reference.
const CHANNEL: u16 = 1;

impl Broker {
    /// Copies a publish whose route is in `routes`.
    pub(super) async fn copy_publish(
        &self,
        caller: &Caller,
        vhost: &VhostName,
        checked: &Checked,
        routes: &RouteBuffer<QueueHandle>,
    ) {
        self.copy(caller, vhost, |tap| {
            let queues = routes.queues.iter().map(QueueHandle::spec).filter(|queue| !is_delay(queue));
            let queues = queues.map(|queue| queue.name.as_str());
            let queues = queues.chain(routes.replies.iter().map(String::as_str));
            tap.published(&checked.message, &checked.further_keys, queues).into_iter().collect()
        })
        .await;
    }

    /// Copies messages fetched from a queue.
    pub(super) async fn copy_fetched(
        &self,
        caller: &Caller,
        vhost: &VhostName,
        queue: &QueueName,
        fetched: &[FetchedMessage],
    ) {
        self.copy(caller, vhost, |tap| {
            fetched.iter().filter_map(|one| tap.delivered(&one.message, queue.as_str(), one.redelivered)).collect()
        })
        .await;
    }

    async fn copy(&self, caller: &Caller, vhost: &VhostName, copies: impl FnOnce(&Tap<'_>) -> Vec<Message>) {
        if !self.directory().vhosts.get(vhost).is_some_and(|vhost| vhost.tracing) {
            return;
        }
        let Some(live) = self.vhost(vhost) else { return };
        let node = self.settings().node_name.as_str();
        // Such a caller has no address; the name only tells its calls apart.
        let connection = format!("<{node}.{}>", self.registry().next_id().0);
        let tap =
            Tap { node, vhost: vhost.as_str(), connection: &connection, channel: CHANNEL, user: caller.user.as_str() };
        let mut routes = RouteBuffer::default();
        for copy in copies(&tap) {
            publish_own(&live, copy, &mut routes).await;
        }
    }
}
