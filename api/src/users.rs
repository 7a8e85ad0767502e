//! Users.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use broker::domain::permission::Permissions;
use broker::domain::user::{HashAlgorithm, StoredPassword, User, UserLimits};
use broker::{Directory, PutPassword, PutUser};
use openapi::users as wire;
use serde_json::{Value, json};

use crate::body::{Fields, boolean};
use crate::call::{Call, user_name, vhost_name};
use crate::error::ApiError;
use crate::page::Listing;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};
use crate::tags;

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::USERS).get(list_users);
    on.at(&wire::WITHOUT_PERMISSIONS).get(list_without_permissions);
    on.at(&wire::BULK_DELETE).post(delete_several);
    on.at(&wire::USER).get(get_user).put(put_user).delete(delete_user);
}

/// Names of the hash algorithms as the reference spells them; `argon2id` is ours.
const ALGORITHMS: [(HashAlgorithm, &str); 4] = [
    (HashAlgorithm::Argon2id, "argon2id"),
    (HashAlgorithm::Sha256, "rabbit_password_hashing_sha256"),
    (HashAlgorithm::Sha512, "rabbit_password_hashing_sha512"),
    (HashAlgorithm::Md5, "rabbit_password_hashing_md5"),
];

/// The name of an algorithm.
pub(crate) fn algorithm_name(algorithm: HashAlgorithm) -> &'static str {
    let found = ALGORITHMS.iter().find(|(own, _)| *own == algorithm);
    found.map(|(_, name)| *name).expect("every algorithm has a name")
}

/// The algorithm of a name.
pub(crate) fn algorithm_from_name(name: &str) -> Option<HashAlgorithm> {
    ALGORITHMS.iter().find(|(_, own)| *own == name).map(|(algorithm, _)| *algorithm)
}

/// Limits by name, those that are set.
pub(crate) fn limits_to_wire(limits: UserLimits) -> BTreeMap<String, i64> {
    let named = [("max-channels", limits.max_channels), ("max-connections", limits.max_connections)];
    named.into_iter().filter_map(|(name, limit)| Some((name.to_owned(), limit?))).collect()
}

/// A user as it is sent; `default` names the algorithm of a user without password.
pub(crate) fn user_to_wire(user: &User, default: HashAlgorithm) -> wire::User {
    let (algorithm, hash) = match &user.password {
        Some(password) => (password.algorithm, password.hash.clone()),
        None => (default, String::new()),
    };
    wire::User {
        name: user.name.to_string(),
        password_hash: hash,
        hashing_algorithm: algorithm_name(algorithm).to_owned(),
        tags: user.tags.clone(),
        limits: limits_to_wire(user.limits),
    }
}

/// The picture of users, each with its password: a first start is not kept waiting for that of the first user.
async fn settled(call: &Call) -> Result<Arc<Directory>, ApiError> {
    call.broker()?.users_settled().await;
    call.directory()
}

async fn list_users(call: Call) -> Answer {
    let default = call.node().settings().password_hashing;
    let directory = settled(&call).await?;
    call.list(directory.users.values().map(|user| user_to_wire(user, default)), Listing::Paged)
}

async fn list_without_permissions(call: Call) -> Answer {
    let default = call.node().settings().password_hashing;
    let directory = settled(&call).await?;
    let permitted: BTreeSet<_> = directory.permissions.keys().map(|(user, _)| user).collect();
    let users = directory.users.values().filter(|user| !permitted.contains(&user.name));
    call.list(users.map(|user| user_to_wire(user, default)), Listing::Paged)
}

async fn get_user(call: Call) -> Answer {
    let default = call.node().settings().password_hashing;
    let directory = settled(&call).await?;
    let user = directory.users.get(&call.user_name()).ok_or_else(ApiError::no_object)?;
    call.object(&user_to_wire(user, default))
}

async fn put_user(call: Call) -> Answer {
    let fields = call.fields()?;
    let name = call.user_name();
    refuse_protected(&call)?;
    let put = PutUser {
        name: name.clone(),
        tags: parse_tags(&fields)?,
        password: parse_password(&fields, call.node().settings().password_hashing)?,
        limits: fields.get("limits").map(parse_limits).transpose()?,
    };
    let granted = fields.get("permissions").map(|granted| parse_permissions(&call, granted)).transpose()?;
    let broker = call.broker()?;
    let put = broker.put_user(put).await?;
    for permissions in granted.unwrap_or_default() {
        if !broker.directory().vhosts.contains_key(&permissions.vhost) {
            return Err(ApiError::bad_request(json!(["no_such_vhost", permissions.vhost.as_str()])));
        }
        broker.set_permissions(permissions).await?;
    }
    Ok(put.into())
}

async fn delete_user(call: Call) -> Answer {
    refuse_protected(&call)?;
    call.broker()?.delete_user(&call.user_name()).await?;
    Ok(Reply::no_content())
}

async fn delete_several(call: Call) -> Answer {
    let fields = call.fields()?;
    fields.require(&["users"])?;
    let names = match fields.get("users") {
        Some(Value::Array(names)) => names,
        other => return Err(ApiError::bad_request(json!(["not_a_list", other]))),
    };
    let names: Vec<_> = names
        .iter()
        .map(|name| name.as_str().map(user_name).ok_or_else(|| ApiError::bad_request(json!(["no_such_user", name]))))
        .collect::<Result<_, _>>()?;
    let broker = call.broker()?;
    for name in names {
        // Unknown and protected users are skipped, also those that go in between.
        if broker.directory().users.get(&name).is_some_and(|user| !user.is_protected()) {
            match broker.delete_user(&name).await {
                Ok(()) | Err(broker::Error::NoSuchUser(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(Reply::no_content())
}

fn refuse_protected(call: &Call) -> Result<(), ApiError> {
    match call.directory()?.users.get(&call.user_name()) {
        Some(user) if user.is_protected() => {
            Err(ApiError::bad_request("Protected users cannot be modified via the HTTP API"))
        }
        _ => Ok(()),
    }
}

/// Tags, or the boolean `administrator` of old clients.
pub(crate) fn parse_tags(fields: &Fields) -> Result<Vec<String>, ApiError> {
    match (fields.get("tags"), fields.get("administrator")) {
        (Some(given), _) => tags::parse(given),
        (None, Some(administrator)) if boolean(administrator)? => Ok(vec!["administrator".to_owned()]),
        (None, Some(_)) => Ok(Vec::new()),
        (None, None) => Err(ApiError::bad_request("tags_not_present")),
    }
}

/// How the password is given. None given clears it. An unknown algorithm counts as the
/// node's own where a password comes in the clear, and is refused beside a hash.
pub(crate) fn parse_password(fields: &Fields, default: HashAlgorithm) -> Result<PutPassword, ApiError> {
    match (fields.text("password")?, fields.text("password_hash")?) {
        (Some(_), Some(_)) => Err(ApiError::bad_request("both_password_and_password_hash_are_provided")),
        (Some(password), None) => Ok(PutPassword::Plain(password.to_owned())),
        (None, Some("") | None) => Ok(PutPassword::Clear),
        (None, Some(hash)) => {
            let algorithm = match fields.text("hashing_algorithm")? {
                Some(name) => algorithm_from_name(name)
                    .ok_or_else(|| ApiError::bad_request(json!(["unknown_hashing_algorithm", name])))?,
                // Tools that send a salted hash without naming its algorithm mean the reference's default.
                None if default == HashAlgorithm::Argon2id => HashAlgorithm::Sha256,
                None => default,
            };
            if algorithm != HashAlgorithm::Argon2id && STANDARD.decode(hash).is_err() {
                return Err(ApiError::bad_request(json!(["not_base64", hash])));
            }
            Ok(PutPassword::Hashed(StoredPassword { algorithm, hash: hash.to_owned() }))
        }
    }
}

/// Limits by name.
pub(crate) fn parse_limits(value: &Value) -> Result<UserLimits, ApiError> {
    let Value::Object(given) = value else {
        return Err(ApiError::bad_request(json!(["limits_not_an_object", value])));
    };
    let mut limits = UserLimits::default();
    for (name, value) in given {
        let slot = match name.as_str() {
            "max-connections" => &mut limits.max_connections,
            "max-channels" => &mut limits.max_channels,
            unknown => {
                return Err(ApiError::bad_request(format!("Unrecognised terms [{{{unknown},{value}}}] in limits")));
            }
        };
        let limit = value.as_i64();
        *slot = Some(
            limit.ok_or_else(|| ApiError::bad_request(format!("{name} should be a number, actually was {value}")))?,
        );
    }
    Ok(limits)
}

fn parse_permissions(call: &Call, value: &Value) -> Result<Vec<Permissions>, ApiError> {
    let Value::Object(granted) = value else {
        return Err(ApiError::bad_request(json!(["permissions_not_an_object", value])));
    };
    let grant = |(vhost, patterns): (&String, &Value)| {
        let Value::Object(patterns) = patterns else {
            return Err(ApiError::bad_request(json!(["permissions_not_an_object", patterns])));
        };
        let patterns = Fields(patterns.clone());
        patterns.require(&["configure", "write", "read"])?;
        Ok(Permissions {
            user: call.user_name(),
            vhost: vhost_name(vhost),
            configure: patterns.required_text("configure")?.to_owned(),
            write: patterns.required_text("write")?.to_owned(),
            read: patterns.required_text("read")?.to_owned(),
        })
    };
    granted.iter().map(grant).collect()
}
