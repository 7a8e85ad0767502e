//! The owner and its consumers: who comes, who goes, who fetches.

use std::sync::Arc;

use tokio::time::Instant;

use super::command::{ConsumeRequest, Fetched};
use super::handle::ConsumerTags;
use super::long::STEP_MESSAGES_MAX;
use super::outlet::Outlet;
use super::task::{Owner, QueueNotice};
use crate::domain::queue::consumer::Consumer;
use crate::domain::queue::{ConnectionId, ConsumerId, ConsumerKey, QueueKind, SessionId};
use crate::error::Error;
use crate::facade::ConsumerInfo;
use crate::runtime::clock::now_ms;

impl Owner {
    pub(super) fn consume(&mut self, request: ConsumeRequest) -> Result<(), Error> {
        let consumers = self.state.consumers();
        // Only classic queues look at it; one that serves a single consumer is nobody's alone.
        let is_taken =
            consumers.has_exclusive() || request.exclusive && (!consumers.is_empty() || consumers.is_single_active());
        if self.context.spec.kind == QueueKind::Classic && is_taken {
            return Err(Error::ExclusiveUse(self.resource()));
        }
        let ConsumeRequest {
            session, key, tag, no_ack, exclusive, prefetch, priority, to, credit, limiter, info, ..
        } = request;
        let id = self.state.add_consumer(Consumer::new(key, session, tag, no_ack, exclusive, prefetch, priority));
        let limiter = limiter.filter(|_| !no_ack);
        self.outlets.insert(Outlet::new(id, key, to, credit, limiter, info));
        self.publish_tags();
        self.publish_stats();
        Ok(())
    }

    pub(super) fn cancel(&mut self, connection: ConnectionId, key: ConsumerKey) {
        if let Some(id) = self.state.consumers().find(connection, key)
            && let Some(consumer) = self.state.remove_consumer(id)
        {
            self.consumers_left(vec![(id, consumer.unacked)]);
        }
    }

    /// Consumers have left, with so many of their messages still out.
    pub(super) fn consumers_left(&mut self, leaving: Vec<(ConsumerId, u32)>) {
        if leaving.is_empty() {
            return;
        }
        for (id, out) in leaving {
            self.outlets.remove(id, out);
        }
        self.last_used = Instant::now();
        self.publish_tags();
        if self.context.spec.auto_delete && self.state.consumers().is_empty() {
            self.notify(QueueNotice::Unused);
        }
    }

    pub(super) fn publish_tags(&mut self) {
        let consumers = self.state.consumers();
        self.named_active = consumers.single_active();
        let tag_of = |wanted: &dyn Fn(ConsumerId, &Consumer) -> bool| {
            consumers.iter().find(|(id, consumer)| wanted(*id, consumer)).map(|(_, consumer)| consumer.tag.clone())
        };
        let tags = ConsumerTags {
            exclusive: tag_of(&|_, consumer| consumer.exclusive),
            single_active: tag_of(&|id, _| Some(id) == consumers.single_active()),
        };
        if tags != ConsumerTags::default() || self.stats.tags.load().is_some() {
            self.stats.tags.store((tags != ConsumerTags::default()).then(|| Arc::new(tags)));
        }
    }

    /// Fetches a message; `None` while the first one is on disk or has expired.
    pub(super) fn get(&mut self, session: SessionId, no_ack: bool) -> Option<Result<Option<Fetched>, Error>> {
        if self.context.spec.kind == QueueKind::Quorum && self.state.consumers().is_single_active() {
            return Some(Err(Error::SingleActiveGet(self.resource(), "<<\"quorum\">>")));
        }
        if self.state.expire(now_ms(), STEP_MESSAGES_MAX, &mut self.outlets) || self.state.is_head_away() {
            return None;
        }
        let fetched = self.state.get(session, no_ack, &mut self.outlets);
        let messages_left = self.state.ready().0;
        self.publish_stats();
        Some(Ok(fetched.map(|delivered| Fetched { delivered, messages_left })))
    }

    pub(super) fn list_consumers(&self) -> Vec<ConsumerInfo> {
        self.state
            .consumers()
            .iter()
            .filter_map(|(id, consumer)| {
                let mut info = self.outlets.get(id)?.info.clone();
                info.active = self.state.consumers().is_active(id);
                info.blocked = consumer.is_full();
                Some(info)
            })
            .collect()
    }
}
