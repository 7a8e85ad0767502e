//! Connections and their channels.
//!
//! Seen one by one they are the live ones. Seen together their counters are those of the
//! node, which do not fall when a connection goes.

use broker::metrics::Traffic;
use broker::{ChannelInfo, ConnectionInfo, LiveSums};

use super::text::{Metric, Number, Row, counter, gauge, labels};
use crate::pid;

/// One connection, or all together.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    recv_oct: u64,
    send_oct: u64,
    recv_cnt: u64,
    send_cnt: u64,
    send_pend: u64,
    channels: u64,
}

/// All connections together.
pub(super) fn sum_of_connections(traffic: &Traffic, live: &LiveSums) -> Connections {
    Connections {
        recv_oct: traffic.recv_oct,
        send_oct: traffic.send_oct,
        recv_cnt: traffic.recv_cnt,
        send_cnt: traffic.send_cnt,
        send_pend: live.send_pend,
        channels: live.channels,
    }
}

/// The connections one by one. The reference calls the label that names them `channel` too.
pub(super) fn connections(node: &str, all: &[ConnectionInfo]) -> Vec<Row<Connections>> {
    let row = |connection: &ConnectionInfo| {
        let numbers = Connections {
            recv_oct: connection.recv_oct,
            send_oct: connection.send_oct,
            recv_cnt: connection.recv_cnt,
            send_cnt: connection.send_cnt,
            send_pend: connection.send_pend,
            channels: connection.channels.into(),
        };
        (labels(&[("channel", &pid::connection(node, connection.id))]), numbers)
    };
    all.iter().map(row).collect()
}

/// Bytes.
pub(super) const COARSE: &[Metric<Connections>] = &[
    counter("connection_incoming_bytes_total", "Bytes received", |connection| connection.recv_oct.into()),
    counter("connection_outgoing_bytes_total", "Bytes sent", |connection| connection.send_oct.into()),
    counter("connection_process_reductions_total", "Work of an Erlang process: none here", |_| Number::Whole(0)),
];

/// Frames and channels.
pub(super) const FINE: &[Metric<Connections>] = &[
    counter("connection_incoming_packets_total", "Frames received", |connection| connection.recv_cnt.into()),
    counter("connection_outgoing_packets_total", "Frames sent", |connection| connection.send_cnt.into()),
    gauge("connection_pending_packets", "Bytes that wait to be sent", |connection| connection.send_pend.into()),
    gauge("connection_channels", "Channels of a connection", |connection| connection.channels.into()),
];

/// One channel, or all together: what is open on it.
#[derive(Debug, Clone)]
pub(super) struct Channels {
    consumers: u64,
    unacknowledged: u64,
    unconfirmed: u64,
    uncommitted: u64,
    acks_uncommitted: u64,
    prefetch: u64,
    global_prefetch: u64,
}

/// All channels together.
pub(super) fn sum_of_channels(live: &LiveSums) -> Channels {
    Channels {
        consumers: live.consumers,
        unacknowledged: live.messages_unacknowledged,
        unconfirmed: live.messages_unconfirmed,
        uncommitted: live.messages_uncommitted,
        acks_uncommitted: live.acks_uncommitted,
        prefetch: live.prefetch_count,
        global_prefetch: live.global_prefetch_count,
    }
}

/// The label of a channel.
pub(super) fn channel_label(node: &str, channel: &ChannelInfo) -> String {
    labels(&[("channel", &pid::channel(node, channel.connection, channel.number))])
}

/// The channels one by one.
pub(super) fn channels(node: &str, all: &[ChannelInfo]) -> Vec<Row<Channels>> {
    let row = |channel: &ChannelInfo| {
        let numbers = Channels {
            consumers: channel.consumers.into(),
            unacknowledged: channel.messages_unacknowledged,
            unconfirmed: channel.messages_unconfirmed,
            uncommitted: channel.messages_uncommitted,
            acks_uncommitted: channel.acks_uncommitted,
            prefetch: channel.prefetch_count.into(),
            global_prefetch: channel.global_prefetch_count.into(),
        };
        (channel_label(node, channel), numbers)
    };
    all.iter().map(row).collect()
}

/// What is open.
pub(super) const CHANNEL: &[Metric<Channels>] = &[
    gauge("channel_consumers", "Consumers of a channel", |channel| channel.consumers.into()),
    gauge("channel_messages_unacked", "Messages delivered and not yet acknowledged", |channel| {
        channel.unacknowledged.into()
    }),
    gauge("channel_messages_unconfirmed", "Messages published and not yet confirmed", |channel| {
        channel.unconfirmed.into()
    }),
    gauge("channel_messages_uncommitted", "Messages published in an open transaction", |channel| {
        channel.uncommitted.into()
    }),
    gauge("channel_acks_uncommitted", "Acknowledgements in an open transaction", |channel| {
        channel.acks_uncommitted.into()
    }),
    gauge("consumer_prefetch", "Unacknowledged messages each consumer may have", |channel| channel.prefetch.into()),
    gauge("channel_prefetch", "Unacknowledged messages the channel may have", |channel| channel.global_prefetch.into()),
];

/// Work of channels.
pub(super) const PROCESS: &[Metric<Channels>] =
    &[counter("channel_process_reductions_total", "Work of an Erlang process: none here", |_| Number::Whole(0))];
