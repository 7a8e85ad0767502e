//! What is said of a channel, field by field.
//!
//! The fields and their order are those of the reference's listings. Knows nothing of pages
//! and columns.

use broker::LiveChannel;
use broker::metrics::ChannelCounters;

use super::channel_name;
use crate::connections::owner_details;
use crate::open::View;
use crate::pid;
use crate::rows::Fields;
use crate::statistics::Happened;
use crate::time::rfc3339;

/// Says everything of a channel that is to be sent.
pub(super) fn describe(view: &View<'_>, channel: &LiveChannel, fields: &mut Fields<'_>) {
    let (connection, number) = (channel.connection(), channel.number());
    fields.put_with("connection_details", || owner_details(connection));
    if view.counted {
        fields.put("acks_uncommitted", &channel.acks_uncommitted());
        fields.put("confirm", &channel.confirms());
    }
    fields.put_with("connection", || pid::connection(view.node, connection.id()));
    if view.counted {
        fields.put("consumer_count", &channel.consumers());
        fields.put_with("idle_since", || channel.idle_since_ms().map(rfc3339));
        fields.put("messages_unacknowledged", &channel.messages_unacknowledged());
        fields.put("messages_uncommitted", &channel.messages_uncommitted());
        fields.put("messages_unconfirmed", &channel.messages_unconfirmed());
    }
    fields.put_with("name", || channel_name(connection.name(), number));
    fields.put("node", view.node);
    fields.put("number", &number);
    if view.counted {
        fields.put("pending_raft_commands", &0);
    }
    fields.put_with("pid", || pid::channel(view.node, connection.id(), number));
    if view.counted {
        fields.put("prefetch_count", &channel.prefetch_count());
        fields.put("global_prefetch_count", &channel.global_prefetch_count());
        fields.put("state", channel.state());
        fields.put("transactional", &channel.is_transactional());
    }
    fields.put("user", connection.user().as_str());
    fields.put("user_who_performed_action", connection.user().as_str());
    fields.put("vhost", connection.vhost().as_str());
    if view.counted && fields.wants("message_stats") {
        let counters = channel.counters();
        if counters != ChannelCounters::default()
            && let Some(details) = view.statistics.channel(connection.id(), number, &view.ranges)
        {
            fields.put("message_stats", &Happened::on_channels(&counters, details));
        }
    }
}
