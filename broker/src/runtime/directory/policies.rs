//! Changes of policies and operator policies: what is checked.

use std::sync::Arc;

use super::{Change, Directory, Plan, vhosts};
use crate::domain::name::VhostName;
use crate::domain::policy::{Policy, PolicyKind};
use crate::error::Error;
use crate::facade::Put;

/// Both kinds.
pub(super) const KINDS: [PolicyKind; 2] = [PolicyKind::User, PolicyKind::Operator];

/// Creates or replaces a policy.
pub(crate) fn put(directory: &Directory, kind: PolicyKind, policy: Policy) -> Result<Plan<Put>, Error> {
    vhosts::existing(directory, &policy.vhost)?;
    policy.check(kind)?;
    let existing = directory.policies_of(kind).get(&(policy.vhost.clone(), policy.name.clone()));
    Ok(match existing {
        Some(existing) if **existing == policy => Plan::nothing(Put::Existed),
        Some(_) => Plan::one(Change::PutPolicy(kind, Arc::new(policy)), Put::Existed),
        None => Plan::one(Change::PutPolicy(kind, Arc::new(policy)), Put::Created),
    })
}

/// Deletes a policy.
pub(crate) fn delete(
    directory: &Directory,
    kind: PolicyKind,
    vhost: &VhostName,
    name: &str,
) -> Result<Plan<()>, Error> {
    if !directory.policies_of(kind).contains_key(&(vhost.clone(), name.to_owned())) {
        let kind = match kind {
            PolicyKind::User => "policy",
            PolicyKind::Operator => "operator policy",
        };
        return Err(Error::NoSuchObject { kind, name: name.to_owned() });
    }
    Ok(Plan::one(Change::DeletePolicy(kind, vhost.clone(), name.to_owned()), ()))
}
