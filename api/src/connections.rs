//! Connections.

mod row;

use std::borrow::Cow;

use broker::LiveConnection;
use broker::domain::name::UserName;
use openapi::connections as wire;
use openapi::queues::OwnerDetails;

use crate::call::Call;
use crate::error::ApiError;
use crate::open::View;
use crate::page::Listing;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};
use crate::rows::{self, Fields};

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::CONNECTIONS).get(list_connections);
    on.at(&wire::OF_VHOST).get(list_of_vhost);
    on.at(&wire::CONNECTION).get(get_connection).delete(close_connection);
    on.at(&wire::SESSIONS).get(list_sessions);
    on.at(&wire::OF_USER).get(list_of_user).delete(close_of_user);
}

/// The header that says why a connection is closed.
const REASON: &str = "x-reason";

/// What its client is told when nobody says why.
const REASON_DEFAULT: &str = "Closed via management plugin";

/// Longest reason passed on, in bytes: it travels as a short string, which ends in dots when it does not fit.
const REASON_BYTES_MAX: usize = 255;

/// Whether the caller sees what belongs to a user.
pub(crate) fn sees(call: &Call, owner: &UserName) -> bool {
    call.identity.is_monitoring() || call.identity.is_user(owner)
}

/// A connection, as what belongs to it tells of it.
pub(crate) fn owner_details(connection: &LiveConnection) -> OwnerDetails {
    let (peer_host, peer_port) = connection.peer();
    OwnerDetails { name: connection.name().to_owned(), peer_host: peer_host.to_string(), peer_port }
}

/// Open connections for which `keep` holds, of those the caller sees, by name.
pub(crate) fn visible(call: &Call, keep: impl Fn(&LiveConnection) -> bool) -> Result<Vec<LiveConnection>, ApiError> {
    let mut connections = call.broker()?.live_connections();
    connections.retain(|connection| sees(call, connection.user()) && keep(connection));
    connections.sort_unstable_by(|left, right| (left.name(), left.id()).cmp(&(right.name(), right.id())));
    Ok(connections)
}

async fn list(call: &Call, kind: Listing, keep: impl Fn(&LiveConnection) -> bool) -> Answer {
    let connections = visible(call, keep)?;
    let view = View::new(call)?;
    let describe = |connection: &LiveConnection, fields: &mut Fields<'_>| row::describe(&view, connection, fields);
    Ok(Reply::json_text(rows::listing(kind, connections, name, describe, &call.query).await?))
}

fn name(connection: &LiveConnection) -> Cow<'_, str> {
    connection.name().into()
}

/// The connection a path names, for a caller who may see it.
pub(crate) fn find(call: &Call) -> Result<LiveConnection, ApiError> {
    let name = call.parameter("connection");
    let found = call.broker()?.live_connections().into_iter().find(|connection| connection.name() == name);
    let connection = found.ok_or_else(ApiError::no_object)?;
    if sees(call, connection.user()) { Ok(connection) } else { Err(ApiError::not_authorised_object()) }
}

async fn list_connections(call: Call) -> Answer {
    list(&call, Listing::Paged, |_| true).await
}

async fn list_of_vhost(call: Call) -> Answer {
    let vhost = call.vhost()?;
    list(&call, Listing::Plain, |connection| *connection.vhost() == vhost.name).await
}

async fn get_connection(call: Call) -> Answer {
    let connection = find(&call)?;
    let view = View::new(&call)?;
    let mut item = rows::value(|fields| row::describe(&view, &connection, fields))?;
    row::alone(&connection, &mut item);
    Reply::json(&item)
}

async fn list_sessions(call: Call) -> Answer {
    find(&call)?;
    // Only AMQP 1.0 connections have sessions.
    Err(ApiError::bad_request("connection does not use AMQP 1.0"))
}

async fn list_of_user(call: Call) -> Answer {
    let user = call.user_name();
    if !sees(&call, &user) {
        return Err(ApiError::not_authorised_object());
    }
    list(&call, Listing::Paged, |connection| *connection.user() == user).await
}

fn reason(call: &Call) -> String {
    let given = call.headers.get(REASON).and_then(|reason| std::str::from_utf8(reason.as_bytes()).ok());
    let given = given.unwrap_or(REASON_DEFAULT);
    let end = (0..=given.len().min(REASON_BYTES_MAX)).rev().find(|end| given.is_char_boundary(*end));
    given[..end.unwrap_or_default()].to_owned()
}

/// Whether the caller may close what belongs to a user.
fn may_close(call: &Call, owner: &UserName) -> Result<(), ApiError> {
    if call.identity.is_administrator() || call.identity.is_user(owner) {
        Ok(())
    } else {
        Err(ApiError::not_authorised_object())
    }
}

async fn close_connection(call: Call) -> Answer {
    let connection = find(&call)?;
    may_close(&call, connection.user())?;
    if call.broker()?.close_connection(connection.id(), &reason(&call)).await {
        Ok(Reply::no_content())
    } else {
        Err(ApiError::no_object())
    }
}

async fn close_of_user(call: Call) -> Answer {
    let user = call.user_name();
    may_close(&call, &user)?;
    let broker = call.broker()?;
    for connection in broker.live_connections().into_iter().filter(|connection| *connection.user() == user) {
        broker.close_connection(connection.id(), &reason(&call)).await;
    }
    Ok(Reply::no_content())
}
