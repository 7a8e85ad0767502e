//! Reads the directory back from the store.

use std::sync::Arc;

use super::{Change, Directory};
use crate::domain::policy::PolicyKind;
use crate::runtime::record;
use crate::storage::{Entry, MetadataStore, StorageError};

impl Directory {
    /// The picture the store holds. Rows of a user or vhost that is not there (an engine
    /// without transactions stopped in the middle) are left out: they grant nothing.
    ///
    /// # Errors
    /// `Unavailable`, or `Damaged` naming the record.
    pub(super) async fn load(store: &dyn MetadataStore) -> Result<Self, StorageError> {
        let mut directory = Self::default();
        let mut changes = Vec::new();
        for entry in store.list(&record::user::prefix()).await? {
            changes.push(Change::PutUser(Arc::new(record::user::decode(&entry)?)));
        }
        for entry in store.list(&record::vhost::prefix()).await? {
            changes.push(Change::PutVhost(Arc::new(record::vhost::decode(&entry)?)));
        }
        directory.apply(&changes);
        changes.clear();

        for entry in store.list(&record::permission::prefix()).await? {
            let row = record::permission::decode(&entry)?;
            if directory.users.contains_key(&row.user) && directory.vhosts.contains_key(&row.vhost) {
                changes.push(Change::PutPermissions(Arc::new(row)));
            }
        }
        for entry in store.list(&record::permission::topic_prefix()).await? {
            let row = record::permission::decode_topic(&entry)?;
            if directory.users.contains_key(&row.user) && directory.vhosts.contains_key(&row.vhost) {
                changes.push(Change::PutTopicPermissions(Arc::new(row)));
            }
        }
        for kind in [PolicyKind::User, PolicyKind::Operator] {
            for entry in store.list(&record::policy::prefix(kind)).await? {
                let policy = record::policy::decode(kind, &entry)?;
                if directory.vhosts.contains_key(&policy.vhost) {
                    changes.push(Change::PutPolicy(kind, Arc::new(policy)));
                }
            }
        }
        for entry in store.list(&record::parameter::prefix()).await? {
            let parameter = record::parameter::decode(&entry)?;
            if directory.vhosts.contains_key(&parameter.vhost) {
                changes.push(Change::PutParameter(Arc::new(parameter)));
            }
        }
        for entry in store.list(&record::parameter::global_prefix()).await? {
            let (name, value) = record::parameter::decode_global(&entry)?;
            changes.push(Change::PutGlobalParameter(name, value));
        }
        directory.apply(&changes);
        Ok(directory)
    }

    /// Whether nothing was ever created here, so that the first user and vhost are due.
    pub(super) fn is_virgin(&self) -> bool {
        self.users.is_empty() && self.vhosts.is_empty()
    }
}

/// The stored exchanges, queues and bindings of a vhost: bindings first, since they need
/// their ends, and exchanges last.
pub(super) async fn stored_topology(
    store: &dyn MetadataStore,
    vhost: &crate::domain::name::VhostName,
) -> Result<Vec<Entry>, StorageError> {
    let mut entries = Vec::new();
    for prefix in [
        record::binding::prefix(vhost),
        record::queue::prefix(vhost),
        record::history::prefix(vhost),
        record::exchange::prefix(vhost),
    ] {
        entries.extend(store.list(&prefix).await?);
    }
    Ok(entries)
}
