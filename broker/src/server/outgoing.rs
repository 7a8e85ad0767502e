//! What one pass over a connection's input has for queues: publishes and settlements,
//! one batch a queue. Batches cross the task boundary, not messages.

use crate::domain::queue::state::Disposition;
use crate::runtime::queue::{
    ConfirmRange, ConnectionSender, Incoming, PublishBatch, QueueCommand, QueueHandle, Settled,
};

/// Batches being filled. Queues are found by looking at the last few, which with the
/// usual handful of queues per pass beats any map.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    publishes: Vec<(QueueHandle, Vec<Incoming>)>,
    settlements: Vec<(QueueHandle, Disposition, Vec<u32>)>,
    /// Capacity the next publish batch starts with: what the last one needed.
    publish_capacity: usize,
}

/// Room a batch is given beforehand at most.
const BATCH_CAPACITY_MAX: usize = 2048;

impl Outgoing {
    pub(super) fn publish(&mut self, queue: &QueueHandle, incoming: Incoming) {
        match self.publishes.iter_mut().rev().find(|(handle, _)| handle == queue) {
            Some((_, batch)) => batch.push(incoming),
            None => {
                let mut batch = Vec::with_capacity(self.publish_capacity);
                batch.push(incoming);
                self.publishes.push((queue.clone(), batch));
            }
        }
    }

    pub(super) fn settle(&mut self, queue: &QueueHandle, disposition: Disposition, slot: u32) {
        match self.settlements.iter_mut().rev().find(|(handle, wanted, _)| handle == queue && *wanted == disposition) {
            Some((_, _, slots)) => slots.push(slot),
            None => self.settlements.push((queue.clone(), disposition, vec![slot])),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.publishes.is_empty() && self.settlements.is_empty()
    }

    /// Hands everything over, waiting for room in mailboxes. Returns confirms for publishes
    /// whose queue was gone: those count as taken.
    pub(super) async fn flush(&mut self, from: &ConnectionSender) -> Vec<ConfirmRange> {
        let mut taken = Vec::new();
        let mut largest = 0;
        for (queue, messages) in self.publishes.drain(..) {
            largest = largest.max(messages.len());
            let batch = PublishBatch { from: Some(from.clone()), messages };
            if let Err(QueueCommand::Publish(batch)) = queue.send(QueueCommand::Publish(batch)).await {
                taken.extend(batch.messages.iter().filter(|incoming| incoming.sequence != 0).map(|incoming| {
                    ConfirmRange {
                        channel: incoming.channel,
                        epoch: incoming.epoch,
                        first: incoming.sequence,
                        last: incoming.sequence,
                        accepted: true,
                    }
                }));
            }
        }
        self.publish_capacity = largest.min(BATCH_CAPACITY_MAX);
        for (queue, disposition, slots) in self.settlements.drain(..) {
            // A queue that is gone took its messages with it.
            let _ = queue.send(QueueCommand::Settle(Settled { disposition, slots })).await;
        }
        taken
    }
}
