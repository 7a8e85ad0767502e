//! Types of settings: text in, checked value out.
//!
//! Owns how a number, a size, an address or a choice is spelled. It does not know keys.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;

use api::RETENTION_S_MAX;
use broker::domain::amount::parse_bytes;
use http::HeaderValue;

use super::Config;

/// The type of a setting, and where a value of it goes. The word that stands for the
/// `$name` part of the key is handed on; it is empty for other keys.
#[derive(Clone, Copy)]
pub enum Set {
    /// A whole number.
    Number(u32, u32, fn(&mut Config, u32)),
    /// A whole number, or `infinity`, which limits nothing.
    NumberOrInfinity(fn(&mut Config, Option<u32>)),
    /// Bytes; `KB`, `MB`, `GB` count by 1024, as `frame_max` is spelled.
    Size(u32, u32, fn(&mut Config, u32)),
    /// Bytes; `k`, `M`, `G`, `T` count by 1000, `Ki`, `Mi`, `Gi`, `Ti` by 1024, as watermarks are spelled.
    Amount(fn(&mut Config, u64)),
    /// A share of 1.
    Share(f64, fn(&mut Config, f64)),
    /// Seconds between samples, under an age up to which they are kept.
    Retention(fn(&mut Config, u32, u32)),
    /// `true` or `false`.
    Flag(fn(&mut Config, &str, bool)),
    /// One of a few words.
    Choice(&'static [&'static str], fn(&mut Config, &str)),
    /// Any text.
    Text(fn(&mut Config, &str, &str)),
    /// The value of an HTTP header.
    Header(fn(&mut Config, HeaderValue)),
    /// What stands before every path of the HTTP API or the metrics.
    PathPrefix(fn(&mut Config, String)),
    /// Text that must not be shown.
    Secret(fn(&mut Config, &str)),
    /// A version with exactly three numbers: clients parse it.
    Version(fn(&mut Config, &str)),
    /// `PORT` or `ADDRESS:PORT`.
    Listener(fn(&mut Config, &str, SocketAddr)),
    /// `PORT` or `ADDRESS:PORT`, or `none`.
    ListenerOrNone(fn(&mut Config, Option<SocketAddr>)),
    /// An IP address.
    Address(fn(&mut Config, IpAddr)),
    /// A file or folder.
    Path(fn(&mut Config, PathBuf)),
}

impl Set {
    /// The type in words, for the documentation and for complaints.
    pub fn type_name(self) -> String {
        match self {
            Self::Number(min, max, _) => format!("number from {min} to {max}"),
            Self::NumberOrInfinity(_) => "number, or `infinity`".to_owned(),
            Self::Size(min, max, _) => format!("bytes from {min} to {max}, or with KB, MB, GB"),
            Self::Amount(_) => "bytes, or with k, M, G, T, Ki, Mi, Gi, Ti".to_owned(),
            Self::Share(max, _) => format!("number over 0, up to {max}"),
            Self::Retention(_) => {
                format!("seconds from 1 to {RETENTION_S_MAX}, for `minute`, `hour`, `day` or as many seconds")
            }
            Self::Flag(_) => "true or false".to_owned(),
            Self::Choice(words, _) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
            Self::Text(_) => "text".to_owned(),
            Self::Header(_) => "value of an HTTP header".to_owned(),
            Self::PathPrefix(_) => "path of visible ASCII characters, without `?`, `#` and `%`".to_owned(),
            Self::Secret(_) => "secret text".to_owned(),
            Self::Version(_) => "version X.Y.Z".to_owned(),
            Self::Listener(_) => "PORT or ADDRESS:PORT".to_owned(),
            Self::ListenerOrNone(_) => "PORT or ADDRESS:PORT, or `none`".to_owned(),
            Self::Address(_) => "IP address".to_owned(),
            Self::Path(_) => "path".to_owned(),
        }
    }

    /// Reads `value` and puts it where it goes; false when it is not of the type.
    pub fn put(self, config: &mut Config, word: &str, value: &str) -> bool {
        let done = match self {
            Self::Number(min, max, put) => {
                value.parse().ok().filter(|n| (min..=max).contains(n)).map(|n| put(config, n))
            }
            Self::NumberOrInfinity(put) => {
                let number = if value == "infinity" { Some(None) } else { value.parse().ok().map(Some) };
                number.map(|number| put(config, number))
            }
            Self::Size(min, max, put) => size(value)
                .and_then(|n| u32::try_from(n).ok())
                .filter(|n| (min..=max).contains(n))
                .map(|n| put(config, n)),
            Self::Amount(put) => parse_bytes(value).map(|n| put(config, n)),
            Self::Share(max, put) => {
                value.parse().ok().filter(|share| *share > 0.0 && *share <= max).map(|share| put(config, share))
            }
            Self::Retention(put) => age_s(word).zip(seconds(value)).map(|(age, distance)| put(config, age, distance)),
            Self::Flag(put) => value.parse().ok().map(|flag| put(config, word, flag)),
            Self::Choice(words, put) => words.contains(&value).then(|| put(config, value)),
            Self::Text(put) => Some(value).map(|text| put(config, word, text)),
            Self::Header(put) => HeaderValue::from_str(value).ok().map(|value| put(config, value)),
            Self::PathPrefix(put) => api::path_prefix(value).map(|prefix| put(config, prefix)),
            // An encrypted value taken literally would be a password everybody can read.
            Self::Secret(put) => (!value.starts_with("encrypted:")).then(|| put(config, value)),
            Self::Version(put) => is_version(value).then(|| put(config, value)),
            Self::Listener(put) => listener(value).map(|address| put(config, word, address)),
            Self::ListenerOrNone(put) => {
                let wanted = if value == "none" { Some(None) } else { listener(value).map(Some) };
                wanted.map(|address| put(config, address))
            }
            Self::Address(put) => value.parse().ok().map(|address| put(config, address)),
            Self::Path(put) => Some(PathBuf::from(value)).map(|path| put(config, path)),
        };
        done.is_some()
    }

    /// Whether values must be kept out of messages.
    pub fn is_secret(self) -> bool {
        matches!(self, Self::Secret(_))
    }
}

/// All addresses of this host: IPv6 with IPv4 inside where there is IPv6, as the reference listens.
pub fn any_address() -> IpAddr {
    if UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok() {
        Ipv6Addr::UNSPECIFIED.into()
    } else {
        Ipv4Addr::UNSPECIFIED.into()
    }
}

/// Seconds over which samples can be kept.
fn seconds(value: &str) -> Option<u32> {
    value.parse().ok().filter(|seconds| (1..=RETENTION_S_MAX).contains(seconds))
}

/// An age in seconds, or in a word.
fn age_s(word: &str) -> Option<u32> {
    match word {
        "minute" => Some(60),
        "hour" => Some(3600),
        "day" => Some(24 * 3600),
        other => seconds(other),
    }
}

fn listener(value: &str) -> Option<SocketAddr> {
    if let Ok(port) = value.parse() {
        return Some(SocketAddr::new(any_address(), port));
    }
    // The last colon separates, so that `::1:5672` is the address `::1`.
    let (address, port) = value.rsplit_once(':')?;
    let address = address.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(address);
    Some(SocketAddr::new(address.parse().ok()?, port.parse().ok()?))
}

fn size(value: &str) -> Option<u64> {
    scaled(value, |unit| {
        Some(match unit.to_ascii_lowercase().as_str() {
            "" => 1,
            "kb" => 1 << 10,
            "mb" => 1 << 20,
            "gb" => 1 << 30,
            _ => return None,
        })
    })
}

fn scaled(value: &str, factor: impl Fn(&str) -> Option<u64>) -> Option<u64> {
    let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    number.parse::<u64>().ok()?.checked_mul(factor(unit)?)
}

fn is_version(value: &str) -> bool {
    let parts: Vec<_> = value.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_count_by_1024() {
        for (value, bytes) in [
            ("10", Some(10)),
            ("1MB", Some(1_048_576)),
            ("1mb", Some(1_048_576)),
            ("1MiB", None),
            ("2G", None),
            ("10B", None),
            ("1 GB", None),
            ("-1", None),
            ("", None),
            ("99999999999999999999", None),
            ("18446744073709551615kb", None),
        ] {
            assert_eq!(size(value), bytes, "{value}");
        }
    }

    #[test]
    fn listeners_are_a_port_or_an_address_and_a_port() {
        let shown = |value| listener(value).map(|address| address.to_string());
        assert_eq!(listener("5672").map(|a| a.port()), Some(5672));
        assert_eq!(shown("127.0.0.1:5673").as_deref(), Some("127.0.0.1:5673"));
        assert_eq!(shown("::1:5672").as_deref(), Some("[::1]:5672"));
        assert_eq!(shown("[::1]:5672").as_deref(), Some("[::1]:5672"));
        for wrong in ["70000", "localhost:5672", "127.0.0.1", "127.0.0.1:", ":5672", "x"] {
            assert_eq!(listener(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn versions_have_exactly_three_numbers() {
        assert!(is_version("4.3.5"));
        for wrong in ["4.3", "4.3.5.1", "4.3.5-rc.1", "v4.3.5", "4..5"] {
            assert!(!is_version(wrong), "{wrong}");
        }
    }
}
