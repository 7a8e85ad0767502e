//! The changes a directory can undergo: what each does to the picture and to the store.
//!
//! A plan is a list of changes in an order in which every prefix is a valid state, so an
//! engine without transactions may stop after any of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Directory;
use crate::domain::name::{ExchangeName, UserName, VhostName};
use crate::domain::parameter::{Document, Parameter};
use crate::domain::permission::{Grant, Permissions, TopicGrant, TopicPermissions};
use crate::domain::policy::{Policy, PolicyKind};
use crate::domain::user::User;
use crate::domain::vhost::Vhost;
use crate::error::Error;
use crate::runtime::record;
use crate::storage::Write;

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    /// A user is as given.
    PutUser(Arc<User>),
    /// A user is gone.
    DeleteUser(UserName),
    /// A vhost is as given.
    PutVhost(Arc<Vhost>),
    /// A vhost is gone.
    DeleteVhost(VhostName),
    /// Stored exchanges, queues and bindings of a vhost are gone; the picture does not hold them.
    SweepTopology(VhostName),
    /// A row of permissions is as given.
    PutPermissions(Arc<Permissions>),
    /// A row of permissions is gone.
    DeletePermissions(UserName, VhostName),
    /// A row of topic permissions is as given.
    PutTopicPermissions(Arc<TopicPermissions>),
    /// A row of topic permissions is gone.
    DeleteTopicPermissions(UserName, VhostName, ExchangeName),
    /// A policy is as given.
    PutPolicy(PolicyKind, Arc<Policy>),
    /// A policy is gone.
    DeletePolicy(PolicyKind, VhostName, String),
    /// A runtime parameter is as given.
    PutParameter(Arc<Parameter>),
    /// A runtime parameter (component, vhost, name) is gone.
    DeleteParameter(String, VhostName, String),
    /// A global parameter is as given.
    PutGlobalParameter(String, Document),
    /// A global parameter is gone.
    DeleteGlobalParameter(String),
}

/// What a mutation is to do, and what it answers once that is recorded.
#[derive(Debug, PartialEq)]
pub(crate) struct Plan<T> {
    /// Changes, in an order in which every prefix is a valid state.
    pub(crate) changes: Vec<Change>,
    /// The answer.
    pub(crate) outcome: T,
}

impl<T> Plan<T> {
    /// Nothing to do.
    pub(crate) fn nothing(outcome: T) -> Self {
        Self { changes: Vec::new(), outcome }
    }

    /// One change.
    pub(crate) fn one(change: Change, outcome: T) -> Self {
        Self { changes: vec![change], outcome }
    }
}

impl Change {
    /// The stored side of the change. Sweeping a vhost takes a look into the store first,
    /// so its writes are the owner's business.
    pub(super) fn write(&self) -> Result<Option<Write>, Error> {
        Ok(Some(match self {
            Self::PutUser(user) => record::user::put(user)?,
            Self::DeleteUser(name) => record::user::delete(name),
            Self::PutVhost(vhost) => record::vhost::put(vhost)?,
            Self::DeleteVhost(name) => record::vhost::delete(name),
            Self::SweepTopology(_) => return Ok(None),
            Self::PutPermissions(row) => record::permission::put(row)?,
            Self::DeletePermissions(user, vhost) => record::permission::delete(user, vhost),
            Self::PutTopicPermissions(row) => record::permission::put_topic(row)?,
            Self::DeleteTopicPermissions(user, vhost, exchange) => {
                record::permission::delete_topic(user, vhost, exchange)
            }
            Self::PutPolicy(kind, policy) => record::policy::put(*kind, policy)?,
            Self::DeletePolicy(kind, vhost, name) => record::policy::delete(*kind, vhost, name),
            Self::PutParameter(parameter) => record::parameter::put(parameter)?,
            Self::DeleteParameter(component, vhost, name) => record::parameter::delete(vhost, component, name),
            Self::PutGlobalParameter(name, value) => record::parameter::put_global(name, value)?,
            Self::DeleteGlobalParameter(name) => record::parameter::delete_global(name),
        }))
    }
}

impl Directory {
    /// This picture after some changes. The version is the publisher's business.
    pub(crate) fn apply(&mut self, changes: &[Change]) {
        let stale_policies = self.apply_rows(changes);
        self.rebuild_policy_sets(&stale_policies);
    }

    /// As [`Self::apply`], without the order of policies; returns the vhosts whose order is stale.
    pub(super) fn apply_rows(&mut self, changes: &[Change]) -> BTreeSet<VhostName> {
        let mut stale_policies = BTreeSet::new();
        let birth = self.version + 1;
        for change in changes {
            match change.clone() {
                Change::PutUser(user) => {
                    if self.users.insert(user.name.clone(), user.clone()).is_none() {
                        self.user_births.insert(user.name.clone(), birth);
                    }
                }
                Change::DeleteUser(name) => {
                    self.users.remove(&name);
                    self.user_births.remove(&name);
                }
                Change::PutVhost(vhost) => {
                    if self.vhosts.insert(vhost.name.clone(), vhost.clone()).is_none() {
                        self.vhost_births.insert(vhost.name.clone(), birth);
                    }
                }
                Change::DeleteVhost(name) => {
                    self.vhosts.remove(&name);
                    self.vhost_births.remove(&name);
                }
                Change::SweepTopology(_) => {}
                Change::PutPermissions(row) => {
                    let key = (row.user.clone(), row.vhost.clone());
                    self.grants.insert(key.clone(), Arc::new(Grant::new(row.clone())));
                    self.permissions.insert(key, row);
                }
                Change::DeletePermissions(user, vhost) => {
                    let key = (user, vhost);
                    self.grants.remove(&key);
                    self.permissions.remove(&key);
                }
                Change::PutTopicPermissions(row) => {
                    let key = (row.user.clone(), row.vhost.clone(), row.exchange.clone());
                    self.topic_grants.insert(key.clone(), Arc::new(TopicGrant::new(row.clone())));
                    self.topic_permissions.insert(key, row);
                }
                Change::DeleteTopicPermissions(user, vhost, exchange) => {
                    let key = (user, vhost, exchange);
                    self.topic_grants.remove(&key);
                    self.topic_permissions.remove(&key);
                }
                Change::PutPolicy(kind, policy) => {
                    stale_policies.insert(policy.vhost.clone());
                    self.policies_mut(kind).insert((policy.vhost.clone(), policy.name.clone()), policy);
                }
                Change::DeletePolicy(kind, vhost, name) => {
                    stale_policies.insert(vhost.clone());
                    self.policies_mut(kind).remove(&(vhost, name));
                }
                Change::PutParameter(parameter) => {
                    let Parameter { component, vhost, name, .. } = &*parameter;
                    self.parameters.insert((component.clone(), vhost.clone(), name.clone()), parameter);
                }
                Change::DeleteParameter(component, vhost, name) => {
                    self.parameters.remove(&(component, vhost, name));
                }
                Change::PutGlobalParameter(name, value) => {
                    self.global_parameters.insert(name, value);
                }
                Change::DeleteGlobalParameter(name) => {
                    self.global_parameters.remove(&name);
                }
            }
        }
        stale_policies
    }

    fn policies_mut(&mut self, kind: PolicyKind) -> &mut imbl::OrdMap<(VhostName, String), Arc<Policy>> {
        match kind {
            PolicyKind::User => &mut self.policies,
            PolicyKind::Operator => &mut self.operator_policies,
        }
    }
}
