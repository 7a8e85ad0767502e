//! A queue whose stored messages cannot be read. It takes nothing and gives nothing, so
//! that new messages do not hide that old ones are missing; it can be deleted.

use std::sync::atomic::Ordering::Relaxed;

use super::command::QueueCommand;
use super::mailbox::Receiver;
use super::outbound::ConnectionEvent;
use super::task::Owner;
use crate::error::Error;
use crate::storage::StorageError;

impl Owner {
    /// Messages cannot be read any more. What was published before is confirmed as soon as it
    /// is durable, or refused when it waits for room on the disk; consumers end, and what they
    /// have is theirs until the next start.
    pub(super) async fn go_down(&mut self) {
        self.finish_appends().await;
        let full = Err(StorageError::Unavailable("the disk is full".to_owned()));
        while !self.appends.is_empty() {
            self.appended(&full);
        }
        let consumers: Vec<_> = self.state.consumers().iter().map(|(id, consumer)| (id, consumer.key)).collect();
        for (id, key) in consumers {
            if let Some(outlet) = self.outlets.get(id) {
                outlet.to.send(ConnectionEvent::ConsumerCancelled(key));
            }
            self.state.remove_consumer(id);
            self.outlets.remove(id, 0);
        }
        self.publish_stats();
    }

    /// Refuses everything until the queue is deleted or the application stops.
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::mpsc;

    use super::*;
    use crate::domain::arguments::EffectiveArguments;
    use crate::domain::message::Message;
    use crate::domain::name::{QueueName, UserName, VhostName};
    use crate::domain::queue::{ConnectionId, QueueId, QueueKind, QueueSpec, SessionId};
    use crate::domain::value::FieldTable;
    use crate::runtime::queue::{
        ConnectionSender, Incoming, PublishBatch, QueueContext, QueueMemory, Recover, spawn_queue,
    };
    use crate::storage::memory::MemoryEngine;

    #[tokio::test]
    async fn a_queue_that_cannot_be_read_refuses_and_can_be_deleted() {
        let log = MemoryEngine::new().log();
        log.close().await.unwrap();
        let spec = QueueSpec {
            id: QueueId(1),
            name: QueueName::new("q").unwrap(),
            kind: QueueKind::Classic,
            durable: true,
            auto_delete: false,
            exclusive_owner: None,
            arguments: FieldTable::new(),
            declared_by: UserName::new("u").unwrap(),
        };
        let (notices, _notices) = mpsc::unbounded_channel();
        let (dead_letters, _letters) = mpsc::channel(1);
        let queue = spawn_queue(QueueContext {
            settings: EffectiveArguments::new(spec.kind, &spec.arguments),
            spec: Arc::new(spec),
            vhost: VhostName::new("/").unwrap(),
            log,
            recover: Recover::Mixed,
            memory: Arc::new(QueueMemory::of_node(1 << 30)),
            traffic: Arc::default(),
            sums: Arc::default(),
            notices,
            dead_letters,
        });

        let session = SessionId { connection: ConnectionId(1), channel: 1, epoch: 1 };
        let fetched = queue.ask(|reply| QueueCommand::Get { session, no_ack: true, reply }).await.unwrap();
        assert!(fetched.unwrap_err().to_string().starts_with("queue 'q' in vhost '/' is down: "));

        let (from, mut events) = ConnectionSender::new();
        let message = Message::build("", "q", &[0, 0], b"body", true);
        let messages = vec![Incoming { message, sequence: 7, channel: 1, epoch: 1, shares: 1 }];
        queue.send(QueueCommand::Publish(PublishBatch { from: Some(from), messages })).await.unwrap();
        let Some(ConnectionEvent::Confirm(ranges)) = events.recv().await else { panic!("an answer to the publish") };
        assert!(ranges.len() == 1 && ranges[0].first == 7 && !ranges[0].accepted);

        assert_eq!(queue.delete(false, false).await, Ok(0));
        assert!(queue.is_gone());
    }
}
