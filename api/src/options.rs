//! How the HTTP API may be configured: where it stands, who may read it from a browser,
//! which headers answers bear and how large a request may be.
//!
//! Knows no resource; the server binary fills it from its configuration.

use std::time::Duration;

use http::HeaderName;
use http::HeaderValue;
use http::header;

use crate::cors::Cors;
use crate::session::LIFETIME_INITIAL;

/// Largest accepted request body when nothing is configured, in bytes.
const BODY_BYTES_INITIAL: usize = 10_000_000;

/// Largest request body that can be configured, in bytes.
pub const BODY_BYTES_LIMIT: usize = 1 << 30;

const POLICY_INITIAL: HeaderValue = HeaderValue::from_static("script-src 'self'; object-src 'self'");

/// How long the clients of a listener may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// From when a connection is ready for a request until its head is there; so also how
    /// long a connection may wait between two requests.
    pub request: Duration,
    /// Between two pieces of a body.
    pub idle: Duration,
    /// While nothing goes either way, whatever is waited for.
    pub inactivity: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { request: Duration::from_secs(30), idle: Duration::from_secs(60), inactivity: Duration::from_secs(300) }
    }
}

/// Options of the HTTP API.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Stands before every path; see [`path_prefix`].
    pub path_prefix: String,
    /// Pages of other origins that may call.
    pub cors: Cors,
    /// Largest accepted request body, in bytes.
    pub body_bytes_max: usize,
    /// How long a login lasts.
    pub session_lifetime: Duration,
    /// Whether `Allow` is left out of answers.
    pub hides_allow: bool,
    /// Value of `Content-Security-Policy`.
    pub content_security_policy: HeaderValue,
    /// Further headers of every answer.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            path_prefix: String::new(),
            cors: Cors::default(),
            body_bytes_max: BODY_BYTES_INITIAL,
            session_lifetime: LIFETIME_INITIAL,
            hides_allow: false,
            content_security_policy: POLICY_INITIAL,
            headers: Vec::new(),
        }
    }
}

impl HttpOptions {
    /// As the control socket answers: tools know where to find it, and no browser does.
    pub(crate) fn for_control_socket(&self) -> Self {
        Self { body_bytes_max: self.body_bytes_max.max(BODY_BYTES_INITIAL), ..Self::default() }
    }

    /// A path without the prefix; `None` when it stands outside.
    pub(crate) fn within<'a>(&self, path: &'a str) -> Option<&'a str> {
        let rest = path.strip_prefix(self.path_prefix.as_str())?;
        (rest.is_empty() || rest.starts_with('/')).then_some(rest)
    }

    /// Has `name` set to `value` on every answer.
    pub fn put_header(&mut self, name: HeaderName, value: HeaderValue) {
        if name == header::CONTENT_SECURITY_POLICY {
            self.content_security_policy = value;
        } else {
            self.headers.retain(|(own, _)| *own != name);
            self.headers.push((name, value));
        }
    }
}

/// A prefix as written by an operator, in the form that is compared: a slash before it
/// and none behind. `None` when it cannot stand in a path.
#[must_use]
pub fn path_prefix(text: &str) -> Option<String> {
    let trimmed = text.trim_matches('/');
    let fits = trimmed.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'%'));
    match (fits, trimmed.is_empty()) {
        (false, _) => None,
        (true, true) => Some(String::new()),
        (true, false) => Some(format!("/{trimmed}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_taken_however_its_slashes_are_written() {
        for (written, prefix) in [
            ("", Some("")),
            ("/", Some("")),
            ("mq", Some("/mq")),
            ("/mq/", Some("/mq")),
            ("/a/b", Some("/a/b")),
            ("a b", None),
            ("a?b", None),
            ("水", None),
        ] {
            assert_eq!(path_prefix(written).as_deref(), prefix, "{written}");
        }
    }

    #[test]
    fn only_paths_below_the_prefix_are_within() {
        let options = HttpOptions { path_prefix: "/mq".to_owned(), ..HttpOptions::default() };
        for (path, rest) in
            [("/mq/api/x", Some("/api/x")), ("/mq", Some("")), ("/mqx/api", None), ("/api", None), ("/", None)]
        {
            assert_eq!(options.within(path), rest, "{path}");
        }
        assert_eq!(HttpOptions::default().within("/api"), Some("/api"));
    }

    #[test]
    fn a_header_configured_twice_is_sent_once() {
        let mut options = HttpOptions::default();
        for value in ["DENY", "SAMEORIGIN"] {
            options.put_header(header::X_FRAME_OPTIONS, HeaderValue::from_static(value));
        }
        options.put_header(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
        assert_eq!(options.headers, [(header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"))]);
        assert_eq!(options.content_security_policy, "default-src 'none'");
    }
}
