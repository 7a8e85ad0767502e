//! The owner of users, vhosts, permissions, policies and parameters. It checks a
//! change, records it, and publishes the next immutable snapshot.

use std::sync::Arc;

use imbl::OrdMap;

use crate::domain::name::{ExchangeName, UserName, VhostName};
use crate::domain::parameter::{Document, Parameter};
use crate::domain::permission::{Permissions, TopicPermissions};
use crate::domain::policy::Policy;
use crate::domain::user::User;
use crate::domain::vhost::Vhost;

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
}
