//! How one exchange finds its bindings: the matcher of its type, and what of a message
//! that matcher asks for.

use std::sync::Arc;

use super::BoundBinding;
use crate::domain::binding::Destination;
use crate::domain::exchange::{
    Bound, ConsistentHashMatcher, DirectMatcher, Exchange, ExchangeKind, FanoutMatcher, HashOn, HeadersMatcher,
    ModulusHashMatcher, Placed, RandomMatcher, Sink, TopicMatcher,
};
use crate::domain::routing::Question;
use crate::error::Resource;

/// A binding as every matcher here keeps it.
type Kept<Q> = Arc<BoundBinding<Q>>;

/// The bindings of one exchange.
#[derive(Debug, Clone)]
pub(super) enum Matcher<Q> {
    /// The default exchange: queues by name, without bindings.
    Default,
    Direct(DirectMatcher<Kept<Q>>),
    Fanout(FanoutMatcher<Kept<Q>>),
    Topic(TopicMatcher<Kept<Q>>),
    Headers(HeadersMatcher<Kept<Q>>),
    ConsistentHash(HashOn, ConsistentHashMatcher<Kept<Q>>),
    ModulusHash(ModulusHashMatcher<Kept<Q>>),
    Random(RandomMatcher<Kept<Q>>),
}

impl<Q> Bound for Kept<Q> {
    fn number(&self) -> u64 {
        self.number
    }
}

impl<Q> Placed for Kept<Q> {
    fn destination(&self) -> &Destination {
        &self.binding.destination
    }
}

impl<Q> Matcher<Q> {
    pub(super) fn new(exchange: &Exchange, resource: &Resource) -> Self {
        match exchange.matching() {
            _ if exchange.name.is_default() => Self::Default,
            // What a delaying exchange matches by is another type.
            ExchangeKind::Direct | ExchangeKind::DelayedMessage => Self::Direct(DirectMatcher::default()),
            ExchangeKind::Fanout | ExchangeKind::RecentHistory => Self::Fanout(FanoutMatcher::default()),
            ExchangeKind::Topic => Self::Topic(TopicMatcher::default()),
            ExchangeKind::Headers => Self::Headers(HeadersMatcher::default()),
            ExchangeKind::ConsistentHash => {
                // Arguments were checked when it was declared.
                let hash_on = HashOn::of(resource, &exchange.arguments).unwrap_or(HashOn::RoutingKey);
                Self::ConsistentHash(hash_on, ConsistentHashMatcher::default())
            }
            ExchangeKind::ModulusHash => Self::ModulusHash(ModulusHashMatcher::default()),
            ExchangeKind::LocalRandom | ExchangeKind::Random => Self::Random(RandomMatcher::default()),
        }
    }

    pub(super) fn insert(&mut self, bound: Kept<Q>) {
        let binding = bound.binding.clone();
        match self {
            Self::Default => {}
            Self::Direct(matcher) => matcher.insert(&binding.routing_key, bound),
            Self::Fanout(matcher) => matcher.insert(bound),
            Self::Topic(matcher) => matcher.insert(&binding.routing_key, bound),
            Self::Headers(matcher) => matcher.insert(&binding.arguments, bound),
            Self::ConsistentHash(_, matcher) => matcher.insert(&binding.routing_key, bound),
            Self::ModulusHash(matcher) => matcher.insert(bound),
            Self::Random(matcher) => matcher.insert(bound),
        }
    }

    pub(super) fn remove(&mut self, bound: &Kept<Q>) {
        match self {
            Self::Default => {}
            Self::Direct(matcher) => matcher.remove(&bound.binding.routing_key, bound),
            Self::Fanout(matcher) => matcher.remove(bound),
            Self::Topic(matcher) => matcher.remove(&bound.binding.routing_key, bound),
            Self::Headers(matcher) => matcher.remove(bound),
            Self::ConsistentHash(_, matcher) => matcher.remove(bound),
            Self::ModulusHash(matcher) => matcher.remove(bound),
            Self::Random(matcher) => matcher.remove(bound),
        }
    }

    /// Hands the bindings that match a message to `sink`; the default exchange has none.
    pub(super) fn find(&self, question: &mut Question<'_>, sink: &mut impl Sink<Kept<Q>>) {
        match self {
            Self::Default => {}
            Self::Direct(matcher) => question.keys().iter().for_each(|key| matcher.matches(key, sink)),
            Self::Topic(matcher) => question.keys().iter().for_each(|key| matcher.matches(key, sink)),
            Self::Fanout(matcher) => matcher.matches(sink),
            Self::Headers(matcher) if matcher.is_empty() => {}
            Self::Headers(matcher) => matcher.matches(question.headers(), sink),
            Self::ConsistentHash(hash_on, matcher) => matcher.matches(question.hash(hash_on), sink),
            Self::ModulusHash(matcher) => matcher.matches(question.keys(), sink),
            Self::Random(matcher) => matcher.matches(question.chance(), sink),
        }
    }
}
