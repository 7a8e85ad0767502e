//! Requests to the node: HTTP over its control socket, or over TCP with credentials.
//!
//! Owns the connection and turning transport trouble into failures. Decides nothing
//! about what an answer means; that is the command's.

use std::time::Duration;

use openapi::Method;
use serde_json::Value;

use crate::target::Route;

/// How long a request may take when the command has no time limit of its own.
pub const REQUEST_WAIT_MAX: Duration = Duration::from_secs(300);

/// Largest answer accepted, in bytes.
const ANSWER_BYTES_MAX: usize = 1 << 30;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The node cannot be reached; says what was tried.
    #[error("{0}")]
    Unreachable(String),
    /// It took longer than allowed.
    #[error("timed out")]
    TimedOut,
    /// The tool could not set itself up.
    #[error("{0}")]
    Setup(String),
}

/// An answer of the node.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The body; [`Value::Null`] when there is none.
    pub body: Value,
}

impl Reply {
    /// Whether it was done.
    #[must_use]
    pub const fn is_ok(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// The `reason` of a refusal.
    #[must_use]
    pub fn reason(&self) -> String {
        match &self.body["reason"] {
            Value::String(text) => text.clone(),
            Value::Null => match &self.body {
                Value::String(text) => text.clone(),
                _ => format!("the node answered with HTTP status {}", self.status),
            },
            other => other.to_string(),
        }
    }

    /// The `error` of a refusal.
    #[must_use]
    pub fn error(&self) -> &str {
        self.body["error"].as_str().unwrap_or_default()
    }
}

/// What people run into when they first name a node elsewhere, and what to do.
const HINTS: [(&str, &str); 3] = [
    ("invalid HTTP version", "; that is no HTTP API, whose port is 15672 usually"),
    ("InvalidContentType", "; the other side does not speak TLS: the scheme may be http"),
    ("UnknownIssuer", "; --ca-cert FILE trusts an authority of your own, --insecure anybody"),
];

/// A request.
pub struct Request<'a> {
    /// Its method.
    pub method: Method,
    /// Path and query.
    pub path: &'a str,
    /// Its body.
    pub body: Option<&'a Value>,
    /// User name and password other than the caller's own.
    pub credentials: Option<(&'a str, &'a str)>,
    /// Why; told to whom it concerns.
    pub reason: Option<&'a str>,
}

impl<'a> Request<'a> {
    /// A request with nothing but a path.
    pub const fn new(method: Method, path: &'a str) -> Self {
        Self { method, path, body: None, credentials: None, reason: None }
    }
}

/// A connection, made when the first request is.
pub struct Client {
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
    base: String,
    credentials: Option<(String, String)>,
    place: String,
}

impl Client {
    /// A client for that route; nothing is sent yet.
    pub fn new(route: &Route) -> Result<Self, Trouble> {
        // Name resolution and everything else a command needs happen on this one thread.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Trouble::Setup(error.to_string()))?;
        // Roots of the system are read only where they are needed: it takes longer than most commands.
        let tls = match route {
            Route::Http { base, tls, .. } if base.starts_with("https:") => tls.config().map_err(Trouble::Setup)?,
            _ => crate::tls::none().map_err(Trouble::Setup)?,
        };
        let builder = reqwest::Client::builder().no_proxy().tls_backend_preconfigured(tls);
        let (builder, base, credentials, place) = match route {
            Route::Socket(path) => {
                let place = format!("control socket {}", path.display());
                (builder.unix_socket(path.clone()), "http://localhost".to_owned(), None, place)
            }
            Route::Http { base, credentials, .. } => (builder, base.clone(), credentials.clone(), base.clone()),
            Route::Nowhere(why) => return Err(Trouble::Unreachable(why.clone())),
        };
        let http = builder.build().map_err(|error| Trouble::Setup(error.to_string()))?;
        Ok(Self { runtime, http, base, credentials, place })
    }

    /// Sends a request and waits for its answer.
    pub fn send(&self, asked: &Request, wait: Duration) -> Result<Reply, Trouble> {
        let method = match asked.method {
            Method::Get => reqwest::Method::GET,
            Method::Put => reqwest::Method::PUT,
            Method::Post => reqwest::Method::POST,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut request = self.http.request(method, format!("{}{}", self.base, asked.path)).timeout(wait);
        let own = self.credentials.as_ref().map(|(user, password)| (user.as_str(), password.as_str()));
        if let Some((user, password)) = asked.credentials.or(own) {
            request = request.basic_auth(user, Some(password));
        }
        if let Some(reason) = asked.reason {
            request = request.header("x-reason", reason.as_bytes());
        }
        if let Some(body) = asked.body {
            request = request.json(body);
        }
        self.runtime.block_on(async {
            let response = request.send().await.map_err(|error| self.trouble(&error))?;
            let status = response.status().as_u16();
            let bytes = response.bytes().await.map_err(|error| self.trouble(&error))?;
            if bytes.len() > ANSWER_BYTES_MAX {
                return Err(Trouble::Setup(format!("the answer is larger than {ANSWER_BYTES_MAX} bytes")));
            }
            let body = match serde_json::from_slice(&bytes) {
                Ok(body) => body,
                Err(_) if bytes.is_empty() => Value::Null,
                Err(_) => Value::String(String::from_utf8_lossy(&bytes).into_owned()),
            };
            Ok(Reply { status, body })
        })
    }

    fn trouble(&self, error: &reqwest::Error) -> Trouble {
        if error.is_timeout() {
            return Trouble::TimedOut;
        }
        let mut cause: &dyn std::error::Error = error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        let why = crate::tls::explained(cause).unwrap_or_else(|| {
            let cause = cause.to_string();
            let hint = HINTS.iter().find(|(text, _)| cause.contains(text)).map_or("", |(_, hint)| hint);
            format!("{cause}{hint}")
        });
        Trouble::Unreachable(format!("{}: {why}", self.place))
    }
}
