//! The whole broker as one value: export and import.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::{Broker, Caller, ImportReport};
use crate::domain::binding::{Binding, Destination};
use crate::domain::exchange::{Exchange, predeclared};
use crate::domain::name::VhostName;
use crate::domain::parameter::{Document, Parameter};
use crate::domain::permission::{Permissions, TopicPermissions};
use crate::domain::policy::{Policy, PolicyKind};
use crate::domain::queue::QueueSpec;
use crate::domain::user::User;
use crate::domain::vhost::Vhost;
use crate::error::{DefinitionPlace, Error, Resource};
use crate::runtime::directory::{Directory, INTERNAL_CLUSTER_ID, import};
use crate::runtime::vhost::{Held, Part, Rules};

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

impl Broker {
    /// Everything exportable, of the whole broker or of one vhost. Exclusive queues,
    /// predeclared exchanges and default bindings are left out. Of one vhost there are no
    /// users, permissions and global parameters.
    ///
    /// # Errors
    /// [`Error::NoSuchVhost`].
    pub fn export_definitions(&self, vhost: Option<&VhostName>) -> Result<Definitions, Error> {
        let directory = self.directory();
        let mut definitions = match vhost {
            Some(name) => {
                let found = directory.vhosts.get(name).ok_or_else(|| Error::NoSuchVhost(name.clone()))?;
                Definitions { vhosts: vec![found.clone()], ..Definitions::default() }
            }
            None => Definitions {
                users: directory.users.values().cloned().collect(),
                vhosts: directory.vhosts.values().cloned().collect(),
                permissions: directory.permissions.values().cloned().collect(),
                topic_permissions: directory.topic_permissions.values().cloned().collect(),
                global_parameters: exported_global_parameters(&directory),
                ..Definitions::default()
            },
        };
        let wanted = |name: &VhostName| vhost.is_none_or(|only| only == name);
        definitions.parameters = directory.parameters.values().filter(|found| wanted(&found.vhost)).cloned().collect();
        let policies =
            |kind| directory.policies_of(kind).values().filter(|found| wanted(&found.vhost)).cloned().collect();
        definitions.policies = policies(PolicyKind::User);
        definitions.operator_policies = policies(PolicyKind::Operator);
        for name in directory.vhosts.keys().filter(|name| wanted(name)) {
            self.export_topology(name, &mut definitions);
        }
        Ok(definitions)
    }

    fn export_topology(&self, vhost: &VhostName, into: &mut Definitions) {
        let exchanges = self.exchanges(vhost).into_iter().map(|info| info.exchange);
        let own = exchanges.filter(|exchange| !exchange.name.is_default() && !exchange.name.is_reserved());
        into.exchanges.extend(own.map(|exchange| (vhost.clone(), exchange)));

        let (exclusive, shared): (Vec<_>, Vec<_>) =
            self.queues(vhost).into_iter().map(|info| info.spec).partition(|spec| spec.exclusive_owner.is_some());
        let exclusive: HashSet<_> = exclusive.into_iter().map(|spec| spec.name.clone()).collect();
        into.queues.extend(shared.into_iter().map(|spec| (vhost.clone(), spec)));

        let leads_to_exported = |binding: &Binding| match &binding.destination {
            Destination::Queue(queue) => !exclusive.contains(queue),
            Destination::Exchange(_) => true,
        };
        let bindings = self.bindings(vhost).into_iter();
        let own = bindings.filter(|binding| !binding.source.is_default() && leads_to_exported(binding));
        into.bindings.extend(own.map(|binding| (vhost.clone(), binding)));
    }

    /// Merges definitions: validated as a whole first, so a refused import changes nothing.
    /// Nothing is deleted; a queue, exchange or binding that exists is left as it is. The
    /// importing user gets full permissions in vhosts that are new.
    ///
    /// Nothing comes in between: each vhost it goes into has its part ready and takes no other
    /// request from the check until it is recorded. It is brought to its end even when nobody waits for it any more.
    ///
    /// # Errors
    /// The first object that breaks a rule, named.
    pub async fn import_definitions(&self, caller: &Caller, definitions: Definitions) -> Result<ImportReport, Error> {
        let import = self.clone().import(caller.clone(), definitions);
        tokio::spawn(import).await.unwrap_or_else(|error| Err(Error::Internal(error.to_string())))
    }

    async fn import(self, caller: Caller, definitions: Definitions) -> Result<ImportReport, Error> {
        let creator = (!caller.internal).then(|| caller.user.clone());
        let directory = self.directory();
        // Against the picture of now, to be told before anything is held; the owner of the
        // directory plans it again against the picture it is applied to.
        let planned = import::plan(&directory, &definitions, creator.as_ref())?;
        let mut planned_directory = Directory::clone(&directory);
        planned_directory.apply(&planned.changes);
        self.check_topic_exchanges(&definitions)?;

        let mut outside = definitions;
        let topology = ByVhost::take(&mut outside);
        let (mut held, mut begun) = (Vec::new(), Vec::new());
        let mut births = Vec::new();
        for (vhost, part) in topology.0 {
            births.extend(directory.vhost_birth(&vhost).map(|birth| (vhost.clone(), birth)));
            match self.hold(&vhost, part, &planned_directory, &mut begun).await {
                Ok(ready) => held.push(ready),
                Err(error) => return Err(self.dropped(held, begun, error).await),
            }
        }

        let change = move |directory: &Directory| {
            let gone = births.iter().find(|(vhost, birth)| directory.vhost_birth(vhost) != Some(*birth));
            match gone {
                Some((vhost, _)) => Err(Error::NoSuchVhost(vhost.clone())),
                None => import::plan(directory, &outside, creator.as_ref()),
            }
        };
        let mut report = match self.inner.directory.change(self.actor(), change).await {
            Ok(report) => report,
            Err(error) => return Err(self.dropped(held, begun, error).await),
        };
        for ready in held {
            report.add(ready.release().await?);
        }
        self.followed().await;
        Ok(report)
    }

    /// Has a vhost make ready its part of an import. One that is yet to come is begun: nobody finds
    /// it before the directory names it.
    async fn hold(
        &self,
        name: &VhostName,
        part: Part,
        planned: &Directory,
        begun: &mut Vec<VhostName>,
    ) -> Result<Held, Error> {
        let vhosts = &self.inner.vhosts;
        if vhosts.get(name).is_none() {
            vhosts.create(name);
            begun.push(name.clone());
        }
        let rules = planned.vhosts.get(name).map_or_else(Rules::default, |vhost| Rules {
            default_queue_kind: vhost.default_queue_type,
            limits: vhost.limits,
        });
        vhosts.require(name)?.hold(self.actor(), part, rules).await
    }

    /// Drops an import that was refused, with the vhosts that were begun for it.
    async fn dropped(&self, held: Vec<Held>, begun: Vec<VhostName>, refusal: Error) -> Error {
        drop(held);
        for name in begun {
            if !self.directory().vhosts.contains_key(&name) {
                self.inner.vhosts.delete(&name).await;
            }
        }
        refusal
    }

    /// Topic permissions need their exchange: there already, predeclared, or in the import.
    fn check_topic_exchanges(&self, definitions: &Definitions) -> Result<(), Error> {
        for (index, row) in definitions.topic_permissions.iter().enumerate() {
            let TopicPermissions { vhost, exchange, user, .. } = &**row;
            let exists = exchange.is_default()
                || self.exchange(vhost, exchange.as_str()).is_some()
                || predeclared().any(|known| known.name == *exchange)
                || definitions.exchanges.iter().any(|(place, new)| place == vhost && new.name == *exchange);
            if !exists {
                let missing = Error::NoSuch(Resource::Exchange(vhost.clone(), exchange.clone()));
                let object = format!("topic permissions of user: \"{user}\"");
                let place = DefinitionPlace::object("topic_permissions", index);
                return Err(Error::InDefinitions { object, place, error: Box::new(missing) });
            }
        }
        Ok(())
    }
}

/// The identity of a cluster is its own: it is not carried to another.
fn exported_global_parameters(directory: &Directory) -> Vec<(String, Document)> {
    let exported = directory.global_parameters.iter().filter(|(name, _)| name.as_str() != INTERNAL_CLUSTER_ID);
    exported.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// What an import brings into vhosts, by vhost.
struct ByVhost(BTreeMap<VhostName, Part>);

impl ByVhost {
    /// Takes the topology out of the definitions; the names of its vhosts have been checked.
    fn take(definitions: &mut Definitions) -> Self {
        let mut parts: BTreeMap<VhostName, Part> = BTreeMap::new();
        for (index, (vhost, exchange)) in std::mem::take(&mut definitions.exchanges).into_iter().enumerate() {
            parts.entry(vhost).or_default().exchanges.push((index, exchange));
        }
        for (index, (vhost, queue)) in std::mem::take(&mut definitions.queues).into_iter().enumerate() {
            parts.entry(vhost).or_default().queues.push((index, queue));
        }
        for (index, (vhost, binding)) in std::mem::take(&mut definitions.bindings).into_iter().enumerate() {
            parts.entry(vhost).or_default().bindings.push((index, binding));
        }
        Self(parts)
    }
}
