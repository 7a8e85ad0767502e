//! The owner's end: the queue is deleted, or the application stops.

use std::sync::atomic::Ordering::Relaxed;

use super::command::QueueCommand;
use super::mailbox::Receiver;
use super::outbound::ConnectionEvent;
use super::sums::Counted;
use super::task::Owner;

impl Owner {
    /// Keeps what is durable, once it is. What waits for room on the disk was never
    /// confirmed, and nobody is left to make room: it is given up.
    pub(super) async fn stop(&mut self, commands: &mut Receiver<QueueCommand>) {
        commands.close();
        // What came just before is not for the next start.
        self.bury();
        self.note_delays();
        self.forget();
        self.finish_appends().await;
    }

    /// Waits until what was published is durable. Not so when the disk is full, since nobody
    /// could say how long: what is left then stays in `appends`.
    pub(super) async fn finish_appends(&mut self) {
        while !self.appends.is_empty() {
            tokio::select! {
                biased;
                done = Self::first_append(&mut self.appends) => self.appended(&done),
                () = Self::disk_full(&self.context.log) => {
                    tracing::warn!(queue = %self.resource(), "messages that wait for room on the disk are given up");
                    return;
                }
            }
        }
    }

    /// Ends everybody's business with the queue. Its lasting logs are left: whoever deletes the
    /// queue's record deletes them after that, so no crash leaves a queue without its messages.
    pub(super) async fn delete(&mut self, commands: &mut Receiver<QueueCommand>) {
        self.stats.gone.store(true, Relaxed);
        self.stats.count(Counted::default(), &self.context.sums);
        commands.close();
        // A queue deleted meanwhile counts as having taken what was on its way to it.
        for append in self.appends.drain(..) {
            if let Some(confirms) = append.confirms {
                confirms.tell(&Ok(()));
            }
        }
        self.reading = None;
        self.backlog.drain(..).for_each(confirm);
        while let Some(command) = commands.next().await {
            confirm(command);
        }
        for (id, consumer) in self.state.consumers().iter() {
            if let Some(outlet) = self.outlets.get(id) {
                outlet.to.send(ConnectionEvent::ConsumerCancelled(consumer.key));
            }
        }
        self.bury();
        self.dead_letters.hand_over();
        if let Err(error) = self.spills.delete().await {
            tracing::error!(queue = %self.resource(), %error, "what a deleted queue put on disk for want of memory is swept at the next start");
        }
    }
}

/// Confirms what a queue does not live to take. Whoever waits for anything else sees it gone.
fn confirm(command: QueueCommand) {
    if let QueueCommand::Publish(batch) = command {
        batch.answer(true);
    }
}
