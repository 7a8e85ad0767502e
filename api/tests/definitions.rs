//! Definitions over HTTP: all or nothing, told by place; reports; what was exported changes nothing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use api::{HttpOptions, Statistics};
use axum::body::Body;
use axum::http::{Request, Response, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use support::Fixture;
use tower::ServiceExt as _;

/// Over the control socket, which needs no credentials.
async fn send(fixture: &Fixture, request: Request<Body>) -> Response<Body> {
    fixture.control.clone().oneshot(request).await.unwrap()
}

async fn body(response: Response<Body>) -> Value {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

async fn post(fixture: &Fixture, path: &str, document: &Value) -> (u16, Value) {
    let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
    let response = send(fixture, request.body(Body::from(document.to_string())).unwrap()).await;
    (response.status().as_u16(), body(response).await)
}

async fn export(fixture: &Fixture, path: &str) -> Value {
    body(send(fixture, Request::get(path).body(Body::empty()).unwrap()).await).await
}

async fn start(name: &str) -> Fixture {
    Fixture::start(name, HttpOptions::default(), Statistics::default()).await
}

#[tokio::test]
async fn the_first_export_shows_the_first_users_password() {
    for path in ["/api/definitions", "/api/users", "/api/users/guest", "/api/users/without-permissions"] {
        let fixture = start("first@localhost").await;
        let shown = export(&fixture, path).await;
        let users = shown.get("users").unwrap_or(&shown);
        let users = if users.is_object() { std::slice::from_ref(users) } else { users.as_array().unwrap() };
        assert_eq!(users.len(), usize::from(!path.ends_with("permissions")), "{path}");
        assert!(users.iter().all(|user| !user["password_hash"].as_str().unwrap().is_empty()), "{path}");
        fixture.stop().await;
    }
}

/// Something of every kind, in an order that no import could follow.
fn rich() -> Value {
    json!({
        "bindings": [
            {"source": "x", "vhost": "v", "destination": "q", "destination_type": "queue", "routing_key": "k",
             "arguments": {"n": 1, "l": [1, {"a": true}]}},
            {"source": "amq.topic", "vhost": "v", "destination": "x", "destination_type": "exchange",
             "routing_key": "a.#", "arguments": {}},
            {"source": "amq.direct", "vhost": "/", "destination": "s", "destination_type": "queue",
             "routing_key": "", "arguments": {}},
        ],
        "queues": [
            {"name": "q", "vhost": "v", "durable": true, "auto_delete": false,
             "arguments": {"x-queue-type": "quorum", "x-delivery-limit": 3}},
            {"name": "s", "vhost": "/", "durable": true, "auto_delete": false,
             "arguments": {"x-queue-type": "stream", "x-max-age": "2D"}},
            {"name": "plain", "vhost": "v", "durable": true, "auto_delete": true, "arguments": {"x-message-ttl": 60000}},
        ],
        "exchanges": [
            {"name": "x", "vhost": "v", "type": "headers", "durable": true, "auto_delete": false, "internal": true,
             "arguments": {"alternate-exchange": "amq.fanout"}},
            {"name": "y", "vhost": "/", "type": "topic", "durable": true, "auto_delete": false, "arguments": {}},
        ],
        "policies": [
            {"vhost": "v", "name": "p", "pattern": "^q", "apply-to": "quorum_queues", "priority": 2,
             "definition": {"max-length": 10, "dead-letter-exchange": "x"}},
        ],
        "parameters": [
            {"vhost": "v", "component": "operator_policy", "name": "op",
             "value": {"pattern": ".*", "apply-to": "queues", "priority": 1, "definition": {"expires": 90000}}},
            {"vhost": "v", "component": "vhost-limits", "name": "limits",
             "value": {"max-queues": 10, "max-connections": 5}},
            {"vhost": "/", "component": "operator_policy", "name": "op",
             "value": {"pattern": ".*", "apply-to": "queues", "priority": 0, "definition": {"max-length": 9}}},
        ],
        "global_parameters": [{"name": "colour", "value": {"r": 1, "deep": [null, "x"]}}],
        "topic_permissions": [{"user": "u", "vhost": "v", "exchange": "amq.topic", "write": "^a", "read": ".*"}],
        "permissions": [{"user": "u", "vhost": "v", "configure": "^q", "write": "", "read": ".*"}],
        "vhosts": [
            {"name": "/", "description": "first", "tags": [], "default_queue_type": "classic"},
            {"name": "v", "description": "d", "tags": ["a", "b"], "default_queue_type": "quorum",
             "metadata": {"description": "d", "tags": ["a", "b"], "default_queue_type": "quorum",
                          "protected_from_deletion": true}},
        ],
        "users": [
            {"name": "u", "password_hash": "5dzyz0nVDYJS1Ss0W0wjgzNZrbFFUzrVLM9MNPrPVHmIrgnd",
             "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": ["monitoring"],
             "limits": {"max-connections": 3}},
            {"name": "old", "password_hash": "sR3PU8KnZ0xRm1zNGXEcZFuKsRw=",
             "hashing_algorithm": "rabbit_password_hashing_md5", "tags": []},
            {"name": "long", "password_hash": "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR",
             "hashing_algorithm": "rabbit_password_hashing_sha512", "tags": ["administrator"]},
        ],
    })
}

#[tokio::test]
async fn a_report_says_what_was_created_and_that_an_export_changes_nothing() {
    let (fixture, other) = (start("rich@localhost").await, start("other@localhost").await);
    let (status, report) = post(&fixture, "/api/definitions?report=true", &rich()).await;
    assert_eq!(status, 200, "{report}");
    for (kind, created) in [
        ("users", 3),
        ("permissions", 1),
        ("topic_permissions", 1),
        ("policies", 1),
        ("operator_policies", 2),
        ("parameters", 1),
        ("global_parameters", 1),
        ("queues", 3),
        ("exchanges", 2),
        ("bindings", 3),
    ] {
        assert_eq!(report["kinds"][kind]["created"], created, "{kind} of {report}");
    }
    assert_eq!(report["kinds"]["vhosts"], json!({"created": 1, "updated": 1, "unchanged": 0, "skipped": 0}));
    assert_eq!((&report["skipped"], &report["skipped_objects"]), (&json!(0), &json!([])));

    let exported = export(&fixture, "/api/definitions").await;
    let hashes: Vec<_> = exported["users"].as_array().unwrap().iter().map(|user| &user["hashing_algorithm"]).collect();
    for algorithm in ["sha256", "sha512", "md5"] {
        assert!(hashes.contains(&&json!(format!("rabbit_password_hashing_{algorithm}"))), "{hashes:?}");
    }
    let (status, again) = post(&fixture, "/api/definitions?report=true", &exported).await;
    assert_eq!(
        (status, &again["created"], &again["updated"], &again["skipped"]),
        (200, &json!(0), &json!(0), &json!(0)),
        "{again}"
    );
    assert_eq!(export(&fixture, "/api/definitions").await, exported);

    // Another node comes to the same, by itself and vhost by vhost.
    assert_eq!(post(&other, "/api/definitions", &exported).await, (204, Value::Null));
    for section in [
        "users",
        "vhosts",
        "permissions",
        "topic_permissions",
        "parameters",
        "policies",
        "queues",
        "exchanges",
        "bindings",
    ] {
        assert_eq!(export(&other, "/api/definitions").await[section], exported[section], "{section}");
    }
    for path in ["/api/definitions/v", "/api/definitions/%2F"] {
        let (_, report) = post(&fixture, &format!("{path}?report=true"), &export(&fixture, path).await).await;
        assert_eq!(
            (&report["created"], &report["updated"], &report["skipped"]),
            (&json!(0), &json!(0), &json!(0)),
            "{path}: {report}"
        );
    }
    fixture.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn what_exists_otherwise_is_left_and_told() {
    let fixture = start("left@localhost").await;
    let queue = |name: &str, auto_delete: bool| json!({"name": name, "vhost": "/", "durable": true, "auto_delete": auto_delete, "arguments": {}});
    post(&fixture, "/api/definitions", &json!({"queues": [queue("q", false)]})).await;
    let asked = json!({"queues": [queue("new", false), queue("q", true)],
                       "exchanges": [{"name": "amq.mine", "vhost": "/", "type": "topic", "durable": true}]});
    let request = Request::post("/api/definitions")
        .header(header::CONTENT_TYPE, "application/json")
        .header("prefer", "respond-async, return=representation");
    let response = send(&fixture, request.body(Body::from(asked.to_string())).unwrap()).await;
    assert_eq!(response.headers()["preference-applied"], "return=representation");
    let report = body(response).await;
    assert_eq!(report["kinds"]["queues"], json!({"created": 1, "updated": 0, "unchanged": 0, "skipped": 1}));
    let skipped = report["skipped_objects"].as_array().unwrap();
    let place = |object: &Value| (object["section"].clone(), object["index"].clone(), object["name"].clone());
    assert_eq!(place(&skipped[0]), (json!("exchanges"), json!(0), json!("amq.mine")));
    assert_eq!(place(&skipped[1]), (json!("queues"), json!(1), json!("q")));
    assert!(skipped[1]["reason"].as_str().unwrap().starts_with("inequivalent arg 'auto_delete'"));
    fixture.stop().await;
}

/// One bad object of every kind among good ones: nothing is imported, and the refusal says where it stands.
#[tokio::test]
async fn one_bad_object_keeps_everything_out_and_is_named() {
    let fixture = start("bad@localhost").await;
    let before = export(&fixture, "/api/definitions").await;
    let bad = |section: &str, object: Value| {
        let mut document = rich();
        document[section].as_array_mut().unwrap().push(object);
        document
    };
    let at = |section: &str, index: usize, field: Option<&str>| (section.to_owned(), index, field.map(str::to_owned));
    for (document, (section, index, field), code) in [
        (bad("users", json!({"name": "w"})), at("users", 3, Some("tags")), "invalid_value"),
        (
            bad("users", json!({"name": "w", "tags": "", "password_hash": "!"})),
            at("users", 3, Some("password_hash")),
            "invalid_value",
        ),
        (
            bad("users", json!({"name": "w", "tags": "", "limits": {"max-foo": 1}})),
            at("users", 3, Some("limits")),
            "invalid_value",
        ),
        (bad("vhosts", json!({"description": "nameless"})), at("vhosts", 2, Some("name")), "invalid_value"),
        (
            bad("vhosts", json!({"name": "w", "metadata": {"default_queue_type": "b"}})),
            at("vhosts", 2, Some("default_queue_type")),
            "invalid_value",
        ),
        (
            bad("permissions", json!({"user": "u", "vhost": "v", "configure": "(", "write": "", "read": ""})),
            at("permissions", 1, None),
            "invalid_pattern",
        ),
        (
            bad("permissions", json!({"user": "nobody", "vhost": "v", "configure": "", "write": "", "read": ""})),
            at("permissions", 1, None),
            "no_such_user",
        ),
        (
            bad("permissions", json!({"user": "u", "vhost": "gone", "configure": "", "write": "", "read": ""})),
            at("permissions", 1, Some("vhost")),
            "invalid_value",
        ),
        (
            bad("topic_permissions", json!({"user": "u", "vhost": "v", "exchange": "gone", "write": "", "read": ""})),
            at("topic_permissions", 1, None),
            "no_such_exchange",
        ),
        (
            bad("policies", json!({"vhost": "v", "name": "p2", "pattern": "x", "definition": {}})),
            at("policies", 1, None),
            "invalid_value",
        ),
        (
            bad("policies", json!({"vhost": "v", "name": "p2", "pattern": "x", "definition": {"max-length": "many"}})),
            at("policies", 1, None),
            "invalid_value",
        ),
        (
            bad(
                "parameters",
                json!({"vhost": "v", "component": "operator_policy", "name": "op2", "value": {"pattern": "x", "definition": {"x": 1}}}),
            ),
            at("parameters", 3, None),
            "invalid_value",
        ),
        (
            bad("parameters", json!({"vhost": "v", "component": "bogus", "name": "b", "value": 1})),
            at("parameters", 3, None),
            "invalid_value",
        ),
        (
            bad(
                "parameters",
                json!({"vhost": "v", "component": "vhost-limits", "name": "limits", "value": {"max-foo": 1}}),
            ),
            at("parameters", 3, None),
            "invalid_value",
        ),
        (
            bad(
                "parameters",
                json!({"vhost": "gone", "component": "operator_policy", "name": "o", "value": {"pattern": "x", "definition": {"max-length": 1}}}),
            ),
            at("parameters", 3, Some("vhost")),
            "invalid_value",
        ),
        (bad("global_parameters", json!({"value": 1})), at("global_parameters", 1, Some("name")), "invalid_value"),
        (
            bad("exchanges", json!({"name": "z", "vhost": "v", "type": "bogus"})),
            at("exchanges", 2, Some("type")),
            "invalid_value",
        ),
        (
            bad(
                "exchanges",
                json!({"name": "z", "vhost": "v", "type": "topic", "arguments": {"alternate-exchange": 1}}),
            ),
            at("exchanges", 2, None),
            "invalid_argument",
        ),
        (
            bad("exchanges", json!({"name": "z".repeat(300), "vhost": "v", "type": "topic"})),
            at("exchanges", 2, Some("name")),
            "invalid_value",
        ),
        (
            bad("queues", json!({"name": "z", "vhost": "v", "durable": "maybe"})),
            at("queues", 3, Some("durable")),
            "invalid_value",
        ),
        (
            bad("queues", json!({"name": "z", "vhost": "v", "arguments": {"x-message-ttl": -1}})),
            at("queues", 3, None),
            "invalid_argument",
        ),
        (bad("queues", json!({"name": "z", "vhost": "gone"})), at("queues", 3, Some("vhost")), "invalid_value"),
        (
            bad("bindings", json!({"source": "x", "vhost": "v", "destination": "gone"})),
            at("bindings", 3, Some("destination")),
            "no_such_queue",
        ),
        (
            bad("bindings", json!({"source": "gone", "vhost": "v", "destination": "q"})),
            at("bindings", 3, Some("source")),
            "no_such_exchange",
        ),
        (
            bad("bindings", json!({"source": "", "vhost": "v", "destination": "q"})),
            at("bindings", 3, Some("source")),
            "default_exchange",
        ),
        (
            bad("bindings", json!({"source": "x", "vhost": "v", "destination": "q", "destination_type": "b"})),
            at("bindings", 3, Some("destination_type")),
            "invalid_value",
        ),
    ] {
        let (status, refusal) = post(&fixture, "/api/definitions", &document).await;
        assert_eq!((status, &refusal["error"]), (400, &json!("bad_request")), "{section}: {refusal}");
        let object = &refusal["object"];
        let field = field.map_or(Value::Null, Value::from);
        assert_eq!(
            (&object["section"], &object["index"], &object["field"]),
            (&json!(section), &json!(index), &field),
            "{refusal}"
        );
        assert_eq!(refusal["code"], code, "{refusal}");
        assert!(refusal["hint"].is_string(), "{refusal}");
        assert_eq!(export(&fixture, "/api/definitions").await, before, "after {refusal}");
    }
    for (document, section) in [(json!({"queues": 5}), "queues"), (json!({"users": [1]}), "users")] {
        let (status, refusal) = post(&fixture, "/api/definitions", &document).await;
        assert_eq!((status, &refusal["object"]["section"]), (400, &json!(section)), "{refusal}");
    }
    fixture.stop().await;
}

#[tokio::test]
async fn a_browser_uploads_a_file_and_is_sent_on() {
    let fixture = start("upload@localhost").await;
    let part = |name: &str, text: &str| {
        format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"f.json\"\r\n\r\n{text}\r\n")
    };
    let upload = async |parts: String| {
        let request = Request::post("/api/definitions/%2F")
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=B")
            .body(Body::from(parts + "--B--\r\n"));
        send(&fixture, request.unwrap()).await
    };
    let stranger = Request::post("/api/definitions").body(Body::empty()).unwrap();
    assert_eq!(fixture.tcp.clone().oneshot(stranger).await.unwrap().status(), 401);
    let queue = |name: &str| json!({"queues": [{"name": name, "durable": true}]}).to_string();
    assert_eq!(upload(part("file", &queue("one"))).await.status(), 204);
    let sent_on = upload(part("file", &queue("two")) + &part("redirect", "/done")).await;
    assert_eq!((sent_on.status().as_u16(), &sent_on.headers()[header::LOCATION]), (303, &"/done".parse().unwrap()));
    // A file of which every byte but the last few is padding is taken like any other.
    let padded = format!("{}{}", " ".repeat(4 << 20), queue("three"));
    assert_eq!(upload(part("file", &padded)).await.status(), 204);
    let names: Vec<_> = export(&fixture, "/api/definitions").await["queues"]
        .as_array()
        .unwrap()
        .iter()
        .map(|queue| queue["name"].clone())
        .collect();
    assert_eq!(names, ["one", "three", "two"]);
    fixture.stop().await;
}

/// What the reference itself exported, in both recorded versions.
#[tokio::test]
async fn recorded_exports_are_taken_and_change_nothing_the_second_time() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/transcripts/http/scenarios");
    let mut exports = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if !path.file_name().unwrap().to_str().unwrap().contains("definitions") {
            continue;
        }
        let scenario: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for step in scenario["steps"].as_array().unwrap() {
            let versions = step["recorded"].as_object().into_iter().flat_map(|versions| versions.values());
            for answer in [step].into_iter().chain(versions) {
                let response = &answer["response"];
                let of_vhost = response.get("original_vhost_name").is_some() || response.get("vhosts").is_none();
                if response["rabbit_version"].is_string() && !of_vhost {
                    exports.push(response.clone());
                }
            }
        }
    }
    assert!(exports.len() >= 2, "{} exports", exports.len());
    for (number, document) in exports.iter().enumerate() {
        let fixture = start(&format!("export{number}@localhost")).await;
        let (status, report) = post(&fixture, "/api/definitions?report=true", document).await;
        assert_eq!(status, 200, "{report} of {document}");
        let (_, again) = post(&fixture, "/api/definitions?report=true", document).await;
        assert_eq!((&again["created"], &again["updated"]), (&json!(0), &json!(0)), "{again} of {document}");
        fixture.stop().await;
    }
}
