//! What is counted on each kind of object, and how it is shown.
//!
//! Stored counters stand in the order of how often they change. What is a sum of others is
//! not stored but shown, so that its samples always agree with theirs.

use broker::metrics::{ChannelCounters, Churn, QueueCounters};
use broker::{NodeCounters, PublishedFlow, QueueTotals, VhostCounters};

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

/// One list behind the other.
const fn joined<T: Copy, const A: usize, const B: usize, const ALL: usize>(one: [T; A], other: [T; B]) -> [T; ALL] {
    assert!(A > 0 && A + B == ALL);
    let mut all = [one[0]; ALL];
    let mut place = 0;
    while place < ALL {
        all[place] = if place < A { one[place] } else { other[place - A] };
        place += 1;
    }
    all
}

/// A list in two parts.
fn parted<const ALL: usize, const A: usize, const B: usize>(all: &[u64; ALL]) -> ([u64; A], [u64; B]) {
    const { assert!(A + B == ALL) };
    (std::array::from_fn(|place| all[place]), std::array::from_fn(|place| all[A + place]))
}

/// Stored counters of deliveries.
pub(super) const DELIVERED: usize = 7;

/// Stores what was delivered.
pub(super) fn stored_deliveries(counters: &QueueCounters) -> [u64; DELIVERED] {
    let QueueCounters { publish: _, deliver, deliver_no_ack, get, get_no_ack, get_empty, ack, redeliver } = *counters;
    [deliver, ack, deliver_no_ack, get, get_no_ack, redeliver, get_empty]
}

/// Counters of deliveries as shown: one is the sum of others.
pub(super) const SHOWN_DELIVERIES: usize = DELIVERED + 1;

/// Deliveries as shown, in the reference's order.
fn shown_deliveries(stored: [u64; DELIVERED]) -> [u64; SHOWN_DELIVERIES] {
    let [deliver, ack, deliver_no_ack, get, get_no_ack, redeliver, get_empty] = stored;
    let all = [deliver, deliver_no_ack, get, get_no_ack].into_iter().fold(0, u64::wrapping_add);
    [get, get_no_ack, deliver, deliver_no_ack, redeliver, ack, all, get_empty]
}

const DELIVERIES: [Column; SHOWN_DELIVERIES] = [
    rate("get"),
    rate("get_no_ack"),
    rate("deliver"),
    rate("deliver_no_ack"),
    rate("redeliver"),
    rate("ack"),
    rate("deliver_get"),
    rate("get_empty"),
];

/// Ready and unacknowledged messages, and those that are neither.
fn stored_lengths(totals: &QueueTotals) -> [u64; 3] {
    [totals.ready, totals.unacknowledged, totals.dead + totals.delayed]
}

/// The same as shown: all messages instead of those that are neither.
fn shown_lengths([ready, unacknowledged, other]: [u64; 3]) -> [u64; 3] {
    [ready, unacknowledged, ready.wrapping_add(unacknowledged).wrapping_add(other)]
}

/// Counters of a queue, as stored: messages that are neither ready nor unacknowledged stand last.
pub(super) const QUEUE_COUNTERS: usize = 1 + 3 + DELIVERED;

/// Stores what is counted on a queue.
pub(super) fn of_queue(counters: &QueueCounters, totals: &QueueTotals) -> [u64; QUEUE_COUNTERS] {
    let [ready, unacknowledged, other] = stored_lengths(totals);
    joined(
        [counters.publish, ready, unacknowledged],
        joined::<_, DELIVERED, 1, 8>(stored_deliveries(counters), [other]),
    )
}

/// Counters of what happened to the messages of a queue, as shown.
pub(super) const QUEUE_HAPPENINGS: usize = 1 + SHOWN_DELIVERIES;

/// What happened to the messages of a queue, as shown.
pub(super) fn queue_happenings(counters: &QueueCounters) -> [u64; QUEUE_HAPPENINGS] {
    joined([counters.publish], shown_deliveries(stored_deliveries(counters)))
}

/// A queue: how long it is, and what happened.
pub(super) static QUEUE: Kind<QUEUE_COUNTERS, 12> = Kind {
    columns: joined(
        [length("messages_ready"), length("messages_unacknowledged"), length("messages"), rate("publish")],
        DELIVERIES,
    ),
    show: |stored| {
        let ([publish, ready, unacknowledged], rest) = parted::<QUEUE_COUNTERS, 3, 8>(stored);
        let (deliveries, [other]) = parted::<8, DELIVERED, 1>(&rest);
        let [ready, unacknowledged, all] = shown_lengths([ready, unacknowledged, other]);
        joined([ready, unacknowledged, all, publish], shown_deliveries(deliveries))
    },
};

/// Counters of what happened to messages, on a channel or anywhere.
pub(super) const CHANNEL_COUNTERS: usize = 2 + DELIVERED + 2;

/// Stores what is counted on a channel.
pub(super) fn of_channel(counters: &ChannelCounters) -> [u64; CHANNEL_COUNTERS] {
    let ChannelCounters { publish, confirm, return_unroutable, drop_unroutable, queue } = counters;
    let taken = joined::<_, 2, DELIVERED, 9>([*publish, *confirm], stored_deliveries(queue));
    joined(taken, [*return_unroutable, *drop_unroutable])
}

/// Counters of what happened to messages, as shown.
pub(super) const HAPPENINGS: usize = 4 + SHOWN_DELIVERIES;

fn shown_messages(stored: &[u64; CHANNEL_COUNTERS]) -> [u64; HAPPENINGS] {
    let (published, rest) = parted::<CHANNEL_COUNTERS, 2, 9>(stored);
    let (deliveries, unroutable) = parted::<9, DELIVERED, 2>(&rest);
    joined(joined::<_, 2, 2, 4>(published, unroutable), shown_deliveries(deliveries))
}

/// What happens to messages.
const HAPPENED: [Column; HAPPENINGS] =
    joined([rate("publish"), rate("confirm"), rate("return_unroutable"), rate("drop_unroutable")], DELIVERIES);

/// A channel.
pub(super) static CHANNEL: Kind<CHANNEL_COUNTERS, HAPPENINGS> = Kind { columns: HAPPENED, show: shown_messages };

/// A connection: bytes read and written.
pub(super) static CONNECTION: Kind<2, 2> =
    Kind { columns: [bytes("recv_oct"), bytes("send_oct")], show: |stored| *stored };

/// An exchange: messages in and out.
pub(super) static EXCHANGE: Kind<2, 2> =
    Kind { columns: [rate("publish_in"), rate("publish_out")], show: |stored| *stored };

/// Stores what a channel published to an exchange.
pub(super) fn of_published(flow: &PublishedFlow) -> [u64; 4] {
    [flow.publish, flow.confirm, flow.return_unroutable, flow.drop_unroutable]
}

/// A channel and an exchange it publishes to.
pub(super) static PUBLISHED: Kind<4, 4> = Kind {
    columns: [rate("publish"), rate("confirm"), rate("return_unroutable"), rate("drop_unroutable")],
    show: |stored| *stored,
};

/// A channel and a queue it takes messages off.
pub(super) static TAKEN: Kind<DELIVERED, SHOWN_DELIVERIES> =
    Kind { columns: DELIVERIES, show: |stored| shown_deliveries(*stored) };

/// An exchange and a queue it gives messages to.
pub(super) static ROUTED: Kind<1, 1> = Kind { columns: [rate("publish")], show: |stored| *stored };

/// Counters of a vhost, as stored: what happened to messages, bytes, lengths.
pub(super) const VHOST_COUNTERS: usize = CHANNEL_COUNTERS + 2 + 3;

/// Stores what is counted in a vhost.
pub(super) fn of_vhost(counters: &VhostCounters) -> [u64; VHOST_COUNTERS] {
    let VhostCounters { recv_oct, send_oct, totals, happened } = counters;
    joined(of_channel(happened), joined::<_, 2, 3, 5>([*recv_oct, *send_oct], stored_lengths(totals)))
}

/// A vhost.
pub(super) static VHOST: Kind<VHOST_COUNTERS, { HAPPENINGS + 5 }> = Kind {
    columns: joined(
        HAPPENED,
        [
            bytes("recv_oct"),
            bytes("send_oct"),
            length_of_vhost("messages_ready"),
            length_of_vhost("messages_unacknowledged"),
            length_of_vhost("messages"),
        ],
    ),
    show: |stored| {
        let (happened, more) = parted::<VHOST_COUNTERS, CHANNEL_COUNTERS, 5>(stored);
        let (bytes, lengths) = parted::<5, 2, 3>(&more);
        joined(shown_messages(&happened), joined::<_, 2, 3, 5>(bytes, shown_lengths(lengths)))
    },
};

/// Counters of the node, as stored.
pub(super) const NODE_COUNTERS: usize = 20;

/// Stores what a node uses, and what came and went.
pub(super) fn of_node(counters: &NodeCounters) -> [u64; NODE_COUNTERS] {
    let NodeCounters {
        memory_used,
        disk_free,
        fd_used,
        sockets_used,
        proc_used,
        context_switches,
        io,
        churn,
        disk_reads,
        disk_writes,
    } = *counters;
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
        disk_reads,
        disk_writes,
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
        rate("disk_reads"),
        rate("disk_writes"),
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
