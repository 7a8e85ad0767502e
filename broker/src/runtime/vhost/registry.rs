//! All live vhosts by name, and what their owners share.
//!
//! The map is replaced as a whole, under no lock: vhosts come and go rarely, and readers
//! look one up per connection or request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arc_swap::ArcSwap;

use super::Access;
use super::handle::VhostHandle;
use super::owner::Unstarted;
use crate::domain::name::VhostName;
use crate::domain::queue::{ConnectionId, QueueId};
use crate::error::Error;
use crate::metrics::AtomicTraffic;
use crate::runtime::queue::QueueMemory;
use crate::storage::{IoCounters, MetadataStore, QueueLog};

/// Queues that came and went since the node booted.
#[derive(Debug, Default)]
pub(crate) struct QueueChurn {
    /// Declarations, of existing queues too.
    pub(crate) declared: AtomicU64,
    /// Queues created.
    pub(crate) created: AtomicU64,
    /// Queues deleted.
    pub(crate) deleted: AtomicU64,
}

/// What all vhosts share.
pub(super) struct VhostContext {
    pub(super) metadata: Arc<dyn MetadataStore>,
    pub(super) log: Arc<dyn QueueLog>,
    pub(super) access: Arc<dyn Access>,
    pub(super) churn: QueueChurn,
    pub(super) traffic: Arc<AtomicTraffic>,
    pub(super) queue_memory: Arc<QueueMemory>,
    pub(super) queue_ids: AtomicU64,
}

impl VhostContext {
    /// An identity no queue has, had, or left messages under.
    pub(super) fn next_queue_id(&self) -> QueueId {
        QueueId(self.queue_ids.fetch_add(1, Relaxed))
    }
}

/// All live vhosts.
pub(crate) struct VhostRegistry {
    pub(super) context: Arc<VhostContext>,
    vhosts: ArcSwap<BTreeMap<VhostName, VhostHandle>>,
}

impl VhostRegistry {
    pub(super) fn new(context: Arc<VhostContext>, vhosts: BTreeMap<VhostName, VhostHandle>) -> Self {
        Self { context, vhosts: ArcSwap::from_pointee(vhosts) }
    }

    /// The vhost of that name.
    pub(crate) fn get(&self, name: &VhostName) -> Option<VhostHandle> {
        self.vhosts.load().get(name).cloned()
    }

    /// The vhost of that name, or the refusal that there is none.
    ///
    /// # Errors
    /// [`Error::NoSuchVhost`].
    pub(crate) fn require(&self, name: &VhostName) -> Result<VhostHandle, Error> {
        self.get(name).ok_or_else(|| Error::NoSuchVhost(name.clone()))
    }

    /// Queues that came and went.
    pub(crate) fn churn(&self) -> &QueueChurn {
        &self.context.churn
    }

    /// What passed through the node.
    pub(crate) fn traffic(&self) -> &Arc<AtomicTraffic> {
        &self.context.traffic
    }

    /// What the log asked of its disk.
    pub(crate) fn io(&self) -> IoCounters {
        self.context.log.io()
    }

    /// Every live vhost.
    pub(crate) fn all(&self) -> Vec<VhostHandle> {
        self.vhosts.load().values().cloned().collect()
    }

    /// Starts an empty vhost; one that lives is left as it is.
    pub(crate) fn create(&self, name: &VhostName) {
        if self.get(name).is_some() {
            return;
        }
        let handle = Unstarted::new(name.clone(), self.context.clone()).start();
        self.vhosts.rcu(|vhosts| {
            let mut vhosts = BTreeMap::clone(vhosts);
            vhosts.entry(name.clone()).or_insert_with(|| handle.clone());
            vhosts
        });
    }

    /// Ends a vhost: its queues go with their messages. Resolves when they are gone.
    /// What is stored of its exchanges, queues and bindings is for the caller to forget, before
    /// or after: without its vhost it is not looked at.
    pub(crate) async fn delete(&self, name: &VhostName) {
        let Some(handle) = self.get(name) else { return };
        self.vhosts.rcu(|vhosts| {
            let mut vhosts = BTreeMap::clone(vhosts);
            vhosts.remove(name);
            vhosts
        });
        handle.drop_queues().await;
    }

    /// Deletes the exclusive queues of a connection that ended.
    pub(crate) async fn delete_exclusive(&self, vhost: &VhostName, connection: ConnectionId) {
        if let Some(handle) = self.get(vhost) {
            handle.delete_exclusive(connection).await;
        }
    }

    /// Stops all vhosts and their queues; what is durable stays.
    pub(crate) async fn stop(&self) {
        let vhosts = self.vhosts.swap(Arc::default());
        futures_util::future::join_all(vhosts.values().map(VhostHandle::stop)).await;
    }
}
