//! Messages on their way: published, routed, fetched, delivered; by exchange and by channel.
//!
//! Seen together these are the node's counters. Seen one by one they are flows: by channel and
//! exchange, by channel and queue, by exchange and queue.

use broker::domain::name::VhostName;
use broker::domain::queue::ConnectionId;
use broker::metrics::{QueueCounters, Traffic};
use broker::{ChannelFlows, ExchangeInfo, PublishedFlow, RoutedFlow};

use super::filter::Filter;
use super::text::{Metric, Number, Row, counter, labels};
use crate::pid;

/// What was published through an exchange, on a channel, or at all.
#[derive(Debug, Clone)]
pub(super) struct Published {
    received: u64,
    confirmed: Option<u64>,
    returned: Option<u64>,
    dropped: Option<u64>,
}

impl From<&Traffic> for Published {
    fn from(traffic: &Traffic) -> Self {
        Self {
            received: traffic.publishes.received,
            confirmed: Some(traffic.confirmed),
            returned: Some(traffic.return_unroutable),
            dropped: Some(traffic.drop_unroutable),
        }
    }
}

impl From<&PublishedFlow> for Published {
    fn from(flow: &PublishedFlow) -> Self {
        Self {
            received: flow.publish,
            confirmed: Some(flow.confirm),
            returned: Some(flow.return_unroutable),
            dropped: Some(flow.drop_unroutable),
        }
    }
}

/// The flows of one channel.
pub(super) struct OfChannel {
    vhost: VhostName,
    /// As labels name the channel.
    pid: String,
    flows: ChannelFlows,
}

impl OfChannel {
    pub(super) fn new(
        node: &str,
        vhost: &VhostName,
        (connection, number): (ConnectionId, u16),
        flows: ChannelFlows,
    ) -> Self {
        Self { vhost: vhost.clone(), pid: pid::channel(node, connection, number), flows }
    }

    /// Labels of a flow whose other end is an exchange or a queue.
    fn labels(&self, kind: &str, name: &str) -> String {
        labels(&[("channel", &self.pid), ("vhost", self.vhost.as_str()), (kind, name)])
    }
}

/// What channels published, by exchange.
pub(super) fn channels_published(all: &[OfChannel]) -> Vec<Row<Published>> {
    let rows = |channel: &OfChannel| {
        let row =
            |flow: &PublishedFlow| (channel.labels("exchange", flow.exchange_name.as_str()), Published::from(flow));
        channel.flows.published.iter().map(row).collect::<Vec<_>>()
    };
    all.iter().flat_map(rows).collect()
}

/// What queues were given of what channels published, by exchange.
pub(super) fn channels_routed(all: &[OfChannel]) -> Vec<Row<u64>> {
    let rows = |channel: &OfChannel| {
        let row = |flow: &RoutedFlow| {
            let vhost = channel.vhost.as_str();
            let pairs = [
                ("channel", channel.pid.as_str()),
                ("queue_vhost", vhost),
                ("queue", flow.queue_name.as_str()),
                ("exchange_vhost", vhost),
                ("exchange", flow.exchange_name.as_str()),
            ];
            (labels(&pairs), flow.publish)
        };
        channel.flows.routed.iter().map(row).collect::<Vec<_>>()
    };
    all.iter().flat_map(rows).collect()
}

/// What exchanges of a vhost gave to queues.
pub(super) fn routed(vhost: &VhostName, all: Vec<RoutedFlow>, filter: &Filter) -> Vec<Row<u64>> {
    let shown = all.into_iter().filter(|flow| filter.shows_queue(flow.queue_name.as_str()));
    let row = |flow: RoutedFlow| {
        let pairs =
            [("vhost", vhost.as_str()), ("exchange", flow.exchange_name.as_str()), ("queue", flow.queue_name.as_str())];
        (labels(&pairs), flow.publish)
    };
    shown.map(row).collect()
}

/// Exchanges that were published to, one by one. `counts`: whether flows are counted.
pub(super) fn exchanges(all: &[ExchangeInfo], counts: bool) -> Vec<Row<Published>> {
    let row = |exchange: &ExchangeInfo| {
        let pairs = [("vhost", exchange.vhost.as_str()), ("exchange", exchange.exchange.name.as_str())];
        let published = Published {
            received: exchange.publish_in,
            confirmed: counts.then_some(exchange.confirmed),
            returned: counts.then_some(exchange.returned),
            dropped: counts.then_some(exchange.dropped),
        };
        (labels(&pairs), published)
    };
    all.iter().filter(|exchange| exchange.publish_in > 0).map(row).collect()
}

/// By channel and exchange.
pub(super) const CHANNEL_EXCHANGE: &[Metric<Published>] = &[
    counter("channel_messages_published_total", "Messages published on a channel", |channel| channel.received.into()),
    counter("channel_messages_confirmed_total", "Messages confirmed on a channel", |channel| channel.confirmed.into()),
    counter("channel_messages_unroutable_returned_total", "Messages returned on a channel as unroutable", |channel| {
        channel.returned.into()
    }),
    counter("channel_messages_unroutable_dropped_total", "Messages of a channel dropped as unroutable", |channel| {
        channel.dropped.into()
    }),
];

/// By exchange.
pub(super) const EXCHANGE: &[Metric<Published>] = &[
    counter("exchange_messages_published_total", "Messages published to an exchange", |exchange| {
        exchange.received.into()
    }),
    counter("exchange_messages_confirmed_total", "Messages published to an exchange and confirmed", |exchange| {
        exchange.confirmed.into()
    }),
    counter(
        "exchange_messages_unroutable_returned_total",
        "Messages to an exchange returned as unroutable",
        |exchange| exchange.returned.into(),
    ),
    counter(
        "exchange_messages_unroutable_dropped_total",
        "Messages to an exchange dropped as unroutable",
        |exchange| exchange.dropped.into(),
    ),
];

/// What channels took from queues, one by one.
pub(super) fn channels_took(all: &[OfChannel]) -> Vec<Row<QueueCounters>> {
    let rows = |channel: &OfChannel| {
        let taken = channel.flows.taken.iter();
        taken.map(|flow| (channel.labels("queue", flow.queue_name.as_str()), flow.counters)).collect::<Vec<_>>()
    };
    all.iter().flat_map(rows).collect()
}

/// What channels took from queues.
pub(super) const CHANNEL_QUEUE: &[Metric<QueueCounters>] = &[
    counter("channel_get_ack_total", "Messages fetched on a channel, to be acknowledged", |channel| channel.get.into()),
    counter("channel_get_total", "Messages fetched on a channel without acknowledgement", |channel| {
        channel.get_no_ack.into()
    }),
    counter("channel_messages_delivered_ack_total", "Messages delivered on a channel, to be acknowledged", |channel| {
        channel.deliver.into()
    }),
    counter("channel_messages_delivered_total", "Messages delivered on a channel without acknowledgement", |channel| {
        channel.deliver_no_ack.into()
    }),
    counter("channel_messages_redelivered_total", "Messages delivered on a channel again", |channel| {
        channel.redeliver.into()
    }),
    counter("channel_messages_acked_total", "Messages acknowledged on a channel", |channel| channel.ack.into()),
    counter("channel_get_empty_total", "Fetches on a channel that found nothing", |channel| channel.get_empty.into()),
];

/// Copies that queues were given, by channel and exchange.
pub(super) const CHANNEL_QUEUE_EXCHANGE: &[Metric<u64>] =
    &[counter("queue_messages_published_total", "Messages published into queues on channels", |count| (*count).into())];

/// Copies that queues were given, by exchange.
pub(super) const QUEUE_EXCHANGE: &[Metric<u64>] = &[counter(
    "queue_exchange_messages_published_total",
    "Messages published into queues through exchanges",
    |count| (*count).into(),
)];

/// How far consumers of streams lag behind; known to the reference's stream protocol only.
pub(super) const STREAM_CONSUMER: &[Metric<()>] = &[super::text::gauge(
    "stream_consumer_max_offset_lag",
    "Most messages a consumer of the stream protocol lags behind",
    |()| Number::Absent,
)];
