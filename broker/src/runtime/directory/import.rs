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
use crate::error::{DefinitionPlace, Error};
use crate::facade::{Definitions, ImportReport, Put, PutVhost};

/// The list of operator policies, which stand among the parameters of a document.
pub const OPERATOR_POLICIES: &str = "operator_policies";
/// The list of the other parameters.
pub const PARAMETERS: &str = "parameters";

/// A list, and a place in it.
type Place = (&'static str, usize);

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
    for (index, user) in definitions.users.iter().enumerate() {
        let place = ("users", index);
        let object = format!("user: \"{}\"", user.name);
        import.step(|directory| users::put(directory, user_change(user)), &object, place)?;
    }
    for (index, vhost) in definitions.vhosts.iter().enumerate() {
        let place = ("vhosts", index);
        let object = format!("vhost: \"{}\"", vhost.name);
        import.step(|directory| vhosts::put(directory, put_vhost(vhost), creator), &object, place)?;
        if !vhost.limits.is_empty() {
            import.amend(|directory| vhosts::set_limits(directory, &vhost.name, vhost.limits), &object, place)?;
        }
    }
    for (index, row) in definitions.permissions.iter().enumerate() {
        let place = ("permissions", index);
        let object = format!("permissions of user: \"{}\" vhost: \"{}\"", row.user, row.vhost);
        import.step(|directory| permissions::set(directory, (**row).clone()), &object, place)?;
    }
    for (index, row) in definitions.topic_permissions.iter().enumerate() {
        let place = ("topic_permissions", index);
        let object = format!(
            "topic permissions of user: \"{}\" vhost: \"{}\" exchange: \"{}\"",
            row.user, row.vhost, row.exchange
        );
        import.step(|directory| permissions::set_topic(directory, (**row).clone()), &object, place)?;
    }
    for (index, (name, value)) in definitions.global_parameters.iter().enumerate() {
        let place = ("global_parameters", index);
        let object = format!("global parameter: \"{name}\"");
        import.step(|directory| parameters::put_global(directory, name.clone(), value.clone()), &object, place)?;
    }
    for (kind, section, list) in [
        (PolicyKind::User, "policies", &definitions.policies),
        (PolicyKind::Operator, OPERATOR_POLICIES, &definitions.operator_policies),
    ] {
        for (index, policy) in list.iter().enumerate() {
            let place = (section, index);
            let object = format!("vhost: \"{}\" key: \"{}\"", policy.vhost, policy.name);
            import.step(|directory| policies::put(directory, kind, (**policy).clone()), &object, place)?;
        }
    }
    for (index, parameter) in definitions.parameters.iter().enumerate() {
        let place = (PARAMETERS, index);
        let object = format!(
            "vhost: \"{}\" / component: \"{}\" / key: \"{}\"",
            parameter.vhost, parameter.component, parameter.name
        );
        import.step(|directory| parameters::put(directory, (**parameter).clone()), &object, place)?;
    }
    Ok(import.plan)
}

/// An object of a vhost that neither is there nor comes with the import is refused before
/// anything else is looked at.
fn check_orphans(directory: &Directory, definitions: &Definitions) -> Result<(), Error> {
    let new: BTreeSet<_> = definitions.vhosts.iter().map(|vhost| &vhost.name).collect();
    let known = |vhost: &VhostName| directory.vhosts.contains_key(vhost) || new.contains(vhost);
    let lists: [(&'static str, Vec<&VhostName>); 8] = [
        ("permissions", definitions.permissions.iter().map(|row| &row.vhost).collect()),
        ("topic_permissions", definitions.topic_permissions.iter().map(|row| &row.vhost).collect()),
        (PARAMETERS, definitions.parameters.iter().map(|parameter| &parameter.vhost).collect()),
        ("policies", definitions.policies.iter().map(|policy| &policy.vhost).collect()),
        (OPERATOR_POLICIES, definitions.operator_policies.iter().map(|policy| &policy.vhost).collect()),
        ("exchanges", definitions.exchanges.iter().map(|(vhost, _)| vhost).collect()),
        ("queues", definitions.queues.iter().map(|(vhost, _)| vhost).collect()),
        ("bindings", definitions.bindings.iter().map(|(vhost, _)| vhost).collect()),
    ];
    let named = lists
        .iter()
        .flat_map(|(section, vhosts)| vhosts.iter().zip(0..).map(|(vhost, index)| (*vhost, (*section, index))));
    // The same one whatever the order of the file; thousands of objects name few vhosts.
    let mut checked: Option<&VhostName> = None;
    let orphans = named.filter(|(vhost, _)| {
        let is_orphan = checked != Some(*vhost) && !known(vhost);
        if !is_orphan {
            checked = Some(*vhost);
        }
        is_orphan
    });
    match orphans.min_by_key(|(vhost, _)| *vhost) {
        None => Ok(()),
        Some((vhost, (section, index))) => {
            let place = DefinitionPlace { field: Some("vhost".to_owned()), ..DefinitionPlace::object(section, index) };
            let text = format!("Please create virtual host \"{vhost}\" prior to importing definitions.");
            Err(Error::InDefinitions { object: String::new(), place, error: Box::new(Error::InvalidValue(text)) })
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
        place: Place,
    ) -> Result<(), Error> {
        let planned = plan(&self.directory).map_err(|error| in_object(object, place, error))?;
        self.plan.outcome.count(place.0, planned.outcome, !planned.changes.is_empty());
        self.add(planned);
        Ok(())
    }

    /// Adds what belongs to an object that was counted already.
    fn amend(
        &mut self,
        plan: impl FnOnce(&Directory) -> Result<Plan<()>, Error>,
        object: &dyn fmt::Display,
        place: Place,
    ) -> Result<(), Error> {
        let planned = plan(&self.directory).map_err(|error| in_object(object, place, error))?;
        self.add(planned);
        Ok(())
    }

    fn add<T>(&mut self, planned: Plan<T>) {
        // The policies' order is not asked while planning.
        self.directory.apply_rows(&planned.changes);
        self.plan.changes.extend(planned.changes);
    }
}

fn in_object(object: &dyn fmt::Display, (section, index): Place, error: Error) -> Error {
    let place = DefinitionPlace::object(section, index);
    Error::InDefinitions { object: object.to_string(), place, error: Box::new(error) }
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
