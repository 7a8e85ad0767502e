//! Counters as the reference sends them: each beside its rate, and only once something
//! of its kind has happened.

use broker::metrics::{ChannelCounters, Churn, QueueCounters};
use serde_json::{Map, Value, json};

use crate::statistics::QueueHappened;

/// Puts a counter and its rate into an object.
pub(crate) fn counter(object: &mut Map<String, Value>, name: &str, count: u64) {
    object.insert(name.to_owned(), count.into());
    object.insert(format!("{name}_details"), json!({ "rate": 0.0 }));
}

/// Sums of what happened to messages.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MessageStats {
    sum: ChannelCounters,
}

impl From<ChannelCounters> for MessageStats {
    fn from(sum: ChannelCounters) -> Self {
        Self { sum }
    }
}

impl MessageStats {
    /// As sent: empty until something happened.
    pub(crate) fn to_wire(self) -> Value {
        let mut stats = Map::new();
        let ChannelCounters { publish, confirm, return_unroutable, drop_unroutable, queue } = self.sum;
        let published = [
            ("publish", publish),
            ("confirm", confirm),
            ("return_unroutable", return_unroutable),
            ("drop_unroutable", drop_unroutable),
        ];
        if published.iter().any(|(_, count)| *count > 0) {
            for (name, count) in published {
                counter(&mut stats, name, count);
            }
        }
        put_delivered(&mut stats, &queue);
        Value::Object(stats)
    }
}

/// What happened on one queue; nothing until something did, or when that is not to be shown.
pub(crate) fn queue_stats(queue: &QueueCounters, details: Option<QueueHappened>) -> Option<Map<String, Value>> {
    let details = details?;
    let mut stats = Map::new();
    if queue.publish > 0 {
        counter(&mut stats, "publish", queue.publish);
    }
    put_delivered(&mut stats, queue);
    for (name, details) in [
        ("publish_details", details.publish),
        ("deliver_details", details.deliver),
        ("deliver_no_ack_details", details.deliver_no_ack),
        ("deliver_get_details", details.deliver_get),
        ("get_details", details.get),
        ("get_no_ack_details", details.get_no_ack),
        ("get_empty_details", details.get_empty),
        ("redeliver_details", details.redeliver),
        ("ack_details", details.ack),
    ] {
        if let Some(place) = stats.get_mut(name) {
            *place = serde_json::to_value(details).unwrap_or_default();
        }
    }
    (!stats.is_empty()).then_some(stats)
}

fn put_delivered(stats: &mut Map<String, Value>, queue: &QueueCounters) {
    let deliver_get = queue.deliver + queue.deliver_no_ack + queue.get + queue.get_no_ack;
    let delivered = [
        ("get", queue.get),
        ("get_no_ack", queue.get_no_ack),
        ("deliver", queue.deliver),
        ("deliver_no_ack", queue.deliver_no_ack),
        ("redeliver", queue.redeliver),
        ("ack", queue.ack),
        ("deliver_get", deliver_get),
        ("get_empty", queue.get_empty),
    ];
    if delivered.iter().any(|(_, count)| *count > 0) {
        for (name, count) in delivered {
            counter(stats, name, count);
        }
    }
}

/// What came and went, as sent.
pub(crate) fn churn(churn: &Churn) -> Value {
    let mut rates = Map::new();
    for (name, count) in [
        ("connection_closed", churn.connection_closed),
        ("connection_created", churn.connection_created),
        ("channel_closed", churn.channel_closed),
        ("channel_created", churn.channel_created),
        ("queue_created", churn.queue_created),
        ("queue_deleted", churn.queue_deleted),
        ("queue_declared", churn.queue_declared),
    ] {
        counter(&mut rates, name, count);
    }
    Value::Object(rates)
}
