//! Logins that outlast a request. These endpoints are Warren's own.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::endpoint::{Access, Endpoint, Operation, Query, wire, wire_list};

/// Name of the cookie that `POST /api/login` sets.
pub const COOKIE: &str = "warren_session";

/// A new session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewSession {
    /// What to send from now on, as `Authorization: Bearer TOKEN`. It is not shown again.
    pub token: String,
    /// How long it is taken, in seconds.
    pub expires_in: u64,
}

/// A session that lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionInfo {
    /// Who logged in.
    pub user: String,
    /// From where; absent for the control socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_address: Option<String>,
    /// When, in milliseconds since the epoch.
    pub created_at: u64,
    /// How much longer it is taken, in seconds.
    pub expires_in: u64,
}

/// What ending sessions did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionsEnded {
    /// How many sessions there were.
    pub ended: u64,
}

const OF_USER: &[Query] = &[Query::text("user", "Another user than the caller; for administrators.")];

/// Sessions of a user.
pub const SESSIONS: Endpoint = Endpoint::new(
    "/warren/sessions",
    &[
        Operation::get(Access::Any, "Sessions that last").query(OF_USER).gives(wire_list::<SessionInfo>()),
        Operation::post(Access::Any, "Begins a session of the caller and gives its token")
            .creates(wire::<NewSession>()),
        Operation::delete(Access::Any, "Ends all sessions: logs out everywhere")
            .query(OF_USER)
            .gives(wire::<SessionsEnded>()),
    ],
);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[SESSIONS];
