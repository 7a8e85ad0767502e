//! The HTTP API: an axum router over the endpoint table of the `openapi` crate.
//!
//! To add an endpoint, write its constant in `openapi/src/<resource>.rs` and mount a
//! handler on it in the file of the same name here; the router, `Allow`, `OPTIONS`, the
//! OpenAPI document and the tests over the table follow.
//!
//! Code map: `dispatch` is the way of a request, `route` the match, `auth` who may,
//! `body`, `query` and `page` what comes in and how lists go out, `reply` and `error`
//! the answers (`error` holds the table from broker errors to statuses), `service`, `serve`
//! and `connection` the sockets; `prometheus` is what another listener answers; every other file is
//! a resource.
//!
//! ```no_run
//! # fn start(node: broker::Node, facts: api::ServerFacts) -> axum::Router {
//! api::router(node, api::Transport::ControlSocket, facts)
//! # }
//! ```

mod auth;
mod bert;
mod body;
mod call;
mod connection;
mod context;
mod cors;
mod dispatch;
mod error;
mod logins;
mod negotiation;
mod options;
mod page;
mod query;
mod reply;
mod route;
mod rows;
mod serve;
mod service;
mod session;
mod throttle;

mod applied;
mod authentication;
mod bindings;
mod certificates;
mod channels;
mod cluster;
mod connections;
mod consumers;
mod control;
pub mod definitions;
mod documentation;
mod exchanges;
mod features;
mod flows;
mod health;
mod limits;
mod maintenance;
mod memory;
mod messages;
mod nodes;
mod open;
mod overview;
mod parameters;
mod permissions;
mod pid;
mod plugins;
mod policies;
mod probes;
mod prometheus;
mod properties;
mod queues;
mod replicas;
mod sessions;
mod settings;
mod statistics;
mod stats;
mod table;
mod tags;
mod time;
mod tls;
mod users;
mod vhosts;
mod whoami;

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{Extensions, StatusCode};
use axum::response::Response;
use broker::Node;
use tower::util::MapResponseLayer;
use tower_http::compression::predicate::SizeAbove;
use tower_http::compression::{CompressionLayer, CompressionLevel};

pub use context::{LogLevel, ServerFacts};
pub use cors::Cors;
pub use logins::Logins;
pub use options::{BODY_BYTES_LIMIT, HttpOptions, Timeouts, path_prefix};
pub use plugins::EnabledPlugins;
pub use prometheus::MetricsSettings;
pub use serve::serve_unix;
pub use service::{HttpListener, HttpService, NodeSlot};
pub use statistics::{
    INTERVAL_MS_MAX, INTERVAL_MS_MIN, Policies, RETENTION_S_MAX, RatesMode, Retention, Statistics, StatisticsService,
    StatisticsSettings,
};

use context::Context;
use dispatch::Dispatch;
use route::{Mounts, Routes};

/// How requests come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Over TCP: credentials are needed.
    Tcp,
    /// Over the control socket: without credentials the caller is the administrator.
    ControlSocket,
}

/// Where a request comes from; the accept loop puts it into the request. `None` is local.
#[derive(Debug, Clone, Copy)]
pub struct PeerAddress(pub Option<IpAddr>);

/// Marks requests that came over TLS.
#[derive(Debug, Clone, Copy)]
struct OverTls;

impl PeerAddress {
    /// The address that was put into a request.
    fn of(request: &Extensions) -> Option<IpAddr> {
        request.get::<Self>().and_then(|Self(address)| *address)
    }
}

/// Resources with their handlers.
const RESOURCES: &[fn(&mut Mounts)] = &[
    authentication::mount,
    bindings::mount,
    channels::mount,
    cluster::mount,
    connections::mount,
    consumers::mount,
    control::mount,
    definitions::mount,
    documentation::mount,
    exchanges::mount,
    features::mount,
    health::mount,
    limits::mount,
    maintenance::mount,
    messages::mount,
    nodes::mount,
    overview::mount,
    parameters::mount,
    permissions::mount,
    policies::mount,
    queues::mount,
    replicas::mount,
    sessions::mount,
    settings::mount,
    tls::mount,
    users::mount,
    vhosts::mount,
    whoami::mount,
];

/// Smallest body worth compressing, in bytes.
const COMPRESSED_BYTES_MIN: u64 = 300;

/// The API over a node.
///
/// # Panics
/// When an endpoint of the table has no handler.
pub fn router(node: Node, transport: Transport, facts: ServerFacts) -> Router {
    let mut mounts = Mounts::default();
    for mount in RESOURCES {
        mount(&mut mounts);
    }
    let options = match transport {
        Transport::Tcp => facts.http.clone(),
        Transport::ControlSocket => facts.http.for_control_socket(),
    };
    let context = Arc::new(Context { node, facts });
    let dispatch = Arc::new(Dispatch { routes: Routes::new(mounts), context, transport, options });
    let answer = move |request: Request| {
        let dispatch = Arc::clone(&dispatch);
        async move { dispatch.answer(request).await }
    };
    compressed(Router::new().fallback(answer))
}

/// With answers compressed as the client prefers. One that wants none of our codings, not even none at all, is
/// answered plainly, as the reference does: the layer would call a change that was made a refusal.
fn compressed(router: Router) -> Router {
    let remember = |mut response: Response| {
        let made = Made(response.status());
        response.extensions_mut().insert(made);
        response
    };
    let restore = |mut response: Response| {
        if let Some(Made(status)) = response.extensions().get().copied() {
            *response.status_mut() = status;
        }
        response
    };
    let layer =
        CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(SizeAbove::new(COMPRESSED_BYTES_MIN));
    router.layer(MapResponseLayer::new(remember)).layer(layer).layer(MapResponseLayer::new(restore))
}

/// The status of an answer before it was compressed.
#[derive(Debug, Clone, Copy)]
struct Made(StatusCode);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_has_a_handler() {
        let mut mounts = Mounts::default();
        for mount in RESOURCES {
            mount(&mut mounts);
        }
        Routes::new(mounts);
    }
}
