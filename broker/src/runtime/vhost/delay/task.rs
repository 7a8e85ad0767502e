//! The owner's loop: take messages, write them down, and send on what is due.

use std::collections::{HashMap, VecDeque};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::DelayContext;
use super::clock::Clock;
use super::schedule::{Due, Schedule};
use crate::domain::exchange::delayed::{self, Released, Timing};
use crate::domain::message::Message;
use crate::domain::routing::{RouteBuffer, route};
use crate::domain::wire::Reader;
use crate::error::{Error, Resource};
use crate::runtime::publish::route_request;
use crate::runtime::queue::mailbox::Receiver;
use crate::runtime::queue::{Confirms, PublishBatch, QueueCommand, QueueHandle, QueueStats, push_range, stored};
use crate::runtime::vhost::forwarding::{Forwarding, Outgoing};
use crate::storage::{BoxFuture, Epoch, LogBatch, LogId, Position, ReadLimit, StorageError};

/// Commands taken from the mailbox at once.
const COMMANDS_PER_PASS_MAX: usize = 32;

/// Appends under way to the disk. Beyond it the mailbox is not read, which slows publishers to
/// the speed of the disk.
const APPENDS_UNDER_WAY_MAX: usize = 64;

/// Messages read at once.
pub(super) const READ_MESSAGES_MAX: usize = 512;

/// Bytes read at once; a single message may be larger.
pub(super) const READ_BYTES_MAX: usize = 1 << 20;

/// Messages whose queues have not answered yet. Beyond it no more are sent on.
const MESSAGES_UNDER_WAY_MAX: usize = 4096;

/// An append under way, what it makes wait, and the confirms that wait for it.
pub(super) struct Append {
    done: BoxFuture<'static, Result<(), StorageError>>,
    waits: Vec<Due>,
    pub(super) confirms: Option<Confirms>,
}

/// A read under way of messages that are due, in the order they are to go.
pub(super) struct Reading {
    due: Vec<Due>,
    done: BoxFuture<'static, Result<LogBatch, StorageError>>,
}

/// How the owner's life goes on after a command.
enum Flow {
    Go,
    Delete(oneshot::Sender<Result<u64, Error>>),
    Stop(oneshot::Sender<()>),
}

pub(super) struct Owner {
    pub(super) context: DelayContext,
    pub(super) log: LogId,
    pub(super) epoch: Epoch,
    pub(super) stats: Arc<QueueStats>,
    pub(super) schedule: Schedule,
    pub(super) next_position: u64,
    pub(super) appends: VecDeque<Append>,
    pub(super) reading: Option<Reading>,
    /// How many messages are read next: fewer after they turned out to be large.
    read_messages: usize,
    forwarding: Forwarding<u64>,
    buffer: RouteBuffer<QueueHandle>,
    clock: Clock,
}

impl Owner {
    pub(super) fn new(context: DelayContext, stats: Arc<QueueStats>) -> Self {
        Self {
            log: LogId(context.spec.id.0),
            epoch: Epoch(1),
            stats,
            schedule: Schedule::default(),
            next_position: 1,
            appends: VecDeque::new(),
            reading: None,
            read_messages: READ_MESSAGES_MAX,
            forwarding: Forwarding::new(),
            buffer: RouteBuffer::default(),
            clock: Clock::new(),
            context,
        }
    }

    pub(super) fn resource(&self) -> Resource {
        Resource::Exchange(self.context.vhost.clone(), self.context.exchange.name.clone())
    }

    /// Serves until the exchange is deleted or the application stops.
    ///
    /// # Errors
    /// What storage says when it cannot read messages back.
    pub(super) async fn run(&mut self, commands: &mut Receiver<QueueCommand>) -> Result<(), StorageError> {
        let mut batch = VecDeque::with_capacity(COMMANDS_PER_PASS_MAX);
        loop {
            let waiting = self.schedule.len() + self.reading.as_ref().map_or(0, |reading| reading.due.len());
            self.stats.ready.store(waiting as u64, Relaxed);
            let deadline = self.deadline();
            let takes = self.appends.len() < APPENDS_UNDER_WAY_MAX;
            tokio::select! {
                biased;
                done = Self::first_append(&mut self.appends), if !self.appends.is_empty() => self.appended(&done),
                ranges = self.forwarding.answered() => {
                    let done = self.forwarding.settle(&ranges);
                    self.forget(done);
                }
                done = Self::read(&mut self.reading), if self.reading.is_some() => self.take_read(done?).await?,
                () = tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    self.start_reading();
                }
                taken = commands.take(&mut batch, COMMANDS_PER_PASS_MAX), if takes => {
                    if taken == 0 {
                        return Ok(());
                    }
                }
            }
            while let Some(command) = batch.pop_front() {
                match self.command(command) {
                    Flow::Go => {}
                    Flow::Delete(reply) => {
                        let waiting = self.schedule.len() as u64;
                        self.delete(commands).await;
                        let _ = reply.send(Ok(waiting));
                        return Ok(());
                    }
                    Flow::Stop(reply) => {
                        self.stop(commands).await;
                        let _ = reply.send(());
                        return Ok(());
                    }
                }
            }
        }
    }

    fn command(&mut self, command: QueueCommand) -> Flow {
        match command {
            QueueCommand::Publish(batch) => self.take(batch),
            QueueCommand::Touch { reply } => drop(reply.send(())),
            QueueCommand::Delete { reply, .. } => return Flow::Delete(reply),
            QueueCommand::Stop { reply } => return Flow::Stop(reply),
            // Nobody finds it by a name, so nobody consumes from it. Who asks sees the answer dropped.
            QueueCommand::Settle(_)
            | QueueCommand::Resume { .. }
            | QueueCommand::Consume { .. }
            | QueueCommand::Cancel { .. }
            | QueueCommand::Get { .. }
            | QueueCommand::Purge { .. }
            | QueueCommand::SessionClosed { .. }
            | QueueCommand::Consumers { .. }
            | QueueCommand::Settings(_) => {}
        }
        Flow::Go
    }

    /// Writes messages down. They wait, and are confirmed, once they are durable.
    fn take(&mut self, batch: PublishBatch) {
        let now_ms = self.clock.now_ms();
        let (mut records, mut waits) = (Vec::new(), Vec::new());
        let mut ranges = Vec::new();
        for incoming in batch.messages {
            let due = Due { at_ms: now_ms + delay_ms(&incoming.message), position: self.next_position };
            self.next_position += 1;
            records.push(stored::to_record(due.position, &incoming.message, due.at_ms, incoming.shares));
            waits.push(due);
            push_range(&mut ranges, incoming.channel, incoming.epoch, incoming.sequence, true);
        }
        let done = self.context.log.append(self.log, self.epoch, records);
        self.appends.push_back(Append { done, waits, confirms: Confirms::of(batch.from, ranges) });
    }

    pub(super) async fn first_append(appends: &mut VecDeque<Append>) -> Result<(), StorageError> {
        match appends.front_mut() {
            Some(append) => append.done.as_mut().await,
            None => std::future::pending().await,
        }
    }

    pub(super) fn appended(&mut self, done: &Result<(), StorageError>) {
        let Some(append) = self.appends.pop_front() else { return };
        match done {
            Ok(()) => append.waits.into_iter().for_each(|due| self.schedule.push(due)),
            Err(error) => {
                tracing::error!(exchange = %self.resource(), %error, "messages could not be made durable and are refused");
            }
        }
        if let Some(confirms) = append.confirms {
            confirms.tell(done);
        }
    }

    /// When there is something to send on next, unless it is being read or there is no room.
    fn deadline(&self) -> Option<Instant> {
        if self.reading.is_some() || self.forwarding.len() >= MESSAGES_UNDER_WAY_MAX {
            return None;
        }
        self.schedule.next_ms().map(|at_ms| self.clock.at(at_ms))
    }

    fn start_reading(&mut self) {
        let due = self.schedule.take(self.clock.now_ms(), self.read_messages);
        if due.is_empty() {
            return;
        }
        let positions = runs(due.iter().map(|due| due.position).collect());
        let limit = ReadLimit { records: READ_MESSAGES_MAX, bytes: READ_BYTES_MAX };
        let done = self.context.log.read(self.log, self.epoch, positions, limit);
        self.reading = Some(Reading { due, done });
    }

    async fn read(reading: &mut Option<Reading>) -> Result<LogBatch, StorageError> {
        match reading {
            Some(reading) => reading.done.as_mut().await,
            None => std::future::pending().await,
        }
    }

    /// Sends on what was read. Storage reads in its own order: when it did not bring all, fewer
    /// are read again, so that none overtakes another.
    ///
    /// # Errors
    /// When storage says nothing at all of what was asked.
    async fn take_read(&mut self, batch: LogBatch) -> Result<(), StorageError> {
        let Some(Reading { due, .. }) = self.reading.take() else { return Ok(()) };
        self.lost(batch.lost.len());
        if batch.next.is_some() && due.len() > 1 {
            self.read_messages = due.len() / 2;
            let left = due.into_iter().filter(|due| !batch.lost.contains(&Position(due.position)));
            left.for_each(|due| self.schedule.push(due));
            return Ok(());
        }
        let batch = batch.leading_on()?;
        self.read_messages = (2 * self.read_messages).min(READ_MESSAGES_MAX);
        let mut records: HashMap<u64, _> =
            batch.records.into_iter().map(|record| (record.position.0, record)).collect();
        let messages = due.iter().filter_map(|due| {
            let record = records.remove(&due.position)?;
            Some((due.position, stored::from_record(record).map(|stored| stored.message)))
        });
        let messages: Vec<_> = messages.collect();
        self.send_on(messages).await;
        Ok(())
    }

    async fn send_on(&mut self, messages: Vec<(u64, Option<Message>)>) {
        let mut outgoing = Outgoing::default();
        let mut done = Vec::new();
        for (position, message) in messages {
            let Some(message) = message else {
                self.invalid(position);
                continue;
            };
            let Some(Released { message, routing_keys }) = Released::new(&message) else {
                self.invalid(position);
                continue;
            };
            let queues = self.route(&message, &routing_keys);
            if queues.is_empty() {
                done.push(position);
                continue;
            }
            let sequence = self.forwarding.expect(queues.len(), position);
            outgoing.push(queues, &message, sequence);
        }
        done.extend(self.forwarding.send(outgoing).await);
        self.forget(done);
    }

    /// The queues a message goes to now.
    fn route(&mut self, message: &Message, routing_keys: &[String]) -> Vec<QueueHandle> {
        let Some(shared) = self.context.shared.upgrade() else { return Vec::new() };
        let topology = shared.topology.load();
        let exchange = self.context.exchange.name.as_str();
        let keys: Vec<&str> = routing_keys.iter().map(String::as_str).collect();
        let buffer = &mut self.buffer;
        buffer.queues.clear();
        let routed = route_request(message, exchange, &keys, |request| route(&topology, request, buffer));
        if routed.is_none() {
            // It is being deleted.
            return Vec::new();
        }
        if let Some(entry) = topology.exchange(exchange) {
            entry.traffic().count(0, self.buffer.copies());
        }
        shared.histories.remember(&self.buffer.histories, message);
        self.buffer.replies.iter().for_each(|address| shared.replies.send(address, message));
        self.buffer.queues.drain(..).collect()
    }

    /// Hands the log what it may forget.
    fn forget(&mut self, positions: Vec<u64>) {
        if !positions.is_empty()
            && let Err(error) = self.context.log.remove(self.log, self.epoch, runs(positions))
        {
            tracing::error!(exchange = %self.resource(), %error, "messages that went on stay in the log and may come back after a crash");
        }
    }

    pub(super) fn lost(&self, messages: usize) {
        if messages > 0 {
            tracing::error!(exchange = %self.resource(), messages, "delayed messages on disk were damaged and are lost");
        }
    }

    pub(super) fn invalid(&self, position: u64) {
        tracing::error!(exchange = %self.resource(), position, "a delayed message on disk is not valid and is left out");
    }
}

/// Positions in order, joined where one follows the other.
fn runs(mut positions: Vec<u64>) -> Vec<RangeInclusive<Position>> {
    positions.sort_unstable();
    let mut runs: Vec<RangeInclusive<Position>> = Vec::new();
    for position in positions {
        match runs.last_mut() {
            Some(run) if run.end().0 + 1 == position => *run = *run.start()..=Position(position),
            _ => runs.push(Position(position)..=Position(position)),
        }
    }
    runs
}

/// For how long a message that was sent here waits.
fn delay_ms(message: &Message) -> u64 {
    let headers = message.glance().headers.and_then(|bytes| Reader::new(bytes).table().ok());
    match headers.as_ref().map(delayed::timing) {
        Some(Timing::After(delay_ms)) => delay_ms.into(),
        // It would not have been sent here.
        _ => 0,
    }
}
