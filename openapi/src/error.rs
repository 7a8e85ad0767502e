//! The body of a refusal.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What every refusal with a body says. `reason` is text, except that the reference's
/// clients have also learned to live with arrays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// The class: `bad_request`, `not_found`, `Object Not Found`, `not_authorised`, …
    pub error: String,
    /// What is wrong.
    pub reason: serde_json::Value,
}

/// `error` of everything asked of a node whose application is stopped.
pub const APP_STOPPED: &str = "app_stopped";

/// `error` of a reset asked of a node whose application runs.
pub const APP_RUNNING: &str = "app_running";
