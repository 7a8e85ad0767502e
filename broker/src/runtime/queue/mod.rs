//! One queue: a mailbox in; log writes and deliveries out.
//!
//! Others hold a [`QueueHandle`]: they read its counters and send it commands. Only the
//! owner task (`life`, `task`, and by subject `publishing`, `consuming`, `burial`, `loading`, `long`,
//! `recovery`, `ending`, `down`) touches the state. It never waits for a connection and never for another
//! queue.

mod burial;
mod command;
mod confirms;
mod consuming;
mod dead_letters;
mod down;
mod ending;
mod handle;
mod lane;
mod letter;
mod life;
mod loading;
mod logs;
mod long;
pub(super) mod mailbox;
mod memory;
mod notes;
mod outbound;
mod outlet;
mod publishing;
mod recovery;
mod spill;
mod spilled;
pub(super) mod stored;
mod sums;
mod task;
#[cfg(test)]
mod tests;

pub(crate) use command::{
    ConfirmRange, ConsumeRequest, Delivery, Incoming, PublishBatch, QueueCommand, Settled, shares,
};
pub(crate) use confirms::{Confirms, push_range};
pub(crate) use handle::{QUEUE_MAILBOX_COMMANDS_MAX, QueueHandle, QueueStats};
pub(crate) use letter::{Fate, Letter, LetterAnswer, LetterBatch};
pub(crate) use life::spawn_queue;
pub(crate) use logs::{LogKind, lasting_logs, owner_of, second_of};
pub(in crate::runtime) use mailbox::{Receiver, mailbox};
pub(in crate::runtime) use memory::MemoryShare;
pub(crate) use memory::QueueMemory;
pub(crate) use outbound::{ChannelLimiter, ConnectionEvent, ConnectionSender, OutboundCredit};
pub(crate) use recovery::Recover;
pub(in crate::runtime) use stored::{from_record, to_record};
pub(crate) use sums::{Counted, QueueSums};
pub(crate) use task::{QueueContext, QueueNotice};
