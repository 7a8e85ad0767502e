//! What is said of a channel, field by field.
//!
//! The fields and their order are those of the reference's listings. Knows nothing of pages
//! and columns.

use broker::LiveChannel;
use broker::metrics::ChannelCounters;
use openapi::queues::OwnerDetails;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::channel_name;
use crate::call::Call;
use crate::error::ApiError;
use crate::pid;
use crate::rows::Fields;
use crate::statistics::{ChannelHappened, Ranges, Statistics};
use crate::time::rfc3339;

/// What channels look like to one request.
pub(super) struct View<'a> {
    statistics: &'a Statistics,
    node: &'a str,
    ranges: Ranges,
    /// Whether more is shown than what a channel was opened with.
    counted: bool,
}

impl<'a> View<'a> {
    pub(super) fn new(call: &'a Call) -> Result<Self, ApiError> {
        let counted = !call.without_stats();
        Ok(Self {
            statistics: call.statistics(),
            node: &call.node().settings().node_name,
            ranges: if counted { call.ranges()? } else { Ranges::default() },
            counted,
        })
    }

    /// Says everything of a channel that is to be sent.
    pub(super) fn describe(&self, channel: &LiveChannel, fields: &mut Fields<'_>) {
        let (connection, number) = (channel.connection(), channel.number());
        fields.put_with("connection_details", || {
            let (peer_host, peer_port) = connection.peer();
            OwnerDetails { name: connection.name().to_owned(), peer_host: peer_host.to_string(), peer_port }
        });
        if self.counted {
            fields.put("acks_uncommitted", &channel.acks_uncommitted());
            fields.put("confirm", &channel.confirms());
        }
        fields.put_with("connection", || pid::connection(self.node, connection.id()));
        if self.counted {
            fields.put("consumer_count", &channel.consumers());
            fields.put_with("idle_since", || channel.idle_since_ms().map(rfc3339));
            fields.put("messages_unacknowledged", &channel.messages_unacknowledged());
            fields.put("messages_uncommitted", &channel.messages_uncommitted());
            fields.put("messages_unconfirmed", &channel.messages_unconfirmed());
        }
        fields.put_with("name", || channel_name(connection.name(), number));
        fields.put("node", self.node);
        fields.put("number", &number);
        if self.counted {
            fields.put("pending_raft_commands", &0);
        }
        fields.put_with("pid", || pid::channel(self.node, connection.id(), number));
        if self.counted {
            fields.put("prefetch_count", &channel.prefetch_count());
            fields.put("global_prefetch_count", &channel.global_prefetch_count());
            fields.put("state", channel.state());
            fields.put("transactional", &channel.is_transactional());
        }
        fields.put("user", connection.user().as_str());
        fields.put("user_who_performed_action", connection.user().as_str());
        fields.put("vhost", connection.vhost().as_str());
        if self.counted && fields.wants("message_stats") {
            let counters = channel.counters();
            if counters != ChannelCounters::default()
                && let Some(details) = self.statistics.channel(connection.id(), number, &self.ranges)
            {
                fields.put("message_stats", &ChannelStats { counters, details });
            }
        }
    }
}

/// What happened on a channel, each beside how it runs.
struct ChannelStats {
    counters: ChannelCounters,
    details: ChannelHappened,
}

impl Serialize for ChannelStats {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ChannelCounters { publish, confirm, return_unroutable, drop_unroutable, queue } = &self.counters;
        let deliver_get = queue.deliver + queue.deliver_no_ack + queue.get + queue.get_no_ack;
        let details = &self.details;
        let published = [
            ("publish", *publish, &details.publish),
            ("confirm", *confirm, &details.confirm),
            ("return_unroutable", *return_unroutable, &details.return_unroutable),
            ("drop_unroutable", *drop_unroutable, &details.drop_unroutable),
        ];
        let delivered = [
            ("get", queue.get, &details.get),
            ("get_no_ack", queue.get_no_ack, &details.get_no_ack),
            ("deliver", queue.deliver, &details.deliver),
            ("deliver_no_ack", queue.deliver_no_ack, &details.deliver_no_ack),
            ("redeliver", queue.redeliver, &details.redeliver),
            ("ack", queue.ack, &details.ack),
            ("deliver_get", deliver_get, &details.deliver_get),
            ("get_empty", queue.get_empty, &details.get_empty),
        ];
        let mut object = serializer.serialize_map(None)?;
        for group in [published.as_slice(), delivered.as_slice()] {
            // Counters of one sort are shown together, once one of them has begun.
            if group.iter().all(|(_, count, _)| *count == 0) {
                continue;
            }
            for (name, count, details) in group {
                object.serialize_entry(name, count)?;
                object.serialize_entry(&format_args!("{name}_details"), details)?;
            }
        }
        object.end()
    }
}
