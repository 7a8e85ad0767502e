//! Runtime parameters and global parameters.

use broker::domain::name::VhostName;
use broker::domain::parameter::Parameter;
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

/// Policies are parameters inside the reference, and may not be reached this way.
const POLICY: &str = "policy";

fn to_wire(parameter: &Parameter) -> wire::Parameter {
    wire::Parameter {
        value: parameter.value.clone(),
        vhost: parameter.vhost.to_string(),
        component: parameter.component.clone(),
        name: parameter.name.clone(),
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
            let limits = vhost_limits_to_wire(vhost.limits);
            if !limits.is_empty() {
                found.push(wire::Parameter {
                    value: to_value(&limits)?,
                    vhost: vhost.name.to_string(),
                    component: LIMITS.0.to_owned(),
                    name: LIMITS.1.to_owned(),
                });
            }
        }
    }
    if wanted(OPERATOR_POLICY) {
        for policy in directory.operator_policies.values().filter(|policy| visible.contains(&policy.vhost)) {
            found.push(wire::Parameter {
                value: json!({
                    "pattern": policy.pattern,
                    "definition": policy.definition.iter().cloned().collect::<Map<_, _>>(),
                    "priority": policy.priority,
                    "apply-to": policy.apply_to.as_str(),
                }),
                vhost: policy.vhost.to_string(),
                component: OPERATOR_POLICY.to_owned(),
                name: policy.name.clone(),
            });
        }
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

/// The parameter the path names.
fn find(call: &Call) -> Result<std::sync::Arc<Parameter>, ApiError> {
    let key = (call.parameter("component").to_owned(), call.vhost_name(), call.parameter("name").to_owned());
    call.directory()?.parameters.get(&key).cloned().ok_or_else(ApiError::no_object)
}

async fn get_parameter(call: Call) -> Answer {
    call.object(&to_wire(&*find(&call)?))
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
    let parameter = find(&call)?;
    call.broker()?.delete_parameter(&parameter.vhost, &parameter.component, &parameter.name).await?;
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
