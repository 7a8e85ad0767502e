//! Policies and operator policies as values: their form, and the check of what they set.
//!
//! Which policy applies to an object is `matching`'s question, what comes of two policies
//! and an argument is `merge`'s, and what a key means is `settings`'.

mod matching;
mod merge;
pub mod settings;

pub use matching::{Considered, Fit, PolicySet, Selected};
pub use merge::{Effective, Origin, effective, with_argument};

use super::name::VhostName;
use super::parameter::{Document, as_term, validation_failed};
use super::pattern::{Pattern, PatternError};
use super::permission::PATTERN_BYTES_MAX;
use super::queue::QueueKind;
use crate::error::Error;
use settings::setting;

/// What a policy may apply to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// An exchange.
    Exchange,
    /// A queue of this type.
    Queue(QueueKind),
}

/// Which objects a policy may apply to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ApplyTo {
    /// Queues and exchanges.
    #[default]
    All,
    /// Queues and streams.
    Queues,
    /// Exchanges.
    Exchanges,
    /// Classic queues.
    ClassicQueues,
    /// Quorum queues.
    QuorumQueues,
    /// Streams.
    Streams,
}

impl ApplyTo {
    /// Every kind, in the order the reference lists them.
    pub const ALL: [Self; 6] =
        [Self::Queues, Self::ClassicQueues, Self::QuorumQueues, Self::Streams, Self::Exchanges, Self::All];

    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Queues => "queues",
            Self::Exchanges => "exchanges",
            Self::ClassicQueues => "classic_queues",
            Self::QuorumQueues => "quorum_queues",
            Self::Streams => "streams",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_wire(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|apply_to| apply_to.as_str() == name)
    }

    /// Whether an object is of this kind.
    #[must_use]
    pub fn covers(self, subject: Subject) -> bool {
        match (self, subject) {
            (Self::All, _)
            | (Self::Exchanges, Subject::Exchange)
            | (Self::Queues, Subject::Queue(_))
            | (Self::ClassicQueues, Subject::Queue(QueueKind::Classic))
            | (Self::QuorumQueues, Subject::Queue(QueueKind::Quorum))
            | (Self::Streams, Subject::Queue(QueueKind::Stream)) => true,
            (Self::Exchanges | Self::Queues | Self::ClassicQueues | Self::QuorumQueues | Self::Streams, _) => false,
        }
    }
}

/// Whose policy it is: each object has at most one of either kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PolicyKind {
    /// A user policy.
    User,
    /// An operator policy: fewer keys, and the last word on most of them.
    Operator,
}

/// A user or operator policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Where.
    pub vhost: VhostName,
    /// Its name.
    pub name: String,
    /// Unanchored regular expression on object names.
    pub pattern: String,
    /// Which kinds of object.
    pub apply_to: ApplyTo,
    /// Highest wins.
    pub priority: i64,
    /// Settings by key; never empty.
    pub definition: Vec<(String, Document)>,
}

impl Policy {
    /// Checks pattern and definition.
    ///
    /// # Errors
    /// [`Error::InvalidValue`] in the reference's words, everything that is wrong in one text.
    pub fn check(&self, kind: PolicyKind) -> Result<(), Error> {
        let refusals: Vec<_> =
            definition_refusal(kind, &self.definition).into_iter().chain(pattern_refusal(&self.pattern)).collect();
        if refusals.is_empty() { Ok(()) } else { Err(validation_failed(&refusals)) }
    }
}

/// A policy as it arrives from outside, its values not yet looked at.
#[derive(Debug, Clone, Copy)]
pub struct PolicyFields<'a> {
    /// Should be text.
    pub pattern: &'a Document,
    /// Should be an object.
    pub definition: &'a Document,
    /// Should be a number; 0 when missing.
    pub priority: Option<&'a Document>,
    /// Should name a kind of object; `all` when missing.
    pub apply_to: Option<&'a Document>,
}

impl PolicyFields<'_> {
    /// The policy these fields describe.
    ///
    /// # Errors
    /// [`Error::InvalidValue`] in the reference's words, everything that is wrong in one text.
    pub fn check(&self, kind: PolicyKind, vhost: VhostName, name: &str) -> Result<Policy, Error> {
        let mut refusals = Vec::new();
        let definition = match self.definition {
            Document::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
            Document::Array(values) if values.is_empty() => Vec::new(),
            other => {
                refusals.push(format!("definition should be an object, actually was {}", as_term(other)));
                Vec::new()
            }
        };
        if refusals.is_empty() {
            refusals.extend(definition_refusal(kind, &definition));
        }
        let apply_to = self.apply_to.map_or(Some(ApplyTo::All), |value| ApplyTo::from_wire(value.as_str()?));
        if apply_to.is_none() {
            refusals.push(apply_to_refusal(self.apply_to.unwrap_or(&Document::Null)));
        }
        match self.pattern.as_str() {
            Some(pattern) => refusals.extend(pattern_refusal(pattern)),
            None => refusals.push(format!("pattern should be a binary but was {}", as_term(self.pattern))),
        }
        let priority = self.priority.map_or(Some(0), whole_number);
        if priority.is_none() {
            let value = as_term(self.priority.unwrap_or(&Document::Null));
            refusals.push(format!("priority should be a number, actually was {value}"));
        }
        match (apply_to, self.pattern.as_str(), priority) {
            (Some(apply_to), Some(pattern), Some(priority)) if refusals.is_empty() => {
                Ok(Policy { vhost, name: name.to_owned(), pattern: pattern.to_owned(), apply_to, priority, definition })
            }
            _ => Err(validation_failed(&refusals)),
        }
    }
}

/// Any number is a priority; a fraction is dropped, since only the order counts.
fn whole_number(value: &Document) -> Option<i64> {
    let float = value.as_f64()?;
    // Saturates beyond the range of the type.
    Some(value.as_i64().unwrap_or(float.floor() as i64))
}

fn apply_to_refusal(value: &Document) -> String {
    let value = value.as_str().map_or_else(|| as_term(value), str::to_owned);
    // Two spaces after 'classic_queues', as in the reference.
    format!(
        "apply-to '{value}' unrecognised; should be one of: 'queues', 'classic_queues',  'quorum_queues', 'streams', 'exchanges', or 'all'"
    )
}

fn pattern_refusal(pattern: &str) -> Option<String> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Some(format!("pattern must not exceed {PATTERN_BYTES_MAX} bytes"));
    }
    let error: PatternError = Pattern::new(pattern).err()?;
    Some(format!("pattern should be regular expression but is invalid: {error}"))
}

/// What is wrong with a definition: the first bad value in key order, then what does not
/// fit together, then the keys nobody knows.
fn definition_refusal(kind: PolicyKind, definition: &[(String, Document)]) -> Option<String> {
    if definition.is_empty() {
        return Some("no policy provided".into());
    }
    let mut entries: Vec<_> = definition.iter().collect();
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    let known = |key: &str| setting(key).filter(|setting| kind == PolicyKind::User || setting.operator);
    if let Some(refusal) = entries.iter().find_map(|(key, value)| known(key)?.refusal(value)) {
        return Some(refusal);
    }
    let get = |name: &str| entries.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    if let Some(refusal) = delayed_retry_refusal(get) {
        return Some(refusal);
    }
    let unknown: Vec<_> = entries
        .iter()
        .filter(|(key, _)| known(key).is_none())
        .map(|(key, value)| format!("{{{},{}}}", as_term(&key.as_str().into()), as_term(value)))
        .collect();
    if !unknown.is_empty() {
        return Some(format!("[{}] are not recognised policy settings", unknown.join(",")));
    }
    let upstreams = ["federation-upstream", "federation-upstream-set", "federation-upstream-pattern"];
    (upstreams.iter().filter(|key| get(key).is_some()).count() > 1).then(|| {
        "cannot specify federation-upstream, federation-upstream-set or federation-upstream-pattern together".into()
    })
}

fn delayed_retry_refusal<'a>(get: impl Fn(&str) -> Option<&'a Document>) -> Option<String> {
    let (min, max) = (get("delayed-retry-min"), get("delayed-retry-max"));
    match (min, max) {
        (Some(min), Some(max)) if max.as_u64() < min.as_u64() => {
            Some(format!("delayed-retry-max ({max}) must not be smaller than delayed-retry-min ({min})"))
        }
        (None, _) => match get("delayed-retry-type").and_then(Document::as_str) {
            None | Some("disabled") => None,
            Some(kind) => Some(format!("delayed-retry-min is required when delayed-retry-type is {kind}")),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(kind: PolicyKind, body: &Document) -> Result<Policy, String> {
        let fields = PolicyFields {
            pattern: &body["pattern"],
            definition: &body["definition"],
            priority: body.get("priority"),
            apply_to: body.get("apply-to"),
        };
        fields.check(kind, VhostName::new("/").unwrap(), "p").map_err(|error| error.to_string())
    }

    fn refused(kind: PolicyKind, body: &Document, expected: &str) {
        let refusal = fields(kind, body).unwrap_err();
        let lines = refusal.strip_prefix("Validation failed\n\n").unwrap_or_else(|| panic!("{refusal}"));
        assert_eq!(lines, expected, "{body}");
    }

    // Recorded from the reference.
    #[test]
    fn refusals_read_as_the_reference_writes_them() {
        let apply_to = "unrecognised; should be one of: 'queues', 'classic_queues',  'quorum_queues', 'streams', 'exchanges', or 'all'\n";
        let ok = json!({"max-length": 1});
        for (body, expected) in [
            (json!({"pattern": 5, "definition": ok}), "pattern should be a binary but was 5\n".to_owned()),
            (
                json!({"pattern": {"a": "b"}, "definition": ok}),
                "pattern should be a binary but was #{<<\"a\">> => <<\"b\">>}\n".into(),
            ),
            (
                json!({"pattern": "(", "definition": ok}),
                "pattern should be regular expression but is invalid: {\"missing )\",1}\n".into(),
            ),
            (json!({"pattern": "a".repeat(1025), "definition": ok}), "pattern must not exceed 1024 bytes\n".into()),
            (json!({"pattern": "x", "definition": {}}), "no policy provided\n".into()),
            (json!({"pattern": "x", "definition": []}), "no policy provided\n".into()),
            (
                json!({"pattern": "x", "definition": {"nosuch-key": 1}}),
                "[{<<\"nosuch-key\">>,1}] are not recognised policy settings\n".into(),
            ),
            (
                json!({"pattern": "x", "definition": {"max-length": -1, "bogus": 1}}),
                "-1 is not a valid maximum length\n".into(),
            ),
            (
                json!({"pattern": "x", "definition": {"message-ttl": -1, "max-length": -2}}),
                "-2 is not a valid maximum length\n".into(),
            ),
            (
                json!({"pattern": "x", "definition": {"max-length": 1, "nonsense": 2, "expires": 0}}),
                "0 is not a valid queue expiry\n".into(),
            ),
            (
                json!({"pattern": "x", "definition": ok, "apply-to": "nothing"}),
                format!("apply-to 'nothing' {apply_to}"),
            ),
            (json!({"pattern": "x", "definition": ok, "apply-to": null}), format!("apply-to 'null' {apply_to}")),
            (json!({"pattern": "x", "definition": ok, "apply-to": ""}), format!("apply-to '' {apply_to}")),
            (
                json!({"pattern": "x", "definition": ok, "priority": "1"}),
                "priority should be a number, actually was <<\"1\">>\n".into(),
            ),
            (
                json!({"pattern": "x", "definition": ok, "priority": null}),
                "priority should be a number, actually was null\n".into(),
            ),
            (
                json!({"pattern": "[", "definition": {"bogus": -1}, "priority": "high", "apply-to": "zz"}),
                format!(
                    "[{{<<\"bogus\">>,-1}}] are not recognised policy settings\napply-to 'zz' {apply_to}pattern should be regular expression but is invalid: {{\"missing terminating ] for character class\",1}}\npriority should be a number, actually was <<\"high\">>\n"
                ),
            ),
            (
                json!({"pattern": "x", "definition": {"delayed-retry-type": "all"}}),
                "delayed-retry-min is required when delayed-retry-type is all\n".into(),
            ),
            (
                json!({"pattern": "x", "definition": {"delayed-retry-min": 5, "delayed-retry-max": 4}}),
                "delayed-retry-max (4) must not be smaller than delayed-retry-min (5)\n".into(),
            ),
            (
                json!({"pattern": "x", "definition": {"federation-upstream": "a", "federation-upstream-set": "b"}}),
                "cannot specify federation-upstream, federation-upstream-set or federation-upstream-pattern together\n"
                    .into(),
            ),
        ] {
            refused(PolicyKind::User, &body, &expected);
        }
    }

    #[test]
    fn operators_may_set_fewer_keys() {
        for (definition, allowed) in [
            (json!({"message-ttl": 1}), true),
            (json!({"delivery-limit": 5}), true),
            (json!({"max-in-memory-length": 5}), true),
            (json!({"overflow": "reject-publish"}), true),
            (json!({"target-group-size": 3}), true),
            (json!({"delayed-retry-min": 1000}), true),
            (json!({"alternate-exchange": "a"}), false),
            (json!({"dead-letter-exchange": "d"}), false),
            (json!({"queue-mode": "lazy"}), false),
            (json!({"max-age": "1h"}), false),
            (json!({"consumer-timeout": 1}), false),
            (json!({"queue-leader-locator": "balanced"}), false),
        ] {
            let body = json!({"pattern": "x", "definition": definition});
            assert!(fields(PolicyKind::User, &body).is_ok(), "{body}");
            assert_eq!(fields(PolicyKind::Operator, &body).is_ok(), allowed, "{body}");
        }
        refused(
            PolicyKind::Operator,
            &json!({"pattern": "x", "definition": {"dead-letter-exchange": 5}}),
            "[{<<\"dead-letter-exchange\">>,5}] are not recognised policy settings\n",
        );
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let policy = fields(PolicyKind::User, &json!({"pattern": "", "definition": {"max-length": 1}})).unwrap();
        assert_eq!((policy.priority, policy.apply_to), (0, ApplyTo::All));
        for (priority, expected) in [(json!(-5), -5), (json!(1.5), 1), (json!(-1.5), -2), (json!(1e300), i64::MAX)] {
            let body = json!({"pattern": "", "definition": {"max-length": 1}, "priority": priority});
            assert_eq!(fields(PolicyKind::User, &body).unwrap().priority, expected);
        }
    }
}
