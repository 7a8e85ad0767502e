//! Who calls, and whether the class of an operation lets them.
//!
//! Knows credentials, tags and permission rows; knows no resource.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use broker::domain::name::{UserName, VhostName};
use broker::domain::user::User;
use broker::{Broker, Caller, ErrorKind, Peer};
use openapi::Access;
use openapi::sessions::COOKIE;

use crate::Transport;
use crate::error::ApiError;
use crate::logins::Logins;

/// The caller of a request.
#[derive(Debug, Clone)]
pub(crate) enum Identity {
    /// The control socket without credentials: acts as administrator.
    Internal,
    /// A user who logged in.
    User(Arc<User>),
    /// Nobody was asked for (public endpoints).
    Nobody,
}

impl Identity {
    fn has(&self, tag: fn(&User) -> bool) -> bool {
        match self {
            Self::Internal => true,
            Self::User(user) => tag(user),
            Self::Nobody => false,
        }
    }

    /// Everything over HTTP.
    pub(crate) fn is_administrator(&self) -> bool {
        self.has(User::is_administrator)
    }

    /// May see all vhosts, connections and node data.
    pub(crate) fn is_monitoring(&self) -> bool {
        self.has(User::is_monitoring)
    }

    /// May manage policies and parameters of own vhosts.
    pub(crate) fn is_policymaker(&self) -> bool {
        self.has(User::is_policymaker)
    }

    /// Whether this is that user.
    pub(crate) fn is_user(&self, name: &UserName) -> bool {
        matches!(self, Self::User(user) if user.name == *name)
    }

    /// The user's name; `None` for the control socket.
    pub(crate) fn user_name(&self) -> Option<&UserName> {
        match self {
            Self::User(user) => Some(&user.name),
            Self::Internal | Self::Nobody => None,
        }
    }

    /// The caller as the broker knows it.
    pub(crate) fn caller(&self) -> Caller {
        match self {
            Self::User(user) => Caller::user(user.name.clone()),
            Self::Internal | Self::Nobody => Caller::internal(),
        }
    }

    /// Whether the caller holds a permission row for the vhost; administrators need none.
    pub(crate) fn enters(&self, broker: &Broker, vhost: &VhostName) -> bool {
        match self {
            Self::Internal => true,
            Self::User(user) => {
                user.is_administrator()
                    || broker.directory().permissions.contains_key(&(user.name.clone(), vhost.clone()))
            }
            Self::Nobody => false,
        }
    }
}

/// What an `Authorization` header holds.
#[derive(Debug, PartialEq, Eq)]
enum Credentials {
    None,
    Basic(String, String),
    /// The token of a session.
    Token(String),
    /// A name that is no text: nobody we could know.
    Unknown,
}

/// Longest user name and password together, in bytes; longer ones are refused unread.
const CREDENTIAL_BYTES_MAX: usize = 16 * 1024;

fn credentials(headers: &HeaderMap) -> Result<Credentials, ApiError> {
    let malformed = || ApiError::bare(StatusCode::BAD_REQUEST);
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(Credentials::None) };
    if headers.get_all(header::AUTHORIZATION).iter().nth(1).is_some() {
        // Whoever looks at one of them must not mean somebody else.
        return Err(malformed());
    }
    let value = value.to_str().map_err(|_| malformed())?;
    let (scheme, rest) = value.split_once(' ').ok_or_else(malformed)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Credentials::Token(rest.trim().to_owned()));
    }
    // Another scheme, which the reference can read and does not take.
    if scheme.eq_ignore_ascii_case("digest") && rest.contains('=') {
        return Ok(Credentials::None);
    }
    if !scheme.eq_ignore_ascii_case("basic") || rest.len() > CREDENTIAL_BYTES_MAX {
        return Err(malformed());
    }
    let pair = STANDARD.decode(rest.trim()).map_err(|_| malformed())?;
    let colon = pair.iter().position(|byte| *byte == b':').ok_or_else(malformed)?;
    let (user, password) = (pair[..colon].to_vec(), pair[colon + 1..].to_vec());
    Ok(match (String::from_utf8(user), String::from_utf8(password)) {
        (Ok(user), Ok(password)) => Credentials::Basic(user, password),
        _ => Credentials::Unknown,
    })
}

/// Establishes who calls.
pub(crate) async fn authenticate(
    broker: Option<&Broker>,
    logins: &Logins,
    transport: Transport,
    headers: &HeaderMap,
    address: Option<IpAddr>,
) -> Result<Identity, ApiError> {
    match (credentials(headers)?, transport) {
        (Credentials::None, Transport::ControlSocket) => Ok(Identity::Internal),
        (Credentials::None, Transport::Tcp) => match cookie(headers) {
            Some(token) => of_session(broker, logins, token, address)?.ok_or_else(ApiError::no_credentials),
            None => Err(ApiError::no_credentials()),
        },
        (Credentials::Token(token), _) => {
            of_session(broker, logins, &token, address)?.ok_or_else(ApiError::not_authorized)
        }
        (Credentials::Unknown, _) => Err(ApiError::not_authorized()),
        (Credentials::Basic(user, password), _) => {
            login(broker.ok_or_else(ApiError::app_stopped)?, logins, &user, &password, address).await
        }
    }
}

/// Who the token of a session stands for.
fn of_session(
    broker: Option<&Broker>,
    logins: &Logins,
    token: &str,
    address: Option<IpAddr>,
) -> Result<Option<Identity>, ApiError> {
    let broker = broker.ok_or_else(ApiError::app_stopped)?;
    Ok(logins.user(broker, token, address).map(Identity::User))
}

/// The token in the cookie of a session.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = pairs.flat_map(|value| value.split(';'));
    pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(name, _)| *name == COOKIE).map(|(_, token)| token)
}

/// The token a request bears, in its header or its cookie.
pub(crate) fn token(headers: &HeaderMap) -> Option<String> {
    match credentials(headers) {
        Ok(Credentials::Token(token)) => Some(token),
        _ => cookie(headers).map(str::to_owned),
    }
}

/// Checks one pair of credentials, unless too many were wrong lately.
pub(crate) async fn login(
    broker: &Broker,
    logins: &Logins,
    user: &str,
    password: &str,
    address: Option<IpAddr>,
) -> Result<Identity, ApiError> {
    let peer = Peer { address, protocol: "http" };
    logins.judge(address, user).map_err(|refusal| ApiError::too_many_failures(user, refusal))?;
    let checked = broker.authenticate(user, password, peer).await;
    if let Err(error) = &checked
        && error.kind() == ErrorKind::LoginRefused
    {
        logins.count_failure(address, user);
    }
    let user = checked?;
    if user.is_management() {
        Ok(Identity::User(user))
    } else {
        Err(ApiError::needs_tag("management", "Not management user"))
    }
}

/// Whether the class lets the caller through. `vhost` is the one the path names.
pub(crate) fn authorise(
    access: Access,
    identity: &Identity,
    broker: Option<&Broker>,
    vhost: Option<&VhostName>,
) -> Result<(), ApiError> {
    let entered = || match (broker, vhost) {
        (Some(broker), Some(vhost)) => identity.enters(broker, vhost),
        _ => true,
    };
    let known = || match (broker, vhost) {
        (Some(broker), Some(vhost)) => broker.directory().vhosts.contains_key(vhost),
        _ => false,
    };
    // A vhost that may not be entered looks like one that is not there; a missing one
    // passes, and is refused as missing by the handler.
    let hidden = || if known() { Err(ApiError::not_found("Not Found")) } else { Ok(()) };
    match access {
        Access::Public | Access::Any | Access::Own => Ok(()),
        Access::Monitor if identity.is_monitoring() => Ok(()),
        Access::Monitor => Err(ApiError::needs_tag("monitoring", "Not monitor user")),
        Access::Administrator if identity.is_administrator() => Ok(()),
        Access::Administrator => Err(ApiError::needs_tag("administrator", "Not administrator user")),
        Access::Vhost if entered() => Ok(()),
        Access::VhostVisible if identity.is_monitoring() || entered() => Ok(()),
        Access::Vhost | Access::VhostVisible => hidden(),
        Access::Policy if identity.is_policymaker() && entered() => Ok(()),
        Access::Policy if identity.is_policymaker() => hidden(),
        Access::GlobalParameter if identity.is_policymaker() => Ok(()),
        Access::Policy | Access::GlobalParameter => Err(ApiError::not_authorised_object()),
        Access::ControlSocket if matches!(identity, Identity::Internal) => Ok(()),
        Access::ControlSocket => Err(ApiError::not_authorised("Only over the control socket of the node")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Result<Credentials, u16> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        credentials(&headers).map_err(|error| error.status.as_u16())
    }

    #[test]
    fn basic_credentials_are_read_leniently_where_the_reference_is_lenient() {
        let pair = |user: &str, password: &str| Ok(Credentials::Basic(user.into(), password.into()));
        for (header, expected) in [
            ("Basic Z3Vlc3Q6Z3Vlc3Q=", pair("guest", "guest")),
            ("basic Z3Vlc3Q6Z3Vlc3Q=", pair("guest", "guest")),
            ("Basic YTpiOmM=", pair("a", "b:c")),
            ("Basic Og==", pair("", "")),
            ("Basic Z3Vlc3Q=", Err(400)),
            ("Basic !!!notbase64", Err(400)),
            ("Digest abc", Err(400)),
            ("Basic", Err(400)),
            ("Bearer abc.def", Ok(Credentials::Token("abc.def".into()))),
            ("Basic /zr/", Ok(Credentials::Unknown)),
        ] {
            assert_eq!(parse(header), expected, "{header}");
        }
        assert_eq!(credentials(&HeaderMap::new()), Ok(Credentials::None));
    }

    #[test]
    fn the_cookie_of_a_session_is_found_among_others() {
        for (sent, token) in [
            ("warren_session=abc", Some("abc")),
            ("m=1; warren_session=abc; z=2", Some("abc")),
            ("xwarren_session=abc", None),
            ("warren_session", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, sent.parse().unwrap());
            assert_eq!(cookie(&headers), token, "{sent}");
        }
    }
}
