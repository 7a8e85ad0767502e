//! Exchanges as values; matching lives in one file per kind.
//!
//! A matcher keeps bindings as persistent structure: cloning one shares everything, so
//! that a snapshot costs nothing and a change O(log n). What a binding leads to is the
//! topology's business; here it is anything that has a number.

pub mod consistent_hash;
pub mod delayed;
mod destinations;
mod direct;
mod fanout;
mod hash;
pub mod headers;
mod kind;
mod modulus_hash;
pub mod random;
pub mod recent_history;
pub mod topic;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub use consistent_hash::{ConsistentHashMatcher, HashOn};
pub use direct::DirectMatcher;
pub use fanout::FanoutMatcher;
pub use headers::HeadersMatcher;
pub use kind::ExchangeKind;
pub use modulus_hash::ModulusHashMatcher;
pub use random::RandomMatcher;
pub use topic::TopicMatcher;

use super::binding::Destination;
use super::name::{ExchangeName, UserName};
use super::value::FieldTable;
use crate::error::{Error, Resource};

/// An exchange.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// Its name; empty for the default exchange.
    pub name: ExchangeName,
    /// How it matches.
    pub kind: ExchangeKind,
    /// Survives a restart.
    pub durable: bool,
    /// Goes when its last binding as a source goes.
    pub auto_delete: bool,
    /// Clients may not publish to it.
    pub internal: bool,
    /// Arguments as declared.
    pub arguments: FieldTable,
    /// Who declared it; `rmq-internal` for predeclared ones.
    pub declared_by: UserName,
}

impl Exchange {
    /// The type by which it matches: another than its own when it delays.
    #[must_use]
    pub fn matching(&self) -> ExchangeKind {
        match self.kind {
            // Arguments were checked when it was declared.
            ExchangeKind::DelayedMessage => delayed::matching(&self.arguments).unwrap_or(ExchangeKind::Direct),
            kind => kind,
        }
    }
}

/// Identity of an exchange within this process: no other one has had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExchangeId(pub u64);

/// Messages an exchange has seen since it exists. Whoever routes counts; reading never waits.
#[derive(Debug)]
pub struct ExchangeTraffic {
    id: ExchangeId,
    published_in: AtomicU64,
    published_out: AtomicU64,
    confirmed: AtomicU64,
    returned: AtomicU64,
    dropped: AtomicU64,
}

impl Default for ExchangeTraffic {
    /// Nothing yet, of an exchange with a new identity.
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            id: ExchangeId(NEXT.fetch_add(1, Relaxed)),
            published_in: AtomicU64::default(),
            published_out: AtomicU64::default(),
            confirmed: AtomicU64::default(),
            returned: AtomicU64::default(),
            dropped: AtomicU64::default(),
        }
    }
}

impl ExchangeTraffic {
    /// Whose traffic it is.
    #[must_use]
    pub fn id(&self) -> ExchangeId {
        self.id
    }

    /// Counts messages published to it, and copies of them that queues were given.
    pub fn count(&self, published: u64, copies: u64) {
        self.published_in.fetch_add(published, Relaxed);
        self.published_out.fetch_add(copies, Relaxed);
    }

    /// Counts messages published to it that were confirmed.
    pub fn count_confirmed(&self, messages: u64) {
        self.confirmed.fetch_add(messages, Relaxed);
    }

    /// Counts a message that came back as unroutable.
    pub fn count_returned(&self) {
        self.returned.fetch_add(1, Relaxed);
    }

    /// Counts a message that was dropped as unroutable.
    pub fn count_dropped(&self) {
        self.dropped.fetch_add(1, Relaxed);
    }

    /// Messages published to it that were confirmed.
    #[must_use]
    pub fn confirmed(&self) -> u64 {
        self.confirmed.load(Relaxed)
    }

    /// Messages that came back as unroutable.
    #[must_use]
    pub fn returned(&self) -> u64 {
        self.returned.load(Relaxed)
    }

    /// Messages that were dropped as unroutable.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Messages published to it.
    #[must_use]
    pub fn published_in(&self) -> u64 {
        self.published_in.load(Relaxed)
    }

    /// Copies queues were given.
    #[must_use]
    pub fn published_out(&self) -> u64 {
        self.published_out.load(Relaxed)
    }
}

/// Where the firehose goes while tracing is on.
pub const TRACE_EXCHANGE: &str = "amq.rabbitmq.trace";

/// The user that predeclared things are said to be declared by.
pub const INTERNAL_USER: &str = "rmq-internal";

/// The exchanges every vhost has from the start.
pub fn predeclared() -> impl Iterator<Item = Exchange> {
    const PREDECLARED: [(&str, ExchangeKind, bool); 7] = [
        ("", ExchangeKind::Direct, false),
        ("amq.direct", ExchangeKind::Direct, false),
        ("amq.fanout", ExchangeKind::Fanout, false),
        ("amq.headers", ExchangeKind::Headers, false),
        ("amq.match", ExchangeKind::Headers, false),
        (TRACE_EXCHANGE, ExchangeKind::Topic, true),
        ("amq.topic", ExchangeKind::Topic, false),
    ];
    PREDECLARED.into_iter().map(|(name, kind, internal)| Exchange {
        name: ExchangeName::new(name).expect("a predeclared name is short"),
        kind,
        durable: true,
        auto_delete: false,
        internal,
        arguments: FieldTable::new(),
        declared_by: UserName::new(INTERNAL_USER).expect("user names have no limit"),
    })
}

/// Checks the arguments that a type of exchange gives a meaning.
///
/// # Errors
/// [`Error::InvalidArgument`] with the reference's sentence.
pub fn check_arguments(resource: &Resource, kind: ExchangeKind, arguments: &FieldTable) -> Result<(), Error> {
    match kind {
        ExchangeKind::DelayedMessage => check_arguments(resource, delayed::matching(arguments)?, arguments),
        ExchangeKind::ConsistentHash => HashOn::of(resource, arguments).map(drop),
        ExchangeKind::RecentHistory => recent_history::length(arguments).map(drop),
        ExchangeKind::Direct
        | ExchangeKind::Fanout
        | ExchangeKind::Headers
        | ExchangeKind::Topic
        | ExchangeKind::LocalRandom
        | ExchangeKind::ModulusHash
        | ExchangeKind::Random => Ok(()),
    }
}

/// A binding as matchers keep it.
pub trait Bound: Clone {
    /// Tells it from every other binding of the vhost; grows with each that is made.
    fn number(&self) -> u64;
}

/// A binding for matchers that look at where it leads.
pub trait Placed: Bound {
    /// Where it leads.
    fn destination(&self) -> &Destination;
}

/// Takes the bindings a matcher finds.
pub trait Sink<B> {
    /// A binding that matches; may come more than once.
    fn matched(&mut self, bound: &B);

    /// A node of the matcher's structure was looked at: what matching costs.
    fn visited(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::QueueName;

    /// A binding that is nothing but its number.
    #[derive(Debug, Clone, PartialEq)]
    pub(super) struct Numbered(pub(super) u64);

    impl Bound for Numbered {
        fn number(&self) -> u64 {
            self.0
        }
    }

    /// Numbers in the order they matched.
    #[derive(Debug, Default)]
    pub(super) struct Collected(pub(super) Vec<u64>);

    impl Sink<Numbered> for Collected {
        fn matched(&mut self, bound: &Numbered) {
            self.0.push(bound.0);
        }
    }

    /// A binding that leads somewhere: its number and its place.
    #[derive(Debug, Clone)]
    pub(super) struct Placement(u64, Destination);

    pub(super) fn placement(number: u64, place: u64) -> Placement {
        Placement(number, Destination::Queue(QueueName::new(format!("queue-{place}")).unwrap()))
    }

    impl Bound for Placement {
        fn number(&self) -> u64 {
            self.0
        }
    }

    impl Placed for Placement {
        fn destination(&self) -> &Destination {
            &self.1
        }
    }

    /// Numbers and places in the order they matched.
    #[derive(Debug, Default)]
    pub(super) struct CollectedPlaces(pub(super) Vec<u64>, pub(super) Vec<Destination>);

    impl Sink<Placement> for CollectedPlaces {
        fn matched(&mut self, bound: &Placement) {
            self.0.push(bound.0);
            self.1.push(bound.1.clone());
        }
    }
}
