//! Login attempts, and hashing passwords.

use openapi::authentication as wire;

use crate::call::Call;
use crate::error::ApiError;
use crate::page::Listing;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::HASH_PASSWORD).get(hash_password);
    on.at(&wire::ATTEMPTS).get(list_attempts).delete(reset_attempts);
    on.at(&wire::ATTEMPTS_BY_SOURCE).get(list_attempts_by_source).delete(reset_attempts);
}

async fn hash_password(call: Call) -> Answer {
    let hashed = call.broker()?.hash_password(call.parameter("password")).await?;
    Reply::json(&wire::HashedPassword { ok: hashed.hash })
}

fn known(call: &Call) -> Result<(), ApiError> {
    if call.parameter("node") == call.node().settings().node_name { Ok(()) } else { Err(ApiError::no_object()) }
}

fn list(call: &Call, by_source: bool) -> Answer {
    known(call)?;
    let attempts = call.broker()?.auth_attempts(by_source).into_iter().map(|attempts| wire::AuthAttempts {
        remote_address: by_source.then_some(attempts.remote_address),
        username: by_source.then_some(attempts.username),
        protocol: attempts.protocol,
        auth_attempts: attempts.attempts,
        auth_attempts_failed: attempts.failed,
        auth_attempts_succeeded: attempts.attempts.saturating_sub(attempts.failed),
    });
    call.list(attempts, Listing::Plain)
}

async fn list_attempts(call: Call) -> Answer {
    list(&call, false)
}

async fn list_attempts_by_source(call: Call) -> Answer {
    list(&call, true)
}

async fn reset_attempts(call: Call) -> Answer {
    known(&call)?;
    call.broker()?.reset_auth_attempts();
    Ok(Reply::no_content())
}
