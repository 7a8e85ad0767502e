//! Which pages of other origins a browser may let call the API.
//!
//! The rules are the reference's, down to what a preflight is told, so a ready-made layer
//! does not fit: it answers preflights itself, without the `Allow` every answer bears.

use axum::http::{HeaderMap, HeaderValue, Method, header};

/// How long a browser may remember what a preflight said, in seconds, when nothing is configured.
const MAX_AGE_SECONDS_INITIAL: u32 = 1800;

/// Any origin, in the list of origins.
const ANY: &str = "*";

/// An origin that stands for many: sandboxed frames, local files. Never let in.
const OPAQUE: &str = "null";

/// Origins let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// Origins as browsers send them, or `*`. Empty: no page of another origin may call.
    pub allowed_origins: Vec<String>,
    /// How long a preflight holds, in seconds.
    pub max_age_seconds: u32,
}

impl Default for Cors {
    fn default() -> Self {
        Self { allowed_origins: Vec::new(), max_age_seconds: MAX_AGE_SECONDS_INITIAL }
    }
}

/// Why an origin is let in or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The request names no origin, an opaque one, or one that is not in the list.
    Refused,
    /// The origin is in the list: its pages may send credentials.
    Listed,
    /// Only `*` is in the list: pages may call, the browser's own credentials stay away.
    Any,
}

impl Cors {
    /// Whether pages of the origin in these headers may call.
    pub(crate) fn judge(&self, request: &HeaderMap) -> Verdict {
        let Some(origin) = request.get(header::ORIGIN) else { return Verdict::Refused };
        let is_allowed = |wanted: &[u8]| self.allowed_origins.iter().any(|allowed| allowed.as_bytes() == wanted);
        match origin.as_bytes() {
            name if name == OPAQUE.as_bytes() || name == ANY.as_bytes() => Verdict::Refused,
            name if is_allowed(name) => Verdict::Listed,
            _ if is_allowed(ANY.as_bytes()) => Verdict::Any,
            _ => Verdict::Refused,
        }
    }

    /// What to tell the browser that sent a request; `None`: nothing, its page may not call.
    pub(crate) fn grant(&self, method: &Method, request: &HeaderMap) -> Option<Grant> {
        let (origin, with_credentials) = match self.judge(request) {
            Verdict::Refused => return None,
            Verdict::Any => (HeaderValue::from_static(ANY), false),
            Verdict::Listed => (request.get(header::ORIGIN)?.clone(), true),
        };
        let preflight = (*method == Method::OPTIONS).then(|| Preflight {
            max_age_seconds: self.max_age_seconds,
            headers: request.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned(),
        });
        Some(Grant { origin, with_credentials, preflight })
    }
}

/// What the answer to a page that may call bears.
#[derive(Debug)]
pub(crate) struct Grant {
    origin: HeaderValue,
    with_credentials: bool,
    preflight: Option<Preflight>,
}

#[derive(Debug)]
struct Preflight {
    max_age_seconds: u32,
    /// Headers the page wants to send.
    headers: Option<HeaderValue>,
}

impl Grant {
    /// Adds it to an answer. `allow` is what the path allows.
    pub(crate) fn write(self, allow: &HeaderValue, answer: &mut HeaderMap) {
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, self.origin);
        if self.with_credentials {
            answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if let Some(Preflight { max_age_seconds, headers }) = self.preflight {
            answer.insert(header::ACCESS_CONTROL_MAX_AGE, max_age_seconds.into());
            answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allow.clone());
            if let Some(headers) = headers {
                answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, headers);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(origin: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, origin.parse().unwrap());
        headers.insert(header::ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_static("authorization"));
        headers
    }

    fn cors(origins: &[&str]) -> Cors {
        Cors { allowed_origins: origins.iter().map(|origin| (*origin).to_owned()).collect(), ..Cors::default() }
    }

    #[test]
    fn origins_are_let_in_as_listed() {
        for (allowed, origin, verdict) in [
            (&[][..], "http://a", Verdict::Refused),
            (&["http://a"][..], "http://a", Verdict::Listed),
            (&["http://a"][..], "http://b", Verdict::Refused),
            (&["http://a"][..], "http://a:80", Verdict::Refused),
            (&["*"][..], "http://b", Verdict::Any),
            (&["*", "http://a"][..], "http://a", Verdict::Listed),
            (&["*"][..], "null", Verdict::Refused),
            (&["null"][..], "null", Verdict::Refused),
            (&["*"][..], "*", Verdict::Refused),
        ] {
            assert_eq!(cors(allowed).judge(&from(origin)), verdict, "{allowed:?} {origin}");
        }
        assert_eq!(cors(&["*"]).judge(&HeaderMap::new()), Verdict::Refused);
    }

    #[test]
    fn a_preflight_is_told_methods_headers_and_age_and_a_request_is_not() {
        let allow = HeaderValue::from_static("GET, OPTIONS");
        let answer = |method: Method| {
            let mut answer = HeaderMap::new();
            cors(&["http://a"]).grant(&method, &from("http://a")).unwrap().write(&allow, &mut answer);
            answer
        };
        let preflight = answer(Method::OPTIONS);
        assert_eq!(preflight[header::ACCESS_CONTROL_ALLOW_ORIGIN], "http://a");
        assert_eq!(preflight[header::ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
        assert_eq!(preflight[header::ACCESS_CONTROL_ALLOW_METHODS], "GET, OPTIONS");
        assert_eq!(preflight[header::ACCESS_CONTROL_ALLOW_HEADERS], "authorization");
        assert_eq!(preflight[header::ACCESS_CONTROL_MAX_AGE], "1800");
        assert_eq!(answer(Method::GET).len(), 2);
    }
}
