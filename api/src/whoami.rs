//! Who is asking, version, login.

use std::time::Instant;

use axum::http::{HeaderValue, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use broker::INTERNAL_USER;
use openapi::sessions::COOKIE;
use openapi::whoami::{self as wire, LoginAnswer, LoginToken, WhoAmI};

use crate::auth::{Identity, login, token};
use crate::call::Call;
use crate::error::ApiError;
use crate::query::QueryString;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::WHOAMI).get(get_whoami);
    on.at(&wire::VERSION).get(get_version);
    on.at(&wire::LOGIN).post(post_login).delete(delete_login);
}

fn describe(identity: &Identity) -> WhoAmI {
    match identity {
        Identity::User(user) => WhoAmI { name: user.name.to_string(), tags: user.tags.clone(), is_internal_user: true },
        Identity::Internal | Identity::Nobody => {
            WhoAmI { name: INTERNAL_USER.to_owned(), tags: vec!["administrator".to_owned()], is_internal_user: true }
        }
    }
}

async fn get_whoami(call: Call) -> Answer {
    call.object(&describe(&call.identity))
}

async fn get_version(call: Call) -> Answer {
    Reply::json(&call.node().settings().version)
}

/// What a login is sent as. The reference looks at the credentials first.
const FORM: &str = "application/x-www-form-urlencoded";

async fn post_login(call: Call) -> Answer {
    let form = QueryString::parse(std::str::from_utf8(&call.body).ok());
    let (Some(user), Some(password)) = (form.get("username"), form.get("password")) else {
        return Err(ApiError::not_authorized());
    };
    let facts = &call.context.facts;
    let identity = login(call.broker()?, &facts.logins, user, password, call.address).await?;
    let kind = call.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(FORM) {
        return Err(ApiError::bare(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    let token = LoginToken { kind: "basic".to_owned(), value: STANDARD.encode(format!("{user}:{password}")) };
    let answer = Reply::json(&LoginAnswer { user: describe(&identity), token })?;
    let Identity::User(user) = &identity else { return Ok(answer) };
    let lifetime = facts.http.session_lifetime;
    let session = facts.logins.lock().sessions.open(user, call.address, lifetime, Instant::now())?;
    Ok(answer.header(header::SET_COOKIE, set_cookie(&call, &session, lifetime.as_secs())?))
}

async fn delete_login(call: Call) -> Answer {
    let gone = Reply::bare(StatusCode::NO_CONTENT);
    let Some(token) = token(&call.headers) else { return Ok(gone) };
    call.context.facts.logins.lock().sessions.close(&token);
    Ok(gone.header(header::SET_COOKIE, set_cookie(&call, "", 0)?))
}

/// No script reads it, no page of another site has it sent, and it goes to the API alone.
/// `Secure` over TLS, and where a proxy says that the browser spoke TLS to it.
fn set_cookie(call: &Call, token: &str, seconds: u64) -> Result<HeaderValue, ApiError> {
    let prefix = &call.context.facts.http.path_prefix;
    let by_proxy = call.headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https");
    let secure = if call.is_encrypted || by_proxy { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={token}; Path={prefix}/api; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    cookie.parse().map_err(|_| ApiError::internal("a path prefix is no header text"))
}
