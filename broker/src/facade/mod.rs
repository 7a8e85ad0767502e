//! The one door into the broker for the HTTP API and the listeners: calls in, values out.

mod definitions;
mod firehose;
mod flows;
mod health;
mod identity;
mod import_report;
mod lifecycle;
mod live;
mod messages;
mod metrics;
mod node;
mod open;
mod parameters;
mod statistics;
#[cfg(test)]
pub(crate) mod tests;
mod topology;
mod vhosts;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::domain::alarm::Limits;
use crate::domain::arguments::EffectiveArguments;
use crate::domain::name::{UserName, VhostName};
use crate::domain::parameter::Document;
use crate::domain::queue::{ConnectionId, QueueSpec};
use crate::error::Error;
use crate::metrics::Churn;
use crate::runtime::access::DirectoryAccess;
use crate::runtime::alarms::{AlarmPicture, AlarmsHandle};
use crate::runtime::credentials::{Credentials, HashingPool};
use crate::runtime::directory::{CLUSTER_NAME, Directory, DirectoryHandle, FirstBoot, Plan};
use crate::runtime::events::alarms::AlarmEvents;
use crate::runtime::events::{Events, Publisher};
use crate::runtime::follower::Follower;
use crate::runtime::queue::ConnectionEvent;
use crate::runtime::registry::Registry;
use crate::runtime::vhost::{Access, LiveTopology, VhostHandle, VhostRegistry};
use crate::storage::{MetadataStore, QueueLog};

pub use crate::runtime::alarms::ChangeLimits;
pub use definitions::Definitions;
pub use flows::{ChannelFlows, ExchangeFlows, PublishedFlow, QueueFlows, RoutedFlow, TakenFlow};
pub use health::{ConnectionRoom, QueueDown};
pub use identity::{AuthAttempts, Peer, PutPassword, PutUser};
pub use import_report::{ImportCounts, ImportReport, SkippedObject};
pub use live::{ChannelInfo, ConnectionInfo, ConsumerInfo};
pub use messages::{AckMode, FetchedMessage, Published};
pub use metrics::LiveSums;
pub use node::{AppService, AppState, Listener, Node, NodeStatus, Settings};

pub use open::{LiveChannel, LiveConnection};
pub use parameters::PutPolicy;
pub use statistics::{NodeCounters, VhostCounters};
pub use topology::{
    DeclareExchange, DeclareQueue, DeletedQueue, ExchangeInfo, LiveExchange, LiveQueue, QueueInfo, QueueTotals,
};
pub use vhosts::{PutVhost, VhostTotals};

/// Whether a put created the object or found it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is new.
    Created,
    /// It was there, and now has the given values.
    Existed,
}

/// On whose behalf an operation runs. Permissions are those of the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who asks.
    pub user: UserName,
    /// Over which AMQP connection; `None` for the HTTP API. Exclusive queues belong to a connection.
    pub connection: Option<ConnectionId>,
    /// The node itself (its control socket): permissions are not asked.
    pub internal: bool,
}

/// The name under which the node's own control socket acts.
pub const INTERNAL_USER: &str = "rmq-cli";

impl Caller {
    /// A user without an AMQP connection.
    #[must_use]
    pub fn user(user: UserName) -> Self {
        Self { user, connection: None, internal: false }
    }

    /// A user over an AMQP connection.
    #[must_use]
    pub fn on_connection(user: UserName, connection: ConnectionId) -> Self {
        Self { user, connection: Some(connection), internal: false }
    }

    /// The node itself. A user of the same name gains nothing by it: only the flag counts.
    #[must_use]
    pub fn internal() -> Self {
        let user = UserName::new(INTERNAL_USER).expect("user names have no limit");
        Self { user, connection: None, internal: true }
    }
}

/// A running broker. Cheap to clone.
#[derive(Clone)]
pub struct Broker {
    pub(crate) inner: Arc<Inner>,
    /// On whose behalf this handle changes things; `None`: the node's own.
    actor: Option<UserName>,
}

/// What all handles of one broker share.
pub(crate) struct Inner {
    /// Users, vhosts, permissions, policies and parameters.
    pub(crate) directory: DirectoryHandle,
    /// Verified credentials and login counters.
    pub(crate) credentials: Credentials,
    /// What the node was started with.
    pub(crate) settings: Arc<Settings>,
    /// What is inside the vhosts.
    pub(crate) vhosts: Arc<VhostRegistry>,
    /// Carries changes of the directory to vhosts and connections.
    pub(crate) follower: Follower,
    /// Live connections and channels.
    pub(crate) registry: Arc<Registry>,
    /// Memory, disk and storage: what is scarce.
    pub(crate) alarms: AlarmsHandle,
    /// What happens, told to whoever wants to know.
    pub(crate) events: Arc<Events>,
    /// Publishes events as long as this is held.
    _publisher: Publisher,
}

impl Broker {
    /// Starts the owners on what is stored.
    ///
    /// # Errors
    /// `Unavailable` when stored state cannot be read.
    pub(crate) async fn start(
        settings: Arc<Settings>,
        metadata: Arc<dyn MetadataStore>,
        log: Arc<dyn QueueLog>,
    ) -> Result<Self, Error> {
        let first_boot = FirstBoot::from_settings(&settings).map_err(|error| Error::InvalidValue(error.to_string()))?;
        let pool = HashingPool::new();
        let (events, waiting) = Events::new(&settings.node_name);
        let directory = DirectoryHandle::start(metadata.clone(), first_boot, pool.clone(), events.clone()).await?;
        let seen = directory.snapshot();
        let access = Arc::new(DirectoryAccess(directory.clone()));
        let names: Vec<_> = seen.vhosts.keys().cloned().collect();
        let health = log.health();
        let vhosts = Arc::new(VhostRegistry::recover(names, metadata, log, access, settings.memory_bytes()).await?);
        let registry = Arc::new(Registry::default());
        let default_vhost =
            VhostName::new(&settings.default_vhost).map_err(|error| Error::InvalidValue(error.to_string()))?;
        let publisher = Publisher::start(waiting, vhosts.clone(), default_vhost);
        let (connections, measured) = (registry.clone(), settings.clone());
        let alarm_events = AlarmEvents::new(events.clone());
        let on_change = Box::new(move |picture: &AlarmPicture| {
            alarm_events.tell(&picture.verdict);
            connections.alarms_changed(picture.verdict.is_alarmed());
        });
        let probe = Arc::new(move || measured.measure());
        let alarms = AlarmsHandle::start(settings.limits(), probe, health, on_change).await;
        registry.alarms_changed(alarms.picture().verdict.is_alarmed());
        let connections = registry.clone();
        let react = Box::new(move |difference: &_| connections.follow(difference));
        let follower = Follower::start(directory.clone(), seen, vhosts.clone(), react);
        let credentials = Credentials::new(pool)?;
        let inner = Inner {
            directory,
            credentials,
            settings,
            vhosts,
            follower,
            registry,
            alarms,
            events,
            _publisher: publisher,
        };
        Ok(Self { inner: Arc::new(inner), actor: None })
    }

    /// This broker, for somebody: events say that changes are this user's doing.
    #[must_use]
    pub fn on_behalf_of(self, user: UserName) -> Self {
        Self { actor: Some(user), ..self }
    }

    /// Who is said to do what is done through this handle.
    pub(crate) fn actor(&self) -> UserName {
        self.actor.clone().unwrap_or_else(|| Caller::internal().user)
    }

    /// Where events are told.
    pub(crate) fn events(&self) -> &Arc<Events> {
        &self.inner.events
    }

    /// Where everything that lasts is kept.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.settings().data_dir
    }

    /// Begins or ends telling events: the exchange is there while they are told.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn tell_events(&self, on: bool) -> Result<(), Error> {
        let name =
            VhostName::new(&self.settings().default_vhost).map_err(|error| Error::InvalidValue(error.to_string()))?;
        if let Some(vhost) = self.vhost(&name) {
            vhost.provide_event_exchange(on).await?;
        }
        self.events().switch(on);
        Ok(())
    }

    /// Asks every connection to close with 320.
    pub(crate) fn close_all_connections(&self, reason: &str) {
        self.registry().tell(|_| true, || ConnectionEvent::Close(reason.to_owned()));
    }

    /// What came and went since the application started.
    #[must_use]
    pub fn churn(&self) -> Churn {
        let queues = self.inner.vhosts.churn();
        Churn {
            queue_declared: queues.declared.load(Relaxed),
            queue_created: queues.created.load(Relaxed),
            queue_deleted: queues.deleted.load(Relaxed),
            ..self.registry().churn()
        }
    }

    /// Ends the owners of vhosts and queues. What is durable stays.
    pub(crate) async fn stop(&self) {
        self.inner.vhosts.stop().await;
    }

    /// What the node was started with.
    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Live connections and channels.
    pub(crate) fn registry(&self) -> &Registry {
        &self.inner.registry
    }

    /// What is scarce.
    pub(crate) fn alarms(&self) -> &AlarmsHandle {
        &self.inner.alarms
    }

    /// Changes resource limits until the application stops; resolves when the alarms that
    /// follow are in force.
    ///
    /// # Errors
    /// `Unavailable` when the application has stopped.
    pub async fn change_limits(&self, change: ChangeLimits) -> Result<(), Error> {
        self.alarms().change(change).await
    }

    /// Where resource alarms start.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.alarms().picture().limits
    }

    /// What applies to a queue now, from its arguments and the policies.
    pub(crate) fn queue_settings(&self, vhost: &VhostName, queue: &QueueSpec) -> EffectiveArguments {
        DirectoryAccess(self.inner.directory.clone()).queue_settings(vhost, queue)
    }

    /// A live vhost.
    pub(crate) fn vhost(&self, vhost: &VhostName) -> Option<VhostHandle> {
        self.inner.vhosts.get(vhost)
    }

    /// The current picture of a vhost.
    pub(crate) fn topology(&self, vhost: &VhostName) -> Option<Arc<LiveTopology>> {
        self.vhost(vhost).map(|vhost| vhost.topology())
    }

    /// The name shown for the cluster.
    #[must_use]
    pub fn cluster_name(&self) -> String {
        let directory = self.inner.directory.snapshot();
        let named = directory.global_parameters.get(CLUSTER_NAME).and_then(Document::as_str).map(str::to_owned);
        named.unwrap_or_else(|| self.settings().node_name.clone())
    }

    /// A connection is over: what belonged to it alone goes.
    pub(crate) async fn connection_ended(&self, vhost: &VhostName, connection: ConnectionId) {
        self.inner.vhosts.delete_exclusive(vhost, connection).await;
    }

    /// Changes the directory, and resolves when the change is durable, published and
    /// carried out: vhosts are there or gone, queues have the policies that apply now.
    pub(crate) async fn change<T, P>(&self, plan: P) -> Result<T, Error>
    where
        T: Send + 'static,
        P: FnOnce(&Directory) -> Result<Plan<T>, Error> + Send + 'static,
    {
        let outcome = self.inner.directory.change(self.actor(), plan).await?;
        self.followed().await;
        Ok(outcome)
    }

    /// Resolves when all changes of the directory are carried out.
    pub(crate) async fn followed(&self) {
        let Inner { directory, follower, .. } = &*self.inner;
        follower.caught_up(directory.snapshot().version()).await;
    }
}
