//! Channels.

use broker::ChannelInfo;
use openapi::channels as wire;
use serde_json::{Value, json};

use crate::call::{Call, to_value};
use crate::connections::{find as find_connection, sees};
use crate::consumers;
use crate::error::ApiError;
use crate::flows::Flows;
use crate::page::Listing;
use crate::pid;
use crate::route::{Answer, Mounts};
use crate::statistics::Sampled;
use crate::stats::MessageStats;
use crate::time::rfc3339;

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::CHANNELS).get(list_channels);
    on.at(&wire::OF_VHOST).get(list_of_vhost);
    on.at(&wire::OF_CONNECTION).get(list_of_connection);
    on.at(&wire::CHANNEL).get(get_channel);
}

/// The name of a channel.
pub(crate) fn channel_name(connection: &str, number: u16) -> String {
    format!("{connection} ({number})")
}

fn to_wire(channel: &ChannelInfo, node: &str) -> Value {
    let mut item = json!({
        "connection_details": {
            "name": channel.connection_name,
            "peer_host": channel.peer_host,
            "peer_port": channel.peer_port,
        },
        "acks_uncommitted": channel.acks_uncommitted,
        "confirm": channel.confirm,
        "connection": pid::connection(node, channel.connection),
        "consumer_count": channel.consumers,
        "idle_since": channel.idle_since_ms.map(rfc3339),
        "messages_unacknowledged": channel.messages_unacknowledged,
        "messages_uncommitted": channel.messages_uncommitted,
        "messages_unconfirmed": channel.messages_unconfirmed,
        "name": channel_name(&channel.connection_name, channel.number),
        "node": node,
        "number": channel.number,
        "pending_raft_commands": 0,
        "pid": pid::channel(node, channel.connection, channel.number),
        "prefetch_count": channel.prefetch_count,
        "global_prefetch_count": channel.global_prefetch_count,
        "state": channel.state,
        "transactional": channel.transactional,
        "user": channel.user.as_str(),
        "user_who_performed_action": channel.user.as_str(),
        "vhost": channel.vhost.as_str(),
    });
    let mut stats = MessageStats::default();
    stats.add_channel(&channel.counters);
    if let Value::Object(stats) = stats.to_wire()
        && !stats.is_empty()
    {
        item["message_stats"] = Value::Object(stats);
    }
    item
}

/// What is left of a channel without statistics: what it was opened with.
fn only_what_is_fixed(mut item: Value) -> Value {
    const FIXED: &[&str] = &[
        "connection",
        "connection_details",
        "name",
        "node",
        "number",
        "pid",
        "user",
        "user_who_performed_action",
        "vhost",
    ];
    if let Value::Object(fields) = &mut item {
        fields.retain(|name, _| FIXED.contains(&name.as_str()));
    }
    item
}

fn sampled(channel: &ChannelInfo) -> Sampled<'static> {
    Sampled::Channel(channel.connection, channel.number)
}

fn list(call: &Call, kind: Listing, keep: impl Fn(&ChannelInfo) -> bool) -> Answer {
    let node = &call.node().settings().node_name;
    let mut channels = call.broker()?.channels();
    channels.retain(|channel| sees(call, &channel.user) && keep(channel));
    channels.sort_by(|left, right| (&left.connection_name, left.number).cmp(&(&right.connection_name, right.number)));
    let ranges = call.ranges()?;
    let item = |channel: &ChannelInfo| {
        let item = to_wire(channel, node);
        if call.without_stats() { only_what_is_fixed(item) } else { call.rated(sampled(channel), &ranges, item) }
    };
    call.list(channels.iter().map(item), kind)
}

async fn list_channels(call: Call) -> Answer {
    list(&call, Listing::Paged, |_| true)
}

async fn list_of_vhost(call: Call) -> Answer {
    let vhost = call.vhost()?;
    call.needs_stats()?;
    list(&call, Listing::Plain, |channel| channel.vhost == vhost.name)
}

async fn list_of_connection(call: Call) -> Answer {
    let connection = find_connection(&call)?;
    list(&call, Listing::Paged, |channel| channel.connection == connection.id)
}

async fn get_channel(call: Call) -> Answer {
    let name = call.parameter("channel");
    let broker = call.broker()?;
    let found =
        broker.channels().into_iter().find(|channel| channel_name(&channel.connection_name, channel.number) == name);
    let channel = found.ok_or_else(ApiError::no_object)?;
    if !sees(&call, &channel.user) {
        return Err(ApiError::not_authorised_object());
    }
    let node = &call.node().settings().node_name;
    if call.without_stats() {
        return call.object(&only_what_is_fixed(to_wire(&channel, node)));
    }
    let mut item = call.rated(sampled(&channel), &call.ranges()?, to_wire(&channel, node));
    let consumers = broker.consumers(&channel.vhost).await;
    item["consumer_details"] = consumers
        .iter()
        .filter(|consumer| consumer.connection == channel.connection && consumer.channel == channel.number)
        .map(|consumer| serde_json::to_value(consumers::to_wire(consumer, node)).unwrap_or_default())
        .collect();
    let flows = Flows::wanted(&call, &channel.vhost)?;
    let (publishes, deliveries) =
        flows.map(|flows| flows.of_channel(channel.connection, channel.number)).unwrap_or_default();
    item["deliveries"] = to_value(&deliveries)?;
    item["publishes"] = to_value(&publishes)?;
    call.object(&item)
}
