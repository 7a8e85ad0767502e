//! THE table from what the broker refuses to HTTP status and body, and the refusals
//! that only exist in HTTP.

mod about;

use axum::http::StatusCode;
use broker::ErrorKind;
use openapi::error::ErrorBody;
use serde_json::{Value, json};

pub(crate) use about::About;

use crate::throttle::TooMany;

/// Why a request gets no success. `Display`-free on purpose: the body is the message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiError {
    /// The status.
    pub(crate) status: StatusCode,
    /// The reference's fields; `None` sends no body.
    pub(crate) body: Option<Value>,
    /// What there is to say beside them.
    pub(crate) about: Box<About>,
    /// Whether the answer asks for credentials.
    pub(crate) challenge: bool,
    /// When to ask again, in seconds.
    pub(crate) retry_after_seconds: Option<u64>,
    /// Whether the connection ends, because the request was not read to its end.
    pub(crate) closes: bool,
}

impl ApiError {
    /// A refusal with `error` and `reason`.
    pub(crate) fn new(status: StatusCode, error: &str, reason: impl Into<Value>) -> Self {
        let about = About::code(match error {
            "bad_request" => "bad_request",
            "Object Not Found" | "not_found" => "not_found",
            "not_authorised" => "not_authorised",
            "not_authorized" => "invalid_credentials",
            "service_unavailable" => "unavailable",
            "internal_server_error" => "internal",
            openapi::error::APP_STOPPED => openapi::error::APP_STOPPED,
            openapi::error::APP_RUNNING => openapi::error::APP_RUNNING,
            "request_timeout" => "request_timeout",
            "too_many_failed_logins" => "too_many_failed_logins",
            "precondition_failed" => "precondition_failed",
            "invalid_pagination_parameters" => "invalid_pagination_parameters",
            "page_out_of_range" => "page_out_of_range",
            _ => "refused",
        });
        let body = json!({ "error": error, "reason": reason.into() });
        Self { body: Some(body), about: Box::new(about), ..Self::bare(status) }
    }

    /// With more to say.
    pub(crate) fn about(self, about: About) -> Self {
        Self { about: Box::new(about), ..self }
    }

    /// What is sent: the reference's fields, and behind them what else there is to say.
    pub(crate) fn body(&self) -> Option<Value> {
        let Some(Value::Object(own)) = &self.body else { return self.body.clone() };
        let About { code, object, rule, hint } = (*self.about).clone();
        let text = |name: &str| own.get(name).cloned().unwrap_or_default();
        let error = text("error").as_str().unwrap_or_default().to_owned();
        let (code, reason) = (Some(code.to_owned()), text("reason"));
        serde_json::to_value(ErrorBody { error, reason, code, object, rule, hint }).ok()
    }

    /// A refusal without a body.
    pub(crate) fn bare(status: StatusCode) -> Self {
        Self { status, body: None, about: Box::default(), challenge: false, retry_after_seconds: None, closes: false }
    }

    /// The request is wrong.
    pub(crate) fn bad_request(reason: impl Into<Value>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", reason)
    }

    /// The body is larger than configured; it was not read.
    pub(crate) fn body_too_large(bytes_max: usize) -> Self {
        let about = About::setting("body_too_large", "management.http.max_body_size", bytes_max);
        Self { closes: true, ..Self::bad_request("Exceeded HTTP request body size limit").about(about) }
    }

    /// The body did not come in time.
    pub(crate) fn body_too_slow() -> Self {
        let reason = "the request body did not arrive in time";
        Self { closes: true, ..Self::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", reason) }
    }

    /// The answer was waited for long enough.
    pub(crate) fn not_answered_in_time() -> Self {
        Self::unavailable("the request was not answered in time; what it asks for may still happen")
    }

    /// The object the path names does not exist.
    pub(crate) fn no_object() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Object Not Found", "Not Found")
    }

    /// Something the request refers to does not exist.
    pub(crate) fn not_found(reason: impl Into<Value>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", reason)
    }

    /// The user is known and may not.
    pub(crate) fn not_authorised(reason: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "not_authorised", reason)
    }

    /// The user lacks a tag.
    pub(crate) fn needs_tag(tag: &str, reason: &str) -> Self {
        Self::not_authorised(reason).about(About::tag(tag))
    }

    /// The user may not see or change the object.
    pub(crate) fn not_authorised_object() -> Self {
        Self::not_authorised("User not authorised to access object")
    }

    /// The credentials are wrong.
    pub(crate) fn not_authorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "not_authorized", "Not_Authorized")
    }

    /// No credentials were given.
    pub(crate) fn no_credentials() -> Self {
        Self { challenge: true, ..Self::bare(StatusCode::UNAUTHORIZED) }
    }

    /// Too many wrong passwords of late, so this one was not looked at.
    pub(crate) fn too_many_failures(user: &str, refusal: TooMany) -> Self {
        let TooMany { of, seconds } = refusal;
        let reason = format!(
            "too many failed logins of this {of}: '{user}' was not checked; the next attempt is taken in {seconds} s"
        );
        let refused = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_failed_logins", reason);
        Self { retry_after_seconds: Some(seconds), ..refused }
    }

    /// The application is stopped.
    pub(crate) fn app_stopped() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            openapi::error::APP_STOPPED,
            "the application is stopped on this node; start_app starts it",
        )
    }

    /// Something cannot be done now.
    pub(crate) fn unavailable(reason: impl Into<Value>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", reason)
    }

    /// A defect of ours.
    pub(crate) fn internal(reason: impl Into<Value>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_server_error", reason)
    }
}

impl From<broker::Error> for ApiError {
    fn from(error: broker::Error) -> Self {
        let about = About::from(&error);
        Self::as_answered(&error).about(about)
    }
}

impl ApiError {
    /// Status and fields as the reference answers.
    fn as_answered(error: &broker::Error) -> Self {
        use broker::Error;
        let reason = error.to_string();
        match error.kind() {
            ErrorKind::NotFound => match error {
                Error::NoSuchUser(_) | Error::NoSuchObject { .. } => Self::no_object(),
                _ => Self::not_found(reason),
            },
            ErrorKind::AccessRefused => Self::not_authorised("Access refused."),
            ErrorKind::ResourceLocked
            | ErrorKind::InvalidValue
            | ErrorKind::NotImplemented
            | ErrorKind::FeatureDenied => Self::bad_request(reason),
            ErrorKind::PreconditionFailed => match error {
                Error::ProtectedVhost(_) => Self::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", reason),
                _ => Self::bad_request(reason),
            },
            ErrorKind::NotAllowed => match error {
                Error::NoSuchVhost(_) => Self::not_found("vhost_not_found"),
                Error::VhostAccessRefused { .. } => Self::not_authorised("Access refused."),
                _ => Self::bad_request(reason),
            },
            ErrorKind::LoginRefused => match error {
                Error::LoopbackOnly(_) => Self::not_authorised("User can only log in via localhost"),
                _ => Self::not_authorized(),
            },
            ErrorKind::Unavailable => Self::unavailable(reason),
            ErrorKind::Internal => Self::internal(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use broker::domain::name::{ExchangeName, QueueName, UserName, VhostName};
    use broker::{Error, Operation, Resource};

    use super::*;

    fn queue() -> Resource {
        Resource::Queue(VhostName::new("/").unwrap(), QueueName::new("q").unwrap())
    }

    fn exchange() -> Resource {
        Resource::Exchange(VhostName::new("/").unwrap(), ExchangeName::new("x").unwrap())
    }

    fn check(error: Error, status: u16, expected: Value) {
        let error = ApiError::from(error);
        assert_eq!((error.status.as_u16(), error.body), (status, Some(expected)));
    }

    /// One row per arm, as the reference answers.
    #[test]
    fn broker_errors_become_the_references_answers() {
        let user = UserName::new("u").unwrap();
        let vhost = VhostName::new("v").unwrap();
        let object = json!({"error": "Object Not Found", "reason": "Not Found"});
        check(Error::NoSuchUser(user.clone()), 404, object);
        check(Error::NoSuch(exchange()), 404, json!({"error": "not_found", "reason": "no exchange 'x' in vhost '/'"}));
        check(
            Error::AccessRefused {
                operation: Operation::Configure,
                resource: queue(),
                user: user.clone(),
                pattern: None,
            },
            401,
            json!({"error": "not_authorised", "reason": "Access refused."}),
        );
        check(Error::InUse(queue()), 400, json!({"error": "bad_request", "reason": "queue 'q' in vhost '/' in use"}));
        check(
            Error::ProtectedVhost(vhost.clone()),
            412,
            json!({
                "error": "precondition_failed",
                "reason": "Refusing to delete virtual host 'v' because it is protected from deletion"
            }),
        );
        check(Error::NoSuchVhost(vhost.clone()), 404, json!({"error": "not_found", "reason": "vhost_not_found"}));
        check(
            Error::VhostAccessRefused { vhost, user },
            401,
            json!({"error": "not_authorised", "reason": "Access refused."}),
        );
        check(Error::NotAllowed("no".into()), 400, json!({"error": "bad_request", "reason": "no"}));
        check(
            Error::LoopbackOnly("guest".into()),
            401,
            json!({"error": "not_authorised", "reason": "User can only log in via localhost"}),
        );
        check(
            Error::InvalidCredentials("u".into()),
            401,
            json!({"error": "not_authorized", "reason": "Not_Authorized"}),
        );
        check(Error::Unavailable("x".into()), 503, json!({"error": "service_unavailable", "reason": "x"}));
        check(Error::Internal("x".into()), 500, json!({"error": "internal_server_error", "reason": "x"}));
    }
}
