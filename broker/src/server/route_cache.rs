//! The last routes of a channel: a publisher usually names the same exchange and key
//! again, and then neither permissions nor bindings need another look.

use std::sync::Arc;

use super::flows::{ChannelFlows, Mark};
use crate::domain::exchange::ExchangeTraffic;
use crate::domain::message::Message;
use crate::runtime::directory::Directory;
use crate::runtime::flows::{Published, RoutedOnChannel};
use crate::runtime::queue::QueueHandle;
use crate::runtime::vhost::LiveTopology;

/// Routes remembered per channel.
const ROUTES_MAX: usize = 8;

/// Longest properties remembered with a route: comparing them is to be cheaper than reading them.
const PROPERTIES_BYTES_MAX: usize = 64;

#[derive(Default)]
struct Route {
    /// Exchange and routing key as two short strings.
    names: Vec<u8>,
    /// Properties the last message had that were checked and found plain; empty: none.
    properties: Vec<u8>,
    /// Whether those say persistent.
    persistent: bool,
    queues: Vec<QueueHandle>,
    traffic: Option<Arc<ExchangeTraffic>>,
    /// How its messages are marked, and what counts them by pair; `None` where nothing does.
    mark: Mark,
    published: Option<Arc<Published>>,
    ways: Vec<Arc<RoutedOnChannel>>,
    /// Messages that went this way and are not counted yet.
    uncounted: u64,
}

impl Route {
    fn count(&mut self) {
        let published = std::mem::take(&mut self.uncounted);
        if published == 0 {
            return;
        }
        if let Some(traffic) = &self.traffic {
            traffic.count(published, published * self.queues.len() as u64);
        }
        if let Some(pair) = &self.published {
            pair.count(published);
            self.ways.iter().for_each(|way| way.count(published));
        }
    }
}

/// Routes that hold as long as topology and directory are the ones they were found in.
#[derive(Default)]
pub(super) struct RouteCache {
    valid_for: Option<(Arc<LiveTopology>, Arc<Directory>)>,
    routes: Vec<Route>,
    replace_next: usize,
    uncounted: bool,
}

impl RouteCache {
    fn is_valid_for(&self, topology: &Arc<LiveTopology>, directory: &Arc<Directory>) -> bool {
        self.valid_for.as_ref().is_some_and(|(valid_topology, valid_directory)| {
            Arc::ptr_eq(valid_topology, topology) && Arc::ptr_eq(valid_directory, directory)
        })
    }

    /// The queues of a message whose names and properties are those of one before, whether it
    /// is persistent, and its mark: nothing about it needs a look. One more message goes that way.
    pub(super) fn recall(
        &mut self,
        topology: &Arc<LiveTopology>,
        directory: &Arc<Directory>,
        names: &[u8],
        properties: &[u8],
    ) -> Option<(&[QueueHandle], bool, Mark)> {
        if !self.is_valid_for(topology, directory) {
            return None;
        }
        let route = self.routes.iter_mut().find(|route| route.names == names)?;
        if route.properties != properties || route.queues.is_empty() {
            return None;
        }
        route.uncounted += 1;
        self.uncounted = true;
        Some((&route.queues, route.persistent, route.mark))
    }

    /// The queues and the mark of a route found before, which one more message takes. Its `properties`
    /// were checked and are plain, so [`Self::recall`] will know them.
    pub(super) fn take(
        &mut self,
        topology: &Arc<LiveTopology>,
        directory: &Arc<Directory>,
        message: &Message,
    ) -> Option<(&[QueueHandle], Mark)> {
        if !self.is_valid_for(topology, directory) {
            return None;
        }
        let route = self.routes.iter_mut().find(|route| route.names == message.names())?;
        route.properties.clear();
        if message.properties().len() <= PROPERTIES_BYTES_MAX {
            route.properties.extend_from_slice(message.properties());
            route.persistent = message.is_persistent();
        }
        route.uncounted += 1;
        self.uncounted = true;
        Some((&route.queues, route.mark))
    }

    /// Remembers a route, which the message went that `flows` counted last, with this mark.
    pub(super) fn insert(
        &mut self,
        topology: &Arc<LiveTopology>,
        directory: &Arc<Directory>,
        names: &[u8],
        queues: &[QueueHandle],
        traffic: &Arc<ExchangeTraffic>,
        (flows, mark): (&ChannelFlows, Mark),
    ) {
        self.count();
        if !self.is_valid_for(topology, directory) {
            self.routes.clear();
            self.replace_next = 0;
            self.valid_for = Some((topology.clone(), directory.clone()));
        }
        let place = if self.routes.len() < ROUTES_MAX {
            self.routes.push(Route::default());
            self.routes.len() - 1
        } else {
            self.replace_next = (self.replace_next + 1) % ROUTES_MAX;
            self.replace_next
        };
        // What a replaced one took up is used again.
        let route = &mut self.routes[place];
        route.names.clear();
        route.names.extend_from_slice(names);
        route.properties.clear();
        route.persistent = false;
        route.queues.clear();
        route.queues.extend_from_slice(queues);
        route.traffic = Some(traffic.clone());
        route.mark = mark;
        route.ways.clear();
        route.published = flows.way(mark).map(|(published, ways)| {
            route.ways.extend_from_slice(ways);
            published.clone()
        });
    }

    /// Adds what went through to the exchanges' counters: once a pass, not once a message.
    pub(super) fn count(&mut self) {
        if std::mem::take(&mut self.uncounted) {
            self.routes.iter_mut().for_each(Route::count);
        }
    }
}
