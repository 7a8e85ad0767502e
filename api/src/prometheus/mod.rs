//! Metrics for Prometheus: what the reference's plugin shows, under the same names.
//!
//! Owns which families stand on which page. Values are read from the broker's pictures and
//! counters; nothing here counts. Code map: `serve` answers requests, `filter` is what is
//! asked for, `text` spells pages, every other file holds families.

mod cluster;
mod connections;
mod filter;
mod global;
mod memory;
mod messages;
mod node;
mod outlet;
mod queues;
mod scrapes;
mod serve;
mod text;

use std::cell::OnceCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use broker::domain::name::VhostName;
use broker::metrics::{QueueCounters, Traffic};
use broker::{Broker, ChannelInfo, LiveSums, Node, NodeStatus, QueueInfo};

use filter::Filter;
use outlet::Outlet;
use scrapes::Scrapes;
use text::{Format, Kind, Metric, Number, Page, Row, Written, gauge};

use crate::memory::Breakdown;

pub use serve::MetricsSettings;
pub(crate) use serve::router;

/// Before the names of most families.
const PREFIX: &str = "rabbitmq_";

/// Before the names on a page that shows a choice, so that they do not collide with the others'.
const DETAILED_PREFIX: &str = "rabbitmq_detailed_";

/// Before the names of what is the same on every node.
const CLUSTER_PREFIX: &str = "rabbitmq_cluster_";

/// A page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `/metrics`
    Aggregated,
    /// `/metrics/per-object`, or `/metrics` when so set.
    PerObject,
    /// `/metrics/detailed`
    Detailed,
    /// `/metrics/memory-breakdown`
    MemoryBreakdown,
}

impl Endpoint {
    /// As `rabbitmq_identity_info` names it.
    fn name(self) -> &'static str {
        match self {
            Self::Aggregated => "aggregated",
            Self::PerObject => "per-object",
            Self::Detailed => "detailed",
            Self::MemoryBreakdown => "memory-breakdown",
        }
    }
}

/// Families that are asked for together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    ConnectionChurn,
    NodeCoarse,
    Node,
    NodePersister,
    AuthAttempts,
    AuthAttemptsBySource,
    QueueCoarse,
    QueueConsumers,
    Queue,
    Channel,
    ChannelExchange,
    ChannelProcess,
    ChannelQueue,
    ConnectionCoarse,
    StreamConsumer,
    Connection,
    ChannelQueueExchange,
    Exchange,
    QueueDelivery,
    QueueExchange,
    VhostStatus,
    ExchangeBindings,
    ExchangeNames,
}

/// Groups of every page, in the order of pages, as a query names them.
const GROUPS: &[(&str, Group)] = &[
    ("connection_churn_metrics", Group::ConnectionChurn),
    ("node_coarse_metrics", Group::NodeCoarse),
    ("node_metrics", Group::Node),
    ("node_persister_metrics", Group::NodePersister),
    ("auth_attempt_metrics", Group::AuthAttempts),
    ("auth_attempt_detailed_metrics", Group::AuthAttemptsBySource),
    ("queue_coarse_metrics", Group::QueueCoarse),
    ("queue_consumer_count", Group::QueueConsumers),
    ("queue_metrics", Group::Queue),
    ("channel_metrics", Group::Channel),
    ("channel_exchange_metrics", Group::ChannelExchange),
    ("channel_process_metrics", Group::ChannelProcess),
    ("channel_queue_metrics", Group::ChannelQueue),
    ("connection_coarse_metrics", Group::ConnectionCoarse),
    ("stream_consumer_metrics", Group::StreamConsumer),
    ("connection_metrics", Group::Connection),
    ("channel_queue_exchange_metrics", Group::ChannelQueueExchange),
    ("exchange_metrics", Group::Exchange),
    ("queue_delivery_metrics", Group::QueueDelivery),
    ("queue_exchange_metrics", Group::QueueExchange),
];

/// Groups that stand on a page only when they are asked for.
const CLUSTER_GROUPS: &[(&str, Group)] = &[
    ("vhost_status", Group::VhostStatus),
    ("exchange_bindings", Group::ExchangeBindings),
    ("exchange_names", Group::ExchangeNames),
];

impl Group {
    /// The group of that name.
    fn named(name: &str) -> Option<Self> {
        GROUPS.iter().chain(CLUSTER_GROUPS).find(|(own, _)| *own == name).map(|(_, group)| *group)
    }
}

/// What a page is written from. What several families are read off is gathered once.
struct View<'v> {
    node: &'v Node,
    broker: &'v Broker,
    filter: &'v Filter,
    /// Objects one by one instead of all together.
    each: bool,
    status: NodeStatus,
    traffic: Traffic,
    live: LiveSums,
    queues: OnceCell<Vec<QueueInfo>>,
    queue_rows: OnceCell<Vec<Row<queues::Queues>>>,
    sum_of_queues: OnceCell<(u64, queues::Queues)>,
    channels: OnceCell<Vec<ChannelInfo>>,
    flows: OnceCell<Vec<messages::OfChannel>>,
    connection_rows: OnceCell<Vec<Row<connections::Connections>>>,
}

/// Writes a page. Takes as long as there are objects to show, so not on a task.
pub(crate) fn write(
    (node, broker): (&Node, &Broker),
    endpoint: Endpoint,
    format: Format,
    filter: &Filter,
    (warren, scrapes): (&str, &Scrapes),
    outlet: Option<Outlet>,
) -> Written {
    let mut page = Page::new(format, outlet);
    let each = matches!(endpoint, Endpoint::PerObject | Endpoint::Detailed);
    let view = View::new(node, broker, filter, each);
    match endpoint {
        Endpoint::Aggregated | Endpoint::PerObject => {
            scrapes.write(&mut page, endpoint);
            view.write_all(&mut page);
        }
        Endpoint::Detailed => view.write_chosen(&mut page),
        Endpoint::MemoryBreakdown => memory::write(&mut page, PREFIX, &Breakdown::of(node, Some(broker))),
    }
    cluster::write_identity(&mut page, node, broker, warren, endpoint);
    match endpoint {
        Endpoint::Aggregated | Endpoint::PerObject => {
            global::write(&mut page, &view.traffic, view.live);
            page.table(PREFIX, node::ALARMS, &one(view.status.clone()));
            page.table("", PROCESS, &one(Duration::from_millis(view.status.uptime_ms)));
            page.table("", PROCESSORS, &one(view.status.processors as u64));
        }
        Endpoint::Detailed | Endpoint::MemoryBreakdown => scrapes.write(&mut page, endpoint),
    }
    page.finish()
}

/// What the process says of itself, from how long it runs.
const PROCESS: &[Metric<Duration>] = &[gauge("process_start_time_seconds", "When the process started", |up| {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Number::Whole(now.saturating_sub(*up).as_secs())
})];

/// What of an Erlang runtime's families has a counterpart.
const PROCESSORS: &[Metric<u64>] = &[
    gauge("erlang_vm_logical_processors", "Processors", |count| Number::Whole(*count)),
    gauge("erlang_vm_logical_processors_available", "Processors this process may use", |count| Number::Whole(*count)),
    gauge("erlang_vm_logical_processors_online", "Processors that run", |count| Number::Whole(*count)),
];

/// A single row without labels.
fn one<T>(value: T) -> [Row<T>; 1] {
    [(String::new(), value)]
}

impl<'v> View<'v> {
    fn new(node: &'v Node, broker: &'v Broker, filter: &'v Filter, each: bool) -> Self {
        Self {
            node,
            broker,
            filter,
            each,
            status: node.status(),
            traffic: broker.traffic(),
            live: broker.live_sums(),
            queues: OnceCell::new(),
            queue_rows: OnceCell::new(),
            sum_of_queues: OnceCell::new(),
            channels: OnceCell::new(),
            flows: OnceCell::new(),
            connection_rows: OnceCell::new(),
        }
    }

    /// Everything but what only a query asks for.
    fn write_all(&self, page: &mut Page) {
        for (_, group) in GROUPS {
            let is_part = *group == Group::QueueConsumers;
            let is_told_elsewhere = *group == Group::AuthAttemptsBySource && !self.each;
            if !is_part && !is_told_elsewhere {
                self.write(page, PREFIX, *group);
            }
        }
        self.write_totals(page);
        if self.each {
            page.table(PREFIX, queues::INFO, &queues::infos(self.queues()));
        }
    }

    /// What a query asks for.
    fn write_chosen(&self, page: &mut Page) {
        let wanted = |group: Group| self.filter.wants(group);
        let mut with_queues = false;
        for (_, group) in GROUPS {
            let is_part = *group == Group::QueueConsumers && wanted(Group::Queue);
            if wanted(*group) && !is_part {
                self.write(page, DETAILED_PREFIX, *group);
                with_queues |= matches!(group, Group::QueueCoarse | Group::QueueConsumers | Group::Queue);
            }
        }
        for (_, group) in CLUSTER_GROUPS {
            if wanted(*group) {
                self.write(page, CLUSTER_PREFIX, *group);
            }
        }
        if with_queues {
            page.table(DETAILED_PREFIX, queues::INFO, &queues::infos(self.queues()));
        }
    }

    fn write(&self, page: &mut Page, prefix: &str, group: Group) {
        let (broker, filter) = (self.broker, self.filter);
        let status = || one(self.status.clone());
        match group {
            Group::ConnectionChurn => page.table(prefix, node::CHURN, &one(self.status.churn)),
            Group::NodeCoarse => page.table(prefix, node::USED, &status()),
            Group::Node => page.table(prefix, node::LIMITS, &status()),
            Group::NodePersister => page.table(prefix, node::PERSISTER, &status()),
            Group::AuthAttempts => page.table(prefix, node::ATTEMPTS, &node::attempts(broker.auth_attempts(false))),
            Group::AuthAttemptsBySource => {
                page.table(prefix, node::ATTEMPTS_BY_SOURCE, &node::attempts(broker.auth_attempts(true)));
            }
            Group::QueueCoarse => page.table(prefix, queues::COARSE, self.queue_rows()),
            Group::QueueConsumers => page.table(prefix, queues::CONSUMERS, self.queue_rows()),
            Group::Queue => page.table(prefix, queues::FINE, self.queue_rows()),
            Group::QueueDelivery => page.table(prefix, queues::DELIVERY, self.queue_rows()),
            Group::Channel => page.table(prefix, connections::CHANNEL, &self.channel_rows()),
            Group::ChannelProcess => page.table(prefix, connections::PROCESS, &self.channel_rows()),
            Group::ChannelExchange => page.table(prefix, messages::CHANNEL_EXCHANGE, &self.published_rows()),
            Group::ChannelQueue => page.table(prefix, messages::CHANNEL_QUEUE, &self.taken_rows()),
            Group::ConnectionCoarse => page.table(prefix, connections::COARSE, self.connection_rows()),
            Group::Connection => page.table(prefix, connections::FINE, self.connection_rows()),
            Group::StreamConsumer => page.table(prefix, messages::STREAM_CONSUMER, &[]),
            Group::Exchange => page.table(prefix, messages::EXCHANGE, &self.exchange_rows()),
            Group::ChannelQueueExchange => {
                page.table(prefix, messages::CHANNEL_QUEUE_EXCHANGE, &self.routed_rows(true))
            }
            Group::QueueExchange => page.table(prefix, messages::QUEUE_EXCHANGE, &self.routed_rows(false)),
            Group::VhostStatus => page.table(prefix, cluster::VHOST_STATUS, &cluster::vhosts(broker)),
            Group::ExchangeBindings => {
                page.table(prefix, cluster::EXCHANGE_BINDINGS, &cluster::exchange_bindings(broker, filter));
            }
            Group::ExchangeNames => {
                page.table(prefix, cluster::EXCHANGE_NAMES, &cluster::exchange_names(broker, filter));
            }
        }
    }

    fn write_totals(&self, page: &mut Page) {
        let (queues, sum) = self.sum_of_queues();
        for (name, help, count) in [
            ("connections", "Open connections", self.live.connections),
            ("channels", "Open channels", self.live.channels),
            ("consumers", "Consumers", sum.consumers()),
            ("queues", "Queues", *queues),
        ] {
            let name = format!("{PREFIX}{name}");
            page.family(&name, Kind::Gauge, help);
            page.sample(&name, "", count.into());
        }
    }

    fn node_name(&self) -> &str {
        &self.node.settings().node_name
    }

    fn queues(&self) -> &[QueueInfo] {
        self.queues.get_or_init(|| queues::shown(self.broker, self.filter))
    }

    fn channels(&self) -> &[ChannelInfo] {
        self.channels.get_or_init(|| self.broker.channels())
    }

    fn sum_of_queues(&self) -> &(u64, queues::Queues) {
        self.sum_of_queues.get_or_init(|| queues::Queues::sum(self.broker, &self.traffic))
    }

    fn queue_rows(&self) -> &[Row<queues::Queues>] {
        self.queue_rows.get_or_init(|| {
            if self.each { queues::rows(self.queues()) } else { one(self.sum_of_queues().1.clone()).into() }
        })
    }

    fn connection_rows(&self) -> &[Row<connections::Connections>] {
        self.connection_rows.get_or_init(|| {
            if self.each {
                return connections::connections(self.node_name(), &self.broker.connections());
            }
            one(connections::sum_of_connections(&self.traffic, &self.live)).into()
        })
    }

    fn channel_rows(&self) -> Vec<Row<connections::Channels>> {
        if self.each {
            return connections::channels(self.node_name(), self.channels());
        }
        one(connections::sum_of_channels(&self.live)).into()
    }

    /// Vhosts that are shown.
    fn vhosts(&self) -> Vec<VhostName> {
        let directory = self.broker.directory();
        directory.vhosts.keys().filter(|vhost| self.filter.shows_vhost(vhost)).cloned().collect()
    }

    fn flows(&self) -> &[messages::OfChannel] {
        self.flows.get_or_init(|| {
            let mut all = Vec::new();
            for vhost in self.vhosts() {
                self.broker.each_channel_flows(&vhost, |connection, number, flows| {
                    all.push(messages::OfChannel::new(self.node_name(), &vhost, (connection, number), flows));
                });
            }
            all
        })
    }

    fn published_rows(&self) -> Vec<Row<messages::Published>> {
        if self.each {
            return messages::channels_published(self.flows());
        }
        one(messages::Published::from(&self.traffic)).into()
    }

    fn taken_rows(&self) -> Vec<Row<QueueCounters>> {
        if self.each {
            return messages::channels_took(self.flows());
        }
        one(self.traffic.all_queues()).into()
    }

    fn exchange_rows(&self) -> Vec<Row<messages::Published>> {
        if !self.each {
            return one(messages::Published::from(&self.traffic)).into();
        }
        let exchanges: Vec<_> = self.vhosts().iter().flat_map(|vhost| self.broker.exchanges(vhost)).collect();
        messages::exchanges(&exchanges, self.node.settings().count_flows)
    }

    fn routed_rows(&self, by_channel: bool) -> Vec<Row<u64>> {
        match (self.each, by_channel) {
            (false, _) => one(self.traffic.publishes.routed).into(),
            (true, true) => messages::channels_routed(self.flows()),
            (true, false) => {
                let rows = |vhost: &VhostName| messages::routed(vhost, self.broker.routed_flows(vhost), self.filter);
                self.vhosts().iter().flat_map(rows).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_by_their_names() {
        for (name, group) in GROUPS.iter().chain(CLUSTER_GROUPS) {
            assert_eq!(Group::named(name), Some(*group), "{name}");
        }
        assert_eq!(Group::named("node_memory"), None, "memory has a page of its own");
    }
}
