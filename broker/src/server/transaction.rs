//! `tx.*`: publishes and acknowledgements held until commit. As in the reference a
//! transaction is not atomic across queues; commit answers when every queue has answered.

use std::sync::atomic::Ordering::Relaxed;

use super::flows::Mark;
use super::session::Session;
use crate::amqp091::confirm::ConfirmTracker;
use crate::amqp091::encode;
use crate::amqp091::method::Method;
use crate::amqp091::reply::{ReplyCode, Violation};
use crate::domain::message::Message;
use crate::domain::queue::state::Disposition;
use crate::runtime::queue::QueueHandle;

use super::channel::Outstanding;

/// Most publishes and acknowledgements one transaction holds.
const HELD_MAX: usize = 1_000_000;

/// Most bytes of messages one transaction holds, beside the first message.
const HELD_BYTES_MAX: u64 = 256 << 20;

/// A publish held back, with the way it goes.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) message: Message,
    pub(super) queues: Vec<QueueHandle>,
    pub(super) replies: Vec<String>,
    pub(super) mandatory: bool,
    pub(super) mark: Mark,
}

/// What a channel in transaction mode holds back.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    publishes: Vec<Held>,
    /// Bytes of their messages.
    bytes: u64,
    pub(super) settlements: Vec<(Outstanding, Disposition)>,
}

impl Transaction {
    /// Whether one more publish or acknowledgement may be held.
    ///
    /// # Errors
    /// 506 beyond [`HELD_MAX`].
    pub(super) fn check_room(&self) -> Result<(), Violation> {
        if self.publishes.len() + self.settlements.len() < HELD_MAX {
            return Ok(());
        }
        Err(Violation::connection(
            ReplyCode::ResourceError,
            format!("a transaction holds at most {HELD_MAX} publishes and acknowledgements"),
        ))
    }

    /// Holds a publish back.
    ///
    /// # Errors
    /// 506 beyond [`HELD_MAX`] or [`HELD_BYTES_MAX`].
    pub(super) fn hold(&mut self, held: Held) -> Result<(), Violation> {
        self.check_room()?;
        let bytes = self.bytes + held.message.buffer().len() as u64;
        // One message is always taken, however large.
        if self.bytes > 0 && bytes > HELD_BYTES_MAX {
            return Err(Violation::connection(
                ReplyCode::ResourceError,
                format!("a transaction holds at most {HELD_BYTES_MAX} bytes of messages"),
            ));
        }
        self.bytes = bytes;
        self.publishes.push(held);
        Ok(())
    }
}

impl Session {
    pub(super) async fn transaction(&mut self, number: u16, method: &Method<'_>) -> Result<(), Violation> {
        let Some(channel) = self.channels.get_mut(&number) else { return Ok(()) };
        if let Method::TxSelect {} = method {
            if channel.confirm.is_some() {
                return Err(Violation::new(ReplyCode::PreconditionFailed, "cannot switch from confirm to tx mode"));
            }
            channel.transaction.get_or_insert_with(Transaction::default);
            channel.entry.transactional.store(true, Relaxed);
            encode::bare(&mut self.output.bytes, number, 90, 11);
            return Ok(());
        }
        let Some(transaction) = channel.transaction.as_mut() else {
            return Err(Violation::new(ReplyCode::PreconditionFailed, "channel is not transactional"));
        };
        let held = std::mem::take(transaction);
        channel.entry.uncommitted.store(0, Relaxed);
        channel.entry.acks_uncommitted.store(0, Relaxed);
        if let Method::TxRollback {} = method {
            // What was acknowledged is out again, in its old order.
            channel.outstanding.extend(held.settlements.into_iter().map(|(outstanding, _)| outstanding));
            channel.outstanding.make_contiguous().sort_unstable_by_key(|outstanding| outstanding.tag);
            channel.entry.unacknowledged.store(channel.outstanding.len() as u64, Relaxed);
            encode::bare(&mut self.output.bytes, number, 90, 31);
            return Ok(());
        }
        channel.confirm = Some(ConfirmTracker::default());
        for Held { message, queues, replies, mandatory, mark } in held.publishes {
            (self.routes.queues, self.routes.replies) = (queues, replies);
            self.hand_on(number, message, mandatory, mark);
        }
        for (outstanding, disposition) in held.settlements {
            self.outgoing.settle_one(&outstanding, disposition);
        }
        let refused = self.committed(number).await;
        if let Some(channel) = self.channels.get_mut(&number) {
            channel.confirm = None;
        }
        if refused {
            return Err(Violation::new(ReplyCode::PreconditionFailed, "partial tx completion"));
        }
        encode::bare(&mut self.output.bytes, number, 90, 21);
        Ok(())
    }

    /// Waits until every queue answered for the commit; true when one refused.
    async fn committed(&mut self, number: u16) -> bool {
        self.flush().await;
        let mut refused = false;
        loop {
            let Some(tracker) = self.channels.get_mut(&number).and_then(|channel| channel.confirm.as_mut()) else {
                return refused;
            };
            tracker.take_answers(|answer| refused |= !answer.accepted, |_, _| {});
            if tracker.unanswered() == 0 {
                return refused;
            }
            match self.events.recv().await {
                Some(event) => Box::pin(self.take_event(event)).await,
                None => return refused,
            }
        }
    }
}
