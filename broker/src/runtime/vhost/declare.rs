//! Declaring exchanges and queues. The order of checks is the reference's, since it
//! decides which refusal a client sees.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::command::DeclaredQueue;
use super::delay;
use super::handle::{exchange_name, queue_name};
use super::owner::Owner;
use crate::domain::arguments::{
    self, ALTERNATE_EXCHANGE, DEAD_LETTER_EXCHANGE, Redeclared, check_exchange_equivalence, check_queue_equivalence,
};
use crate::domain::exchange::{self, Exchange, ExchangeKind};
use crate::domain::name::{QueueName, UserName};
use crate::domain::queue::QueueSpec;
use crate::error::{Error, Operation, Resource};
use crate::facade::{Caller, DeclareExchange, DeclareQueue, Put};
use crate::runtime::events::topology as events;
use crate::runtime::queue::Recover;
use crate::runtime::record;

/// What names the broker gives start with.
const SERVER_NAMED_PREFIX: &str = "amq.gen-";

/// Random bytes of a name the broker gives.
const SERVER_NAMED_BYTES: usize = 16;

impl Owner {
    pub(super) fn declare_exchange(&mut self, caller: &Caller, declare: DeclareExchange) -> Result<Put, Error> {
        let kind = ExchangeKind::require(&declare.kind)?;
        let name = exchange_name(&declare.name)?;
        if name.is_default() {
            return Err(Error::DefaultExchange);
        }
        let resource = Resource::Exchange(self.vhost.clone(), name.clone());
        self.context.access.check(caller, Operation::Configure, &resource)?;
        let DeclareExchange { durable, auto_delete, internal, arguments, .. } = declare;
        if let Some(entry) = self.topology.exchange(name.as_str()) {
            let flags = [durable, auto_delete, internal];
            check_exchange_equivalence(&resource, entry.exchange(), kind, flags, &arguments)?;
            return Ok(Put::Existed);
        }
        if name.is_reserved() {
            return Err(Error::ReservedName { kind: "exchange", name: name.to_string() });
        }
        arguments::check_new_exchange(&resource, &arguments)?;
        if let Some(alternate) = arguments::exchange_name(&arguments, ALTERNATE_EXCHANGE) {
            self.context.access.check(caller, Operation::Read, &resource)?;
            let alternate = Resource::Exchange(self.vhost.clone(), alternate);
            self.context.access.check(caller, Operation::Write, &alternate)?;
        }
        exchange::check_arguments(&resource, kind, &arguments)?;
        let declared_by = caller.user.clone();
        self.add_exchange(
            Exchange { name, kind, durable, auto_delete, internal, arguments, declared_by },
            &caller.user,
        )?;
        Ok(Put::Created)
    }

    /// Adds an exchange that passed its checks.
    pub(super) fn add_exchange(&mut self, exchange: Exchange, by: &UserName) -> Result<(), Error> {
        let delay = (exchange.kind == ExchangeKind::DelayedMessage).then(|| self.context.next_queue_id());
        let told = self.is_told().then(|| exchange.clone());
        if exchange.durable {
            self.batch.writes.push(record::exchange::put(&self.vhost, &exchange, delay)?);
        }
        let delays = delay.map(|id| delay::spec(id, &exchange)).transpose()?.map(|spec| (exchange.clone(), spec));
        self.insert_exchange(exchange);
        if let Some((exchange, spec)) = delays {
            self.spawn_delay(exchange, spec, false);
        }
        if let Some(exchange) = told {
            self.note(|owner, _| {
                let policy = owner.context.access.exchange_policy(&owner.vhost, exchange.name.as_str());
                events::exchange_created(&owner.vhost, &exchange, &policy.unwrap_or_default(), by.as_str())
            });
        }
        Ok(())
    }

    /// Adds an exchange to the working picture.
    pub(super) fn insert_exchange(&mut self, exchange: Exchange) {
        let name = exchange.name.clone();
        self.topology.insert_exchange(exchange);
        let alternate = self.context.access.policy_alternate(&self.vhost, name.as_str());
        self.topology.set_policy_alternate(name.as_str(), alternate);
    }

    pub(super) fn declare_queue(&mut self, caller: &Caller, declare: DeclareQueue) -> Result<DeclaredQueue, Error> {
        let DeclareQueue { name, durable, exclusive, auto_delete, arguments } = declare;
        let default = self.context.access.default_queue_kind(&self.vhost);
        let fits_any_kind = durable && !exclusive && !auto_delete;
        let given = arguments;
        let arguments = arguments::with_queue_type(&given, default, fits_any_kind);
        let name = queue_name(&name)?;
        let name = match name.as_str() {
            "" => {
                let unnamed = Resource::Queue(self.vhost.clone(), name);
                arguments::check_server_named(arguments::queue_kind(&unnamed, &arguments)?)?;
                server_name()?
            }
            _ if name.is_reserved() => {
                return Err(Error::ReservedName { kind: "queue", name: name.to_string() });
            }
            _ => name,
        };
        let exclusive_owner = match (exclusive, caller.connection) {
            (true, None) => {
                return Err(Error::NotAllowed("exclusive queues belong to an AMQP connection".to_owned()));
            }
            (true, connection) => connection,
            (false, _) => None,
        };
        let resource = Resource::Queue(self.vhost.clone(), name.clone());
        self.context.access.check(caller, Operation::Configure, &resource)?;
        self.context.churn.declared.fetch_add(1, Relaxed);
        // What belongs to a connection does not outlive it, whatever was asked.
        let durable = durable && !exclusive;
        if let Some(queue) = self.topology.queue(name.as_str()) {
            let asked = arguments::as_asked(&given, &arguments);
            let asked = Redeclared { durable, auto_delete, exclusive_owner, arguments: &asked };
            check_queue_equivalence(&resource, queue.spec(), asked)?;
            return Ok(DeclaredQueue { put: Put::Existed, queue: queue.clone() });
        }
        arguments::check_exchange_name(&resource, &arguments, DEAD_LETTER_EXCHANGE)?;
        if let Some(dead_letters) = arguments::exchange_name(&arguments, DEAD_LETTER_EXCHANGE) {
            self.context.access.check(caller, Operation::Read, &resource)?;
            let dead_letters = Resource::Exchange(self.vhost.clone(), dead_letters);
            self.context.access.check(caller, Operation::Write, &dead_letters)?;
        }
        let kind = arguments::check_new_queue(&resource, &arguments, durable, exclusive, auto_delete)?;
        self.context.access.check_queue_limit(&self.vhost, name.as_str(), self.topology.queue_count())?;
        let spec = QueueSpec {
            id: self.context.next_queue_id(),
            name,
            kind,
            durable,
            auto_delete,
            exclusive_owner,
            arguments,
            declared_by: caller.user.clone(),
        };
        let queue = self.add_queue(spec, &caller.user)?;
        Ok(DeclaredQueue { put: Put::Created, queue })
    }

    /// Adds a queue that passed its checks, and starts it.
    pub(super) fn add_queue(&mut self, spec: QueueSpec, by: &UserName) -> Result<super::QueueHandle, Error> {
        if spec.durable {
            self.batch.writes.push(record::queue::put(&self.vhost, &spec)?);
        }
        self.context.churn.created.fetch_add(1, Relaxed);
        self.note(|owner, events| events::queue_created(events.node(), &owner.vhost, &spec, by.as_str()));
        Ok(self.spawn(Arc::new(spec), Recover::Nothing))
    }
}

/// A name nobody else has.
fn server_name() -> Result<QueueName, Error> {
    let mut random = [0; SERVER_NAMED_BYTES];
    getrandom::fill(&mut random).map_err(|error| Error::Internal(format!("no random bytes: {error}")))?;
    let name = format!("{SERVER_NAMED_PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
    QueueName::new(name).map_err(|error| Error::Internal(error.to_string()))
}
