//! One vhost as an immutable picture: exchanges, bindings, and the queue directory.
//!
//! Cloning shares structure, and a change costs O(log n), so the owner publishes a
//! snapshot after each one. What a queue handle is, this file does not know: it needs
//! only to say how the queue was declared.

mod change;
mod matcher;

use std::sync::Arc;

use imbl::{HashMap, OrdMap};

use super::arguments::alternate_exchange;
use super::binding::{Binding, BindingIdentity, Destination};
use super::exchange::{Exchange, ExchangeTraffic, Sink, predeclared};
use super::name::{ExchangeName, QueueName, VhostName};
use super::queue::QueueSpec;
use super::routing::Question;
use crate::error::Resource;
use matcher::Matcher;

pub use change::{Missing, Removed, RemovedBinding};

/// What the topology needs to know of a queue handle.
pub trait QueueRef: Clone {
    /// The queue as declared.
    fn spec(&self) -> &Arc<QueueSpec>;
}

impl QueueRef for Arc<QueueSpec> {
    fn spec(&self) -> &Arc<QueueSpec> {
        self
    }
}

/// A binding with what it leads to at hand.
#[derive(Debug)]
pub struct BoundBinding<Q> {
    number: u64,
    binding: Arc<Binding>,
    target: Target<Q>,
}

/// What a binding leads to.
#[derive(Debug, Clone)]
pub enum Target<Q> {
    /// A queue.
    Queue(Q),
    /// An exchange.
    Exchange(ExchangeName),
}

impl<Q> BoundBinding<Q> {
    /// The binding.
    #[must_use]
    pub fn binding(&self) -> &Arc<Binding> {
        &self.binding
    }

    /// What it leads to.
    #[must_use]
    pub fn target(&self) -> &Target<Q> {
        &self.target
    }
}

/// An exchange, its bindings on both sides, and where unrouted messages go.
#[derive(Debug, Clone)]
pub struct ExchangeEntry<Q> {
    exchange: Arc<Exchange>,
    alternate: Option<ExchangeName>,
    traffic: Arc<ExchangeTraffic>,
    /// Takes what is to wait, for an exchange that delays.
    delay: Option<Q>,
    matcher: Matcher<Q>,
    outgoing: OrdMap<Arc<BindingIdentity>, Arc<BoundBinding<Q>>>,
    incoming: Incoming,
}

impl<Q: QueueRef> ExchangeEntry<Q> {
    fn new(vhost: &VhostName, exchange: Arc<Exchange>) -> Self {
        let resource = Resource::Exchange(vhost.clone(), exchange.name.clone());
        Self {
            alternate: alternate_exchange(&exchange.arguments),
            traffic: Arc::default(),
            delay: None,
            matcher: Matcher::new(&exchange, &resource),
            exchange,
            outgoing: OrdMap::new(),
            incoming: OrdMap::new(),
        }
    }

    /// The exchange as declared.
    #[must_use]
    pub fn exchange(&self) -> &Arc<Exchange> {
        &self.exchange
    }

    /// Where messages go that nothing here matches: by argument, else by policy.
    #[must_use]
    pub fn alternate(&self) -> Option<&ExchangeName> {
        self.alternate.as_ref()
    }

    /// What went through it; one counter for all pictures that hold it.
    #[must_use]
    pub fn traffic(&self) -> &Arc<ExchangeTraffic> {
        &self.traffic
    }

    /// Who takes messages that are to wait here: a queue of nobody's but the exchange's.
    #[must_use]
    pub fn delay(&self) -> Option<&Q> {
        self.delay.as_ref()
    }

    /// Whether something is bound to it as a source.
    #[must_use]
    pub fn is_used(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Hands the bindings that match a message to `sink`; the default exchange has none.
    pub(super) fn find(&self, question: &mut Question<'_>, sink: &mut impl Sink<Arc<BoundBinding<Q>>>) {
        self.matcher.find(question, sink);
    }
}

/// Bindings that lead somewhere, by number.
type Incoming = OrdMap<u64, Arc<Binding>>;

/// A queue and the bindings that lead to it.
#[derive(Debug, Clone)]
struct QueueEntry<Q> {
    queue: Q,
    incoming: Incoming,
}

/// The picture of one vhost.
#[derive(Debug, Clone)]
pub struct Topology<Q> {
    vhost: VhostName,
    version: u64,
    bindings_numbered: u64,
    exchanges: HashMap<ExchangeName, Arc<ExchangeEntry<Q>>>,
    queues: HashMap<QueueName, Arc<QueueEntry<Q>>>,
}

impl<Q: QueueRef> Topology<Q> {
    /// A new vhost: the predeclared exchanges and nothing else.
    #[must_use]
    pub fn new(vhost: VhostName) -> Self {
        let mut topology =
            Self { vhost, version: 0, bindings_numbered: 0, exchanges: HashMap::new(), queues: HashMap::new() };
        for exchange in predeclared() {
            topology.insert_exchange(exchange);
        }
        topology
    }

    /// The vhost it pictures.
    #[must_use]
    pub fn vhost(&self) -> &VhostName {
        &self.vhost
    }

    /// Grows with every change: a route found at one version holds while it stays.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The exchange of that name; the empty name is the default exchange.
    #[must_use]
    pub fn exchange(&self, name: &str) -> Option<&ExchangeEntry<Q>> {
        self.exchanges.get(name).map(Arc::as_ref)
    }

    /// The queue of that name.
    #[must_use]
    pub fn queue(&self, name: &str) -> Option<&Q> {
        self.queues.get(name).map(|entry| &entry.queue)
    }

    /// How many queues there are.
    #[must_use]
    pub fn queue_count(&self) -> usize {
        self.queues.len()
    }

    /// How many exchanges there are, the default exchange included.
    #[must_use]
    pub fn exchange_count(&self) -> usize {
        self.exchanges.len()
    }

    /// All exchanges in name order.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Arc<Exchange>> {
        let mut all: Vec<_> = self.exchanges.values().map(|entry| entry.exchange.clone()).collect();
        all.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// Who takes messages that are to wait, of all exchanges that delay.
    #[must_use]
    pub fn delays(&self) -> Vec<Q> {
        self.exchanges.values().filter_map(|entry| entry.delay.clone()).collect()
    }

    /// Shows every queue, in no order.
    pub fn each_queue(&self, mut show: impl FnMut(&Q)) {
        self.queues.values().for_each(|entry| show(&entry.queue));
    }

    /// Shows what went through every exchange, in no order.
    pub fn each_exchange_traffic(&self, mut show: impl FnMut(&ExchangeTraffic)) {
        self.exchanges.values().for_each(|entry| show(&entry.traffic));
    }

    /// All queues in name order.
    #[must_use]
    pub fn queues(&self) -> Vec<Q> {
        // Names at hand: to look for them anew at each comparison takes most of the time.
        let mut all: Vec<_> = self.queues.iter().map(|(name, entry)| (name.as_str(), &entry.queue)).collect();
        all.sort_unstable_by_key(|(name, _)| *name);
        all.into_iter().map(|(_, queue)| queue.clone()).collect()
    }

    /// All bindings: first the implicit ones of the default exchange, then the others by
    /// source and destination.
    #[must_use]
    pub fn bindings(&self) -> Vec<Arc<Binding>> {
        let mut all: Vec<_> =
            self.queues().iter().map(|queue| Arc::new(Binding::implicit(&queue.spec().name))).collect();
        for exchange in self.exchanges() {
            all.extend(self.bindings_from(exchange.name.as_str()));
        }
        all
    }

    /// Bindings with that exchange as their source, the implicit ones of the default exchange left out.
    pub fn bindings_from(&self, source: &str) -> impl Iterator<Item = Arc<Binding>> + '_ {
        self.exchange(source).into_iter().flat_map(|entry| entry.outgoing.values().map(|bound| bound.binding.clone()))
    }

    /// Bindings that lead there, the implicit one of a queue left out.
    #[must_use]
    pub fn bindings_to(&self, destination: &Destination) -> Vec<Arc<Binding>> {
        self.incoming(destination).map(|incoming| incoming.values().cloned().collect()).unwrap_or_default()
    }

    /// Whether that binding exists; the implicit ones do while their queue does.
    #[must_use]
    pub fn is_bound(&self, binding: &Binding) -> bool {
        if let Destination::Queue(queue) = &binding.destination
            && *binding == Binding::implicit(queue)
        {
            return self.queues.contains_key(queue.as_str());
        }
        self.exchange(binding.source.as_str()).is_some_and(|entry| entry.outgoing.contains_key(&binding.identity()))
    }

    /// Whether both ends of a binding survive a restart, so that it does too.
    #[must_use]
    pub fn is_durable(&self, binding: &Binding) -> bool {
        let durable = |name: &str| self.exchange(name).is_some_and(|entry| entry.exchange.durable);
        durable(binding.source.as_str())
            && match &binding.destination {
                Destination::Exchange(name) => durable(name.as_str()),
                Destination::Queue(name) => self.queue(name.as_str()).is_some_and(|queue| queue.spec().durable),
            }
    }

    fn incoming(&self, destination: &Destination) -> Option<&Incoming> {
        match destination {
            Destination::Queue(name) => self.queues.get(name.as_str()).map(|entry| &entry.incoming),
            Destination::Exchange(name) => self.exchanges.get(name.as_str()).map(|entry| &entry.incoming),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    pub(in crate::domain) use crate::domain::exchange::ExchangeKind;
    use crate::domain::name::UserName;
    use crate::domain::queue::{QueueId, QueueKind};
    use crate::domain::value::FieldTable;

    pub(in crate::domain) fn exchange_name(name: &str) -> ExchangeName {
        ExchangeName::new(name).unwrap()
    }

    pub(in crate::domain) fn queue_name(name: &str) -> QueueName {
        QueueName::new(name).unwrap()
    }

    pub(in crate::domain) fn vhost() -> Topology<Arc<QueueSpec>> {
        Topology::new(VhostName::new("/").unwrap())
    }

    pub(in crate::domain) fn declare_queue(topology: &mut Topology<Arc<QueueSpec>>, name: &str, durable: bool) {
        topology.insert_queue(Arc::new(QueueSpec {
            id: QueueId(topology.version()),
            name: queue_name(name),
            kind: QueueKind::Classic,
            durable,
            auto_delete: false,
            exclusive_owner: None,
            arguments: FieldTable::new(),
            declared_by: UserName::new("guest").unwrap(),
        }));
    }

    pub(in crate::domain) fn declare_exchange(
        topology: &mut Topology<Arc<QueueSpec>>,
        name: &str,
        kind: ExchangeKind,
        auto_delete: bool,
    ) {
        topology.insert_exchange(Exchange {
            name: exchange_name(name),
            kind,
            durable: true,
            auto_delete,
            internal: false,
            arguments: FieldTable::new(),
            declared_by: UserName::new("guest").unwrap(),
        });
    }

    pub(in crate::domain) fn to_queue(source: &str, queue: &str, key: &str) -> Binding {
        bound(source, Destination::Queue(queue_name(queue)), key)
    }

    pub(in crate::domain) fn to_exchange(source: &str, exchange: &str, key: &str) -> Binding {
        bound(source, Destination::Exchange(exchange_name(exchange)), key)
    }

    fn bound(source: &str, destination: Destination, key: &str) -> Binding {
        let arguments = FieldTable::new();
        Binding { source: exchange_name(source), destination, routing_key: key.to_owned(), arguments }
    }

    #[test]
    fn a_new_vhost_has_the_predeclared_exchanges() {
        let names: Vec<_> = vhost().exchanges().iter().map(|exchange| exchange.name.to_string()).collect();
        assert_eq!(
            names,
            ["", "amq.direct", "amq.fanout", "amq.headers", "amq.match", "amq.rabbitmq.trace", "amq.topic"]
        );
        assert!(vhost().exchange("amq.rabbitmq.trace").is_some_and(|entry| entry.exchange().internal));
    }

    #[test]
    fn queues_are_bound_to_the_default_exchange_by_name() {
        let mut topology = vhost();
        declare_queue(&mut topology, "q", true);
        let implicit = Binding::implicit(&queue_name("q"));
        assert!(topology.is_bound(&implicit));
        assert_eq!(topology.bindings(), [Arc::new(implicit)]);
        assert!(!topology.is_bound(&Binding::implicit(&queue_name("nope"))));
    }
}
