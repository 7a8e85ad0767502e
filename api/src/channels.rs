//! Channels.

mod row;

use std::borrow::Cow;

use broker::{Broker, LiveChannel, LiveConnection};
use openapi::channels as wire;

use crate::call::{Call, to_value};
use crate::connections::{self, sees};
use crate::consumers;
use crate::error::ApiError;
use crate::flows::Flows;
use crate::open::View;
use crate::page::Listing;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};
use crate::rows::{self, Fields};

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

/// Answers with the channels of those connections for which `keep` holds, by connection and number.
async fn list(call: &Call, kind: Listing, keep: impl Fn(&LiveConnection) -> bool) -> Answer {
    let connections = connections::visible(call, keep)?;
    let channels = connections.iter().flat_map(LiveConnection::channels).collect();
    let view = View::new(call)?;
    let describe = |channel: &LiveChannel, fields: &mut Fields<'_>| row::describe(&view, channel, fields);
    Ok(Reply::json_text(rows::listing(kind, channels, name, describe, &call.query).await?))
}

fn name(channel: &LiveChannel) -> Cow<'_, str> {
    channel_name(channel.connection().name(), channel.number()).into()
}

/// The channel of that name.
fn find(broker: &Broker, name: &str) -> Option<LiveChannel> {
    let (connection, number) = name.strip_suffix(')')?.rsplit_once(" (")?;
    let connections = broker.live_connections();
    let channel = connections.iter().find(|open| open.name() == connection)?.channel(number.parse().ok()?)?;
    // A number may be written in many ways, a name only in one.
    (self::name(&channel) == name).then_some(channel)
}

async fn list_channels(call: Call) -> Answer {
    list(&call, Listing::Paged, |_| true).await
}

async fn list_of_vhost(call: Call) -> Answer {
    let vhost = call.vhost()?;
    call.needs_stats()?;
    list(&call, Listing::Plain, |connection| *connection.vhost() == vhost.name).await
}

async fn list_of_connection(call: Call) -> Answer {
    let connection = connections::find(&call)?.id();
    list(&call, Listing::Paged, |open| open.id() == connection).await
}

async fn get_channel(call: Call) -> Answer {
    let broker = call.broker()?;
    let channel = find(broker, call.parameter("channel")).ok_or_else(ApiError::no_object)?;
    let connection = channel.connection();
    if !sees(&call, connection.user()) {
        return Err(ApiError::not_authorised_object());
    }
    let node = &call.node().settings().node_name;
    let view = View::new(&call)?;
    let mut item = rows::value(|fields| row::describe(&view, &channel, fields))?;
    if call.without_stats() {
        return call.object(&item);
    }
    let consumers = broker.consumers(connection.vhost()).await;
    item["consumer_details"] = consumers
        .iter()
        .filter(|consumer| consumer.connection == connection.id() && consumer.channel == channel.number())
        .map(|consumer| consumers::value(consumer, node))
        .collect::<Result<_, _>>()?;
    let flows = Flows::wanted(&call, connection.vhost())?;
    let (publishes, deliveries) =
        flows.map(|flows| flows.of_channel(connection.id(), channel.number())).unwrap_or_default();
    item["deliveries"] = to_value(&deliveries)?;
    item["publishes"] = to_value(&publishes)?;
    call.object(&item)
}
