//! A queue's life: it starts, recovers, serves while there is something to do, and sleeps.
//!
//! Most queues sleep most of the time, so what sleeps is small: what serves lies in a box that goes
//! when there is nothing to wait for but commands, and of an owner whose queue is empty only what
//! cannot be found again is kept. The task stays: one owner per queue, from its first command to
//! its last.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::time::Instant;

use super::command::QueueCommand;
use super::handle::{QUEUE_MAILBOX_COMMANDS_MAX, QueueHandle, QueueStats};
use super::mailbox::{Receiver, mailbox};
use super::task::{Owner, QueueContext, Rest};
use crate::runtime::clock::now_ms;

/// A queue that nobody consumes from and that waits for nothing but commands.
enum Asleep {
    /// Nothing is in it and nobody reads it.
    Empty {
        context: Box<QueueContext>,
        next_position: u64,
        last_used: Instant,
    },
    Whole(Box<Owner>),
}

/// Starts the owner of a queue. Commands sent at once are served after recovery.
pub(crate) fn spawn_queue(context: QueueContext) -> QueueHandle {
    let (sender, mut commands) = mailbox(QUEUE_MAILBOX_COMMANDS_MAX);
    let stats = Arc::new(QueueStats::default());
    let handle = QueueHandle::new(context.spec.clone(), context.vhost.clone(), sender, stats.clone());
    let context = Box::new(context);
    tokio::spawn(async move {
        let mut asleep = Box::pin(begin(context, stats.clone(), &mut commands)).await;
        while let Some(sleeper) = asleep {
            commands.filled().await;
            asleep = Box::pin(wake(sleeper, stats.clone(), &mut commands)).await;
        }
    });
    handle
}

/// Recovers the queue and serves for the first time; `None`: it has ended.
async fn begin(
    context: Box<QueueContext>,
    stats: Arc<QueueStats>,
    commands: &mut Receiver<QueueCommand>,
) -> Option<Asleep> {
    let mut owner = Box::new(Owner::new(context, stats));
    if let Err(error) = owner.recover().await {
        tracing::error!(queue = %owner.resource(), %error, "stored messages cannot be read: the queue is down");
        owner.stay_down(&error, commands).await;
        return None;
    }
    owner.publish_stats();
    owner.stats.active_at_ms.store(now_ms(), Relaxed);
    owner.pass();
    serve(owner, commands).await
}

/// Serves what woke the queue.
async fn wake(asleep: Asleep, stats: Arc<QueueStats>, commands: &mut Receiver<QueueCommand>) -> Option<Asleep> {
    let owner = match asleep {
        Asleep::Whole(owner) => owner,
        Asleep::Empty { context, next_position, last_used } => {
            let counters = stats.counters.load();
            let mut owner = Box::new(Owner::new(context, stats));
            owner.state.go_on(next_position, counters);
            owner.last_used = last_used;
            owner
        }
    };
    serve(owner, commands).await
}

async fn serve(mut owner: Box<Owner>, commands: &mut Receiver<QueueCommand>) -> Option<Asleep> {
    match owner.run(commands).await {
        Ok(Rest::Sleeps) if owner.is_like_new() => {
            commands.shrink();
            if owner.mixed {
                owner.forget_priorities();
            }
            let (next_position, last_used) = (owner.state.next_position(), owner.last_used);
            Some(Asleep::Empty { context: owner.context, next_position, last_used })
        }
        Ok(Rest::Sleeps) => Some(Asleep::Whole(owner)),
        Ok(Rest::Ends) => None,
        Err(error) => {
            tracing::error!(queue = %owner.resource(), %error, "messages on disk cannot be read: the queue is down");
            owner.go_down().await;
            owner.stay_down(&error, commands).await;
            None
        }
    }
}

impl Owner {
    /// Whether its counters, its last position and its context say all there is to say of it. To be asked of
    /// one that sleeps.
    fn is_like_new(&self) -> bool {
        let (ready, _) = self.state.ready();
        let (unacked, _) = self.state.unacked();
        ready == 0
            && unacked == 0
            && self.named_active.is_none()
            && self.spills.is_unused()
            && self.dead_letters.held().messages == 0
            && self.notes.as_ref().is_none_or(|notes| notes.is_unused())
            && !self.state.is_reading_letters()
    }
}
