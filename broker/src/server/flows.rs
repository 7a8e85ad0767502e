//! What one channel counts by pair: where it publishes to, and what it takes its messages off.
//!
//! A pair is looked for when a route or a consumer is new; then its counters are at hand, so a
//! pass adds to them without a look. It knows nobody who reads.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use crate::domain::exchange::{ExchangeId, ExchangeTraffic};
use crate::domain::queue::QueueId;
use crate::runtime::flows::{ChannelKey, PAIRS_MAX, Published, RoutedOnChannel, Taken};
use crate::runtime::queue::QueueHandle;
use crate::runtime::vhost::VhostHandle;

/// Which exchange a message was published to, as its channel counts them.
pub(super) type Mark = u16;

/// Of a message that is not counted by pair.
pub(super) const NO_MARK: Mark = Mark::MAX;

const _: () = assert!(PAIRS_MAX < NO_MARK as usize);

/// Mixes the two identities of a pair, which are consecutive numbers that no client chooses.
#[derive(Debug, Default)]
struct PairHasher(u64);

impl Hasher for PairHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(29) ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }
}

/// `None`: that pair is not counted.
type Ways = HashMap<(ExchangeId, QueueId), Option<Arc<RoutedOnChannel>>, BuildHasherDefault<PairHasher>>;

/// The pairs of one channel.
#[derive(Debug)]
pub(super) struct ChannelFlows {
    channel: ChannelKey,
    /// Whether pairs are counted at all.
    counts: bool,
    /// By mark.
    published: Vec<Arc<Published>>,
    /// The last one that was looked for.
    last: usize,
    routed: Ways,
    /// Where the last message went that was looked up.
    ways: Vec<Arc<RoutedOnChannel>>,
    taken: Vec<Arc<Taken>>,
}

impl ChannelFlows {
    /// Nothing yet.
    pub(super) fn new(channel: ChannelKey, counts: bool) -> Self {
        Self {
            channel,
            counts,
            published: Vec::new(),
            last: 0,
            routed: Ways::default(),
            ways: Vec::new(),
            taken: Vec::new(),
        }
    }

    /// Counts a message published to an exchange and given to queues. `unanswered`: publishes
    /// that still bear their marks.
    pub(super) fn published(
        &mut self,
        vhost: &VhostHandle,
        (name, traffic): (&str, &Arc<ExchangeTraffic>),
        queues: &[QueueHandle],
        unanswered: usize,
    ) -> Mark {
        self.ways.clear();
        if !self.counts {
            return NO_MARK;
        }
        let Some(mark) = self.mark(vhost, name, traffic, unanswered) else { return NO_MARK };
        let published = &self.published[mark];
        published.count(1);
        for queue in queues {
            let key = (traffic.id(), queue.spec().id);
            if self.routed.len() >= PAIRS_MAX && !self.routed.contains_key(&key) {
                self.routed.retain(|_, pair| pair.as_ref().is_some_and(|pair| !pair.routed().is_gone()));
                if self.routed.len() >= PAIRS_MAX {
                    continue;
                }
            }
            let find = || vhost.flows().routes(self.channel, published, queue, || vhost.topology());
            if let Some(pair) = self.routed.entry(key).or_insert_with(find) {
                pair.count(1);
                self.ways.push(pair.clone());
            }
        }
        mark as Mark
    }

    fn mark(
        &mut self,
        vhost: &VhostHandle,
        name: &str,
        traffic: &Arc<ExchangeTraffic>,
        unanswered: usize,
    ) -> Option<usize> {
        let is_it = |published: &Arc<Published>| published.exchange() == traffic.id();
        if self.published.get(self.last).is_some_and(is_it) {
            return Some(self.last);
        }
        if let Some(at) = self.published.iter().position(is_it) {
            self.last = at;
            return Some(at);
        }
        if self.published.len() >= PAIRS_MAX {
            // Marks are places, so nobody may remember one.
            if unanswered > 0 {
                return None;
            }
            self.published.retain(|published| !published.is_gone());
            if self.published.len() >= PAIRS_MAX {
                return None;
            }
        }
        let published = vhost.flows().publishes(self.channel, name, traffic, || vhost.topology())?;
        self.published.push(published);
        self.last = self.published.len() - 1;
        Some(self.last)
    }

    /// The exchange of the last message that was counted, and where it went.
    pub(super) fn way(&self, mark: Mark) -> Option<(&Arc<Published>, &[Arc<RoutedOnChannel>])> {
        Some((self.published.get(usize::from(mark))?, &self.ways))
    }

    /// Counts confirms of messages with a mark.
    pub(super) fn confirmed(&self, mark: Mark, count: u64) {
        if let Some(published) = self.published.get(usize::from(mark)) {
            published.confirmed(count);
        }
    }

    /// Counts a message that went nowhere.
    pub(super) fn unroutable(&self, mark: Mark, returned: bool) {
        match self.published.get(usize::from(mark)) {
            Some(published) if returned => published.returned(),
            Some(published) => published.dropped(),
            None => {}
        }
    }

    /// What counts the messages this channel takes off a queue.
    pub(super) fn taken(&mut self, vhost: &VhostHandle, queue: &QueueHandle) -> Arc<Taken> {
        if let Some(taken) = self.taken.iter().rev().find(|taken| taken.queue() == queue) {
            return taken.clone();
        }
        self.taken.retain(|taken| !taken.queue().is_gone());
        let taken = match self.counts && self.taken.len() < PAIRS_MAX {
            true => vhost.flows().takes(self.channel, queue, || vhost.topology()),
            false => Arc::new(Taken::new(self.channel, queue.clone())),
        };
        if self.taken.len() < PAIRS_MAX {
            self.taken.push(taken.clone());
        }
        taken
    }

    /// The channel is over.
    pub(super) fn leave(&mut self, vhost: &VhostHandle) {
        if self.counts {
            vhost.flows().leave(self.channel);
        }
    }
}
