//! Carries changes of the directory to those they concern: vhosts come and go, policies
//! reach their queues, connections of users and vhosts that are gone close.
//!
//! One task, so that what happens to one vhost happens in order, however often it is
//! deleted and created again. Versions may be skipped, changes are not: each step acts on
//! the difference to the picture it acted on last.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::directory::{Difference, Directory, DirectoryHandle};
use super::vhost::VhostRegistry;

/// What else must happen on a change; it must not wait.
pub(crate) type Reaction = Box<dyn Fn(&Difference) + Send>;

/// The task that follows the directory; it ends when this is dropped.
pub(crate) struct Follower {
    followed: watch::Receiver<u64>,
    task: AbortHandle,
}

impl Follower {
    /// Follows from `seen` on, the picture `vhosts` was started from.
    pub(crate) fn start(
        directory: DirectoryHandle,
        seen: Arc<Directory>,
        vhosts: Arc<VhostRegistry>,
        react: Reaction,
    ) -> Self {
        let (progress, followed) = watch::channel(seen.version());
        let task = tokio::spawn(follow(directory, seen, vhosts, react, progress)).abort_handle();
        Self { followed, task }
    }

    /// Resolves when everything up to this version has been carried out.
    pub(crate) async fn caught_up(&self, version: u64) {
        let mut followed = self.followed.clone();
        // The task only ends with the broker; then there is nothing left to wait for.
        let _ = followed.wait_for(|&followed| followed >= version).await;
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(
    directory: DirectoryHandle,
    mut seen: Arc<Directory>,
    vhosts: Arc<VhostRegistry>,
    react: Reaction,
    progress: watch::Sender<u64>,
) {
    let mut versions = directory.watch();
    loop {
        let next = directory.snapshot();
        let difference = next.changes_since(&seen);
        // Connections first: none shall be left in a vhost that goes.
        react(&difference);
        for vhost in &difference.vhosts_deleted {
            vhosts.delete(vhost).await;
        }
        for vhost in &difference.vhosts_created {
            vhosts.create(vhost);
        }
        for vhost in &difference.policies_changed {
            if let Some(vhost) = vhosts.get(vhost) {
                vhost.policies_changed().await;
            }
        }
        progress.send_replace(next.version());
        seen = next;
        if versions.changed().await.is_err() {
            return;
        }
    }
}
