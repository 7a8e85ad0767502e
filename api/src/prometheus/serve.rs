//! Requests for pages: path, method, credentials, format; then the page.
//!
//! Answers of refusals are the reference's, recorded in the transcript `prometheus`.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use broker::Node;
use tokio::sync::Semaphore;

use super::filter::Filter;
use super::outlet::{Chunks, outlet};
use super::scrapes::Scrapes;
use super::text::{Format, Written};
use super::{Endpoint, write};
use crate::auth::authenticate;
use crate::dispatch::SERVER;
use crate::query::QueryString;
use crate::reply::JSON;
use crate::{PeerAddress, ServerFacts, Transport, compressed};

/// Pages written at the same time; further requests wait. A page of very many objects takes
/// memory, and who polls needs no more.
const WRITTEN_AT_ONCE_MAX: usize = 2;

const ALLOW: HeaderValue = HeaderValue::from_static("HEAD, GET, OPTIONS");
const VARY: HeaderValue = HeaderValue::from_static("accept, accept-encoding");
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain");
const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"RabbitMQ Prometheus\"");

/// How metrics are served.
#[derive(Debug, Clone)]
pub struct MetricsSettings {
    /// Where the pages are, as [`path_prefix`](crate::path_prefix) spells it: `/metrics`.
    pub path: String,
    /// `/metrics` shows objects one by one.
    pub per_object: bool,
    /// Whether users must log in, with a tag that may monitor.
    pub authenticated: bool,
}

struct Pages {
    node: Node,
    settings: MetricsSettings,
    facts: ServerFacts,
    scrapes: Scrapes,
    permits: Arc<Semaphore>,
}

/// The pages of a node.
pub(crate) fn router(node: Node, settings: MetricsSettings, facts: ServerFacts) -> Router {
    let pages = Arc::new(Pages {
        node,
        settings,
        facts,
        scrapes: Scrapes::default(),
        permits: Arc::new(Semaphore::new(WRITTEN_AT_ONCE_MAX)),
    });
    let answer = move |request: Request| {
        let pages = Arc::clone(&pages);
        async move {
            let (request, _body) = request.into_parts();
            let mut response = pages.answer(&request).await;
            let headers = response.headers_mut();
            headers.insert(header::SERVER, SERVER);
            headers.insert(header::VARY, VARY);
            response
        }
    };
    compressed(Router::new().fallback(answer))
}

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    Page(Endpoint),
    /// Below the path, but no page.
    UnknownPage,
    Nowhere,
}

fn place(settings: &MetricsSettings, path: &str) -> Place {
    let Some(rest) = path.strip_prefix(settings.path.as_str()) else { return Place::Nowhere };
    match rest {
        "" | "/" | "/default" if settings.per_object => Place::Page(Endpoint::PerObject),
        "" | "/" | "/default" => Place::Page(Endpoint::Aggregated),
        "/per-object" => Place::Page(Endpoint::PerObject),
        "/detailed" => Place::Page(Endpoint::Detailed),
        "/memory-breakdown" => Place::Page(Endpoint::MemoryBreakdown),
        rest if rest.starts_with('/') && !rest[1..].contains('/') => Place::UnknownPage,
        _ => Place::Nowhere,
    }
}

/// The format a client asks for: OpenMetrics where it is named and no less welcome than
/// text. `None`: neither will do.
fn format(headers: &HeaderMap) -> Option<Format> {
    let accepts = headers.get_all(header::ACCEPT);
    if accepts.iter().next().is_none() {
        return Some(Format::Text);
    }
    let (mut text, mut open_metrics) = (0.0_f32, 0.0_f32);
    for accept in accepts.iter().filter_map(|accept| accept.to_str().ok()).flat_map(|accept| accept.split(',')) {
        let mut parameters = accept.split(';').map(str::trim);
        let range = parameters.next().unwrap_or_default();
        let (mut quality, mut version) = (1.0, None);
        for parameter in parameters {
            match parameter.split_once('=') {
                Some(("q", value)) => quality = value.parse().unwrap_or(0.0),
                Some(("version", value)) => version = Some(value),
                _ => {}
            }
        }
        match range {
            "application/openmetrics-text" if version.is_none_or(|version| version == "1.0.0") => {
                open_metrics = open_metrics.max(quality);
            }
            "text/plain" | "text/*" | "*/*" => text = text.max(quality),
            _ => {}
        }
    }
    match (open_metrics > 0.0, text > 0.0) {
        (true, _) if open_metrics >= text => Some(Format::OpenMetrics),
        (_, true) => Some(Format::Text),
        _ => None,
    }
}

fn bare(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn answer(status: StatusCode, content_type: HeaderValue, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

impl Pages {
    async fn answer(self: Arc<Self>, request: &Parts) -> Response {
        let place = place(&self.settings, request.uri.path());
        if place == Place::Nowhere {
            let body = r#"{"error":"Object Not Found","reason":"Not Found"}"#;
            return answer(StatusCode::NOT_FOUND, HeaderValue::from_static(JSON), body);
        }
        let mut response = self.answer_below(place, request).await;
        response.headers_mut().insert(header::ALLOW, ALLOW);
        response
    }

    async fn answer_below(self: Arc<Self>, place: Place, request: &Parts) -> Response {
        match request.method {
            Method::OPTIONS => return bare(StatusCode::OK),
            Method::GET | Method::HEAD => {}
            _ => return bare(StatusCode::METHOD_NOT_ALLOWED),
        }
        if let Err(refusal) = self.admit(request).await {
            return refusal;
        }
        let Some(format) = format(&request.headers) else { return bare(StatusCode::NOT_ACCEPTABLE) };
        if request.method == Method::HEAD {
            return bare(StatusCode::NO_CONTENT);
        }
        let Place::Page(endpoint) = place else {
            return answer(StatusCode::NOT_FOUND, PLAIN, "Unknown Registry");
        };
        // Only one page is filtered.
        let query = request.uri.query().filter(|_| endpoint == Endpoint::Detailed);
        match Filter::parse(&QueryString::parse(query)) {
            Ok(filter) => self.page(endpoint, format, filter).await,
            Err(reason) => answer(StatusCode::BAD_REQUEST, PLAIN, reason),
        }
    }

    /// Asks for credentials when they are wanted.
    async fn admit(&self, request: &Parts) -> Result<(), Response> {
        if !self.settings.authenticated {
            return Ok(());
        }
        let address = PeerAddress::of(&request.extensions);
        let broker = self.node.broker();
        let refused = || {
            let mut response = bare(StatusCode::UNAUTHORIZED);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
            response
        };
        match authenticate(broker.as_ref(), &self.facts.logins, Transport::Tcp, &request.headers, address).await {
            Ok(identity) if identity.is_monitoring() => Ok(()),
            Ok(_) => Err(refused()),
            Err(error) if error.status == StatusCode::UNAUTHORIZED => Err(refused()),
            Err(error) => Err(bare(error.status)),
        }
    }

    async fn page(self: Arc<Self>, endpoint: Endpoint, format: Format, filter: Filter) -> Response {
        let unavailable = || bare(StatusCode::SERVICE_UNAVAILABLE);
        let Some(broker) = self.node.broker() else { return unavailable() };
        let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else { return unavailable() };
        let pages = Arc::clone(&self);
        let (outlet, mut chunks) = outlet();
        let writer = tokio::task::spawn_blocking(move || {
            let start = Instant::now();
            let Pages { node, facts, scrapes, .. } = &*pages;
            let about = (facts.warren_version.as_str(), scrapes);
            let written = write((node, &broker), endpoint, format, &filter, about, Some(outlet));
            scrapes.count(endpoint, format, start.elapsed(), written.bytes());
            // As long as somebody reads, the page counts as being written.
            drop(permit);
            written
        });
        let content_type = HeaderValue::from_static(format.content_type());
        // The outlet is gone with the writer, so this ends when the page is short.
        if let Some(Ok(first)) = chunks.recv().await {
            return answer(StatusCode::OK, content_type, Body::new(Chunks::new(first, chunks)));
        }
        match writer.await {
            Ok(Written::Whole(text)) => answer(StatusCode::OK, content_type, text),
            Ok(Written::Sent(_)) => unavailable(),
            Err(error) => {
                tracing::error!(%error, "a page of metrics could not be written");
                bare(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_pages() {
        let settings = MetricsSettings { path: "/metrics".to_owned(), per_object: false, authenticated: false };
        let per_object = MetricsSettings { path: "/m/x".to_owned(), per_object: true, ..settings };
        for (settings, path, expected) in [
            (&settings, "/metrics", Place::Page(Endpoint::Aggregated)),
            (&settings, "/metrics/", Place::Page(Endpoint::Aggregated)),
            (&settings, "/metrics/default", Place::Page(Endpoint::Aggregated)),
            (&settings, "/metrics/per-object", Place::Page(Endpoint::PerObject)),
            (&settings, "/metrics/detailed", Place::Page(Endpoint::Detailed)),
            (&settings, "/metrics/memory-breakdown", Place::Page(Endpoint::MemoryBreakdown)),
            (&settings, "/metrics/nope", Place::UnknownPage),
            (&settings, "/metrics/per-object/x", Place::Nowhere),
            (&settings, "/metricsx", Place::Nowhere),
            (&settings, "/", Place::Nowhere),
            (&per_object, "/m/x", Place::Page(Endpoint::PerObject)),
            (&per_object, "/metrics", Place::Nowhere),
        ] {
            assert_eq!(place(settings, path), expected, "{path}");
        }
    }

    #[test]
    fn the_format_is_the_one_a_client_likes_best() {
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                          application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,\
                          text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, expected) in [
            (None, Some(Format::Text)),
            (Some("*/*"), Some(Format::Text)),
            (Some("text/plain"), Some(Format::Text)),
            (Some(prometheus), Some(Format::OpenMetrics)),
            (Some("application/openmetrics-text"), Some(Format::OpenMetrics)),
            (Some("application/openmetrics-text; version=1.0.0; q=0.1, text/plain"), Some(Format::Text)),
            (Some("application/openmetrics-text; version=0.0.1"), None),
            (Some("application/json"), None),
            (Some("text/html"), None),
            (Some("text/plain;q=0"), None),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
            }
            assert_eq!(format(&headers), expected, "{accept:?}");
        }
    }
}
