//! Sessions: begin one for a script, list them, log out everywhere.

use std::time::{Duration, Instant, UNIX_EPOCH};

use axum::http::StatusCode;
use broker::domain::name::UserName;
use openapi::sessions as wire;

use crate::auth::Identity;
use crate::call::{Call, user_name};
use crate::error::ApiError;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::SESSIONS).get(list_sessions).post(begin_session).delete(end_sessions);
}

/// The user a request is about: the caller, or the one an administrator names.
fn subject(call: &Call) -> Result<UserName, ApiError> {
    let own = call.identity.user_name();
    match (call.query.get("user"), own) {
        (None, Some(own)) => Ok(own.clone()),
        (None, None) => Err(ApiError::bad_request("name a user: `?user=NAME`")),
        (Some(named), Some(own)) if named == own.as_str() => Ok(own.clone()),
        (Some(named), _) if call.identity.is_administrator() => Ok(user_name(named)),
        (Some(_), _) => Err(ApiError::not_authorised("Not administrator user")),
    }
}

async fn list_sessions(call: Call) -> Answer {
    let subject = subject(&call)?;
    let sessions = call.context.facts.logins.lock().sessions.of(&subject, Instant::now());
    let shown: Vec<_> = sessions
        .into_iter()
        .map(|(session, left)| wire::SessionInfo {
            user: session.user.to_string(),
            remote_address: session.address.map(|address| address.to_string()),
            created_at: session.created.duration_since(UNIX_EPOCH).as_ref().map_or(0, milliseconds),
            expires_in: left.as_secs(),
        })
        .collect();
    Reply::json(&shown)
}

fn milliseconds(duration: &Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

async fn begin_session(call: Call) -> Answer {
    let Identity::User(user) = &call.identity else {
        return Err(ApiError::bad_request("a session belongs to a user: send credentials"));
    };
    let lifetime = call.context.facts.http.session_lifetime;
    let token = call.context.facts.logins.lock().sessions.open(user, call.address, lifetime, Instant::now())?;
    Reply::json_status(StatusCode::CREATED, &wire::NewSession { token, expires_in: lifetime.as_secs() })
}

async fn end_sessions(call: Call) -> Answer {
    let subject = subject(&call)?;
    let ended = call.context.facts.logins.lock().sessions.close_all(&subject);
    Reply::json(&wire::SessionsEnded { ended: ended as u64 })
}
