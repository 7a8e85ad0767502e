//! Counters kept by each owner, summed by readers.

/// What happened on a queue since it exists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueCounters {
    /// Messages taken.
    pub publish: u64,
    /// Delivered to consumers, acknowledgement wanted.
    pub deliver: u64,
    /// Delivered to consumers, no acknowledgement.
    pub deliver_no_ack: u64,
    /// Fetched, acknowledgement wanted.
    pub get: u64,
    /// Fetched, no acknowledgement.
    pub get_no_ack: u64,
    /// Fetches that found nothing.
    pub get_empty: u64,
    /// Acknowledged.
    pub ack: u64,
    /// Delivered again.
    pub redeliver: u64,
}

/// What happened on a channel since it exists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChannelCounters {
    /// Published.
    pub publish: u64,
    /// Confirmed.
    pub confirm: u64,
    /// Returned as unroutable.
    pub return_unroutable: u64,
    /// Dropped as unroutable.
    pub drop_unroutable: u64,
    /// Deliveries and acknowledgements.
    pub queue: QueueCounters,
}

/// What came and went since the node booted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Churn {
    /// Connections opened.
    pub connection_created: u64,
    /// Connections closed.
    pub connection_closed: u64,
    /// Channels opened.
    pub channel_created: u64,
    /// Channels closed.
    pub channel_closed: u64,
    /// Queue declarations.
    pub queue_declared: u64,
    /// Queues created.
    pub queue_created: u64,
    /// Queues deleted.
    pub queue_deleted: u64,
}
