//! What a connection tells as events: its end, its channels, its consumers.

use super::session::{Consumer, Session};
use crate::facade::ConsumerInfo;
use crate::runtime::events::connection as events;

impl Session {
    pub(super) fn tell_channel_created(&self, number: u16) {
        let told = self.broker.events();
        told.tell(|| events::channel_created(told.node(), &self.entry, number));
    }

    pub(super) fn tell_channel_closed(&self, number: u16, consumers: usize) {
        let told = self.broker.events();
        told.tell(|| events::channel_closed(told.node(), &self.entry, number, consumers));
    }

    pub(super) fn tell_connection_closed(&self) {
        let told = self.broker.events();
        told.tell(|| {
            events::connection_closed(told.node(), self.id, self.entry.name(), &self.entry.facts.client_properties)
        });
    }

    /// The event of a consumer to come; `None` when nobody wants to know.
    pub(super) fn consumer_to_tell(&self, info: &ConsumerInfo) -> Option<crate::domain::event::Event> {
        let told = self.broker.events();
        told.is_on().then(|| events::consumer_created(told.node(), info))
    }

    /// A consumer is gone: its client cancelled it, or something else ended it.
    pub(super) fn tell_consumer_deleted(&self, consumer: &Consumer, by_client: bool) {
        let told = self.broker.events();
        let queue = consumer.queue.spec().name.as_str();
        let what = (consumer.channel, consumer.tag.as_str(), queue);
        told.tell(|| events::consumer_deleted(told.node(), &self.entry, what, by_client));
    }
}
