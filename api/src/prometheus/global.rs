//! Counters of the whole node by protocol and kind of queue.

use broker::LiveSums;
use broker::domain::queue::QueueKind;
use broker::domain::queue::state::DropReason;
use broker::metrics::{DeadLetterStrategy, QueueCounters, SIZE_BOUNDS_BYTES, Traffic};

use super::queues::kind_name;
use super::text::{Kind, Metric, Number, Page, Row, counter, gauge, labels};

/// The protocol there is.
const PROTOCOL: (&str, &str) = ("protocol", "amqp091");

/// Where replies to `amq.rabbitmq.reply-to` go is a queue of its own kind to the reference.
const DIRECT_REPLIES: &str = "rabbit_volatile_queue";

/// By protocol.
const PUBLISHED: &[Metric<Traffic>] = &[
    counter("messages_received_total", "Messages published", |traffic| traffic.publishes.received.into()),
    counter("messages_received_confirm_total", "Messages published in confirm mode", |traffic| {
        traffic.publishes.received_confirm.into()
    }),
    counter("messages_routed_total", "Copies of messages that queues were given", |traffic| {
        traffic.publishes.routed.into()
    }),
    counter("messages_confirmed_total", "Messages confirmed to publishers", |traffic| traffic.confirmed.into()),
    counter("messages_unroutable_dropped_total", "Messages dropped because no queue was to take them", |traffic| {
        traffic.drop_unroutable.into()
    }),
    counter("messages_unroutable_returned_total", "Messages returned because no queue was to take them", |traffic| {
        traffic.return_unroutable.into()
    }),
];

/// By protocol, now.
const LIVE: &[Metric<LiveSums>] = &[
    gauge("publishers", "Channels that have published", |live| live.publishers.into()),
    gauge("consumers", "Consumers of channels", |live| live.consumers.into()),
];

/// By protocol and kind of queue.
const DELIVERED: &[Metric<QueueCounters>] = &[
    counter("messages_delivered_total", "Messages delivered or fetched", |queues| queues.deliver_get().into()),
    counter("messages_delivered_consume_manual_ack_total", "Messages delivered, to be acknowledged", |queues| {
        queues.deliver.into()
    }),
    counter("messages_delivered_consume_auto_ack_total", "Messages delivered without acknowledgement", |queues| {
        queues.deliver_no_ack.into()
    }),
    counter("messages_delivered_get_manual_ack_total", "Messages fetched, to be acknowledged", |queues| {
        queues.get.into()
    }),
    counter("messages_delivered_get_auto_ack_total", "Messages fetched without acknowledgement", |queues| {
        queues.get_no_ack.into()
    }),
    counter("messages_get_empty_total", "Fetches that found nothing", |queues| queues.get_empty.into()),
    counter("messages_redelivered_total", "Messages delivered again", |queues| queues.redeliver.into()),
    counter("messages_acknowledged_total", "Messages acknowledged", |queues| queues.ack.into()),
];

/// Which combinations of kind and strategy there are for a reason, as the reference lists them.
const DEAD_LETTERED: &[(&str, &str, DropReason)] = &[
    (
        "messages_dead_lettered_delivery_limit_total",
        "Messages that left a queue because they failed too often",
        DropReason::DeliveryLimit,
    ),
    (
        "messages_dead_lettered_expired_total",
        "Messages that left a queue because their time was up",
        DropReason::Expired,
    ),
    (
        "messages_dead_lettered_maxlen_total",
        "Messages that left a queue because it was too long",
        DropReason::MaxLength,
    ),
    (
        "messages_dead_lettered_rejected_total",
        "Messages that left a queue because a consumer rejected them",
        DropReason::Rejected,
    ),
];

fn strategy_name(strategy: DeadLetterStrategy) -> &'static str {
    match strategy {
        DeadLetterStrategy::Disabled => "disabled",
        DeadLetterStrategy::AtMostOnce => "at_most_once",
        DeadLetterStrategy::AtLeastOnce => "at_least_once",
    }
}

/// Whether messages of such a queue can leave for such a reason.
fn can_leave(kind: QueueKind, strategy: DeadLetterStrategy, reason: DropReason) -> bool {
    match (kind, strategy, reason) {
        (QueueKind::Stream, ..)
        | (QueueKind::Classic, _, DropReason::DeliveryLimit)
        | (QueueKind::Classic, DeadLetterStrategy::AtLeastOnce, _)
        | (_, DeadLetterStrategy::AtLeastOnce, DropReason::MaxLength) => false,
        (QueueKind::Classic | QueueKind::Quorum, ..) => true,
    }
}

/// Writes them all.
pub(super) fn write(page: &mut Page, traffic: &Traffic, live: LiveSums) {
    const PREFIX: &str = "rabbitmq_global_";
    let protocol = labels(&[PROTOCOL]);
    page.table(PREFIX, PUBLISHED, &[(protocol.clone(), *traffic)]);
    page.table(PREFIX, LIVE, &[(protocol, live)]);
    page.table(PREFIX, DELIVERED, &by_kind(traffic));
    for (name, help, reason) in DEAD_LETTERED {
        let mut rows: Vec<Row<u64>> = Vec::new();
        for kind in [QueueKind::Classic, QueueKind::Quorum] {
            let possible = DeadLetterStrategy::ALL.into_iter().filter(|strategy| can_leave(kind, *strategy, *reason));
            rows.extend(possible.map(|strategy| (left_labels(kind, strategy), traffic.left(kind, strategy, *reason))));
        }
        page.table(PREFIX, &[counter(name, help, |count: &u64| Number::Whole(*count))], &rows);
    }
    let confirmed = (left_labels(QueueKind::Quorum, DeadLetterStrategy::AtLeastOnce), traffic.dead_letters_confirmed);
    let metric = counter(
        "messages_dead_lettered_confirmed_total",
        "Messages that left a queue and that their targets confirmed",
        |count: &u64| Number::Whole(*count),
    );
    page.table(PREFIX, &[metric], &[confirmed]);
    write_sizes(page, traffic);
}

fn left_labels(kind: QueueKind, strategy: DeadLetterStrategy) -> String {
    labels(&[("queue_type", kind_name(kind)), ("dead_letter_strategy", strategy_name(strategy))])
}

fn by_kind(traffic: &Traffic) -> Vec<Row<QueueCounters>> {
    let of = |kind: QueueKind| (labels(&[PROTOCOL, ("queue_type", kind_name(kind))]), traffic.queues(kind));
    let mut rows: Vec<_> = [QueueKind::Classic, QueueKind::Quorum, QueueKind::Stream].map(of).into();
    let replies = QueueCounters { deliver_no_ack: traffic.direct_replies, ..QueueCounters::default() };
    rows.push((labels(&[PROTOCOL, ("queue_type", DIRECT_REPLIES)]), replies));
    rows
}

/// Writes the histogram of body sizes.
fn write_sizes(page: &mut Page, traffic: &Traffic) {
    const NAME: &str = "rabbitmq_message_size_bytes";
    let sizes = traffic.publishes.sizes;
    page.family(NAME, Kind::Histogram, "Sizes of published messages");
    let mut below = 0;
    let bounds = SIZE_BOUNDS_BYTES.map(|bound| page.bound(bound));
    for (le, count) in bounds.iter().map(String::as_str).chain(["+Inf"]).zip(sizes.counts) {
        below += count;
        page.sample(&format!("{NAME}_bucket"), &labels(&[PROTOCOL, ("le", le)]), below.into());
    }
    page.sample(&format!("{NAME}_count"), &labels(&[PROTOCOL]), below.into());
    page.sample(&format!("{NAME}_sum"), &labels(&[PROTOCOL]), sizes.bytes.into());
}
