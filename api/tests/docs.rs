//! The page that shows the OpenAPI document: served whole, from here, and without what the content security
//! policy would refuse.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use api::{HttpOptions, Statistics};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, header};
use http_body_util::BodyExt as _;
use support::Fixture;
use tower::ServiceExt as _;

async fn get(fixture: &Fixture, path: &str) -> Response<Body> {
    ask(&fixture.tcp, path).await
}

async fn ask(router: &Router, path: &str) -> Response<Body> {
    let request = Request::builder().uri(path).body(Body::empty()).unwrap();
    router.clone().oneshot(request).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Values of an attribute.
fn attributes<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    page.split(&start).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

async fn check(prefix: &str) {
    let options = HttpOptions { path_prefix: prefix.to_owned(), ..HttpOptions::default() };
    let fixture = Fixture::start("docs@localhost", options, Statistics::default()).await;
    let page = get(&fixture, &format!("{prefix}/api/docs")).await;
    assert_eq!(
        (page.status().as_u16(), &page.headers()[header::CONTENT_TYPE]),
        (200, &"text/html; charset=utf-8".parse().unwrap())
    );
    let policy = page.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
    let page = text(page).await;
    assert!(!page.contains("<style") && !page.contains("onclick") && page.matches("<script").count() == 1, "{page}");
    for (attribute, kind) in [("src", "text/javascript; charset=utf-8"), ("href", "text/css; charset=utf-8")] {
        let named = attributes(&page, attribute);
        let asset = named.iter().find(|path| path.contains("viewer")).unwrap_or_else(|| panic!("{named:?}"));
        let served = get(&fixture, asset).await;
        assert_eq!((served.status().as_u16(), served.headers()[header::CONTENT_TYPE].to_str().unwrap()), (200, kind));
        let served = text(served).await;
        for elsewhere in ["http://", "https://", "@import", "innerHTML", "eval("] {
            assert!(!served.contains(elsewhere), "{asset} has {elsewhere}");
        }
    }
    let document = get(&fixture, &format!("{prefix}/api/openapi.json")).await;
    assert_eq!(document.headers()[header::CONTENT_TYPE], "application/json");
    let golden = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi/openapi.json")).unwrap();
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert!(parsed(&text(document).await) == parsed(&golden), "the golden copy is not what is served");
    // The control socket knows no prefix.
    assert_eq!(ask(&fixture.control, "/api/docs").await.status(), 200);
    fixture.stop().await;
}

#[tokio::test]
async fn the_page_comes_whole_and_from_here() {
    check("").await;
}

#[tokio::test]
async fn the_page_comes_below_a_prefix() {
    check("/mq").await;
}
