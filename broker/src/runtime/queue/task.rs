//! The owner of one queue: takes commands in batches, steps the state, persists, delivers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;
use tokio::time::{Duration, Instant};

use super::command::{ConfirmRange, ConsumeRequest, Fetched, Incoming, PublishBatch, QueueCommand, Settled};
use super::handle::{QUEUE_MAILBOX_COMMANDS_MAX, QueueHandle, QueueStats};
use super::outbound::{ConnectionEvent, ConnectionSender};
use super::outlet::{Outlet, Outlets};
use super::stored;
use crate::domain::message::Message;
use crate::domain::name::{QueueName, VhostName};
use crate::domain::properties::check_expiration;
use crate::domain::queue::consumer::Consumer;
use crate::domain::queue::state::{QueueLimits, QueueState};
use crate::domain::queue::{ConsumerId, QueueId, QueueSpec, SessionId};
use crate::error::{Error, Resource};
use crate::facade::ConsumerInfo;
use crate::storage::{BoxFuture, Epoch, LogId, QueueLog, StorageError};

/// Commands taken from the mailbox before effects are carried out.
const COMMANDS_PER_PASS_MAX: usize = 32;

/// Appends of one queue under way to the disk. Beyond it the queue stops reading its
/// mailbox, which slows its publishers to the speed of the disk.
const APPENDS_UNDER_WAY_MAX: usize = 64;

/// What a queue tells its vhost. The channel has no capacity of its own: a queue sends
/// at most one `Unused` per consumer that leaves and one `Expired` in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum QueueNotice {
    /// An auto-delete queue lost its last consumer; delete it if that still holds (`if_unused`).
    Unused(QueueId, QueueName),
    /// Nothing used the queue for `x-expires`; delete it if it has no consumers.
    Expired(QueueId, QueueName),
}

/// What a queue needs to live.
pub(crate) struct QueueContext {
    /// As declared.
    pub(crate) spec: Arc<QueueSpec>,
    /// Its vhost.
    pub(crate) vhost: VhostName,
    /// Limits from arguments and policies.
    pub(crate) limits: QueueLimits,
    /// `x-expires`, in milliseconds.
    pub(crate) expires_ms: Option<u64>,
    /// The log of persistent messages; used by durable queues only.
    pub(crate) log: Arc<dyn QueueLog>,
    /// Whether the log may hold messages of it: false for a queue declared just now.
    pub(crate) recover: bool,
    /// To its vhost.
    pub(crate) notices: mpsc::UnboundedSender<QueueNotice>,
}

/// Starts the owner of a queue. Commands sent at once are served after recovery.
pub(crate) fn spawn_queue(context: QueueContext) -> QueueHandle {
    let (mailbox, commands) = mpsc::channel(QUEUE_MAILBOX_COMMANDS_MAX);
    let stats = Arc::new(QueueStats::default());
    let handle = QueueHandle::new(context.spec.clone(), context.vhost.clone(), mailbox, stats.clone());
    tokio::spawn(async move {
        let mut owner = Owner::new(context, stats);
        owner.recover().await;
        owner.run(commands).await;
    });
    handle
}

/// An append under way and the confirms that wait for it.
struct Append {
    done: BoxFuture<'static, Result<(), StorageError>>,
    confirms: Option<(ConnectionSender, Vec<ConfirmRange>)>,
}

enum Flow {
    Go,
    End,
}

struct Owner {
    context: QueueContext,
    log: LogId,
    epoch: Epoch,
    state: QueueState,
    outlets: Outlets,
    stats: Arc<QueueStats>,
    appends: VecDeque<Append>,
    last_used: Instant,
}

impl Owner {
    fn new(context: QueueContext, stats: Arc<QueueStats>) -> Self {
        Self {
            log: LogId(context.spec.id.0),
            epoch: Epoch(1),
            state: QueueState::new(context.limits.clone()),
            outlets: Outlets::default(),
            stats,
            appends: VecDeque::new(),
            last_used: Instant::now(),
            context,
        }
    }

    fn resource(&self) -> Resource {
        Resource::Queue(self.context.vhost.clone(), self.context.spec.name.clone())
    }

    async fn recover(&mut self) {
        if !self.context.spec.durable || !self.context.recover {
            return;
        }
        match self.context.log.open(self.log, self.epoch).await {
            Ok(records) => {
                for record in records {
                    let position = record.position.0;
                    match stored::from_record(record) {
                        Some(message) => {
                            let (expires_at_ms, priority) = self.facts(&message);
                            self.state.recover(position, message, expires_at_ms, priority);
                        }
                        None => {
                            tracing::error!(queue = %self.resource(), position, "a stored message has no valid layout and is left out")
                        }
                    }
                }
            }
            Err(error) => tracing::error!(queue = %self.resource(), %error, "stored messages cannot be read"),
        }
        self.publish_stats();
    }

    async fn run(&mut self, mut commands: mpsc::Receiver<QueueCommand>) {
        let mut batch = Vec::with_capacity(COMMANDS_PER_PASS_MAX);
        loop {
            let deadline = self.deadline();
            tokio::select! {
                biased;
                done = Self::first_append(&mut self.appends), if !self.appends.is_empty() => self.appended(&done),
                taken = commands.recv_many(&mut batch, COMMANDS_PER_PASS_MAX), if self.appends.len() < APPENDS_UNDER_WAY_MAX => {
                    if taken == 0 {
                        return;
                    }
                    for command in batch.drain(..) {
                        if let Flow::End = self.command(command, &mut commands).await {
                            return;
                        }
                    }
                }
                () = tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    if self.check_expiry() {
                        let _ = self.context.notices.send(QueueNotice::Expired(self.context.spec.id, self.context.spec.name.clone()));
                        self.last_used = Instant::now();
                    }
                }
            }
            self.pass();
        }
    }

    async fn first_append(appends: &mut VecDeque<Append>) -> Result<(), StorageError> {
        match appends.front_mut() {
            Some(append) => append.done.as_mut().await,
            None => std::future::pending().await,
        }
    }

    fn appended(&mut self, done: &Result<(), StorageError>) {
        let Some(append) = self.appends.pop_front() else { return };
        if let Err(error) = done {
            tracing::error!(queue = %self.resource(), %error, "messages could not be made durable and are refused");
        }
        if let Some((to, mut ranges)) = append.confirms {
            for range in &mut ranges {
                range.accepted = done.is_ok();
            }
            to.send(ConnectionEvent::Confirm(ranges));
        }
    }

    /// Expires, delivers, and hands the log what it may forget.
    fn pass(&mut self) {
        if self.state.next_expiry_ms().is_some() {
            self.state.expire(now_ms(), &mut self.outlets);
        }
        self.state.deliver(&mut self.outlets);
        self.state.enforce_length(&mut self.outlets);
        self.outlets.flush();
        for (entry, _reason) in self.outlets.take_dropped() {
            if entry.logged {
                crate::domain::queue::state::Effects::forget(&mut self.outlets, entry.position);
            }
        }
        let forgotten = self.outlets.take_forgotten();
        if !forgotten.is_empty()
            && let Err(error) = self.context.log.remove(self.log, self.epoch, forgotten)
        {
            tracing::error!(queue = %self.resource(), %error, "settled messages stay in the log and may come back after a crash");
        }
        self.publish_stats();
    }

    fn publish_stats(&self) {
        let stats = &self.stats;
        let (ready, ready_bytes) = self.state.ready();
        let (unacked, unacked_bytes) = self.state.unacked();
        let (persistent, persistent_bytes) = self.state.persistent();
        let tally = self.state.tally();
        stats.ready.store(ready, Relaxed);
        stats.ready_bytes.store(ready_bytes, Relaxed);
        stats.unacknowledged.store(unacked, Relaxed);
        stats.unacknowledged_bytes.store(unacked_bytes, Relaxed);
        stats.persistent.store(persistent, Relaxed);
        stats.persistent_bytes.store(persistent_bytes, Relaxed);
        stats.consumers.store(self.state.consumers().len() as u64, Relaxed);
        stats.publish.store(tally.publish, Relaxed);
        stats.deliver.store(tally.deliver, Relaxed);
        stats.deliver_no_ack.store(tally.deliver_no_ack, Relaxed);
        stats.get.store(tally.get, Relaxed);
        stats.get_no_ack.store(tally.get_no_ack, Relaxed);
        stats.get_empty.store(tally.get_empty, Relaxed);
        stats.ack.store(tally.ack, Relaxed);
        stats.redeliver.store(tally.redeliver, Relaxed);
        stats.active_at_ms.store(now_ms(), Relaxed);
    }

    fn deadline(&self) -> Option<Instant> {
        let expiry =
            self.state.next_expiry_ms().map(|at| Instant::now() + Duration::from_millis(at.saturating_sub(now_ms())));
        let unused = match self.context.expires_ms {
            Some(expires_ms) if self.state.consumers().is_empty() => {
                Some(self.last_used + Duration::from_millis(expires_ms))
            }
            _ => None,
        };
        match (expiry, unused) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Whether the queue itself has expired.
    fn check_expiry(&self) -> bool {
        self.context.expires_ms.is_some_and(|expires_ms| {
            self.state.consumers().is_empty() && self.last_used.elapsed() >= Duration::from_millis(expires_ms)
        })
    }

    async fn command(&mut self, command: QueueCommand, commands: &mut mpsc::Receiver<QueueCommand>) -> Flow {
        match command {
            QueueCommand::Publish(batch) => self.take(batch),
            QueueCommand::Settle(settled) => self.settle(&settled),
            QueueCommand::Resume { connection, consumer } => {
                let waiting = self.state.consumers().filter(|candidate| {
                    candidate.session.connection == connection && consumer.is_none_or(|key| key == candidate.key)
                });
                for id in waiting {
                    self.state.resume(id);
                }
            }
            QueueCommand::Consume { request, reply } => {
                self.last_used = Instant::now();
                let _ = reply.send(self.consume(*request));
            }
            QueueCommand::Cancel { connection, consumer, reply } => {
                if let Some(id) = self.state.consumers().find(connection, consumer) {
                    self.state.remove_consumer(id);
                    self.consumers_left(&[id]);
                }
                let _ = reply.send(());
            }
            QueueCommand::Get { session, no_ack, reply } => {
                self.last_used = Instant::now();
                let _ = reply.send(self.get(session, no_ack));
            }
            QueueCommand::Purge { reply } => {
                let _ = reply.send(self.state.purge(&mut self.outlets));
                self.publish_stats();
            }
            QueueCommand::SessionClosed { session } => {
                let leaving = self.state.close_session(session, &mut self.outlets);
                if !leaving.is_empty() {
                    self.consumers_left(&leaving);
                }
            }
            QueueCommand::Consumers { reply } => {
                let _ = reply.send(self.list_consumers());
            }
            QueueCommand::Touch => self.last_used = Instant::now(),
            QueueCommand::Delete { if_unused, if_empty, reply } => {
                let (ready, _) = self.state.ready();
                if if_unused && !self.state.consumers().is_empty() {
                    let _ = reply.send(Err(Error::InUse(self.resource())));
                } else if if_empty && ready > 0 {
                    let _ = reply.send(Err(Error::NotEmpty(self.resource())));
                } else {
                    self.delete(commands).await;
                    let _ = reply.send(Ok(ready));
                    return Flow::End;
                }
            }
            QueueCommand::Stop { reply } => {
                commands.close();
                while !self.appends.is_empty() {
                    let done = Self::first_append(&mut self.appends).await;
                    self.appended(&done);
                }
                let _ = reply.send(());
                return Flow::End;
            }
        }
        Flow::Go
    }

    /// Expiry and priority of a message, from its properties and the queue's limits.
    fn facts(&self, message: &Message) -> (u64, u8) {
        let limits = self.state.limits();
        if limits.message_ttl_ms.is_none() && limits.max_priority == 0 && !message.has_expiration() {
            return (0, 0);
        }
        let glance = message.glance();
        let expiration = glance.expiration.and_then(|text| check_expiration(text).ok());
        let ttl = match (limits.message_ttl_ms, expiration) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let priority = glance.priority.unwrap_or(0).min(limits.max_priority);
        (ttl.map_or(0, |ttl| now_ms().saturating_add(ttl).max(1)), priority)
    }

    fn take(&mut self, batch: PublishBatch) {
        let durable = self.context.spec.durable;
        let mut records = Vec::new();
        let mut at_once: Vec<ConfirmRange> = Vec::new();
        let mut when_durable: Vec<ConfirmRange> = Vec::new();
        for Incoming { message, sequence, channel, epoch } in batch.messages {
            if self.state.refuses_publish() {
                push_range(&mut at_once, channel, epoch, sequence, false);
                continue;
            }
            let logged = durable && message.is_persistent();
            let (expires_at_ms, priority) = self.facts(&message);
            if logged {
                records.push(stored::to_record(self.state.next_position(), &message));
                push_range(&mut when_durable, channel, epoch, sequence, true);
            } else {
                push_range(&mut at_once, channel, epoch, sequence, true);
            }
            self.state.publish(message, expires_at_ms, priority, logged);
        }
        if let Some(from) = &batch.from
            && !at_once.is_empty()
        {
            from.send(ConnectionEvent::Confirm(at_once));
        }
        if !records.is_empty() {
            let done = self.context.log.append(self.log, self.epoch, records);
            let confirms = batch.from.filter(|_| !when_durable.is_empty()).map(|from| (from, when_durable));
            self.appends.push_back(Append { done, confirms });
        }
    }

    fn settle(&mut self, settled: &Settled) {
        for &slot in &settled.slots {
            self.state.settle(slot, settled.disposition, &mut self.outlets);
        }
    }

    fn consume(&mut self, request: ConsumeRequest) -> Result<(), Error> {
        let consumers = self.state.consumers();
        if consumers.has_exclusive() || request.exclusive && !consumers.is_empty() {
            return Err(Error::ExclusiveUse(self.resource()));
        }
        let ConsumeRequest {
            session, key, tag, no_ack, exclusive, prefetch, priority, to, credit, limiter, info, ..
        } = request;
        let id = self.state.add_consumer(Consumer::new(key, session, tag, no_ack, exclusive, prefetch, priority));
        let limiter = limiter.filter(|_| !no_ack);
        self.outlets.insert(id, Outlet::new(key, to, credit, limiter, info));
        self.publish_stats();
        Ok(())
    }

    fn consumers_left(&mut self, leaving: &[ConsumerId]) {
        for &id in leaving {
            self.outlets.remove(id);
        }
        self.last_used = Instant::now();
        if self.context.spec.auto_delete && self.state.consumers().is_empty() {
            let _ =
                self.context.notices.send(QueueNotice::Unused(self.context.spec.id, self.context.spec.name.clone()));
        }
    }

    fn get(&mut self, session: SessionId, no_ack: bool) -> Result<Option<Fetched>, Error> {
        if self.state.consumers().is_single_active() {
            return Err(Error::SingleActiveGet(self.resource(), self.context.spec.kind.as_str()));
        }
        self.state.expire(now_ms(), &mut self.outlets);
        let fetched = self.state.get(session, no_ack, &mut self.outlets);
        let messages_left = self.state.ready().0;
        self.publish_stats();
        Ok(fetched.map(|delivered| Fetched { delivered, messages_left }))
    }

    fn list_consumers(&self) -> Vec<ConsumerInfo> {
        self.state
            .consumers()
            .iter()
            .filter_map(|(id, consumer)| {
                let mut info = self.outlets.get(id)?.info.clone();
                info.active = self.state.consumers().is_active(id);
                info.blocked = consumer.is_full();
                Some(info)
            })
            .collect()
    }

    async fn delete(&mut self, commands: &mut mpsc::Receiver<QueueCommand>) {
        self.stats.gone.store(true, Relaxed);
        commands.close();
        // A queue deleted meanwhile counts as having taken what was on its way to it.
        for append in self.appends.drain(..) {
            if let Some((to, ranges)) = append.confirms {
                to.send(ConnectionEvent::Confirm(ranges));
            }
        }
        while let Some(command) = commands.recv().await {
            if let QueueCommand::Publish(PublishBatch { from: Some(from), messages }) = command {
                let mut ranges = Vec::new();
                for incoming in messages {
                    push_range(&mut ranges, incoming.channel, incoming.epoch, incoming.sequence, true);
                }
                from.send(ConnectionEvent::Confirm(ranges));
            }
        }
        for (id, consumer) in self.state.consumers().iter() {
            if let Some(outlet) = self.outlets.get(id) {
                outlet.to.send(ConnectionEvent::ConsumerCancelled(consumer.key));
            }
        }
        if self.context.spec.durable
            && let Err(error) = self.context.log.delete(self.log).await
        {
            tracing::error!(queue = %self.resource(), %error, "the log of a deleted queue stays and is swept at the next start");
        }
    }
}

/// Adds a sequence number to the last range when it continues it.
fn push_range(ranges: &mut Vec<ConfirmRange>, channel: u16, epoch: u32, sequence: u64, accepted: bool) {
    if sequence == 0 {
        return;
    }
    match ranges.last_mut() {
        Some(last)
            if last.channel == channel
                && last.epoch == epoch
                && last.accepted == accepted
                && last.last + 1 == sequence =>
        {
            last.last = sequence;
        }
        _ => ranges.push(ConfirmRange { channel, epoch, first: sequence, last: sequence, accepted }),
    }
}

/// Milliseconds since the epoch.
fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
