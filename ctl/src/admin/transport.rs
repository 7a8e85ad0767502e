//! Requests of `rabbitmqadmin`: a method, a path, a body.
//!
//! Knows nothing of what is asked.

use std::time::Duration;

use openapi::Method;
use serde_json::Value;

use crate::admin::settings::Settings;
use crate::client::{Client, Reply, Request, Trouble};
use crate::target::Route;

/// A connection to the API.
pub struct Transport {
    client: Client,
    wait: Duration,
}

impl Transport {
    /// A connection; nothing is sent yet.
    ///
    /// # Errors
    /// When a certificate is of no use.
    pub fn new(settings: &Settings) -> Result<Self, Trouble> {
        let route = Route::Http {
            base: settings.base(),
            credentials: Some((settings.user.clone(), settings.password.clone())),
            tls: settings.tls_options.clone(),
        };
        Ok(Self { client: Client::new(&route)?, wait: Duration::from_secs(settings.timeout_seconds) })
    }

    /// Asks; the path begins behind `/api`.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Reply, Trouble> {
        let path = format!("/api{path}");
        self.client.send(&Request { body, ..Request::new(method, &path) }, self.wait)
    }
}

/// A name as part of a path.
pub fn segment(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}
