//! Names in certificates as text.
//!
//! Owns how a distinguished name is spelled (RFC 4514, with the attribute names of the reference,
//! which are part of user names) and how the strings of certificates are read. Knows nothing of
//! logins.

use x509_cert::attr::{AttributeTypeAndValue, AttributeValue};
use x509_cert::der::{Encode as _, Tag, Tagged as _};
use x509_cert::name::{Name, RelativeDistinguishedName};

/// Names of attribute types by their number. Other types are shown by number.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "SERIALNUMBER"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "TITLE"),
    ("2.5.4.42", "GIVENNAME"),
    ("2.5.4.43", "INITIALS"),
    ("2.5.4.44", "GENERATIONQUALIFIER"),
    ("2.5.4.65", "PSEUDONYM"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "EMAILADDRESS"),
];

/// The number of the attribute type `commonName`.
const COMMON_NAME: &str = "2.5.4.3";

/// A whole name, the most special part first: `CN=name,O=organisation`.
pub(super) fn distinguished(name: &Name) -> String {
    let mut parts: Vec<_> = name.iter_rdn().map(part).collect();
    parts.reverse();
    parts.join(",")
}

/// The common names in the order of the certificate, as they are. `None` when there is none.
pub(super) fn common(name: &Name) -> Option<String> {
    let all = name.iter().filter(|attribute| attribute.oid.to_string() == COMMON_NAME);
    let texts: Vec<_> = all.filter_map(|attribute| text(&attribute.value)).collect();
    (!texts.is_empty()).then(|| texts.join(","))
}

/// One part; several attributes of it are joined by `+`.
fn part(part: &RelativeDistinguishedName) -> String {
    part.iter().map(attribute).collect::<Vec<_>>().join("+")
}

fn attribute(attribute: &AttributeTypeAndValue) -> String {
    let number = attribute.oid.to_string();
    let name = ATTRIBUTES.iter().find(|(known, _)| *known == number).map_or(number.as_str(), |(_, name)| name);
    let value = text(&attribute.value).map_or_else(|| bytes(&attribute.value), |text| escaped(&text));
    format!("{name}={value}")
}

/// A value that is no text: `#` and its encoding in hexadecimal digits (RFC 4514, 2.4).
fn bytes(value: &AttributeValue) -> String {
    let der = value.to_der().unwrap_or_default();
    der.iter().fold("#".to_owned(), |text, byte| text + &format!("{byte:02X}"))
}

/// The text of a value; `None` for what is no string.
pub(super) fn text(value: &AttributeValue) -> Option<String> {
    let content = value.value();
    match value.tag() {
        Tag::Utf8String | Tag::NumericString | Tag::PrintableString | Tag::Ia5String => {
            String::from_utf8(content.to_vec()).ok()
        }
        // In practice Latin 1.
        Tag::TeletexString => Some(content.iter().map(|byte| char::from(*byte)).collect()),
        // Two bytes a character.
        Tag::BmpString => {
            let units: Vec<_> = content.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
            String::from_utf16(&units).ok().filter(|_| content.len().is_multiple_of(2))
        }
        _ => None,
    }
}

/// A value with whatever would end it or is not printable marked. Bytes beyond ASCII are shown
/// as hexadecimal digits.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let last = value.len().saturating_sub(1);
    for (at, byte) in value.bytes().enumerate() {
        let is_special = match byte {
            b' ' => at == 0 || at == last,
            b'#' => at == 0,
            _ => b"\"+,;<>\\".contains(&byte),
        };
        match byte {
            _ if is_special => out.extend(['\\', char::from(byte)]),
            b' '..b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parts, their order and their names as the reference writes them.
    #[test]
    fn a_name_is_written_as_the_reference_writes_it() {
        for text in [
            "CN=client",
            "CN=\\ second,OU=x y\\ +CN=someone,O=Ac/me \\\"Q\\\" \\<x\\>\\;\\\\y=z,L=K\\C3\\B6ln\\, am Rhein,ST=Bayern,C=DE",
            "SERIALNUMBER=77,DC=example",
        ] {
            let name: Name = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(distinguished(&name), text);
        }
        assert_eq!(distinguished(&Name::default()), "");
        // Types without a name here are shown by number, values that are no text in their encoding.
        let name: Name = "CN=a,2.5.4.97=#0C056F72676964,2.5.4.99=#0500".parse().unwrap();
        assert_eq!(distinguished(&name), "CN=a,2.5.4.97=orgid,2.5.4.99=#0500");
        let name: Name = "CN=b\\,c,O=x,CN=a".parse().unwrap();
        assert_eq!(common(&name).as_deref(), Some("a,b,c"));
        assert_eq!(common(&"O=x".parse().unwrap()), None);
    }

    /// As the reference escapes.
    #[test]
    fn what_would_end_a_value_is_marked() {
        for (value, expected) in [
            ("plain", "plain"),
            ("", ""),
            (" ", "\\ "),
            (" second", "\\ second"),
            ("x y ", "x y\\ "),
            ("#hash#", "\\#hash#"),
            ("Ac/me \"Q\" <x>;\\y=z", "Ac/me \\\"Q\\\" \\<x\\>\\;\\\\y=z"),
            ("Köln, am Rhein", "K\\C3\\B6ln\\, am Rhein"),
            ("Dr~\n", "Dr\\7E\\0A"),
            ("a+b", "a\\+b"),
        ] {
            assert_eq!(escaped(value), expected, "{value}");
        }
    }
}
