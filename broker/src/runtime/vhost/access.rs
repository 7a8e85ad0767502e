//! What a vhost must know of the world around it: permissions, defaults, limits, policies.

use crate::domain::arguments::EffectiveArguments;
use crate::domain::name::{ExchangeName, VhostName};
use crate::domain::queue::{QueueKind, QueueSpec};
use crate::error::{Error, Operation, Resource};
use crate::facade::Caller;
use crate::runtime::events::Events;

/// Answers from the current picture of users, vhosts and policies; never waits.
pub(crate) trait Access: Send + Sync + 'static {
    /// Whether the caller may do this to a resource.
    ///
    /// # Errors
    /// [`Error::AccessRefused`].
    fn check(&self, caller: &Caller, operation: Operation, resource: &Resource) -> Result<(), Error>;

    /// Whether the caller may bind with this key on a topic exchange.
    ///
    /// # Errors
    /// [`Error::TopicAccessRefused`].
    fn check_topic(
        &self,
        caller: &Caller,
        operation: Operation,
        vhost: &VhostName,
        exchange: &ExchangeName,
        routing_key: &str,
    ) -> Result<(), Error>;

    /// The type of queues declared without one.
    fn default_queue_kind(&self, vhost: &VhostName) -> QueueKind;

    /// Whether one more queue may be declared where there are `present`.
    ///
    /// # Errors
    /// [`Error::LimitReached`].
    fn check_queue_limit(&self, vhost: &VhostName, queue: &str, present: usize) -> Result<(), Error>;

    /// Where a policy sends what an exchange does not route.
    fn policy_alternate(&self, vhost: &VhostName, exchange: &str) -> Option<ExchangeName>;

    /// The name of the policy that applies to an exchange.
    fn exchange_policy(&self, _vhost: &VhostName, _exchange: &str) -> Option<String> {
        None
    }

    /// Where events are told; `None`: nowhere.
    fn events(&self) -> Option<&Events> {
        None
    }

    /// What applies to a queue, from its arguments and the policies that match it.
    fn queue_settings(&self, vhost: &VhostName, queue: &QueueSpec) -> EffectiveArguments;

    /// Any one of the three permissions, as a passive declare wants it.
    ///
    /// # Errors
    /// [`Error::AccessRefused`] in the words of the configure permission.
    fn check_any(&self, caller: &Caller, resource: &Resource) -> Result<(), Error> {
        let refused = self.check(caller, Operation::Configure, resource);
        let others = [Operation::Write, Operation::Read];
        if others.into_iter().any(|operation| self.check(caller, operation, resource).is_ok()) {
            return Ok(());
        }
        refused
    }
}
