//! What the API does beyond its table: prefix, other spellings of a vhost, other origins,
//! sessions, guessing, probes, compression.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::net::{IpAddr, Ipv4Addr};

use api::{Cors, HttpOptions, PeerAddress, Statistics};
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use support::Fixture;
use tower::ServiceExt as _;

const FAR: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

async fn start(http: HttpOptions) -> Fixture {
    Fixture::start("http@localhost", http, Statistics::default()).await
}

impl Fixture {
    async fn send(&self, from: IpAddr, request: Request<Body>) -> Response<Body> {
        let mut request = request;
        request.extensions_mut().insert(PeerAddress(Some(from)));
        self.tcp.clone().oneshot(request).await.unwrap()
    }

    async fn get(&self, path: &str) -> Response<Body> {
        self.send(HERE, as_guest("GET", path).body(Body::empty()).unwrap()).await
    }
}

fn as_user(pair: &str, method: &str, path: &str) -> axum::http::request::Builder {
    let basic = format!("Basic {}", STANDARD.encode(pair));
    Request::builder().method(method).uri(path).header(header::AUTHORIZATION, basic)
}

fn as_guest(method: &str, path: &str) -> axum::http::request::Builder {
    as_user("guest:guest", method, path)
}

async fn body(response: Response<Body>) -> Value {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test]
async fn a_prefix_stands_before_every_path_but_those_of_the_control_socket() {
    let fixture = start(HttpOptions { path_prefix: "/mq".to_owned(), ..HttpOptions::default() }).await;
    assert_eq!(fixture.get("/mq/api/whoami").await.status(), 200);
    assert_eq!(fixture.get("/mq/live").await.status(), 200);
    assert_eq!(fixture.get("/api/whoami").await.status(), 404);
    assert_eq!(fixture.get("/mqx/api/whoami").await.status(), 404);
    let moved = fixture.get("/mq/api").await;
    assert_eq!(
        (moved.status(), &moved.headers()[header::LOCATION]),
        (StatusCode::MOVED_PERMANENTLY, &"/mq/api/index.html".parse::<HeaderValue>().unwrap())
    );
    let request = Request::builder().uri("/api/whoami").body(Body::empty()).unwrap();
    assert_eq!(fixture.control.clone().oneshot(request).await.unwrap().status(), 200);
    fixture.stop().await;
}

#[tokio::test]
async fn the_page_about_tools_is_there_and_nothing_beside_it() {
    let fixture = start(HttpOptions { path_prefix: "/mq".to_owned(), ..HttpOptions::default() }).await;
    let moved = fixture.get("/mq/cli").await;
    let to = moved.headers()[header::LOCATION].to_str().unwrap().to_owned();
    // As the reference: for everybody, and only to be read.
    for (method, path, status) in [
        ("GET", to.as_str(), 200),
        ("HEAD", to.as_str(), 200),
        ("OPTIONS", to.as_str(), 200),
        ("POST", to.as_str(), 405),
        ("GET", "/mq/cli/rabbitmqadmin", 404),
    ] {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let answer = fixture.send(HERE, request).await;
        assert_eq!(answer.status(), status, "{method} {path}");
        assert_eq!(answer.headers()[header::ALLOW], "HEAD, GET, OPTIONS");
        if method == "GET" && status == 200 {
            assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
            let page = answer.into_body().collect().await.unwrap().to_bytes();
            let link = "href=\"../api/index.html\"";
            assert!(String::from_utf8(page.to_vec()).unwrap().contains(link), "the link holds below a prefix");
        }
    }
    fixture.stop().await;
}

#[tokio::test]
async fn a_refused_page_says_which_way() {
    let fixture = start(HttpOptions::default()).await;
    for (query, code) in [
        ("page=0", "invalid_pagination_parameters"),
        ("page=1&page_size=501", "invalid_pagination_parameters"),
        ("page=9", "page_out_of_range"),
        ("page=x", "bad_request"),
    ] {
        let refusal = body(fixture.get(&format!("/api/exchanges?{query}")).await).await;
        assert_eq!((&refusal["code"], &refusal["error"]), (&json!(code), &json!(code)), "{query}");
    }
    fixture.stop().await;
}

#[tokio::test]
async fn the_vhost_slash_has_other_spellings_that_mean_nothing_else() {
    let fixture = start(HttpOptions::default()).await;
    let put = as_guest("PUT", "/api/queues/~default/q").body(Body::empty()).unwrap();
    assert_eq!(fixture.send(HERE, put).await.status(), 201);
    for path in [
        "/api/queues/%2F/q",
        "/api/queues/%2f/q",
        "/api/queues/~default/q",
        "/api/queues///q",
        "/api/queues///q/bindings",
        "/api/vhosts/~default",
        "/api/vhosts//",
    ] {
        assert_eq!(fixture.get(path).await.status(), 200, "{path}");
    }
    assert_eq!(fixture.get("/api/queues//q").await.status(), 404);
    let put = as_guest("PUT", "/api/vhosts/%7Edefault").body(Body::empty()).unwrap();
    assert!(fixture.send(HERE, put).await.status().is_success());
    fixture.stop().await;
}

#[tokio::test]
async fn pages_of_listed_origins_may_call() {
    let cors = Cors { allowed_origins: vec!["http://console".to_owned()], ..Cors::default() };
    let headers = vec![(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"))];
    let fixture = start(HttpOptions { cors, headers, ..HttpOptions::default() }).await;
    let ask = |origin: &str| as_guest("GET", "/api/whoami").header(header::ORIGIN, origin).body(Body::empty()).unwrap();
    let listed = fixture.send(HERE, ask("http://console")).await;
    assert_eq!(listed.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], "http://console");
    assert_eq!(listed.headers()[header::X_FRAME_OPTIONS], "DENY");
    let other = fixture.send(HERE, ask("http://evil")).await;
    assert_eq!(other.status(), 200);
    assert!(!other.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    let preflight =
        Request::builder().method("OPTIONS").uri("/api/queues/%2F/q").header(header::ORIGIN, "http://console");
    let preflight = fixture.send(HERE, preflight.body(Body::empty()).unwrap()).await;
    assert_eq!(preflight.headers()[header::ACCESS_CONTROL_ALLOW_METHODS], "HEAD, GET, PUT, DELETE, OPTIONS");
    fixture.stop().await;
}

fn as_form(request: axum::http::request::Builder) -> axum::http::request::Builder {
    request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
}

#[tokio::test]
async fn a_session_lasts_until_logout_or_a_new_password() {
    let fixture = start(HttpOptions::default()).await;
    let begin = || as_guest("POST", "/api/warren/sessions").body(Body::empty()).unwrap();
    let with = |token: &str, method: &str, path: &str| {
        let builder = Request::builder().method(method).uri(path);
        builder.header(header::AUTHORIZATION, format!("Bearer {token}")).body(Body::empty()).unwrap()
    };
    let began = fixture.send(HERE, begin()).await;
    assert_eq!(began.status(), 201);
    let token = body(began).await["token"].as_str().unwrap().to_owned();
    assert_eq!(fixture.send(HERE, with(&token, "GET", "/api/whoami")).await.status(), 200);
    assert_eq!(fixture.send(HERE, with("nonsense", "GET", "/api/whoami")).await.status(), 401);
    // The login came from this host, and guest may log in only from here.
    assert_eq!(fixture.send(FAR, with(&token, "GET", "/api/whoami")).await.status(), 401);
    let listed = body(fixture.get("/api/warren/sessions").await).await;
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["user"]), (1, &json!("guest")));

    let form = "username=guest&password=guest";
    let login = as_form(Request::builder().method("POST").uri("/api/login")).body(Body::from(form)).unwrap();
    let login = fixture.send(HERE, login).await;
    let cookie = login.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/api", "Max-Age=28800"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let pair = cookie.split(';').next().unwrap().to_owned();
    let with_cookie = |method: &str, path: &str| {
        Request::builder().method(method).uri(path).header(header::COOKIE, &pair).body(Body::empty()).unwrap()
    };
    assert_eq!(fixture.send(HERE, with_cookie("GET", "/api/whoami")).await.status(), 200);
    assert_eq!(fixture.send(HERE, with_cookie("DELETE", "/api/login")).await.status(), 204);
    assert_eq!(fixture.send(HERE, with_cookie("GET", "/api/whoami")).await.status(), 401);
    assert_eq!(fixture.send(HERE, with(&token, "GET", "/api/whoami")).await.status(), 200);

    let password = r#"{"password":"new","tags":"administrator"}"#;
    let put = as_guest("PUT", "/api/users/guest").body(Body::from(password)).unwrap();
    assert_eq!(fixture.send(HERE, put).await.status(), 204);
    assert_eq!(fixture.send(HERE, with(&token, "GET", "/api/whoami")).await.status(), 401);

    let everywhere = as_user("guest:new", "DELETE", "/api/warren/sessions").body(Body::empty()).unwrap();
    assert_eq!(body(fixture.send(HERE, everywhere).await).await, json!({"ended": 1}));
    fixture.stop().await;
}

#[tokio::test]
async fn a_session_is_worth_no_more_than_its_user() {
    let fixture = start(HttpOptions::default()).await;
    let put = |tags: &str| {
        let body = json!({"password": "p", "tags": tags}).to_string();
        fixture.send(HERE, as_guest("PUT", "/api/users/u").body(Body::from(body)).unwrap())
    };
    let begin = || fixture.send(FAR, as_user("u:p", "POST", "/api/warren/sessions").body(Body::empty()).unwrap());
    assert_eq!(put("").await.status(), 201);
    assert_eq!(begin().await.status(), 401, "who may use AMQP alone gets none");
    let form = || Body::from("username=u&password=p");
    let login = || as_form(Request::builder().method("POST").uri("/api/login")).body(form()).unwrap();
    let refused = fixture.send(FAR, login()).await;
    assert_eq!(
        (refused.status(), refused.headers().contains_key(header::SET_COOKIE)),
        (StatusCode::UNAUTHORIZED, false)
    );

    assert_eq!(put("management").await.status(), 204);
    let began = fixture.send(FAR, login()).await;
    let cookie = began.headers()[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let with_cookie =
        |path: &str| Request::builder().uri(path).header(header::COOKIE, &cookie).body(Body::empty()).unwrap();
    assert_eq!(fixture.send(FAR, with_cookie("/api/whoami")).await.status(), 200);
    assert_eq!(fixture.send(FAR, with_cookie("/api/nodes")).await.status(), 401);
    // The same password: only the tags are others.
    let hash = body(fixture.get("/api/users/u").await).await["password_hash"].clone();
    let untagged = json!({"password_hash": hash, "tags": ""}).to_string();
    let untag = fixture.send(HERE, as_guest("PUT", "/api/users/u").body(Body::from(untagged)).unwrap());
    assert_eq!(untag.await.status(), 204);
    assert_eq!(fixture.send(FAR, with_cookie("/api/whoami")).await.status(), 401);
    fixture.stop().await;
}

#[tokio::test]
async fn while_the_application_is_stopped_a_session_is_told_so() {
    let fixture = start(HttpOptions::default()).await;
    let began = fixture.send(HERE, as_guest("POST", "/api/warren/sessions").body(Body::empty()).unwrap()).await;
    let token = body(began).await["token"].as_str().unwrap().to_owned();
    let stop = Request::builder().method("POST").uri(openapi::control::STOP_APP.fill(&[])).body(Body::empty()).unwrap();
    assert_eq!(fixture.control.clone().oneshot(stop).await.unwrap().status(), 204);
    let authorization = [format!("Bearer {token}"), format!("Basic {}", STANDARD.encode("guest:guest"))];
    for authorization in authorization {
        let ask = Request::builder().uri("/api/whoami").header(header::AUTHORIZATION, &authorization);
        assert_eq!(fixture.send(HERE, ask.body(Body::empty()).unwrap()).await.status(), 503, "{authorization}");
    }
    fixture.stop().await;
}

#[tokio::test]
async fn guessing_is_refused_unchecked_and_says_when_to_come_back() {
    let fixture = start(HttpOptions::default()).await;
    let guess = |pair: &str| as_user(pair, "GET", "/api/whoami").body(Body::empty()).unwrap();
    let mut refused = None;
    for _ in 0..200 {
        let answer = fixture.send(FAR, guess("guest:wrong")).await;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            refused = Some(answer);
            break;
        }
        assert_eq!(answer.status(), 401);
    }
    let refused = refused.unwrap();
    assert!(refused.headers()[header::RETRY_AFTER].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(body(refused).await["error"], "too_many_failed_logins");
    // Nobody else is kept out.
    assert_eq!(fixture.send(HERE, guess("guest:guest")).await.status(), 200);
    assert_eq!(fixture.send(FAR, guess("other:wrong")).await.status(), 401);
    fixture.stop().await;
}

#[tokio::test]
async fn probes_answer_without_credentials_and_say_why_not() {
    let fixture = start(HttpOptions::default()).await;
    for path in ["/live", "/ready"] {
        let answer = fixture.send(FAR, Request::builder().uri(path).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(body(answer).await, json!({"status": "ok", "reasons": [], "warnings": []}));
        let head = fixture.send(FAR, Request::builder().method("HEAD").uri(path).body(Body::empty()).unwrap()).await;
        assert_eq!(head.status(), 200, "{path}");
    }
    let stop = Request::builder().method("POST").uri(openapi::control::STOP_APP.fill(&[])).body(Body::empty()).unwrap();
    assert_eq!(fixture.control.clone().oneshot(stop).await.unwrap().status(), 204);
    let live = fixture.send(FAR, Request::builder().uri("/live").body(Body::empty()).unwrap()).await;
    assert_eq!(live.status(), 200);
    let ready = fixture.send(FAR, Request::builder().uri("/ready").body(Body::empty()).unwrap()).await;
    assert_eq!(ready.status(), 503);
    assert_eq!(body(ready).await["reasons"], json!(["the application is stopped; start_app starts it"]));
    fixture.stop().await;
}

#[tokio::test]
async fn answers_are_compressed_as_the_client_prefers() {
    let fixture = start(HttpOptions::default()).await;
    for (accepted, encoding) in [
        ("gzip", Some("gzip")),
        ("br", Some("br")),
        ("zstd", Some("zstd")),
        ("gzip;q=0.1, zstd", Some("zstd")),
        ("deflate", None),
        // Nothing at all is wanted: it is not done again with another header, so it is said as it is.
        ("identity;q=0", None),
        ("gzip;q=nan, *;q=0", None),
    ] {
        let ask = as_guest("GET", "/api/overview").header(header::ACCEPT_ENCODING, accepted);
        let answer = fixture.send(HERE, ask.body(Body::empty()).unwrap()).await;
        let used = answer.headers().get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap());
        assert_eq!((answer.status(), used), (StatusCode::OK, encoding), "{accepted}");
    }
    fixture.stop().await;
}

#[tokio::test]
async fn a_name_that_is_no_text_is_nobody_s() {
    let fixture = start(HttpOptions::default()).await;
    for (method, path, status, reason) in [
        ("PUT", "/api/queues/%2F/a%FFb", 400, "queue in the path is no UTF-8"),
        ("PUT", "/api/vhosts/%ED%A0%80", 400, "vhost in the path is no UTF-8"),
        ("POST", "/api/bindings/%2F/e/%FF/q/q", 400, "source in the path is no UTF-8"),
        ("GET", "/api/queues/%2F/a%E6%B0", 404, "Not Found"),
        ("DELETE", "/api/users/%C0%AF", 404, "Not Found"),
    ] {
        let answer = fixture.send(HERE, as_guest(method, path).body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status().as_u16(), &body(answer).await["reason"]), (status, &json!(reason)), "{path}");
    }
    let elsewhere = fixture.send(HERE, as_guest("PATCH", "/api/queues/%2F/%FF").body(Body::empty()).unwrap()).await;
    assert_eq!(elsewhere.status(), 405);
    assert_eq!(elsewhere.headers()[header::ALLOW], "HEAD, GET, PUT, DELETE, OPTIONS");
    let nobody = Request::builder().uri("/api/queues/%2F/%FF").body(Body::empty()).unwrap();
    assert_eq!(fixture.send(HERE, nobody).await.status(), 401);
    fixture.stop().await;
}

#[tokio::test]
async fn two_sets_of_credentials_are_nobody_s() {
    let fixture = start(HttpOptions::default()).await;
    let two = as_guest("GET", "/api/whoami").header(header::AUTHORIZATION, "Bearer x").body(Body::empty()).unwrap();
    assert_eq!(fixture.send(HERE, two).await.status(), 400);
    fixture.stop().await;
}
