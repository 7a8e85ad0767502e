//! Appends under way to the disk, and the confirms that wait for them.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::runtime::queue::Confirms;
use crate::storage::{BoxFuture, LogHealth, QueueLog, StorageError};

/// Appends of one stream under way. Beyond it the stream stops reading its mailbox, which
/// slows its publishers to the speed of the disk. Not so while the disk is full: then
/// publishers are blocked elsewhere, and what consumers and operators ask must be heard.
const APPENDS_UNDER_WAY_MAX: usize = 64;

/// An append under way.
pub(super) struct Append {
    pub(super) done: BoxFuture<'static, Result<(), StorageError>>,
    /// The offset behind its last message.
    pub(super) end: u64,
    /// Who waits for it.
    pub(super) confirms: Option<Confirms>,
}

/// All of them, in order.
pub(super) struct Appends {
    under_way: VecDeque<Append>,
    log: Arc<dyn QueueLog>,
}

impl Appends {
    pub(super) fn new(log: Arc<dyn QueueLog>) -> Self {
        Self { under_way: VecDeque::new(), log }
    }

    pub(super) fn push(&mut self, append: Append) {
        self.under_way.push_back(append);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Whether there are as many as may be.
    pub(super) fn are_many(&self) -> bool {
        self.under_way.len() >= APPENDS_UNDER_WAY_MAX
    }

    /// Whether more may be handed over.
    pub(super) fn has_room(&self) -> bool {
        !self.are_many() || matches!(*self.log.health().borrow(), LogHealth::DiskFull(_))
    }

    /// Waits for the first append, tells who waits for it, and answers with the offset behind
    /// what is durable now, or with why it is not. Without any it waits for ever.
    pub(super) async fn turn(&mut self) -> Result<u64, StorageError> {
        let Some(append) = self.under_way.front_mut() else { return std::future::pending().await };
        let done = append.done.as_mut().await;
        let Some(append) = self.under_way.pop_front() else { return std::future::pending().await };
        if let Some(confirms) = append.confirms {
            confirms.tell(&done);
        }
        done.map(|()| append.end)
    }

    /// Tells everybody who waits that it is done, when the stream is deleted.
    pub(super) fn confirm_all(&mut self) {
        self.under_way.drain(..).filter_map(|append| append.confirms).for_each(|confirms| confirms.tell(&Ok(())));
    }

    /// Resolves when the disk is full.
    pub(super) async fn disk_full(log: &Arc<dyn QueueLog>) {
        let mut health = log.health();
        if health.wait_for(|health| matches!(health, LogHealth::DiskFull(_))).await.is_err() {
            // An engine that has no more to say of itself.
            std::future::pending().await
        }
    }
}
