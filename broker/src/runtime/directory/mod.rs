//! Users, vhosts, permissions, policies and parameters: the immutable picture everyone
//! reads, and (in its submodules) the owner that alone changes it.
//!
//! The owner checks a change against the current picture, records it, publishes the next
//! picture and answers. Nothing here knows what is inside a vhost.

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::OrdMap;

use crate::domain::name::{ExchangeName, UserName, VhostName};
use crate::domain::parameter::{Document, Parameter};
use crate::domain::permission::{Basis, Decision, Grant, Permissions, TopicGrant, TopicPermissions};
use crate::domain::policy::{Policy, PolicyKind, PolicySet};
use crate::domain::user::User;
use crate::domain::vhost::Vhost;
use crate::error::{Operation, Resource};

mod bootstrap;
mod change;
mod difference;
pub(crate) mod import;
mod load;
mod owner;
#[cfg(test)]
mod owner_tests;
pub(crate) mod parameters;
pub(crate) mod permissions;
pub(crate) mod policies;
#[cfg(test)]
mod tests;
pub(crate) mod users;
pub(crate) mod vhosts;

pub(crate) use bootstrap::{CLUSTER_NAME, FirstBoot, INTERNAL_CLUSTER_ID};
pub(crate) use change::{Change, Plan};
pub(crate) use difference::Difference;
pub(crate) use owner::DirectoryHandle;

/// An immutable picture of everything that is not inside a vhost's topology.
/// Cloning shares structure; publishing one costs a pointer swap.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    /// Users by name.
    pub users: OrdMap<UserName, Arc<User>>,
    /// Vhosts by name.
    pub vhosts: OrdMap<VhostName, Arc<Vhost>>,
    /// Permissions by user and vhost.
    pub permissions: OrdMap<(UserName, VhostName), Arc<Permissions>>,
    /// Topic permissions by user, vhost and exchange.
    pub topic_permissions: OrdMap<(UserName, VhostName, ExchangeName), Arc<TopicPermissions>>,
    /// User policies by vhost and name.
    pub policies: OrdMap<(VhostName, String), Arc<Policy>>,
    /// Operator policies by vhost and name.
    pub operator_policies: OrdMap<(VhostName, String), Arc<Policy>>,
    /// Runtime parameters by component, vhost and name.
    pub parameters: OrdMap<(String, VhostName, String), Arc<Parameter>>,
    /// Global parameters by name.
    pub global_parameters: OrdMap<String, Document>,
    /// Grows with every published change.
    version: u64,
    /// Version that created each user: one created again is another user.
    user_births: OrdMap<UserName, u64>,
    /// Version that created each vhost, likewise.
    vhost_births: OrdMap<VhostName, u64>,
    /// The rows of `permissions`, compiled.
    grants: OrdMap<(UserName, VhostName), Arc<Grant>>,
    /// The rows of `topic_permissions`, compiled.
    topic_grants: OrdMap<(UserName, VhostName, ExchangeName), Arc<TopicGrant>>,
    /// The policies of each vhost that has any, compiled and in order.
    policy_sets: OrdMap<VhostName, Arc<PolicySet>>,
}

impl Directory {
    /// With which version a vhost came, which tells it from others that had its name before.
    pub(crate) fn vhost_birth(&self, name: &VhostName) -> Option<u64> {
        self.vhost_births.get(name).copied()
    }

    /// Grows with every change; within one process a greater one is newer.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether the user may enter the vhost: whether there is a row of permissions.
    #[must_use]
    pub fn may_enter(&self, user: &UserName, vhost: &VhostName) -> bool {
        self.permissions.contains_key(&(user.clone(), vhost.clone()))
    }

    /// What a user was granted in a vhost. Whoever decides often may keep it for as long
    /// as the version stays.
    #[must_use]
    pub fn grant(&self, user: &UserName, vhost: &VhostName) -> Option<Arc<Grant>> {
        self.grants.get(&(user.clone(), vhost.clone())).cloned()
    }

    /// What a user was granted on the topics of an exchange.
    #[must_use]
    pub fn topic_grant(&self, user: &UserName, vhost: &VhostName, exchange: &ExchangeName) -> Option<Arc<TopicGrant>> {
        self.topic_grants.get(&(user.clone(), vhost.clone(), exchange.clone())).cloned()
    }

    /// Whether `user` may do this to a resource, and how that was decided.
    #[must_use]
    pub fn decide<'a>(&'a self, user: &'a UserName, operation: Operation, resource: &'a Resource) -> Decision<'a> {
        let (vhost, name) = match resource {
            Resource::Exchange(vhost, name) => (vhost, name.permission_name()),
            Resource::Queue(vhost, name) => (vhost, name.as_str()),
        };
        match self.grants.get(&(user.clone(), vhost.clone())) {
            Some(grant) => grant.decide(operation, name),
            None => Decision { user, vhost, operation, name, basis: Basis::NoPermissions },
        }
    }

    /// Whether `user` may publish or bind with this key on a topic exchange, and how that
    /// was decided. Who has no row for the exchange may use every key.
    #[must_use]
    pub fn decide_topic<'a>(
        &'a self,
        user: &'a UserName,
        operation: Operation,
        vhost: &'a VhostName,
        exchange: &ExchangeName,
        routing_key: &'a str,
    ) -> Decision<'a> {
        match self.topic_grants.get(&(user.clone(), vhost.clone(), exchange.clone())) {
            Some(grant) => grant.decide(operation, routing_key),
            None => Decision { user, vhost, operation, name: routing_key, basis: Basis::NoTopicPermissions },
        }
    }

    /// The policies of a vhost, compiled and in order.
    #[must_use]
    pub fn policy_set(&self, vhost: &VhostName) -> Arc<PolicySet> {
        self.policy_sets.get(vhost).cloned().unwrap_or_default()
    }

    /// Policies of one kind, by vhost and name.
    #[must_use]
    pub fn policies_of(&self, kind: PolicyKind) -> &OrdMap<(VhostName, String), Arc<Policy>> {
        match kind {
            PolicyKind::User => &self.policies,
            PolicyKind::Operator => &self.operator_policies,
        }
    }

    /// The vhosts a user may enter, in name order.
    pub fn vhosts_of(&self, user: &UserName) -> impl Iterator<Item = &VhostName> {
        // The first key of the user: no vhost name sorts before the empty one.
        let first = (user.clone(), VhostName::new("").expect("vhost names have no limit"));
        let user = user.clone();
        self.permissions.range(first..).map(|(key, _)| key).take_while(move |key| key.0 == user).map(|key| &key.1)
    }

    /// Compiles the policies of these vhosts anew.
    fn rebuild_policy_sets(&mut self, vhosts: &BTreeSet<VhostName>) {
        for vhost in vhosts {
            let of = |policies: &OrdMap<(VhostName, String), Arc<Policy>>| -> Vec<Arc<Policy>> {
                policies
                    .range((vhost.clone(), String::new())..)
                    .take_while(|(key, _)| key.0 == *vhost)
                    .map(|(_, policy)| policy.clone())
                    .collect()
            };
            let set = PolicySet::new(of(&self.policies), of(&self.operator_policies));
            if set.is_empty() {
                self.policy_sets.remove(vhost);
            } else {
                self.policy_sets.insert(vhost.clone(), Arc::new(set));
            }
        }
    }
}
