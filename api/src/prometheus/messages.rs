//! Messages on their way: published, routed, fetched, delivered; by exchange and by channel.
//!
//! Seen together these are the node's counters. A channel counts its messages, but not for
//! every exchange and queue apart, so seen one by one it bears no label for these.

use broker::metrics::{ChannelCounters, QueueCounters, Traffic};
use broker::{ChannelInfo, ExchangeInfo};

use super::connections::channel_label;
use super::text::{Metric, Number, Row, counter, labels};

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

impl From<&ChannelCounters> for Published {
    fn from(counters: &ChannelCounters) -> Self {
        Self {
            received: counters.publish,
            confirmed: Some(counters.confirm),
            returned: Some(counters.return_unroutable),
            dropped: Some(counters.drop_unroutable),
        }
    }
}

/// Channels that published, one by one.
pub(super) fn channels_published(node: &str, all: &[ChannelInfo]) -> Vec<Row<Published>> {
    let published = all.iter().filter(|channel| channel.counters.publish > 0);
    published.map(|channel| (channel_label(node, channel), Published::from(&channel.counters))).collect()
}

/// Exchanges that were published to, one by one.
pub(super) fn exchanges(all: &[ExchangeInfo]) -> Vec<Row<Published>> {
    let row = |exchange: &ExchangeInfo| {
        let pairs = [("vhost", exchange.vhost.as_str()), ("exchange", exchange.exchange.name.as_str())];
        let published = Published { received: exchange.publish_in, confirmed: None, returned: None, dropped: None };
        (labels(&pairs), published)
    };
    all.iter().filter(|exchange| exchange.publish_in > 0).map(row).collect()
}

/// By channel.
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

/// Channels that took messages, one by one.
pub(super) fn channels_took(node: &str, all: &[ChannelInfo]) -> Vec<Row<QueueCounters>> {
    let taken = |counters: &QueueCounters| QueueCounters { publish: 0, ..*counters };
    let took = all.iter().filter(|channel| taken(&channel.counters.queue) != QueueCounters::default());
    took.map(|channel| (channel_label(node, channel), channel.counters.queue)).collect()
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

/// Copies that queues were given, by channel.
pub(super) const CHANNEL_QUEUE_EXCHANGE: &[Metric<Traffic>] =
    &[counter("queue_messages_published_total", "Messages published into queues on channels", |traffic| {
        traffic.publishes.routed.into()
    })];

/// Copies that queues were given, by exchange.
pub(super) const QUEUE_EXCHANGE: &[Metric<Traffic>] = &[counter(
    "queue_exchange_messages_published_total",
    "Messages published into queues through exchanges",
    |traffic| traffic.publishes.routed.into(),
)];

/// How far consumers of streams lag behind; known to the reference's stream protocol only.
pub(super) const STREAM_CONSUMER: &[Metric<()>] = &[super::text::gauge(
    "stream_consumer_max_offset_lag",
    "Most messages a consumer of the stream protocol lags behind",
    |()| Number::Absent,
)];
