//! Mechanisms by which AMQP clients say who they are, and which of them are offered where.

/// A mechanism of SASL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// Name and password, with a NUL in front of each.
    Plain,
    /// Name and password in a table.
    Amqplain,
    /// The name in the client's certificate.
    External,
}

impl Mechanism {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Amqplain, Self::External];

    /// Those offered when nothing is configured, in the order of preference.
    pub const INITIAL: [Self; 2] = [Self::Plain, Self::Amqplain];

    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Amqplain => "AMQPLAIN",
            Self::External => "EXTERNAL",
        }
    }

    /// The mechanism of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }

    /// Whether a connection is offered it: certificates are shown on encrypted ones alone.
    #[must_use]
    pub fn suits(self, is_encrypted: bool) -> bool {
        self != Self::External || is_encrypted
    }
}

/// Those of the configured ones that a connection is offered, as `connection.start` lists them.
#[must_use]
pub fn offered(configured: &[Mechanism], is_encrypted: bool) -> String {
    let suitable = configured.iter().filter(|mechanism| mechanism.suits(is_encrypted));
    suitable.map(|mechanism| mechanism.name()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_asked_for_on_encrypted_connections_alone() {
        use Mechanism::{Amqplain, External, Plain};
        for (configured, is_encrypted, expected) in [
            (&Mechanism::INITIAL[..], false, "PLAIN AMQPLAIN"),
            (&[Plain, External], false, "PLAIN"),
            (&[Plain, External], true, "PLAIN EXTERNAL"),
            (&[External, Amqplain], true, "EXTERNAL AMQPLAIN"),
            (&[External], false, ""),
        ] {
            assert_eq!(offered(configured, is_encrypted), expected);
        }
        assert!(Mechanism::ALL.iter().all(|one| Mechanism::from_name(one.name()) == Some(*one)));
    }
}
