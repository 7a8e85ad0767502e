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
use broker::{Broker, Caller, Peer};
use openapi::Access;

use crate::Transport;
use crate::error::ApiError;

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
    /// A token, or a name that is no text: nobody we could know.
    Unknown,
}

/// Longest user name and password together, in bytes; longer ones are refused unread.
const CREDENTIAL_BYTES_MAX: usize = 16 * 1024;

fn credentials(headers: &HeaderMap) -> Result<Credentials, ApiError> {
    let malformed = || ApiError::bare(StatusCode::BAD_REQUEST);
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(Credentials::None) };
    let value = value.to_str().map_err(|_| malformed())?;
    let (scheme, rest) = value.split_once(' ').ok_or_else(malformed)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Credentials::Unknown);
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
    transport: Transport,
    headers: &HeaderMap,
    address: Option<IpAddr>,
) -> Result<Identity, ApiError> {
    match (credentials(headers)?, transport) {
        (Credentials::None, Transport::ControlSocket) => Ok(Identity::Internal),
        (Credentials::None, Transport::Tcp) => Err(ApiError::no_credentials()),
        (Credentials::Unknown, _) => Err(ApiError::not_authorized()),
        (Credentials::Basic(user, password), _) => {
            login(broker.ok_or_else(ApiError::app_stopped)?, &user, &password, address).await
        }
    }
}

/// Checks one pair of credentials.
pub(crate) async fn login(
    broker: &Broker,
    user: &str,
    password: &str,
    address: Option<IpAddr>,
) -> Result<Identity, ApiError> {
    let peer = Peer { address, protocol: "http" };
    let user = broker.authenticate(user, password, peer).await?;
    if user.is_management() { Ok(Identity::User(user)) } else { Err(ApiError::not_authorised("Not management user")) }
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
        Access::Monitor => Err(ApiError::not_authorised("Not monitor user")),
        Access::Administrator if identity.is_administrator() => Ok(()),
        Access::Administrator => Err(ApiError::not_authorised("Not administrator user")),
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
            ("Bearer abc.def", Ok(Credentials::Unknown)),
            ("Basic /zr/", Ok(Credentials::Unknown)),
        ] {
            assert_eq!(parse(header), expected, "{header}");
        }
        assert_eq!(credentials(&HeaderMap::new()), Ok(Credentials::None));
    }
}
