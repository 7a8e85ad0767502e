//! From a path to an endpoint and its handlers.
//!
//! The match works on raw segments, each decoded once afterwards, because names hold
//! encoded slashes and may be empty (`/bindings/{vhost}/e//q/{queue}`), neither of which
//! a router for ordinary paths can match. A literal segment goes before a parameter.

use std::collections::HashMap;
use std::pin::Pin;

use openapi::endpoint::parameter_name;
use openapi::{Endpoint, Method, Operation};
use percent_encoding::percent_decode_str;

use crate::call::Call;
use crate::error::ApiError;
use crate::reply::Reply;

/// The vhost `/` in a path.
const DEFAULT_VHOST_ENCODED: &str = "%2F";

/// What a handler gives.
pub(crate) type Answer = Result<Reply, ApiError>;

type AnswerFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A handler, whatever its own future is.
pub(crate) type Handler = Box<dyn Fn(Call) -> AnswerFuture + Send + Sync>;

/// Handlers by path and method, while they are collected.
#[derive(Default)]
pub(crate) struct Mounts(HashMap<(&'static str, Method), Handler>);

impl Mounts {
    /// Begins mounting on an endpoint.
    pub(crate) fn at(&mut self, endpoint: &Endpoint) -> Mount<'_> {
        Mount { mounts: self, path: endpoint.path }
    }
}

/// One endpoint being given its handlers.
pub(crate) struct Mount<'a> {
    mounts: &'a mut Mounts,
    path: &'static str,
}

impl Mount<'_> {
    fn on<F, A>(self, method: Method, handler: F) -> Self
    where
        F: Fn(Call) -> A + Send + Sync + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        let handler: Handler = Box::new(move |call| Box::pin(handler(call)));
        let taken = self.mounts.0.insert((self.path, method), handler).is_some();
        assert!(!taken, "{} {} has two handlers", method.as_str(), self.path);
        self
    }

    /// Mounts a `GET`.
    pub(crate) fn get<F, A>(self, handler: F) -> Self
    where
        F: Fn(Call) -> A + Send + Sync + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        self.on(Method::Get, handler)
    }

    /// Mounts a `PUT`.
    pub(crate) fn put<F, A>(self, handler: F) -> Self
    where
        F: Fn(Call) -> A + Send + Sync + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        self.on(Method::Put, handler)
    }

    /// Mounts a `POST`.
    pub(crate) fn post<F, A>(self, handler: F) -> Self
    where
        F: Fn(Call) -> A + Send + Sync + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        self.on(Method::Post, handler)
    }

    /// Mounts a `DELETE`.
    pub(crate) fn delete<F, A>(self, handler: F) -> Self
    where
        F: Fn(Call) -> A + Send + Sync + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        self.on(Method::Delete, handler)
    }
}

/// An endpoint, ready to be called.
pub(crate) struct Route {
    /// Its declaration.
    pub(crate) endpoint: &'static Endpoint,
    /// The value of its `Allow` header.
    pub(crate) allow: axum::http::HeaderValue,
    handlers: Vec<(&'static Operation, Handler)>,
    segments: Vec<&'static str>,
}

impl Route {
    /// What a method does here.
    pub(crate) fn operation(&self, method: Method) -> Option<(&'static Operation, &Handler)> {
        self.handlers
            .iter()
            .find(|(operation, _)| operation.method == method)
            .map(|(operation, handler)| (*operation, handler))
    }

    fn matches(&self, path: &[&str]) -> bool {
        self.segments.len() == path.len()
            && self.segments.iter().zip(path).enumerate().all(|(at, (pattern, segment))| {
                match parameter_name(pattern) {
                    // An empty last segment is the trailing slash of the list above.
                    Some(_) => !segment.is_empty() || at + 1 < path.len(),
                    None => pattern == segment || percent_decode_str(segment).eq(pattern.bytes()),
                }
            })
    }
}

/// Values of the parameters in a path.
pub(crate) type Parameters = Vec<(&'static str, String)>;

/// The parameter of a path whose value is no UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotText(&'static str);

impl NotText {
    /// Nothing bears such a name, and nothing can be given it.
    pub(crate) fn refusal(self, method: Method) -> ApiError {
        match method {
            Method::Get | Method::Delete => ApiError::no_object(),
            Method::Put | Method::Post => ApiError::bad_request(format!("{} in the path is no UTF-8", self.0)),
        }
    }
}

/// All endpoints.
pub(crate) struct Routes(Vec<Route>);

impl Routes {
    /// Folds the table over the collected handlers.
    ///
    /// # Panics
    /// When an endpoint has no handler, or a handler no endpoint: both sides are ours,
    /// and a server with a hole in its table must not start.
    pub(crate) fn new(mut mounts: Mounts) -> Self {
        let mut routes: Vec<Route> = openapi::endpoints()
            .map(|endpoint| Route {
                endpoint,
                allow: endpoint.allow().parse().expect("method names are header text"),
                handlers: endpoint
                    .operations
                    .iter()
                    .map(|operation| {
                        let handler = mounts.0.remove(&(endpoint.path, operation.method));
                        let name = operation.method.as_str();
                        (operation, handler.unwrap_or_else(|| panic!("{name} {} has no handler", endpoint.path)))
                    })
                    .collect(),
                segments: endpoint.segments().collect(),
            })
            .collect();
        assert!(mounts.0.is_empty(), "handlers without endpoint: {:?}", mounts.0.keys());
        // Sorted so that the first match is the most literal one.
        routes.sort_by_key(|route| {
            route.segments.iter().map(|segment| parameter_name(segment).is_some()).collect::<Vec<_>>()
        });
        Self(routes)
    }

    /// The endpoint these segments name; a last empty one is taken off when it names none.
    fn match_segments(&self, segments: &mut Vec<&str>) -> Option<&Route> {
        self.0.iter().find(|route| route.matches(segments)).or_else(|| {
            let before_slash = segments.strip_suffix(&[""])?;
            let found = self.0.iter().find(|route| route.matches(before_slash))?;
            segments.pop();
            Some(found)
        })
    }

    /// The endpoint a raw path names, and the decoded parameters; no endpoint has names that are no UTF-8.
    pub(crate) fn find(&self, path: &str) -> Option<(&Route, Result<Parameters, NotText>)> {
        let path = path.strip_prefix('/')?;
        let mut segments = Vec::new();
        for segment in path.split('/') {
            match segment {
                "." => {}
                ".." => drop(segments.pop()),
                segment => segments.push(segment),
            }
        }
        let found = self.match_segments(&mut segments).or_else(|| {
            // A proxy that decoded the path: the vhost `/` has become two empty segments.
            let at = segments.windows(2).position(|pair| pair == ["", ""])?;
            segments.splice(at..at + 2, [DEFAULT_VHOST_ENCODED]);
            self.match_segments(&mut segments)
        })?;
        let parameters = found.segments.iter().zip(segments).filter_map(|(pattern, segment)| {
            let name = parameter_name(pattern)?;
            let value = percent_decode_str(segment).decode_utf8().map_err(|_| NotText(name));
            Some(value.map(|value| (name, value.into_owned())))
        });
        Some((found, parameters.collect()))
    }
}
