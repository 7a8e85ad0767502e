//! What is counted about messages, and how fast: the shapes that several resources share.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::consumers::{ChannelDetails, QueueName};
use crate::statistics::Details;

/// A struct of counters, each beside how fast it runs. Counters that have not begun are absent.
macro_rules! counters {
    ($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $counter:ident, $details:ident;)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
        pub struct $name {
            $(
                $(#[$what])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                #[schema(value_type = u64, required = false)]
                pub $counter: Option<u64>,
                #[doc = concat!("How fast `", stringify!($counter), "` runs.")]
                #[serde(default, skip_serializing_if = "Option::is_none")]
                #[schema(value_type = Details, required = false)]
                pub $details: Option<Details>,
            )*
        }
    };
}

counters! {
    /// What happened to messages. Empty until something did.
    MessageStats {
        /// Published.
        publish, publish_details;
        /// Confirmed to publishers.
        confirm, confirm_details;
        /// Came back to publishers, because nothing was bound.
        return_unroutable, return_unroutable_details;
        /// Dropped, because nothing was bound.
        drop_unroutable, drop_unroutable_details;
        /// Came to an exchange.
        publish_in, publish_in_details;
        /// Left an exchange for a queue.
        publish_out, publish_out_details;
        /// Fetched, to be acknowledged.
        get, get_details;
        /// Fetched without acknowledgement.
        get_no_ack, get_no_ack_details;
        /// Fetches that found nothing.
        get_empty, get_empty_details;
        /// Delivered, to be acknowledged.
        deliver, deliver_details;
        /// Delivered without acknowledgement.
        deliver_no_ack, deliver_no_ack_details;
        /// Delivered or fetched.
        deliver_get, deliver_get_details;
        /// Of these, delivered before.
        redeliver, redeliver_details;
        /// Acknowledged.
        ack, ack_details;
        /// Read from disk.
        disk_reads, disk_reads_details;
        /// Written to disk.
        disk_writes, disk_writes_details;
    }
}

counters! {
    /// Messages in queues, summed up. Empty while there is no queue.
    QueueTotals {
        /// Ready or not.
        messages, messages_details;
        /// Ready for delivery.
        messages_ready, messages_ready_details;
        /// Delivered and not yet acknowledged.
        messages_unacknowledged, messages_unacknowledged_details;
    }
}

counters! {
    /// What came and went.
    Churn {
        /// Connections that were opened.
        connection_created, connection_created_details;
        /// Connections that ended.
        connection_closed, connection_closed_details;
        /// Channels that were opened.
        channel_created, channel_created_details;
        /// Channels that ended.
        channel_closed, channel_closed_details;
        /// Declarations of queues, those of existing ones too.
        queue_declared, queue_declared_details;
        /// Queues that were created.
        queue_created, queue_created_details;
        /// Queues that were deleted.
        queue_deleted, queue_deleted_details;
    }
}

/// What happened to messages between two objects; only the other one is named.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Flow {
    /// What happened.
    pub stats: MessageStats,
    /// On the side of the channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_details: Option<ChannelDetails>,
    /// On the side of the exchange.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<QueueName>,
    /// On the side of the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueName>,
}
