//! The histories of a vhost's recent-history exchanges.
//!
//! Whoever publishes adds to them, under a leaf lock; the owner of the vhost records those
//! that changed, as they are by then: a burst of publishes costs one write. It also
//! hands a history to what is bound to its exchange. After a crash the newest messages,
//! whose write was not done, are missing.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::owner::Owner;
use crate::domain::binding::{Binding, Destination};
use crate::domain::exchange::ExchangeKind;
use crate::domain::exchange::recent_history::History;
use crate::domain::message::Message;
use crate::domain::name::ExchangeName;
use crate::domain::routing::{RouteBuffer, route};
use crate::runtime::publish::route_request;
use crate::runtime::queue::{Incoming, PublishBatch, QueueCommand, QueueHandle};
use crate::runtime::record;

#[derive(Debug, Default)]
struct Kept {
    history: History,
    changed: bool,
}

/// The histories of one vhost.
#[derive(Debug, Default)]
pub(crate) struct Histories {
    kept: Mutex<HashMap<ExchangeName, Kept>>,
    changed: Notify,
}

impl Histories {
    fn lock(&self) -> MutexGuard<'_, HashMap<ExchangeName, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a message to the histories of exchanges, each with the length it keeps.
    pub(crate) fn remember(&self, exchanges: &[(ExchangeName, usize)], message: &Message) {
        if exchanges.is_empty() {
            return;
        }
        // A message that stays must not keep the buffer it was read into.
        let mut own = message.clone();
        own.move_to(Bytes::copy_from_slice(message.buffer()));
        let mut kept = self.lock();
        for (exchange, length) in exchanges {
            let kept = kept.entry(exchange.clone()).or_default();
            kept.history.push(own.clone(), *length);
            kept.changed = true;
        }
        drop(kept);
        self.changed.notify_one();
    }

    /// Puts back what was recorded.
    pub(super) fn restore(&self, exchange: ExchangeName, messages: Vec<Message>) {
        let mut history = History::default();
        let length = messages.len();
        messages.into_iter().for_each(|message| history.push(message, length));
        self.lock().insert(exchange, Kept { history, changed: false });
    }

    fn recall(&self, exchange: &str) -> Vec<Message> {
        self.lock().get(exchange).map(|kept| kept.history.iter().cloned().collect()).unwrap_or_default()
    }

    /// Resolves when a history has changed.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn take_changed(&self) -> Vec<(ExchangeName, Vec<Message>)> {
        let mut kept = self.lock();
        let mut changed = Vec::new();
        for (name, kept) in kept.iter_mut() {
            if std::mem::take(&mut kept.changed) {
                changed.push((name.clone(), kept.history.iter().cloned().collect()));
            }
        }
        changed
    }

    /// The exchange is gone.
    pub(super) fn forget(&self, exchange: &str) {
        self.lock().remove(exchange);
    }
}

impl Owner {
    /// Records the histories that changed, of exchanges that last.
    pub(super) async fn record_histories(&mut self) {
        let mut writes = Vec::new();
        for (name, messages) in self.shared.histories.take_changed() {
            match self.topology.exchange(name.as_str()).map(|entry| entry.exchange()) {
                Some(exchange) if exchange.matching() != ExchangeKind::RecentHistory => {}
                Some(exchange) if !exchange.durable => {}
                Some(_) => match record::history::put(&self.vhost, &name, &messages) {
                    Ok(write) => writes.push(write),
                    Err(error) => tracing::error!(vhost = %self.vhost, %name, %error, "a history is not recorded"),
                },
                // It was published to while it was being deleted.
                None => self.shared.histories.forget(name.as_str()),
            }
        }
        if !writes.is_empty()
            && let Err(error) = self.context.metadata.write(writes).await
        {
            tracing::error!(vhost = %self.vhost, %error, "recent history could not be recorded");
        }
    }

    /// Gives the history of a new binding's source to where it leads.
    pub(super) async fn replay(&mut self, binding: &Binding) {
        let source = self.topology.exchange(binding.source.as_str());
        if source.is_none_or(|entry| entry.exchange().matching() != ExchangeKind::RecentHistory) {
            return;
        }
        let messages = self.shared.histories.recall(binding.source.as_str());
        match &binding.destination {
            Destination::Queue(name) => {
                if let Some(queue) = self.topology.queue(name.as_str()) {
                    send(queue, messages).await;
                }
            }
            Destination::Exchange(name) => {
                let mut buffer = RouteBuffer::default();
                for message in messages {
                    let keys = [message.routing_key()];
                    let routed = route_request(&message, name.as_str(), &keys, |request| {
                        route(&self.topology, request, &mut buffer)
                    });
                    if routed.is_some() {
                        for queue in &buffer.queues {
                            send(queue, vec![message.clone()]).await;
                        }
                    }
                }
            }
        }
    }
}

/// Publishes messages nobody waits for.
async fn send(queue: &QueueHandle, messages: Vec<Message>) {
    if messages.is_empty() {
        return;
    }
    let incoming = |message| Incoming { message, sequence: 0, channel: 0, epoch: 0, shares: 1 };
    let batch = PublishBatch { from: None, messages: messages.into_iter().map(incoming).collect() };
    // A queue that is gone takes nothing.
    let _ = queue.send(QueueCommand::Publish(batch)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(key: &str) -> Message {
        Message::build("x", key, &[0, 0], b"body", false)
    }

    fn keys(messages: &[Message]) -> Vec<&str> {
        messages.iter().map(Message::routing_key).collect()
    }

    #[tokio::test]
    async fn what_changed_is_taken_once_and_what_was_restored_has_not() {
        let histories = Histories::default();
        let name = |name: &str| ExchangeName::new(name).unwrap();
        histories.restore(name("old"), vec![message("a"), message("b")]);
        assert!(histories.take_changed().is_empty());
        for key in ["1", "2", "3"] {
            histories.remember(&[(name("new"), 2), (name("old"), 3)], &message(key));
        }
        histories.changed().await;
        let mut changed = histories.take_changed();
        changed.sort_by(|(one, _), (other, _)| one.cmp(other));
        assert_eq!(changed.len(), 2);
        assert_eq!((changed[0].0.as_str(), keys(&changed[0].1)), ("new", vec!["2", "3"]));
        assert_eq!((changed[1].0.as_str(), keys(&changed[1].1)), ("old", vec!["1", "2", "3"]));
        assert!(histories.take_changed().is_empty());
        assert_eq!(keys(&histories.recall("new")), ["2", "3"]);
        histories.forget("new");
        assert!(histories.recall("new").is_empty());
    }
}
