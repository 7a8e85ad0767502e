//! Consumers.

use std::borrow::Cow;

use broker::ConsumerInfo;
use broker::domain::name::VhostName;
use openapi::consumers as wire;
use serde_json::Value;

use crate::call::Call;
use crate::channels::channel_name;
use crate::connections::sees;
use crate::error::ApiError;
use crate::page::Listing;
use crate::pid;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};
use crate::rows::{self, Fields};
use crate::table;

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::CONSUMERS).get(list_consumers);
    on.at(&wire::OF_VHOST).get(list_of_vhost);
}

/// How long a delivery may stay unacknowledged, in milliseconds: the reference's default.
const CONSUMER_TIMEOUT_MS: u64 = 1_800_000;

/// A consumer as it is sent.
pub(crate) fn value(consumer: &ConsumerInfo, node: &str) -> Result<Value, ApiError> {
    rows::value(|fields| describe(consumer, node, fields))
}

/// Says everything of a consumer: the fields of [`wire::Consumer`] in their order.
fn describe(consumer: &ConsumerInfo, node: &str, fields: &mut Fields<'_>) {
    fields.put("arguments", &table::AsJson(&consumer.arguments));
    fields.put("ack_required", &consumer.ack_required);
    fields.put("active", &consumer.active);
    fields.put("activity_status", if consumer.active { "up" } else { "waiting" });
    fields.put_with("channel_details", || channel_details(consumer, node));
    fields.put("consumer_tag", &consumer.tag);
    fields.put("consumer_timeout", &CONSUMER_TIMEOUT_MS);
    fields.put("exclusive", &consumer.exclusive);
    fields.put("prefetch_count", &consumer.prefetch_count);
    fields
        .put_with("queue", || wire::QueueName { name: consumer.queue.to_string(), vhost: consumer.vhost.to_string() });
}

fn channel_details(consumer: &ConsumerInfo, node: &str) -> wire::ChannelDetails {
    wire::ChannelDetails {
        connection_name: consumer.connection_name.clone(),
        name: channel_name(&consumer.connection_name, consumer.channel),
        node: node.to_owned(),
        number: consumer.channel,
        peer_host: consumer.peer_host.clone(),
        peer_port: consumer.peer_port,
        user: consumer.user.to_string(),
        pid: pid::channel(node, consumer.connection, consumer.channel),
    }
}

async fn list(call: &Call, vhosts: Vec<VhostName>) -> Answer {
    call.needs_stats()?;
    let node = &call.node().settings().node_name;
    let mut found = Vec::new();
    for vhost in vhosts {
        let consumers = call.broker()?.consumers(&vhost).await;
        found.extend(consumers.into_iter().filter(|consumer| sees(call, &consumer.user)));
    }
    let describe = |consumer: &ConsumerInfo, fields: &mut Fields<'_>| describe(consumer, node, fields);
    Ok(Reply::json_text(rows::listing(Listing::Plain, found, |_| Cow::Borrowed(""), describe, &call.query).await?))
}

async fn list_consumers(call: Call) -> Answer {
    let vhosts = call.visible_vhosts()?;
    list(&call, vhosts).await
}

async fn list_of_vhost(call: Call) -> Answer {
    let vhost = call.vhost()?;
    let entered = call.identity.enters(call.broker()?, &vhost.name);
    list(&call, if entered { vec![vhost.name.clone()] } else { Vec::new() }).await
}
