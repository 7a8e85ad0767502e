//! What one pass over a connection's input has for queues: publishes and settlements,
//! one batch a queue. Batches cross the task boundary, not messages.

use bytes::BytesMut;

use super::channel::Outstanding;
use crate::domain::message::Message;
use crate::domain::queue::state::Disposition;
use crate::runtime::queue::{
    ConfirmRange, ConnectionSender, Incoming, PublishBatch, QueueCommand, QueueHandle, Settled, shares,
};

/// Batches being filled. Queues are found by looking at the last few, which with the
/// usual handful of queues per pass beats any map.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    publishes: Vec<Batch>,
    /// The batch that got the last message.
    last: usize,
    settlements: Vec<(QueueHandle, Disposition, Vec<u32>)>,
    /// Capacity the next publish batch starts with: what the last one needed.
    publish_capacity: usize,
    /// Size of the buffer the gathered messages were read into.
    held_bytes: usize,
}

/// Messages for one queue.
#[derive(Debug)]
struct Batch {
    queue: QueueHandle,
    messages: Vec<Incoming>,
    bytes: usize,
}

/// A batch moves out of its read buffer when it is less than this share of it. Otherwise
/// a few messages waiting in a slow queue would keep whole buffers alive, and memory
/// would be many times what the queue holds.
const SHARE_KEPT_IN_PLACE: usize = 4;

/// Room a batch is given beforehand at most.
const BATCH_CAPACITY_MAX: usize = 2048;

impl Outgoing {
    /// Messages from now on lie in a buffer of that size.
    pub(super) fn reading_from(&mut self, held_bytes: usize) {
        self.held_bytes = held_bytes;
    }

    /// Puts a message into the batches of its queues. `session`: channel and epoch to
    /// confirm on; `sequence` 0: no confirm is wanted.
    pub(super) fn publish(&mut self, queues: &[QueueHandle], message: Message, session: (u16, u32), sequence: u64) {
        let Some((last, others)) = queues.split_last() else { return };
        let ((channel, epoch), shares) = (session, shares(queues.len()));
        for queue in others {
            self.batch(queue).push(Incoming { message: message.clone(), sequence, channel, epoch, shares });
        }
        self.batch(last).push(Incoming { message, sequence, channel, epoch, shares });
    }

    fn batch(&mut self, queue: &QueueHandle) -> &mut Batch {
        // The same queue again, or the next one of the same route.
        let is_it = |batches: &[Batch], at: usize| batches.get(at).is_some_and(|batch| batch.queue == *queue);
        if !is_it(&self.publishes, self.last) {
            self.last = if is_it(&self.publishes, self.last + 1) {
                self.last + 1
            } else {
                self.publishes.iter().position(|batch| batch.queue == *queue).unwrap_or_else(|| {
                    let messages = Vec::with_capacity(self.publish_capacity);
                    self.publishes.push(Batch { queue: queue.clone(), messages, bytes: 0 });
                    self.publishes.len() - 1
                })
            };
        }
        &mut self.publishes[self.last]
    }

    fn settle(&mut self, queue: &QueueHandle, disposition: Disposition, slot: u32) {
        match self.settlements.iter_mut().rev().find(|(handle, wanted, _)| handle == queue && *wanted == disposition) {
            Some((_, _, slots)) => slots.push(slot),
            None => self.settlements.push((queue.clone(), disposition, vec![slot])),
        }
    }

    /// One delivery that the client settled; one that went back before is settled already.
    pub(super) fn settle_one(&mut self, outstanding: &Outstanding, disposition: Disposition) {
        if let Some(slot) = outstanding.slot {
            self.settle(outstanding.taken.queue(), disposition, slot);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.publishes.is_empty() && self.settlements.is_empty()
    }

    /// Hands everything over, waiting for room in mailboxes. Returns confirms for publishes
    /// whose queue was deleted: those count as taken. One that merely stopped has taken nothing.
    pub(super) async fn flush(&mut self, from: &ConnectionSender) -> Vec<ConfirmRange> {
        let mut taken = Vec::new();
        let mut largest = 0;
        self.last = 0;
        for Batch { queue, mut messages, bytes } in self.publishes.drain(..) {
            largest = largest.max(messages.len());
            move_out(&mut messages, bytes, self.held_bytes);
            let batch = PublishBatch { from: Some(from.clone()), messages };
            if let Err(QueueCommand::Publish(batch)) = queue.send(QueueCommand::Publish(batch)).await
                && queue.is_gone()
            {
                taken.extend(batch.messages.iter().filter(|incoming| incoming.sequence != 0).map(|incoming| {
                    ConfirmRange {
                        channel: incoming.channel,
                        epoch: incoming.epoch,
                        first: incoming.sequence,
                        last: incoming.sequence,
                        accepted: true,
                        unavailable: false,
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

impl Batch {
    fn push(&mut self, incoming: Incoming) {
        self.bytes += incoming.message.buffer().len();
        self.messages.push(incoming);
    }
}

/// Copies a batch that is a small part of its read buffer into one of its own.
fn move_out(messages: &mut [Incoming], bytes: usize, held_bytes: usize) {
    if bytes * SHARE_KEPT_IN_PLACE > held_bytes {
        return;
    }
    let mut own = BytesMut::with_capacity(bytes);
    for incoming in messages.iter() {
        own.extend_from_slice(incoming.message.buffer());
    }
    let mut own = own.freeze();
    for incoming in messages {
        let buffer = own.split_to(incoming.message.buffer().len());
        incoming.message.move_to(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incoming(body: &[u8]) -> Incoming {
        Incoming {
            message: Message::build("x", "key", &[0, 0], body, false),
            sequence: 0,
            channel: 1,
            epoch: 1,
            shares: 1,
        }
    }

    #[test]
    fn a_small_share_of_a_buffer_moves_out_of_it_unchanged() {
        for held_bytes in [1, 1 << 20] {
            let mut batch = [incoming(b"one"), incoming(b""), incoming(b"three")];
            let before: Vec<_> = batch.iter().map(|incoming| incoming.message.buffer().as_ptr()).collect();
            let bytes = batch.iter().map(|incoming| incoming.message.buffer().len()).sum();
            move_out(&mut batch, bytes, held_bytes);
            let moved = batch.iter().zip(&before).filter(|(incoming, at)| incoming.message.buffer().as_ptr() != **at);
            assert_eq!(moved.count(), if held_bytes > 1 { 3 } else { 0 });
            let bodies: Vec<_> = batch.iter().map(|incoming| incoming.message.body().to_vec()).collect();
            assert_eq!(bodies, [&b"one"[..], b"", b"three"]);
            assert!(batch.iter().all(|incoming| incoming.message.routing_key() == "key"));
        }
    }
}
