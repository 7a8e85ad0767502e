//! Changes of vhosts: what is checked, and what follows.

use std::sync::Arc;

use super::{Change, Directory, Plan, permissions};
use crate::domain::name::{UserName, VhostName};
use crate::domain::permission::Permissions;
use crate::domain::vhost::{Vhost, VhostLimits};
use crate::error::Error;
use crate::facade::{Put, PutVhost};

/// Creates or changes a vhost. The creator, if it is a user, gets full permissions on a new one.
pub(crate) fn put(directory: &Directory, put: PutVhost, creator: Option<&UserName>) -> Result<Plan<Put>, Error> {
    let existing = directory.vhosts.get(&put.name);
    let vhost = Vhost {
        name: put.name,
        description: put.description,
        tags: put.tags,
        default_queue_type: put.default_queue_type,
        protected_from_deletion: put
            .protected_from_deletion
            .or_else(|| existing.and_then(|vhost| vhost.protected_from_deletion)),
        tracing: put.tracing.unwrap_or_else(|| existing.is_some_and(|vhost| vhost.tracing)),
        limits: existing.map_or_else(VhostLimits::default, |vhost| vhost.limits),
    };
    if existing.is_some() {
        return Ok(change(existing, vhost, Put::Existed));
    }
    let name = vhost.name.clone();
    // Nothing an earlier vhost of this name left behind may come back to life.
    let mut changes = vec![Change::SweepTopology(name.clone()), Change::PutVhost(Arc::new(vhost))];
    if let Some(creator) = creator.filter(|creator| directory.users.contains_key(*creator)) {
        changes.push(Change::PutPermissions(Arc::new(Permissions {
            user: creator.clone(),
            vhost: name,
            configure: ".*".into(),
            write: ".*".into(),
            read: ".*".into(),
        })));
    }
    Ok(Plan { changes, outcome: Put::Created })
}

/// Sets all limits of a vhost.
pub(crate) fn set_limits(directory: &Directory, name: &VhostName, limits: VhostLimits) -> Result<Plan<()>, Error> {
    let vhost = existing(directory, name)?;
    Ok(change(Some(vhost), Vhost { limits, ..(**vhost).clone() }, ()))
}

/// Deletes a vhost with everything in it.
pub(crate) fn delete(directory: &Directory, name: &VhostName) -> Result<Plan<()>, Error> {
    if existing(directory, name)?.protected_from_deletion == Some(true) {
        return Err(Error::ProtectedVhost(name.clone()));
    }
    let mut changes = vec![Change::SweepTopology(name.clone())];
    for kind in super::policies::KINDS {
        let keys = directory.policies_of(kind).keys().filter(|key| key.0 == *name).cloned();
        changes.extend(keys.map(|(vhost, policy)| Change::DeletePolicy(kind, vhost, policy)));
    }
    let parameters = directory.parameters.keys().filter(|key| key.1 == *name).cloned();
    changes.extend(parameters.map(|(component, vhost, name)| Change::DeleteParameter(component, vhost, name)));
    changes.extend(permissions::all_in(directory, name));
    changes.push(Change::DeleteVhost(name.clone()));
    Ok(Plan { changes, outcome: () })
}

/// The vhost of that name.
pub(super) fn existing<'a>(directory: &'a Directory, name: &VhostName) -> Result<&'a Arc<Vhost>, Error> {
    directory.vhosts.get(name).ok_or_else(|| Error::NoSuchVhost(name.clone()))
}

fn change<T>(existing: Option<&Arc<Vhost>>, vhost: Vhost, outcome: T) -> Plan<T> {
    match existing {
        Some(existing) if **existing == vhost => Plan::nothing(outcome),
        _ => Plan::one(Change::PutVhost(Arc::new(vhost)), outcome),
    }
}
