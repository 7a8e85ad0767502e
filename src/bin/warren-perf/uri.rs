//! `amqp://user:password@host:port/vhost`, taken apart.

use std::str::FromStr;

use percent_encoding::percent_decode_str;

use crate::wire::ShortString;

/// Where to connect, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uri {
    /// Name or address.
    pub host: String,
    /// 5672 unless given.
    pub port: u16,
    /// `guest` unless given.
    pub user: String,
    /// `guest` unless given.
    pub password: String,
    /// `/` unless given.
    pub vhost: ShortString,
}

/// Why a text is not such a URI.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum UriError {
    #[error("it must start with amqp:// (TLS is not offered by this tool)")]
    Scheme,
    #[error("the port `{0}` is not a number up to 65535")]
    Port(String),
    #[error("the host is missing")]
    Host,
    #[error("the {0} is not valid UTF-8 after percent-decoding")]
    Encoding(&'static str),
    #[error("the vhost is longer than 255 bytes")]
    Vhost,
}

fn decoded(text: &str, part: &'static str) -> Result<String, UriError> {
    percent_decode_str(text).decode_utf8().map(String::from).map_err(|_| UriError::Encoding(part))
}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let rest = text.strip_prefix("amqp://").ok_or(UriError::Scheme)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let (login, address) = authority.rsplit_once('@').map_or((None, authority), |(l, a)| (Some(l), a));
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
            Some((user, password)) => (decoded(user, "user")?, decoded(password, "password")?),
            None => ("guest".to_owned(), "guest".to_owned()),
        };
        let (host, port) = match address.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => address.rsplit_once(':').map_or((address, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() {
            return Err(UriError::Host);
        }
        let port = match port {
            None | Some("") => 5672,
            Some(port) => port.parse().map_err(|_| UriError::Port(port.to_owned()))?,
        };
        let vhost = if path.is_empty() { "/".to_owned() } else { decoded(path, "vhost")? };
        let vhost = ShortString::try_from(vhost).map_err(|_| UriError::Vhost)?;
        Ok(Self { host: host.to_owned(), port, user, password, vhost })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: (&str, u16, &str, &str, &str)) {
        let u = text.parse::<Uri>().unwrap();
        assert_eq!(
            (u.host.as_str(), u.port, u.user.as_str(), u.password.as_str(), u.vhost.as_str()),
            expected,
            "{text}"
        );
    }

    fn check_refused(text: &str, expected: &UriError) {
        assert_eq!(text.parse::<Uri>().as_ref(), Err(expected), "{text}");
    }

    #[test]
    fn parts_are_found_decoded_and_defaulted() {
        check("amqp://localhost", ("localhost", 5672, "guest", "guest", "/"));
        check("amqp://h:5692/", ("h", 5692, "guest", "guest", "/"));
        check("amqp://h/%2f", ("h", 5672, "guest", "guest", "/"));
        check("amqp://h/v?heartbeat=5", ("h", 5672, "guest", "guest", "v"));
        check("amqp://a%40b:p%3aw@h:1/v%201", ("h", 1, "a@b", "p:w", "v 1"));
        check("amqp://me@[::1]:7/x", ("::1", 7, "me", "", "x"));
        check("amqp://[::1]", ("::1", 5672, "guest", "guest", "/"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        check_refused("http://h", &UriError::Scheme);
        check_refused("amqp://h:99999", &UriError::Port("99999".into()));
        check_refused("amqp:///v", &UriError::Host);
        check_refused("amqp://u:%ff@h", &UriError::Encoding("password"));
        check_refused(&format!("amqp://h/{}", "v".repeat(256)), &UriError::Vhost);
    }
}
