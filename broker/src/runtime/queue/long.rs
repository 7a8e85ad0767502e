//! The owner's work that grows with the queue: done in steps, so that other queues get
//! their turn between two. Nothing else happens to this queue meanwhile.

use tokio::sync::oneshot;

use super::command::Settled;
use super::task::Owner;
use crate::domain::queue::SessionId;
use crate::domain::queue::state::Disposition;

/// Messages, or runs of messages on disk, looked at in one step.
pub(super) const STEP_MESSAGES_MAX: usize = 4096;

/// Work that may be long.
pub(super) enum Work {
    /// Settle many messages.
    Settle(Settled),
    /// Drop all ready messages.
    Purge(oneshot::Sender<u64>),
    /// Put back what a channel had.
    SessionClosed(SessionId, oneshot::Sender<()>),
}

impl Owner {
    pub(super) async fn work(&mut self, work: Work) {
        self.tell_time();
        match work {
            Work::Settle(Settled { disposition, slots }) => self.settle_all(disposition, &slots).await,
            Work::Purge(reply) => {
                // What is being read would be purged unseen.
                self.reading = None;
                let mut purged = 0;
                loop {
                    let (messages, more) = self.state.purge_some(STEP_MESSAGES_MAX, &mut self.outlets);
                    purged += messages;
                    if !more {
                        break;
                    }
                    self.next_step().await;
                }
                purged += self.purge_dead() + self.state.purge_delayed(&mut self.outlets);
                self.publish_stats();
                let _ = reply.send(purged);
            }
            Work::SessionClosed(session, reply) => {
                let slots = self.state.out_with(session);
                self.settle_all(Disposition::RejectRequeue, &slots).await;
                let leaving = self.state.remove_consumers_of(session);
                self.consumers_left(leaving.into_iter().map(|id| (id, 0)).collect());
                let _ = reply.send(());
            }
        }
    }

    async fn settle_all(&mut self, disposition: Disposition, slots: &[u32]) {
        for (number, step) in slots.chunks(STEP_MESSAGES_MAX).enumerate() {
            if number > 0 {
                self.next_step().await;
            }
            for &slot in step {
                self.state.settle(slot, disposition, &mut self.outlets);
            }
        }
    }

    /// Hands on what the last step left, and lets others work.
    async fn next_step(&mut self) {
        self.bury();
        self.note_delays();
        self.forget();
        tokio::task::yield_now().await;
    }
}
