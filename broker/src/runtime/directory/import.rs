//! Definitions as one plan: users, vhosts and everything else outside topology, checked
//! as a whole against the picture as it will be, then applied as one batch.

use std::collections::BTreeSet;
use std::fmt;

use super::users::{NewPassword, UserChange};
use super::{Directory, Plan, parameters, permissions, policies, users, vhosts};
use crate::domain::name::{UserName, VhostName};
use crate::domain::policy::PolicyKind;
use crate::domain::user::User;
use crate::domain::vhost::Vhost;
use crate::error::Error;
use crate::facade::{Definitions, ImportReport, Put, PutVhost};

/// Plans an import. New vhosts give `creator` full permissions. Nothing is ever deleted.
///
/// # Errors
/// The first object that breaks a rule, named.
pub(crate) fn plan(
    directory: &Directory,
    definitions: &Definitions,
    creator: Option<&UserName>,
) -> Result<Plan<ImportReport>, Error> {
    check_orphans(directory, definitions)?;
    let mut import = Import { directory: directory.clone(), plan: Plan::nothing(ImportReport::default()) };
    for user in &definitions.users {
        let object = format!("user: \"{}\"", user.name);
        import.step(|directory| users::put(directory, user_change(user)), &object)?;
    }
    for vhost in &definitions.vhosts {
        let object = format!("vhost: \"{}\"", vhost.name);
        import.step(|directory| vhosts::put(directory, put_vhost(vhost), creator), &object)?;
        if !vhost.limits.is_empty() {
            import.amend(|directory| vhosts::set_limits(directory, &vhost.name, vhost.limits), &object)?;
        }
    }
    for row in &definitions.permissions {
        let object = format!("permissions of user: \"{}\" vhost: \"{}\"", row.user, row.vhost);
        import.step(|directory| permissions::set(directory, (**row).clone()), &object)?;
    }
    for row in &definitions.topic_permissions {
        let object = format!(
            "topic permissions of user: \"{}\" vhost: \"{}\" exchange: \"{}\"",
            row.user, row.vhost, row.exchange
        );
        import.step(|directory| permissions::set_topic(directory, (**row).clone()), &object)?;
    }
    for (name, value) in &definitions.global_parameters {
        let object = format!("global parameter: \"{name}\"");
        import.step(|directory| parameters::put_global(directory, name.clone(), value.clone()), &object)?;
    }
    for (kind, list) in
        [(PolicyKind::User, &definitions.policies), (PolicyKind::Operator, &definitions.operator_policies)]
    {
        for policy in list {
            let object = format!("vhost: \"{}\" key: \"{}\"", policy.vhost, policy.name);
            import.step(|directory| policies::put(directory, kind, (**policy).clone()), &object)?;
        }
    }
    for parameter in &definitions.parameters {
        let object = format!(
            "vhost: \"{}\" / component: \"{}\" / key: \"{}\"",
            parameter.vhost, parameter.component, parameter.name
        );
        import.step(|directory| parameters::put(directory, (**parameter).clone()), &object)?;
    }
    Ok(import.plan)
}

/// An object of a vhost that neither is there nor comes with the import is refused before
/// anything else is looked at.
fn check_orphans(directory: &Directory, definitions: &Definitions) -> Result<(), Error> {
    let new: BTreeSet<_> = definitions.vhosts.iter().map(|vhost| &vhost.name).collect();
    let known = |vhost: &VhostName| directory.vhosts.contains_key(vhost) || new.contains(vhost);
    let mut named: Vec<&VhostName> = Vec::new();
    named.extend(definitions.permissions.iter().map(|row| &row.vhost));
    named.extend(definitions.topic_permissions.iter().map(|row| &row.vhost));
    named.extend(definitions.parameters.iter().map(|parameter| &parameter.vhost));
    named.extend(definitions.policies.iter().chain(&definitions.operator_policies).map(|policy| &policy.vhost));
    named.extend(definitions.exchanges.iter().map(|(vhost, _)| vhost));
    named.extend(definitions.queues.iter().map(|(vhost, _)| vhost));
    named.extend(definitions.bindings.iter().map(|(vhost, _)| vhost));
    named.sort_unstable();
    named.dedup();
    match named.into_iter().find(|vhost| !known(vhost)) {
        None => Ok(()),
        Some(vhost) => {
            Err(Error::InvalidValue(format!("Please create virtual host \"{vhost}\" prior to importing definitions.")))
        }
    }
}

/// The plan so far, and the picture it leads to.
struct Import {
    directory: Directory,
    plan: Plan<ImportReport>,
}

impl Import {
    /// Adds what one object of the import asks for, and counts it.
    fn step(
        &mut self,
        plan: impl FnOnce(&Directory) -> Result<Plan<Put>, Error>,
        object: &dyn fmt::Display,
    ) -> Result<(), Error> {
        let report = &mut self.plan.outcome;
        let planned = plan(&self.directory).map_err(|error| in_object(object, error))?;
        match planned.outcome {
            Put::Created => report.created += 1,
            Put::Existed if planned.changes.is_empty() => report.unchanged += 1,
            Put::Existed => report.updated += 1,
        }
        self.add(planned);
        Ok(())
    }

    /// Adds what belongs to an object that was counted already.
    fn amend(
        &mut self,
        plan: impl FnOnce(&Directory) -> Result<Plan<()>, Error>,
        object: &dyn fmt::Display,
    ) -> Result<(), Error> {
        let planned = plan(&self.directory).map_err(|error| in_object(object, error))?;
        self.add(planned);
        Ok(())
    }

    fn add<T>(&mut self, planned: Plan<T>) {
        // The policies' order is not asked while planning.
        self.directory.apply_rows(&planned.changes);
        self.plan.changes.extend(planned.changes);
    }
}

fn in_object(object: &dyn fmt::Display, error: Error) -> Error {
    Error::InDefinitions { object: object.to_string(), error: Box::new(error) }
}

fn user_change(user: &User) -> UserChange {
    UserChange {
        name: user.name.clone(),
        password: user.password.clone().map_or(NewPassword::Clear, NewPassword::Set),
        tags: user.tags.clone(),
        limits: Some(user.limits),
    }
}

fn put_vhost(vhost: &Vhost) -> PutVhost {
    PutVhost {
        name: vhost.name.clone(),
        description: vhost.description.clone(),
        tags: vhost.tags.clone(),
        default_queue_type: vhost.default_queue_type,
        protected_from_deletion: vhost.protected_from_deletion,
        tracing: None,
    }
}
