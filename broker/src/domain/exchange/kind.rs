//! The types of exchanges: their names on the wire, and how listings describe them.
//!
//! Types whose name starts with `x-` are extensions; the reference ships some of them as
//! plugins, here all are there from the start.

use crate::error::Error;

/// How an exchange matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExchangeKind {
    /// Routing key equals binding key.
    Direct,
    /// Every binding.
    Fanout,
    /// Header values.
    Headers,
    /// Words with `*` and `#`.
    Topic,
    /// One binding by a hash, in proportion to weights.
    ConsistentHash,
    /// As its argument says, once a message's delay is over.
    DelayedMessage,
    /// One queue of this node by chance.
    LocalRandom,
    /// One binding by a hash, modulo their number.
    ModulusHash,
    /// One binding by chance.
    Random,
    /// Every binding, and the last messages for later ones.
    RecentHistory,
}

impl ExchangeKind {
    /// All types, in the order listings have.
    pub const ALL: [Self; 10] = [
        Self::Direct,
        Self::Fanout,
        Self::Headers,
        Self::Topic,
        Self::ConsistentHash,
        Self::DelayedMessage,
        Self::LocalRandom,
        Self::ModulusHash,
        Self::Random,
        Self::RecentHistory,
    ];

    /// The type's name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Fanout => "fanout",
            Self::Headers => "headers",
            Self::Topic => "topic",
            Self::ConsistentHash => "x-consistent-hash",
            Self::DelayedMessage => "x-delayed-message",
            Self::LocalRandom => "x-local-random",
            Self::ModulusHash => "x-modulus-hash",
            Self::Random => "x-random",
            Self::RecentHistory => "x-recent-history",
        }
    }

    /// The type of that name.
    #[must_use]
    pub fn from_wire(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The type of that name, or the refusal of a name that is none.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for the empty name, [`Error::UnknownExchangeType`].
    pub fn require(name: &str) -> Result<Self, Error> {
        Self::from_wire(name).ok_or_else(|| match name {
            "" => Error::InvalidArgument("invalid exchange type ''".to_owned()),
            _ => Error::UnknownExchangeType(name.to_owned()),
        })
    }

    /// What listings say about it.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::Direct => "AMQP direct exchange, as per the AMQP specification",
            Self::Fanout => "AMQP fanout exchange, as per the AMQP specification",
            Self::Headers => "AMQP headers exchange, as per the AMQP specification",
            Self::Topic => "AMQP topic exchange, as per the AMQP specification",
            Self::ConsistentHash => "Consistent Hashing Exchange",
            Self::DelayedMessage => "Delayed Message Exchange.",
            Self::LocalRandom => "Picks one random local binding (queue) to route via (to).",
            Self::ModulusHash => "Modulus Hashing Exchange",
            Self::Random => "Randomly picks a binding (queue) to route via (to).",
            Self::RecentHistory => "Recent History Exchange.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_back_to_its_type_and_listings_are_in_their_order() {
        for kind in ExchangeKind::ALL {
            assert_eq!(ExchangeKind::from_wire(kind.as_str()), Some(kind));
        }
        assert!(ExchangeKind::ALL.map(ExchangeKind::as_str).is_sorted());
        for name in ["", "Direct", "x-nope"] {
            assert_eq!(ExchangeKind::from_wire(name), None);
        }
    }
}
