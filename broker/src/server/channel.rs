//! One channel: what is open on it and what is out.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::amqp091::confirm::ConfirmTracker;
use crate::amqp091::content::Gathering;
use crate::amqp091::reply::{ReplyCode, Violation};
use crate::domain::name::QueueName;
use crate::domain::queue::{ConsumerKey, SessionId};
use crate::error::Error;
use crate::metrics::{AtomicTraffic, Publishes};
use crate::runtime::flows::Taken;
use crate::runtime::queue::ChannelLimiter;
use crate::runtime::registry::ChannelEntry;

use super::direct_reply::DirectReply;
use super::flows::ChannelFlows;
use super::route_cache::RouteCache;
use super::transaction::Transaction;

/// A delivery the client has not settled.
#[derive(Debug)]
pub(super) struct Outstanding {
    /// Its delivery tag.
    pub(super) tag: u64,
    /// Its place in the queue; `None`: its time was over, and it went back.
    pub(super) slot: Option<u32>,
    /// The queue, and what counts what is taken off it.
    pub(super) taken: Arc<Taken>,
}

/// An open channel.
pub(super) struct Channel {
    pub(super) session: SessionId,
    /// The broker closed it: everything but `channel.close` and `close-ok` is ignored.
    pub(super) closing: bool,
    pub(super) gathering: Option<Gathering>,
    pub(super) confirm: Option<ConfirmTracker>,
    pub(super) transaction: Option<Transaction>,
    pub(super) next_tag: u64,
    pub(super) outstanding: VecDeque<Outstanding>,
    pub(super) prefetch: u16,
    pub(super) limiter: Option<Arc<ChannelLimiter>>,
    pub(super) direct_reply: Option<DirectReply>,
    pub(super) consumers: BTreeMap<String, ConsumerKey>,
    pub(super) last_queue: Option<QueueName>,
    pub(super) routes: RouteCache,
    pub(super) flows: ChannelFlows,
    /// Publishes of this pass that `entry` does not count yet.
    pub(super) published: Publishes,
    pub(super) entry: Arc<ChannelEntry>,
}

/// Hashes a channel number: there are 65,536 at most, so nobody gains by choosing them, and
/// every frame looks one up.
#[derive(Debug, Default)]
pub(super) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.0 = self.0 << 8 | u64::from(byte));
    }

    fn write_u16(&mut self, number: u16) {
        self.0 = u64::from(number);
    }

    fn finish(&self) -> u64 {
        // Spreads the number over the high bits, which the table looks at too.
        self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

/// The channels of a connection by number.
pub(super) type Channels = HashMap<u16, Channel, BuildHasherDefault<NumberHasher>>;

impl Channel {
    pub(super) fn new(session: SessionId, entry: Arc<ChannelEntry>, counts_flows: bool) -> Self {
        Self {
            session,
            closing: false,
            gathering: None,
            confirm: None,
            transaction: None,
            next_tag: 1,
            outstanding: VecDeque::new(),
            prefetch: 0,
            limiter: None,
            direct_reply: None,
            consumers: BTreeMap::new(),
            last_queue: None,
            routes: RouteCache::default(),
            flows: ChannelFlows::new((session.connection, session.channel), counts_flows),
            published: Publishes::default(),
            entry,
        }
    }

    /// Counts what was published in this pass: once a pass, not once a message.
    pub(super) fn count_published(&mut self, traffic: &AtomicTraffic) {
        self.routes.count();
        let mut pass = std::mem::take(&mut self.published);
        if pass.received > 0 {
            if self.entry.confirm.load(Relaxed) {
                pass.received_confirm = pass.received;
            }
            self.entry.counters.publish.fetch_add(pass.received, Relaxed);
            traffic.published(&pass);
        }
    }

    /// The next delivery tag.
    pub(super) fn take_tag(&mut self) -> u64 {
        let tag = self.next_tag;
        self.next_tag += 1;
        tag
    }

    /// The queue a method means: an empty name is the last one declared here.
    ///
    /// # Errors
    /// [`Error::NoPreviousQueue`], or a name no client can send.
    pub(super) fn queue_name(&self, name: &str) -> Result<QueueName, Error> {
        if name.is_empty() {
            return self.last_queue.clone().ok_or(Error::NoPreviousQueue);
        }
        QueueName::new(name).map_err(|error| Error::InvalidArgument(error.to_string()))
    }

    /// Takes the deliveries a tag settles.
    ///
    /// # Errors
    /// 406 for a tag that is not out.
    pub(super) fn settled_by(
        &mut self,
        tag: u64,
        multiple: bool,
        mut settled: impl FnMut(Outstanding),
    ) -> Result<u64, Violation> {
        if tag == 0 && multiple {
            let count = self.outstanding.len() as u64;
            self.outstanding.drain(..).for_each(settled);
            return Ok(count);
        }
        // Nearly always the oldest one, or a run from the oldest one on.
        let at = match self.outstanding.front() {
            Some(front) if front.tag == tag => Ok(0),
            _ => self.outstanding.binary_search_by_key(&tag, |outstanding| outstanding.tag),
        };
        let Ok(at) = at else {
            return Err(Violation::new(ReplyCode::PreconditionFailed, format!("unknown delivery tag {tag}")));
        };
        if multiple {
            self.outstanding.drain(..=at).for_each(settled);
            return Ok(at as u64 + 1);
        }
        if let Some(outstanding) = self.outstanding.remove(at) {
            settled(outstanding);
        }
        Ok(1)
    }
}
