//! Connections, channels and consumers as they are now.

use std::sync::Arc;

use super::Broker;
use crate::domain::name::{QueueName, UserName, VhostName};
use crate::domain::queue::ConnectionId;
use crate::domain::value::FieldTable;
use crate::runtime::queue::QueueCommand;
use crate::tls::TlsFacts;

/// A connection as listings show it.
#[derive(Debug, Clone)]
pub struct ConnectionInfo {
    /// Identity in this process.
    pub id: ConnectionId,
    /// `client:port -> server:port`
    pub name: String,
    /// Peer address.
    pub peer_host: String,
    /// Peer port.
    pub peer_port: u16,
    /// Local address.
    pub host: String,
    /// Local port.
    pub port: u16,
    /// `running`, `blocked`, …
    pub state: String,
    /// Who logged in.
    pub user: UserName,
    /// Where.
    pub vhost: VhostName,
    /// `PLAIN`, …
    pub auth_mechanism: String,
    /// What the client said of itself.
    pub client_properties: FieldTable,
    /// Negotiated heartbeat, in seconds.
    pub heartbeat_s: u16,
    /// Negotiated frame limit, in bytes.
    pub frame_max: u32,
    /// Negotiated channel limit.
    pub channel_max: u16,
    /// Open channels.
    pub channels: u16,
    /// Milliseconds since the epoch.
    pub connected_at_ms: u64,
    /// Bytes read.
    pub recv_oct: u64,
    /// Frames read.
    pub recv_cnt: u64,
    /// Bytes written.
    pub send_oct: u64,
    /// Frames written.
    pub send_cnt: u64,
    /// Bytes waiting to be written.
    pub send_pend: u64,
    /// What encrypts it.
    pub tls: Option<Arc<TlsFacts>>,
}

/// A channel as listings show it.
#[derive(Debug, Clone)]
pub struct ChannelInfo {
    /// Its connection.
    pub connection: ConnectionId,
    /// Its connection's name.
    pub connection_name: String,
    /// Peer address of the connection.
    pub peer_host: String,
    /// Peer port of the connection.
    pub peer_port: u16,
    /// Channel number.
    pub number: u16,
    /// Who.
    pub user: UserName,
    /// Where.
    pub vhost: VhostName,
    /// In transaction mode.
    pub transactional: bool,
    /// In confirm mode.
    pub confirm: bool,
    /// Consumers on it.
    pub consumers: u32,
    /// Delivered and not yet acknowledged.
    pub messages_unacknowledged: u64,
    /// Published and not yet confirmed.
    pub messages_unconfirmed: u64,
    /// Published in the open transaction.
    pub messages_uncommitted: u64,
    /// Acknowledged in the open transaction.
    pub acks_uncommitted: u64,
    /// Prefetch of consumers to come.
    pub prefetch_count: u16,
    /// Prefetch of the whole channel.
    pub global_prefetch_count: u16,
    /// `running`, `flow`, …
    pub state: String,
    /// Since when nothing happened; milliseconds since the epoch.
    pub idle_since_ms: Option<u64>,
    /// Counters since it exists.
    pub counters: crate::metrics::ChannelCounters,
}

/// A consumer as listings show it.
#[derive(Debug, Clone)]
pub struct ConsumerInfo {
    /// Its connection.
    pub connection: ConnectionId,
    /// Its connection's name.
    pub connection_name: String,
    /// Peer address of the connection.
    pub peer_host: String,
    /// Peer port of the connection.
    pub peer_port: u16,
    /// Its channel.
    pub channel: u16,
    /// Who.
    pub user: UserName,
    /// Where.
    pub vhost: VhostName,
    /// The queue it reads.
    pub queue: QueueName,
    /// Its tag.
    pub tag: String,
    /// Manual acknowledgement.
    pub ack_required: bool,
    /// Alone on its queue.
    pub exclusive: bool,
    /// Its limit of unacknowledged messages; 0 means none.
    pub prefetch_count: u16,
    /// Whether it is being served (single active consumer).
    pub active: bool,
    /// Whether its prefetch is used up.
    pub blocked: bool,
    /// Arguments of `basic.consume`.
    pub arguments: FieldTable,
}

impl Broker {
    /// All connections, oldest first.
    #[must_use]
    pub fn connections(&self) -> Vec<ConnectionInfo> {
        self.registry().connections()
    }

    /// All channels, by connection and number.
    #[must_use]
    pub fn channels(&self) -> Vec<ChannelInfo> {
        self.registry().channels()
    }

    /// All consumers of a vhost, by queue.
    pub async fn consumers(&self, vhost: &VhostName) -> Vec<ConsumerInfo> {
        let Some(topology) = self.topology(vhost) else { return Vec::new() };
        let queues = topology.queues();
        let with_consumers = queues.iter().filter(|queue| queue.totals().consumers > 0);
        let asked = with_consumers.map(|queue| queue.ask(|reply| QueueCommand::Consumers { reply }));
        futures_util::future::join_all(asked).await.into_iter().flatten().flatten().collect()
    }

    /// All consumers of a queue.
    pub async fn consumers_of(&self, vhost: &VhostName, queue: &QueueName) -> Vec<ConsumerInfo> {
        let Some(topology) = self.topology(vhost) else { return Vec::new() };
        let Some(queue) = topology.queue(queue.as_str()).filter(|queue| queue.totals().consumers > 0) else {
            return Vec::new();
        };
        queue.ask(|reply| QueueCommand::Consumers { reply }).await.unwrap_or_default()
    }

    /// Closes a connection with 320 and the reason; false when there is none.
    pub async fn close_connection(&self, connection: ConnectionId, reason: &str) -> bool {
        self.registry().close(connection, reason)
    }
}
