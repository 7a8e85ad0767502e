//! Components of runtime parameters: which there are, and what their values must hold.
//!
//! A component is a list of fields, each with a check, plus rules that look at several
//! fields. Refusals are the reference's: unknown fields first, then the rules, then
//! missing and ill-typed fields in name order.

use super::parameter::{Document, as_term, validation_failed};
use crate::error::Error;

/// What a field's value must be.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Number,
    Boolean,
    OneOf(&'static [&'static str]),
    /// One AMQP URI or a list of them.
    Uris,
    /// An object; its content is somebody else's.
    Object,
    /// Anything.
    Any,
}

#[derive(Debug, Clone, Copy)]
struct Field {
    name: &'static str,
    kind: Kind,
    required: bool,
}

const fn optional(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: false }
}

const fn required(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: true }
}

const ACK_MODES: Kind = Kind::OneOf(&["no-ack", "on-publish", "on-confirm"]);
const PROTOCOLS: Kind = Kind::OneOf(&["amqp091", "amqp10", "local"]);

/// An upstream of federation.
#[rustfmt::skip]
const FEDERATION_UPSTREAM: &[Field] = &[
    optional("ack-mode", ACK_MODES),
    optional("bind-nowait", Kind::Boolean),
    optional("channel-use-mode", Kind::OneOf(&["multiple", "single"])),
    optional("consumer-tag", Kind::Text),
    optional("exchange", Kind::Text),
    optional("expires", Kind::Number),
    optional("ha-policy", Kind::Text),
    optional("max-hops", Kind::Number),
    optional("message-ttl", Kind::Number),
    optional("prefetch-count", Kind::Number),
    optional("queue", Kind::Text),
    optional("queue-type", Kind::OneOf(&["classic", "quorum"])),
    optional("reconnect-delay", Kind::Number),
    optional("resource-cleanup-mode", Kind::OneOf(&["default", "never"])),
    optional("trust-user-id", Kind::Boolean),
    required("uri", Kind::Uris),
];

/// One member of a set of upstreams: a name, and fields that take the upstream's place.
#[rustfmt::skip]
const FEDERATION_SET_MEMBER: &[Field] = &[
    optional("ack-mode", ACK_MODES),
    optional("bind-nowait", Kind::Boolean),
    optional("channel-use-mode", Kind::OneOf(&["multiple", "single"])),
    optional("consumer-tag", Kind::Text),
    optional("exchange", Kind::Text),
    optional("expires", Kind::Number),
    optional("max-hops", Kind::Number),
    optional("message-ttl", Kind::Number),
    optional("prefetch-count", Kind::Number),
    optional("queue", Kind::Text),
    optional("queue-type", Kind::OneOf(&["classic", "quorum"])),
    optional("reconnect-delay", Kind::Number),
    optional("resource-cleanup-mode", Kind::OneOf(&["default", "never"])),
    optional("trust-user-id", Kind::Boolean),
    required("upstream", Kind::Text),
];

/// A dynamic shovel.
#[rustfmt::skip]
const SHOVEL: &[Field] = &[
    optional("ack-mode", ACK_MODES),
    optional("dest-add-forward-headers", Kind::Boolean),
    optional("dest-add-timestamp-header", Kind::Boolean),
    optional("dest-address", Kind::Text),
    optional("dest-application-properties", Kind::Object),
    optional("dest-exchange", Kind::Text),
    optional("dest-exchange-key", Kind::Text),
    optional("dest-message-annotations", Kind::Object),
    optional("dest-predeclared", Kind::Boolean),
    optional("dest-properties", Kind::Object),
    optional("dest-protocol", PROTOCOLS),
    optional("dest-publish-properties", Kind::Object),
    optional("dest-queue", Kind::Text),
    optional("dest-queue-args", Kind::Object),
    required("dest-uri", Kind::Uris),
    optional("prefetch-count", Kind::Number),
    optional("reconnect-delay", Kind::Number),
    optional("src-address", Kind::Text),
    optional("src-consumer-args", Kind::Object),
    optional("src-consumer-name", Kind::Text),
    optional("src-delete-after", Kind::Any),
    optional("src-delete-after-duration", Kind::Number),
    optional("src-exchange", Kind::Text),
    optional("src-exchange-key", Kind::Text),
    optional("src-predeclared", Kind::Boolean),
    optional("src-prefetch-count", Kind::Number),
    optional("src-protocol", PROTOCOLS),
    optional("src-queue", Kind::Text),
    optional("src-queue-args", Kind::Object),
    required("src-uri", Kind::Uris),
];

/// Checks the value of a runtime parameter.
///
/// # Errors
/// [`Error::InvalidValue`] in the reference's words, everything that is wrong in one text.
pub fn check(component: &str, name: &str, value: &Document) -> Result<(), Error> {
    let refusals = match component {
        "federation-upstream" => fields(FEDERATION_UPSTREAM, name, value),
        "federation-upstream-set" => match value {
            Document::Array(members) => {
                members.iter().flat_map(|member| fields(FEDERATION_SET_MEMBER, name, member)).collect()
            }
            other => vec![format!("{name} should be a list, actually was {}", as_term(other))],
        },
        "federation" => vec![format!("name not recognised: {}", as_term(&name.into()))],
        "shovel" => {
            let mut refusals = shovel_ends(value);
            refusals.extend(fields(SHOVEL, name, value));
            refusals
        }
        _ => vec![format!("component {component} not found")],
    };
    if refusals.is_empty() { Ok(()) } else { Err(validation_failed(&refusals)) }
}

/// A shovel over AMQP 0-9-1 reads from an exchange or a queue, and writes to at most one of them.
fn shovel_ends(value: &Document) -> Vec<String> {
    let has = |field: &str| value.get(field).is_some();
    let mut refusals = Vec::new();
    if value.get("src-protocol").is_none_or(|protocol| protocol == "amqp091") {
        match (has("src-exchange"), has("src-queue")) {
            (false, false) => refusals.push("Must specify 'src-exchange' or 'src-queue'".to_owned()),
            (true, true) => refusals.push("Cannot specify 'src-exchange' and 'src-queue'".to_owned()),
            _ => {}
        }
    }
    if has("dest-exchange") && has("dest-queue") {
        refusals.push("Cannot specify 'dest-exchange' and 'dest-queue'".to_owned());
    }
    refusals
}

fn fields(known: &[Field], name: &str, value: &Document) -> Vec<String> {
    let empty = serde_json::Map::new();
    let object = match value {
        Document::Object(object) => object,
        Document::Array(values) if values.is_empty() => &empty,
        other => return vec![format!("{name} not a list {}", as_term(other))],
    };
    let mut refusals = Vec::new();
    let mut unknown: Vec<_> =
        object.iter().filter(|(key, _)| known.iter().all(|field| field.name != key.as_str())).collect();
    if !unknown.is_empty() {
        unknown.sort_by_key(|(key, _)| key.as_str());
        let terms: Vec<_> = unknown
            .iter()
            .map(|(key, value)| format!("{{{},{}}}", as_term(&key.as_str().into()), as_term(value)))
            .collect();
        refusals.push(format!("Unrecognised terms [{}] in {name}", terms.join(",")));
    }
    for field in known {
        match object.get(field.name) {
            None if field.required => refusals.push(format!("Key \"{}\" not found in {name}", field.name)),
            None => {}
            Some(value) => refusals.extend(refusal(field, value)),
        }
    }
    refusals
}

fn refusal(field: &Field, value: &Document) -> Option<String> {
    let name = field.name;
    let expected = match field.kind {
        Kind::Text if !value.is_string() => "a binary",
        Kind::Number if !value.is_number() => "a number",
        Kind::Boolean if !value.is_boolean() => "a boolean",
        Kind::Object if !value.is_object() => "a map",
        Kind::OneOf(allowed) if !value.as_str().is_some_and(|text| allowed.contains(&text)) => {
            let allowed: Vec<_> = allowed.iter().map(|text| format!("<<\"{text}\">>")).collect();
            return Some(format!("{name} should be one of [{}], actually was {}", allowed.join(","), as_term(value)));
        }
        Kind::Uris => return uris_refusal(name, value),
        _ => return None,
    };
    Some(format!("{name} should be {expected}, actually was {}", as_term(value)))
}

fn uris_refusal(name: &str, value: &Document) -> Option<String> {
    match value {
        Document::String(uri) => uri_refusal(uri),
        Document::Array(uris) if !uris.is_empty() => uris.iter().find_map(|uri| match uri.as_str() {
            Some(uri) => uri_refusal(uri),
            None => Some(format!("{name} should be a binary, actually was {}", as_term(uri))),
        }),
        other => Some(format!("{name} should be list, actually was {}", as_term(other))),
    }
}

fn uri_refusal(uri: &str) -> Option<String> {
    let problem = match uri.split_once("://") {
        None => "missing scheme",
        Some(("amqp" | "amqps", _)) => return None,
        Some(_) => "unexpected scheme",
    };
    Some(format!("\"{uri}\" not a valid URI: {problem}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(component: &str, name: &str, value: &Document, expected: Option<&str>) {
        let refusal = super::check(component, name, value).err().map(|error| error.to_string());
        let expected = expected.map(|text| format!("Validation failed\n\n{text}\n"));
        assert_eq!(refusal, expected, "{component} {value}");
    }

    #[test]
    fn values_are_checked_in_the_reference_words() {
        let up = "federation-upstream";
        check(up, "up1", &json!({"uri": "amqp://", "prefetch-count": 5}), None);
        check(up, "up1", &json!({"uri": ["amqp://a", "amqps://b"]}), None);
        check("federation-upstream-set", "s", &json!([{"upstream": "up1"}]), None);
        check(
            "shovel",
            "s",
            &json!({"src-uri": "amqp://", "dest-uri": "amqp://", "src-queue": "a", "dest-queue": "b"}),
            None,
        );
        for (component, value, expected) in [
            ("nosuch", json!(1), "component nosuch not found"),
            (up, json!({}), "Key \"uri\" not found in bad"),
            (up, json!([]), "Key \"uri\" not found in bad"),
            (up, json!("x"), "bad not a list <<\"x\">>"),
            (up, json!({"uri": "nonsense://"}), "\"nonsense://\" not a valid URI: unexpected scheme"),
            (up, json!({"uri": "amqp://", "bogus": 1}), "Unrecognised terms [{<<\"bogus\">>,1}] in bad"),
            (
                up,
                json!({"uri": "amqp://", "prefetch-count": "x"}),
                "prefetch-count should be a number, actually was <<\"x\">>",
            ),
            (
                up,
                json!({"uri": "amqp://", "ack-mode": "never"}),
                "ack-mode should be one of [<<\"no-ack\">>,<<\"on-publish\">>,<<\"on-confirm\">>], actually was <<\"never\">>",
            ),
            (up, json!({"uri": 5}), "uri should be list, actually was 5"),
            (
                "federation-upstream-set",
                json!([{"nope": "up1"}]),
                "Unrecognised terms [{<<\"nope\">>,<<\"up1\">>}] in bad\nKey \"upstream\" not found in bad",
            ),
            ("federation", json!("a"), "name not recognised: <<\"bad\">>"),
            (
                "shovel",
                json!({}),
                "Must specify 'src-exchange' or 'src-queue'\nKey \"dest-uri\" not found in bad\nKey \"src-uri\" not found in bad",
            ),
        ] {
            check(component, "bad", &value, Some(expected));
        }
    }

    #[test]
    fn fields_are_unique_and_in_order() {
        for fields in [FEDERATION_UPSTREAM, FEDERATION_SET_MEMBER, SHOVEL] {
            assert!(fields.windows(2).all(|pair| pair[0].name < pair[1].name));
        }
    }
}
