//! Consumers.

use broker::ConsumerInfo;
use broker::domain::name::VhostName;
use openapi::consumers as wire;

use crate::call::Call;
use crate::channels::channel_name;
use crate::connections::sees;
use crate::page::Listing;
use crate::pid;
use crate::route::{Answer, Mounts};
use crate::table;

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::CONSUMERS).get(list_consumers);
    on.at(&wire::OF_VHOST).get(list_of_vhost);
}

/// How long a delivery may stay unacknowledged, in milliseconds: the reference's default.
const CONSUMER_TIMEOUT_MS: u64 = 1_800_000;

/// A consumer as it is sent.
pub(crate) fn to_wire(consumer: &ConsumerInfo, node: &str) -> wire::Consumer {
    wire::Consumer {
        arguments: table::to_object(&consumer.arguments),
        ack_required: consumer.ack_required,
        active: consumer.active,
        activity_status: if consumer.active { "up" } else { "waiting" }.to_owned(),
        channel_details: wire::ChannelDetails {
            connection_name: consumer.connection_name.clone(),
            name: channel_name(&consumer.connection_name, consumer.channel),
            node: node.to_owned(),
            number: consumer.channel,
            peer_host: consumer.peer_host.clone(),
            peer_port: consumer.peer_port,
            user: consumer.user.to_string(),
            pid: pid::channel(node, consumer.connection, consumer.channel),
        },
        consumer_tag: consumer.tag.clone(),
        consumer_timeout: CONSUMER_TIMEOUT_MS,
        exclusive: consumer.exclusive,
        prefetch_count: consumer.prefetch_count,
        queue: wire::QueueName { name: consumer.queue.to_string(), vhost: consumer.vhost.to_string() },
    }
}

async fn list(call: &Call, vhosts: Vec<VhostName>) -> Answer {
    call.needs_stats()?;
    let node = &call.node().settings().node_name;
    let mut found = Vec::new();
    for vhost in vhosts {
        let consumers = call.broker()?.consumers(&vhost).await;
        found.extend(
            consumers.iter().filter(|consumer| sees(call, &consumer.user)).map(|consumer| to_wire(consumer, node)),
        );
    }
    call.list(found, Listing::Plain)
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
