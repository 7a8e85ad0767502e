//! One queue: a mailbox in; log writes and deliveries out.
//!
//! Others hold a [`QueueHandle`]: they read its counters and send it commands. Only the
//! owner task (`task`, and by subject `publishing`, `consuming`, `ending`) touches the state. It never waits for a connection and never for
//! another queue.

mod command;
mod consuming;
mod dead_letters;
mod down;
mod ending;
mod handle;
mod outbound;
mod outlet;
mod publishing;
mod stored;
mod task;
#[cfg(test)]
mod tests;

pub(crate) use command::{ConfirmRange, ConsumeRequest, Delivery, Incoming, PublishBatch, QueueCommand, Settled};
pub(crate) use dead_letters::{Letter, LetterBatch};
pub(crate) use handle::QueueHandle;
pub(crate) use outbound::{ChannelLimiter, ConnectionEvent, ConnectionSender, OutboundCredit};
pub(crate) use task::{QueueContext, QueueNotice, spawn_queue};
