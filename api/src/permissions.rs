//! Permissions and topic permissions.

use broker::Put;
use broker::domain::permission::{Permissions, TopicPermissions};
use openapi::permissions as wire;
use serde_json::json;

use crate::call::{Call, exchange_name};
use crate::error::ApiError;
use crate::page::Listing;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::PERMISSIONS).get(list_permissions);
    on.at(&wire::OF_VHOST).get(list_of_vhost);
    on.at(&wire::OF_USER).get(list_of_user);
    on.at(&wire::PERMISSION).get(get_permission).put(put_permission).delete(delete_permission);
    on.at(&wire::TOPIC_PERMISSIONS).get(list_topic_permissions);
    on.at(&wire::TOPIC_OF_VHOST).get(list_topic_of_vhost);
    on.at(&wire::TOPIC_OF_USER).get(list_topic_of_user);
    on.at(&wire::TOPIC_PERMISSION).get(get_topic_permission).put(put_topic_permission).delete(delete_topic_permission);
    on.at(&wire::TOPIC_OF_EXCHANGE)
        .get(get_topic_permission)
        .put(put_topic_permission)
        .delete(delete_topic_of_exchange);
}

fn to_wire(row: &Permissions) -> wire::Permission {
    wire::Permission {
        user: row.user.to_string(),
        vhost: row.vhost.to_string(),
        configure: row.configure.clone(),
        write: row.write.clone(),
        read: row.read.clone(),
    }
}

fn topic_to_wire(row: &TopicPermissions) -> wire::TopicPermission {
    wire::TopicPermission {
        user: row.user.to_string(),
        vhost: row.vhost.to_string(),
        exchange: row.exchange.to_string(),
        write: row.write.clone(),
        read: row.read.clone(),
    }
}

fn list(call: &Call, keep: impl Fn(&Permissions) -> bool) -> Answer {
    let directory = call.directory()?;
    let mut rows: Vec<_> = directory.permissions.values().filter(|row| keep(row)).collect();
    rows.sort_by_key(|row| (&row.vhost, &row.user));
    call.list(rows.into_iter().map(|row| to_wire(row)), Listing::Plain)
}

fn list_topic(call: &Call, keep: impl Fn(&TopicPermissions) -> bool) -> Answer {
    let directory = call.directory()?;
    let mut rows: Vec<_> = directory.topic_permissions.values().filter(|row| keep(row)).collect();
    rows.sort_by_key(|row| (&row.vhost, &row.user, &row.exchange));
    call.list(rows.into_iter().map(|row| topic_to_wire(row)), Listing::Plain)
}

/// The user in the path must exist.
fn known_user(call: &Call) -> Result<(), ApiError> {
    if call.directory()?.users.contains_key(&call.user_name()) { Ok(()) } else { Err(ApiError::no_object()) }
}

/// Both ends of a grant must exist.
fn known_ends(call: &Call) -> Result<(), ApiError> {
    let directory = call.directory()?;
    if directory.users.contains_key(&call.user_name()) && directory.vhosts.contains_key(&call.vhost_name()) {
        Ok(())
    } else {
        Err(ApiError::bad_request("vhost_or_user_not_found"))
    }
}

async fn list_permissions(call: Call) -> Answer {
    list(&call, |_| true)
}

async fn list_of_vhost(call: Call) -> Answer {
    let vhost = call.vhost()?;
    list(&call, |row| row.vhost == vhost.name)
}

async fn list_of_user(call: Call) -> Answer {
    known_user(&call)?;
    let user = call.user_name();
    list(&call, |row| row.user == user)
}

async fn get_permission(call: Call) -> Answer {
    let directory = call.directory()?;
    let row = directory.permissions.get(&(call.user_name(), call.vhost_name())).ok_or_else(ApiError::no_object)?;
    call.object(&to_wire(row))
}

async fn put_permission(call: Call) -> Answer {
    known_ends(&call)?;
    let fields = call.fields()?;
    fields.require(&["configure", "write", "read"])?;
    let permissions = Permissions {
        user: call.user_name(),
        vhost: call.vhost_name(),
        configure: fields.required_text("configure")?.to_owned(),
        write: fields.required_text("write")?.to_owned(),
        read: fields.required_text("read")?.to_owned(),
    };
    Ok(call.broker()?.set_permissions(permissions).await?.into())
}

async fn delete_permission(call: Call) -> Answer {
    let (user, vhost) = (call.user_name(), call.vhost_name());
    if !call.directory()?.permissions.contains_key(&(user.clone(), vhost.clone())) {
        return Err(ApiError::no_object());
    }
    call.broker()?.clear_permissions(&user, &vhost).await?;
    Ok(Reply::no_content())
}

async fn list_topic_permissions(call: Call) -> Answer {
    list_topic(&call, |_| true)
}

async fn list_topic_of_vhost(call: Call) -> Answer {
    let vhost = call.vhost()?;
    list_topic(&call, |row| row.vhost == vhost.name)
}

async fn list_topic_of_user(call: Call) -> Answer {
    known_user(&call)?;
    let user = call.user_name();
    list_topic(&call, |row| row.user == user)
}

/// Whether the user has any topic permission in the vhost.
fn has_topic(call: &Call) -> Result<bool, ApiError> {
    let (user, vhost) = (call.user_name(), call.vhost_name());
    Ok(call.directory()?.topic_permissions.values().any(|row| row.user == user && row.vhost == vhost))
}

async fn get_topic_permission(call: Call) -> Answer {
    if !has_topic(&call)? {
        return Err(ApiError::no_object());
    }
    let (user, vhost) = (call.user_name(), call.vhost_name());
    list_topic(&call, |row| row.user == user && row.vhost == vhost)
}

async fn put_topic_permission(call: Call) -> Answer {
    known_ends(&call)?;
    let fields = call.fields()?;
    fields.require(&["exchange", "write", "read"])?;
    let missing = || ApiError::bad_request(json!(["no_such_exchange", fields.get("exchange")]));
    let exchange = fields.get("exchange").and_then(|exchange| exchange.as_str()).ok_or_else(missing)?;
    let permissions = TopicPermissions {
        user: call.user_name(),
        vhost: call.vhost_name(),
        exchange: exchange_name(exchange)?,
        write: fields.required_text("write")?.to_owned(),
        read: fields.required_text("read")?.to_owned(),
    };
    let existed = has_topic(&call)?;
    match call.broker()?.set_topic_permissions(permissions).await {
        // Any entry of the user in the vhost is what exists to the path.
        Ok(_) => Ok(if existed { Put::Existed } else { Put::Created }.into()),
        Err(broker::Error::NoSuch(_)) => Err(missing()),
        Err(error) => Err(error.into()),
    }
}

async fn delete_topic_permission(call: Call) -> Answer {
    if !has_topic(&call)? {
        return Err(ApiError::no_object());
    }
    call.broker()?.clear_topic_permissions(&call.user_name(), &call.vhost_name(), None).await?;
    Ok(Reply::no_content())
}

async fn delete_topic_of_exchange(call: Call) -> Answer {
    let exchange = exchange_name(call.parameter("exchange"))?;
    if !has_topic(&call)? {
        return Err(ApiError::no_object());
    }
    call.broker()?.clear_topic_permissions(&call.user_name(), &call.vhost_name(), Some(&exchange)).await?;
    Ok(Reply::no_content())
}
