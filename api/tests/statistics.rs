//! Statistics over HTTP, sampled by the test itself at times of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::net::Ipv4Addr;

use api::{HttpOptions, PeerAddress, Policies, RatesMode, Statistics, StatisticsSettings};
use axum::body::Body;
use axum::http::{Request, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use support::Fixture;
use tower::ServiceExt as _;

/// A time on every grid.
const START_MS: u64 = 20_000 * 24 * 3600 * 1000;

/// Ranges of ten seconds for everything.
const RANGES: &str = "msg_rates_age=10&msg_rates_incr=5&lengths_age=10&lengths_incr=5\
                      &data_rates_age=10&data_rates_incr=5&node_stats_age=10&node_stats_incr=5";

/// A node, and what is sampled of it.
struct Node {
    fixture: Fixture,
    statistics: Statistics,
}

impl Node {
    async fn start(settings: StatisticsSettings) -> Self {
        let statistics = Statistics::new(settings);
        let fixture = Fixture::start("rabbit@localhost", HttpOptions::default(), statistics.clone()).await;
        Self { fixture, statistics }
    }

    /// Samples so many seconds after the start.
    fn sample(&self, seconds: u64) {
        self.statistics.sample(&self.fixture.node.broker().unwrap(), START_MS + seconds * 1000);
    }

    async fn send(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(method, path, body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status}");
        answer
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let request = Request::builder().method(method).uri(format!("/api{path}"));
        let request = request.header(header::AUTHORIZATION, format!("Basic {}", STANDARD.encode("guest:guest")));
        let mut request = request.body(Body::from(body.to_string())).unwrap();
        request.extensions_mut().insert(PeerAddress(Some(Ipv4Addr::LOCALHOST.into())));
        // Over either way in, as each shows the same.
        let way_in = if method == "GET" { &self.fixture.tcp } else { &self.fixture.control };
        let response = way_in.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn get(&self, path: &str) -> Value {
        self.send("GET", path, Value::Null).await
    }

    async fn publish(&self, count: usize) {
        let message = json!({"routing_key": "q", "payload": "x", "payload_encoding": "string", "properties": {}});
        for _ in 0..count {
            self.send("POST", "/exchanges/%2F/amq.direct/publish", message.clone()).await;
        }
    }

    /// With a queue bound to an exchange.
    async fn with_queue(settings: StatisticsSettings) -> Self {
        let node = Self::start(settings).await;
        node.send("PUT", "/queues/%2F/q", json!({"durable": true})).await;
        node.send("POST", "/bindings/%2F/e/amq.direct/q/q", json!({"routing_key": "q"})).await;
        node
    }
}

fn samples(details: &Value) -> Vec<(u64, u64)> {
    let samples = details["samples"].as_array().unwrap().iter();
    samples.map(|one| (one["sample"].as_u64().unwrap(), one["timestamp"].as_u64().unwrap() - START_MS)).collect()
}

#[tokio::test]
async fn rates_are_the_change_between_the_last_two_rounds() {
    let node = Node::with_queue(StatisticsSettings::default()).await;
    let fresh = node.get("/queues/%2F/q").await;
    assert_eq!(fresh["messages_details"], json!({"rate": 0.0}), "before the first round");
    assert_eq!(fresh.get("message_stats"), None);
    node.sample(0);
    node.publish(10).await;
    let early = node.get("/queues/%2F/q").await;
    assert_eq!(early["message_stats"]["publish"], 10);
    assert_eq!(early["message_stats"]["publish_details"], json!({"rate": 0.0}), "no round since");
    node.sample(5);
    for (path, pointer, rate) in [
        ("/queues/%2F/q", "/messages_details/rate", 2.0),
        ("/queues/%2F/q", "/messages_ready_details/rate", 2.0),
        ("/queues/%2F/q", "/message_stats/publish_details/rate", 2.0),
        ("/queues", "/0/message_stats/publish_details/rate", 2.0),
        ("/exchanges/%2F/amq.direct", "/message_stats/publish_in_details/rate", 2.0),
        ("/exchanges/%2F/amq.direct", "/message_stats/publish_out_details/rate", 2.0),
        ("/vhosts/%2F", "/message_stats/publish_details/rate", 2.0),
        ("/vhosts/%2F", "/message_stats/confirm_details/rate", 2.0),
        ("/vhosts/%2F", "/messages_details/rate", 2.0),
        ("/overview", "/message_stats/publish_details/rate", 2.0),
        ("/overview", "/queue_totals/messages_details/rate", 2.0),
    ] {
        assert_eq!(node.get(path).await.pointer(pointer), Some(&json!(rate)), "{path} {pointer}");
    }
    let fetch = json!({"count": 4, "ackmode": "ack_requeue_false", "encoding": "auto"});
    node.send("POST", "/queues/%2F/q/get", fetch).await;
    node.sample(10);
    let queue = node.get("/queues/%2F/q").await;
    assert_eq!(queue["messages_details"]["rate"], -0.8);
    let stats = &queue["message_stats"];
    for (name, rate) in [("publish", 0.0), ("get", 0.8), ("deliver_get", 0.8), ("ack", 0.8), ("deliver", 0.0)] {
        assert_eq!(stats[format!("{name}_details")]["rate"], rate, "{name}");
    }
    assert_eq!(node.get("/vhosts/%2F").await["message_stats"]["get_details"]["rate"], 0.8);
    node.sample(15);
    assert_eq!(node.get("/queues/%2F/q").await["messages_details"]["rate"], 0.0, "nothing happens any more");
    node.fixture.stop().await;
}

#[tokio::test]
async fn ranges_are_samples_newest_first() {
    let node = Node::with_queue(StatisticsSettings::default()).await;
    node.sample(0);
    node.publish(10).await;
    node.sample(5);
    node.publish(5).await;
    node.sample(10);
    let queue = node.get(&format!("/queues/%2F/q?{RANGES}")).await;
    let expected = vec![(15, 10_000), (10, 5000), (0, 0)];
    for details in [&queue["messages_details"], &queue["message_stats"]["publish_details"]] {
        assert_eq!(samples(details), expected);
        assert_eq!(details["rate"], 1.0);
        assert_eq!(details["avg_rate"], 1.5);
        assert_eq!(details["avg"], 25.0 / 3.0);
    }
    let vhost = node.get(&format!("/vhosts/%2F?{RANGES}")).await;
    assert_eq!(samples(&vhost["messages_details"]), expected);
    let overview = node.get(&format!("/overview?{RANGES}")).await;
    assert_eq!(samples(&overview["queue_totals"]["messages_details"]), expected);
    assert_eq!(samples(&overview["churn_rates"]["queue_created_details"]), [(1, 10_000), (1, 5000), (1, 0)]);
    let nodes = node.get(&format!("/nodes?{RANGES}")).await;
    assert_eq!(samples(&nodes[0]["mem_used_details"]).len(), 3);
    assert!(nodes[0]["fd_used_details"]["avg"].as_f64().unwrap() > 0.0);
    // Before sampling began everything counts as zero; the lengths of a queue go on to what is newest.
    let queue = node.get("/queues/%2F/q?lengths_age=120&lengths_incr=60&msg_rates_age=120&msg_rates_incr=60").await;
    let at = |seconds: i64| START_MS.wrapping_add_signed(seconds * 1000);
    let shown: Vec<_> = queue["messages_details"]["samples"].as_array().unwrap().clone();
    let expected = [(15, at(60)), (0, at(0)), (0, at(-60))];
    let sample = |(sample, timestamp): (u64, u64)| json!({"sample": sample, "timestamp": timestamp});
    assert_eq!(shown, expected.map(sample));
    let shown: Vec<_> = queue["message_stats"]["publish_details"]["samples"].as_array().unwrap().clone();
    assert_eq!(shown, [(0, at(0)), (0, at(-60)), (0, at(-120))].map(sample));
    node.fixture.stop().await;
}

#[tokio::test]
async fn what_is_gone_or_reset_is_forgotten() {
    let node = Node::with_queue(StatisticsSettings::default()).await;
    node.sample(0);
    node.publish(10).await;
    node.sample(5);
    let (objects, bytes) = node.statistics.size();
    assert!(objects >= 4 && bytes > 0);
    node.send("DELETE", "/queues/%2F/q", Value::Null).await;
    node.sample(10);
    assert_eq!(node.statistics.size().0, objects - 1);
    node.send("PUT", "/queues/%2F/q", json!({"durable": true})).await;
    let queue = node.get(&format!("/queues/%2F/q?{RANGES}")).await;
    assert_eq!(samples(&queue["messages_details"]), [(0, 10_000), (0, 5000), (0, 0)], "another queue");
    node.send("DELETE", "/reset", Value::Null).await;
    assert_eq!(node.statistics.size().0, 0);
    let vhost = node.get("/vhosts/%2F").await;
    assert_eq!(vhost["message_stats"]["publish"], 10, "counters go on");
    assert_eq!(vhost["message_stats"]["publish_details"], json!({"rate": 0.0}));
    node.sample(15);
    node.sample(20);
    assert_eq!(node.get("/vhosts/%2F").await["message_stats"]["publish_details"], json!({"rate": 0.0}));
    node.fixture.stop().await;
}

#[tokio::test]
async fn without_rates_nothing_of_messages_is_shown() {
    let settings = StatisticsSettings { rates_mode: RatesMode::None, ..StatisticsSettings::default() };
    let node = Node::with_queue(settings).await;
    node.sample(0);
    node.publish(10).await;
    node.sample(5);
    for path in ["/queues/%2F/q", "/exchanges/%2F/amq.direct", "/vhosts/%2F"] {
        assert_eq!(node.get(path).await.get("message_stats"), None, "{path}");
    }
    let overview = node.get("/overview").await;
    assert_eq!(overview["message_stats"], json!({}));
    assert_eq!(overview["rates_mode"], "none");
    assert_eq!(node.get("/nodes").await[0]["rates_mode"], "none");
    assert_eq!(node.get("/queues/%2F/q").await["messages_details"]["rate"], 2.0);
    node.fixture.stop().await;
}

#[tokio::test]
async fn overview_shows_the_policies_in_force() {
    let policies = Policies { basic: [(60, 5)].into(), ..Policies::default() };
    let node = Node::start(StatisticsSettings { policies, ..StatisticsSettings::default() }).await;
    let overview = node.get("/overview").await;
    let expected = json!({"global": [600, 3600, 28_800, 86_400], "basic": [60], "detailed": [600]});
    assert_eq!(overview["sample_retention_policies"], expected);
    assert_eq!(overview["rates_mode"], "basic");
    node.fixture.stop().await;
}

#[tokio::test]
async fn without_statistics_answers_show_what_the_reference_shows() {
    for (settings, query) in [
        (StatisticsSettings { disabled: true, ..StatisticsSettings::default() }, ""),
        (StatisticsSettings::default(), "?disable_stats=true"),
    ] {
        let node = Node::with_queue(settings).await;
        node.publish(1).await;
        let names = |item: Value| {
            let mut names: Vec<_> = item.as_object().unwrap().keys().cloned().collect();
            names.sort();
            names
        };
        let exchange = node.get(&format!("/exchanges/%2F/amq.direct{query}")).await;
        let expected =
            ["arguments", "auto_delete", "durable", "internal", "name", "type", "user_who_performed_action", "vhost"];
        assert_eq!(names(exchange), expected);
        let vhost = node.get(&format!("/vhosts/%2F{query}")).await;
        let expected = [
            "cluster_state",
            "default_queue_type",
            "description",
            "metadata",
            "name",
            "protected_from_deletion",
            "tags",
            "tracing",
        ];
        assert_eq!(names(vhost), expected);
        let nodes = node.get(&format!("/nodes{query}")).await;
        assert_eq!(names(nodes[0].clone()), ["being_drained", "name", "running", "type"]);
        assert_eq!(names(node.get(&format!("/overview{query}")).await["object_totals"].clone()).len(), 3);
        assert_eq!(node.get(&format!("/queues/%2F/q{query}")).await.get("messages"), None);
        for path in ["/consumers", "/consumers/%2F", "/vhosts/%2F/channels"] {
            let (status, refusal) = node.ask("GET", &format!("{path}{query}"), Value::Null).await;
            let reason = "Stats in management UI are disabled on this node";
            assert_eq!((status, &refusal["error"], &refusal["reason"]), (400, &json!("bad_request"), &json!(reason)));
        }
        assert_eq!(node.get(&format!("/channels{query}")).await, json!([]));
        node.fixture.stop().await;
    }
}
