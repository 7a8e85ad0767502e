//! Changes of a topology. Each leaves it complete: what a removal drags along (bindings,
//! auto-delete exchanges that lost their last one) goes in the same step and is reported.

use std::sync::Arc;

use super::{BoundBinding, ExchangeEntry, QueueEntry, QueueRef, Target, Topology};
use crate::domain::arguments::alternate_exchange;
use crate::domain::binding::{Binding, Destination};
use crate::domain::exchange::{Exchange, ExchangeId};
use crate::domain::name::{ExchangeName, QueueName};

/// An end of a binding that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// The source, or a destination exchange.
    Exchange(ExchangeName),
    /// A destination queue.
    Queue(QueueName),
}

/// What went with a removal.
#[derive(Debug, Clone)]
pub struct Removed<Q> {
    /// Exchanges, auto-deleted ones included.
    pub exchanges: Vec<Arc<Exchange>>,
    /// Their identities, in the same order.
    pub exchange_ids: Vec<ExchangeId>,
    /// Bindings of all of them.
    pub bindings: Vec<RemovedBinding>,
    /// The queue.
    pub queue: Option<Q>,
    /// Who took messages that were to wait, of the exchanges.
    pub delays: Vec<Q>,
}

/// A binding that is gone.
#[derive(Debug, Clone)]
pub struct RemovedBinding {
    /// The binding.
    pub binding: Arc<Binding>,
    /// Whether it would have survived a restart.
    pub durable: bool,
}

impl<Q> Default for Removed<Q> {
    fn default() -> Self {
        Self { exchanges: Vec::new(), exchange_ids: Vec::new(), bindings: Vec::new(), queue: None, delays: Vec::new() }
    }
}

impl<Q: QueueRef> Topology<Q> {
    /// Goes back to an earlier picture. The version still grows: what was seen of the
    /// later one does not hold any more.
    pub fn roll_back(&mut self, earlier: Self) {
        let version = self.version.max(earlier.version) + 1;
        let bindings_numbered = self.bindings_numbered.max(earlier.bindings_numbered);
        *self = Self { version, bindings_numbered, ..earlier };
    }

    /// Adds an exchange, in place of one of the same name.
    pub fn insert_exchange(&mut self, exchange: Exchange) {
        self.version += 1;
        let exchange = Arc::new(exchange);
        self.exchanges.insert(exchange.name.clone(), Arc::new(ExchangeEntry::new(&self.vhost, exchange)));
    }

    /// Sets where a policy sends what an exchange does not route. An `alternate-exchange`
    /// argument goes before it.
    pub fn set_policy_alternate(&mut self, name: &str, alternate: Option<ExchangeName>) {
        let Some(entry) = self.exchanges.get_mut(name) else { return };
        let effective = alternate_exchange(&entry.exchange.arguments).or(alternate);
        if entry.alternate != effective {
            Arc::make_mut(entry).alternate = effective;
            self.version += 1;
        }
    }

    /// Says who takes messages that are to wait at an exchange.
    pub fn set_delay(&mut self, name: &str, delay: Q) {
        let Some(entry) = self.exchanges.get_mut(name) else { return };
        Arc::make_mut(entry).delay = Some(delay);
        self.version += 1;
    }

    /// Adds a queue, in place of one of the same name.
    pub fn insert_queue(&mut self, queue: Q) {
        self.version += 1;
        let name = queue.spec().name.clone();
        self.queues.insert(name, Arc::new(QueueEntry { queue, incoming: imbl::OrdMap::new() }));
    }

    /// Adds a binding; false when it is there already.
    ///
    /// # Errors
    /// The end that does not exist, the source first.
    pub fn bind(&mut self, binding: Binding) -> Result<bool, Missing> {
        let target = self.ends(&binding)?;
        let identity = Arc::new(binding.identity());
        let Some(source) = self.exchanges.get_mut(binding.source.as_str()) else {
            return Err(Missing::Exchange(binding.source));
        };
        if source.outgoing.contains_key(&identity) {
            return Ok(false);
        }
        self.version += 1;
        self.bindings_numbered += 1;
        let binding = Arc::new(binding);
        let bound = Arc::new(BoundBinding { number: self.bindings_numbered, binding: binding.clone(), target });
        let source = Arc::make_mut(source);
        source.matcher.insert(bound.clone());
        source.outgoing.insert(identity, bound.clone());
        self.change_incoming(&binding.destination, |incoming| {
            incoming.insert(bound.number, binding.clone());
        });
        Ok(true)
    }

    /// Removes a binding; nothing happens when there is none.
    pub fn unbind(&mut self, binding: &Binding) -> Removed<Q> {
        let mut removed = Removed::default();
        self.cut(binding, &mut removed);
        self.sweep(vec![binding.source.clone()], &mut removed);
        removed
    }

    /// Removes an exchange with its bindings; nothing happens when there is none.
    pub fn remove_exchange(&mut self, name: &str) -> Removed<Q> {
        let mut removed = Removed::default();
        let emptied = self.take_exchange(name, &mut removed);
        self.sweep(emptied, &mut removed);
        removed
    }

    /// Removes a queue with its bindings; nothing happens when there is none.
    pub fn remove_queue(&mut self, name: &str) -> Removed<Q> {
        let mut removed = Removed::default();
        let Some(entry) = self.queues.get(name).cloned() else { return removed };
        let sources = self.cut_all(entry.incoming.values().cloned().collect(), &mut removed);
        self.queues.remove(name);
        self.version += 1;
        removed.queue = Some(entry.queue.clone());
        self.sweep(sources, &mut removed);
        removed
    }

    /// The target of a binding whose ends both exist.
    fn ends(&self, binding: &Binding) -> Result<Target<Q>, Missing> {
        if !self.exchanges.contains_key(binding.source.as_str()) {
            return Err(Missing::Exchange(binding.source.clone()));
        }
        match &binding.destination {
            Destination::Queue(name) => match self.queues.get(name.as_str()) {
                Some(entry) => Ok(Target::Queue(entry.queue.clone())),
                None => Err(Missing::Queue(name.clone())),
            },
            Destination::Exchange(name) if self.exchanges.contains_key(name.as_str()) => {
                Ok(Target::Exchange(name.clone()))
            }
            Destination::Exchange(name) => Err(Missing::Exchange(name.clone())),
        }
    }

    fn change_incoming(&mut self, destination: &Destination, change: impl FnOnce(&mut super::Incoming)) {
        match destination {
            Destination::Queue(name) => {
                if let Some(entry) = self.queues.get_mut(name.as_str()) {
                    change(&mut Arc::make_mut(entry).incoming);
                }
            }
            Destination::Exchange(name) => {
                if let Some(entry) = self.exchanges.get_mut(name.as_str()) {
                    change(&mut Arc::make_mut(entry).incoming);
                }
            }
        }
    }

    /// Takes one binding out on both sides.
    fn cut(&mut self, binding: &Binding, removed: &mut Removed<Q>) {
        let identity = binding.identity();
        if !self.exchange(binding.source.as_str()).is_some_and(|entry| entry.outgoing.contains_key(&identity)) {
            return;
        }
        let durable = self.is_durable(binding);
        let Some(source) = self.exchanges.get_mut(binding.source.as_str()) else { return };
        let source = Arc::make_mut(source);
        let Some(bound) = source.outgoing.remove(&identity) else { return };
        source.matcher.remove(&bound);
        self.version += 1;
        self.change_incoming(&binding.destination, |incoming| {
            incoming.remove(&bound.number);
        });
        removed.bindings.push(RemovedBinding { binding: bound.binding.clone(), durable });
    }

    /// Cuts bindings and says which sources lost one.
    fn cut_all(&mut self, bindings: Vec<Arc<Binding>>, removed: &mut Removed<Q>) -> Vec<ExchangeName> {
        let mut sources = Vec::new();
        for binding in bindings {
            self.cut(&binding, removed);
            if !sources.contains(&binding.source) {
                sources.push(binding.source.clone());
            }
        }
        sources
    }

    /// Takes an exchange out with its bindings, and says which other sources lost one.
    fn take_exchange(&mut self, name: &str, removed: &mut Removed<Q>) -> Vec<ExchangeName> {
        let Some(entry) = self.exchanges.get(name).cloned() else { return Vec::new() };
        let outgoing = entry.outgoing.values().map(|bound| bound.binding.clone()).collect();
        self.cut_all(outgoing, removed);
        let sources = self.cut_all(entry.incoming.values().cloned().collect(), removed);
        self.exchanges.remove(name);
        self.version += 1;
        removed.exchanges.push(entry.exchange.clone());
        removed.exchange_ids.push(entry.traffic.id());
        removed.delays.extend(entry.delay.clone());
        sources
    }

    /// Deletes auto-delete exchanges among those that lost a binding and have none left as
    /// a source, and so on upstream.
    fn sweep(&mut self, mut emptied: Vec<ExchangeName>, removed: &mut Removed<Q>) {
        while let Some(name) = emptied.pop() {
            let goes = self.exchange(name.as_str()).is_some_and(|entry| entry.exchange.auto_delete && !entry.is_used());
            // Only one that has just lost a binding counts: one never bound stays.
            if goes && removed.bindings.iter().any(|gone| gone.binding.source == name) {
                emptied.extend(self.take_exchange(name.as_str(), removed));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::*;
    use super::*;
    use crate::domain::routing::{RouteRequest, trace_route};

    #[test]
    fn a_binding_is_added_once_and_named_by_all_its_parts() {
        let mut topology = vhost();
        declare_queue(&mut topology, "q", true);
        assert_eq!(topology.bind(to_queue("amq.direct", "q", "k")), Ok(true));
        assert_eq!(topology.bind(to_queue("amq.direct", "q", "k")), Ok(false));
        assert_eq!(topology.bind(to_queue("amq.direct", "q", "other")), Ok(true));
        assert_eq!(topology.bind(to_queue("nope", "q", "k")), Err(Missing::Exchange(exchange_name("nope"))));
        assert_eq!(topology.bind(to_queue("amq.direct", "nope", "k")), Err(Missing::Queue(queue_name("nope"))));
        assert_eq!(topology.bind(to_queue("nope", "nope", "k")), Err(Missing::Exchange(exchange_name("nope"))));
        assert_eq!(topology.bindings_to(&Destination::Queue(queue_name("q"))).len(), 2);
        assert_eq!(topology.bindings().len(), 3);
    }

    #[test]
    fn removing_a_queue_takes_its_bindings_and_auto_delete_exchanges_upstream() {
        let mut topology = vhost();
        declare_queue(&mut topology, "q", true);
        declare_exchange(&mut topology, "a", ExchangeKind::Fanout, true);
        declare_exchange(&mut topology, "b", ExchangeKind::Fanout, true);
        declare_exchange(&mut topology, "unbound", ExchangeKind::Fanout, true);
        topology.bind(to_exchange("a", "b", "")).unwrap();
        topology.bind(to_queue("b", "q", "")).unwrap();
        topology.bind(to_queue("amq.topic", "q", "#")).unwrap();
        let before = topology.clone();
        let removed = topology.remove_queue("q");
        let mut gone: Vec<_> = removed.exchanges.iter().map(|exchange| exchange.name.to_string()).collect();
        gone.sort();
        assert_eq!(gone, ["a", "b"]);
        assert_eq!(removed.bindings.len(), 3);
        assert!(removed.queue.is_some() && topology.queue("q").is_none());
        assert!(topology.exchange("unbound").is_some());
        assert_eq!(topology.bindings(), []);
        assert_eq!(before.bindings().len(), 4, "the snapshot keeps its bindings");
        assert!(topology.version() > before.version());
    }

    #[test]
    fn an_auto_delete_exchange_goes_with_its_last_binding_as_source() {
        let mut topology = vhost();
        declare_queue(&mut topology, "q", true);
        declare_exchange(&mut topology, "x", ExchangeKind::Direct, true);
        topology.bind(to_queue("x", "q", "1")).unwrap();
        topology.bind(to_queue("x", "q", "2")).unwrap();
        topology.bind(to_exchange("amq.fanout", "x", "")).unwrap();
        assert!(topology.unbind(&to_queue("x", "q", "1")).exchanges.is_empty());
        assert!(topology.unbind(&to_queue("x", "q", "nope")).bindings.is_empty());
        let removed = topology.unbind(&to_queue("x", "q", "2"));
        assert_eq!(removed.exchanges.len(), 1);
        assert_eq!(removed.bindings.len(), 2, "the binding to it goes too");
        assert!(topology.bindings_from("amq.fanout").next().is_none());
    }

    #[test]
    fn durability_of_a_binding_needs_both_ends() {
        let mut topology = vhost();
        declare_queue(&mut topology, "kept", true);
        declare_queue(&mut topology, "lost", false);
        topology.bind(to_queue("amq.direct", "kept", "")).unwrap();
        topology.bind(to_queue("amq.direct", "lost", "")).unwrap();
        let removed = [topology.remove_queue("kept"), topology.remove_queue("lost")];
        assert_eq!(removed.map(|removed| removed.bindings[0].durable), [true, false]);
    }

    #[test]
    fn an_exchange_bound_to_itself_can_be_removed() {
        let mut topology = vhost();
        declare_exchange(&mut topology, "x", ExchangeKind::Fanout, true);
        topology.bind(to_exchange("x", "x", "")).unwrap();
        let removed = topology.remove_exchange("x");
        assert_eq!((removed.exchanges.len(), removed.bindings.len()), (1, 1));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Bind(Binding),
        Unbind(Binding),
        DeleteQueue(&'static str),
        DeclareQueue(&'static str),
        DeleteExchange(&'static str),
    }

    const EXCHANGES: [&str; 4] = ["amq.direct", "amq.fanout", "amq.topic", "auto"];
    const QUEUES: [&str; 3] = ["a", "b", "c"];

    fn any_binding() -> impl Strategy<Value = Binding> {
        let key = proptest::sample::select(vec!["", "k", "k.l", "*", "#"]);
        (proptest::sample::select(&EXCHANGES[..]), proptest::sample::select(&QUEUES[..]), key, any::<bool>()).prop_map(
            |(source, queue, key, onward)| match onward {
                true => to_exchange(source, "amq.fanout", key),
                false => to_queue(source, queue, key),
            },
        )
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => any_binding().prop_map(Step::Bind),
            2 => any_binding().prop_map(Step::Unbind),
            1 => proptest::sample::select(&QUEUES[..]).prop_map(Step::DeleteQueue),
            1 => proptest::sample::select(&QUEUES[..]).prop_map(Step::DeclareQueue),
            1 => Just(Step::DeleteExchange("auto")),
        ]
    }

    proptest! {
        /// However a picture came about, it equals one built from its own listing.
        #[test]
        fn a_picture_is_what_its_listing_says(steps in proptest::collection::vec(any_step(), 0..40)) {
            let mut topology = vhost();
            QUEUES.iter().for_each(|queue| declare_queue(&mut topology, queue, true));
            declare_exchange(&mut topology, "auto", ExchangeKind::Direct, true);
            for step in steps {
                match step {
                    // Ends may be missing by now.
                    Step::Bind(binding) => drop(topology.bind(binding)),
                    Step::Unbind(binding) => drop(topology.unbind(&binding)),
                    Step::DeleteQueue(queue) => drop(topology.remove_queue(queue)),
                    Step::DeclareQueue(queue) if topology.queue(queue).is_none() => {
                        declare_queue(&mut topology, queue, true);
                    }
                    Step::DeclareQueue(_) => {}
                    Step::DeleteExchange(exchange) => drop(topology.remove_exchange(exchange)),
                }
            }
            let mut rebuilt = vhost();
            topology.exchanges().iter().for_each(|exchange| rebuilt.insert_exchange((**exchange).clone()));
            topology.queues().into_iter().for_each(|queue| rebuilt.insert_queue(queue));
            for binding in topology.bindings().iter().filter(|binding| !binding.source.is_default()) {
                prop_assert_eq!(rebuilt.bind((**binding).clone()), Ok(true));
            }
            prop_assert_eq!(topology.bindings(), rebuilt.bindings());
            for queue in topology.queues() {
                let to = Destination::Queue(queue.name.clone());
                let sorted = |mut bindings: Vec<Arc<Binding>>| {
                    bindings.sort_by_key(|binding| (binding.source.clone(), binding.identity()));
                    bindings
                };
                prop_assert_eq!(sorted(topology.bindings_to(&to)), sorted(rebuilt.bindings_to(&to)));
            }
            for exchange in EXCHANGES {
                for key in ["", "k", "k.l", "other"] {
                    let routing_keys = [key];
                    let request = RouteRequest::of_keys(exchange, &routing_keys);
                    let queues = |topology| trace_route(topology, request).map(|trace| trace.queues);
                    prop_assert_eq!(queues(&topology), queues(&rebuilt));
                }
            }
        }
    }
}
