//! Which policies apply to an object: of each kind the one with the highest priority
//! whose pattern, kind of object and keys all fit.

use std::fmt;
use std::sync::Arc;

use super::settings::setting;
use super::{Policy, PolicyKind, Subject};
use crate::domain::pattern::{Outcome, Pattern};

/// The policies of one vhost with their patterns compiled, highest priority first.
#[derive(Debug, Default)]
pub struct PolicySet {
    user: Vec<Compiled>,
    operator: Vec<Compiled>,
}

#[derive(Debug)]
struct Compiled {
    policy: Arc<Policy>,
    pattern: Pattern,
}

/// The policies that apply to one object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selected {
    /// The user policy.
    pub user: Option<Arc<Policy>>,
    /// The operator policy.
    pub operator: Option<Arc<Policy>>,
}

/// How a policy relates to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// It fits.
    Fits,
    /// It is for another kind of object.
    OtherKind,
    /// Its pattern does not match the name.
    Unmatched,
    /// Matching its pattern takes too many steps, or the stored text is no pattern.
    Unusable,
    /// It holds a key that objects of this kind do not know, so none of it applies.
    UnknownKey(String),
}

/// One step of the search, for an explanation.
#[derive(Debug, Clone, PartialEq)]
pub struct Considered {
    /// Whose.
    pub kind: PolicyKind,
    /// The policy.
    pub policy: Arc<Policy>,
    /// How it relates to the object.
    pub fit: Fit,
    /// Whether it is the one that applies: fits, and nothing before it did.
    pub applied: bool,
}

impl PolicySet {
    /// Compiles the policies of one vhost. Among equal priorities the first name wins,
    /// so that the choice does not depend on history (the reference leaves it open).
    #[must_use]
    pub fn new(user: impl IntoIterator<Item = Arc<Policy>>, operator: impl IntoIterator<Item = Arc<Policy>>) -> Self {
        Self { user: compile(user), operator: compile(operator) }
    }

    /// Whether there is no policy at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.user.is_empty() && self.operator.is_empty()
    }

    /// The policies that apply to an object.
    #[must_use]
    pub fn select(&self, subject: Subject, name: &str) -> Selected {
        let first = |policies: &[Compiled]| {
            policies.iter().find(|compiled| compiled.fit(subject, name) == Fit::Fits).map(|found| found.policy.clone())
        };
        Selected { user: first(&self.user), operator: first(&self.operator) }
    }

    /// Every policy in the order it was tried, and what became of it.
    #[must_use]
    pub fn explain(&self, subject: Subject, name: &str) -> Vec<Considered> {
        let mut steps = Vec::with_capacity(self.user.len() + self.operator.len());
        for (kind, policies) in [(PolicyKind::User, &self.user), (PolicyKind::Operator, &self.operator)] {
            let mut found = false;
            for compiled in policies {
                let fit = compiled.fit(subject, name);
                let applied = !found && fit == Fit::Fits;
                found |= applied;
                steps.push(Considered { kind, policy: compiled.policy.clone(), fit, applied });
            }
        }
        steps
    }
}

fn compile(policies: impl IntoIterator<Item = Arc<Policy>>) -> Vec<Compiled> {
    let mut compiled: Vec<_> = policies
        .into_iter()
        .map(|policy| Compiled { pattern: Pattern::lenient_unanchored(&policy.pattern), policy })
        .collect();
    compiled.sort_by(|a, b| b.policy.priority.cmp(&a.policy.priority).then_with(|| a.policy.name.cmp(&b.policy.name)));
    compiled
}

impl Compiled {
    fn fit(&self, subject: Subject, name: &str) -> Fit {
        if !self.policy.apply_to.covers(subject) {
            return Fit::OtherKind;
        }
        match self.pattern.find_in(name) {
            Outcome::Matched => {}
            Outcome::Unmatched => return Fit::Unmatched,
            Outcome::OverBudget | Outcome::Invalid => return Fit::Unusable,
        }
        let unknown = |key: &str| setting(key).is_some_and(|setting| !setting.is_known_to(subject));
        match self.policy.definition.iter().find(|(key, _)| unknown(key)) {
            Some((key, _)) => Fit::UnknownKey(key.clone()),
            None => Fit::Fits,
        }
    }
}

impl fmt::Display for Considered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            PolicyKind::User => "policy",
            PolicyKind::Operator => "operator policy",
        };
        let Policy { name, pattern, apply_to, priority, .. } = &*self.policy;
        write!(f, "{kind} '{name}' (priority {priority}) ")?;
        match &self.fit {
            Fit::Fits if self.applied => f.write_str("applies"),
            Fit::Fits => f.write_str("fits, but another goes first"),
            Fit::OtherKind => write!(f, "applies to {} only", apply_to.as_str()),
            Fit::Unmatched => write!(f, "pattern '{pattern}' does not match"),
            Fit::Unusable => write!(f, "pattern '{pattern}' cannot be matched"),
            Fit::UnknownKey(key) => write!(f, "sets '{key}', which objects of this type do not know"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::name::VhostName;
    use crate::domain::policy::ApplyTo;
    use crate::domain::queue::QueueKind;

    const CLASSIC: Subject = Subject::Queue(QueueKind::Classic);
    const QUORUM: Subject = Subject::Queue(QueueKind::Quorum);
    const STREAM: Subject = Subject::Queue(QueueKind::Stream);

    fn policy(name: &str, pattern: &str, apply_to: ApplyTo, priority: i64, key: &str) -> Arc<Policy> {
        Arc::new(Policy {
            vhost: VhostName::new("/").unwrap(),
            name: name.into(),
            pattern: pattern.into(),
            apply_to,
            priority,
            definition: vec![(key.into(), json!(1))],
        })
    }

    fn check(set: &PolicySet, subject: Subject, name: &str, user: Option<&str>, operator: Option<&str>) {
        let selected = set.select(subject, name);
        let name_of = |policy: &Option<Arc<Policy>>| policy.as_ref().map(|policy| policy.name.clone());
        assert_eq!(
            (name_of(&selected.user).as_deref(), name_of(&selected.operator).as_deref()),
            (user, operator),
            "{subject:?} {name}"
        );
        let applied: Vec<_> = set.explain(subject, name).into_iter().filter(|step| step.applied).collect();
        let explained = |kind| applied.iter().find(|step| step.kind == kind).map(|step| step.policy.name.clone());
        assert_eq!(explained(PolicyKind::User).as_deref(), user);
        assert_eq!(explained(PolicyKind::Operator).as_deref(), operator);
    }

    #[test]
    fn the_highest_priority_that_fits_applies() {
        let set = PolicySet::new(
            [
                policy("forq", "", ApplyTo::QuorumQueues, 5, "max-length"),
                policy("forc", "", ApplyTo::ClassicQueues, 1, "max-length"),
                policy("fors", "", ApplyTo::Streams, 3, "max-age"),
                policy("fore", "", ApplyTo::Exchanges, 0, "alternate-exchange"),
                policy("low", "", ApplyTo::All, -5, "max-length"),
                policy("named", "^q1$", ApplyTo::Queues, 9, "max-length"),
            ],
            [policy("opq", "", ApplyTo::QuorumQueues, 0, "max-length")],
        );
        check(&set, CLASSIC, "c", Some("forc"), None);
        check(&set, QUORUM, "q", Some("forq"), Some("opq"));
        check(&set, STREAM, "s", Some("fors"), None);
        check(&set, Subject::Exchange, "e", Some("fore"), None);
        check(&set, CLASSIC, "q1", Some("named"), None);
        // A stream does not know max-length, so the named policy passes it by.
        check(&set, STREAM, "q1", Some("fors"), None);
    }

    #[test]
    fn ties_are_broken_by_name() {
        let tie = |name| policy(name, "", ApplyTo::All, 0, "max-length");
        check(&PolicySet::new([tie("b"), tie("a"), tie("c")], []), CLASSIC, "q", Some("a"), None);
    }

    // Recorded from the reference: which queue types a policy with this one key applies to.
    #[test]
    fn one_unknown_key_keeps_the_whole_policy_away() {
        for (key, classic, quorum, stream) in [
            ("alternate-exchange", true, true, true),
            ("dead-letter-exchange", true, true, false),
            ("dead-letter-routing-key", true, true, false),
            ("dead-letter-strategy", false, true, false),
            ("message-ttl", true, true, false),
            ("expires", true, true, false),
            ("max-length", true, true, false),
            ("max-length-bytes", true, true, true),
            ("max-in-memory-length", false, true, false),
            ("max-in-memory-bytes", false, true, false),
            ("overflow", true, true, false),
            ("delivery-limit", false, true, false),
            ("consumer-timeout", true, true, true),
            ("consumer-disconnected-timeout", true, true, true),
            ("delayed-retry-type", true, true, true),
            ("delayed-retry-min", true, true, true),
            ("delayed-retry-max", true, true, true),
            ("max-age", false, false, true),
            ("stream-max-segment-size-bytes", false, false, true),
            ("stream-filter-size-bytes", true, true, true),
            ("initial-cluster-size", false, false, true),
            ("queue-leader-locator", true, true, true),
            ("queue-mode", true, false, false),
            ("queue-version", true, true, true),
            ("target-group-size", false, true, false),
            ("federation-upstream", true, true, true),
        ] {
            let set = PolicySet::new([policy("p", "", ApplyTo::All, 0, key)], []);
            for (subject, applies) in
                [(CLASSIC, classic), (QUORUM, quorum), (STREAM, stream), (Subject::Exchange, true)]
            {
                check(&set, subject, "q", applies.then_some("p"), None);
            }
        }
    }

    #[test]
    fn the_search_explains_itself() {
        let set = PolicySet::new(
            [
                policy("a", "^x", ApplyTo::All, 3, "max-length"),
                policy("b", "", ApplyTo::Streams, 2, "max-age"),
                policy("c", "", ApplyTo::All, 1, "max-age"),
                policy("d", "", ApplyTo::All, 0, "max-length"),
                policy("e", "(", ApplyTo::All, -1, "max-length"),
                policy("f", "", ApplyTo::All, -2, "max-length"),
            ],
            [],
        );
        let steps: Vec<_> = set.explain(CLASSIC, "q").iter().map(ToString::to_string).collect();
        assert_eq!(
            steps,
            [
                "policy 'a' (priority 3) pattern '^x' does not match",
                "policy 'b' (priority 2) applies to streams only",
                "policy 'c' (priority 1) sets 'max-age', which objects of this type do not know",
                "policy 'd' (priority 0) applies",
                "policy 'e' (priority -1) pattern '(' cannot be matched",
                "policy 'f' (priority -2) fits, but another goes first",
            ]
        );
    }
}
