//! What is counted on each kind of object, and how it is shown.
//!
//! Stored counters stand in the order of how often they change. What is a sum of others is
//! not stored but shown, so that its samples always agree with theirs.

use broker::metrics::{ChannelCounters, Churn, QueueCounters};
use broker::{NodeCounters, QueueTotals, VhostCounters};

use super::range::Sort;

/// A counter as it is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    /// Its name; with `_details` behind it, that of how it runs.
    pub(super) name: &'static str,
    /// Which range it belongs to.
    pub(super) sort: Sort,
    /// Whether it may fall.
    pub(super) is_gauge: bool,
}

const fn rate(name: &'static str) -> Column {
    Column { name, sort: Sort::MsgRates, is_gauge: false }
}

const fn length(name: &'static str) -> Column {
    Column { name, sort: Sort::Lengths, is_gauge: true }
}

const fn length_of_vhost(name: &'static str) -> Column {
    Column { sort: Sort::VhostLengths, ..length(name) }
}

const fn bytes(name: &'static str) -> Column {
    Column { name, sort: Sort::DataRates, is_gauge: false }
}

const fn used(name: &'static str) -> Column {
    Column { name, sort: Sort::NodeStats, is_gauge: true }
}

const fn worked(name: &'static str) -> Column {
    Column { is_gauge: false, ..used(name) }
}

const fn churned(name: &'static str) -> Column {
    Column { name, sort: Sort::Churn, is_gauge: false }
}

/// A kind of object: `N` counters stored, `M` shown.
pub(super) struct Kind<const N: usize, const M: usize> {
    /// What is shown.
    pub(super) columns: [Column; M],
    /// How it follows from what is stored; sums only, as changes are shown the same way.
    pub(super) show: fn(&[u64; N]) -> [u64; M],
}

impl<const N: usize, const M: usize> std::fmt::Debug for Kind<N, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.columns.iter().map(|column| column.name)).finish()
    }
}

impl<const N: usize, const M: usize> Kind<N, M> {
    /// Whether a counter that never falls has fallen: it is another object's, which has the same name.
    pub(super) fn began_again(&self, before: &[u64; N], now: &[u64; N]) -> bool {
        let (before, now) = ((self.show)(before), (self.show)(now));
        self.columns.iter().zip(before.iter().zip(now)).any(|(column, (before, now))| !column.is_gauge && now < *before)
    }
}

/// Stored counters of deliveries.
const DELIVERED: usize = 7;

fn stored_deliveries(counters: &QueueCounters) -> [u64; DELIVERED] {
    let QueueCounters { publish: _, deliver, deliver_no_ack, get, get_no_ack, get_empty, ack, redeliver } = *counters;
    [deliver, ack, deliver_no_ack, get, get_no_ack, redeliver, get_empty]
}

/// Deliveries as shown: all of them in one behind the others.
fn shown_deliveries(stored: [u64; DELIVERED]) -> [u64; DELIVERED + 1] {
    let [deliver, ack, deliver_no_ack, get, get_no_ack, redeliver, get_empty] = stored;
    let all = [deliver, deliver_no_ack, get, get_no_ack].into_iter().fold(0, u64::wrapping_add);
    [deliver, ack, deliver_no_ack, get, get_no_ack, redeliver, get_empty, all]
}

const DELIVERIES: [Column; DELIVERED + 1] = [
    rate("deliver"),
    rate("ack"),
    rate("deliver_no_ack"),
    rate("get"),
    rate("get_no_ack"),
    rate("redeliver"),
    rate("get_empty"),
    rate("deliver_get"),
];

/// Ready and unacknowledged messages, and those that are neither, as messages.
fn shown_lengths([ready, unacknowledged, other]: [u64; 3]) -> [u64; 3] {
    [ready, unacknowledged, ready.wrapping_add(unacknowledged).wrapping_add(other)]
}

/// Counters of a queue, as stored.
pub(super) const QUEUE_COUNTERS: usize = 11;

/// Stores what is counted on a queue.
pub(super) fn of_queue(counters: &QueueCounters, totals: &QueueTotals) -> [u64; QUEUE_COUNTERS] {
    let [deliver, ack, deliver_no_ack, get, get_no_ack, redeliver, get_empty] = stored_deliveries(counters);
    let (ready, unacknowledged) = (totals.ready, totals.unacknowledged);
    let other = totals.dead + totals.delayed;
    [
        counters.publish,
        deliver,
        ack,
        ready,
        unacknowledged,
        deliver_no_ack,
        get,
        get_no_ack,
        redeliver,
        get_empty,
        other,
    ]
}

/// A queue.
pub(super) static QUEUE: Kind<QUEUE_COUNTERS, 12> = Kind {
    columns: {
        let [deliver, ack, deliver_no_ack, get, get_no_ack, redeliver, get_empty, deliver_get] = DELIVERIES;
        [
            length("messages_ready"),
            length("messages_unacknowledged"),
            length("messages"),
            rate("publish"),
            deliver,
            ack,
            deliver_no_ack,
            get,
            get_no_ack,
            redeliver,
            get_empty,
            deliver_get,
        ]
    },
    show: |&[publish, deliver, ack, ready, unacked, deliver_no_ack, get, get_no_ack, redeliver, get_empty, other]| {
        let [ready, unacked, messages] = shown_lengths([ready, unacked, other]);
        let [deliver, ack, deliver_no_ack, get, get_no_ack, redeliver, get_empty, deliver_get] =
            shown_deliveries([deliver, ack, deliver_no_ack, get, get_no_ack, redeliver, get_empty]);
        [
            ready,
            unacked,
            messages,
            publish,
            deliver,
            ack,
            deliver_no_ack,
            get,
            get_no_ack,
            redeliver,
            get_empty,
            deliver_get,
        ]
    },
};

/// Counters of a channel, as stored; what happened to messages anywhere is counted alike.
pub(super) const CHANNEL_COUNTERS: usize = 11;

/// Stores what is counted on a channel.
pub(super) fn of_channel(counters: &ChannelCounters) -> [u64; CHANNEL_COUNTERS] {
    let [deliver, ack, deliver_no_ack, get, get_no_ack, redeliver, get_empty] = stored_deliveries(&counters.queue);
    let ChannelCounters { publish, confirm, return_unroutable, drop_unroutable, queue: _ } = *counters;
    [
        publish,
        confirm,
        deliver,
        ack,
        deliver_no_ack,
        get,
        get_no_ack,
        redeliver,
        get_empty,
        return_unroutable,
        drop_unroutable,
    ]
}

fn shown_messages(stored: &[u64; CHANNEL_COUNTERS]) -> [u64; 12] {
    let [publish, confirm, deliver, ack, deliver_no_ack, get, get_no_ack, redeliver, get_empty, returned, dropped] =
        *stored;
    let [deliver, ack, deliver_no_ack, get, get_no_ack, redeliver, get_empty, deliver_get] =
        shown_deliveries([deliver, ack, deliver_no_ack, get, get_no_ack, redeliver, get_empty]);
    [
        publish,
        confirm,
        returned,
        dropped,
        deliver,
        ack,
        deliver_no_ack,
        get,
        get_no_ack,
        redeliver,
        get_empty,
        deliver_get,
    ]
}

/// What happens to messages.
const HAPPENED: [Column; 12] = {
    let [deliver, ack, deliver_no_ack, get, get_no_ack, redeliver, get_empty, deliver_get] = DELIVERIES;
    [
        rate("publish"),
        rate("confirm"),
        rate("return_unroutable"),
        rate("drop_unroutable"),
        deliver,
        ack,
        deliver_no_ack,
        get,
        get_no_ack,
        redeliver,
        get_empty,
        deliver_get,
    ]
};

/// A channel.
pub(super) static CHANNEL: Kind<CHANNEL_COUNTERS, 12> = Kind { columns: HAPPENED, show: shown_messages };

/// A connection: bytes read and written.
pub(super) static CONNECTION: Kind<2, 2> =
    Kind { columns: [bytes("recv_oct"), bytes("send_oct")], show: |stored| *stored };

/// An exchange: messages in and out.
pub(super) static EXCHANGE: Kind<2, 2> =
    Kind { columns: [rate("publish_in"), rate("publish_out")], show: |stored| *stored };

/// Counters of a vhost, as stored.
pub(super) const VHOST_COUNTERS: usize = CHANNEL_COUNTERS + 5;

/// Stores what is counted in a vhost.
pub(super) fn of_vhost(counters: &VhostCounters) -> [u64; VHOST_COUNTERS] {
    let VhostCounters { recv_oct, send_oct, totals, happened } = counters;
    let mut stored = [0; VHOST_COUNTERS];
    let (messages, more) = stored.split_at_mut(CHANNEL_COUNTERS);
    messages.copy_from_slice(&of_channel(happened));
    more.copy_from_slice(&[*recv_oct, *send_oct, totals.ready, totals.unacknowledged, totals.dead + totals.delayed]);
    stored
}

/// A vhost.
pub(super) static VHOST: Kind<VHOST_COUNTERS, 17> = Kind {
    columns: {
        let [
            publish,
            confirm,
            returned,
            dropped,
            deliver,
            ack,
            deliver_no_ack,
            get,
            get_no_ack,
            redeliver,
            get_empty,
            all,
        ] = HAPPENED;
        [
            publish,
            confirm,
            returned,
            dropped,
            deliver,
            ack,
            deliver_no_ack,
            get,
            get_no_ack,
            redeliver,
            get_empty,
            all,
            bytes("recv_oct"),
            bytes("send_oct"),
            length_of_vhost("messages_ready"),
            length_of_vhost("messages_unacknowledged"),
            length_of_vhost("messages"),
        ]
    },
    show: |stored| {
        let mut shown = [0; 17];
        let (happened, more) = stored.split_at(CHANNEL_COUNTERS);
        let mut messages = [0; CHANNEL_COUNTERS];
        messages.copy_from_slice(happened);
        shown[..12].copy_from_slice(&shown_messages(&messages));
        if let [recv_oct, send_oct, ready, unacknowledged, other] = *more {
            shown[12..14].copy_from_slice(&[recv_oct, send_oct]);
            shown[14..].copy_from_slice(&shown_lengths([ready, unacknowledged, other]));
        }
        shown
    },
};

/// Counters of the node, as stored.
pub(super) const NODE_COUNTERS: usize = 18;

/// Stores what a node uses, and what came and went.
pub(super) fn of_node(counters: &NodeCounters) -> [u64; NODE_COUNTERS] {
    let NodeCounters { memory_used, disk_free, fd_used, sockets_used, proc_used, context_switches, io, churn } =
        *counters;
    let Churn {
        connection_created,
        connection_closed,
        channel_created,
        channel_closed,
        queue_declared,
        queue_created,
        queue_deleted,
    } = churn;
    [
        memory_used,
        disk_free,
        fd_used,
        sockets_used,
        channel_created,
        channel_closed,
        connection_created,
        connection_closed,
        queue_declared,
        queue_created,
        queue_deleted,
        proc_used,
        context_switches,
        io.reads.count,
        io.reads.bytes,
        io.writes.count,
        io.writes.bytes,
        io.syncs.count,
    ]
}

/// The node.
pub(super) static NODE: Kind<NODE_COUNTERS, NODE_COUNTERS> = Kind {
    columns: [
        used("mem_used"),
        used("disk_free"),
        used("fd_used"),
        used("sockets_used"),
        churned("channel_created"),
        churned("channel_closed"),
        churned("connection_created"),
        churned("connection_closed"),
        churned("queue_declared"),
        churned("queue_created"),
        churned("queue_deleted"),
        used("proc_used"),
        worked("context_switches"),
        worked("io_read_count"),
        worked("io_read_bytes"),
        worked("io_write_count"),
        worked("io_write_bytes"),
        worked("io_sync_count"),
    ],
    show: |stored| *stored,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_shown_and_not_stored() {
        let counters =
            QueueCounters { publish: 1, deliver: 2, deliver_no_ack: 3, get: 4, get_no_ack: 5, ..Default::default() };
        let totals = QueueTotals { ready: 7, unacknowledged: 20, dead: 100, delayed: 300, ..Default::default() };
        let shown = (QUEUE.show)(&of_queue(&counters, &totals));
        let of = |name: &str| shown[QUEUE.columns.iter().position(|column| column.name == name).unwrap()];
        for (name, value) in [("messages", 427), ("messages_ready", 7), ("publish", 1), ("deliver_get", 14), ("get", 4)]
        {
            assert_eq!(of(name), value, "{name}");
        }
        let happened = ChannelCounters { publish: 1, confirm: 2, queue: counters, ..Default::default() };
        let vhost = VhostCounters { recv_oct: 8, send_oct: 9, totals, happened };
        let shown = (VHOST.show)(&of_vhost(&vhost));
        let of = |name: &str| shown[VHOST.columns.iter().position(|column| column.name == name).unwrap()];
        for (name, value) in [("messages", 427), ("send_oct", 9), ("confirm", 2), ("deliver_get", 14)] {
            assert_eq!(of(name), value, "{name}");
        }
    }
}
