//! Adding much at once: definitions.
//!
//! An import asks no permissions and skips what exists, whatever its properties. Every
//! object is checked before the first is added, so a refused import changes nothing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::command::Imported;
use super::handle::{exchange_name, queue_name};
use super::owner::Owner;
use super::registry::VhostRegistry;
use super::{Access, LiveTopology};
use crate::domain::arguments;
use crate::domain::binding::{Binding, Destination};
use crate::domain::exchange::{self, Exchange, ExchangeKind};
use crate::domain::name::{ExchangeName, QueueName, UserName, VhostName};
use crate::domain::queue::{QueueKind, QueueSpec};
use crate::error::{Error, ErrorKind, Resource};
use crate::facade::Put;

impl Owner {
    pub(super) fn import(
        &mut self,
        by: &UserName,
        exchanges: Vec<Arc<Exchange>>,
        queues: Vec<Arc<QueueSpec>>,
        bindings: Vec<Arc<Binding>>,
    ) -> Result<Imported, Error> {
        let checker = ImportCheck {
            vhost: &self.vhost,
            topology: &self.topology,
            access: &*self.context.access,
            default_queue_kind: self.context.access.default_queue_kind(&self.vhost),
        };
        let Checked { exchanges, queues } = checker.check(exchanges, queues, &bindings)?;
        for exchange in &exchanges.reserved {
            tracing::warn!(vhost = %self.vhost, %exchange, "an exchange with a reserved name is not imported");
        }
        for (queue, argument) in &queues.denied {
            tracing::warn!(vhost = %self.vhost, %queue, argument, "a queue with a deprecated argument is not imported");
        }
        let mut imported = Imported { created: 0, existed: exchanges.existed + queues.existed };
        imported.created += exchanges.new.len() + queues.new.len();
        for exchange in exchanges.new {
            self.add_exchange(exchange, by)?;
        }
        for queue in queues.new {
            let id = self.context.next_queue_id();
            self.add_queue(QueueSpec { id, ..queue }, by)?;
        }
        for binding in bindings {
            match self.add_binding(Arc::unwrap_or_clone(binding), by)? {
                Put::Created => imported.created += 1,
                Put::Existed => imported.existed += 1,
            }
        }
        Ok(imported)
    }
}

impl VhostRegistry {
    /// What [`super::VhostHandle::import`] would refuse, without doing anything. A vhost
    /// that is yet to be created is checked as it will be: with predeclared exchanges only.
    ///
    /// # Errors
    /// [`Error::InDefinitions`] for the first object that breaks a rule.
    pub(crate) fn check_import(
        &self,
        vhost: &VhostName,
        default_queue_kind: QueueKind,
        exchanges: Vec<Arc<Exchange>>,
        queues: Vec<Arc<QueueSpec>>,
        bindings: &[Arc<Binding>],
    ) -> Result<(), Error> {
        let topology = match self.get(vhost) {
            Some(handle) => handle.topology(),
            None => Arc::new(LiveTopology::new(vhost.clone())),
        };
        let access = &*self.context.access;
        ImportCheck { vhost, topology: &topology, access, default_queue_kind }
            .check(exchanges, queues, bindings)
            .map(drop)
    }
}

/// Checks an import against a picture.
struct ImportCheck<'a> {
    vhost: &'a VhostName,
    topology: &'a LiveTopology,
    access: &'a dyn Access,
    default_queue_kind: QueueKind,
}

/// What an import comes to, all of it checked.
struct Checked {
    exchanges: Importable<Exchange>,
    /// Their identities are yet to be given.
    queues: Importable<QueueSpec>,
}

impl ImportCheck<'_> {
    fn check(
        &self,
        exchanges: Vec<Arc<Exchange>>,
        queues: Vec<Arc<QueueSpec>>,
        bindings: &[Arc<Binding>],
    ) -> Result<Checked, Error> {
        let exchanges = self.importable_exchanges(exchanges)?;
        let queues = self.importable_queues(queues)?;
        self.check_bindings(&exchanges.new, &queues.new, bindings)?;
        Ok(Checked { exchanges, queues })
    }

    fn importable_exchanges(&self, exchanges: Vec<Arc<Exchange>>) -> Result<Importable<Exchange>, Error> {
        let mut importable = Importable::default();
        let mut seen = HashSet::new();
        for exchange in exchanges {
            let mut exchange = Arc::unwrap_or_clone(exchange);
            exchange.name = exchange_name(exchange.name.as_str())?;
            let name = &exchange.name;
            let exists = name.is_default() || self.topology.exchange(name.as_str()).is_some();
            if exists || name.is_reserved() || !seen.insert(name.clone()) {
                if !exists && name.is_reserved() {
                    importable.reserved.push(name.clone());
                }
                importable.existed += 1;
                continue;
            }
            let resource = Resource::Exchange(self.vhost.clone(), name.clone());
            arguments::check_new_exchange(&resource, &exchange.arguments)
                .and_then(|()| exchange::check_arguments(&resource, exchange.kind, &exchange.arguments))
                .map_err(|error| in_object(&resource, error))?;
            importable.new.push(exchange);
        }
        Ok(importable)
    }

    fn importable_queues(&self, queues: Vec<Arc<QueueSpec>>) -> Result<Importable<QueueSpec>, Error> {
        let mut importable = Importable::default();
        let mut seen = HashSet::new();
        for queue in queues {
            let queue = Arc::unwrap_or_clone(queue);
            let name = queue_name(queue.name.as_str())?;
            let resource = Resource::Queue(self.vhost.clone(), name.clone());
            if self.topology.queue(name.as_str()).is_some() || !seen.insert(name.clone()) {
                importable.existed += 1;
                continue;
            }
            // Files of older brokers hold such queues; the rest of a file must not fail for them.
            if let Some(argument) = arguments::denied_argument(&queue.arguments) {
                importable.denied.push((name, argument));
                continue;
            }
            let fits_any_kind = queue.durable && !queue.auto_delete;
            let arguments = arguments::with_queue_type(&queue.arguments, self.default_queue_kind, fits_any_kind);
            let present = self.topology.queue_count() + importable.new.len();
            let kind = arguments::check_new_queue(&resource, &arguments, queue.durable, false, queue.auto_delete)
                .and_then(|kind| self.access.check_queue_limit(self.vhost, name.as_str(), present).map(|()| kind))
                .map_err(|error| in_object(&resource, error))?;
            importable.new.push(QueueSpec { name, kind, exclusive_owner: None, arguments, ..queue });
        }
        Ok(importable)
    }

    /// Both ends must be there, or come with the import.
    fn check_bindings(
        &self,
        exchanges: &[Exchange],
        queues: &[QueueSpec],
        bindings: &[Arc<Binding>],
    ) -> Result<(), Error> {
        let new_exchanges: HashMap<&ExchangeName, ExchangeKind> =
            exchanges.iter().map(|exchange| (&exchange.name, exchange.matching())).collect();
        let new_queues: HashMap<&QueueName, QueueKind> = queues.iter().map(|queue| (&queue.name, queue.kind)).collect();
        let kind_of = |name: &ExchangeName| {
            let new = new_exchanges.get(name).copied();
            new.or_else(|| self.topology.exchange(name.as_str()).map(|entry| entry.exchange().matching()))
        };
        for binding in bindings {
            let source = Resource::Exchange(self.vhost.clone(), binding.source.clone());
            let refused = |error| in_object(&source, error);
            if binding.source.is_default() {
                return Err(refused(Error::DefaultExchange));
            }
            let kind = kind_of(&binding.source).ok_or_else(|| refused(Error::NoSuch(source.clone())))?;
            let mut queue = None;
            match &binding.destination {
                Destination::Queue(name) => {
                    let present = || self.topology.queue(name.as_str()).map(|queue| queue.spec().kind);
                    queue = new_queues.get(name).copied().or_else(present);
                    if queue.is_none() {
                        let missing = Resource::Queue(self.vhost.clone(), name.clone());
                        return Err(refused(Error::NoSuch(missing)));
                    }
                }
                Destination::Exchange(name) if name.is_default() => return Err(refused(Error::DefaultExchange)),
                Destination::Exchange(name) => {
                    if kind_of(name).is_none() {
                        let missing = Resource::Exchange(self.vhost.clone(), name.clone());
                        return Err(refused(Error::NoSuch(missing)));
                    }
                }
            }
            binding.check(kind, queue).map_err(refused)?;
        }
        Ok(())
    }
}

/// Objects of one kind: those to add, and how many are there already.
struct Importable<T> {
    new: Vec<T>,
    /// Names of those that are left out because only the broker may give them.
    reserved: Vec<ExchangeName>,
    /// Names of those that are left out for an argument, and the argument.
    denied: Vec<(QueueName, &'static str)>,
    existed: usize,
}

impl<T> Default for Importable<T> {
    fn default() -> Self {
        Self { new: Vec::new(), reserved: Vec::new(), denied: Vec::new(), existed: 0 }
    }
}

/// A refusal of a declaration names its object; others are told where they come from.
fn in_object(object: &Resource, error: Error) -> Error {
    if error.kind() == ErrorKind::PreconditionFailed {
        return Error::UndeclarableInDefinitions(Box::new(error));
    }
    Error::InDefinitions { object: object.to_string(), error: Box::new(error) }
}
