//! The start of a connection: protocol header, credentials, tuning.

use super::frame::FRAME_MAX_MIN;
use super::reply::{ReplyCode, Violation};
use crate::domain::mechanism::Mechanism;
use crate::domain::value::{FieldTable, FieldValue};
use crate::domain::wire::Reader;

/// Length of the protocol header.
pub const HEADER_BYTES: usize = 8;

/// What the broker sends to a client that speaks something else.
pub const OUR_HEADER: [u8; HEADER_BYTES] = *b"AMQP\0\0\x09\x01";

/// Whether a protocol header asks for 0-9-1 (or 0-9, which differs in nothing that matters here).
#[must_use]
pub fn accepts_header(header: &[u8; HEADER_BYTES]) -> bool {
    header == &OUR_HEADER || header == b"AMQP\x01\x01\x00\x09"
}

/// What a client says of itself to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// User name and password.
    Password(String, String),
    /// The same in bytes that are not UTF-8, so that nobody has them.
    NotText,
    /// The user is the one of the certificate.
    Certificate,
}

/// The mechanism a client chose, of those that were offered.
///
/// # Errors
/// 503 for another one.
pub fn mechanism(name: &str, offered: &str) -> Result<Mechanism, Violation> {
    let refused = |kind: &str| {
        Err(Violation::connection(ReplyCode::CommandInvalid, format!("{kind} authentication mechanism '{name}'")))
    };
    match Mechanism::from_name(name) {
        Some(mechanism) if offered.split(' ').any(|one| one == name) => Ok(mechanism),
        Some(_) => refused("invalid"),
        None => refused("unknown"),
    }
}

/// Reads a SASL response.
///
/// # Errors
/// 502 for a response that cannot be read. The text does not repeat the response: there may be
/// a password in it.
pub fn login(mechanism: Mechanism, response: &[u8]) -> Result<Login, Violation> {
    let invalid = || {
        let text = format!("response of mechanism {} is invalid", mechanism.name());
        Violation::connection(ReplyCode::SyntaxError, text)
    };
    let (user, password) = match mechanism {
        // Acting for another identity is not offered, so what the response asks for does not matter.
        Mechanism::External => return Ok(Login::Certificate),
        Mechanism::Plain => {
            // Acting for another identity is not offered: nothing stands before the first NUL.
            let mut parts = response.split(|&byte| byte == 0);
            match (parts.next(), parts.next(), parts.next(), parts.next()) {
                (Some(b""), Some(user), Some(password), None) => (user.to_vec(), password.to_vec()),
                _ => return Err(invalid()),
            }
        }
        Mechanism::Amqplain => {
            let mut bytes = (response.len() as u32).to_be_bytes().to_vec();
            bytes.extend_from_slice(response);
            let table = Reader::new(&bytes).table().map_err(|_| invalid())?;
            match (table.get("LOGIN"), table.get("PASSWORD")) {
                (Some(FieldValue::LongString(user)), Some(FieldValue::LongString(password))) => {
                    (user.to_vec(), password.to_vec())
                }
                _ => return Err(invalid()),
            }
        }
    };
    Ok(match (String::from_utf8(user), String::from_utf8(password)) {
        (Ok(user), Ok(password)) => Login::Password(user, password),
        _ => Login::NotText,
    })
}

/// What both sides keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuned {
    /// Highest channel number.
    pub channel_max: u16,
    /// Largest frame, in bytes.
    pub frame_max: u32,
    /// Heartbeat interval in seconds; 0: none.
    pub heartbeat_s: u16,
}

/// Checks a `connection.tune-ok` against what was offered.
///
/// # Errors
/// 530 for a value outside what the broker takes.
pub fn tune(offered: Tuned, answered: Tuned) -> Result<Tuned, Violation> {
    let check = |name: &str, value: u32, min: u32, max: u32| {
        let refused = |text: String| Err(Violation::connection(ReplyCode::NotAllowed, text));
        if value == 0 && max != 0 {
            return refused(format!(
                "negotiated {name} = 0 (no limit) is higher than the maximum allowed value ({max})"
            ));
        }
        if value != 0 && value < min {
            return refused(format!("negotiated {name} = {value} is lower than the minimum allowed value ({min})"));
        }
        if max != 0 && value > max {
            return refused(format!("negotiated {name} = {value} is higher than the maximum allowed value ({max})"));
        }
        Ok(if value == 0 { u32::MAX } else { value })
    };
    let channel_max = check("channel_max", answered.channel_max.into(), 1, offered.channel_max.into())?;
    let frame_max = check("frame_max", answered.frame_max, FRAME_MAX_MIN, offered.frame_max)?;
    Ok(Tuned {
        channel_max: u16::try_from(channel_max).unwrap_or(u16::MAX),
        frame_max: frame_max.min(i32::MAX.unsigned_abs()),
        heartbeat_s: answered.heartbeat_s,
    })
}

/// Capabilities of the client that change what the broker does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Wants `basic.cancel` when a consumer ends on the broker's side.
    pub consumer_cancel_notify: bool,
    /// Wants to hear that it is blocked.
    pub connection_blocked: bool,
    /// Wants `connection.close` on a failed login.
    pub authentication_failure_close: bool,
}

impl Capabilities {
    /// Reads them from the client's properties.
    #[must_use]
    pub fn of(client_properties: &FieldTable) -> Self {
        let Some(FieldValue::Table(capabilities)) = client_properties.get("capabilities") else {
            return Self::default();
        };
        let has = |name: &str| capabilities.get(name) == Some(&FieldValue::Boolean(true));
        Self {
            consumer_cancel_notify: has("consumer_cancel_notify"),
            connection_blocked: has("connection.blocked"),
            authentication_failure_close: has("authentication_failure_close"),
        }
    }
}

/// What the broker says of itself.
#[must_use]
pub fn server_properties(cluster_name: &str, product: &str, version: &str, platform: &str) -> FieldTable {
    let capabilities = [
        "publisher_confirms",
        "exchange_exchange_bindings",
        "basic.nack",
        "consumer_cancel_notify",
        "connection.blocked",
        "consumer_priorities",
        "authentication_failure_close",
        "per_consumer_qos",
        "direct_reply_to",
    ];
    let capabilities = capabilities.into_iter().map(|name| (name.to_owned(), FieldValue::Boolean(true))).collect();
    [
        ("capabilities", FieldValue::Table(capabilities)),
        ("cluster_name", FieldValue::text(cluster_name)),
        ("copyright", FieldValue::text("Warren is licensed under Apache-2.0")),
        ("information", FieldValue::text("Licensed under Apache-2.0. See the README for compatibility.")),
        ("platform", FieldValue::text(platform)),
        ("product", FieldValue::text(product)),
        ("version", FieldValue::text(version)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFERED: Tuned = Tuned { channel_max: 2047, frame_max: 131_072, heartbeat_s: 60 };

    #[test]
    fn credentials_are_read_by_mechanism() {
        let ok = Ok(Login::Password("u".to_owned(), "p:\u{6c34}".to_owned()));
        assert_eq!(login(Mechanism::Plain, "\0u\0p:水".as_bytes()), ok);
        let mut response = Vec::new();
        for (name, value) in [("LOGIN", "u"), ("PASSWORD", "p:水")] {
            crate::domain::wire::write_short_string(&mut response, name);
            response.push(b'S');
            crate::domain::wire::write_long_string(&mut response, value.as_bytes());
        }
        assert_eq!(login(Mechanism::Amqplain, &response), ok);
        for response in [&b"nothing"[..], b"", b"\0u", b"other\0u\0p", b"\0u\0p\0more"] {
            let violation = login(Mechanism::Plain, response).unwrap_err();
            assert_eq!(
                (violation.code, violation.text.as_str()),
                (ReplyCode::SyntaxError, "response of mechanism PLAIN is invalid")
            );
        }
        assert_eq!(login(Mechanism::Plain, b"\0u\0"), Ok(Login::Password("u".to_owned(), String::new())));
        assert_eq!(login(Mechanism::Plain, b"\0\xff\0p"), Ok(Login::NotText));
        assert_eq!(login(Mechanism::External, b"another"), Ok(Login::Certificate));
    }

    #[test]
    fn a_mechanism_counts_when_it_was_offered() {
        let offered = "PLAIN AMQPLAIN";
        assert_eq!(mechanism("AMQPLAIN", offered), Ok(Mechanism::Amqplain));
        for (name, offered, text) in [
            ("X", offered, "unknown authentication mechanism 'X'"),
            ("plain", offered, "unknown authentication mechanism 'plain'"),
            ("", offered, "unknown authentication mechanism ''"),
            ("EXTERNAL", offered, "invalid authentication mechanism 'EXTERNAL'"),
            ("PLAIN", "AMQPLAIN", "invalid authentication mechanism 'PLAIN'"),
        ] {
            let violation = mechanism(name, offered).unwrap_err();
            assert_eq!((violation.code, violation.text.as_str()), (ReplyCode::CommandInvalid, text));
        }
    }

    #[test]
    fn tuning_is_checked_on_both_sides() {
        let tuned = |frame_max| tune(OFFERED, Tuned { frame_max, ..OFFERED });
        assert_eq!(tuned(4096).map(|tuned| tuned.frame_max), Ok(4096));
        assert_eq!(
            tuned(0).unwrap_err().text,
            "negotiated frame_max = 0 (no limit) is higher than the maximum allowed value (131072)"
        );
        assert_eq!(
            tuned(100).unwrap_err().text,
            "negotiated frame_max = 100 is lower than the minimum allowed value (4096)"
        );
        assert!(tuned(200_000).is_err());
    }
}
