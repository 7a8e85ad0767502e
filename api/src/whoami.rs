//! Who is asking, version, login.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use broker::INTERNAL_USER;
use openapi::whoami::{self as wire, LoginAnswer, LoginToken, WhoAmI};

use crate::auth::{Identity, login};
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

async fn post_login(call: Call) -> Answer {
    let form = QueryString::parse(std::str::from_utf8(&call.body).ok());
    let (Some(user), Some(password)) = (form.get("username"), form.get("password")) else {
        return Err(ApiError::not_authorized());
    };
    let identity = login(call.broker()?, user, password, call.address).await?;
    let token = LoginToken { kind: "basic".to_owned(), value: STANDARD.encode(format!("{user}:{password}")) };
    Reply::json(&LoginAnswer { user: describe(&identity), token })
}

async fn delete_login(_call: Call) -> Answer {
    Ok(Reply::bare(StatusCode::NO_CONTENT))
}
