//! What passes between two objects: read off either of them, or all of them.

use super::Broker;
use crate::domain::exchange::ExchangeId;
use crate::domain::name::{ExchangeName, QueueName, VhostName};
use crate::domain::queue::{ConnectionId, QueueId};
use crate::metrics::QueueCounters;

/// What a channel published to an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedFlow {
    /// The connection of the channel.
    pub connection: ConnectionId,
    /// Number of the channel.
    pub channel: u16,
    /// The exchange.
    pub exchange: ExchangeId,
    /// Its name.
    pub exchange_name: ExchangeName,
    /// Messages published.
    pub publish: u64,
    /// Of these, confirmed.
    pub confirm: u64,
    /// Of these, returned as unroutable.
    pub return_unroutable: u64,
    /// Of these, dropped as unroutable.
    pub drop_unroutable: u64,
}

/// What a channel took off a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenFlow {
    /// The connection of the channel.
    pub connection: ConnectionId,
    /// Number of the channel.
    pub channel: u16,
    /// The queue.
    pub queue: QueueId,
    /// Its name.
    pub queue_name: QueueName,
    /// Deliveries and acknowledgements.
    pub counters: QueueCounters,
}

/// What an exchange gave to a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutedFlow {
    /// The exchange.
    pub exchange: ExchangeId,
    /// Its name.
    pub exchange_name: ExchangeName,
    /// The queue.
    pub queue: QueueId,
    /// Its name.
    pub queue_name: QueueName,
    /// Messages.
    pub publish: u64,
}

/// The flows of a channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelFlows {
    /// To exchanges.
    pub published: Vec<PublishedFlow>,
    /// From queues.
    pub taken: Vec<TakenFlow>,
    /// Through exchanges to queues, of what it published.
    pub routed: Vec<RoutedFlow>,
}

/// The flows of an exchange.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExchangeFlows {
    /// From channels.
    pub incoming: Vec<PublishedFlow>,
    /// To queues.
    pub outgoing: Vec<RoutedFlow>,
}

/// The flows of a queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueFlows {
    /// From exchanges.
    pub incoming: Vec<RoutedFlow>,
    /// To channels.
    pub deliveries: Vec<TakenFlow>,
}

impl Broker {
    /// The flows of a channel. Those of a node that does not count flows are empty.
    #[must_use]
    pub fn channel_flows(&self, vhost: &VhostName, connection: ConnectionId, channel: u16) -> ChannelFlows {
        let vhost = self.inner.vhosts.get(vhost);
        vhost.map(|vhost| vhost.flows().of_channel((connection, channel))).unwrap_or_default()
    }

    /// The flows of an exchange.
    #[must_use]
    pub fn exchange_flows(&self, vhost: &VhostName, exchange: ExchangeId) -> ExchangeFlows {
        self.inner.vhosts.get(vhost).map(|vhost| vhost.flows().of_exchange(exchange)).unwrap_or_default()
    }

    /// The flows of a queue.
    #[must_use]
    pub fn queue_flows(&self, vhost: &VhostName, queue: QueueId) -> QueueFlows {
        self.inner.vhosts.get(vhost).map(|vhost| vhost.flows().of_queue(queue)).unwrap_or_default()
    }

    /// Shows the flows of every channel of a vhost, by connection and number.
    pub fn each_channel_flows(&self, vhost: &VhostName, mut show: impl FnMut(ConnectionId, u16, ChannelFlows)) {
        if let Some(vhost) = self.inner.vhosts.get(vhost) {
            vhost.flows().each_channel(|(connection, channel), flows| show(connection, channel, flows));
        }
    }

    /// What exchanges of a vhost gave to queues, in no order.
    #[must_use]
    pub fn routed_flows(&self, vhost: &VhostName) -> Vec<RoutedFlow> {
        self.inner.vhosts.get(vhost).map(|vhost| vhost.flows().routed()).unwrap_or_default()
    }
}
