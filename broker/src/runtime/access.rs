//! Answers a vhost's questions from the directory's current picture.

use crate::domain::arguments::{ALTERNATE_EXCHANGE, EffectiveArguments};
use crate::domain::name::{ExchangeName, VhostName};
use crate::domain::parameter::Document;
use crate::domain::policy::{Subject, effective, with_argument};
use crate::domain::queue::{QueueKind, QueueSpec};
use crate::domain::value::FieldValue;
use crate::error::{Error, Operation, Resource};
use crate::facade::Caller;
use crate::runtime::directory::DirectoryHandle;
use crate::runtime::events::Events;
use crate::runtime::vhost::Access;

/// The directory as vhosts see it.
pub(crate) struct DirectoryAccess(pub(crate) DirectoryHandle);

impl Access for DirectoryAccess {
    fn check(&self, caller: &Caller, operation: Operation, resource: &Resource) -> Result<(), Error> {
        if caller.internal {
            return Ok(());
        }
        self.0.snapshot().decide(&caller.user, operation, resource).to_result(resource)
    }

    fn check_topic(
        &self,
        caller: &Caller,
        operation: Operation,
        vhost: &VhostName,
        exchange: &ExchangeName,
        routing_key: &str,
    ) -> Result<(), Error> {
        if caller.internal {
            return Ok(());
        }
        let resource = Resource::Exchange(vhost.clone(), exchange.clone());
        let directory = self.0.snapshot();
        directory.decide_topic(&caller.user, operation, vhost, exchange, routing_key).to_topic_result(&resource)
    }

    fn default_queue_kind(&self, vhost: &VhostName) -> QueueKind {
        self.0.snapshot().vhosts.get(vhost).map_or_else(QueueKind::default, |vhost| vhost.default_queue_type)
    }

    fn check_queue_limit(&self, vhost: &VhostName, queue: &str, present: usize) -> Result<(), Error> {
        let directory = self.0.snapshot();
        directory.vhosts.get(vhost).map_or(Ok(()), |found| found.limits.check_queues(vhost, queue, present))
    }

    fn policy_alternate(&self, vhost: &VhostName, exchange: &str) -> Option<ExchangeName> {
        let selected = self.0.snapshot().policy_set(vhost).select(Subject::Exchange, exchange);
        let settings = effective(selected.user.as_deref(), selected.operator.as_deref());
        ExchangeName::new(settings.get(ALTERNATE_EXCHANGE)?.value.as_str()?).ok()
    }

    fn exchange_policy(&self, vhost: &VhostName, exchange: &str) -> Option<String> {
        let selected = self.0.snapshot().policy_set(vhost).select(Subject::Exchange, exchange);
        selected.user.map(|policy| policy.name.clone())
    }

    fn events(&self) -> Option<&Events> {
        Some(self.0.events())
    }

    fn queue_settings(&self, vhost: &VhostName, queue: &QueueSpec) -> EffectiveArguments {
        let selected = self.0.snapshot().policy_set(vhost).select(Subject::Queue(queue.kind), queue.name.as_str());
        let policy = effective(selected.user.as_deref(), selected.operator.as_deref());
        let mut arguments = queue.arguments.clone();
        for key in policy.keys() {
            let name = format!("x-{key}");
            let value = with_argument(queue.kind, key, policy.get(key), queue.arguments.get(&name));
            if let Some(value) = value.as_ref().and_then(|value| as_field(&value.value)) {
                arguments.insert(name, value);
            }
        }
        EffectiveArguments::new(queue.kind, &arguments)
    }
}

/// A policy's value as the argument of the same meaning.
fn as_field(value: &Document) -> Option<FieldValue> {
    match value {
        Document::Bool(value) => Some(FieldValue::Boolean(*value)),
        Document::Number(number) => number.as_i64().map(FieldValue::I64),
        Document::String(text) => Some(FieldValue::text(text)),
        Document::Null | Document::Array(_) | Document::Object(_) => None,
    }
}
