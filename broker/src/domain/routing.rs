//! From a message to queues: matching, exchange-to-exchange bindings, alternates.
//!
//! [`route`] is the hot path: it fills a buffer its caller keeps. [`trace_route`] walks the
//! same way and writes down what it saw. A queue reached twice gets one copy, and an
//! exchange is visited once, so cycles end.

use std::sync::Arc;

use super::binding::Binding;
use super::exchange::delayed::{self, Timing};
use super::exchange::{Exchange, ExchangeKind, HashOn, Sink, recent_history};
use super::name::ExchangeName;
use super::properties::Properties;
use super::reply_to;
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
    /// Reads the message's properties: called only when an exchange hashes one of them.
    pub properties: &'a dyn Fn() -> Properties,
    /// Throws dice with 2^64 sides: called once for each exchange that chooses by chance.
    pub chance: &'a dyn Fn() -> u64,
}

impl<'a> RouteRequest<'a> {
    /// A message that is nothing but its routing keys, where chance always falls on the first.
    #[must_use]
    pub fn of_keys(exchange: &'a str, routing_keys: &'a [&'a str]) -> Self {
        Self { exchange, routing_keys, headers: &FieldTable::new, properties: &Properties::default, chance: &|| 0 }
    }
}

/// A message as matchers ask about it; notes whether they asked for more than its keys.
pub(super) struct Question<'a> {
    request: RouteRequest<'a>,
    headers: Option<FieldTable>,
    keys_decide: bool,
}

impl<'a> Question<'a> {
    fn new(request: RouteRequest<'a>) -> Self {
        Self { request, headers: None, keys_decide: true }
    }

    /// The routing keys, the message's own first.
    pub(super) fn keys(&self) -> &'a [&'a str] {
        self.request.routing_keys
    }

    /// The headers, read at most once.
    pub(super) fn headers(&mut self) -> &FieldTable {
        self.keys_decide = false;
        self.headers.get_or_insert_with(self.request.headers)
    }

    /// The hash of what an exchange hashes.
    pub(super) fn hash(&mut self, hash_on: &HashOn) -> u64 {
        match hash_on {
            HashOn::RoutingKey => HashOn::key_hash(self.keys().first().unwrap_or(&"")),
            HashOn::Header(name) => HashOn::header_hash(self.headers().get(name)),
            HashOn::CorrelationId | HashOn::MessageId | HashOn::Timestamp => {
                self.keys_decide = false;
                hash_on.property_hash(&(self.request.properties)())
            }
        }
    }

    /// A number by chance.
    pub(super) fn chance(&mut self) -> u64 {
        self.keys_decide = false;
        (self.request.chance)()
    }
}

/// Room for one routing after another, so that the usual case allocates nothing.
#[derive(Debug)]
pub struct RouteBuffer<Q> {
    /// The queues found, each once, in the order they were declared when several.
    pub queues: Vec<Q>,
    /// How many of them are no queues but exchanges where the message waits.
    pub delays: usize,
    /// Addresses of direct replies among the keys, whether or not somebody listens there.
    pub replies: Vec<String>,
    /// Exchanges on the way that keep the message, and how many they keep.
    pub histories: Vec<(ExchangeName, usize)>,
    waiting: Vec<Stop>,
    seen: Vec<ExchangeName>,
}

impl<Q> Default for RouteBuffer<Q> {
    fn default() -> Self {
        Self {
            queues: Vec::new(),
            delays: 0,
            replies: Vec::new(),
            histories: Vec::new(),
            waiting: Vec::new(),
            seen: Vec::new(),
        }
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
    /// The message waits here: bindings are asked when its time has come.
    pub waits: bool,
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
    /// The queues found, each once; without exchanges where the message waits.
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
    fn waits(&mut self) {}
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
            waits: false,
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

    fn waits(&mut self) {
        if let Some(step) = self.steps.last_mut() {
            step.waits = true;
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
    let waits: Vec<_> = trace.steps.iter().filter(|step| step.waits).map(|step| step.exchange.name.clone()).collect();
    let waits: Vec<_> = waits.iter().filter_map(|name| topology.exchange(name.as_str())?.delay()).collect();
    buffer.queues.retain(|queue| !waits.iter().any(|delay| delay.spec().id == queue.spec().id));
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
    /// How many copies of the message leave the exchange.
    #[must_use]
    pub fn copies(&self) -> u64 {
        (self.queues.len() - self.delays + self.replies.len()) as u64
    }

    /// Whether the message goes nowhere.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty() && self.replies.is_empty()
    }

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
    buffer.delays = 0;
    buffer.replies.clear();
    buffer.histories.clear();
    buffer.waiting.clear();
    buffer.seen.clear();
    let mut entry = topology.exchange(request.exchange)?;
    let mut reached = Reached::Published;
    let mut question = Question::new(request);
    loop {
        witness.visits(entry, &reached);
        let mut found = Found { buffer, witness, any: false };
        let delay = entry.delay().filter(|_| matches!(delayed::timing(question.headers()), Timing::After(_)));
        if let Some(delay) = delay {
            found.any = true;
            found.witness.waits();
            found.buffer.delays += 1;
            found.buffer.queues.push(delay.clone());
        } else if entry.exchange().name.is_default() {
            for key in request.routing_keys {
                if let Some(queue) = topology.queue(key) {
                    found.any = true;
                    found.witness.matches(&mut || Arc::new(Binding::implicit(&queue.spec().name)));
                    found.buffer.queues.push(queue.clone());
                } else if reply_to::is_address(key) && !found.buffer.replies.iter().any(|known| known == key) {
                    found.any = true;
                    found.buffer.replies.push((*key).to_owned());
                }
            }
        } else {
            entry.find(&mut question, &mut found);
        }
        if delay.is_none()
            && entry.exchange().matching() == ExchangeKind::RecentHistory
            && recent_history::is_kept(question.headers())
        {
            // Arguments were checked when it was declared.
            let length = recent_history::length(&entry.exchange().arguments).unwrap_or_default();
            found.buffer.histories.push((entry.exchange().name.clone(), length));
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
    Some(Routed { cacheable: question.keys_decide && buffer.replies.is_empty() })
}

#[cfg(test)]
mod tests;
