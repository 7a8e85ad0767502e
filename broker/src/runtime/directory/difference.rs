//! What changed between two pictures, for those who must react: connections close, queues
//! take other settings, topologies come and go.

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::OrdMap;
use imbl::ordmap::DiffItem;

use super::Directory;
use crate::domain::name::{UserName, VhostName};

/// What a newer picture changed. A thing deleted and created again in between is listed
/// as deleted and, where that is told, as created.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Users that are gone: their connections close.
    pub(crate) users_deleted: BTreeSet<UserName>,
    /// Users whose password, tags or limits changed.
    pub(crate) users_changed: BTreeSet<UserName>,
    /// Vhosts that are new.
    pub(crate) vhosts_created: BTreeSet<VhostName>,
    /// Vhosts that are gone, with all that was in them.
    pub(crate) vhosts_deleted: BTreeSet<VhostName>,
    /// Vhosts whose metadata, limits or tracing changed.
    pub(crate) vhosts_changed: BTreeSet<VhostName>,
    /// Users and vhosts whose permissions, topic permissions included, changed or went.
    pub(crate) permissions_changed: BTreeSet<(UserName, VhostName)>,
    /// Vhosts where a policy or operator policy came, changed or went.
    pub(crate) policies_changed: BTreeSet<VhostName>,
}

impl Directory {
    /// What this picture changed since `older`. Shared structure is passed over, so the
    /// cost is that of the changes.
    pub(crate) fn changes_since(&self, older: &Self) -> Difference {
        let mut difference = Difference::default();
        for item in older.users.diff(&self.users) {
            match item {
                DiffItem::Add(..) => {}
                DiffItem::Remove(name, _) => {
                    difference.users_deleted.insert(name.clone());
                }
                DiffItem::Update { new: (name, _), .. } => {
                    difference.users_changed.insert(name.clone());
                }
            }
        }
        for item in older.vhosts.diff(&self.vhosts) {
            match item {
                DiffItem::Add(name, _) => difference.vhosts_created.insert(name.clone()),
                DiffItem::Remove(name, _) => difference.vhosts_deleted.insert(name.clone()),
                DiffItem::Update { new: (name, _), .. } => difference.vhosts_changed.insert(name.clone()),
            };
        }
        for item in older.user_births.diff(&self.user_births) {
            if let DiffItem::Update { new: (name, _), .. } = item {
                difference.users_deleted.insert(name.clone());
            }
        }
        for item in older.vhost_births.diff(&self.vhost_births) {
            if let DiffItem::Update { new: (name, _), .. } = item {
                difference.vhosts_deleted.insert(name.clone());
                difference.vhosts_created.insert(name.clone());
            }
        }
        for (user, vhost) in changed_keys(&older.permissions, &self.permissions) {
            difference.permissions_changed.insert((user, vhost));
        }
        for (user, vhost, _) in changed_keys(&older.topic_permissions, &self.topic_permissions) {
            difference.permissions_changed.insert((user, vhost));
        }
        for policies in [(&older.policies, &self.policies), (&older.operator_policies, &self.operator_policies)] {
            difference.policies_changed.extend(changed_keys(policies.0, policies.1).map(|(vhost, _)| vhost));
        }
        difference
    }
}

fn changed_keys<'a, K: Ord + Clone, V: PartialEq>(
    older: &'a OrdMap<K, Arc<V>>,
    newer: &'a OrdMap<K, Arc<V>>,
) -> impl Iterator<Item = K> + 'a {
    older.diff(newer).map(|item| match item {
        DiffItem::Add(key, _) | DiffItem::Remove(key, _) | DiffItem::Update { new: (key, _), .. } => key.clone(),
    })
}
