//! Adding much at once: definitions.
//!
//! An import asks no permissions and skips what exists, whatever its properties. Every
//! object is checked before the first is added, so a refused import changes nothing. What goes
//! into several vhosts, and into the directory, is brought about in two steps: each vhost makes
//! ready what it was given and takes no other request until it is told to go on or to drop it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::LiveTopology;
use super::command::{Reply, VhostCommand};
use super::handle::{VhostHandle, exchange_name, queue_name};
use super::owner::Owner;
use crate::domain::arguments::{self, Redeclared};
use crate::domain::binding::{Binding, Destination};
use crate::domain::exchange::{self, Exchange, ExchangeKind};
use crate::domain::name::{ExchangeName, QueueName, UserName, VhostName};
use crate::domain::queue::{QueueKind, QueueSpec};
use crate::domain::vhost::VhostLimits;
use crate::error::{DefinitionPlace, Error, ErrorKind, Resource};
use crate::facade::{ImportReport, Put, SkippedObject};

/// What an import brings into one vhost, each object with its place in its list of the document.
#[derive(Debug, Clone, Default)]
pub(crate) struct Part {
    pub(crate) exchanges: Vec<(usize, Arc<Exchange>)>,
    pub(crate) queues: Vec<(usize, Arc<QueueSpec>)>,
    pub(crate) bindings: Vec<(usize, Arc<Binding>)>,
}

/// What the directory will say of a vhost once it holds what the import brings there.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rules {
    /// The type of queues declared without one.
    pub(crate) default_queue_kind: QueueKind,
    pub(crate) limits: VhostLimits,
}

/// An import on its way to a vhost.
#[derive(Debug)]
pub(super) struct Import {
    /// Who is said to have brought it.
    pub(super) by: UserName,
    pub(super) part: Part,
    pub(super) rules: Rules,
    /// Told when everything is ready, or what is refused.
    pub(super) ready: Reply<()>,
    /// When it comes, what is ready is recorded; when it cannot come any more, it is dropped.
    pub(super) go: oneshot::Receiver<()>,
    pub(super) reply: Reply<ImportReport>,
}

/// A vhost that has an import ready and waits. Dropped, it drops the import.
#[derive(Debug)]
pub(crate) struct Held {
    go: oneshot::Sender<()>,
    answer: oneshot::Receiver<Result<ImportReport, Error>>,
}

impl Held {
    /// Has it recorded; resolves when it is durable and published.
    ///
    /// # Errors
    /// `Unavailable` when it could not be recorded, or the broker stops.
    pub(crate) async fn release(self) -> Result<ImportReport, Error> {
        let stopped = || Error::Unavailable("the broker is stopping".into());
        self.go.send(()).map_err(|()| stopped())?;
        self.answer.await.map_err(|_| stopped())?
    }
}

impl VhostHandle {
    /// Makes an import ready, all of it checked; the vhost takes no other request until it is released or dropped.
    /// Whoever holds several takes them in the order of their names.
    ///
    /// # Errors
    /// [`Error::InDefinitions`] or [`Error::UndeclarableInDefinitions`] for the first object that
    /// breaks a rule, `Unavailable`.
    pub(crate) async fn hold(&self, by: UserName, part: Part, rules: Rules) -> Result<Held, Error> {
        let (go, told_to_go) = oneshot::channel();
        let (reply, answer) = oneshot::channel();
        self.ask(|ready| VhostCommand::Import(Box::new(Import { by, part, rules, ready, go: told_to_go, reply })))
            .await?;
        Ok(Held { go, answer })
    }
}

/// The lists of a definitions document that go into vhosts.
const EXCHANGES: &str = "exchanges";
const QUEUES: &str = "queues";
const BINDINGS: &str = "bindings";

impl Owner {
    /// Makes an import ready, and waits until it is wanted. What was asked before is recorded already.
    pub(super) async fn import(&mut self, import: Import) {
        let Import { by, part, rules, ready, go, reply } = import;
        let mark = self.mark();
        match self.add_all(&by, part, rules) {
            Ok(report) => {
                // Whoever asked may be gone, or have been refused elsewhere.
                if ready.send(Ok(())).is_ok() && go.await.is_ok() {
                    self.answer(reply, Ok(report));
                } else {
                    self.undo(mark);
                }
            }
            Err(error) => {
                self.undo(mark);
                let _ = ready.send(Err(error));
            }
        }
    }

    fn add_all(&mut self, by: &UserName, part: Part, rules: Rules) -> Result<ImportReport, Error> {
        let checker = ImportCheck { vhost: &self.vhost, topology: &self.topology, rules };
        let Checked { exchanges, queues, mut report } = checker.check(&part)?;
        for skipped in &report.skipped {
            let SkippedObject { section, name, reason, .. } = skipped;
            tracing::warn!(vhost = %self.vhost, section, name, reason, "not imported");
        }
        for exchange in exchanges {
            report.count(EXCHANGES, Put::Created, false);
            self.add_exchange(exchange, by)?;
        }
        for queue in queues {
            report.count(QUEUES, Put::Created, false);
            let id = self.context.next_queue_id();
            self.add_queue(QueueSpec { id, ..queue }, by)?;
        }
        for (_, binding) in part.bindings {
            let put = self.add_binding(Arc::unwrap_or_clone(binding), by)?;
            report.count(BINDINGS, put, false);
        }
        Ok(report)
    }
}

/// Checks an import against a picture.
struct ImportCheck<'a> {
    vhost: &'a VhostName,
    topology: &'a LiveTopology,
    rules: Rules,
}

/// What an import comes to, all of it checked.
struct Checked {
    /// Those that are new.
    exchanges: Vec<Exchange>,
    /// Those that are new; their identities are yet to be given.
    queues: Vec<QueueSpec>,
    /// What becomes of the others.
    report: ImportReport,
}

impl ImportCheck<'_> {
    fn check(&self, part: &Part) -> Result<Checked, Error> {
        let mut report = ImportReport::default();
        let exchanges = self.new_exchanges(&part.exchanges, &mut report)?;
        let queues = self.new_queues(&part.queues, &mut report)?;
        self.check_bindings(&exchanges, &queues, &part.bindings)?;
        Ok(Checked { exchanges, queues, report })
    }

    fn skipped(&self, section: &'static str, index: usize, name: &str, reason: &dyn fmt::Display) -> SkippedObject {
        let (name, vhost, reason) = (name.to_owned(), self.vhost.clone(), reason.to_string());
        SkippedObject { section, index, name, vhost, reason }
    }

    fn new_exchanges(
        &self,
        exchanges: &[(usize, Arc<Exchange>)],
        report: &mut ImportReport,
    ) -> Result<Vec<Exchange>, Error> {
        let mut new: Vec<Exchange> = Vec::new();
        let mut seen = HashMap::new();
        for (index, exchange) in exchanges {
            let place = DefinitionPlace::object(EXCHANGES, *index);
            let name = exchange_name(exchange.name.as_str()).map_err(|error| unnamed(&place, error))?;
            let resource = Resource::Exchange(self.vhost.clone(), name.clone());
            let entry = self.topology.exchange(name.as_str());
            let present =
                entry.map(|entry| &**entry.exchange()).or_else(|| seen.get(&name).map(|at: &usize| &new[*at]));
            if let Some(present) = present {
                let flags = [exchange.durable, exchange.auto_delete, exchange.internal];
                let same = arguments::check_exchange_equivalence(
                    &resource,
                    present,
                    exchange.kind,
                    flags,
                    &exchange.arguments,
                );
                match same {
                    Ok(()) => report.count(EXCHANGES, Put::Existed, false),
                    Err(error) => report.skip(self.skipped(EXCHANGES, *index, name.as_str(), &error)),
                }
                continue;
            }
            if name.is_default() || name.is_reserved() {
                let reason = "only the broker gives names that begin with amq., and the nameless exchange is its own";
                report.skip(self.skipped(EXCHANGES, *index, name.as_str(), &reason));
                continue;
            }
            arguments::check_new_exchange(&resource, &exchange.arguments)
                .and_then(|()| exchange::check_arguments(&resource, exchange.kind, &exchange.arguments))
                .map_err(|error| in_object(&resource, place, error))?;
            seen.insert(name.clone(), new.len());
            new.push(Exchange { name, ..(**exchange).clone() });
        }
        Ok(new)
    }

    fn new_queues(
        &self,
        queues: &[(usize, Arc<QueueSpec>)],
        report: &mut ImportReport,
    ) -> Result<Vec<QueueSpec>, Error> {
        let mut new: Vec<QueueSpec> = Vec::new();
        let mut seen = HashMap::new();
        for (index, queue) in queues {
            let place = DefinitionPlace::object(QUEUES, *index);
            let name = queue_name(queue.name.as_str()).map_err(|error| unnamed(&place, error))?;
            let resource = Resource::Queue(self.vhost.clone(), name.clone());
            let fits_any_kind = queue.durable && !queue.auto_delete;
            let arguments =
                || arguments::with_queue_type(&queue.arguments, self.rules.default_queue_kind, fits_any_kind);
            let entry = self.topology.queue(name.as_str());
            let present = entry.map(|entry| &**entry.spec()).or_else(|| seen.get(&name).map(|at: &usize| &new[*at]));
            if let Some(present) = present {
                let arguments = arguments();
                let (durable, auto_delete) = (queue.durable, queue.auto_delete);
                let asked = Redeclared { durable, auto_delete, exclusive_owner: None, arguments: &arguments };
                match arguments::check_queue_equivalence(&resource, present, asked) {
                    Ok(()) => report.count(QUEUES, Put::Existed, false),
                    Err(error) => report.skip(self.skipped(QUEUES, *index, name.as_str(), &error)),
                }
                continue;
            }
            // Files of older brokers hold such queues; the rest of a file must not fail for them.
            if let Some(argument) = arguments::denied_argument(&queue.arguments) {
                let reason = format!("the argument {argument} is deprecated and not offered");
                report.skip(self.skipped(QUEUES, *index, name.as_str(), &reason));
                continue;
            }
            let arguments = arguments();
            let present = self.topology.queue_count() + new.len();
            let kind = arguments::check_new_queue(&resource, &arguments, queue.durable, false, queue.auto_delete)
                .and_then(|kind| self.rules.limits.check_queues(self.vhost, name.as_str(), present).map(|()| kind))
                .map_err(|error| in_object(&resource, place, error))?;
            seen.insert(name.clone(), new.len());
            new.push(QueueSpec { name, kind, exclusive_owner: None, arguments, ..(**queue).clone() });
        }
        Ok(new)
    }

    /// Both ends must be there, or come with the import.
    fn check_bindings(
        &self,
        exchanges: &[Exchange],
        queues: &[QueueSpec],
        bindings: &[(usize, Arc<Binding>)],
    ) -> Result<(), Error> {
        let new_exchanges: HashMap<&ExchangeName, ExchangeKind> =
            exchanges.iter().map(|exchange| (&exchange.name, exchange.matching())).collect();
        let new_queues: HashMap<&QueueName, QueueKind> = queues.iter().map(|queue| (&queue.name, queue.kind)).collect();
        let kind_of = |name: &ExchangeName| {
            let new = new_exchanges.get(name).copied();
            new.or_else(|| self.topology.exchange(name.as_str()).map(|entry| entry.exchange().matching()))
        };
        for (index, binding) in bindings {
            let source = Resource::Exchange(self.vhost.clone(), binding.source.clone());
            let refused_for = |field: Option<&str>, error| {
                let place =
                    DefinitionPlace { field: field.map(str::to_owned), ..DefinitionPlace::object(BINDINGS, *index) };
                in_object(&source, place, error)
            };
            if binding.source.is_default() {
                return Err(refused_for(Some("source"), Error::DefaultExchange));
            }
            let kind =
                kind_of(&binding.source).ok_or_else(|| refused_for(Some("source"), Error::NoSuch(source.clone())))?;
            let refused = |error| refused_for(Some("destination"), error);
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
            binding.check(kind, queue).map_err(|error| refused_for(None, error))?;
        }
        Ok(())
    }
}

/// A refusal of a name, which the reference does not frame.
fn unnamed(place: &DefinitionPlace, error: Error) -> Error {
    let place = DefinitionPlace { field: Some("name".to_owned()), ..place.clone() };
    Error::InDefinitions { object: String::new(), place, error: Box::new(error) }
}

/// A refusal of a declaration names its object; others are told where they come from.
fn in_object(object: &Resource, place: DefinitionPlace, error: Error) -> Error {
    if error.kind() == ErrorKind::PreconditionFailed {
        return Error::UndeclarableInDefinitions { place, error: Box::new(error) };
    }
    Error::InDefinitions { object: object.to_string(), place, error: Box::new(error) }
}
