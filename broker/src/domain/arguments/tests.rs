//! Refusals as the reference words them, recorded.

use bytes::Bytes;

use super::*;
use crate::domain::exchange::{Exchange, ExchangeKind};
use crate::domain::name::{QueueName, UserName, VhostName};
use crate::domain::queue::state::Overflow;
use crate::domain::queue::{ConnectionId, QueueId, QueueSpec};

fn resource() -> Resource {
    Resource::Queue(VhostName::new("/").unwrap(), QueueName::new("q").unwrap())
}

fn table(entries: &[(&str, FieldValue)]) -> FieldTable {
    entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

fn int(value: i32) -> FieldValue {
    FieldValue::I32(value)
}

fn text(value: &str) -> FieldValue {
    FieldValue::text(value)
}

/// Declares a durable queue of that type with one argument; the part after
/// `invalid arg 'NAME' for QUEUE`, or nothing when it is taken.
#[track_caller]
fn check(kind: &str, name: &str, value: FieldValue, expected: Option<&str>) {
    let arguments = with_queue_type(&table(&[("x-queue-type", text(kind)), (name, value)]), QueueKind::Classic, true);
    let refusal = check_new_queue(&resource(), &arguments, true, false, false).err().map(|error| error.to_string());
    let prefix = format!("invalid arg '{name}' for queue 'q' in vhost '/'");
    let refusal = refusal.map(|text| text.strip_prefix(&prefix).map_or(text.clone(), str::to_owned));
    assert_eq!(refusal.as_deref(), expected, "{kind} {name}");
}

#[test]
fn argument_values() {
    let long = |value| FieldValue::I64(value);
    for (kind, name, value, expected) in [
        ("classic", "x-message-ttl", int(0), None),
        ("classic", "x-message-ttl", int(-1), Some(": {value_negative,-1}")),
        ("classic", "x-message-ttl", long(315_360_000_000), None),
        ("classic", "x-message-ttl", long(315_360_000_001), Some(": {value_too_large,315360000001}")),
        ("classic", "x-message-ttl", FieldValue::F64(1.5), Some(": \"expected integer, got double\"")),
        ("classic", "x-expires", int(0), Some(": {value_zero,0}")),
        ("classic", "x-expires", int(-5), Some(": {value_negative,-5}")),
        ("classic", "x-expires", text("a"), Some(": \"expected integer, got longstr\"")),
        ("classic", "x-max-length", int(-1), Some(": {value_negative,-1}")),
        ("classic", "x-max-length", FieldValue::Boolean(true), Some(": \"expected integer, got bool\"")),
        ("classic", "x-max-length", FieldValue::Void, Some(": \"expected integer, got void\"")),
        ("classic", "x-max-length", FieldValue::Timestamp(1), Some(": \"expected integer, got timestamp\"")),
        ("classic", "x-max-length", FieldValue::U16(7), None),
        ("classic", "x-max-priority", int(255), None),
        ("classic", "x-max-priority", int(256), Some(": {max_value_exceeded,256}")),
        ("classic", "x-max-priority", int(-1), Some(": {value_negative,-1}")),
        ("quorum", "x-max-priority", int(1), Some(" of queue type rabbit_quorum_queue")),
        ("classic", "x-single-active-consumer", text("yes"), Some(": {unacceptable_type,longstr}")),
        ("classic", "x-single-active-consumer", FieldValue::Boolean(false), None),
        ("stream", "x-single-active-consumer", FieldValue::Boolean(true), Some(" of queue type rabbit_stream_queue")),
        ("classic", "x-overflow", text("reject-publish-dlx"), None),
        ("classic", "x-overflow", text("x"), Some(": invalid_overflow")),
        ("classic", "x-overflow", int(5), Some(": {unacceptable_type,signedint}")),
        ("classic", "x-queue-version", int(2), None),
        ("classic", "x-queue-version", int(1), Some(": \"unsupported queue version '1'\"")),
        ("classic", "x-queue-version", int(-1), Some(": {value_negative,-1}")),
        ("classic", "x-queue-mode", int(4), None),
        ("quorum", "x-queue-mode", text("lazy"), Some(" of queue type rabbit_quorum_queue")),
        ("classic", "x-queue-leader-locator", text("x"), Some(": invalid_queue_locator_arg")),
        ("classic", "x-queue-leader-locator", int(1), Some(": {unacceptable_type,signedint}")),
        ("classic", "x-dead-letter-routing-key", text("k"), Some(": routing_key_but_no_dlx_defined")),
        ("classic", "x-dead-letter-routing-key", int(5), Some(": {unacceptable_type,signedint}")),
        ("stream", "x-dead-letter-exchange", text("x"), Some(" of queue type rabbit_stream_queue")),
        ("classic", "x-delivery-limit", int(5), Some(" of queue type rabbit_classic_queue")),
        ("quorum", "x-delivery-limit", int(-7), None),
        ("quorum", "x-dead-letter-strategy", text("x"), Some(": invalid_dlx_strategy")),
        ("quorum", "x-quorum-initial-group-size", int(0), Some(": {value_zero,0}")),
        ("quorum", "x-consumer-timeout", int(-1), Some(": {value_negative,-1}")),
        ("quorum", "x-delayed-retry-type", text("bogus"), None),
        ("stream", "x-max-age", text("10D"), None),
        ("stream", "x-max-age", text("99999999999999999999Y"), None),
        ("stream", "x-max-age", text("1y"), Some(": invalid_max_age")),
        ("stream", "x-max-age", text("0D"), Some(": invalid_max_age")),
        ("stream", "x-max-age", text(" 1D"), Some(": invalid_max_age")),
        ("stream", "x-max-age", int(5), Some(": {unacceptable_type,signedint}")),
        ("stream", "x-initial-cluster-size", int(0), Some(": {value_zero,0}")),
        ("stream", "x-stream-filter-size-bytes", int(5), Some("Invalid value for x-stream-filter-size-bytes")),
        ("stream", "x-stream-filter-size-bytes", int(-1), Some(": {value_negative,-1}")),
        (
            "stream",
            "x-stream-max-segment-size-bytes",
            long(3_000_000_001),
            Some("Exceeded max value for x-stream-max-segment-size-bytes"),
        ),
        ("classic", "x-foo", text("bar"), None),
    ] {
        check(kind, name, value, expected);
    }
}

#[test]
fn queue_types() {
    for (value, expected) in [
        (text("bogus"), ": \"unsupported queue type 'bogus'\""),
        (int(5), ": {unacceptable_type,signedint}"),
        (FieldValue::Void, ": {unacceptable_type,void}"),
        (FieldValue::ByteArray(Bytes::from_static(b"classic")), ": {unacceptable_type,binary}"),
    ] {
        check("classic", "x-queue-type", value, Some(expected));
    }
}

#[test]
fn the_dead_letter_exchange_is_checked_before_all_else() {
    for (name, value, sentence) in [
        (
            "x-dead-letter-exchange",
            int(5),
            "invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'",
        ),
        (
            "x-dead-letter-exchange",
            FieldValue::Void,
            "invalid type 'void' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'",
        ),
    ] {
        let arguments = table(&[(name, value), ("x-queue-type", text("bogus"))]);
        let refusal = check_new_queue(&resource(), &arguments, true, false, false).unwrap_err();
        assert_eq!(refusal.to_string(), sentence);
    }
}

#[test]
fn a_denied_feature_says_how_it_could_be_permitted() {
    let arguments = table(&[("x-queue-master-locator", text("min-masters"))]);
    let refusal = check_new_queue(&resource(), &arguments, true, false, false).unwrap_err().to_string();
    assert!(refusal.starts_with("Feature `queue_master_locator` is deprecated.\nBy default,"), "{refusal}");
    assert!(refusal.ends_with("\n    \"deprecated_features.permit.queue_master_locator = true\""), "{refusal}");
}

#[test]
fn properties_a_replicated_type_refuses() {
    for (kind, [durable, exclusive, auto_delete], expected) in [
        ("quorum", [true, false, false], None),
        ("quorum", [false, false, false], Some("non-durable")),
        ("quorum", [true, true, false], Some("exclusive-owner")),
        ("quorum", [true, false, true], Some("auto-delete")),
        ("quorum", [false, true, false], Some("exclusive-owner")),
        ("stream", [false, true, true], Some("auto-delete")),
        ("classic", [false, true, true], None),
    ] {
        let arguments = table(&[("x-queue-type", text(kind))]);
        let refusal = check_new_queue(&resource(), &arguments, durable, exclusive, auto_delete).err();
        let expected = expected.map(|property| format!("invalid property '{property}' for queue 'q' in vhost '/'"));
        assert_eq!(refusal.map(|error| error.to_string()), expected, "{kind}");
    }
}

#[test]
fn the_type_is_always_explicit() {
    let quorum = QueueKind::Quorum;
    for (given, default, fits, expected) in [
        (None, QueueKind::Classic, true, "classic"),
        (None, quorum, true, "quorum"),
        (None, quorum, false, "classic"),
        (Some(""), quorum, true, "quorum"),
        (Some("undefined"), quorum, true, "quorum"),
        (Some("stream"), quorum, false, "stream"),
    ] {
        let mut arguments = table(&[("x-z", int(1)), ("x-a", int(2))]);
        if let Some(given) = given {
            arguments.insert(QUEUE_TYPE, text(given));
        }
        let explicit = with_queue_type(&arguments, default, fits);
        let names: Vec<_> = explicit.iter().map(|(name, _)| name).collect();
        // Ordered only when something was added.
        let added = given.is_none_or(|given| given != expected);
        let order = if added { ["x-a", "x-queue-type", "x-z"] } else { ["x-z", "x-a", "x-queue-type"] };
        assert_eq!(names, order);
        assert_eq!(explicit.get(QUEUE_TYPE), Some(&text(expected)));
    }
}

#[test]
fn server_names_are_for_classic_queues() {
    assert_eq!(check_server_named(QueueKind::Classic), Ok(()));
    assert_eq!(
        check_server_named(QueueKind::Quorum).unwrap_err().to_string(),
        "Cannot declare a server-named queue for type rabbit_quorum_queue"
    );
}

#[test]
fn consumer_arguments() {
    for (kind, name, value, expected) in [
        (QueueKind::Classic, "x-priority", int(-5), None),
        (QueueKind::Classic, "x-priority", text("a"), Some(": \"expected integer, got longstr\"")),
        (QueueKind::Stream, "x-priority", int(1), Some(" of queue type rabbit_stream_queue")),
        (QueueKind::Classic, "x-stream-offset", text("first"), Some(" of queue type rabbit_classic_queue")),
        (QueueKind::Stream, "x-stream-offset", text("1h"), None),
        (QueueKind::Stream, "x-stream-offset", int(5), None),
        (
            QueueKind::Stream,
            "x-stream-offset",
            text("foo"),
            Some(": {invalid_stream_offset_arg,{longstr,<<\"foo\">>}}"),
        ),
        (QueueKind::Quorum, "x-consumer-timeout", int(-1), Some(": {value_negative,-1}")),
        (QueueKind::Classic, "x-cancel-on-ha-failover", FieldValue::Boolean(true), None),
    ] {
        let refusal = check_consumer(&resource(), &table(&[(name, value)]), kind).err().map(|error| error.to_string());
        let expected = expected.map(|rest| format!("invalid arg '{name}' for queue 'q' in vhost '/'{rest}"));
        assert_eq!(refusal, expected);
    }
}

/// Redeclares a durable classic queue that has `x-max-length` 10.
#[track_caller]
fn check_again(asked: Redeclared<'_>, expected: Option<&str>) {
    let current = QueueSpec {
        id: QueueId(1),
        name: QueueName::new("q").unwrap(),
        kind: QueueKind::Classic,
        durable: true,
        auto_delete: false,
        exclusive_owner: None,
        arguments: table(&[("x-max-length", int(10)), ("x-queue-type", text("classic"))]),
        declared_by: UserName::new("guest").unwrap(),
    };
    let refusal = check_queue_equivalence(&resource(), &current, asked).err().map(|error| error.to_string());
    let expected = expected.map(|text| text.replace("FOR", "for queue 'q' in vhost '/': received"));
    assert_eq!(refusal, expected);
}

#[test]
fn queues_declared_again() {
    let same = table(&[("x-max-length", FieldValue::I64(10)), ("x-queue-type", text("classic")), ("x-foo", int(1))]);
    let asked = Redeclared { durable: true, auto_delete: false, exclusive_owner: None, arguments: &same };
    check_again(asked, None);
    let transient = Redeclared { durable: false, ..asked };
    check_again(transient, Some("inequivalent arg 'durable' FOR 'false' but current is 'true'"));
    let auto_delete = Redeclared { auto_delete: true, ..asked };
    check_again(auto_delete, Some("inequivalent arg 'auto_delete' FOR 'true' but current is 'false'"));
    let locked = Error::Locked(resource()).to_string();
    check_again(Redeclared { exclusive_owner: Some(ConnectionId(1)), ..asked }, Some(&locked));
}

#[test]
fn arguments_declared_again() {
    let array = FieldValue::Array(vec![int(1), text("a")]);
    for (name, value, expected) in [
        ("x-max-length", Some(FieldValue::U8(10)), None),
        ("x-max-length", Some(FieldValue::Timestamp(10)), None),
        ("x-max-length", None, Some("received none but current is the value '10' of type 'signedint'")),
        ("x-max-length", Some(int(11)), Some("received '11' but current is '10'")),
        ("x-max-length", Some(text("a")), Some("received 'a' but current is '10'")),
        ("x-max-length", Some(FieldValue::Void), Some("received none but current is '10'")),
        ("x-max-length", Some(array), Some("received '[{signedint,1},{longstr,<<\"a\">>}]' but current is '10'")),
        ("x-message-ttl", Some(int(1)), Some("received the value '1' of type 'signedint' but current is none")),
        (
            "x-dead-letter-exchange",
            Some(text("e")),
            Some("received the value 'e' of type 'longstr' but current is none"),
        ),
        (
            "x-single-active-consumer",
            Some(FieldValue::Boolean(true)),
            Some("received the value 'true' of type 'bool' but current is none"),
        ),
        ("x-queue-type", Some(text("quorum")), Some("received 'quorum' but current is 'classic'")),
        ("x-queue-type", None, None),
        ("x-delivery-limit", Some(int(1)), None),
    ] {
        let mut arguments = table(&[("x-max-length", int(10)), ("x-queue-type", text("classic"))]);
        arguments.remove(name);
        if let Some(value) = value {
            arguments.insert(name, value);
        }
        let asked = Redeclared { durable: true, auto_delete: false, exclusive_owner: None, arguments: &arguments };
        let expected = expected.map(|rest| {
            format!("inequivalent arg '{name}' FOR {}", rest.strip_prefix("received ").expect("every text has it"))
        });
        check_again(asked, expected.as_deref());
    }
}

#[test]
fn exchanges_declared_again() {
    let name = ExchangeName::new("x").unwrap();
    let resource = Resource::Exchange(VhostName::new("/").unwrap(), name.clone());
    let current = Exchange {
        name,
        kind: ExchangeKind::Direct,
        durable: false,
        auto_delete: false,
        internal: false,
        arguments: table(&[("alternate-exchange", text("ae"))]),
        declared_by: UserName::new("guest").unwrap(),
    };
    let direct = ExchangeKind::Direct;
    for (kind, flags, alternate, expected) in [
        (direct, [false; 3], Some(text("ae")), None),
        (ExchangeKind::Fanout, [true; 3], None, Some("'type' FOR 'fanout' but current is 'direct'")),
        (direct, [true, false, false], None, Some("'durable' FOR 'true' but current is 'false'")),
        (direct, [false, true, true], None, Some("'auto_delete' FOR 'true' but current is 'false'")),
        (direct, [false, false, true], None, Some("'internal' FOR 'true' but current is 'false'")),
        (
            direct,
            [false; 3],
            None,
            Some("'alternate-exchange' FOR none but current is the value 'ae' of type 'longstr'"),
        ),
        (direct, [false; 3], Some(text("b")), Some("'alternate-exchange' FOR 'b' but current is 'ae'")),
        (direct, [false; 3], Some(int(5)), Some("'alternate-exchange' FOR '5' but current is 'ae'")),
    ] {
        let arguments = alternate.map(|value| table(&[("alternate-exchange", value)])).unwrap_or_default();
        let refusal = check_exchange_equivalence(&resource, &current, kind, flags, &arguments).err();
        let expected = expected
            .map(|text| format!("inequivalent arg {}", text.replace("FOR", "for exchange 'x' in vhost '/': received")));
        assert_eq!(refusal.map(|error| error.to_string()), expected);
    }
}

#[test]
fn arguments_become_settings() {
    let arguments = table(&[
        ("x-message-ttl", int(5)),
        ("x-expires", int(7)),
        ("x-max-length", FieldValue::I64(9)),
        ("x-overflow", text("reject-publish")),
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text("k")),
        ("x-max-priority", int(10)),
        ("x-single-active-consumer", FieldValue::Boolean(true)),
    ]);
    let effective = EffectiveArguments::new(QueueKind::Classic, &arguments);
    assert_eq!((effective.message_ttl_ms, effective.expires_ms, effective.max_length), (Some(5), Some(7), Some(9)));
    assert_eq!(effective.dead_letter_exchange, Some(ExchangeName::default_exchange()));
    assert_eq!(effective.delivery_limit, None);
    let limits = effective.limits();
    assert_eq!((limits.overflow, limits.max_priority), (Overflow::RejectPublish, 10));
    assert!(limits.single_active_consumer);
    for (limit, expected) in [(None, Some(20)), (Some(int(-1)), None), (Some(int(3)), Some(3))] {
        let arguments = limit.map(|limit| table(&[("x-delivery-limit", limit)])).unwrap_or_default();
        assert_eq!(EffectiveArguments::new(QueueKind::Quorum, &arguments).delivery_limit, expected);
    }
}

#[test]
fn the_tables_are_well_formed() {
    for rows in [QUEUE_ARGUMENTS, CONSUMER_ARGUMENTS] {
        let mut names: Vec<_> = rows.iter().map(|row| row.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "a name stands twice");
        for row in rows {
            assert!(row.name.starts_with("x-") && row.name == row.name.to_lowercase(), "{}", row.name);
            assert!(!row.summary.is_empty() && !row.summary.contains('\n'), "{}", row.name);
        }
    }
}
