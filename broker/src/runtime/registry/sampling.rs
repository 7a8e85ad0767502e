//! Counters of connections and channels for whoever samples them, and what is kept of those
//! that are gone: a vhost's counters do not fall when a connection leaves it.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

use super::{ConnectionEntry, Registry};
use crate::domain::name::VhostName;
use crate::domain::queue::ConnectionId;
use crate::metrics::ChannelCounters;

/// What connections did: bytes, and what happened on their channels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ConnectionCounters {
    /// Bytes read.
    pub(crate) recv_oct: u64,
    /// Bytes written.
    pub(crate) send_oct: u64,
    /// What happened on all channels, closed ones included.
    pub(crate) happened: ChannelCounters,
}

impl ConnectionCounters {
    fn plus(&self, other: &Self) -> Self {
        Self {
            recv_oct: self.recv_oct.wrapping_add(other.recv_oct),
            send_oct: self.send_oct.wrapping_add(other.send_oct),
            happened: self.happened.plus(&other.happened),
        }
    }
}

/// What connections that are gone did, by vhost.
#[derive(Debug, Default)]
pub(super) struct Pasts(BTreeMap<VhostName, ConnectionCounters>);

impl Pasts {
    /// A connection is gone.
    pub(super) fn add(&mut self, entry: &ConnectionEntry) {
        self.of(&entry.facts.vhost, &entry.sample(|_, _| {}));
    }

    fn of(&mut self, vhost: &VhostName, counters: &ConnectionCounters) {
        let past = self.0.entry(vhost.clone()).or_default();
        *past = past.plus(counters);
    }
}

impl ConnectionEntry {
    /// What it did; shows each open channel's part.
    fn sample(&self, mut show: impl FnMut(u16, &ChannelCounters)) -> ConnectionCounters {
        let channels = self.lock_channels();
        let mut happened = channels.past;
        for (number, entry) in &channels.open {
            let counters = entry.counters();
            show(*number, &counters);
            happened = happened.plus(&counters);
        }
        ConnectionCounters { recv_oct: self.recv_oct.load(Relaxed), send_oct: self.send_oct.load(Relaxed), happened }
    }
}

impl Registry {
    /// Shows the counters of every connection and open channel, and answers with the sums by
    /// vhost, those that are gone included. Forgets vhosts that do not live.
    pub(crate) fn sample(
        &self,
        lives: impl Fn(&VhostName) -> bool,
        mut connection: impl FnMut(ConnectionId, u64, u64),
        mut channel: impl FnMut(ConnectionId, u16, &ChannelCounters),
    ) -> BTreeMap<VhostName, ConnectionCounters> {
        // Taken at once: whoever leaves from now on is still in the list, with all it did.
        let (entries, mut sums) = {
            let mut live = self.lock();
            live.past.0.retain(|vhost, _| lives(vhost));
            (live.connections.values().cloned().collect::<Vec<_>>(), live.past.0.clone())
        };
        for entry in entries {
            let counters = entry.sample(|number, counters| channel(entry.id, number, counters));
            connection(entry.id, counters.recv_oct, counters.send_oct);
            match sums.get_mut(&entry.facts.vhost) {
                Some(sum) => *sum = sum.plus(&counters),
                None => drop(sums.insert(entry.facts.vhost.clone(), counters)),
            }
        }
        sums
    }

    /// What happened in a vhost without a connection, over HTTP.
    pub(crate) fn happened(&self, vhost: &VhostName, happened: &ChannelCounters) {
        let counters = ConnectionCounters { happened: *happened, ..ConnectionCounters::default() };
        self.lock().past.of(vhost, &counters);
    }

    /// What connections into a vhost did, those that are gone included.
    pub(crate) fn counters_of(&self, vhost: &VhostName) -> ConnectionCounters {
        let (entries, past) = {
            let live = self.lock();
            let of_vhost = live.connections.values().filter(|entry| entry.facts.vhost == *vhost);
            (of_vhost.cloned().collect::<Vec<_>>(), live.past.0.get(vhost).copied().unwrap_or_default())
        };
        entries.iter().fold(past, |sum, entry| sum.plus(&entry.sample(|_, _| {})))
    }
}
