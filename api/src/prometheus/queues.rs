//! Queues: their messages, consumers, deliveries.

use broker::domain::queue::QueueKind;
use broker::metrics::{QueueCounters, Traffic};
use broker::{Broker, QueueInfo, QueueTotals};

use super::filter::Filter;
use super::text::{Metric, Number, Row, counter, gauge, labels};
use crate::queues::{consumer_capacity, memory};

/// One queue, or all together.
#[derive(Debug, Clone, Default)]
pub(super) struct Queues {
    /// Messages of queues of every kind.
    all: QueueTotals,
    /// Those of queues that are no streams; `None`: it is a stream.
    kept: Option<QueueTotals>,
    /// `None` where it has no meaning.
    capacity: Option<f64>,
    utilisation: Option<f64>,
    memory: u64,
    /// Only of classic queues. Not a number: the first message bears no time.
    head_timestamp: Option<f64>,
    is_classic: bool,
    /// Of a stream.
    segments: Option<u64>,
    counters: QueueCounters,
    /// Messages read from disk and written there; of all queues together.
    disk: Option<(u64, u64)>,
}

impl Queues {
    fn of(queue: &QueueInfo) -> Self {
        let (kind, totals) = (queue.spec.kind, queue.totals);
        let kept = (kind != QueueKind::Stream).then_some(totals);
        let capacity = kept.as_ref().map(consumer_capacity);
        let is_classic = kind == QueueKind::Classic;
        Self {
            all: totals,
            kept,
            capacity,
            utilisation: capacity,
            memory: memory(&totals),
            head_timestamp: is_classic.then(|| queue.head_message_timestamp.map_or(f64::NAN, |at| at as f64)),
            is_classic,
            segments: (kind == QueueKind::Stream).then_some(queue.segments),
            counters: queue.counters,
            disk: None,
        }
    }

    /// All queues of the node together. A capacity of all has no meaning, so there is none;
    /// the reference sums the utilisation.
    pub(super) fn sum(broker: &Broker, traffic: &Traffic) -> (u64, Self) {
        let (mut queues, mut all, mut kept, mut used, mut utilisation, mut segments) =
            (0, QueueTotals::default(), QueueTotals::default(), 0, 0.0, 0);
        broker.each_queue_totals(|kind, totals, segments_of_stream| {
            queues += 1;
            segments += segments_of_stream;
            all.add(&totals);
            used += memory(&totals);
            if kind != QueueKind::Stream {
                kept.add(&totals);
                utilisation += consumer_capacity(&totals);
            }
        });
        let sum = Self {
            all,
            kept: Some(kept),
            utilisation: Some(utilisation),
            memory: used,
            is_classic: true,
            segments: Some(segments),
            counters: traffic.all_queues(),
            disk: Some((traffic.disk_reads, traffic.disk_writes)),
            ..Self::default()
        };
        (queues, sum)
    }

    /// Consumers of all kinds of queues.
    pub(super) fn consumers(&self) -> u64 {
        self.all.consumers
    }

    fn of_kept(&self, read: impl FnOnce(&QueueTotals) -> u64) -> Number {
        self.kept.as_ref().map(read).into()
    }

    fn of_classic(&self, read: impl FnOnce(&QueueTotals) -> u64) -> Number {
        self.kept.as_ref().filter(|_| self.is_classic).map(read).into()
    }
}

/// Rows of the queues a filter shows.
pub(super) fn rows(queues: &[QueueInfo]) -> Vec<Row<Queues>> {
    queues.iter().map(|queue| (queue_labels(queue), Queues::of(queue))).collect()
}

fn queue_labels(queue: &QueueInfo) -> String {
    labels(&[("vhost", queue.vhost.as_str()), ("queue", queue.spec.name.as_str())])
}

/// Queues that a filter shows.
pub(super) fn shown(broker: &Broker, filter: &Filter) -> Vec<QueueInfo> {
    let directory = broker.directory();
    let vhosts = directory.vhosts.keys().filter(|vhost| filter.shows_vhost(vhost));
    let mut queues: Vec<_> = vhosts.flat_map(|vhost| broker.queues(vhost)).collect();
    queues.retain(|queue| filter.shows_queue(queue.spec.name.as_str()));
    queues
}

/// What kind a queue is, in the reference's words.
pub(super) fn kind_name(kind: QueueKind) -> &'static str {
    match kind {
        QueueKind::Classic => "rabbit_classic_queue",
        QueueKind::Quorum => "rabbit_quorum_queue",
        QueueKind::Stream => "rabbit_stream_queue",
    }
}

/// Counts of messages.
pub(super) const COARSE: &[Metric<Queues>] = &[
    gauge("queue_messages_ready", "Messages that wait to be delivered", |queue| queue.all.ready.into()),
    gauge("queue_messages_unacked", "Messages delivered and not yet acknowledged", |queue| {
        queue.all.unacknowledged.into()
    }),
    gauge("queue_messages", "Messages, ready or unacknowledged", |queue| queue.all.messages().into()),
    counter("queue_process_reductions_total", "Work of an Erlang process: none here", |_| Number::Whole(0)),
];

/// Consumers alone.
pub(super) const CONSUMERS: &[Metric<Queues>] =
    &[gauge("queue_consumers", "Consumers of a queue", |queue| queue.all.consumers.into())];

/// What a queue holds, in detail.
pub(super) const FINE: &[Metric<Queues>] = &[
    gauge("queue_consumers", "Consumers of a queue", |queue| queue.all.consumers.into()),
    gauge("queue_consumer_capacity", "Share of time in which consumers could take more", |queue| queue.capacity.into()),
    gauge("queue_consumer_utilisation", "The consumer capacity under its old name", |queue| queue.utilisation.into()),
    gauge("queue_process_memory_bytes", "Memory the messages of a queue take", |queue| queue.memory.into()),
    gauge("queue_messages_ram", "Messages in memory", |queue| queue.of_kept(QueueTotals::in_memory)),
    gauge("queue_messages_ram_bytes", "Bytes of messages in memory", |queue| {
        queue.of_kept(QueueTotals::bytes_in_memory)
    }),
    gauge("queue_messages_ready_ram", "Ready messages in memory", |queue| {
        queue.of_classic(QueueTotals::ready_in_memory)
    }),
    gauge("queue_messages_unacked_ram", "Unacknowledged messages in memory", |queue| {
        queue.of_classic(QueueTotals::unacknowledged_in_memory)
    }),
    gauge("queue_messages_persistent", "Persistent messages", |queue| queue.of_kept(|totals| totals.persistent)),
    gauge("queue_messages_persistent_bytes", "Bytes of persistent messages", |queue| {
        queue.of_kept(|totals| totals.persistent_bytes)
    }),
    gauge("queue_messages_bytes", "Bytes of messages, ready or unacknowledged", |queue| {
        queue.of_kept(QueueTotals::bytes)
    }),
    gauge("queue_messages_ready_bytes", "Bytes of ready messages", |queue| queue.of_kept(QueueTotals::waiting_bytes)),
    gauge("queue_messages_unacked_bytes", "Bytes of unacknowledged messages", |queue| {
        queue.of_kept(|totals| totals.unacknowledged_bytes)
    }),
    gauge("queue_head_message_timestamp", "Time the first message bears", |queue| queue.head_timestamp.into()),
    counter("queue_disk_reads_total", "Messages read back from disk; of all queues together", |queue| {
        queue.disk.map(|(reads, _)| reads).into()
    }),
    counter("queue_disk_writes_total", "Messages written to disk; of all queues together", |queue| {
        queue.disk.map(|(_, writes)| writes).into()
    }),
    counter("stream_segments", "Segments of a stream", |queue| queue.segments.into()),
];

/// What queues gave out.
pub(super) const DELIVERY: &[Metric<Queues>] = &[
    counter("queue_get_ack_total", "Messages fetched from a queue, to be acknowledged", |queue| {
        queue.counters.get.into()
    }),
    counter("queue_get_total", "Messages fetched from a queue without acknowledgement", |queue| {
        queue.counters.get_no_ack.into()
    }),
    counter("queue_messages_delivered_ack_total", "Messages of a queue delivered, to be acknowledged", |queue| {
        queue.counters.deliver.into()
    }),
    counter("queue_messages_delivered_total", "Messages of a queue delivered without acknowledgement", |queue| {
        queue.counters.deliver_no_ack.into()
    }),
    counter("queue_messages_redelivered_total", "Messages of a queue delivered again", |queue| {
        queue.counters.redeliver.into()
    }),
    counter("queue_messages_acked_total", "Messages of a queue acknowledged", |queue| queue.counters.ack.into()),
    counter("queue_get_empty_total", "Fetches from a queue that found nothing", |queue| {
        queue.counters.get_empty.into()
    }),
];

/// That there is a queue, and what kind it is.
pub(super) const INFO: &[Metric<()>] =
    &[gauge("queue_info", "1 for every queue; the labels describe it", |()| Number::Whole(1))];

/// Rows of [`INFO`]. The one node leads every queue.
pub(super) fn infos(queues: &[QueueInfo]) -> Vec<Row<()>> {
    let row = |queue: &QueueInfo| {
        let more = labels(&[("queue_type", kind_name(queue.spec.kind)), ("membership", "leader")]);
        (format!("{},{more}", queue_labels(queue)), ())
    };
    queues.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_letters_count_and_what_is_on_disk_is_not_in_memory() {
        let totals = QueueTotals {
            ready: 2,
            ready_bytes: 27,
            unacknowledged: 3,
            unacknowledged_bytes: 30,
            unacknowledged_paged: 1,
            unacknowledged_paged_bytes: 10,
            dead: 1,
            dead_bytes: 12,
            delayed: 1,
            delayed_bytes: 5,
            ..QueueTotals::default()
        };
        let mut sum = QueueTotals::default();
        sum.add(&totals);
        assert_eq!(sum, totals);
        let queue = Queues { all: sum, kept: Some(sum), is_classic: true, ..Queues::default() };
        for (name, expected) in [
            ("queue_messages", 7),
            ("queue_messages_bytes", 74),
            ("queue_messages_ready_bytes", 32),
            ("queue_messages_ram", 5),
            ("queue_messages_ram_bytes", 52),
            ("queue_messages_unacked_ram", 2),
        ] {
            let metric = COARSE.iter().chain(FINE).find(|metric| metric.name == name).unwrap();
            assert_eq!((metric.value)(&queue), Number::Whole(expected), "{name}");
        }
    }
}
