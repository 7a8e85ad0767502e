//! Tests of routing: one way through the topology each, and what decided it.

use super::super::exchange::headers;
use super::super::topology::tests::*;
use super::super::value::FieldValue;
use super::*;

fn names(topology: &Topology<Arc<crate::domain::queue::QueueSpec>>, exchange: &str, keys: &[&str]) -> Vec<String> {
    let request = RouteRequest::of_keys(exchange, keys);
    let mut buffer = RouteBuffer::default();
    route(topology, request, &mut buffer).unwrap();
    let routed: Vec<_> = buffer.queues.iter().map(|queue| queue.name.to_string()).collect();
    let trace = trace_route(topology, request).unwrap();
    assert_eq!(routed, trace.queues.iter().map(|queue| queue.name.to_string()).collect::<Vec<_>>());
    routed
}

/// Queues `a`, `b`, `c`; exchanges `one` to `three` (fanout) and `keyed` (direct).
fn sample() -> Topology<Arc<crate::domain::queue::QueueSpec>> {
    let mut topology = vhost();
    for queue in ["a", "b", "c"] {
        declare_queue(&mut topology, queue, true);
    }
    for exchange in ["one", "two", "three"] {
        declare_exchange(&mut topology, exchange, ExchangeKind::Fanout, false);
    }
    declare_exchange(&mut topology, "keyed", ExchangeKind::Direct, false);
    topology
}

#[test]
fn the_default_exchange_routes_by_queue_name() {
    let topology = sample();
    assert_eq!(names(&topology, "", &["a"]), ["a"]);
    assert_eq!(names(&topology, "", &["a", "c", "a", "nope"]), ["a", "c"]);
    assert!(names(&topology, "", &["nope"]).is_empty());
}

#[test]
fn a_queue_bound_twice_gets_one_copy() {
    let mut topology = sample();
    topology.bind(to_queue("keyed", "a", "alex")).unwrap();
    topology.bind(to_queue("keyed", "a", "sb")).unwrap();
    topology.bind(to_queue("keyed", "b", "sb")).unwrap();
    assert_eq!(names(&topology, "keyed", &["alex"]), ["a"]);
    assert_eq!(names(&topology, "keyed", &["alex", "sb"]), ["a", "b"]);
    assert!(names(&topology, "keyed", &["other"]).is_empty());
}

#[test]
fn exchanges_bound_in_a_circle_end() {
    let mut topology = sample();
    for (from, to) in [("one", "two"), ("two", "three"), ("three", "one"), ("one", "one")] {
        topology.bind(to_exchange(from, to, "")).unwrap();
    }
    topology.bind(to_queue("three", "b", "")).unwrap();
    topology.bind(to_queue("one", "a", "")).unwrap();
    for start in ["one", "two", "three"] {
        assert_eq!(names(&topology, start, &["k"]), ["a", "b"]);
    }
}

#[test]
fn alternates_take_what_nothing_matched_and_chain() {
    let mut topology = sample();
    topology.set_policy_alternate("keyed", Some(exchange_name("one")));
    topology.set_policy_alternate("one", Some(exchange_name("two")));
    topology.set_policy_alternate("two", Some(exchange_name("keyed")));
    assert!(names(&topology, "keyed", &["k"]).is_empty());
    topology.bind(to_queue("two", "c", "")).unwrap();
    topology.bind(to_queue("keyed", "a", "k")).unwrap();
    assert_eq!(names(&topology, "keyed", &["k"]), ["a"]);
    assert_eq!(names(&topology, "keyed", &["other"]), ["c"]);
    topology.set_policy_alternate("keyed", Some(exchange_name("gone")));
    let request = RouteRequest::of_keys("keyed", &["other"]);
    let trace = trace_route(&topology, request).unwrap();
    assert_eq!(trace.missing, [exchange_name("gone")]);
    assert_eq!(trace.steps[0].alternate, Some(exchange_name("gone")));
}

#[test]
fn a_binding_to_an_exchange_that_routes_nothing_still_counts_as_matched() {
    let mut topology = sample();
    topology.bind(to_exchange("keyed", "one", "k")).unwrap();
    topology.bind(to_queue("two", "c", "")).unwrap();
    topology.set_policy_alternate("keyed", Some(exchange_name("two")));
    assert!(names(&topology, "keyed", &["k"]).is_empty());
    assert_eq!(names(&topology, "keyed", &["other"]), ["c"]);
}

#[test]
fn headers_are_read_once_and_only_when_asked_for() {
    let mut topology = sample();
    let reads = std::cell::Cell::new(0);
    let load = || {
        reads.set(reads.get() + 1);
        [("colour".to_owned(), FieldValue::text("red"))].into_iter().collect()
    };
    let mut buffer = RouteBuffer::default();
    let at = |exchange| RouteRequest { headers: &load, ..RouteRequest::of_keys(exchange, &["k"]) };
    assert_eq!(route(&topology, at("amq.headers"), &mut buffer), Some(Routed { cacheable: true }));
    assert_eq!(route(&topology, at("amq.direct"), &mut buffer), Some(Routed { cacheable: true }));
    assert_eq!(reads.get(), 0);
    for (queue, colour) in [("a", "red"), ("b", "blue")] {
        let mut binding = to_queue("amq.headers", queue, "");
        binding.arguments.insert("colour", FieldValue::text(colour));
        assert_eq!(headers::refusal(&binding.arguments), None);
        topology.bind(binding).unwrap();
    }
    topology.bind(to_exchange("amq.headers", "amq.match", "")).unwrap();
    topology.bind(to_queue("amq.match", "c", "")).unwrap();
    assert_eq!(route(&topology, at("amq.headers"), &mut buffer), Some(Routed { cacheable: false }));
    assert_eq!(buffer.queues.iter().map(|queue| queue.name.as_str()).collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!(reads.get(), 1);
}

#[test]
fn a_trace_tells_which_bindings_decided() {
    let mut topology = sample();
    topology.bind(to_queue("amq.topic", "a", "x.#")).unwrap();
    topology.bind(to_queue("amq.topic", "a", "#.y")).unwrap();
    topology.bind(to_exchange("amq.topic", "one", "*.y")).unwrap();
    topology.bind(to_queue("one", "b", "")).unwrap();
    let request = RouteRequest::of_keys("amq.topic", &["x.y"]);
    let trace = trace_route(&topology, request).unwrap();
    assert_eq!(trace.steps.len(), 2);
    assert_eq!(trace.steps[0].matched.len(), 3);
    assert_eq!(trace.steps[1].reached, Reached::Bound);
    assert_eq!(trace.steps[1].matched, [Arc::new(to_queue("one", "b", ""))]);
    assert!(trace_route(&topology, RouteRequest { exchange: "nope", ..request }).is_none());
}

/// `one` to `three` bound to exchange `x` of that kind, with these keys.
fn choosing(
    kind: ExchangeKind,
    keys: [&str; 3],
    arguments: FieldTable,
) -> Topology<Arc<crate::domain::queue::QueueSpec>> {
    let mut topology = sample();
    let mut exchange = (**topology.exchange("one").unwrap().exchange()).clone();
    (exchange.name, exchange.kind, exchange.arguments) = (exchange_name("x"), kind, arguments);
    topology.insert_exchange(exchange);
    for (queue, key) in ["a", "b", "c"].into_iter().zip(keys) {
        topology.bind(to_queue("x", queue, key)).unwrap();
    }
    topology
}

#[test]
fn a_choosing_exchange_gives_one_copy_whatever_the_keys() {
    let plain = FieldTable::new;
    for topology in [
        choosing(ExchangeKind::Random, ["k"; 3], plain()),
        choosing(ExchangeKind::LocalRandom, [""; 3], plain()),
        choosing(ExchangeKind::ModulusHash, ["k"; 3], plain()),
        choosing(ExchangeKind::ConsistentHash, ["1"; 3], plain()),
    ] {
        for key in 0..20 {
            assert_eq!(names(&topology, "x", &[&key.to_string(), "further", "k"]).len(), 1);
        }
    }
}

#[test]
fn chance_is_asked_and_its_routes_are_not_kept() {
    let topology = choosing(ExchangeKind::Random, [""; 3], FieldTable::new());
    let mut buffer = RouteBuffer::default();
    let mut reached = std::collections::BTreeSet::new();
    for third in 0..3 {
        let chance = || u64::MAX / 3 * third + 2;
        let request = RouteRequest { chance: &chance, ..RouteRequest::of_keys("x", &["k"]) };
        assert_eq!(route(&topology, request, &mut buffer), Some(Routed { cacheable: false }));
        reached.extend(buffer.queues.iter().map(|queue| queue.name.to_string()));
    }
    assert_eq!(reached.len(), 3);
}

#[test]
fn a_hash_of_the_key_is_kept_and_one_of_the_message_is_not() {
    let on = |name: &str, value: &str| [(name.to_owned(), FieldValue::text(value))].into_iter().collect::<FieldTable>();
    let mut buffer = RouteBuffer::default();
    for (arguments, cacheable) in
        [(FieldTable::new(), true), (on("hash-header", "h"), false), (on("hash-property", "message_id"), false)]
    {
        let topology = choosing(ExchangeKind::ConsistentHash, ["1"; 3], arguments);
        let mut reached = std::collections::BTreeSet::new();
        for number in 0..60 {
            let key = if cacheable { number.to_string() } else { "k".to_owned() };
            let headers = || on("h", &number.to_string());
            let properties = || Properties { message_id: Some(number.to_string()), ..Properties::default() };
            let keys = [key.as_str()];
            let request =
                RouteRequest { headers: &headers, properties: &properties, ..RouteRequest::of_keys("x", &keys) };
            assert_eq!(route(&topology, request, &mut buffer), Some(Routed { cacheable }));
            reached.extend(buffer.queues.iter().map(|queue| queue.name.to_string()));
        }
        assert_eq!(reached.len(), 3, "every queue has a third of the messages");
    }
}

#[test]
fn an_address_of_direct_replies_is_reached_through_the_default_exchange_alone() {
    let topology = sample();
    let address = reply_to::address(crate::domain::queue::ConnectionId(1), 1, [7; reply_to::KEY_BYTES]);
    let mut buffer = RouteBuffer::default();
    let keys = ["a", &address, &address, "nope"];
    assert_eq!(route(&topology, RouteRequest::of_keys("", &keys), &mut buffer), Some(Routed { cacheable: false }));
    assert_eq!((buffer.queues.len(), &buffer.replies, buffer.copies()), (1, &vec![address.clone()], 2));
    route(&topology, RouteRequest::of_keys("amq.direct", &keys), &mut buffer);
    assert!(buffer.is_empty());
}
