//! The end: the exchange is deleted, the application stops, or the log cannot be read.

use std::sync::atomic::Ordering::Relaxed;

use super::task::Owner;
use crate::runtime::queue::QueueCommand;
use crate::runtime::queue::mailbox::Receiver;

impl Owner {
    /// Keeps everything, once it is durable.
    pub(super) async fn stop(&mut self, commands: &mut Receiver<QueueCommand>) {
        commands.close();
        while !self.appends.is_empty() {
            let done = Self::first_append(&mut self.appends).await;
            self.appended(&done);
        }
    }

    /// Forgets all messages. What was on its way here counts as taken.
    pub(super) async fn delete(&mut self, commands: &mut Receiver<QueueCommand>) {
        self.stats.gone.store(true, Relaxed);
        commands.close();
        for append in self.appends.drain(..) {
            if let Some(confirms) = append.confirms {
                confirms.tell(&Ok(()));
            }
        }
        self.reading = None;
        while let Some(command) = commands.next().await {
            answer(command, true);
        }
        if let Err(error) = self.context.log.delete(self.log).await {
            tracing::error!(exchange = %self.resource(), %error, "the log of a deleted exchange stays and is swept at the next start");
        }
    }

    /// Refuses everything until the exchange is deleted or the application stops.
    pub(super) async fn stay_down(&mut self, commands: &mut Receiver<QueueCommand>) {
        while !self.appends.is_empty() {
            let done = Self::first_append(&mut self.appends).await;
            self.appended(&done);
        }
        while let Some(command) = commands.next().await {
            match command {
                QueueCommand::Delete { reply, .. } => {
                    self.delete(commands).await;
                    let _ = reply.send(Ok(0));
                    return;
                }
                QueueCommand::Stop { reply } => {
                    let _ = reply.send(());
                    return;
                }
                QueueCommand::Touch { reply } => drop(reply.send(())),
                command => answer(command, false),
            }
        }
    }
}

/// Settles the messages of a command nobody lives to serve. Whoever waits for anything else
/// sees its answer dropped.
fn answer(command: QueueCommand, accepted: bool) {
    if let QueueCommand::Publish(batch) = command {
        batch.answer(accepted);
    }
}
