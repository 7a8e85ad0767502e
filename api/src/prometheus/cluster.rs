//! What is the same on every node of a cluster: who this is, vhosts, exchanges.

use std::collections::HashMap;

use broker::domain::name::VhostName;
use broker::{Broker, Node};

use super::Endpoint;
use super::filter::Filter;
use super::text::{Metric, Number, Page, Row, gauge, labels, untyped};
use crate::overview::ERLANG_VERSION;

/// The global parameter that holds the cluster's identity.
const CLUSTER_ID: &str = "internal_cluster_id";

/// The product the reference is; another one is named in the build's labels.
const PRODUCT: &str = "RabbitMQ";

const BUILD: &[Metric<()>] = &[untyped("build_info", "Versions of what runs here", |()| Number::Whole(1))];
const IDENTITY: &[Metric<()>] =
    &[untyped("identity_info", "Node and cluster, and which page this is", |()| Number::Whole(1))];

/// Writes what every page ends with.
pub(super) fn write_identity(page: &mut Page, node: &Node, broker: &Broker, warren: &str, endpoint: Endpoint) {
    let settings = node.settings();
    let version = settings.version.as_str();
    let mut build = Vec::new();
    if settings.product != PRODUCT {
        build.extend([("product_name", settings.product.as_str()), ("product_version", version)]);
    }
    build.extend([
        ("rabbitmq_version", version),
        ("prometheus_plugin_version", version),
        // Warren writes the pages itself.
        ("prometheus_client_version", warren),
        ("erlang_version", ERLANG_VERSION),
    ]);
    page.table(super::PREFIX, BUILD, &[(labels(&build), ())]);
    let directory = broker.directory();
    let identity = directory.global_parameters.get(CLUSTER_ID).and_then(|id| id.as_str()).unwrap_or_default();
    let cluster = crate::cluster::name(broker, settings);
    let pairs = [
        ("rabbitmq_node", settings.node_name.as_str()),
        ("rabbitmq_cluster", &cluster),
        ("rabbitmq_cluster_permanent_id", identity),
        ("rabbitmq_endpoint", endpoint.name()),
    ];
    page.table(super::PREFIX, IDENTITY, &[(labels(&pairs), ())]);
}

/// Whether vhosts run.
pub(super) const VHOST_STATUS: &[Metric<bool>] =
    &[gauge("vhost_status", "1 for every virtual host that runs, 0 for one that is down", |runs| (*runs).into())];

/// Rows of [`VHOST_STATUS`].
pub(super) fn vhosts(broker: &Broker) -> Vec<Row<bool>> {
    let down = broker.vhosts_down();
    let row = |vhost: &VhostName| (labels(&[("vhost", vhost.as_str())]), !down.contains(vhost));
    broker.directory().vhosts.keys().map(row).collect()
}

/// How many bindings lead from each exchange.
pub(super) const EXCHANGE_BINDINGS: &[Metric<u64>] =
    &[gauge("exchange_bindings", "Bindings from an exchange", |count| Number::Whole(*count))];

/// That there are exchanges.
pub(super) const EXCHANGE_NAMES: &[Metric<()>] =
    &[gauge("exchange_name", "1 for every exchange: what there is, without a count", |()| Number::Whole(1))];

/// Exchanges that are named: neither internal nor the default one.
fn each_exchange<T>(broker: &Broker, filter: &Filter, row: impl Fn(&VhostName, &str, String) -> Row<T>) -> Vec<Row<T>> {
    let mut rows = Vec::new();
    for vhost in broker.directory().vhosts.keys().filter(|vhost| filter.shows_vhost(vhost)) {
        for info in broker.exchanges(vhost) {
            let exchange = &info.exchange;
            if !exchange.internal && !exchange.name.is_default() {
                let name = exchange.name.as_str();
                let pairs = [("vhost", vhost.as_str()), ("exchange", name), ("type", exchange.kind.as_str())];
                rows.push(row(vhost, name, labels(&pairs)));
            }
        }
    }
    rows
}

/// Rows of [`EXCHANGE_NAMES`].
pub(super) fn exchange_names(broker: &Broker, filter: &Filter) -> Vec<Row<()>> {
    each_exchange(broker, filter, |_, _, labels| (labels, ()))
}

/// Rows of [`EXCHANGE_BINDINGS`].
pub(super) fn exchange_bindings(broker: &Broker, filter: &Filter) -> Vec<Row<u64>> {
    let mut counts: HashMap<(VhostName, String), u64> = HashMap::new();
    for vhost in broker.directory().vhosts.keys().filter(|vhost| filter.shows_vhost(vhost)) {
        for binding in broker.bindings(vhost) {
            *counts.entry((vhost.clone(), binding.source.as_str().to_owned())).or_default() += 1;
        }
    }
    each_exchange(broker, filter, |vhost, name, labels| {
        let count = counts.get(&(vhost.clone(), name.to_owned())).copied().unwrap_or_default();
        (labels, count)
    })
}
