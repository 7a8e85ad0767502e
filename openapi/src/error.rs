//! The body of a refusal.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What every refusal with a body says. `reason` is text, except that the reference's
/// clients have also learned to live with arrays. Both are the reference's and come first;
/// what follows is for whoever wants to know more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// The class: `bad_request`, `not_found`, `Object Not Found`, `not_authorised`, …
    pub error: String,
    /// What is wrong.
    pub reason: serde_json::Value,
    /// A word for programs; it stays the same when texts are changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What the refusal is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ErrorObject>,
    /// Which rule refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<ErrorRule>,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The thing a refusal is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorObject {
    /// `queue`, `exchange`, `vhost`, `user`, …
    pub kind: String,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its virtual host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vhost: Option<String>,
    /// In an import: the list it stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// In an import: where it stands in its list, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// In an import: the field that is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl ErrorObject {
    /// A thing without a name.
    #[must_use]
    pub fn of_kind(kind: &str) -> Self {
        Self { kind: kind.to_owned(), ..Self::default() }
    }

    /// A thing with a name.
    #[must_use]
    pub fn named(kind: &str, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..Self::of_kind(kind) }
    }
}

/// The rule that refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorRule {
    /// `permission`, `topic_permission`, `tag`, `limit`, `equivalence`, `condition`, `setting`, …
    pub kind: String,
    /// Which of its kind: `configure`, `max-queues`, the argument that differs.
    pub name: String,
    /// The pattern that was held against the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The value of a limit or setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<serde_json::Value>,
    /// What was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<String>,
    /// What is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
}

impl ErrorRule {
    /// A rule by its name.
    #[must_use]
    pub fn named(kind: &str, name: &str) -> Self {
        Self { kind: kind.to_owned(), name: name.to_owned(), ..Self::default() }
    }
}

/// `error` of everything asked of a node whose application is stopped.
pub const APP_STOPPED: &str = "app_stopped";

/// `error` of a reset asked of a node whose application runs.
pub const APP_RUNNING: &str = "app_running";
