//! Live connections and channels: who is there, for listing and closing.
//!
//! One leaf lock around the map of connections and their counts, and one per connection around
//! its map of channels; both are held for a lookup or an insert, nothing is taken under them. The
//! numbers are atomics their connection writes.

mod counts;
mod sampling;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, Ordering::AcqRel, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use super::clock::idle_since_ms;
use super::directory::Difference;
use super::queue::{ConnectionEvent, ConnectionSender};
use crate::domain::name::{UserName, VhostName};
use crate::domain::queue::ConnectionId;
use crate::domain::value::FieldTable;
use crate::error::Error;
use crate::facade::{ChannelInfo, ConnectionInfo, LiveSums};
use crate::metrics::{AtomicQueueCounters, ChannelCounters, Churn};
use crate::tls::TlsFacts;
use counts::{ChannelCount, Counts};
use sampling::Pasts;

pub(crate) use counts::OpenConnections;

/// What is fixed once a connection is open.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionFacts {
    pub(crate) peer: SocketAddr,
    pub(crate) local: SocketAddr,
    pub(crate) user: UserName,
    pub(crate) vhost: VhostName,
    pub(crate) auth_mechanism: String,
    pub(crate) client_properties: FieldTable,
    pub(crate) heartbeat_s: u16,
    pub(crate) frame_max: u32,
    pub(crate) channel_max: u16,
    pub(crate) connected_at_ms: u64,
    pub(crate) tls: Option<Arc<TlsFacts>>,
}

/// One live connection.
#[derive(Debug)]
pub(crate) struct ConnectionEntry {
    pub(crate) id: ConnectionId,
    /// `client:port -> server:port`
    name: Box<str>,
    pub(crate) facts: ConnectionFacts,
    pub(crate) sender: ConnectionSender,
    pub(crate) recv_oct: AtomicU64,
    pub(crate) recv_cnt: AtomicU64,
    pub(crate) send_oct: AtomicU64,
    pub(crate) send_cnt: AtomicU64,
    pub(crate) send_pend: AtomicU64,
    /// It has been told that alarms changed and has not looked yet; it need not be told twice.
    pub(crate) alarms_to_tell: AtomicBool,
    /// An alarm keeps its socket from being read.
    pub(crate) blocked: AtomicBool,
    channels: Mutex<Channels>,
    /// Open channels of its user, on this connection and all others.
    user_channels: ChannelCount,
}

/// The channels of a connection.
#[derive(Debug, Default)]
struct Channels {
    open: BTreeMap<u16, Arc<ChannelEntry>>,
    /// What happened on those that are closed.
    past: ChannelCounters,
}

impl ConnectionEntry {
    /// `client:port -> server:port`
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// As the reference names it: while an alarm is in force, a connection is about to be
    /// blocked until it is.
    pub(crate) fn state(&self, alarmed: bool) -> &'static str {
        match (self.blocked.load(Relaxed), alarmed) {
            (true, _) => "blocked",
            (false, true) => "blocking",
            (false, false) => "running",
        }
    }

    pub(crate) fn add_channel(&self, number: u16) -> Arc<ChannelEntry> {
        let entry = Arc::new(ChannelEntry::default());
        if self.lock_channels().open.insert(number, entry.clone()).is_none() {
            self.user_channels.fetch_add(1, Relaxed);
        }
        entry
    }

    pub(crate) fn remove_channel(&self, number: u16) {
        let mut channels = self.lock_channels();
        if let Some(entry) = channels.open.remove(&number) {
            channels.past = channels.past.plus(&entry.counters());
            self.user_channels.fetch_sub(1, Relaxed);
        }
    }

    /// Open channels of its user, on this connection and all others.
    pub(crate) fn channels_of_user(&self) -> usize {
        self.user_channels.load(Relaxed)
    }

    fn lock_channels(&self) -> std::sync::MutexGuard<'_, Channels> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn channel_entries(&self) -> Vec<(u16, Arc<ChannelEntry>)> {
        self.lock_channels().open.iter().map(|(&number, entry)| (number, entry.clone())).collect()
    }

    /// The open channel of that number.
    pub(crate) fn channel_entry(&self, number: u16) -> Option<Arc<ChannelEntry>> {
        self.lock_channels().open.get(&number).cloned()
    }

    /// How many channels are open on it.
    pub(crate) fn channel_count(&self) -> usize {
        self.lock_channels().open.len()
    }

    fn info(&self, alarmed: bool) -> ConnectionInfo {
        let facts = &self.facts;
        ConnectionInfo {
            id: self.id,
            name: self.name().to_owned(),
            peer_host: facts.peer.ip().to_canonical().to_string(),
            peer_port: facts.peer.port(),
            host: facts.local.ip().to_canonical().to_string(),
            port: facts.local.port(),
            state: self.state(alarmed).to_owned(),
            user: facts.user.clone(),
            vhost: facts.vhost.clone(),
            auth_mechanism: facts.auth_mechanism.clone(),
            client_properties: facts.client_properties.clone(),
            heartbeat_s: facts.heartbeat_s,
            frame_max: facts.frame_max,
            channel_max: facts.channel_max,
            channels: self.channel_count() as u16,
            connected_at_ms: facts.connected_at_ms,
            recv_oct: self.recv_oct.load(Relaxed),
            recv_cnt: self.recv_cnt.load(Relaxed),
            send_oct: self.send_oct.load(Relaxed),
            send_cnt: self.send_cnt.load(Relaxed),
            send_pend: self.send_pend.load(Relaxed),
            tls: facts.tls.clone(),
        }
    }
}

/// `client:port -> server:port`, as listings and client libraries know it.
pub(crate) fn connection_name(peer: SocketAddr, local: SocketAddr) -> String {
    format!("{} -> {}", canonical(peer), canonical(local))
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// One open channel's numbers.
#[derive(Debug, Default)]
pub(crate) struct ChannelEntry {
    pub(crate) confirm: AtomicBool,
    pub(crate) transactional: AtomicBool,
    pub(crate) consumers: AtomicU32,
    pub(crate) unacknowledged: AtomicU64,
    pub(crate) unconfirmed: AtomicU64,
    pub(crate) uncommitted: AtomicU64,
    pub(crate) acks_uncommitted: AtomicU64,
    pub(crate) prefetch: AtomicU16,
    pub(crate) global_prefetch: AtomicU16,
    pub(crate) active_at_ms: AtomicU64,
    pub(crate) counters: AtomicQueueCounters,
    pub(crate) confirmed: AtomicU64,
    pub(crate) return_unroutable: AtomicU64,
    pub(crate) drop_unroutable: AtomicU64,
}

impl ChannelEntry {
    /// What every open channel is: none is ever told to stop publishing.
    pub(crate) const STATE: &'static str = "running";

    /// What happened on it.
    pub(crate) fn counters(&self) -> ChannelCounters {
        let queue = self.counters.load();
        ChannelCounters {
            publish: queue.publish,
            confirm: self.confirmed.load(Relaxed),
            return_unroutable: self.return_unroutable.load(Relaxed),
            drop_unroutable: self.drop_unroutable.load(Relaxed),
            queue,
        }
    }

    fn info(&self, connection: &ConnectionEntry, number: u16) -> ChannelInfo {
        let facts = &connection.facts;
        let unacknowledged = self.unacknowledged.load(Relaxed);
        let consumers = self.consumers.load(Relaxed);
        ChannelInfo {
            connection: connection.id,
            connection_name: connection.name().to_owned(),
            peer_host: facts.peer.ip().to_canonical().to_string(),
            peer_port: facts.peer.port(),
            number,
            user: facts.user.clone(),
            vhost: facts.vhost.clone(),
            transactional: self.transactional.load(Relaxed),
            confirm: self.confirm.load(Relaxed),
            consumers,
            messages_unacknowledged: unacknowledged,
            messages_unconfirmed: self.unconfirmed.load(Relaxed),
            messages_uncommitted: self.uncommitted.load(Relaxed),
            acks_uncommitted: self.acks_uncommitted.load(Relaxed),
            prefetch_count: self.prefetch.load(Relaxed),
            global_prefetch_count: self.global_prefetch.load(Relaxed),
            state: Self::STATE.to_owned(),
            idle_since_ms: idle_since_ms(self.active_at_ms.load(Relaxed)),
            counters: self.counters(),
        }
    }
}

/// The connections, and how many of whom there are.
#[derive(Debug, Default)]
struct Live {
    connections: BTreeMap<ConnectionId, Arc<ConnectionEntry>>,
    counts: Counts,
    past: Pasts,
}

/// All live connections of a broker.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    live: Mutex<Live>,
    next_id: AtomicU64,
    /// A resource alarm is in force.
    alarmed: AtomicBool,
    pub(crate) connection_created: AtomicU64,
    pub(crate) connection_closed: AtomicU64,
    pub(crate) channel_created: AtomicU64,
    pub(crate) channel_closed: AtomicU64,
}

impl Registry {
    /// An identity for a connection about to open.
    pub(crate) fn next_id(&self) -> ConnectionId {
        ConnectionId(self.next_id.fetch_add(1, Relaxed) + 1)
    }

    /// Enters a connection, if it is admitted beside those that are there.
    ///
    /// # Errors
    /// What `admit` says; then nothing is entered.
    pub(crate) fn add(
        &self,
        id: ConnectionId,
        facts: ConnectionFacts,
        sender: ConnectionSender,
        admit: impl FnOnce(OpenConnections) -> Result<(), Error>,
    ) -> Result<Arc<ConnectionEntry>, Error> {
        let mut live = self.lock();
        admit(live.counts.connections(&facts.vhost, &facts.user))?;
        let user_channels = live.counts.enter(&facts.vhost, &facts.user);
        let entry = Arc::new(ConnectionEntry {
            id,
            name: connection_name(facts.peer, facts.local).into(),
            facts,
            sender,
            recv_oct: AtomicU64::new(0),
            recv_cnt: AtomicU64::new(0),
            send_oct: AtomicU64::new(0),
            send_cnt: AtomicU64::new(0),
            send_pend: AtomicU64::new(0),
            alarms_to_tell: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            channels: Mutex::default(),
            user_channels,
        });
        live.connections.insert(id, entry.clone());
        self.connection_created.fetch_add(1, Relaxed);
        Ok(entry)
    }

    /// Takes a connection out. It has left its channels before.
    pub(crate) fn remove(&self, id: ConnectionId) {
        let mut live = self.lock();
        if let Some(entry) = live.connections.remove(&id) {
            live.counts.leave(&entry.facts.vhost, &entry.facts.user);
            live.past.add(&entry);
            self.connection_closed.fetch_add(1, Relaxed);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One connection; `None` when it is closed.
    pub(crate) fn entry(&self, connection: ConnectionId) -> Option<Arc<ConnectionEntry>> {
        self.lock().connections.get(&connection).cloned()
    }

    /// All connections, oldest first.
    pub(crate) fn entries(&self) -> Vec<Arc<ConnectionEntry>> {
        self.lock().connections.values().cloned().collect()
    }

    /// All connections, oldest first.
    pub(crate) fn connections(&self) -> Vec<ConnectionInfo> {
        let alarmed = self.is_alarmed();
        self.entries().iter().map(|entry| entry.info(alarmed)).collect()
    }

    /// All channels, by connection and number.
    pub(crate) fn channels(&self) -> Vec<ChannelInfo> {
        let entries = self.entries();
        entries
            .iter()
            .flat_map(|connection| {
                connection
                    .channel_entries()
                    .into_iter()
                    .map(|(number, entry)| entry.info(connection, number))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// Sums over all of them.
    pub(crate) fn sums(&self) -> LiveSums {
        let mut sums = LiveSums::default();
        for connection in self.entries() {
            sums.connections += 1;
            sums.send_pend += connection.send_pend.load(Relaxed);
            for channel in connection.lock_channels().open.values() {
                sums.channels += 1;
                sums.publishers += u64::from(channel.counters.publish.load(Relaxed) > 0);
                sums.consumers += u64::from(channel.consumers.load(Relaxed));
                sums.messages_unacknowledged += channel.unacknowledged.load(Relaxed);
                sums.messages_unconfirmed += channel.unconfirmed.load(Relaxed);
                sums.messages_uncommitted += channel.uncommitted.load(Relaxed);
                sums.acks_uncommitted += channel.acks_uncommitted.load(Relaxed);
                sums.prefetch_count += u64::from(channel.prefetch.load(Relaxed));
                sums.global_prefetch_count += u64::from(channel.global_prefetch.load(Relaxed));
            }
        }
        sums
    }

    /// How many connections another one of that user in that vhost would stand beside.
    pub(crate) fn open_connections(&self, vhost: &VhostName, user: &UserName) -> OpenConnections {
        self.lock().counts.connections(vhost, user)
    }

    /// How many connections are open.
    pub(crate) fn connection_count(&self) -> usize {
        self.lock().counts.all_connections()
    }

    /// Sends an event to every connection for which `wanted` holds.
    pub(crate) fn tell(&self, wanted: impl Fn(&ConnectionFacts) -> bool, event: impl Fn() -> ConnectionEvent) -> usize {
        let entries = self.entries();
        let wanted = entries.iter().filter(|entry| wanted(&entry.facts));
        wanted.filter(|entry| entry.sender.send(event())).count()
    }

    /// Carries a change of the directory to the connections it concerns. Never waits.
    pub(crate) fn follow(&self, difference: &Difference) {
        for vhost in &difference.vhosts_deleted {
            let reason = format!("vhost '{vhost}' is deleted");
            self.tell(|facts| facts.vhost == *vhost, || ConnectionEvent::Close(reason.clone()));
        }
        for user in &difference.users_deleted {
            let reason = format!("user '{user}' is deleted");
            self.tell(|facts| facts.user == *user, || ConnectionEvent::Close(reason.clone()));
        }
        for vhost in &difference.vhosts_changed {
            self.tell(|facts| facts.vhost == *vhost, || ConnectionEvent::VhostChanged);
        }
        for (user, vhost) in &difference.permissions_changed {
            self.tell(|facts| facts.user == *user && facts.vhost == *vhost, || ConnectionEvent::PermissionsChanged);
        }
    }

    /// Whether a resource alarm is in force.
    pub(crate) fn is_alarmed(&self) -> bool {
        self.alarmed.load(Relaxed)
    }

    /// Resource alarms began or ended: tells every connection. Never waits.
    pub(crate) fn alarms_changed(&self, alarmed: bool) {
        self.alarmed.store(alarmed, Relaxed);
        for entry in self.entries() {
            if !entry.alarms_to_tell.swap(true, AcqRel) {
                entry.sender.send(ConnectionEvent::AlarmsChanged);
            }
        }
    }

    /// Asks one connection to close.
    pub(crate) fn close(&self, id: ConnectionId, reason: &str) -> bool {
        let entry = self.lock().connections.get(&id).cloned();
        entry.is_some_and(|entry| entry.sender.send(ConnectionEvent::Close(reason.to_owned())))
    }

    /// Connections and channels that came and went.
    pub(crate) fn churn(&self) -> Churn {
        Churn {
            connection_created: self.connection_created.load(Relaxed),
            connection_closed: self.connection_closed.load(Relaxed),
            channel_created: self.channel_created.load(Relaxed),
            channel_closed: self.channel_closed.load(Relaxed),
            ..Churn::default()
        }
    }
}
