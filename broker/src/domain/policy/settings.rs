//! Every policy key, declared once: what it accepts, who may set it, which objects know
//! it, and how an operator's value and a user's become one.

use super::Subject;
use crate::domain::parameter::{Document, as_term};
use crate::domain::pattern::Pattern;
use crate::domain::queue::QueueKind;
use crate::domain::stream::age_ms;

/// Largest `stream-max-segment-size-bytes`.
const SEGMENT_BYTES_MAX: u64 = 3_000_000_000;

/// How two values of one key become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Combine {
    /// The smaller number.
    Smaller,
    /// The larger number.
    Larger,
    /// The smaller number; a negative one means "no limit", so any limit beats it.
    SmallerLimit,
    /// The one of higher standing: the operator's.
    Operator,
}

/// One policy key.
#[derive(Debug)]
pub struct Setting {
    /// The key.
    pub key: &'static str,
    /// Whether operator policies may hold it.
    pub operator: bool,
    /// Queue types that do not know it: a policy holding it does not apply to them at all.
    unknown_to: &'static [QueueKind],
    /// How an operator's value and a user's become one.
    pub combine: Combine,
    check: Check,
}

#[derive(Debug, Clone, Copy)]
enum Check {
    /// Text.
    Text { noun: &'static str },
    /// One of these texts.
    OneOf { noun: &'static str, values: &'static [&'static str] },
    /// A whole number in a range.
    Integer { noun: &'static str, min: i64, max: u64 },
    /// `<number><unit>`.
    Age,
    /// A regular expression.
    Regex { noun: &'static str },
    /// Known and refused.
    Deprecated,
}

const CLASSIC: &[QueueKind] = &[QueueKind::Quorum, QueueKind::Stream];
const QUORUM: &[QueueKind] = &[QueueKind::Classic, QueueKind::Stream];
const STREAM: &[QueueKind] = &[QueueKind::Classic, QueueKind::Quorum];
const NOT_STREAM: &[QueueKind] = &[QueueKind::Stream];
const ANY: &[QueueKind] = &[];

const fn user(key: &'static str, unknown_to: &'static [QueueKind], check: Check) -> Setting {
    Setting { key, operator: false, unknown_to, combine: Combine::Operator, check }
}

const fn both(key: &'static str, unknown_to: &'static [QueueKind], combine: Combine, check: Check) -> Setting {
    Setting { key, operator: true, unknown_to, combine, check }
}

const fn text(noun: &'static str) -> Check {
    Check::Text { noun }
}

const fn integer(noun: &'static str, min: i64) -> Check {
    Check::Integer { noun, min, max: u64::MAX }
}

const fn one_of(noun: &'static str, values: &'static [&'static str]) -> Check {
    Check::OneOf { noun, values }
}

/// Every key, in key order.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    user("alternate-exchange", ANY, text("alternate exchange name")),
    user("consumer-disconnected-timeout", ANY, integer("consumer disconnected timeout", 0)),
    user("consumer-timeout", ANY, integer("consumer timeout", 0)),
    user("dead-letter-exchange", NOT_STREAM, text("dead letter exchange name")),
    user("dead-letter-routing-key", NOT_STREAM, text("dead letter routing key")),
    user("dead-letter-strategy", QUORUM, one_of("dead letter strategy", &["at-most-once", "at-least-once"])),
    both("delayed-retry-max", ANY, Combine::Smaller, integer("delayed retry maximum delay. Must be a positive integer", 1)),
    both("delayed-retry-min", ANY, Combine::Larger, integer("delayed retry minimum delay. Must be a positive integer", 1)),
    both("delayed-retry-type", ANY, Combine::Operator, one_of(
        "delayed retry type. Must be one of: all, failed, returned, disabled", &["all", "failed", "returned", "disabled"],
    )),
    both("delivery-limit", QUORUM, Combine::SmallerLimit, integer("delivery limit", i64::MIN)),
    both("expires", NOT_STREAM, Combine::Smaller, integer("queue expiry", 1)),
    user("federation-upstream", ANY, text("federation upstream name")),
    user("federation-upstream-pattern", ANY, Check::Regex { noun: "federation upstream pattern name" }),
    user("federation-upstream-set", ANY, text("federation upstream set name")),
    user("initial-cluster-size", STREAM, integer("cluster size", 0)),
    user("max-age", STREAM, Check::Age),
    both("max-in-memory-bytes", QUORUM, Combine::Smaller, integer("maximum memory in bytes", 0)),
    both("max-in-memory-length", QUORUM, Combine::Smaller, integer("maximum memory in bytes", 0)),
    both("max-length", NOT_STREAM, Combine::Smaller, integer("maximum length", 0)),
    both("max-length-bytes", ANY, Combine::Smaller, integer("maximum length in bytes", 0)),
    both("message-ttl", NOT_STREAM, Combine::Smaller, integer("message TTL", 0)),
    both("overflow", NOT_STREAM, Combine::Operator, one_of("overflow value", &["drop-head", "reject-publish", "reject-publish-dlx"])),
    user("queue-leader-locator", ANY, one_of("queue leader locator value", &["client-local", "balanced", "random", "least-leaders"])),
    both("queue-master-locator", CLASSIC, Combine::Operator, Check::Deprecated),
    user("queue-mode", CLASSIC, one_of("queue-mode value", &["default", "lazy"])),
    both("queue-version", ANY, Combine::Operator, Check::Integer { noun: "queue-version value", min: 1, max: 2 }),
    user("stream-filter-size-bytes", ANY, Check::Integer { noun: "filter size. Valid range is 16-255", min: 16, max: 255 }),
    user("stream-max-segment-size-bytes", STREAM, Check::Integer { noun: "segment size", min: 0, max: SEGMENT_BYTES_MAX }),
    both("target-group-size", QUORUM, Combine::Larger, integer("qq target count value", 1)),
];

/// The declaration of a key.
#[must_use]
pub fn setting(key: &str) -> Option<&'static Setting> {
    SETTINGS.binary_search_by(|setting| setting.key.cmp(key)).ok().map(|at| &SETTINGS[at])
}

impl Setting {
    /// Whether an object knows this key. Exchanges ignore what does not concern them.
    #[must_use]
    pub fn is_known_to(&self, subject: Subject) -> bool {
        match subject {
            Subject::Exchange => true,
            Subject::Queue(kind) => !self.unknown_to.contains(&kind),
        }
    }

    /// What is wrong with a value, in the reference's words.
    #[must_use]
    pub fn refusal(&self, value: &Document) -> Option<String> {
        let (valid, noun) = match self.check {
            Check::Text { noun } => (value.is_string(), noun),
            Check::OneOf { noun, values } => (value.as_str().is_some_and(|text| values.contains(&text)), noun),
            Check::Integer { noun, min, max } => (in_range(value, min, max), noun),
            Check::Age => (value.as_str().is_some_and(|text| age_ms(text).is_some()), "max age"),
            Check::Regex { noun } => match value.as_str() {
                None => (false, noun),
                Some(pattern) => match Pattern::new(pattern) {
                    Ok(_) => (true, noun),
                    Err(error) => {
                        return Some(format!(
                            "could not compile pattern {pattern} to a regular expression. Error: {error}"
                        ));
                    }
                },
            },
            Check::Deprecated => return Some(format!("use of deprecated {} argument is not permitted", self.key)),
        };
        (!valid).then(|| format!("{} is not a valid {noun}", as_term(value)))
    }
}

fn in_range(value: &Document, min: i64, max: u64) -> bool {
    match (value.as_i64(), value.as_u64()) {
        (_, Some(number)) => number <= max && i64::try_from(number).map_or(true, |number| number >= min),
        (Some(negative), None) => negative >= min,
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_unique_and_in_order() {
        for pair in SETTINGS.windows(2) {
            assert!(pair[0].key < pair[1].key, "{} {}", pair[0].key, pair[1].key);
        }
        assert_eq!(setting("overflow").unwrap().key, "overflow");
        for unknown in ["", "ha-mode", "max-priority", "zz"] {
            assert!(setting(unknown).is_none());
        }
    }

    // Each row was recorded from the reference.
    #[test]
    fn values_are_accepted_and_refused_as_the_reference_does() {
        for (key, accepted, refused) in [
            (
                "alternate-exchange",
                vec![json!("x"), json!("")],
                vec![(json!(5), "5 is not a valid alternate exchange name")],
            ),
            ("dead-letter-exchange", vec![json!("x")], vec![(json!(5), "5 is not a valid dead letter exchange name")]),
            (
                "dead-letter-routing-key",
                vec![json!("")],
                vec![(json!(null), "null is not a valid dead letter routing key")],
            ),
            (
                "dead-letter-strategy",
                vec![json!("at-most-once"), json!("at-least-once")],
                vec![(json!("x"), "<<\"x\">> is not a valid dead letter strategy")],
            ),
            (
                "message-ttl",
                vec![json!(0), json!(1_000_000_000_000_000_000_u64)],
                vec![(json!(-1), "-1 is not a valid message TTL"), (json!(1.5), "1.5 is not a valid message TTL")],
            ),
            ("expires", vec![json!(1)], vec![(json!(0), "0 is not a valid queue expiry")]),
            ("max-length", vec![json!(0)], vec![(json!("ten"), "<<\"ten\">> is not a valid maximum length")]),
            ("max-length-bytes", vec![json!(0)], vec![(json!(-1), "-1 is not a valid maximum length in bytes")]),
            (
                "max-in-memory-length",
                vec![json!(0)],
                vec![(json!(true), "true is not a valid maximum memory in bytes")],
            ),
            ("max-in-memory-bytes", vec![json!(0)], vec![(json!([1]), "[1] is not a valid maximum memory in bytes")]),
            (
                "overflow",
                vec![json!("drop-head"), json!("reject-publish"), json!("reject-publish-dlx")],
                vec![(json!("nope"), "<<\"nope\">> is not a valid overflow value")],
            ),
            ("delivery-limit", vec![json!(-1), json!(5)], vec![(json!(1.5), "1.5 is not a valid delivery limit")]),
            ("consumer-timeout", vec![json!(0)], vec![(json!(-1), "-1 is not a valid consumer timeout")]),
            (
                "consumer-disconnected-timeout",
                vec![json!(0)],
                vec![(json!(-1), "-1 is not a valid consumer disconnected timeout")],
            ),
            (
                "delayed-retry-type",
                vec![json!("all"), json!("disabled")],
                vec![(
                    json!("x"),
                    "<<\"x\">> is not a valid delayed retry type. Must be one of: all, failed, returned, disabled",
                )],
            ),
            (
                "delayed-retry-min",
                vec![json!(1)],
                vec![(json!(0), "0 is not a valid delayed retry minimum delay. Must be a positive integer")],
            ),
            (
                "delayed-retry-max",
                vec![json!(1)],
                vec![(json!(0), "0 is not a valid delayed retry maximum delay. Must be a positive integer")],
            ),
            (
                "max-age",
                vec![json!("1Y"), json!("10D"), json!("1s")],
                vec![
                    (json!("0s"), "<<\"0s\">> is not a valid max age"),
                    (json!("-1s"), "<<\"-1s\">> is not a valid max age"),
                    (json!("1"), "<<\"1\">> is not a valid max age"),
                    (json!("h"), "<<\"h\">> is not a valid max age"),
                    (json!("1.5h"), "<<\"1.5h\">> is not a valid max age"),
                    (json!(" 1h"), "<<\" 1h\">> is not a valid max age"),
                    (json!(5), "5 is not a valid max age"),
                ],
            ),
            (
                "stream-max-segment-size-bytes",
                vec![json!(0), json!(3_000_000_000_u64)],
                vec![(json!(3_000_000_001_u64), "3000000001 is not a valid segment size")],
            ),
            (
                "stream-filter-size-bytes",
                vec![json!(16), json!(255)],
                vec![
                    (json!(15), "15 is not a valid filter size. Valid range is 16-255"),
                    (json!(256), "256 is not a valid filter size. Valid range is 16-255"),
                ],
            ),
            ("initial-cluster-size", vec![json!(0)], vec![(json!(-1), "-1 is not a valid cluster size")]),
            (
                "queue-leader-locator",
                vec![json!("client-local"), json!("least-leaders")],
                vec![(json!("min-masters"), "<<\"min-masters\">> is not a valid queue leader locator value")],
            ),
            (
                "queue-master-locator",
                vec![],
                vec![(json!("min-masters"), "use of deprecated queue-master-locator argument is not permitted")],
            ),
            (
                "queue-mode",
                vec![json!("default"), json!("lazy")],
                vec![(json!("x"), "<<\"x\">> is not a valid queue-mode value")],
            ),
            ("queue-version", vec![json!(1), json!(2)], vec![(json!(3), "3 is not a valid queue-version value")]),
            ("target-group-size", vec![json!(1)], vec![(json!(0), "0 is not a valid qq target count value")]),
            ("federation-upstream", vec![json!("u")], vec![(json!(1), "1 is not a valid federation upstream name")]),
            (
                "federation-upstream-set",
                vec![json!("u")],
                vec![(json!(1), "1 is not a valid federation upstream set name")],
            ),
            (
                "federation-upstream-pattern",
                vec![json!("u.*")],
                vec![
                    (json!(1), "1 is not a valid federation upstream pattern name"),
                    (json!("("), "could not compile pattern ( to a regular expression. Error: {\"missing )\",1}"),
                ],
            ),
        ] {
            let setting = setting(key).unwrap();
            for value in accepted {
                assert_eq!(setting.refusal(&value), None, "{key} {value}");
            }
            for (value, text) in refused {
                assert_eq!(setting.refusal(&value).as_deref(), Some(text), "{key} {value}");
            }
        }
    }
}
