//! Binding and unbinding. The order of checks is the reference's.

use super::handle::{check_exclusive, exchange_name, queue_name};
use super::owner::Owner;
use crate::domain::binding::{Binding, Destination};
use crate::domain::exchange::ExchangeKind;
use crate::domain::name::UserName;
use crate::domain::reply_to;
use crate::domain::topology::{Missing, Removed};
use crate::error::{Error, Operation, Resource};
use crate::facade::{Caller, Put};
use crate::runtime::events::topology as events;
use crate::runtime::queue::QueueHandle;
use crate::runtime::record;

impl Owner {
    pub(super) fn bind(&mut self, caller: &Caller, binding: Binding) -> Result<Put, Error> {
        let binding = self.check_binding(caller, binding)?;
        let source = self
            .topology
            .exchange(binding.source.as_str())
            .ok_or_else(|| Error::NoSuch(Resource::Exchange(self.vhost.clone(), binding.source.clone())))?;
        match &binding.destination {
            Destination::Queue(name) => {
                let resource = Resource::Queue(self.vhost.clone(), name.clone());
                let Some(queue) = self.topology.queue(name.as_str()) else { return Err(Error::NoSuch(resource)) };
                binding.check(source.exchange().matching(), Some(queue.spec().kind))?;
                check_exclusive(caller, queue.spec(), &resource)?;
            }
            Destination::Exchange(name) => {
                if self.topology.exchange(name.as_str()).is_none() {
                    return Err(Error::NoSuch(Resource::Exchange(self.vhost.clone(), name.clone())));
                }
                binding.check(source.exchange().matching(), None)?;
            }
        }
        self.add_binding(binding, &caller.user)
    }

    /// Adds a binding that passed its checks.
    pub(super) fn add_binding(&mut self, binding: Binding, by: &UserName) -> Result<Put, Error> {
        let write = match self.topology.is_durable(&binding) {
            true => Some(record::binding::put(&self.vhost, &binding)?),
            false => None,
        };
        let told = self.is_told().then(|| binding.clone());
        match self.topology.bind(binding) {
            Ok(true) => {
                self.batch.writes.extend(write);
                if let Some(binding) = told {
                    self.note(|owner, _| events::binding_created(&owner.vhost, &binding, by));
                }
                Ok(Put::Created)
            }
            Ok(false) => Ok(Put::Existed),
            Err(missing) => Err(self.no_such(missing)),
        }
    }

    pub(super) fn unbind(&mut self, caller: &Caller, binding: Binding) -> Result<(), Error> {
        let binding = self.check_binding(caller, binding)?;
        if let Destination::Queue(name) = &binding.destination
            && self.topology.is_bound(&binding)
            && let Some(queue) = self.topology.queue(name.as_str())
        {
            let resource = Resource::Queue(self.vhost.clone(), name.clone());
            check_exclusive(caller, queue.spec(), &resource)?;
        }
        let removed = self.topology.unbind(&binding);
        self.record_removed(&removed, caller.user.as_str())
    }

    /// Names and permissions of a binding to be made or undone.
    fn check_binding(&self, caller: &Caller, binding: Binding) -> Result<Binding, Error> {
        let source = exchange_name(binding.source.as_str())?;
        let (destination, resource) = match &binding.destination {
            Destination::Queue(name) if reply_to::is_reserved(name.as_str()) => {
                return Err(Error::VolatileQueue);
            }
            Destination::Queue(name) => {
                let name = queue_name(name.as_str())?;
                (Destination::Queue(name.clone()), Resource::Queue(self.vhost.clone(), name))
            }
            Destination::Exchange(name) => {
                let name = exchange_name(name.as_str())?;
                (Destination::Exchange(name.clone()), Resource::Exchange(self.vhost.clone(), name))
            }
        };
        let access = &self.context.access;
        access.check(caller, Operation::Write, &resource)?;
        if source.is_default() || matches!(&destination, Destination::Exchange(name) if name.is_default()) {
            return Err(Error::DefaultExchange);
        }
        access.check(caller, Operation::Read, &Resource::Exchange(self.vhost.clone(), source.clone()))?;
        let is_topic = |kind| kind == ExchangeKind::Topic;
        if self.topology.exchange(source.as_str()).is_some_and(|entry| is_topic(entry.exchange().kind)) {
            access.check_topic(caller, Operation::Read, &self.vhost, &source, &binding.routing_key)?;
        }
        Ok(Binding { source, destination, ..binding })
    }

    /// Forgets what is stored of things that are gone: bindings before what they hang on.
    pub(super) fn record_removed(&mut self, removed: &Removed<QueueHandle>, by: &str) -> Result<(), Error> {
        self.note_all(|owner, _| events::removed(&owner.vhost, removed, by));
        for gone in removed.bindings.iter().filter(|gone| gone.durable) {
            self.batch.writes.push(record::binding::delete(&self.vhost, &gone.binding)?);
        }
        for exchange in removed.exchanges.iter().filter(|exchange| exchange.durable) {
            self.batch.writes.push(record::exchange::delete(&self.vhost, &exchange.name));
            if exchange.matching() == ExchangeKind::RecentHistory {
                self.batch.writes.push(record::history::delete(&self.vhost, &exchange.name));
            }
        }
        self.batch.obsolete.extend(removed.delays.iter().cloned());
        self.batch.gone.extend_from_slice(&removed.exchange_ids);
        for exchange in &removed.exchanges {
            self.shared.histories.forget(exchange.name.as_str());
        }
        if let Some(queue) = &removed.queue
            && queue.spec().durable
        {
            self.batch.writes.push(record::queue::delete(&self.vhost, &queue.spec().name));
        }
        Ok(())
    }

    fn no_such(&self, missing: Missing) -> Error {
        Error::NoSuch(match missing {
            Missing::Exchange(name) => Resource::Exchange(self.vhost.clone(), name),
            Missing::Queue(name) => Resource::Queue(self.vhost.clone(), name),
        })
    }
}
