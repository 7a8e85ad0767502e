//! Starting from what is stored.
//!
//! A damaged record is reported and left out, so that one bad record does not keep a node
//! down. Records of a vhost that no longer exists, and logs of queues that no longer do,
//! are what an interrupted deletion left: they are deleted now.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::Access;
use super::delay;
use super::owner::Unstarted;
use super::registry::{QueueChurn, VhostContext, VhostRegistry};
use crate::domain::name::VhostName;
use crate::error::Error;
use crate::facade::Caller;
use crate::runtime::queue::QueueMemory;
use crate::runtime::queue::{LogKind, Recover, lasting_logs, owner_of};
use crate::runtime::record::key::kind;
use crate::runtime::record::{self};
use crate::storage::{Entry, Expect, LogId, MetadataStore, QueueLog, StorageError, Write};

impl VhostRegistry {
    /// Starts these vhosts with their stored exchanges, queues and bindings, on a node that may
    /// use so much memory.
    ///
    /// # Errors
    /// `Unavailable` when the stored state cannot be read.
    pub(crate) async fn recover(
        vhosts: impl IntoIterator<Item = VhostName>,
        metadata: Arc<dyn MetadataStore>,
        log: Arc<dyn QueueLog>,
        access: Arc<dyn Access>,
        memory_bytes: u64,
    ) -> Result<Self, Error> {
        let context = Arc::new(VhostContext {
            metadata: metadata.clone(),
            log: log.clone(),
            access,
            churn: QueueChurn::default(),
            traffic: Arc::default(),
            queue_memory: Arc::new(QueueMemory::of_node(memory_bytes)),
            queue_ids: AtomicU64::new(1),
        });
        let mut starting: BTreeMap<VhostName, Unstarted> =
            vhosts.into_iter().map(|name| (name.clone(), Unstarted::new(name, context.clone()))).collect();
        let mut orphans = Vec::new();
        // Nobody is told of what was there before.
        let node = Caller::internal().user;

        let logs: HashSet<LogId> = log.logs().await?.into_iter().collect();
        let mut unclaimed = logs.clone();
        let mut last_id = logs.iter().map(|log| owner_of(*log).0.0).max().unwrap_or(0);

        for entry in metadata.list(&whole(kind::EXCHANGE)).await? {
            let Some((vhost, exchange, delay)) = readable(&entry, record::exchange::decode(&entry)) else {
                // It cannot be told whose messages these are, so none are deleted.
                unclaimed.retain(|log| owner_of(*log).1 != LogKind::Messages);
                continue;
            };
            match starting.get_mut(&vhost) {
                Some(vhost) => {
                    if let Some(id) = delay {
                        let log = LogId(id.0);
                        unclaimed.remove(&log);
                        last_id = last_id.max(id.0);
                        vhost.delays.push((exchange.clone(), delay::spec(id, &exchange)?, logs.contains(&log)));
                    }
                    vhost.owner.insert_exchange(exchange);
                }
                None => orphans.push(entry.key),
            }
        }

        for entry in metadata.list(&whole(kind::HISTORY)).await? {
            let Some((vhost, exchange, messages)) = readable(&entry, record::history::decode(&entry)) else { continue };
            match starting.get_mut(&vhost).filter(|vhost| vhost.owner.topology.exchange(exchange.as_str()).is_some()) {
                Some(vhost) => vhost.owner.shared.histories.restore(exchange, messages),
                None => orphans.push(entry.key),
            }
        }

        for entry in metadata.list(&whole(kind::QUEUE)).await? {
            let Some((vhost, queue)) = readable(&entry, record::queue::decode(&entry)) else {
                // It cannot be told whose messages these are, so none are deleted.
                unclaimed.clear();
                continue;
            };
            match starting.get_mut(&vhost) {
                Some(vhost) => {
                    let log = LogId(queue.id.0);
                    for log in lasting_logs(&queue) {
                        unclaimed.remove(&log);
                    }
                    last_id = last_id.max(log.0);
                    let recover = Recover::of(log, |log| logs.contains(&log));
                    vhost.owner.spawn(Arc::new(queue), recover);
                }
                None => orphans.push(entry.key),
            }
        }
        context.queue_ids.store(last_id + 1, Relaxed);

        for entry in metadata.list(&whole(kind::BINDING)).await? {
            let Some((vhost, binding)) = readable(&entry, record::binding::decode(&entry)) else { continue };
            match starting.get_mut(&vhost) {
                Some(vhost) => {
                    if let Err(error) = vhost.owner.add_binding(binding, &node) {
                        tracing::warn!(key = entry.key, %error, "a stored binding leads nowhere and is dropped");
                        orphans.push(entry.key);
                    }
                }
                None => orphans.push(entry.key),
            }
        }

        sweep(&*metadata, &*log, orphans, unclaimed).await?;
        let vhosts = starting.into_iter().map(|(name, vhost)| (name, vhost.start())).collect();
        Ok(Self::new(context, vhosts))
    }
}

/// What all keys of a kind start with.
fn whole(kind: &str) -> String {
    format!("{kind}/")
}

fn readable<T>(entry: &Entry, decoded: Result<T, StorageError>) -> Option<T> {
    decoded
        .inspect_err(|error| tracing::error!(key = entry.key, %error, "a stored record cannot be read and is left out"))
        .ok()
}

async fn sweep(
    metadata: &dyn MetadataStore,
    log: &dyn QueueLog,
    orphans: Vec<String>,
    unclaimed: HashSet<LogId>,
) -> Result<(), Error> {
    if !orphans.is_empty() {
        tracing::info!(records = orphans.len(), "records without a vhost or an end are deleted");
        let erase = |key| Write { key, value: None, expect: Expect::Any };
        metadata.write(orphans.into_iter().map(erase).collect()).await?;
    }
    if !unclaimed.is_empty() {
        tracing::info!(logs = unclaimed.len(), "messages of deleted queues are deleted");
        for id in unclaimed {
            log.delete(id).await?;
        }
    }
    Ok(())
}
