//! The owner's end: the stream is deleted, the application stops, or the log cannot be read.

use std::sync::atomic::Ordering::Relaxed;

use super::appends::Appends;
use super::task::Owner;
use crate::error::Error;
use crate::runtime::queue::{ConnectionEvent, Counted, QueueCommand, Receiver};
use crate::storage::StorageError;

impl Owner {
    /// Keeps what is durable, once it is. What waits for room on the disk was never
    /// confirmed, and nobody is left to make room: it is given up.
    pub(super) async fn stop(&mut self, commands: &mut Receiver<QueueCommand>) {
        commands.close();
        while !self.appends.is_empty() {
            tokio::select! {
                biased;
                done = self.appends.turn() => self.appended(done),
                () = Appends::disk_full(&self.context.log) => {
                    tracing::warn!(queue = %self.resource(), "messages that wait for room on the disk are given up");
                    return;
                }
            }
        }
    }

    /// Ends everybody's business with the stream. Its logs are left: whoever deletes its record
    /// deletes them after that, so no crash leaves a stream without its messages.
    pub(super) async fn delete(&mut self, commands: &mut Receiver<QueueCommand>) {
        self.stats.gone.store(true, Relaxed);
        self.stats.count(Counted::default(), &self.context.sums);
        commands.close();
        // A stream deleted meanwhile counts as having taken what was on its way to it.
        self.appends.confirm_all();
        self.reading = None;
        self.backlog.drain(..).for_each(confirm);
        while let Some(command) = commands.next().await {
            confirm(command);
        }
        self.cancel_all();
    }

    fn cancel_all(&mut self) {
        for reader in self.readers.iter() {
            reader.to.send(ConnectionEvent::ConsumerCancelled(reader.key));
        }
        self.readers.remove(|_| true);
        self.pages.clear();
    }

    /// The log cannot be read any more. What was published before is confirmed as soon as it is
    /// durable; consumers end.
    pub(super) async fn go_down(&mut self) {
        while !self.appends.is_empty() {
            let done = self.appends.turn().await;
            self.appended(done);
        }
        self.cancel_all();
        self.publish_stats();
    }

    /// Refuses everything until the stream is deleted or the application stops, so that new
    /// messages do not hide that old ones are missing.
    pub(super) async fn stay_down(&mut self, why: &StorageError, commands: &mut Receiver<QueueCommand>) {
        self.stats.down.store(true, Relaxed);
        let refusal = Error::Unavailable(format!("{} is down: {why}", self.resource()));
        loop {
            let command = match self.backlog.pop_front() {
                Some(command) => command,
                None => match commands.next().await {
                    Some(command) => command,
                    None => return,
                },
            };
            match command {
                QueueCommand::Publish(batch) => batch.answer(false),
                QueueCommand::Consume { reply, .. } => drop(reply.send(Err(refusal.clone()))),
                QueueCommand::Get { reply, .. } => drop(reply.send(Err(refusal.clone()))),
                QueueCommand::Cancel { reply, .. } | QueueCommand::Touch { reply } => drop(reply.send(())),
                QueueCommand::Purge { reply } => drop(reply.send(0)),
                QueueCommand::Consumers { reply } => drop(reply.send(Vec::new())),
                QueueCommand::Settle(_)
                | QueueCommand::Resume { .. }
                | QueueCommand::SessionClosed { .. }
                | QueueCommand::Settings(_) => {}
                QueueCommand::Delete { reply, .. } => {
                    self.delete(commands).await;
                    let _ = reply.send(Ok(0));
                    return;
                }
                QueueCommand::Stop { reply } => {
                    commands.close();
                    let _ = reply.send(());
                    return;
                }
            }
        }
    }
}

/// Confirms what a stream does not live to take. Whoever waits for anything else sees it gone.
fn confirm(command: QueueCommand) {
    if let QueueCommand::Publish(batch) = command {
        batch.answer(true);
    }
}
