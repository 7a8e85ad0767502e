//! Runtime parameters and global parameters.

use broker::domain::name::VhostName;
use broker::domain::parameter::Parameter;
use broker::domain::policy::Policy;
use broker::domain::vhost::{Vhost, VhostLimits};
use openapi::parameters as wire;
use serde_json::{Map, Value, json};

use crate::call::{Call, to_value};
use crate::error::ApiError;
use crate::limits::vhost_limits_to_wire;
use crate::page::Listing;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::PARAMETERS).get(list_parameters);
    on.at(&wire::OF_COMPONENT).get(list_of_component);
    on.at(&wire::OF_VHOST).get(list_of_vhost);
    on.at(&wire::PARAMETER).get(get_parameter).put(put_parameter).delete(delete_parameter);
    on.at(&wire::GLOBAL_PARAMETERS).get(list_global_parameters);
    on.at(&wire::GLOBAL_PARAMETER).get(get_global_parameter).put(put_global_parameter).delete(delete_global_parameter);
}

/// Limits of vhosts show up among the parameters, under this component and name.
const LIMITS: (&str, &str) = ("vhost-limits", "limits");

/// Operator policies show up too, under this component.
const OPERATOR_POLICY: &str = "operator_policy";

/// Policies are shown to who asks for this component, and may not be changed this way.
const POLICY: &str = "policy";

fn to_wire(parameter: &Parameter) -> wire::Parameter {
    wire::Parameter {
        value: parameter.value.clone(),
        vhost: parameter.vhost.to_string(),
        component: parameter.component.clone(),
        name: parameter.name.clone(),
    }
}

/// The limits of a vhost as a parameter, when it has any.
fn limits_shown(vhost: &Vhost) -> Result<Option<wire::Parameter>, ApiError> {
    let limits = vhost_limits_to_wire(vhost.limits);
    if limits.is_empty() {
        return Ok(None);
    }
    Ok(Some(wire::Parameter {
        value: to_value(&limits)?,
        vhost: vhost.name.to_string(),
        component: LIMITS.0.to_owned(),
        name: LIMITS.1.to_owned(),
    }))
}

/// A policy as a parameter.
fn policy_shown(component: &str, policy: &Policy) -> wire::Parameter {
    wire::Parameter {
        value: json!({
            "pattern": policy.pattern,
            "definition": policy.definition.iter().cloned().collect::<Map<_, _>>(),
            "priority": policy.priority,
            "apply-to": policy.apply_to.as_str(),
        }),
        vhost: policy.vhost.to_string(),
        component: component.to_owned(),
        name: policy.name.clone(),
    }
}

fn list(call: &Call, component: Option<&str>, vhost: Option<&VhostName>) -> Answer {
    let directory = call.directory()?;
    let visible = match vhost {
        Some(vhost) => vec![vhost.clone()],
        None => call.visible_vhosts()?,
    };
    let wanted = |own: &str| component.is_none_or(|component| component == own);
    let mut found: Vec<wire::Parameter> = directory
        .parameters
        .values()
        .filter(|parameter| wanted(&parameter.component) && visible.contains(&parameter.vhost))
        .map(|parameter| to_wire(parameter))
        .collect();
    if wanted(LIMITS.0) {
        for vhost in directory.vhosts.values().filter(|vhost| visible.contains(&vhost.name)) {
            found.extend(limits_shown(vhost)?);
        }
    }
    let policies = [
        (OPERATOR_POLICY, wanted(OPERATOR_POLICY), &directory.operator_policies),
        (POLICY, component == Some(POLICY), &directory.policies),
    ];
    for (component, _, policies) in policies.into_iter().filter(|(_, wanted, _)| *wanted) {
        let policies = policies.values().filter(|policy| visible.contains(&policy.vhost));
        found.extend(policies.map(|policy| policy_shown(component, policy)));
    }
    found.sort_by(|left, right| (&left.vhost, &left.name).cmp(&(&right.vhost, &right.name)));
    call.list(found, Listing::Plain)
}

async fn list_parameters(call: Call) -> Answer {
    list(&call, None, None)
}

async fn list_of_component(call: Call) -> Answer {
    list(&call, Some(call.parameter("component")), None)
}

async fn list_of_vhost(call: Call) -> Answer {
    let vhost = call.vhost()?;
    list(&call, Some(call.parameter("component")), Some(&vhost.name))
}

/// The parameter the path names, whatever it is kept as.
fn find(call: &Call) -> Result<wire::Parameter, ApiError> {
    let directory = call.directory()?;
    let (component, vhost, name) = (call.parameter("component"), call.vhost_name(), call.parameter("name").to_owned());
    let found = match component {
        _ if (component, name.as_str()) == LIMITS => {
            directory.vhosts.get(&vhost).map(|vhost| limits_shown(vhost)).transpose()?.flatten()
        }
        OPERATOR_POLICY => {
            directory.operator_policies.get(&(vhost, name)).map(|policy| policy_shown(component, policy))
        }
        POLICY => directory.policies.get(&(vhost, name)).map(|policy| policy_shown(component, policy)),
        _ => directory.parameters.get(&(component.to_owned(), vhost, name)).map(|parameter| to_wire(parameter)),
    };
    found.ok_or_else(ApiError::no_object)
}

async fn get_parameter(call: Call) -> Answer {
    call.object(&find(&call)?)
}

/// The required `value` of a body.
fn value(call: &Call) -> Result<Value, ApiError> {
    let fields = call.fields()?;
    fields.require(&["value"])?;
    Ok(fields.get("value").cloned().unwrap_or(Value::Null))
}

async fn put_parameter(call: Call) -> Answer {
    let component = call.parameter("component").to_owned();
    let vhost = call.vhost_name();
    if !call.directory()?.vhosts.contains_key(&vhost) {
        return Err(ApiError::not_found("vhost_not_found"));
    }
    let value = value(&call)?;
    if component == POLICY {
        return Err(ApiError::bad_request("policies may not be set using this method"));
    }
    let parameter = Parameter { vhost, component, name: call.parameter("name").to_owned(), value };
    Ok(call.broker()?.put_parameter(parameter).await?.into())
}

async fn delete_parameter(call: Call) -> Answer {
    find(&call)?;
    let (component, vhost, name) = (call.parameter("component"), call.vhost_name(), call.parameter("name"));
    let broker = call.broker()?;
    match component {
        _ if (component, name) == LIMITS => broker.set_vhost_limits(&vhost, VhostLimits::default()).await?,
        OPERATOR_POLICY => broker.delete_policy(&vhost, name, true).await?,
        POLICY => return Err(ApiError::bad_request("policies may not be cleared using this method")),
        _ => broker.delete_parameter(&vhost, component, name).await?,
    }
    Ok(Reply::no_content())
}

async fn list_global_parameters(call: Call) -> Answer {
    let directory = call.directory()?;
    let parameters = directory.global_parameters.iter();
    call.list(
        parameters.map(|(name, value)| wire::GlobalParameter { name: name.clone(), value: value.clone() }),
        Listing::Plain,
    )
}

async fn get_global_parameter(call: Call) -> Answer {
    let name = call.parameter("name").to_owned();
    let directory = call.directory()?;
    let value = directory.global_parameters.get(&name).cloned().ok_or_else(ApiError::no_object)?;
    call.object(&wire::GlobalParameter { name, value })
}

async fn put_global_parameter(call: Call) -> Answer {
    let value = value(&call)?;
    Ok(call.broker()?.put_global_parameter(call.parameter("name"), value).await?.into())
}

async fn delete_global_parameter(call: Call) -> Answer {
    let name = call.parameter("name");
    if !call.directory()?.global_parameters.contains_key(name) {
        return Err(ApiError::no_object());
    }
    call.broker()?.delete_global_parameter(name).await?;
    Ok(Reply::no_content())
}
