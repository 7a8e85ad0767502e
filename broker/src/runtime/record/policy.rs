//! The stored forms of policies: `policy/<vhost>/<name>` and `operator-policy/<vhost>/<name>`.

use serde::{Deserialize, Serialize};

use super::key::{self, kind};
use super::{damaged, erase, read, write};
use crate::domain::name::VhostName;
use crate::domain::parameter::Document;
use crate::domain::policy::{ApplyTo, Policy, PolicyKind};
use crate::error::Error;
use crate::storage::{Entry, StorageError, Write};

#[derive(Serialize, Deserialize)]
struct Body {
    pattern: String,
    apply_to: String,
    priority: i64,
    definition: Vec<(String, Document)>,
}

/// What the keys of all policies of this kind start with.
pub(crate) fn prefix(policy_kind: PolicyKind) -> String {
    key::prefix(record_kind(policy_kind), [])
}

/// Stores a policy.
///
/// # Errors
/// `Internal` only.
pub(crate) fn put(policy_kind: PolicyKind, policy: &Policy) -> Result<Write, Error> {
    let body = Body {
        pattern: policy.pattern.clone(),
        apply_to: policy.apply_to.as_str().to_owned(),
        priority: policy.priority,
        definition: policy.definition.clone(),
    };
    write(policy_key(policy_kind, &policy.vhost, &policy.name), &body)
}

/// Forgets a policy.
pub(crate) fn delete(policy_kind: PolicyKind, vhost: &VhostName, name: &str) -> Write {
    erase(policy_key(policy_kind, vhost, name))
}

/// The policy an entry holds.
///
/// # Errors
/// [`StorageError::Damaged`] naming the key.
pub(crate) fn decode(policy_kind: PolicyKind, entry: &Entry) -> Result<Policy, StorageError> {
    let [vhost, name] =
        key::parts(&entry.key, record_kind(policy_kind)).ok_or_else(|| damaged(entry, "not the key of a policy"))?;
    let body: Body = read(entry)?;
    Ok(Policy {
        vhost: VhostName::new(vhost).map_err(|error| damaged(entry, error))?,
        name,
        pattern: body.pattern,
        apply_to: ApplyTo::from_wire(&body.apply_to)
            .ok_or_else(|| damaged(entry, format_args!("unknown apply-to '{}'", body.apply_to)))?,
        priority: body.priority,
        definition: body.definition,
    })
}

fn record_kind(kind: PolicyKind) -> &'static str {
    match kind {
        PolicyKind::User => kind::POLICY,
        PolicyKind::Operator => kind::OPERATOR_POLICY,
    }
}

fn policy_key(policy_kind: PolicyKind, vhost: &VhostName, name: &str) -> String {
    key::key(record_kind(policy_kind), [vhost.as_str(), name])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::stored;
    use super::*;

    #[test]
    fn a_policy_comes_back_as_it_was() {
        let policy = Policy {
            vhost: VhostName::new("/").unwrap(),
            name: "a/b 水".into(),
            pattern: "^(?!x)".into(),
            apply_to: ApplyTo::QuorumQueues,
            priority: -7,
            definition: vec![("overflow".into(), json!("drop-head")), ("expires".into(), json!(1.5))],
        };
        for kind in [PolicyKind::User, PolicyKind::Operator] {
            let entry = stored(put(kind, &policy).unwrap());
            assert!(entry.key.starts_with(&prefix(kind)));
            assert_eq!(delete(kind, &policy.vhost, &policy.name).key, entry.key);
            assert_eq!(decode(kind, &entry), Ok(policy.clone()));
        }
        let entry = stored(put(PolicyKind::User, &policy).unwrap());
        assert!(decode(PolicyKind::Operator, &entry).is_err(), "the two kinds have keys of their own");
    }
}
