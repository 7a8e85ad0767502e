//! Open connections and channels, held and looked at when asked: a listing of very many reads of
//! each only what it shows. Owns no state; the numbers are atomics that their connection writes.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::Broker;
use crate::domain::name::{UserName, VhostName};
use crate::domain::queue::ConnectionId;
use crate::domain::value::FieldTable;
use crate::metrics::ChannelCounters;
use crate::runtime::clock::idle_since_ms;
use crate::runtime::registry::{ChannelEntry, ConnectionEntry};
use crate::tls::TlsFacts;

/// An open connection: cheap to hold, and looked at when asked.
#[derive(Debug, Clone)]
pub struct LiveConnection {
    entry: Arc<ConnectionEntry>,
    /// Whether a resource alarm was in force when it was listed.
    alarmed: bool,
}

/// The address as clients write it, and the port.
fn end(address: SocketAddr) -> (IpAddr, u16) {
    (address.ip().to_canonical(), address.port())
}

impl LiveConnection {
    /// Identity in this process.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.entry.id
    }

    /// `client:port -> server:port`
    #[must_use]
    pub fn name(&self) -> &str {
        self.entry.name()
    }

    /// Who logged in.
    #[must_use]
    pub fn user(&self) -> &UserName {
        &self.entry.facts.user
    }

    /// Where.
    #[must_use]
    pub fn vhost(&self) -> &VhostName {
        &self.entry.facts.vhost
    }

    /// Address and port of the client.
    #[must_use]
    pub fn peer(&self) -> (IpAddr, u16) {
        end(self.entry.facts.peer)
    }

    /// Address and port it came to.
    #[must_use]
    pub fn local(&self) -> (IpAddr, u16) {
        end(self.entry.facts.local)
    }

    /// `running`, `blocked`, …
    #[must_use]
    pub fn state(&self) -> &'static str {
        self.entry.state(self.alarmed)
    }

    /// `PLAIN`, …
    #[must_use]
    pub fn auth_mechanism(&self) -> &str {
        &self.entry.facts.auth_mechanism
    }

    /// What the client said of itself.
    #[must_use]
    pub fn client_properties(&self) -> &FieldTable {
        &self.entry.facts.client_properties
    }

    /// Negotiated heartbeat, in seconds.
    #[must_use]
    pub fn heartbeat_s(&self) -> u16 {
        self.entry.facts.heartbeat_s
    }

    /// Negotiated frame limit, in bytes.
    #[must_use]
    pub fn frame_max(&self) -> u32 {
        self.entry.facts.frame_max
    }

    /// Negotiated channel limit.
    #[must_use]
    pub fn channel_max(&self) -> u16 {
        self.entry.facts.channel_max
    }

    /// When it was opened, in milliseconds since the epoch.
    #[must_use]
    pub fn connected_at_ms(&self) -> u64 {
        self.entry.facts.connected_at_ms
    }

    /// What encrypts it.
    #[must_use]
    pub fn tls(&self) -> Option<&TlsFacts> {
        self.entry.facts.tls.as_deref()
    }

    /// Bytes read.
    #[must_use]
    pub fn recv_oct(&self) -> u64 {
        self.entry.recv_oct.load(Relaxed)
    }

    /// Frames read.
    #[must_use]
    pub fn recv_cnt(&self) -> u64 {
        self.entry.recv_cnt.load(Relaxed)
    }

    /// Bytes written.
    #[must_use]
    pub fn send_oct(&self) -> u64 {
        self.entry.send_oct.load(Relaxed)
    }

    /// Frames written.
    #[must_use]
    pub fn send_cnt(&self) -> u64 {
        self.entry.send_cnt.load(Relaxed)
    }

    /// Bytes waiting to be written.
    #[must_use]
    pub fn send_pend(&self) -> u64 {
        self.entry.send_pend.load(Relaxed)
    }

    /// How many channels are open on it.
    #[must_use]
    pub fn channel_count(&self) -> usize {
        self.entry.channel_count()
    }

    /// Its open channels, by number.
    #[must_use]
    pub fn channels(&self) -> Vec<LiveChannel> {
        let open = self.entry.channel_entries().into_iter();
        open.map(|(number, entry)| LiveChannel { connection: self.clone(), number, entry }).collect()
    }

    /// The open channel of that number.
    #[must_use]
    pub fn channel(&self, number: u16) -> Option<LiveChannel> {
        let entry = self.entry.channel_entry(number)?;
        Some(LiveChannel { connection: self.clone(), number, entry })
    }
}

/// An open channel: cheap to hold, and looked at when asked.
#[derive(Debug, Clone)]
pub struct LiveChannel {
    connection: LiveConnection,
    number: u16,
    entry: Arc<ChannelEntry>,
}

impl LiveChannel {
    /// Its connection.
    #[must_use]
    pub fn connection(&self) -> &LiveConnection {
        &self.connection
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    /// In transaction mode.
    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.entry.transactional.load(Relaxed)
    }

    /// In confirm mode.
    #[must_use]
    pub fn confirms(&self) -> bool {
        self.entry.confirm.load(Relaxed)
    }

    /// Consumers on it.
    #[must_use]
    pub fn consumers(&self) -> u32 {
        self.entry.consumers.load(Relaxed)
    }

    /// Delivered and not yet acknowledged.
    #[must_use]
    pub fn messages_unacknowledged(&self) -> u64 {
        self.entry.unacknowledged.load(Relaxed)
    }

    /// Published and not yet confirmed.
    #[must_use]
    pub fn messages_unconfirmed(&self) -> u64 {
        self.entry.unconfirmed.load(Relaxed)
    }

    /// Published in the open transaction.
    #[must_use]
    pub fn messages_uncommitted(&self) -> u64 {
        self.entry.uncommitted.load(Relaxed)
    }

    /// Acknowledged in the open transaction.
    #[must_use]
    pub fn acks_uncommitted(&self) -> u64 {
        self.entry.acks_uncommitted.load(Relaxed)
    }

    /// Prefetch of consumers to come.
    #[must_use]
    pub fn prefetch_count(&self) -> u16 {
        self.entry.prefetch.load(Relaxed)
    }

    /// Prefetch of the whole channel.
    #[must_use]
    pub fn global_prefetch_count(&self) -> u16 {
        self.entry.global_prefetch.load(Relaxed)
    }

    /// `running`, `flow`, …
    #[must_use]
    pub fn state(&self) -> &'static str {
        ChannelEntry::STATE
    }

    /// Since when nothing happened; milliseconds since the epoch.
    #[must_use]
    pub fn idle_since_ms(&self) -> Option<u64> {
        idle_since_ms(self.entry.active_at_ms.load(Relaxed))
    }

    /// Counters since it exists.
    #[must_use]
    pub fn counters(&self) -> ChannelCounters {
        self.entry.counters()
    }
}

impl Broker {
    /// Open connections, oldest first, not yet looked at.
    #[must_use]
    pub fn live_connections(&self) -> Vec<LiveConnection> {
        let registry = self.registry();
        let alarmed = registry.is_alarmed();
        registry.entries().into_iter().map(|entry| LiveConnection { entry, alarmed }).collect()
    }

    /// One open connection; `None` when it is closed.
    #[must_use]
    pub fn live_connection(&self, connection: ConnectionId) -> Option<LiveConnection> {
        let registry = self.registry();
        Some(LiveConnection { entry: registry.entry(connection)?, alarmed: registry.is_alarmed() })
    }
}
