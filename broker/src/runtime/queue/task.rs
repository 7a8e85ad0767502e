//! The owner of one queue: takes commands in batches, steps the state, persists, delivers.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, Instant};

use super::burial::terms;
use super::command::{QueueCommand, Settled};
use super::confirms::Confirms;
use super::dead_letters::DeadLetters;
use super::handle::{NO_TIMESTAMP, QueueStats};
use super::letter::LetterBatch;
use super::loading::Reading;
use super::long::{STEP_MESSAGES_MAX, Work};
use super::mailbox::Receiver;
use super::memory::{MemoryShare, QueueMemory};
use super::notes::Notes;
use super::outlet::Outlets;
use super::recovery::Recover;
use super::spill::Spills;
use super::sums::{Counted, QueueSums};
use crate::domain::arguments::EffectiveArguments;
use crate::domain::message::Message;
use crate::domain::name::{QueueName, VhostName};
use crate::domain::queue::state::QueueState;
use crate::domain::queue::{ConsumerId, QueueId, QueueKind, QueueSpec};
use crate::error::{Error, Resource};
use crate::metrics::AtomicTraffic;
use crate::runtime::clock::now_ms;
use crate::storage::{BoxFuture, Epoch, LogHealth, LogId, QueueLog, StorageError};

/// Commands taken from the mailbox before effects are carried out.
const COMMANDS_PER_PASS_MAX: usize = 32;

/// Appends of one queue under way to the disk. Beyond it the queue stops reading its
/// mailbox, which slows its publishers to the speed of the disk. Not so while the disk is
/// full: appends then wait for what the mailbox brings, acknowledgements and deletions, and
/// publishers are blocked elsewhere.
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
    /// What applies to it, from arguments and policies.
    pub(crate) settings: EffectiveArguments,
    /// The log of persistent messages; used by durable queues only.
    pub(crate) log: Arc<dyn QueueLog>,
    /// What its logs may hold.
    pub(crate) recover: Recover,
    /// What all queues share of memory.
    pub(crate) memory: Arc<QueueMemory>,
    /// What passed through the node.
    pub(crate) traffic: Arc<AtomicTraffic>,
    /// Sums over the queues of its vhost.
    pub(crate) sums: Arc<QueueSums>,
    /// To its vhost.
    pub(crate) notices: mpsc::UnboundedSender<QueueNotice>,
    /// To its vhost's pump of dead letters.
    pub(crate) dead_letters: mpsc::Sender<LetterBatch>,
}

/// An append under way and the confirms that wait for it.
pub(super) struct Append {
    pub(super) done: BoxFuture<'static, Result<(), StorageError>>,
    pub(super) confirms: Option<Confirms>,
}

/// How an owner stops running.
pub(super) enum Rest {
    /// Nobody consumes, and it waits for nothing but commands.
    Sleeps,
    /// The queue is deleted, or the application stops.
    Ends,
}

/// How the owner's life goes on after a command.
enum Flow {
    Go,
    /// The command needs the first message, which is on disk.
    Wait(QueueCommand),
    Long(Work),
    Delete(oneshot::Sender<Result<u64, Error>>),
    Stop(oneshot::Sender<()>),
}

pub(super) struct Owner {
    pub(super) context: Box<QueueContext>,
    pub(super) log: LogId,
    pub(super) epoch: Epoch,
    pub(super) state: QueueState,
    pub(super) outlets: Outlets,
    pub(super) stats: Arc<QueueStats>,
    pub(super) appends: VecDeque<Append>,
    pub(super) spills: Spills,
    pub(super) reading: Option<Reading>,
    pub(super) memory: MemoryShare,
    /// Commands taken from the mailbox; the first may wait for a message to be read.
    pub(super) backlog: VecDeque<QueueCommand>,
    /// Whether the last pass left something to do.
    unfinished: bool,
    /// How many messages are read next when nobody asks for any.
    pub(super) unasked_messages: usize,
    pub(super) dead_letters: DeadLetters,
    /// What must be remembered of messages that are not ready; quorum queues only.
    pub(super) notes: Option<Box<Notes>>,
    /// Notes of messages that wait, by their positions.
    pub(super) delay_notes: HashMap<u64, u64>,
    /// Whether the log may hold messages that differ in priority.
    pub(super) mixed: bool,
    pub(super) last_used: Instant,
    /// The single active consumer that listings name.
    pub(super) named_active: Option<ConsumerId>,
}

impl Owner {
    pub(super) fn new(context: Box<QueueContext>, stats: Arc<QueueStats>) -> Self {
        let (log, epoch) = (LogId(context.spec.id.0), Epoch(1));
        Self {
            log,
            epoch,
            state: QueueState::new(context.settings.limits()),
            outlets: Outlets::default(),
            stats,
            appends: VecDeque::new(),
            spills: Spills::new(context.log.clone(), log, epoch),
            reading: None,
            memory: MemoryShare::new(context.memory.clone()),
            backlog: VecDeque::new(),
            unfinished: false,
            unasked_messages: 1,
            dead_letters: DeadLetters::new(
                context.spec.clone(),
                context.dead_letters.clone(),
                context.traffic.clone(),
                terms(&context.settings),
            ),
            notes: (context.spec.kind == QueueKind::Quorum)
                .then(|| Box::new(Notes::new(context.log.clone(), log, epoch))),
            delay_notes: HashMap::new(),
            mixed: false,
            last_used: Instant::now(),
            named_active: None,
            context,
        }
    }

    pub(super) fn resource(&self) -> Resource {
        Resource::Queue(self.context.vhost.clone(), self.context.spec.name.clone())
    }

    /// Serves until there is nothing to do, nobody to deliver to and nothing to wait for but commands.
    ///
    /// # Errors
    /// What storage says when it cannot read messages back.
    pub(super) async fn run(&mut self, commands: &mut Receiver<QueueCommand>) -> Result<Rest, StorageError> {
        loop {
            // With consumers the next command is near, and getting up costs more than it saves.
            if self.state.consumers().is_empty() && self.is_idle() && commands.is_empty() {
                return Ok(Rest::Sleeps);
            }
            if self.unfinished {
                tokio::task::yield_now().await;
            }
            let deadline = self.deadline();
            // Being looked at is no activity.
            let mut active = true;
            let many = self.appends.len() >= APPENDS_UNDER_WAY_MAX || self.spills.is_full();
            let full = many && matches!(*self.context.log.health().borrow(), LogHealth::DiskFull(_));
            let takes = self.backlog.is_empty() && (!many || full);
            tokio::select! {
                biased;
                done = Self::first_append(&mut self.appends), if !self.appends.is_empty() => self.appended(&done),
                done = self.spills.turn(), if self.spills.is_busy() => self.spilled(done),
                done = Self::read(&mut self.reading), if self.reading.is_some() => self.take_read(done)?,
                over = self.dead_letters.turn(), if self.dead_letters.is_busy() => self.buried(&over?),
                taken = commands.take(&mut self.backlog, COMMANDS_PER_PASS_MAX), if takes => {
                    if taken == 0 {
                        return Ok(Rest::Ends);
                    }
                    active = self.backlog.iter().any(|command| !matches!(command, QueueCommand::Consumers { .. }));
                }
                () = Self::disk_full(&self.context.log), if many && !full => {}
                () = std::future::ready(()), if self.unfinished => {}
                () = tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    if self.is_expired() {
                        self.notify(QueueNotice::Expired);
                        self.last_used = Instant::now();
                    }
                }
            }
            let mut waits = false;
            while let Some(command) = self.backlog.pop_front() {
                match self.command(command) {
                    Flow::Go => {}
                    Flow::Wait(command) => {
                        self.backlog.push_front(command);
                        waits = true;
                        break;
                    }
                    Flow::Long(work) => self.work(work).await,
                    Flow::Delete(reply) => {
                        // What came just before counts too.
                        self.publish_stats();
                        let (ready, _) = self.state.ready();
                        self.delete(commands).await;
                        let _ = reply.send(Ok(ready));
                        return Ok(Rest::Ends);
                    }
                    Flow::Stop(reply) => {
                        self.stop(commands).await;
                        let _ = reply.send(());
                        return Ok(Rest::Ends);
                    }
                }
            }
            self.pass();
            // Without a read to wait for, what is in memory stands before it.
            self.unfinished |= waits && self.reading.is_none();
            if active {
                self.stats.active_at_ms.store(now_ms(), Relaxed);
            }
        }
    }

    /// Whether there is nothing to wait for but commands.
    fn is_idle(&self) -> bool {
        self.appends.is_empty()
            && self.backlog.is_empty()
            && self.reading.is_none()
            && !self.unfinished
            && !self.spills.is_busy()
            && !self.dead_letters.is_busy()
            && self.deadline().is_none()
    }

    /// Resolves when the disk is full.
    pub(super) async fn disk_full(log: &Arc<dyn QueueLog>) {
        let mut health = log.health();
        if health.wait_for(|health| matches!(health, LogHealth::DiskFull(_))).await.is_err() {
            // An engine that has no more to say of itself.
            std::future::pending().await
        }
    }

    pub(super) async fn first_append(appends: &mut VecDeque<Append>) -> Result<(), StorageError> {
        match appends.front_mut() {
            Some(append) => append.done.as_mut().await,
            None => std::future::pending().await,
        }
    }

    pub(super) fn appended(&mut self, done: &Result<(), StorageError>) {
        let Some(append) = self.appends.pop_front() else { return };
        if let Err(error) = done {
            tracing::error!(queue = %self.resource(), %error, "messages could not be made durable and are refused");
        }
        if let Some(confirms) = append.confirms {
            confirms.tell(done);
        }
    }

    fn spilled(&mut self, done: Result<(), StorageError>) {
        if let Err(error) = done {
            tracing::error!(queue = %self.resource(), %error, "messages could not be put on disk and stay in memory");
        }
        // What found no room before may leave now.
        self.page_out();
    }

    /// Expires, delivers, reads ahead, and hands the log what it may forget.
    pub(super) fn pass(&mut self) {
        self.unfinished = false;
        if self.state.next_delayed_ms().is_some() {
            self.state.release_delayed(now_ms(), &mut self.outlets);
        }
        // Otherwise what would leave stays where it is until letters got on.
        if self.dead_letters.has_room() {
            if self.state.next_expiry_ms().is_some() {
                self.unfinished |= self.state.expire(now_ms(), STEP_MESSAGES_MAX, &mut self.outlets);
            }
            self.state.deliver(&mut self.outlets);
            self.unfinished |= self.state.enforce_length(STEP_MESSAGES_MAX, &mut self.outlets);
        }
        self.spill_out();
        self.outlets.flush();
        self.bury();
        self.note_delays();
        self.start_reading();
        if self.named_active != self.state.consumers().single_active() {
            self.publish_tags();
        }
        self.forget();
        self.memory.report(self.state.resident_bytes() + self.spills.bytes_under_way());
        self.publish_stats();
    }

    /// Hands the log what it may forget.
    pub(super) fn forget(&mut self) {
        let spilled = self.outlets.take_forgotten_spilled();
        if !spilled.is_empty() {
            self.forget_spilled(&spilled);
        }
        let forgotten = self.outlets.take_forgotten();
        if !forgotten.is_empty()
            && let Err(error) = self.context.log.remove(self.log, self.epoch, forgotten)
        {
            tracing::error!(queue = %self.resource(), %error, "settled messages stay in the log and may come back after a crash");
        }
        if let Some(notes) = &mut self.notes
            && let Err(error) = notes.flush()
        {
            tracing::error!(queue = %self.resource(), %error, "notes of messages stay until the next start");
        }
    }

    pub(super) fn publish_stats(&self) {
        let stats = &self.stats;
        let (ready, ready_bytes) = self.state.ready();
        let (unacked, unacked_bytes) = self.state.unacked();
        let (persistent, persistent_bytes) = self.state.persistent();
        let consumers = self.state.consumers().len() as u64;
        stats.count(Counted { ready, unacknowledged: unacked, consumers }, &self.context.sums);
        stats.ready_bytes.store(ready_bytes, Relaxed);
        let paged = self.state.paged();
        stats.ready_paged.store(paged.messages, Relaxed);
        stats.ready_paged_bytes.store(paged.bytes, Relaxed);
        stats.unacknowledged_bytes.store(unacked_bytes, Relaxed);
        let paged = self.state.out_paged();
        stats.unacknowledged_paged.store(paged.messages, Relaxed);
        stats.unacknowledged_paged_bytes.store(paged.bytes, Relaxed);
        let dead = self.dead();
        stats.dead.store(dead.messages, Relaxed);
        stats.dead_bytes.store(dead.bytes, Relaxed);
        let delayed = self.state.delayed();
        stats.delayed.store(delayed.messages, Relaxed);
        stats.delayed_bytes.store(delayed.bytes, Relaxed);
        stats.persistent.store(persistent + dead.messages, Relaxed);
        stats.persistent_bytes.store(persistent_bytes + dead.bytes, Relaxed);
        let counters = self.state.counters();
        self.context.traffic.queue_went_on(self.context.spec.kind, &stats.counters.load(), &counters);
        stats.counters.store(counters);
        let timestamp = self.state.head().and_then(Message::timestamp);
        stats.head_timestamp_s.store(timestamp.unwrap_or(NO_TIMESTAMP), Relaxed);
    }

    fn deadline(&self) -> Option<Instant> {
        // While letters wait nothing expires; the pump taking some is what comes next.
        let next_expiry_ms = self.state.next_expiry_ms().filter(|_| self.dead_letters.has_room());
        let next_ms = next_expiry_ms.into_iter().chain(self.state.next_delayed_ms()).min();
        let expiry = next_ms.map(|at| Instant::now() + Duration::from_millis(at.saturating_sub(now_ms())));
        let unused = match self.context.settings.expires_ms {
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
    fn is_expired(&self) -> bool {
        self.context.settings.expires_ms.is_some_and(|expires_ms| {
            self.state.consumers().is_empty() && self.last_used.elapsed() >= Duration::from_millis(expires_ms)
        })
    }

    fn command(&mut self, command: QueueCommand) -> Flow {
        match command {
            QueueCommand::Publish(batch) => self.take(batch),
            QueueCommand::Settle(settled) if settled.slots.len() <= STEP_MESSAGES_MAX => self.settle(&settled),
            QueueCommand::Settle(settled) => return Flow::Long(Work::Settle(settled)),
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
                self.cancel(connection, consumer);
                let _ = reply.send(());
            }
            QueueCommand::Get { session, no_ack, reply } => {
                self.last_used = Instant::now();
                match self.get(session, no_ack) {
                    Some(fetched) => drop(reply.send(fetched)),
                    None => return Flow::Wait(QueueCommand::Get { session, no_ack, reply }),
                }
            }
            QueueCommand::Purge { reply } => return Flow::Long(Work::Purge(reply)),
            QueueCommand::SessionClosed { session, reply } => return Flow::Long(Work::SessionClosed(session, reply)),
            QueueCommand::Consumers { reply } => {
                let _ = reply.send(self.list_consumers());
            }
            QueueCommand::Touch { reply } => {
                self.last_used = Instant::now();
                self.pass();
                if self.is_dropping() {
                    return Flow::Wait(QueueCommand::Touch { reply });
                }
                let _ = reply.send(());
            }
            QueueCommand::Settings(settings) => {
                self.state.set_limits(&settings.limits());
                self.change_terms(&settings);
                self.context.settings = *settings;
            }
            QueueCommand::Delete { if_unused, if_empty, reply } => {
                let (ready, _) = self.state.ready();
                if if_unused && !self.state.consumers().is_empty() {
                    let _ = reply.send(Err(Error::InUse(self.resource())));
                } else if if_empty && ready > 0 {
                    let _ = reply.send(Err(Error::NotEmpty(self.resource())));
                } else {
                    return Flow::Delete(reply);
                }
            }
            QueueCommand::Stop { reply } => return Flow::Stop(reply),
        }
        Flow::Go
    }

    /// Whether the queue is on its way to its length limit.
    fn is_dropping(&self) -> bool {
        self.state.is_too_long() && self.dead_letters.has_room()
    }

    /// Delays count from now.
    pub(super) fn tell_time(&mut self) {
        if self.state.delays() {
            self.state.tell_time(now_ms());
        }
    }

    fn settle(&mut self, settled: &Settled) {
        self.tell_time();
        for &slot in &settled.slots {
            self.state.settle(slot, settled.disposition, &mut self.outlets);
        }
    }

    /// Tells the vhost something about this queue.
    pub(super) fn notify(&self, notice: fn(QueueId, QueueName) -> QueueNotice) {
        // Without a vhost there is nothing left to tell.
        let _ = self.context.notices.send(notice(self.context.spec.id, self.context.spec.name.clone()));
    }
}
