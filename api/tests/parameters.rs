//! Parameters that are kept as something else: limits of vhosts, policies of operators and of users.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use api::{HttpOptions, Statistics};
use axum::body::Body;
use axum::http::{Request, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use support::Fixture;
use tower::ServiceExt as _;

impl Fixture {
    /// The status and the body, null when there is none; changes go the way of the command line tools.
    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api{path}"))
            .header(header::AUTHORIZATION, format!("Basic {}", STANDARD.encode("guest:guest")))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.map_or_else(Body::empty, |body| Body::from(body.to_string())))
            .unwrap();
        let way_in = if method == "GET" { &self.tcp } else { &self.control };
        let response = way_in.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }
}

#[tokio::test]
async fn what_is_kept_as_something_else_is_found_as_a_parameter() {
    let fixture = Fixture::start("parameters@localhost", HttpOptions::default(), Statistics::default()).await;
    let policy = json!({"pattern": "^a", "definition": {"max-length": 5}, "priority": 2, "apply-to": "queues"});
    for (path, body) in [
        ("/vhost-limits/%2F/max-queues", json!({"value": 7})),
        ("/operator-policies/%2F/o", policy.clone()),
        ("/policies/%2F/p", policy.clone()),
    ] {
        assert!(fixture.ask("PUT", path, Some(body)).await.0 < 300, "{path}");
    }
    let shown = |component: &str, name: &str, value: Value| json!({"value": value, "vhost": "/", "component": component, "name": name});
    let limits = shown("vhost-limits", "limits", json!({"max-queues": 7}));
    let operator = shown("operator_policy", "o", policy.clone());
    let user = shown("policy", "p", policy);

    // Policies of users are listed for who asks for them.
    assert_eq!(fixture.ask("GET", "/parameters", None).await.1, json!([limits, operator]));
    assert_eq!(fixture.ask("GET", "/parameters/policy", None).await.1, json!([user]));
    for (path, parameter) in
        [("vhost-limits/%2F/limits", limits), ("operator_policy/%2F/o", operator), ("policy/%2F/p", user)]
    {
        assert_eq!(fixture.ask("GET", &format!("/parameters/{path}"), None).await, (200, parameter));
    }

    assert_eq!(fixture.ask("DELETE", "/parameters/policy/%2F/p", None).await.0, 400);
    for path in ["/parameters/vhost-limits/%2F/limits", "/parameters/operator_policy/%2F/o"] {
        assert_eq!(fixture.ask("DELETE", path, None).await.0, 204, "{path}");
        assert_eq!(fixture.ask("DELETE", path, None).await.0, 404, "{path}");
    }
    assert_eq!(fixture.ask("GET", "/vhost-limits/%2F", None).await.1, json!([]));
    assert_eq!(fixture.ask("GET", "/operator-policies", None).await.1, json!([]));
    assert_eq!(fixture.ask("GET", "/policies", None).await.1.as_array().map(Vec::len), Some(1));
    fixture.stop().await;
}
