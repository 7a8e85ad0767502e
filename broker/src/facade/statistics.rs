//! Counters of everything there is, for whoever samples them: no object is described, so that
//! a look at ten thousand queues costs no more than reading their numbers.

use std::collections::BTreeMap;

use super::{Broker, QueueTotals};
use crate::domain::exchange::ExchangeId;
use crate::domain::name::VhostName;
use crate::domain::queue::{ConnectionId, QueueId};
use crate::metrics::{ChannelCounters, Churn, QueueCounters};
use crate::runtime::system;
use crate::storage::IoCounters;

/// What happened in a vhost, or in all of them, since it exists and the application started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VhostCounters {
    /// Bytes received from its connections.
    pub recv_oct: u64,
    /// Bytes sent to its connections.
    pub send_oct: u64,
    /// Messages in its queues.
    pub totals: QueueTotals,
    /// What happened to messages.
    pub happened: ChannelCounters,
}

/// What the node uses, and what came and went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NodeCounters {
    /// Resident memory, in bytes.
    pub memory_used: u64,
    /// Free bytes on the data directory's disk.
    pub disk_free: u64,
    /// Open file descriptors.
    pub fd_used: u64,
    /// Open connections.
    pub sockets_used: u64,
    /// Tasks of the runtime.
    pub proc_used: u64,
    /// Context switches of the process.
    pub context_switches: u64,
    /// What messages cost the disk.
    pub io: IoCounters,
    /// What came and went.
    pub churn: Churn,
    /// Messages that queues read back from disk.
    pub disk_reads: u64,
    /// Messages that queues wrote to disk.
    pub disk_writes: u64,
}

impl Broker {
    /// Shows every queue with its counters, in no order, and answers with the counts of each vhost.
    pub fn sample_queues(
        &self,
        mut show: impl FnMut(QueueId, &QueueCounters, &QueueTotals),
    ) -> BTreeMap<VhostName, QueueTotals> {
        let vhosts = self.inner.vhosts.all();
        let sums = vhosts.iter().map(|vhost| {
            let topology = vhost.topology();
            let mut sum = QueueTotals::default();
            topology.each_queue(|queue| {
                let totals = queue.totals();
                sum.add(&totals);
                show(queue.spec().id, &queue.counters(), &totals);
            });
            (topology.vhost().clone(), sum)
        });
        sums.collect()
    }

    /// Shows messages in and out of every exchange, in no order.
    pub fn sample_exchanges(&self, mut show: impl FnMut(ExchangeId, u64, u64)) {
        for vhost in self.inner.vhosts.all() {
            vhost.topology().each_exchange_traffic(|traffic| {
                show(traffic.id(), traffic.published_in(), traffic.published_out());
            });
        }
    }

    /// Shows bytes in and out of every connection, and the counters of every channel; then
    /// every vhost, with the counts of its queues as [`Self::sample_queues`] answered them.
    pub fn sample_connections(
        &self,
        queues: &BTreeMap<VhostName, QueueTotals>,
        connection: impl FnMut(ConnectionId, u64, u64),
        channel: impl FnMut(ConnectionId, u16, &ChannelCounters),
        mut vhost: impl FnMut(&VhostName, &VhostCounters),
    ) {
        let sums = self.registry().sample(|name| queues.contains_key(name), connection, channel);
        for (name, totals) in queues {
            let did = sums.get(name).copied().unwrap_or_default();
            let (recv_oct, send_oct) = (did.recv_oct, did.send_oct);
            vhost(name, &VhostCounters { recv_oct, send_oct, totals: *totals, happened: did.happened });
        }
    }

    /// What happened in a vhost since it exists and the application started.
    #[must_use]
    pub fn vhost_counters(&self, vhost: &VhostName) -> VhostCounters {
        let mut totals = QueueTotals::default();
        if let Some(topology) = self.topology(vhost) {
            topology.each_queue(|queue| totals.add(&queue.totals()));
        }
        let did = self.registry().counters_of(vhost);
        VhostCounters { recv_oct: did.recv_oct, send_oct: did.send_oct, totals, happened: did.happened }
    }

    /// What happened on the whole node since the application started, in vhosts that are
    /// gone too; `queues` are the counts of all queues.
    #[must_use]
    pub fn sum_of_vhosts(&self, queues: QueueTotals) -> VhostCounters {
        let traffic = self.traffic();
        let happened = ChannelCounters {
            publish: traffic.publishes.received,
            confirm: traffic.confirmed,
            return_unroutable: traffic.return_unroutable,
            drop_unroutable: traffic.drop_unroutable,
            queue: traffic.all_queues(),
        };
        VhostCounters { recv_oct: traffic.recv_oct, send_oct: traffic.send_oct, totals: queues, happened }
    }

    /// What the node uses, and what came and went.
    #[must_use]
    pub fn node_counters(&self) -> NodeCounters {
        let sample = &self.alarms().picture().sample;
        let (fd_used, _) = system::file_descriptors();
        let churn = self.churn();
        let traffic = self.traffic();
        NodeCounters {
            memory_used: sample.memory_used,
            disk_free: sample.disk_free.unwrap_or_default(),
            fd_used,
            sockets_used: self.registry().connection_count() as u64,
            proc_used: system::tasks().0,
            context_switches: system::context_switches(),
            io: self.io(),
            churn,
            disk_reads: traffic.disk_reads,
            disk_writes: traffic.disk_writes,
        }
    }
}
