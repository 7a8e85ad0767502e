//! The whole broker as one value: export and import.

use std::sync::Arc;

use super::{Broker, Caller};
use crate::domain::binding::Binding;
use crate::domain::exchange::Exchange;
use crate::domain::name::VhostName;
use crate::domain::parameter::{Document, Parameter};
use crate::domain::permission::{Permissions, TopicPermissions};
use crate::domain::policy::Policy;
use crate::domain::queue::QueueSpec;
use crate::domain::user::User;
use crate::domain::vhost::Vhost;
use crate::error::Error;

/// Everything that outlives messages.
#[derive(Debug, Clone, Default)]
pub struct Definitions {
    /// Users.
    pub users: Vec<Arc<User>>,
    /// Vhosts with their limits.
    pub vhosts: Vec<Arc<Vhost>>,
    /// Permissions.
    pub permissions: Vec<Arc<Permissions>>,
    /// Topic permissions.
    pub topic_permissions: Vec<Arc<TopicPermissions>>,
    /// Runtime parameters.
    pub parameters: Vec<Arc<Parameter>>,
    /// Global parameters.
    pub global_parameters: Vec<(String, Document)>,
    /// User policies.
    pub policies: Vec<Arc<Policy>>,
    /// Operator policies.
    pub operator_policies: Vec<Arc<Policy>>,
    /// Queues; on import `id` and `exclusive_owner` are ignored.
    pub queues: Vec<(VhostName, Arc<QueueSpec>)>,
    /// Exchanges.
    pub exchanges: Vec<(VhostName, Arc<Exchange>)>,
    /// Bindings.
    pub bindings: Vec<(VhostName, Arc<Binding>)>,
}

/// What an import did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Objects that are new.
    pub created: usize,
    /// Objects that were changed.
    pub updated: usize,
    /// Objects left as they were.
    pub unchanged: usize,
}

impl Broker {
    /// Everything exportable, of the whole broker or of one vhost. Exclusive queues,
    /// predeclared exchanges and default bindings are left out.
    ///
    /// # Errors
    /// [`Error::NoSuchVhost`].
    pub fn export_definitions(&self, vhost: Option<&VhostName>) -> Result<Definitions, Error> {
        let _ = vhost;
        todo!()
    }

    /// Merges definitions: validated as a whole first, so a refused import changes nothing.
    ///
    /// # Errors
    /// The first object that breaks a rule, named.
    pub async fn import_definitions(&self, caller: &Caller, definitions: Definitions) -> Result<ImportReport, Error> {
        let _ = (caller, definitions);
        todo!()
    }
}
