//! From a request to its answer: find the endpoint, refuse what is refused, call the
//! handler, add the headers all answers bear.
//!
//! The order of the checks is the reference's and is part of the contract: route,
//! method, credentials, class, content negotiation, body, object.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method as HttpMethod, StatusCode, header};
use axum::response::Response;
use broker::Broker;
use bytes::Bytes;
use openapi::endpoint::Format;
use openapi::{Access, Method};

use crate::auth::{Identity, authenticate, authorise};
use crate::bert::{self, BERT};
use crate::body;
use crate::call::{Call, vhost_name};
use crate::context::Context;
use crate::error::{About, ApiError};
use crate::negotiation::{is_media_type, negotiate};
use crate::options::{HttpOptions, Timeouts};
use crate::query::{QueryString, has_whole_escapes};
use crate::reply::{JSON, Reply};
use crate::route::{Answer, NotText, Parameters, Route, Routes};
use crate::{OverTls, PeerAddress, Transport};

/// Everything a request needs.
pub(crate) struct Dispatch {
    /// The endpoints.
    pub(crate) routes: Routes,
    /// What handlers share.
    pub(crate) context: Arc<Context>,
    /// How requests come in.
    pub(crate) transport: Transport,
    /// As configured.
    pub(crate) options: HttpOptions,
}

/// Old paths and where they lead.
const REDIRECTS: &[(&str, &str)] = &[
    ("/api", "/api/index.html"),
    ("/cli", TOOLS_PATH),
    ("/mgmt", "/"),
    ("/stats", "/api/index.html"),
    ("/doc/stats.html", "/api/index.html"),
];

/// Says how to come by the command line tools. The reference leads elsewhere from here, and has no file to load either.
const TOOLS_PATH: &str = "/cli/index.html";
const TOOLS_PAGE: &str = include_str!("documentation/tools.html");

/// Stands for the vhost `/` in a path, for whoever cannot send an encoded slash.
const DEFAULT_VHOST_ALIAS: &str = "~default";

/// Longest wait for what a request asks for. Behind a disk that does not answer a client is
/// told so, and does not hold its connection for ever.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(240);

/// Endpoints that answer while the application is stopped; probes at the root do, too.
const NODE_PREFIX: &str = "/warren/";

const VARY_BEFORE_NEGOTIATION: HeaderValue = HeaderValue::from_static("origin, accept-encoding");
const VARY: HeaderValue = HeaderValue::from_static("accept, accept-encoding, origin");
const VARY_ENCODING: HeaderValue = HeaderValue::from_static("accept-encoding, origin");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
const REVALIDATE: HeaderValue = HeaderValue::from_static("public, max-age=0, must-revalidate");
/// What the reference says it is.
pub(crate) const SERVER: HeaderValue = HeaderValue::from_static("Cowboy");
const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"RabbitMQ Management\"");
const STATIC_ALLOW: HeaderValue = HeaderValue::from_static("HEAD, GET, OPTIONS");

impl Dispatch {
    /// Answers one request.
    pub(crate) async fn answer(&self, request: Request) -> Response {
        let uri = request.uri().clone();
        let path = self.options.within(uri.path());
        let grant = self.options.cors.grant(request.method(), request.headers());
        let is_readable = path.is_none_or(has_whole_escapes);
        let (mut response, allow) = match path.and_then(|path| self.routes.find(path)) {
            _ if !is_readable => (error_response(&ApiError::bare(StatusCode::BAD_REQUEST)), &STATIC_ALLOW),
            Some((route, parameters)) => (self.answer_route(route, parameters, request).await, &route.allow),
            None => (self.unrouted(request.method(), path.unwrap_or_default()), &STATIC_ALLOW),
        };
        let headers = response.headers_mut();
        if let Some(grant) = grant {
            grant.write(allow, headers);
        }
        headers.extend(self.options.headers.iter().cloned());
        if self.options.hides_allow {
            headers.remove(header::ALLOW);
        }
        response
    }

    async fn answer_route(&self, route: &Route, parameters: Result<Parameters, NotText>, request: Request) -> Response {
        let mut vary = VARY_BEFORE_NEGOTIATION;
        let reads = matches!(*request.method(), HttpMethod::GET | HttpMethod::HEAD);
        let named = parameters.as_ref().ok().and_then(About::object_of_path);
        let answer = self.checked(route, parameters, request, &mut vary).await;
        let mut response = match answer {
            Ok(reply) => {
                let has_body = reply.body.is_some();
                let mut response = reply_response(reply);
                let cache = if reads && has_body { NO_CACHE } else { REVALIDATE };
                response.headers_mut().entry(header::CACHE_CONTROL).or_insert(cache);
                response
            }
            Err(mut error) => {
                if error.about.object.is_none() {
                    error.about.object = named;
                }
                let mut response = error_response(&error);
                response.headers_mut().insert(header::CACHE_CONTROL, REVALIDATE);
                response
            }
        };
        // Malformed credentials are answered by the reference before anything adds headers.
        if !(response.status() == StatusCode::BAD_REQUEST && is_empty(&response)) {
            let headers = response.headers_mut();
            headers.insert(header::ALLOW, route.allow.clone());
            headers.insert(header::VARY, vary);
            headers.insert(header::CONTENT_SECURITY_POLICY, self.options.content_security_policy.clone());
        }
        response.headers_mut().insert(header::SERVER, SERVER);
        response
    }

    /// A path outside the table: an old one that moved, or nothing. The reference looks for a
    /// file of that name, which is only read and has no slash in its name.
    fn unrouted(&self, method: &HttpMethod, path: &str) -> Response {
        let trimmed = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path);
        if let Some((_, target)) = REDIRECTS.iter().find(|(from, _)| *from == trimmed) {
            let target = format!("{}{target}", self.options.path_prefix);
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
            let target = target.parse().expect("a prefix is made of visible characters");
            response.headers_mut().insert(header::LOCATION, target);
            response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
            response.headers_mut().insert(header::SERVER, SERVER);
            return response;
        }
        let has_slash = path.split('/').any(|name| name.contains("%2F") || name.contains("%2f"));
        let mut response = match *method {
            _ if !is_known(method) => error_response(&ApiError::bare(StatusCode::NOT_IMPLEMENTED)),
            HttpMethod::GET | HttpMethod::HEAD | HttpMethod::OPTIONS if has_slash => {
                error_response(&ApiError::bare(StatusCode::BAD_REQUEST))
            }
            HttpMethod::GET | HttpMethod::HEAD if path == TOOLS_PATH => reply_response(Reply::with_body(
                StatusCode::OK,
                Format::Html.content_type(),
                Bytes::from_static(TOOLS_PAGE.as_bytes()),
            )),
            HttpMethod::GET | HttpMethod::HEAD => error_response(&ApiError::no_object()),
            HttpMethod::OPTIONS => reply_response(Reply::bare(StatusCode::OK)),
            HttpMethod::POST if leads_to_neither(path) => {
                error_response(&ApiError::bad_request("a binding leads to a queue (q) or to an exchange (e)"))
            }
            _ => error_response(&ApiError::bare(StatusCode::METHOD_NOT_ALLOWED)),
        };
        let headers = response.headers_mut();
        headers.insert(header::ALLOW, STATIC_ALLOW);
        headers.insert(header::CACHE_CONTROL, REVALIDATE);
        headers.insert(header::VARY, VARY_BEFORE_NEGOTIATION);
        headers.insert(header::CONTENT_SECURITY_POLICY, self.options.content_security_policy.clone());
        headers.insert(header::SERVER, SERVER);
        response
    }

    async fn checked(
        &self,
        route: &Route,
        parameters: Result<Parameters, NotText>,
        request: Request,
        vary: &mut HeaderValue,
    ) -> Answer {
        let method = match *request.method() {
            HttpMethod::GET => Method::Get,
            HttpMethod::HEAD if route.endpoint.head => Method::Get,
            HttpMethod::PUT => Method::Put,
            HttpMethod::POST => Method::Post,
            HttpMethod::DELETE => Method::Delete,
            HttpMethod::OPTIONS => return Ok(Reply::bare(StatusCode::OK)),
            ref method if !is_known(method) => return Err(ApiError::bare(StatusCode::NOT_IMPLEMENTED)),
            _ => return Err(ApiError::bare(StatusCode::METHOD_NOT_ALLOWED)),
        };
        let Some((operation, handler)) = route.operation(method) else {
            return Err(ApiError::bare(StatusCode::METHOD_NOT_ALLOWED));
        };
        let broker = self.context.node.broker();
        let address = PeerAddress::of(request.extensions());
        let identity = if operation.access == Access::Public {
            Identity::Nobody
        } else {
            authenticate(broker.as_ref(), &self.context.facts.logins, self.transport, request.headers(), address)
                .await?
        };
        let is_of_node = route.endpoint.path.starts_with(NODE_PREFIX) || route.endpoint.prefix.is_empty();
        if broker.is_none() && !is_of_node {
            return Err(ApiError::app_stopped());
        }
        let mut parameters = parameters.map_err(|not_text| not_text.refusal(method))?;
        unalias_vhost(broker.as_ref(), &mut parameters);
        let vhost = parameters.iter().find(|(name, _)| *name == "vhost").map(|(_, name)| vhost_name(name));
        authorise(operation.access, &identity, broker.as_ref(), vhost.as_ref())?;
        let as_bert = negotiate(request.headers(), operation.format)?;
        *vary = if route.endpoint.negotiated { VARY } else { VARY_ENCODING };
        let is_encrypted = request.extensions().get::<OverTls>().is_some();
        let timeouts = request.extensions().get::<Timeouts>().copied().unwrap_or_default();
        let (parts, body) = request.into_parts();
        if !content_type_is_valid(method, &parts.headers) {
            return Err(ApiError::bare(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        if method == Method::Get && !parts.uri.query().is_none_or(QueryString::is_wellformed) {
            return Err(ApiError::bare(StatusCode::BAD_REQUEST));
        }
        let call = Call {
            context: Arc::clone(&self.context),
            broker: broker.map(|broker| match identity.user_name() {
                Some(user) => broker.on_behalf_of(user.clone()),
                None => broker,
            }),
            identity,
            address,
            is_encrypted,
            parameters,
            query: QueryString::parse(parts.uri.query()),
            body: body::read(body, &parts.headers, self.options.body_bytes_max, timeouts.idle).await?,
            headers: parts.headers,
        };
        let answered = tokio::time::timeout(ANSWER_TIMEOUT, handler(call)).await;
        let reply = answered.unwrap_or_else(|_| Err(ApiError::not_answered_in_time()))?;
        if as_bert { to_bert(reply, route.endpoint.path) } else { Ok(reply) }
    }
}

/// Puts the vhost `/` where its alias stands, unless a vhost bears the alias as its name.
fn unalias_vhost(broker: Option<&Broker>, parameters: &mut Parameters) {
    for (name, value) in parameters {
        if *name == "vhost" && value == DEFAULT_VHOST_ALIAS {
            let is_taken = broker.is_some_and(|broker| broker.directory().vhosts.contains_key(&vhost_name(value)));
            if !is_taken {
                "/".clone_into(value);
            }
        }
    }
}

/// Whether the reference knows a method, whatever the path.
fn is_known(method: &HttpMethod) -> bool {
    use HttpMethod as M;
    [M::GET, M::HEAD, M::OPTIONS, M::PUT, M::POST, M::DELETE, M::PATCH].contains(method)
}

fn is_empty(response: &Response) -> bool {
    !response.headers().contains_key(header::CONTENT_TYPE)
}

fn reply_response(reply: Reply) -> Response {
    let mut response = match reply.body {
        Some((content_type, body)) => {
            let mut response = Response::new(Body::from(body));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            response
        }
        None => Response::new(Body::empty()),
    };
    *response.status_mut() = reply.status;
    response.headers_mut().extend(reply.headers);
    response
}

fn error_response(error: &ApiError) -> Response {
    let mut response = match error.body() {
        Some(body) => {
            let mut response = Response::new(Body::from(body.to_string()));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
            response
        }
        None => Response::new(Body::empty()),
    };
    *response.status_mut() = error.status;
    if let Some(seconds) = error.retry_after_seconds {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    if error.closes {
        // The rest of the request is not read.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if error.challenge {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
    }
    response
}

/// The same answer as an Erlang term.
fn to_bert(mut reply: Reply, path: &str) -> Result<Reply, ApiError> {
    if let Some((JSON, body)) = &reply.body {
        let term = serde_json::from_slice(body).ok().and_then(|value| bert::encode(&value, path));
        let term = term.ok_or_else(|| ApiError::internal("the answer does not fit into a term".to_owned()))?;
        reply.body = Some((BERT, term.into()));
    }
    Ok(reply)
}

/// Whether the content type of a request is well-formed, where it matters; which one it is does not.
fn content_type_is_valid(method: Method, headers: &HeaderMap) -> bool {
    if !matches!(method, Method::Put | Method::Post) {
        return true;
    }
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return true };
    value.to_str().is_ok_and(is_media_type)
}

/// A path of bindings that names another kind of destination, on which the reference fails within.
fn leads_to_neither(path: &str) -> bool {
    let names: Vec<_> = path.split('/').collect();
    matches!(names[..], ["", "api", "bindings", _, "e", _, kind, _, ..] if !matches!(kind, "e" | "q"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_broken_content_types_are_refused() {
        for (content_type, valid) in [
            ("application/json; charset=utf-8", true),
            ("text/plain", true),
            ("nonsense", false),
            ("a/b/c", false),
            ("a/b;", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
            assert_eq!(content_type_is_valid(Method::Put, &headers), valid, "{content_type}");
        }
    }
}
