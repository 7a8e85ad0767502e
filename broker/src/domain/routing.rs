//! From a message to queues: matching, exchange-to-exchange bindings, alternates.
//!
//! [`route`] is the hot path: it fills a buffer its caller keeps. [`trace_route`] walks the
//! same way and writes down what it saw. A queue reached twice gets one copy, and an
//! exchange is visited once, so cycles end.

use std::sync::Arc;

use super::binding::Binding;
use super::exchange::{Exchange, Sink};
use super::name::ExchangeName;
use super::topology::{BoundBinding, ExchangeEntry, QueueRef, Target, Topology};
use super::value::FieldTable;

/// What is to be routed.
#[derive(Clone, Copy)]
pub struct RouteRequest<'a> {
    /// The exchange published to; empty: the default exchange.
    pub exchange: &'a str,
    /// The routing key, and any further ones (`CC`, `BCC`).
    pub routing_keys: &'a [&'a str],
    /// Reads the message's headers: called at most once, and only when a headers exchange asks.
    pub headers: &'a dyn Fn() -> FieldTable,
}

/// Room for one routing after another, so that the usual case allocates nothing.
#[derive(Debug)]
pub struct RouteBuffer<Q> {
    /// The queues found, each once, in the order they were declared when several.
    pub queues: Vec<Q>,
    waiting: Vec<Stop>,
    seen: Vec<ExchangeName>,
}

impl<Q> Default for RouteBuffer<Q> {
    fn default() -> Self {
        Self { queues: Vec::new(), waiting: Vec::new(), seen: Vec::new() }
    }
}

/// How a routing went; the queues are in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Routed {
    /// Whether exchange and keys alone decided: such a route may be kept until the
    /// topology's version changes.
    pub cacheable: bool,
}

/// How an exchange came into a routing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reached {
    /// The message was published to it.
    Published,
    /// Through a binding of another exchange.
    Bound,
    /// As the alternate of an exchange that routed nothing.
    AlternateOf(ExchangeName),
}

/// One exchange of a traced routing.
#[derive(Debug, Clone)]
pub struct RouteStep {
    /// The exchange.
    pub exchange: Arc<Exchange>,
    /// How the message came here.
    pub reached: Reached,
    /// Bindings that matched, each once.
    pub matched: Vec<Arc<Binding>>,
    /// The alternate taken because none did.
    pub alternate: Option<ExchangeName>,
}

/// A routing and how it was decided.
#[derive(Debug, Clone)]
pub struct RouteTrace<Q> {
    /// Exchanges in the order they were visited.
    pub steps: Vec<RouteStep>,
    /// Alternates and bound exchanges that do not exist (any more).
    pub missing: Vec<ExchangeName>,
    /// The queues found, each once.
    pub queues: Vec<Q>,
}

/// An exchange yet to be visited.
#[derive(Debug)]
struct Stop {
    name: ExchangeName,
    reached: Reached,
}

/// Hears what a routing does. The hot path listens to nothing.
trait Witness<Q> {
    fn visits(&mut self, _entry: &ExchangeEntry<Q>, _reached: &Reached) {}
    fn matches(&mut self, _binding: &mut dyn FnMut() -> Arc<Binding>) {}
    fn takes_alternate(&mut self, _alternate: &ExchangeName) {}
    fn misses(&mut self, _name: &ExchangeName) {}
}

struct Nobody;

impl<Q> Witness<Q> for Nobody {}

impl<Q: QueueRef> Witness<Q> for RouteTrace<Q> {
    fn visits(&mut self, entry: &ExchangeEntry<Q>, reached: &Reached) {
        self.steps.push(RouteStep {
            exchange: entry.exchange().clone(),
            reached: reached.clone(),
            matched: Vec::new(),
            alternate: None,
        });
    }

    fn matches(&mut self, binding: &mut dyn FnMut() -> Arc<Binding>) {
        let binding = binding();
        if let Some(step) = self.steps.last_mut()
            && !step.matched.contains(&binding)
        {
            step.matched.push(binding);
        }
    }

    fn takes_alternate(&mut self, alternate: &ExchangeName) {
        if let Some(step) = self.steps.last_mut() {
            step.alternate = Some(alternate.clone());
        }
    }

    fn misses(&mut self, name: &ExchangeName) {
        self.missing.push(name.clone());
    }
}

/// Finds the queues a message goes to. `None` when there is no such exchange.
pub fn route<Q: QueueRef>(
    topology: &Topology<Q>,
    request: RouteRequest<'_>,
    buffer: &mut RouteBuffer<Q>,
) -> Option<Routed> {
    walk(topology, request, buffer, &mut Nobody)
}

/// [`route`], with how it was decided.
#[must_use]
pub fn trace_route<Q: QueueRef>(topology: &Topology<Q>, request: RouteRequest<'_>) -> Option<RouteTrace<Q>> {
    let mut buffer = RouteBuffer::default();
    let mut trace = RouteTrace { steps: Vec::new(), missing: Vec::new(), queues: Vec::new() };
    walk(topology, request, &mut buffer, &mut trace)?;
    trace.queues = buffer.queues;
    Some(trace)
}

/// Takes what one exchange matches.
struct Found<'a, Q, W> {
    buffer: &'a mut RouteBuffer<Q>,
    witness: &'a mut W,
    any: bool,
}

impl<Q: QueueRef, W: Witness<Q>> Sink<Arc<BoundBinding<Q>>> for Found<'_, Q, W> {
    fn matched(&mut self, bound: &Arc<BoundBinding<Q>>) {
        self.any = true;
        self.witness.matches(&mut || bound.binding().clone());
        match bound.target() {
            Target::Queue(queue) => self.buffer.queues.push(queue.clone()),
            Target::Exchange(name) => self.buffer.visit(name, Reached::Bound),
        }
    }
}

impl<Q> RouteBuffer<Q> {
    fn visit(&mut self, name: &ExchangeName, reached: Reached) {
        if !self.seen.contains(name) {
            self.seen.push(name.clone());
            self.waiting.push(Stop { name: name.clone(), reached });
        }
    }
}

fn walk<Q: QueueRef, W: Witness<Q>>(
    topology: &Topology<Q>,
    request: RouteRequest<'_>,
    buffer: &mut RouteBuffer<Q>,
    witness: &mut W,
) -> Option<Routed> {
    buffer.queues.clear();
    buffer.waiting.clear();
    buffer.seen.clear();
    let mut entry = topology.exchange(request.exchange)?;
    let mut reached = Reached::Published;
    let mut headers: Option<FieldTable> = None;
    loop {
        witness.visits(entry, &reached);
        let mut found = Found { buffer, witness, any: false };
        if entry.exchange().name.is_default() {
            for queue in request.routing_keys.iter().filter_map(|key| topology.queue(key)) {
                found.any = true;
                found.witness.matches(&mut || Arc::new(Binding::implicit(&queue.spec().name)));
                found.buffer.queues.push(queue.clone());
            }
        } else if let Some(matcher) = entry.match_headers() {
            matcher.matches(headers.get_or_insert_with(request.headers), &mut found);
        } else {
            for key in request.routing_keys {
                entry.match_key(key, &mut found);
            }
        }
        if !found.any
            && let Some(alternate) = entry.alternate()
        {
            witness.takes_alternate(alternate);
            if entry.exchange().name != *alternate && request.exchange != alternate.as_str() {
                buffer.visit(alternate, Reached::AlternateOf(entry.exchange().name.clone()));
            }
        }
        // The exchange published to is not in `seen`, so that the plain case touches no list.
        let next = loop {
            let Some(stop) = buffer.waiting.pop() else { break None };
            if stop.name == request.exchange {
                continue;
            }
            match topology.exchange(stop.name.as_str()) {
                Some(entry) => break Some((entry, stop.reached)),
                None => witness.misses(&stop.name),
            }
        };
        match next {
            Some((next_entry, next_reached)) => (entry, reached) = (next_entry, next_reached),
            None => break,
        }
    }
    if buffer.queues.len() > 1 {
        buffer.queues.sort_unstable_by_key(|queue| queue.spec().id);
        buffer.queues.dedup_by_key(|queue| queue.spec().id);
    }
    Some(Routed { cacheable: headers.is_none() })
}

#[cfg(test)]
mod tests {
    use super::super::exchange::headers;
    use super::super::topology::tests::*;
    use super::super::value::FieldValue;
    use super::*;

    fn names(topology: &Topology<Arc<crate::domain::queue::QueueSpec>>, exchange: &str, keys: &[&str]) -> Vec<String> {
        let request = RouteRequest { exchange, routing_keys: keys, headers: &FieldTable::new };
        let mut buffer = RouteBuffer::default();
        route(topology, request, &mut buffer).unwrap();
        let routed: Vec<_> = buffer.queues.iter().map(|queue| queue.name.to_string()).collect();
        let trace = trace_route(topology, request).unwrap();
        assert_eq!(routed, trace.queues.iter().map(|queue| queue.name.to_string()).collect::<Vec<_>>());
        routed
    }

    /// Queues `a`, `b`, `c`; exchanges `one` to `three` (fanout) and `keyed` (direct).
    fn sample() -> Topology<Arc<crate::domain::queue::QueueSpec>> {
        let mut topology = vhost();
        for queue in ["a", "b", "c"] {
            declare_queue(&mut topology, queue, true);
        }
        for exchange in ["one", "two", "three"] {
            declare_exchange(&mut topology, exchange, ExchangeKind::Fanout, false);
        }
        declare_exchange(&mut topology, "keyed", ExchangeKind::Direct, false);
        topology
    }

    #[test]
    fn the_default_exchange_routes_by_queue_name() {
        let topology = sample();
        assert_eq!(names(&topology, "", &["a"]), ["a"]);
        assert_eq!(names(&topology, "", &["a", "c", "a", "nope"]), ["a", "c"]);
        assert!(names(&topology, "", &["nope"]).is_empty());
    }

    #[test]
    fn a_queue_bound_twice_gets_one_copy() {
        let mut topology = sample();
        topology.bind(to_queue("keyed", "a", "alex")).unwrap();
        topology.bind(to_queue("keyed", "a", "sb")).unwrap();
        topology.bind(to_queue("keyed", "b", "sb")).unwrap();
        assert_eq!(names(&topology, "keyed", &["alex"]), ["a"]);
        assert_eq!(names(&topology, "keyed", &["alex", "sb"]), ["a", "b"]);
        assert!(names(&topology, "keyed", &["other"]).is_empty());
    }

    #[test]
    fn exchanges_bound_in_a_circle_end() {
        let mut topology = sample();
        for (from, to) in [("one", "two"), ("two", "three"), ("three", "one"), ("one", "one")] {
            topology.bind(to_exchange(from, to, "")).unwrap();
        }
        topology.bind(to_queue("three", "b", "")).unwrap();
        topology.bind(to_queue("one", "a", "")).unwrap();
        for start in ["one", "two", "three"] {
            assert_eq!(names(&topology, start, &["k"]), ["a", "b"]);
        }
    }

    #[test]
    fn alternates_take_what_nothing_matched_and_chain() {
        let mut topology = sample();
        topology.set_policy_alternate("keyed", Some(exchange_name("one")));
        topology.set_policy_alternate("one", Some(exchange_name("two")));
        topology.set_policy_alternate("two", Some(exchange_name("keyed")));
        assert!(names(&topology, "keyed", &["k"]).is_empty());
        topology.bind(to_queue("two", "c", "")).unwrap();
        topology.bind(to_queue("keyed", "a", "k")).unwrap();
        assert_eq!(names(&topology, "keyed", &["k"]), ["a"]);
        assert_eq!(names(&topology, "keyed", &["other"]), ["c"]);
        topology.set_policy_alternate("keyed", Some(exchange_name("gone")));
        let request = RouteRequest { exchange: "keyed", routing_keys: &["other"], headers: &FieldTable::new };
        let trace = trace_route(&topology, request).unwrap();
        assert_eq!(trace.missing, [exchange_name("gone")]);
        assert_eq!(trace.steps[0].alternate, Some(exchange_name("gone")));
    }

    #[test]
    fn a_binding_to_an_exchange_that_routes_nothing_still_counts_as_matched() {
        let mut topology = sample();
        topology.bind(to_exchange("keyed", "one", "k")).unwrap();
        topology.bind(to_queue("two", "c", "")).unwrap();
        topology.set_policy_alternate("keyed", Some(exchange_name("two")));
        assert!(names(&topology, "keyed", &["k"]).is_empty());
        assert_eq!(names(&topology, "keyed", &["other"]), ["c"]);
    }

    #[test]
    fn headers_are_read_once_and_only_when_asked_for() {
        let mut topology = sample();
        let reads = std::cell::Cell::new(0);
        let load = || {
            reads.set(reads.get() + 1);
            [("colour".to_owned(), FieldValue::text("red"))].into_iter().collect()
        };
        let mut buffer = RouteBuffer::default();
        let at = |exchange| RouteRequest { exchange, routing_keys: &["k"], headers: &load };
        assert_eq!(route(&topology, at("amq.headers"), &mut buffer), Some(Routed { cacheable: true }));
        assert_eq!(route(&topology, at("amq.direct"), &mut buffer), Some(Routed { cacheable: true }));
        assert_eq!(reads.get(), 0);
        for (queue, colour) in [("a", "red"), ("b", "blue")] {
            let mut binding = to_queue("amq.headers", queue, "");
            binding.arguments.insert("colour", FieldValue::text(colour));
            assert_eq!(headers::refusal(&binding.arguments), None);
            topology.bind(binding).unwrap();
        }
        topology.bind(to_exchange("amq.headers", "amq.match", "")).unwrap();
        topology.bind(to_queue("amq.match", "c", "")).unwrap();
        assert_eq!(route(&topology, at("amq.headers"), &mut buffer), Some(Routed { cacheable: false }));
        assert_eq!(buffer.queues.iter().map(|queue| queue.name.as_str()).collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(reads.get(), 1);
    }

    #[test]
    fn a_trace_tells_which_bindings_decided() {
        let mut topology = sample();
        topology.bind(to_queue("amq.topic", "a", "x.#")).unwrap();
        topology.bind(to_queue("amq.topic", "a", "#.y")).unwrap();
        topology.bind(to_exchange("amq.topic", "one", "*.y")).unwrap();
        topology.bind(to_queue("one", "b", "")).unwrap();
        let request = RouteRequest { exchange: "amq.topic", routing_keys: &["x.y"], headers: &FieldTable::new };
        let trace = trace_route(&topology, request).unwrap();
        assert_eq!(trace.steps.len(), 2);
        assert_eq!(trace.steps[0].matched.len(), 3);
        assert_eq!(trace.steps[1].reached, Reached::Bound);
        assert_eq!(trace.steps[1].matched, [Arc::new(to_queue("one", "b", ""))]);
        assert!(trace_route(&topology, RouteRequest { exchange: "nope", ..request }).is_none());
    }
}
