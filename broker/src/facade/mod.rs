//! The one door into the broker for the HTTP API and the listeners: calls in, values out.

mod definitions;
mod identity;
mod live;
mod messages;
mod node;
mod parameters;
#[cfg(test)]
mod tests;
mod topology;
mod vhosts;

use std::sync::Arc;

use crate::domain::name::UserName;
use crate::domain::queue::ConnectionId;
use crate::error::Error;
use crate::runtime::credentials::Credentials;
use crate::runtime::directory::{Directory, DirectoryHandle, Plan};
use crate::runtime::follower::Follower;
use crate::runtime::vhost::VhostRegistry;

pub use definitions::{Definitions, ImportReport};
pub use identity::{AuthAttempts, Peer, PutPassword, PutUser};
pub use live::{ChannelInfo, ConnectionInfo, ConsumerInfo};
pub use messages::{AckMode, FetchedMessage, Published};
pub use node::{AppService, AppState, Listener, Node, NodeStatus, Settings};

pub use parameters::PutPolicy;
pub use topology::{DeclareExchange, DeclareQueue, DeletedQueue, ExchangeInfo, QueueInfo, QueueTotals};
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
}

impl Broker {
    /// Changes the directory, and resolves when the change is durable, published and
    /// carried out: vhosts are there or gone, queues have the policies that apply now.
    pub(crate) async fn change<T, P>(&self, plan: P) -> Result<T, Error>
    where
        T: Send + 'static,
        P: FnOnce(&Directory) -> Result<Plan<T>, Error> + Send + 'static,
    {
        let Inner { directory, follower, .. } = &*self.inner;
        let outcome = directory.change(plan).await?;
        follower.caught_up(directory.snapshot().version()).await;
        Ok(outcome)
    }
}
