//! Who watches the metadata store, and the recent changes a new watcher may have missed.
//!
//! Owns a bounded history and the watchers' channels. A watcher is never waited for: one
//! that lags loses its channel and lists again.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use crate::storage::{Change, Revision};

/// Changes a watcher may lag behind, and changes remembered for new watchers.
pub const WATCH_CHANGES_MAX: usize = 1024;

/// Bytes of values remembered for new watchers.
const HISTORY_BYTES_MAX: usize = 256 * 1024;

/// Watchers and recent changes, in order.
#[derive(Debug)]
pub struct Watchers {
    /// Revision before the oldest remembered change.
    forgotten: Revision,
    history: VecDeque<Change>,
    history_bytes: usize,
    channels: Vec<mpsc::Sender<Change>>,
    closed: bool,
}

impl Watchers {
    /// No watcher yet; everything up to `revision` is the past.
    #[must_use]
    pub fn new(revision: Revision) -> Self {
        Self { forgotten: revision, history: VecDeque::new(), history_bytes: 0, channels: Vec::new(), closed: false }
    }

    /// Changes after `from`. The channel comes back closed when they are not remembered.
    pub fn watch(&mut self, from: Revision) -> mpsc::Receiver<Change> {
        let (sender, receiver) = mpsc::channel(WATCH_CHANGES_MAX);
        if self.closed || from < self.forgotten {
            return receiver;
        }
        for change in self.history.iter().filter(|change| change.revision > from) {
            // The history is never longer than the channel.
            let _ = sender.try_send(change.clone());
        }
        self.channels.push(sender);
        receiver
    }

    /// Tells everyone and remembers. A full or dropped channel is forgotten.
    pub fn publish(&mut self, changes: Vec<Change>) {
        self.channels.retain(|channel| changes.iter().all(|change| channel.try_send(change.clone()).is_ok()));
        for change in changes {
            self.history_bytes += change_bytes(&change);
            self.history.push_back(change);
            while self.history.len() > WATCH_CHANGES_MAX || self.history_bytes > HISTORY_BYTES_MAX {
                let Some(oldest) = self.history.pop_front() else { break };
                self.history_bytes -= change_bytes(&oldest);
                self.forgotten = oldest.revision;
            }
        }
    }

    /// Ends every channel, now and later.
    pub fn close(&mut self) {
        self.closed = true;
        self.channels.clear();
        self.history.clear();
    }
}

fn change_bytes(change: &Change) -> usize {
    change.key.len() + change.value.as_ref().map_or(0, bytes::Bytes::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(revision: u64) -> Change {
        Change { key: format!("k{revision}"), value: None, revision: Revision(revision) }
    }

    #[tokio::test]
    async fn watcher_gets_history_then_news() {
        let mut watchers = Watchers::new(Revision(5));
        watchers.publish(vec![change(6), change(7)]);
        let mut seen = watchers.watch(Revision(6));
        watchers.publish(vec![change(8)]);
        assert_eq!(seen.recv().await, Some(change(7)));
        assert_eq!(seen.recv().await, Some(change(8)));
        watchers.close();
        assert_eq!(seen.recv().await, None);
    }

    #[tokio::test]
    async fn forgotten_past_closes_at_once() {
        let mut watchers = Watchers::new(Revision(5));
        assert_eq!(watchers.watch(Revision(4)).recv().await, None);
        for revision in 6..=WATCH_CHANGES_MAX as u64 + 6 {
            watchers.publish(vec![change(revision)]);
        }
        assert_eq!(watchers.watch(Revision(5)).recv().await, None);
        assert_eq!(watchers.watch(Revision(6)).recv().await, Some(change(7)));
    }

    #[tokio::test]
    async fn lagging_watcher_is_cut_off_and_others_go_on() {
        let mut watchers = Watchers::new(Revision(0));
        let mut slow = watchers.watch(Revision(0));
        let count = WATCH_CHANGES_MAX as u64 + 1;
        let mut quick = watchers.watch(Revision(0));
        for revision in 1..=count {
            watchers.publish(vec![change(revision)]);
            assert_eq!(quick.recv().await, Some(change(revision)));
        }
        let mut last = 0;
        while let Some(change) = slow.recv().await {
            last = change.revision.0;
        }
        assert_eq!(last, count - 1);
    }
}
