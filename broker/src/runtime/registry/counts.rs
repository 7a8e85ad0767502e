//! How many connections there are, and a vhost and a user have, and how many channels a user: kept as connections come and go, since every
//! opening asks.
//!
//! Owns the sums alone; who is there, the registry knows. A name without connections is not kept.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use crate::domain::name::{UserName, VhostName};

/// Open connections beside which another one would stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct OpenConnections {
    /// On the node.
    pub(crate) in_all: usize,
    /// In the vhost.
    pub(crate) in_vhost: usize,
    /// Of the user, in all vhosts.
    pub(crate) of_user: usize,
}

/// Open channels of one user, over all connections.
pub(super) type ChannelCount = Arc<AtomicUsize>;

#[derive(Debug, Default)]
struct OfUser {
    connections: usize,
    channels: ChannelCount,
}

/// The sums.
#[derive(Debug, Default)]
pub(super) struct Counts {
    vhosts: HashMap<VhostName, usize>,
    users: HashMap<UserName, OfUser>,
    connections: usize,
}

impl Counts {
    /// A connection came; answers with the count its channels belong to.
    pub(super) fn enter(&mut self, vhost: &VhostName, user: &UserName) -> ChannelCount {
        self.connections += 1;
        match self.vhosts.get_mut(vhost) {
            Some(count) => *count += 1,
            None => drop(self.vhosts.insert(vhost.clone(), 1)),
        }
        if !self.users.contains_key(user) {
            self.users.insert(user.clone(), OfUser::default());
        }
        self.users.get_mut(user).map_or_else(ChannelCount::default, |of_user| {
            of_user.connections += 1;
            of_user.channels.clone()
        })
    }

    /// A connection that had entered went, its channels before it.
    pub(super) fn leave(&mut self, vhost: &VhostName, user: &UserName) {
        self.connections -= 1;
        if let Some(count) = self.vhosts.get_mut(vhost) {
            *count -= 1;
            if *count == 0 {
                self.vhosts.remove(vhost);
            }
        }
        if let Some(of_user) = self.users.get_mut(user) {
            of_user.connections -= 1;
            if of_user.connections == 0 {
                self.users.remove(user);
            }
        }
    }

    /// How many connections there are.
    pub(super) fn connections(&self, vhost: &VhostName, user: &UserName) -> OpenConnections {
        OpenConnections {
            in_all: self.connections,
            in_vhost: self.vhosts.get(vhost).copied().unwrap_or_default(),
            of_user: self.users.get(user).map_or(0, |of_user| of_user.connections),
        }
    }

    /// Connections, whoever's.
    pub(super) fn all_connections(&self) -> usize {
        self.connections
    }

    /// How many channels a user has open.
    #[cfg(test)]
    pub(super) fn channels(&self, user: &UserName) -> usize {
        self.users.get(user).map_or(0, |of_user| of_user.channels.load(std::sync::atomic::Ordering::Relaxed))
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.connections == 0 && self.vhosts.is_empty() && self.users.is_empty()
    }
}
