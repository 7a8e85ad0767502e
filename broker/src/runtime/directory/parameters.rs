//! Changes of runtime and global parameters. Two components are other names for things
//! that live elsewhere: `vhost-limits` for the limits of a vhost, and `operator_policy`.

use std::sync::Arc;

use super::{Change, Directory, Plan, policies, vhosts};
use crate::domain::component;
use crate::domain::limit::VHOST_LIMITS_NAME;
use crate::domain::name::VhostName;
use crate::domain::parameter::{
    Document, OPERATOR_POLICY, POLICY, Parameter, VHOST_LIMITS, as_term, check_nesting, validation_failed,
};
use crate::domain::policy::{PolicyFields, PolicyKind};
use crate::domain::vhost::VhostLimits;
use crate::error::Error;
use crate::facade::Put;

/// Creates or replaces a runtime parameter.
pub(crate) fn put(directory: &Directory, parameter: Parameter) -> Result<Plan<Put>, Error> {
    let vhost = vhosts::existing(directory, &parameter.vhost)?;
    check_nesting(&parameter.value)?;
    let Parameter { component, name, value, .. } = &parameter;
    match component.as_str() {
        POLICY => Err(Error::InvalidValue("policies may not be set using this method".into())),
        OPERATOR_POLICY => {
            let missing = Document::Null;
            let field = |key: &str| value.get(key).unwrap_or(&missing);
            let fields = PolicyFields {
                pattern: field("pattern"),
                definition: field("definition"),
                priority: value.get("priority"),
                apply_to: value.get("apply-to"),
            };
            let policy = fields.check(PolicyKind::Operator, parameter.vhost.clone(), name)?;
            policies::put(directory, PolicyKind::Operator, policy)
        }
        VHOST_LIMITS if name == VHOST_LIMITS_NAME => {
            let limits = VhostLimits::from_document(value)?;
            let outcome = if vhost.limits.is_empty() { Put::Created } else { Put::Existed };
            let Plan { changes, .. } = vhosts::set_limits(directory, &parameter.vhost, limits)?;
            Ok(Plan { changes, outcome })
        }
        VHOST_LIMITS => Err(validation_failed(&[format!("name not recognised: {}", as_term(&name.as_str().into()))])),
        _ => {
            component::check(component, name, value)?;
            let key = (component.clone(), parameter.vhost.clone(), name.clone());
            Ok(match directory.parameters.get(&key) {
                Some(existing) if **existing == parameter => Plan::nothing(Put::Existed),
                Some(_) => Plan::one(Change::PutParameter(Arc::new(parameter)), Put::Existed),
                None => Plan::one(Change::PutParameter(Arc::new(parameter)), Put::Created),
            })
        }
    }
}

/// Deletes a runtime parameter.
pub(crate) fn delete(directory: &Directory, vhost: &VhostName, component: &str, name: &str) -> Result<Plan<()>, Error> {
    let missing = || Error::NoSuchObject { kind: "parameter", name: name.to_owned() };
    match component {
        OPERATOR_POLICY => policies::delete(directory, PolicyKind::Operator, vhost, name).map_err(|_| missing()),
        VHOST_LIMITS if name == VHOST_LIMITS_NAME => match directory.vhosts.get(vhost) {
            Some(found) if !found.limits.is_empty() => vhosts::set_limits(directory, vhost, VhostLimits::default()),
            _ => Err(missing()),
        },
        _ => {
            let key = (component.to_owned(), vhost.clone(), name.to_owned());
            if !directory.parameters.contains_key(&key) {
                return Err(missing());
            }
            Ok(Plan::one(Change::DeleteParameter(key.0, key.1, key.2), ()))
        }
    }
}

/// Creates or replaces a global parameter.
pub(crate) fn put_global(directory: &Directory, name: String, value: Document) -> Result<Plan<Put>, Error> {
    check_nesting(&value)?;
    Ok(match directory.global_parameters.get(&name) {
        Some(existing) if *existing == value => Plan::nothing(Put::Existed),
        Some(_) => Plan::one(Change::PutGlobalParameter(name, value), Put::Existed),
        None => Plan::one(Change::PutGlobalParameter(name, value), Put::Created),
    })
}

/// Deletes a global parameter.
pub(crate) fn delete_global(directory: &Directory, name: &str) -> Result<Plan<()>, Error> {
    if !directory.global_parameters.contains_key(name) {
        return Err(Error::NoSuchObject { kind: "global parameter", name: name.to_owned() });
    }
    Ok(Plan::one(Change::DeleteGlobalParameter(name.to_owned()), ()))
}
