//! Flows between two objects, as one channel, exchange or queue shows them: what happened, and
//! who is at the other end. Shown in mode `detailed`; else every list is empty.

use broker::domain::exchange::ExchangeId;
use broker::domain::name::VhostName;
use broker::domain::queue::{ConnectionId, QueueId};
use broker::{Broker, PublishedFlow, RoutedFlow, TakenFlow};
use openapi::consumers::{ChannelDetails, QueueName};
use openapi::traffic::{Flow, MessageStats};

use crate::call::Call;
use crate::channels::channel_name;
use crate::error::ApiError;
use crate::pid;
use crate::statistics::{Ranges, Statistics};

/// Shows flows of objects of one vhost.
pub(crate) struct Flows<'c> {
    broker: &'c Broker,
    statistics: &'c Statistics,
    node: &'c str,
    vhost: &'c VhostName,
    ranges: Ranges,
}

/// In the order of names, and of channels that of their numbers.
fn ordered(mut flows: Vec<Flow>) -> Vec<Flow> {
    let other_end = |flow: &Flow| {
        let channel = flow.channel_details.as_ref().map(|channel| (channel.connection_name.clone(), channel.number));
        let name = flow.exchange.as_ref().or(flow.queue.as_ref()).map(|name| name.name.clone());
        (channel, name)
    };
    flows.sort_by_cached_key(other_end);
    flows
}

impl<'c> Flows<'c> {
    /// Reads what a request wants to know of them; `None` where flows are not shown.
    ///
    /// # Errors
    /// 400 for ranges that make no sense.
    pub(crate) fn wanted(call: &'c Call, vhost: &'c VhostName) -> Result<Option<Self>, ApiError> {
        let (statistics, ranges) = (call.statistics(), call.ranges()?);
        if !statistics.shows_flows() {
            return Ok(None);
        }
        let node = &call.node().settings().node_name;
        Ok(Some(Self { broker: call.broker()?, statistics, node, vhost, ranges }))
    }

    /// Of a channel: what it published, and what it was delivered.
    pub(crate) fn of_channel(&self, connection: ConnectionId, channel: u16) -> (Vec<Flow>, Vec<Flow>) {
        let flows = self.broker.channel_flows(self.vhost, connection, channel);
        let publishes = flows
            .published
            .iter()
            .map(|flow| Flow { exchange: Some(self.name(flow.exchange_name.as_str())), ..self.published(flow) });
        let deliveries = flows
            .taken
            .iter()
            .map(|flow| Flow { queue: Some(self.name(flow.queue_name.as_str())), ..self.taken(flow) });
        (ordered(publishes.collect()), ordered(deliveries.collect()))
    }

    /// Of an exchange: what came by which channel, and what went to which queue.
    pub(crate) fn of_exchange(&self, exchange: ExchangeId) -> (Vec<Flow>, Vec<Flow>) {
        let flows = self.broker.exchange_flows(self.vhost, exchange);
        let incoming = flows.incoming.iter().filter_map(|flow| {
            let channel_details = Some(self.channel(flow.connection, flow.channel)?);
            Some(Flow { channel_details, ..self.published(flow) })
        });
        let outgoing = flows
            .outgoing
            .iter()
            .map(|flow| Flow { queue: Some(self.name(flow.queue_name.as_str())), ..self.routed(flow) });
        (ordered(incoming.collect()), ordered(outgoing.collect()))
    }

    /// Of a queue: what came through which exchange, and what went to which channel.
    pub(crate) fn of_queue(&self, queue: QueueId) -> (Vec<Flow>, Vec<Flow>) {
        let flows = self.broker.queue_flows(self.vhost, queue);
        let incoming = flows
            .incoming
            .iter()
            .map(|flow| Flow { exchange: Some(self.name(flow.exchange_name.as_str())), ..self.routed(flow) });
        let deliveries = flows.deliveries.iter().filter_map(|flow| {
            let channel_details = Some(self.channel(flow.connection, flow.channel)?);
            Some(Flow { channel_details, ..self.taken(flow) })
        });
        (ordered(incoming.collect()), ordered(deliveries.collect()))
    }

    fn published(&self, flow: &PublishedFlow) -> Flow {
        only(self.statistics.published(flow, &self.ranges))
    }

    fn taken(&self, flow: &TakenFlow) -> Flow {
        only(self.statistics.taken(flow, &self.ranges))
    }

    fn routed(&self, flow: &RoutedFlow) -> Flow {
        only(self.statistics.routed(flow, &self.ranges))
    }

    fn name(&self, name: &str) -> QueueName {
        QueueName { name: name.to_owned(), vhost: self.vhost.to_string() }
    }

    /// The channel at the other end; `None` when it has gone meanwhile.
    fn channel(&self, connection: ConnectionId, number: u16) -> Option<ChannelDetails> {
        let open = self.broker.live_connection(connection)?;
        let (peer_host, peer_port) = open.peer();
        Some(ChannelDetails {
            name: channel_name(open.name(), number),
            connection_name: open.name().to_owned(),
            node: self.node.to_owned(),
            number,
            peer_host: peer_host.to_string(),
            peer_port,
            user: open.user().to_string(),
            pid: pid::channel(self.node, connection, number),
        })
    }
}

fn only(stats: MessageStats) -> Flow {
    Flow { stats, ..Flow::default() }
}
