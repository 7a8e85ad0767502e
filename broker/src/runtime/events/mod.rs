//! What happens in the broker, told to whoever binds to `amq.rabbitmq.event`.
//!
//! Whoever sees something happen hands over an event and goes on: nothing waits here. One
//! task publishes what has gathered. When it cannot keep up, as its queues take no more,
//! further events are dropped, counted, and the log says how many. While the exchange is
//! not there an event costs one look at a flag.

pub(crate) mod alarms;
pub(crate) mod connection;
pub(crate) mod directory;
pub(crate) mod topology;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::clock::now_ms;
use super::publish::publish_own;
use super::vhost::VhostRegistry;
use crate::domain::event::Event;
use crate::domain::name::VhostName;
use crate::domain::routing::RouteBuffer;

/// Events that may wait to be published; beyond them they are dropped. A burst of declares
/// fits, and so much memory is no loss.
const EVENTS_WAITING_MAX: usize = 16_384;

/// Where events are handed over.
#[derive(Debug)]
pub(crate) struct Events {
    node: String,
    on: AtomicBool,
    waiting: mpsc::Sender<(Event, u64)>,
    dropped: Arc<AtomicU64>,
}

/// What [`Publisher::start`] takes over.
pub(crate) struct Waiting {
    events: mpsc::Receiver<(Event, u64)>,
    dropped: Arc<AtomicU64>,
}

impl Events {
    /// Events of this node; none is taken before [`Self::switch`].
    pub(crate) fn new(node: &str) -> (Arc<Self>, Waiting) {
        let (waiting, events) = mpsc::channel(EVENTS_WAITING_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        let events = Waiting { events, dropped: dropped.clone() };
        (Arc::new(Self { node: node.to_owned(), on: AtomicBool::new(false), waiting, dropped }), events)
    }

    /// Begins or ends telling.
    pub(crate) fn switch(&self, on: bool) {
        self.on.store(on, Relaxed);
    }

    /// Whether events are told.
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Relaxed)
    }

    /// The node they happen on.
    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    /// Tells of what happened just now; `event` is asked only if anybody wants to know.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        if self.is_on() {
            self.hand_over(event());
        }
    }

    /// Tells of several things in order, made while [`Self::is_on`] held.
    pub(crate) fn tell_all(&self, events: Vec<Event>) {
        events.into_iter().for_each(|event| self.hand_over(event));
    }

    fn hand_over(&self, event: Event) {
        if self.waiting.try_send((event, now_ms())).is_err() && self.dropped.fetch_add(1, Relaxed) == 0 {
            tracing::warn!("events are dropped: {EVENTS_WAITING_MAX} wait to be published");
        }
    }
}

/// The task that publishes events; it ends when this is dropped.
pub(crate) struct Publisher(AbortHandle);

impl Publisher {
    /// Publishes into this vhost, as long as it lives and has the exchange.
    pub(crate) fn start(waiting: Waiting, vhosts: Arc<VhostRegistry>, vhost: VhostName) -> Self {
        Self(tokio::spawn(publish(waiting, vhosts, vhost)).abort_handle())
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn publish(mut waiting: Waiting, vhosts: Arc<VhostRegistry>, vhost: VhostName) {
    let mut routes = RouteBuffer::default();
    while let Some((event, at_ms)) = waiting.events.recv().await {
        if let Some(vhost) = vhosts.get(&vhost) {
            publish_own(&vhost, event.into_message(at_ms), &mut routes).await;
        }
        if waiting.events.is_empty() {
            tell_dropped(&waiting.dropped);
        }
    }
}

/// Says how many events were lost since it was last said.
fn tell_dropped(dropped: &AtomicU64) -> u64 {
    let lost = dropped.swap(0, Relaxed);
    if lost > 0 {
        tracing::warn!(lost, "events were dropped, as their queues did not take them in time");
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_waits_before_somebody_wants_to_know() {
        let (events, mut waiting) = Events::new("n");
        events.tell(|| panic!("nobody asked"));
        events.switch(true);
        events.tell(|| Event::new("a"));
        events.tell_all(vec![Event::new("b")]);
        let keys: Vec<_> = std::iter::from_fn(|| waiting.events.try_recv().ok()).map(|(event, _)| event).collect();
        assert_eq!(keys, [Event::new("a"), Event::new("b")]);
    }

    #[test]
    fn events_beyond_the_bound_are_dropped_and_counted() {
        let (events, mut waiting) = Events::new("n");
        events.switch(true);
        for _ in 0..EVENTS_WAITING_MAX + 3 {
            events.tell(|| Event::new("a"));
        }
        assert_eq!(waiting.events.len(), EVENTS_WAITING_MAX);
        assert_eq!((tell_dropped(&waiting.dropped), tell_dropped(&waiting.dropped)), (3, 0));
        waiting.events.try_recv().unwrap();
        events.tell(|| Event::new("a"));
        assert_eq!((waiting.events.len(), tell_dropped(&waiting.dropped)), (EVENTS_WAITING_MAX, 0));
    }
}
