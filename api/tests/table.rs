//! Folds over the endpoint table against a running node: every endpoint answers, says
//! what it allows, and refuses whoever its class refuses.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::net::{IpAddr, Ipv4Addr};

use api::{HttpOptions, PeerAddress, Statistics};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openapi::{Access, Endpoint, Method, Operation};
use support::Fixture;
use tower::ServiceExt as _;

const NODE: &str = "table@localhost";

async fn start() -> Fixture {
    let fixture = Fixture::start(NODE, HttpOptions::default(), Statistics::default()).await;
    for (user, tags, permitted) in [
        ("untagged", "", true),
        ("stranger", "management", false),
        ("manager", "management", true),
        ("monitor", "monitoring", true),
        ("policymaker", "policymaker", true),
    ] {
        let body = format!(r#"{{"password":"p","tags":"{tags}"}}"#);
        assert_eq!(fixture.call("guest:guest", "PUT", &format!("/api/users/{user}"), &body).await.status(), 201);
        if permitted {
            let body = r#"{"configure":".*","write":".*","read":".*"}"#;
            let path = format!("/api/permissions/%2F/{user}");
            assert_eq!(fixture.call("guest:guest", "PUT", &path, body).await.status(), 201);
        }
    }
    fixture
}

impl Fixture {
    /// Calls over TCP from this host; an empty user sends no credentials.
    async fn call(&self, credentials: &str, method: &str, path: &str, body: &str) -> Response<Body> {
        send(&self.tcp, credentials, method, path, body).await
    }
}

async fn send(router: &Router, credentials: &str, method: &str, path: &str, body: &str) -> Response<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !credentials.is_empty() {
        request = request.header(header::AUTHORIZATION, format!("Basic {}", STANDARD.encode(credentials)));
    }
    let mut request = request.body(Body::from(body.to_owned())).unwrap();
    request.extensions_mut().insert(PeerAddress(Some(IpAddr::V4(Ipv4Addr::LOCALHOST))));
    router.clone().oneshot(request).await.unwrap()
}

/// The path of an endpoint with names that exist where a class depends on it.
fn path(endpoint: &Endpoint) -> String {
    let names: Vec<_> = endpoint
        .parameters()
        .map(|name| match name {
            "vhost" => "/",
            "user" => "guest",
            "node" => NODE,
            "port" | "within" => "1",
            "unit" => "days",
            _ => "x",
        })
        .collect();
    endpoint.fill(&names)
}

fn operations() -> impl Iterator<Item = (&'static Endpoint, &'static Operation)> {
    openapi::endpoints().flat_map(|endpoint| endpoint.operations.iter().map(move |operation| (endpoint, operation)))
}

#[tokio::test]
async fn every_endpoint_says_what_it_allows() {
    let fixture = start().await;
    for endpoint in openapi::endpoints() {
        let allow = |response: &Response<Body>| response.headers()[header::ALLOW].to_str().unwrap().to_owned();
        let options = fixture.call("", "OPTIONS", &path(endpoint), "").await;
        assert_eq!((options.status(), allow(&options)), (StatusCode::OK, endpoint.allow()), "{}", endpoint.path);
        let patch = fixture.call("", "PATCH", &path(endpoint), "").await;
        let expected = (StatusCode::METHOD_NOT_ALLOWED, endpoint.allow());
        assert_eq!((patch.status(), allow(&patch)), expected, "{}", endpoint.path);
    }
    fixture.stop().await;
}

/// Someone whom a class refuses, and how.
fn refused(access: Access) -> Option<(&'static str, u16)> {
    match access {
        Access::Public => None,
        Access::Any | Access::Own => Some(("untagged:p", 401)),
        Access::Monitor => Some(("policymaker:p", 401)),
        Access::Administrator => Some(("monitor:p", 401)),
        Access::Vhost | Access::VhostVisible => Some(("stranger:p", 404)),
        Access::Policy | Access::GlobalParameter => Some(("manager:p", 401)),
        Access::ControlSocket => Some(("guest:guest", 401)),
    }
}

#[tokio::test]
async fn every_endpoint_refuses_the_wrong_tag() {
    let fixture = start().await;
    for (endpoint, operation) in operations() {
        let method = operation.method.as_str();
        let what = format!("{method} {}", endpoint.path);
        let Some((credentials, status)) = refused(operation.access) else { continue };
        let nobody = fixture.call("", method, &path(endpoint), "").await;
        assert_eq!(nobody.status(), 401, "{what}");
        assert!(nobody.headers().contains_key(header::WWW_AUTHENTICATE), "{what}");
        let wrong = fixture.call("guest:wrong", method, &path(endpoint), "").await;
        assert_eq!(wrong.status(), 401, "{what}");
        let refused = fixture.call(credentials, method, &path(endpoint), "").await;
        assert_eq!(refused.status(), status, "{what} as {credentials}");
    }
    fixture.stop().await;
}

#[tokio::test]
async fn every_read_answers_the_administrator_and_the_control_socket() {
    let fixture = start().await;
    for (endpoint, _) in operations().filter(|(_, operation)| operation.method == Method::Get) {
        for (router, credentials) in [(&fixture.tcp, "guest:guest"), (&fixture.control, "")] {
            let response = send(router, credentials, "GET", &path(endpoint), "").await;
            let status = response.status();
            // A check that fails says so with 503; everything else is there or is not.
            let expected = [200, 400, 404, 503].contains(&status.as_u16());
            assert!(expected, "GET {} answers {status}", endpoint.path);
        }
    }
    fixture.stop().await;
}

#[tokio::test]
async fn only_node_endpoints_answer_while_the_application_is_stopped() {
    let fixture = start().await;
    let stop = openapi::control::STOP_APP.fill(&[]);
    assert_eq!(send(&fixture.control, "", "POST", &stop, "").await.status(), 204);
    let node = openapi::control::NODE.fill(&[]);
    assert_eq!(send(&fixture.control, "", "GET", &node, "").await.status(), 200);
    assert_eq!(send(&fixture.control, "", "GET", "/api/users", "").await.status(), 503);
    assert_eq!(send(&fixture.control, "guest:guest", "GET", "/api/whoami", "").await.status(), 503);
    let reset = openapi::control::RESET.fill(&[]);
    assert_eq!(send(&fixture.control, "", "POST", &reset, "").await.status(), 204);
    let start = openapi::control::START_APP.fill(&[]);
    assert_eq!(send(&fixture.control, "", "POST", &start, "").await.status(), 204);
    assert_eq!(send(&fixture.control, "", "POST", &reset, "").await.status(), 409);
    assert_eq!(send(&fixture.control, "", "GET", "/api/users/manager", "").await.status(), 404);
    fixture.stop().await;
}
