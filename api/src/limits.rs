//! Limits of virtual hosts and of users.

use std::collections::BTreeMap;

use broker::domain::parameter::as_term;
use broker::domain::user::User;
use broker::domain::vhost::{Vhost, VhostLimits};
use openapi::limits as wire;
use serde_json::{Value, json};

use crate::call::Call;
use crate::error::ApiError;
use crate::page::Listing;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};
use crate::users::limits_to_wire;

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::VHOST_LIMITS).get(list_vhost_limits);
    on.at(&wire::OF_VHOST).get(list_of_vhost);
    on.at(&wire::VHOST_LIMIT).put(put_vhost_limit).delete(delete_vhost_limit);
    on.at(&wire::USER_LIMITS).get(list_user_limits);
    on.at(&wire::OF_USER).get(list_of_user);
    on.at(&wire::USER_LIMIT).put(put_user_limit).delete(delete_user_limit);
}

/// Limits of a vhost by name, those that are set.
pub(crate) fn vhost_limits_to_wire(limits: VhostLimits) -> BTreeMap<String, i64> {
    let named = [("max-connections", limits.max_connections), ("max-queues", limits.max_queues)];
    named.into_iter().filter_map(|(name, limit)| Some((name.to_owned(), limit?))).collect()
}

fn vhost_to_wire(vhost: &Vhost) -> Option<wire::VhostLimits> {
    let value = vhost_limits_to_wire(vhost.limits);
    (!value.is_empty()).then(|| wire::VhostLimits { vhost: vhost.name.to_string(), value })
}

fn user_to_wire(user: &User) -> Option<wire::UserLimits> {
    let value = limits_to_wire(user.limits);
    (!value.is_empty()).then(|| wire::UserLimits { user: user.name.to_string(), value })
}

async fn list_vhost_limits(call: Call) -> Answer {
    let broker = call.broker()?;
    let directory = broker.directory();
    let named = if call.named_in_header().is_some() { Some(call.visible_vhosts()?) } else { None };
    let seen = directory.vhosts.values().filter(|vhost| match &named {
        Some(named) => named.contains(&vhost.name),
        None => call.identity.is_monitoring() || call.identity.enters(broker, &vhost.name),
    });
    call.list(seen.filter_map(|vhost| vhost_to_wire(vhost)), Listing::Uncut)
}

async fn list_of_vhost(call: Call) -> Answer {
    let vhost = call.vhost()?;
    call.list(vhost_to_wire(&vhost), Listing::Uncut)
}

/// The field of a limit by name.
fn vhost_slot<'a>(limits: &'a mut VhostLimits, name: &str) -> Option<&'a mut Option<i64>> {
    match name {
        "max-connections" => Some(&mut limits.max_connections),
        "max-queues" => Some(&mut limits.max_queues),
        _ => None,
    }
}

/// The value of a limit in a body; `what` went before the reason in the reference.
fn limit_value(call: &Call, what: &str) -> Result<(i64, String), ApiError> {
    let fields = call.fields()?;
    fields.require(&["value"])?;
    let name = call.parameter("limit").to_owned();
    let value = fields.get("value").cloned().unwrap_or(Value::Null);
    match value.as_i64() {
        Some(limit) => Ok((limit, name)),
        None => {
            let value = as_term(&value);
            Err(ApiError::bad_request(format!("{what}{name} should be a number, actually was {value}{}", tail(what))))
        }
    }
}

/// A validation failure ends its line.
fn tail(what: &str) -> &'static str {
    if what.is_empty() { "" } else { "\n" }
}

/// How the reference begins the refusal of a vhost limit.
const VALIDATION: &str = "Validation failed\n\n";

fn unrecognised(what: &str, name: &str, limit: i64) -> ApiError {
    let kind = if what.is_empty() { "user-limits" } else { "limits" };
    let name = as_term(&name.into());
    ApiError::bad_request(format!("{what}Unrecognised terms [{{{name},{limit}}}] in {kind}{}", tail(what)))
}

async fn put_vhost_limit(call: Call) -> Answer {
    call.require_json()?;
    let vhost = call.target_vhost()?;
    let (limit, name) = limit_value(&call, VALIDATION)?;
    let mut limits = vhost.limits;
    *vhost_slot(&mut limits, &name).ok_or_else(|| unrecognised(VALIDATION, &name, limit))? = Some(limit);
    call.broker()?.set_vhost_limits(&vhost.name, limits).await?;
    Ok(Reply::no_content())
}

async fn delete_vhost_limit(call: Call) -> Answer {
    let vhost = call.target_vhost()?;
    let mut limits = vhost.limits;
    if let Some(slot) = vhost_slot(&mut limits, call.parameter("limit")) {
        *slot = None;
        call.broker()?.set_vhost_limits(&vhost.name, limits).await?;
    }
    Ok(Reply::no_content())
}

async fn list_user_limits(call: Call) -> Answer {
    let directory = call.directory()?;
    call.list(directory.users.values().filter_map(|user| user_to_wire(user)), Listing::Plain)
}

async fn list_of_user(call: Call) -> Answer {
    let name = call.user_name();
    if !call.identity.is_monitoring() && !call.identity.is_user(&name) {
        return Err(ApiError::not_authorised_object());
    }
    let directory = call.directory()?;
    let user = directory.users.get(&name).ok_or_else(ApiError::no_object)?;
    call.list(user_to_wire(user), Listing::Plain)
}

fn user_slot<'a>(limits: &'a mut broker::domain::user::UserLimits, name: &str) -> Option<&'a mut Option<i64>> {
    match name {
        "max-connections" => Some(&mut limits.max_connections),
        "max-channels" => Some(&mut limits.max_channels),
        _ => None,
    }
}

async fn put_user_limit(call: Call) -> Answer {
    call.require_json()?;
    let (limit, name) = limit_value(&call, "")?;
    let directory = call.directory()?;
    let user = directory.users.get(&call.user_name());
    let mut limits = user.map(|user| user.limits).unwrap_or_default();
    *user_slot(&mut limits, &name).ok_or_else(|| unrecognised("", &name, limit))? = Some(limit);
    let user = user.ok_or_else(|| ApiError::bad_request(json!(["no_such_user", call.parameter("user")])))?;
    call.broker()?.set_user_limits(&user.name, limits).await?;
    Ok(Reply::no_content())
}

async fn delete_user_limit(call: Call) -> Answer {
    let directory = call.directory()?;
    // The reference speaks of a vhost here, and its clients know the answer by it.
    let user = directory.users.get(&call.user_name()).ok_or_else(|| ApiError::not_found("vhost_not_found"))?;
    let mut limits = user.limits;
    if let Some(slot) = user_slot(&mut limits, call.parameter("limit")) {
        *slot = None;
        call.broker()?.set_user_limits(&user.name, limits).await?;
    }
    Ok(Reply::no_content())
}
