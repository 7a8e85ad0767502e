//! Definitions: everything but messages, as one document out and in.
//!
//! `export` makes the document, [`parse`] reads one; what an import does with it is the
//! broker's business.

mod export;
mod item;
mod load;
mod read;
mod report;
mod upload;

use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use broker::domain::name::VhostName;
use broker::domain::user::HashAlgorithm;
use broker::{Definitions, Error};
use bytes::Bytes;
use openapi::definitions as wire;
use sha2::{Digest as _, Sha256};
use tokio::task::spawn_blocking;

use crate::call::Call;
use crate::error::ApiError;
use crate::reply::{JSON, Reply};
use crate::route::{Answer, Mounts};
pub use load::LoadDefinitions;
use upload::Upload;

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::DEFINITIONS).get(export_all).post(import_all);
    on.at(&wire::ALL_CONFIGURATION).get(export_all).post(import_all);
    on.at(&wire::OF_VHOST).get(export_vhost).post(import_vhost);
}

/// Reads a definitions document of a whole broker. Passwords in the clear are hashed
/// with `hashing`, which takes its time: call it where blocking is allowed.
///
/// ```
/// use broker::domain::user::HashAlgorithm;
///
/// let definitions = api::definitions::parse(br#"{"vhosts": [{"name": "shop"}]}"#, HashAlgorithm::Argon2id).unwrap();
/// assert_eq!(definitions.vhosts[0].name, "shop");
/// ```
///
/// # Errors
/// [`Error::InvalidValue`], or [`Error::InDefinitions`] with the object that is wrong.
pub fn parse(bytes: &[u8], hashing: HashAlgorithm) -> Result<Definitions, Error> {
    read::document(bytes, None, hashing).map(|read| read.definitions)
}

async fn export_all(call: Call) -> Answer {
    let broker = call.broker()?;
    broker.users_settled().await;
    let definitions = broker.export_definitions(None)?;
    download(&call, &export::whole(&call, &definitions)?)
}

async fn export_vhost(call: Call) -> Answer {
    let vhost = call.vhost().map_err(|_| ApiError::bad_request("vhost_not_found"))?;
    let definitions = call.broker()?.export_definitions(Some(&vhost.name))?;
    download(&call, &export::vhost(&call, &vhost, &definitions))
}

/// Answers with a document: named for a browser when that is asked for, and not again
/// when the caller has it.
fn download<T: serde::Serialize>(call: &Call, document: &T) -> Answer {
    let body = serde_json::to_vec(document).map_err(|error| ApiError::internal(error.to_string()))?;
    let mut tag = String::from("\"");
    for byte in Sha256::digest(&body) {
        tag.push_str(&format!("{byte:02x}"));
    }
    tag.push('"');
    let header = |text: &str| HeaderValue::from_str(text).map_err(|_| ApiError::bare(StatusCode::BAD_REQUEST));
    let known = call.headers.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let reply = if known.is_some_and(|tags| tags.split(',').any(|known| known.trim() == tag || known.trim() == "*")) {
        Reply::bare(StatusCode::NOT_MODIFIED)
    } else {
        Reply::with_body(StatusCode::OK, JSON, body.into())
    };
    let reply = reply.header(ETAG, header(&tag)?);
    match call.query.get("download") {
        None => Ok(reply),
        Some(name) if name.contains('"') || name.chars().any(char::is_control) => {
            Err(ApiError::bare(StatusCode::BAD_REQUEST))
        }
        Some(name) => Ok(reply.header(CONTENT_DISPOSITION, header(&format!("attachment; filename={name}"))?)),
    }
}

async fn import_all(call: Call) -> Answer {
    import(&call, None).await
}

async fn import_vhost(call: Call) -> Answer {
    let vhost = call.vhost().map_err(|_| ApiError::not_found("vhost_not_found"))?;
    import(&call, Some(vhost.name.clone())).await
}

async fn import(call: &Call, vhost: Option<VhostName>) -> Answer {
    let content_type = call.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Upload { document, redirect } = match content_type.split(';').next().unwrap_or_default().trim() {
        kind if kind.eq_ignore_ascii_case(JSON) => Upload { document: call.body.clone(), redirect: None },
        kind if kind.eq_ignore_ascii_case("multipart/form-data") => {
            upload::read(content_type, call.body.clone()).await?
        }
        _ => return Err(ApiError::bare(StatusCode::UNSUPPORTED_MEDIA_TYPE)),
    };
    let hashing = call.node().settings().password_hashing;
    let read::Read { definitions, places } = parse_apart(document, vhost, hashing).await?;
    // A task of its own: a caller that goes away must not leave half of an import applied.
    let (broker, caller) = (call.broker()?.clone(), call.caller());
    let importing = tokio::spawn(async move { broker.import_definitions(&caller, definitions).await });
    let imported = importing.await.map_err(|_| ApiError::internal("the definitions could not be imported"))?;
    let report = imported.map_err(|error| places.correct(error))?;
    match redirect {
        None => report::answer(call, &report, &places),
        Some(target) => {
            let target = HeaderValue::from_str(&target).map_err(|_| ApiError::bad_request("redirect is no address"))?;
            Ok(Reply::bare(StatusCode::SEE_OTHER).header(LOCATION, target))
        }
    }
}

/// Parses on a thread for blocking work, since hashing passwords takes its time.
async fn parse_apart(
    document: Bytes,
    vhost: Option<VhostName>,
    hashing: HashAlgorithm,
) -> Result<read::Read, ApiError> {
    let parsed = spawn_blocking(move || read::document(&document, vhost.as_ref(), hashing));
    Ok(parsed.await.map_err(|_| ApiError::internal("the definitions could not be read"))??)
}
