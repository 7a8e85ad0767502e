//! What comes of a user policy, an operator policy and an argument: one value per key,
//! and where it came from.

use std::collections::BTreeMap;
use std::fmt;

use super::Policy;
use super::settings::{Combine, setting};
use crate::domain::parameter::Document;
use crate::domain::queue::QueueKind;
use crate::domain::value::FieldValue;

/// Where an effective value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The user policy of that name.
    Policy(String),
    /// The operator policy of that name.
    OperatorPolicy(String),
    /// An argument of the declaration.
    Argument,
}

/// An effective value.
#[derive(Debug, Clone, PartialEq)]
pub struct Effective {
    /// The value.
    pub value: Document,
    /// Where it came from.
    pub origin: Origin,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(name) => write!(f, "policy '{name}'"),
            Self::OperatorPolicy(name) => write!(f, "operator policy '{name}'"),
            Self::Argument => f.write_str("an argument"),
        }
    }
}

/// What two policies set together, by key.
#[must_use]
pub fn effective(user: Option<&Policy>, operator: Option<&Policy>) -> BTreeMap<String, Effective> {
    let mut settings = BTreeMap::new();
    if let Some(policy) = user {
        for (key, value) in &policy.definition {
            let origin = Origin::Policy(policy.name.clone());
            settings.insert(key.clone(), Effective { value: value.clone(), origin });
        }
    }
    if let Some(policy) = operator {
        for (key, value) in &policy.definition {
            let operators = Effective { value: value.clone(), origin: Origin::OperatorPolicy(policy.name.clone()) };
            let combine = setting(key).map_or(Combine::Operator, |setting| setting.combine);
            match settings.get(key) {
                Some(users) if !prefers(combine, &operators.value, &users.value) => {}
                _ => {
                    settings.insert(key.clone(), operators);
                }
            }
        }
    }
    settings
}

/// Whether the operator's value takes the place of the user's.
fn prefers(combine: Combine, operators: &Document, users: &Document) -> bool {
    let number = |document: &Document| document.as_f64().unwrap_or(f64::MAX);
    let (operators, users) = (number(operators), number(users));
    match combine {
        Combine::Operator => true,
        Combine::Smaller => operators < users,
        Combine::Larger => operators > users,
        Combine::SmallerLimit if operators < 0.0 || users < 0.0 => operators > users,
        Combine::SmallerLimit => operators < users,
    }
}

/// The value of one key for a queue that also has an argument for it.
///
/// Of two numbers the smaller counts, for `delivery-limit` unless one means "no limit". Of two texts the
/// argument counts, except for a stream, and except for `overflow` and
/// `delayed-retry-type` of a quorum queue.
#[must_use]
pub fn with_argument(
    kind: QueueKind,
    key: &str,
    policy: Option<&Effective>,
    argument: Option<&FieldValue>,
) -> Option<Effective> {
    let argument = argument.and_then(as_document).map(|value| Effective { value, origin: Origin::Argument });
    match (policy, argument) {
        (None, None) => None,
        (Some(policy), None) => Some(policy.clone()),
        (None, Some(argument)) => Some(argument),
        (Some(policy), Some(argument)) => {
            let policy_counts = match (policy.value.as_f64(), argument.value.as_f64()) {
                _ if kind == QueueKind::Stream => true,
                (Some(_), Some(_)) => {
                    let limit = setting(key).is_some_and(|setting| setting.combine == Combine::SmallerLimit);
                    let combine = if limit { Combine::SmallerLimit } else { Combine::Smaller };
                    prefers(combine, &policy.value, &argument.value)
                }
                _ => kind == QueueKind::Quorum && matches!(key, "overflow" | "delayed-retry-type"),
            };
            Some(if policy_counts { policy.clone() } else { argument })
        }
    }
}

fn as_document(argument: &FieldValue) -> Option<Document> {
    Some(match argument {
        FieldValue::Boolean(value) => Document::from(*value),
        FieldValue::F32(value) => Document::from(*value),
        FieldValue::F64(value) => Document::from(*value),
        other => match other.as_i64() {
            Some(number) => Document::from(number),
            None => Document::from(other.as_text()?),
        },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::name::VhostName;
    use crate::domain::policy::ApplyTo;

    fn policy(name: &str, definition: &Document) -> Policy {
        Policy {
            vhost: VhostName::new("/").unwrap(),
            name: name.into(),
            pattern: String::new(),
            apply_to: ApplyTo::All,
            priority: 0,
            definition: definition.as_object().unwrap().iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        }
    }

    // Recorded from the reference.
    #[test]
    fn operator_and_user_values_become_one() {
        for (key, user, operator, expected) in [
            ("expires", json!(10), json!(20), json!(10)),
            ("expires", json!(20), json!(10), json!(10)),
            ("message-ttl", json!(5), json!(6), json!(5)),
            ("message-ttl", json!(6), json!(5), json!(5)),
            ("max-length", json!(6), json!(5), json!(5)),
            ("max-length-bytes", json!(5), json!(6), json!(5)),
            ("max-in-memory-length", json!(6), json!(5), json!(5)),
            ("delivery-limit", json!(5), json!(6), json!(5)),
            ("delivery-limit", json!(6), json!(5), json!(5)),
            ("delivery-limit", json!(-1), json!(6), json!(6)),
            ("delivery-limit", json!(6), json!(-1), json!(6)),
            ("queue-version", json!(1), json!(2), json!(2)),
            ("queue-version", json!(2), json!(1), json!(1)),
            ("overflow", json!("drop-head"), json!("reject-publish"), json!("reject-publish")),
            ("target-group-size", json!(1), json!(2), json!(2)),
            ("target-group-size", json!(2), json!(1), json!(2)),
            ("delayed-retry-type", json!("all"), json!("disabled"), json!("disabled")),
            ("delayed-retry-min", json!(5), json!(6), json!(6)),
            ("delayed-retry-min", json!(6), json!(5), json!(6)),
            ("delayed-retry-max", json!(50), json!(60), json!(50)),
            ("delayed-retry-max", json!(60), json!(50), json!(50)),
        ] {
            let merged =
                effective(Some(&policy("u", &json!({key: user}))), Some(&policy("o", &json!({key: operator}))));
            assert_eq!(merged[key].value, expected, "{key} {user} {operator}");
            let origin = if expected == user { Origin::Policy("u".into()) } else { Origin::OperatorPolicy("o".into()) };
            assert_eq!(merged[key].origin, origin, "{key} {user} {operator}");
        }
    }

    #[test]
    fn keys_of_either_policy_alone_stand() {
        let (user, operator) = (policy("u", &json!({"max-length": 1})), policy("o", &json!({"expires": 2})));
        let merged = effective(Some(&user), Some(&operator));
        assert_eq!(merged.keys().collect::<Vec<_>>(), ["expires", "max-length"]);
        assert_eq!(merged["expires"].origin.to_string(), "operator policy 'o'");
        assert!(effective(None, None).is_empty());
    }

    #[test]
    fn a_policy_and_an_argument_become_one() {
        use QueueKind::{Classic, Quorum, Stream};
        for (kind, key, policy, argument, expected) in [
            (Classic, "max-length", json!(5), FieldValue::I32(6), json!(5)),
            (Classic, "max-length", json!(6), FieldValue::I64(5), json!(5)),
            (Quorum, "delivery-limit", json!(-1), FieldValue::I32(5), json!(5)),
            (Quorum, "delivery-limit", json!(7), FieldValue::I32(-1), json!(7)),
            (Classic, "overflow", json!("drop-head"), FieldValue::text("reject-publish"), json!("reject-publish")),
            (Classic, "dead-letter-exchange", json!("p"), FieldValue::text("a"), json!("a")),
            (Quorum, "overflow", json!("drop-head"), FieldValue::text("reject-publish"), json!("drop-head")),
            (Quorum, "delayed-retry-type", json!("all"), FieldValue::text("failed"), json!("all")),
            (
                Quorum,
                "dead-letter-strategy",
                json!("at-most-once"),
                FieldValue::text("at-least-once"),
                json!("at-least-once"),
            ),
            (Stream, "max-length-bytes", json!(9), FieldValue::I32(5), json!(9)),
            (Stream, "max-age", json!("1h"), FieldValue::text("1D"), json!("1h")),
        ] {
            let policy = Effective { value: policy, origin: Origin::Policy("p".into()) };
            let merged = with_argument(kind, key, Some(&policy), Some(&argument)).unwrap();
            assert_eq!(merged.value, expected, "{kind} {key}");
            assert_eq!(merged.origin == Origin::Argument, merged.value != policy.value, "{kind} {key}");
            assert_eq!(with_argument(kind, key, Some(&policy), None), Some(policy));
            assert_eq!(with_argument(kind, key, None, Some(&argument)).unwrap().origin, Origin::Argument);
        }
        assert_eq!(with_argument(Classic, "max-length", None, None), None);
    }
}
