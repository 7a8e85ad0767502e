//! Addresses of an HTTP API: `http://user:password@host:port/prefix`, and shorter forms.
//!
//! Owns taking one apart. Knows nothing of where it came from.

use crate::exit::{Failure, Kind};

/// Port of the management API where an address names none.
const PORT: &str = ":15672";

/// The same over TLS.
const TLS_PORT: &str = ":15671";

/// An address taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Scheme, host, port and what stands before `/api`.
    pub base: String,
    /// User name.
    pub user: Option<String>,
    /// Password.
    pub password: Option<String>,
}

/// Takes an address apart; without a scheme it is `http`, without a port that of the management API.
///
/// # Errors
/// When the scheme is another one, there is no host, or the port is none.
pub fn parse(uri: &str) -> Result<Address, Failure> {
    let bad = |why: &str| Failure::plain(Kind::Usage, format!("Error: --uri {}: {why}", masked(uri))).before_banner();
    let (scheme, rest) = uri.split_once("://").unwrap_or(("http", uri));
    let default_port = match scheme {
        "http" => PORT,
        "https" => TLS_PORT,
        _ => return Err(bad("the scheme must be http or https")),
    };
    let (authority, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let prefix = prefix.trim_end_matches('/');
    let prefix = prefix.strip_suffix("/api").unwrap_or(prefix);
    let (user_info, host) = match authority.rsplit_once('@') {
        Some((info, host)) => (Some(info), host),
        None => (None, authority),
    };
    if host.is_empty() || host.starts_with(':') {
        return Err(bad("there is no host"));
    }
    // The colons of an IPv6 address stand in brackets.
    let port = match host.rsplit(']').next().and_then(|end| end.rsplit_once(':')) {
        Some((_, port)) if port.parse::<u16>().is_ok_and(|port| port > 0) => "",
        Some((_, port)) => return Err(bad(&format!("{port:?} is no port"))),
        None => default_port,
    };
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (user, password) = match user_info.map(|info| info.split_once(':').ok_or(info)) {
        Some(Ok((user, password))) => (Some(decode(user)), Some(decode(password))),
        // The password comes from elsewhere.
        Some(Err(user)) => (Some(decode(user)), None),
        None => (None, None),
    };
    Ok(Address { base: format!("{scheme}://{host}{port}{prefix}"), user, password })
}

/// An address without its password, to be shown.
fn masked(uri: &str) -> String {
    let Some((before, host)) = uri.rsplit_once('@') else { return uri.to_owned() };
    let start = before.find("://").map_or(0, |at| at + 3);
    match before[start..].find(':') {
        Some(colon) => format!("{}:***@{host}", &before[..start + colon]),
        None => uri.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_completed() {
        for (uri, base) in [
            ("http://h", "http://h:15672"),
            ("https://h", "https://h:15671"),
            ("h:1", "http://h:1"),
            ("http://[::1]", "http://[::1]:15672"),
            ("http://[::1]:9/", "http://[::1]:9"),
            ("http://h:1/rabbit/api/", "http://h:1/rabbit"),
        ] {
            assert_eq!(parse(uri).map(|address| address.base), Ok(base.to_owned()), "{uri}");
        }
        let whole = parse("https://a%40b:p%3Aq@h:1/api").expect("an address");
        assert_eq!(whole.user.as_deref(), Some("a@b"));
        assert_eq!(whole.password.as_deref(), Some("p:q"));
        let half = parse("http://a@h").expect("an address");
        assert_eq!((half.user.as_deref(), half.password), (Some("a"), None));
    }

    #[test]
    fn what_is_no_address_is_refused_without_showing_the_password() {
        for uri in
            ["amqp://u:secret@h", "http://u:secret@", "http://", "http://:15672", "http://u:secret@h:99999", "h:0"]
        {
            let failure = parse(uri).expect_err("refused");
            assert_eq!(failure.kind, Kind::Usage, "{uri}");
            assert!(!failure.text.contains("secret"), "{}", failure.text);
        }
    }
}
