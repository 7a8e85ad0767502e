//! Configure, write and read patterns, topic permissions, and the decision.
//!
//! A row is what an administrator sets; a grant is the row with its patterns, each
//! compiled when it is first needed.
//! Each decision says how it was reached, and costs no allocation.

use std::fmt;
use std::sync::Arc;

use super::name::{ExchangeName, UserName, VhostName};
use super::pattern::{Outcome, Pattern};
use crate::error::{Error, Operation, Resource};

/// Longest accepted pattern, in bytes.
pub const PATTERN_BYTES_MAX: usize = 1024;

/// What a user may do in a vhost: three unanchored regular expressions; empty matches only the empty name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    /// Who.
    pub user: UserName,
    /// Where.
    pub vhost: VhostName,
    /// Pattern of names that may be created, changed, deleted.
    pub configure: String,
    /// Pattern of names that may be written to.
    pub write: String,
    /// Pattern of names that may be read from.
    pub read: String,
}

/// What routing keys a user may publish and bind with on one topic exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPermissions {
    /// Who.
    pub user: UserName,
    /// Where.
    pub vhost: VhostName,
    /// On which exchange.
    pub exchange: ExchangeName,
    /// Pattern of routing keys for publishing; may hold `{username}` and `{vhost}`.
    pub write: String,
    /// Pattern of binding keys; likewise.
    pub read: String,
}

impl Permissions {
    /// Every pattern must be a regular expression, so that a typing mistake is told at once.
    ///
    /// # Errors
    /// [`Error::InvalidPattern`] for the first that is none.
    pub fn check(&self) -> Result<(), Error> {
        [&self.configure, &self.write, &self.read].into_iter().try_for_each(|pattern| check_pattern(pattern))
    }
}

impl TopicPermissions {
    /// As [`Permissions::check`].
    ///
    /// # Errors
    /// [`Error::InvalidPattern`] for the first that is none.
    pub fn check(&self) -> Result<(), Error> {
        [&self.write, &self.read].into_iter().try_for_each(|pattern| check_pattern(pattern))
    }
}

fn check_pattern(pattern: &str) -> Result<(), Error> {
    match Pattern::new(pattern) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::InvalidPattern { pattern: pattern.to_owned(), error }),
    }
}

/// A row of permissions ready to decide: each pattern is compiled once, at its first use.
#[derive(Debug)]
pub struct Grant {
    /// The row.
    pub row: Arc<Permissions>,
    configure: Pattern,
    write: Pattern,
    read: Pattern,
}

impl Grant {
    /// Takes a row. A stored pattern that cannot be compiled denies.
    #[must_use]
    pub fn new(row: Arc<Permissions>) -> Self {
        Self {
            configure: Pattern::lenient(&row.configure),
            write: Pattern::lenient(&row.write),
            read: Pattern::lenient(&row.read),
            row,
        }
    }

    /// Decides about one name; the default exchange goes by `amq.default`.
    #[must_use]
    pub fn decide<'a>(&'a self, operation: Operation, name: &'a str) -> Decision<'a> {
        let pattern = match operation {
            Operation::Configure => &self.configure,
            Operation::Write => &self.write,
            Operation::Read => &self.read,
        };
        Decision { user: &self.row.user, vhost: &self.row.vhost, operation, name, basis: Basis::of(pattern, name) }
    }
}

/// A row of topic permissions ready to decide for its user and vhost.
#[derive(Debug)]
pub struct TopicGrant {
    /// The row.
    pub row: Arc<TopicPermissions>,
    write: Pattern,
    read: Pattern,
}

impl TopicGrant {
    /// Puts user and vhost in the patterns' places, as they are.
    #[must_use]
    pub fn new(row: Arc<TopicPermissions>) -> Self {
        let expand = |pattern: &str| {
            Pattern::lenient(&pattern.replace("{username}", row.user.as_str()).replace("{vhost}", row.vhost.as_str()))
        };
        Self { write: expand(&row.write), read: expand(&row.read), row }
    }

    /// Decides about one routing or binding key. Topics are written and read, never configured.
    #[must_use]
    pub fn decide<'a>(&'a self, operation: Operation, routing_key: &'a str) -> Decision<'a> {
        let pattern = match operation {
            Operation::Write => &self.write,
            Operation::Read | Operation::Configure => &self.read,
        };
        let basis = Basis::of(pattern, routing_key);
        Decision { user: &self.row.user, vhost: &self.row.vhost, operation, name: routing_key, basis }
    }
}

/// The answer to "may this user do this here", and how it was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision<'a> {
    /// Who asked.
    pub user: &'a UserName,
    /// Where.
    pub vhost: &'a VhostName,
    /// To do what.
    pub operation: Operation,
    /// The resource name or routing key the pattern was held against.
    pub name: &'a str,
    /// What decided.
    pub basis: Basis<'a>,
}

/// What decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis<'a> {
    /// The user has no permissions in the vhost: denied.
    NoPermissions,
    /// The user has no topic permissions for the exchange: allowed.
    NoTopicPermissions,
    /// The pattern was found in the name: allowed.
    Matched(&'a str),
    /// It was not: denied.
    Unmatched(&'a str),
    /// Matching took too many steps: denied.
    OverBudget(&'a str),
    /// The stored text is no pattern: denied.
    Invalid(&'a str),
}

impl<'a> Basis<'a> {
    fn of(pattern: &'a Pattern, name: &str) -> Self {
        let source = pattern.source();
        match pattern.find_in(name) {
            Outcome::Matched => Self::Matched(source),
            Outcome::Unmatched => Self::Unmatched(source),
            Outcome::OverBudget => Self::OverBudget(source),
            Outcome::Invalid => Self::Invalid(source),
        }
    }

    /// The pattern that decided, where one did.
    fn pattern(self) -> Option<String> {
        match self {
            Self::NoPermissions | Self::NoTopicPermissions => None,
            Self::Matched(pattern) | Self::Unmatched(pattern) | Self::OverBudget(pattern) | Self::Invalid(pattern) => {
                Some(pattern.to_owned())
            }
        }
    }
}

impl Decision<'_> {
    /// The verdict.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        match self.basis {
            Basis::Matched(_) | Basis::NoTopicPermissions => true,
            Basis::NoPermissions | Basis::Unmatched(_) | Basis::OverBudget(_) | Basis::Invalid(_) => false,
        }
    }

    /// The verdict as the refusal of access to a resource.
    ///
    /// # Errors
    /// [`Error::AccessRefused`] when denied.
    pub fn to_result(&self, resource: &Resource) -> Result<(), Error> {
        if self.is_allowed() {
            return Ok(());
        }
        let resource = match resource {
            Resource::Exchange(vhost, name) if name.is_default() => {
                // Refused under the name it was checked under.
                let shown = ExchangeName::new(name.permission_name()).unwrap_or_else(|_| name.clone());
                Resource::Exchange(vhost.clone(), shown)
            }
            other => other.clone(),
        };
        let (operation, user, pattern) = (self.operation, self.user.clone(), self.basis.pattern());
        Err(Error::AccessRefused { operation, resource, user, pattern })
    }

    /// The verdict as the refusal of access to a topic of `exchange`.
    ///
    /// # Errors
    /// [`Error::TopicAccessRefused`] when denied.
    pub fn to_topic_result(&self, exchange: &Resource) -> Result<(), Error> {
        if self.is_allowed() {
            return Ok(());
        }
        Err(Error::TopicAccessRefused {
            operation: self.operation,
            routing_key: self.name.to_owned(),
            exchange: exchange.clone(),
            user: self.user.clone(),
            pattern: self.basis.pattern(),
        })
    }
}

impl fmt::Display for Decision<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_allowed() { "allowed" } else { "refused" };
        let Self { user, vhost, operation, name, .. } = self;
        write!(f, "{operation} '{name}' in vhost '{vhost}' {verdict} for user '{user}': ")?;
        match self.basis {
            Basis::NoPermissions => f.write_str("no permissions in the vhost"),
            Basis::NoTopicPermissions => f.write_str("no topic permissions on the exchange"),
            Basis::Matched(pattern) => write!(f, "pattern '{pattern}' matches"),
            Basis::Unmatched(pattern) => write!(f, "pattern '{pattern}' does not match"),
            Basis::OverBudget(pattern) => write!(f, "pattern '{pattern}' takes too many steps"),
            Basis::Invalid(pattern) => write!(f, "pattern '{pattern}' is no regular expression"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(configure: &str, write: &str, read: &str) -> Grant {
        Grant::new(Arc::new(Permissions {
            user: UserName::new("u").unwrap(),
            vhost: VhostName::new("/").unwrap(),
            configure: configure.into(),
            write: write.into(),
            read: read.into(),
        }))
    }

    fn check(grant: &Grant, operation: Operation, name: &str, expected: &str) {
        assert_eq!(grant.decide(operation, name).to_string(), expected);
    }

    #[test]
    fn each_operation_has_its_own_pattern_and_says_which() {
        let grant = grant("^c-", "^(w-|amq\\.default)", "");
        for (operation, name, expected) in [
            (Operation::Configure, "c-q", "configure 'c-q' in vhost '/' allowed for user 'u': pattern '^c-' matches"),
            (
                Operation::Configure,
                "w-q",
                "configure 'w-q' in vhost '/' refused for user 'u': pattern '^c-' does not match",
            ),
            (
                Operation::Write,
                "amq.default",
                "write 'amq.default' in vhost '/' allowed for user 'u': pattern '^(w-|amq\\.default)' matches",
            ),
            (Operation::Read, "x", "read 'x' in vhost '/' refused for user 'u': pattern '' does not match"),
        ] {
            check(&grant, operation, name, expected);
        }
    }

    #[test]
    fn errors_deny() {
        let grant = grant("(", "^(?=a)(a|aa)+(?!a)$", ".*");
        assert_eq!(grant.decide(Operation::Configure, "(").basis, Basis::Invalid("("));
        let name = format!("{}b", "a".repeat(200));
        let decision = grant.decide(Operation::Write, &name);
        assert_eq!(decision.basis, Basis::OverBudget("^(?=a)(a|aa)+(?!a)$"));
        assert!(!decision.is_allowed());
    }

    #[test]
    fn refusals_read_as_clients_see_them() {
        let grant = grant("", "", "");
        let resource = Resource::Queue(VhostName::new("/").unwrap(), super::super::name::QueueName::new("q").unwrap());
        assert_eq!(
            grant.decide(Operation::Read, "q").to_result(&resource).unwrap_err().to_string(),
            "read access to queue 'q' in vhost '/' refused for user 'u'"
        );
    }

    #[test]
    fn topic_patterns_know_user_and_vhost() {
        let grant = |user: &str, write: &str, read: &str| {
            TopicGrant::new(Arc::new(TopicPermissions {
                user: UserName::new(user).unwrap(),
                vhost: VhostName::new("v").unwrap(),
                exchange: ExchangeName::new("amq.topic").unwrap(),
                write: write.into(),
                read: read.into(),
            }))
        };
        for (user, write, key, allowed) in [
            ("u", "^{username}\\.", "u.a", true),
            ("u", "^{username}\\.", "w.a", false),
            ("u", "^{username}-{vhost}-{username}$", "u-v-u", true),
            ("u", "^{client_id}$", "{client_id}", true),
            ("u", "", "", true),
            ("u", "", "a", false),
            // A name that is no pattern denies instead of matching something else.
            ("(", "^{username}$", "(", false),
        ] {
            let grant = grant(user, write, "^never$");
            assert_eq!(grant.decide(Operation::Write, key).is_allowed(), allowed, "{user} {write} {key}");
            assert!(!grant.decide(Operation::Read, key).is_allowed());
        }
    }
}
