//! The owner of one stream: takes commands in batches, appends, retains, delivers, reads.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::oneshot;
use tokio::time::{Duration, Instant};

use super::appends::Appends;
use super::pages::Pages;
use super::reader::Readers;
use super::reading::Reading;
use super::segment_log::SegmentLog;
use crate::domain::stream::{Retention, Segments};
use crate::error::{Error, Resource};
use crate::metrics::QueueCounters;
use crate::runtime::clock::now_ms;
use crate::runtime::queue::{
    Counted, MemoryShare, QUEUE_MAILBOX_COMMANDS_MAX, QueueCommand, QueueContext, QueueHandle, QueueStats, Receiver,
    Settled, mailbox,
};
use crate::storage::{Epoch, LogId, StorageError};

/// Commands taken from the mailbox before effects are carried out.
const COMMANDS_PER_PASS_MAX: usize = 32;

/// Where the message of that offset stands in the log.
pub(super) fn position(offset: u64) -> u64 {
    offset + 1
}

/// The offset of the message at that place in the log.
pub(super) fn offset(position: u64) -> u64 {
    position.saturating_sub(1)
}

/// Starts the owner of a stream. Commands sent at once are served after recovery.
pub(crate) fn spawn_stream(context: QueueContext) -> QueueHandle {
    let (sender, mut commands) = mailbox(QUEUE_MAILBOX_COMMANDS_MAX);
    let stats = Arc::new(QueueStats::default());
    let handle = QueueHandle::new(context.spec.clone(), context.vhost.clone(), sender, stats.clone());
    tokio::spawn(async move {
        let mut owner = Owner::new(context, stats);
        if let Err(error) = owner.recover().await {
            tracing::error!(queue = %owner.resource(), %error, "stored messages cannot be read: the stream is down");
            return owner.stay_down(&error, &mut commands).await;
        }
        owner.publish_stats();
        owner.stats.active_at_ms.store(now_ms(), Relaxed);
        if let Err(error) = owner.run(&mut commands).await {
            tracing::error!(queue = %owner.resource(), %error, "messages on disk cannot be read: the stream is down");
            owner.go_down().await;
            owner.stay_down(&error, &mut commands).await;
        }
    });
    handle
}

/// How the owner's life goes on after a command.
enum Flow {
    Go,
    Delete(oneshot::Sender<Result<u64, Error>>),
    Stop(oneshot::Sender<()>),
}

pub(super) struct Owner {
    pub(super) context: QueueContext,
    pub(super) log: LogId,
    pub(super) epoch: Epoch,
    pub(super) segments: Segments,
    pub(super) segment_log: SegmentLog,
    pub(super) retention: Retention,
    /// Messages before this offset are durable.
    pub(super) durable: u64,
    /// The first message of those that were published together last.
    pub(super) last_batch: u64,
    pub(super) appends: Appends,
    pub(super) pages: Pages,
    pub(super) reading: Option<Reading>,
    pub(super) readers: Readers,
    pub(super) memory: MemoryShare,
    pub(super) stats: Arc<QueueStats>,
    pub(super) counters: QueueCounters,
    /// Commands taken from the mailbox.
    pub(super) backlog: VecDeque<QueueCommand>,
    /// Whether the last pass left something to do.
    pub(super) unfinished: bool,
}

impl Owner {
    fn new(context: QueueContext, stats: Arc<QueueStats>) -> Self {
        let (log, epoch) = (LogId(context.spec.id.0), Epoch(1));
        Self {
            log,
            epoch,
            segments: Segments::default(),
            segment_log: SegmentLog::new(context.log.clone(), log, epoch),
            retention: context.settings.retention(),
            durable: 0,
            last_batch: 0,
            appends: Appends::new(context.log.clone()),
            pages: Pages::default(),
            reading: None,
            readers: Readers::default(),
            memory: MemoryShare::new(context.memory.clone()),
            stats,
            counters: QueueCounters::default(),
            backlog: VecDeque::new(),
            unfinished: false,
            context,
        }
    }

    pub(super) fn resource(&self) -> Resource {
        Resource::Queue(self.context.vhost.clone(), self.context.spec.name.clone())
    }

    /// Serves until the stream is deleted or the application stops.
    ///
    /// # Errors
    /// What storage says when it cannot read messages back.
    async fn run(&mut self, commands: &mut Receiver<QueueCommand>) -> Result<(), StorageError> {
        loop {
            if self.unfinished {
                tokio::task::yield_now().await;
            }
            let drop_at = self.segments.next_drop_ms(&self.retention);
            let drop_at = drop_at.map(|at_ms| Instant::now() + Duration::from_millis(at_ms.saturating_sub(now_ms())));
            // Being looked at is no activity.
            let mut active = true;
            let waits = !self.appends.has_room();
            tokio::select! {
                biased;
                done = self.appends.turn() => self.appended(done),
                done = Reading::turn(&mut self.reading) => self.take_read(done)?,
                taken = commands.take(&mut self.backlog, COMMANDS_PER_PASS_MAX), if !waits => {
                    if taken == 0 {
                        return Ok(());
                    }
                    active = self.backlog.iter().any(|command| !matches!(command, QueueCommand::Consumers { .. }));
                }
                () = Appends::disk_full(&self.context.log), if waits => {}
                () = std::future::ready(()), if self.unfinished => {}
                () = tokio::time::sleep_until(drop_at.unwrap_or_else(Instant::now)), if drop_at.is_some() => self.retain(),
            }
            while let Some(command) = self.backlog.pop_front() {
                match self.command(command) {
                    Flow::Go => {}
                    Flow::Delete(reply) => {
                        self.delete(commands).await;
                        // Whatever there was: the reference counts none.
                        let _ = reply.send(Ok(0));
                        return Ok(());
                    }
                    Flow::Stop(reply) => {
                        self.stop(commands).await;
                        let _ = reply.send(());
                        return Ok(());
                    }
                }
            }
            self.pass();
            if active {
                self.stats.active_at_ms.store(now_ms(), Relaxed);
            }
        }
    }

    /// What was handed to the log up to some offset is durable, or never will be.
    pub(super) fn appended(&mut self, done: Result<u64, StorageError>) {
        match done {
            Ok(end) => self.durable = end,
            Err(error) => {
                tracing::error!(queue = %self.resource(), %error, "messages could not be made durable and are refused");
            }
        }
    }

    /// Delivers, reads what is missing for that, and lets go of what is too much.
    fn pass(&mut self) {
        self.unfinished = self.deliver();
        self.start_reading();
        self.pages.shrink(self.memory.of().paging().logged_bytes as usize);
        self.memory.report(self.pages.bytes() as u64);
        self.publish_stats();
    }

    pub(super) fn publish_stats(&self) {
        let stats = &self.stats;
        let (messages, bytes) = (self.segments.next() - self.segments.first(), self.segments.body_bytes());
        let consumers = self.readers.len() as u64;
        stats.count(Counted { ready: messages, unacknowledged: 0, consumers }, &self.context.sums);
        stats.ready_bytes.store(bytes, Relaxed);
        stats.ready_paged.store(messages.saturating_sub(self.pages.tail_len()), Relaxed);
        stats.ready_paged_bytes.store(bytes.saturating_sub(self.pages.bytes() as u64), Relaxed);
        stats.persistent.store(messages, Relaxed);
        stats.persistent_bytes.store(bytes, Relaxed);
        stats.segments.store(self.segments.len() as u64, Relaxed);
        stats.first_at_ms.store(self.segments.first_at_ms(), Relaxed);
        self.context.traffic.queue_went_on(self.context.spec.kind, &stats.counters.load(), &self.counters);
        stats.counters.store(self.counters);
    }

    fn command(&mut self, command: QueueCommand) -> Flow {
        match command {
            QueueCommand::Publish(batch) => self.take(batch),
            QueueCommand::Settle(Settled { slots, .. }) => self.settle(&slots),
            QueueCommand::Resume { connection, consumer } => self.readers.resume(connection, consumer),
            QueueCommand::Consume { request, reply } => {
                let _ = reply.send(self.consume(*request));
            }
            QueueCommand::Cancel { connection, consumer, reply } => {
                self.cancel(connection, consumer);
                let _ = reply.send(());
            }
            QueueCommand::SessionClosed { session, reply } => {
                self.session_closed(session);
                let _ = reply.send(());
            }
            QueueCommand::Get { reply, .. } => {
                let refusal = format!("basic.get not supported by stream queues {}", self.resource());
                let _ = reply.send(Err(Error::NotImplemented(refusal)));
            }
            QueueCommand::Purge { reply } => drop(reply.send(0)),
            QueueCommand::Consumers { reply } => drop(reply.send(self.list_consumers())),
            QueueCommand::Touch { reply } => {
                self.publish_stats();
                let _ = reply.send(());
            }
            QueueCommand::Settings(settings) => {
                self.retention = settings.retention();
                self.context.settings = *settings;
                self.retain();
            }
            // A stream is deleted whatever it holds and whoever reads it.
            QueueCommand::Delete { reply, .. } => return Flow::Delete(reply),
            QueueCommand::Stop { reply } => return Flow::Stop(reply),
        }
        Flow::Go
    }

    /// However deliveries are settled, their messages stay, and their reader has room again.
    fn settle(&mut self, slots: &[u32]) {
        self.counters.ack += slots.len() as u64;
        for same in slots.chunk_by(|a, b| a == b) {
            self.readers.settled(same[0], same.len() as u32);
        }
    }
}
