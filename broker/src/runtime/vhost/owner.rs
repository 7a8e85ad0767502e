//! The owner's loop: take a batch, apply, record, publish, answer.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tokio::sync::{Notify, mpsc};

use super::command::{Reply, VhostCommand};
use super::delay::{DelayContext, spawn_delay};
use super::handle::{Shared, VhostHandle};
use super::pump::{PUMP_BATCHES_MAX, Pump};
use super::registry::VhostContext;
use super::{Histories, LiveTopology, Replies};
use crate::domain::event::Event;
use crate::domain::exchange::{Exchange, ExchangeId};
use crate::domain::name::{QueueName, VhostName};
use crate::domain::queue::{ConnectionId, QueueKind, QueueSpec};
use crate::error::Error;
use crate::runtime::events::{Events, topology as events};
use crate::runtime::flows::Flows;
use crate::runtime::queue::{
    LetterBatch, QueueCommand, QueueContext, QueueHandle, QueueNotice, Recover, lasting_logs, spawn_queue,
};
use crate::runtime::stream::spawn_stream;
use crate::storage::{LogId, Write};

/// Requests a vhost's mailbox holds. When it is full the asking connection waits and stops
/// reading its socket.
pub(super) const VHOST_MAILBOX_COMMANDS_MAX: usize = 1024;

/// Requests that share one write to the store and one snapshot.
const COMMANDS_PER_BATCH_MAX: usize = 256;

/// An answer that waits for its batch: called with the error that undid the batch, if any.
type Answer = Box<dyn FnOnce(Option<&Error>) + Send>;

/// What the requests of one batch add up to.
#[derive(Default)]
pub(super) struct Batch {
    /// Durable changes, in an order in which every prefix is a valid state.
    pub(super) writes: Vec<Write>,
    /// Queues started: they go again when the batch cannot be recorded.
    spawned: Vec<QueueHandle>,
    /// Queues started by a request that was refused after all.
    discarded: Vec<QueueHandle>,
    /// Queues that go once the batch is recorded, with the exchanges they belong to.
    pub(super) obsolete: Vec<QueueHandle>,
    /// Exchanges that are gone once the batch is recorded.
    pub(super) gone: Vec<ExchangeId>,
    /// Queues ended: nothing brings them back.
    ended: Vec<QueueHandle>,
    /// What is told once the batch is recorded.
    told: Vec<Event>,
    answers: Vec<Answer>,
}

/// The owner of one vhost.
pub(super) struct Owner {
    pub(super) vhost: VhostName,
    /// The working picture; readers see the one last published.
    pub(super) topology: LiveTopology,
    pub(super) context: Arc<VhostContext>,
    pub(super) batch: Batch,
    /// Exclusive queues by the connection they belong to.
    pub(super) exclusive: HashMap<ConnectionId, Vec<QueueName>>,
    pub(super) shared: Arc<Shared>,
    notices: mpsc::UnboundedSender<QueueNotice>,
    dead_letters: mpsc::Sender<LetterBatch>,
}

/// How the owner's life goes on after a request.
enum Flow {
    Go,
    End(Reply<()>),
}

/// An owner that is yet to run: it can be filled first.
pub(super) struct Unstarted {
    pub(super) owner: Owner,
    /// Exchanges that delay, how they keep messages, and whether the log may hold some.
    pub(super) delays: Vec<(Exchange, QueueSpec, bool)>,
    commands: mpsc::Receiver<VhostCommand>,
    queue_notices: mpsc::UnboundedReceiver<QueueNotice>,
    letters: mpsc::Receiver<LetterBatch>,
}

impl Unstarted {
    pub(super) fn new(vhost: VhostName, context: Arc<VhostContext>) -> Self {
        let (mailbox, commands) = mpsc::channel(VHOST_MAILBOX_COMMANDS_MAX);
        let (notices, queue_notices) = mpsc::unbounded_channel();
        let (dead_letters, letters) = mpsc::channel(PUMP_BATCHES_MAX);
        let mut topology = LiveTopology::new(vhost.clone());
        for exchange in topology.exchanges() {
            let alternate = context.access.policy_alternate(&vhost, exchange.name.as_str());
            topology.set_policy_alternate(exchange.name.as_str(), alternate);
        }
        let shared = Arc::new(Shared {
            vhost: vhost.clone(),
            topology: arc_swap::ArcSwap::from_pointee(topology.clone()),
            mailbox,
            access: context.access.clone(),
            replies: Replies::default(),
            histories: Histories::default(),
            flows: Flows::default(),
            sums: Arc::default(),
            listed: ArcSwapOption::empty(),
            changed: Notify::new(),
        });
        let owner = Owner {
            vhost,
            topology,
            context,
            batch: Batch::default(),
            exclusive: HashMap::new(),
            shared,
            notices,
            dead_letters,
        };
        Self { owner, delays: Vec::new(), commands, queue_notices, letters }
    }

    /// Publishes what the owner was filled with and starts it.
    pub(super) fn start(self) -> VhostHandle {
        let Self { mut owner, delays, commands, queue_notices, letters } = self;
        owner.publish();
        // What is due goes on at once, by the picture that is published.
        for (exchange, spec, recover) in delays {
            owner.spawn_delay(exchange, spec, recover);
        }
        owner.publish();
        owner.batch = Batch::default();
        let handle = VhostHandle(owner.shared.clone());
        tokio::spawn(Pump::new(owner.shared.clone(), owner.context.log.health()).run(letters));
        tokio::spawn(owner.run(commands, queue_notices));
        handle
    }
}

/// How a vhost and its batch stood before a request.
pub(super) struct Mark {
    topology: LiveTopology,
    writes: usize,
    spawned: usize,
    told: usize,
}

impl Owner {
    async fn run(
        mut self,
        mut commands: mpsc::Receiver<VhostCommand>,
        mut queue_notices: mpsc::UnboundedReceiver<QueueNotice>,
    ) {
        let mut taken = Vec::with_capacity(COMMANDS_PER_BATCH_MAX);
        let shared = self.shared.clone();
        loop {
            tokio::select! {
                count = commands.recv_many(&mut taken, COMMANDS_PER_BATCH_MAX) => {
                    if count == 0 {
                        return;
                    }
                }
                Some(notice) = queue_notices.recv() => self.unused(notice).await,
                () = shared.histories.changed() => self.record_histories().await,
            }
            // What queues said comes before what was asked after it: a queue that its last consumer has left is gone.
            while let Ok(notice) = queue_notices.try_recv() {
                self.unused(notice).await;
            }
            let mut before = self.topology.clone();
            let mut end = None;
            for command in taken.drain(..) {
                if matches!(command, VhostCommand::Import(_)) {
                    // It waits for others, and nobody waits for it: what was asked before is answered first.
                    self.commit(std::mem::replace(&mut before, self.topology.clone())).await;
                    before = self.topology.clone();
                }
                if let Flow::End(reply) = self.command(command).await {
                    // What is behind it in the mailbox finds the vhost gone.
                    end = Some(reply);
                    break;
                }
            }
            self.commit(before).await;
            if let Some(reply) = end {
                let _ = reply.send(Ok(()));
                return;
            }
        }
    }

    async fn command(&mut self, command: VhostCommand) -> Flow {
        match command {
            VhostCommand::DeclareExchange(caller, declare, reply) => {
                let result = self.declare_exchange(&caller, declare);
                self.answer(reply, result);
            }
            VhostCommand::DeleteExchange { caller, name, if_unused, reply } => {
                let result = self.delete_exchange(&caller, &name, if_unused);
                self.answer(reply, result);
            }
            VhostCommand::DeclareQueue(caller, declare, reply) => {
                let result = self.declare_queue(&caller, declare);
                self.answer(reply, result);
            }
            VhostCommand::DeleteQueue { caller, name, if_unused, if_empty, reply } => {
                let result = self.delete_queue(&caller, &name, if_unused, if_empty).await;
                self.answer(reply, result);
            }
            VhostCommand::Bind(caller, binding, reply) => {
                let result = self.bind_and_replay(&caller, binding).await;
                self.answer(reply, result);
            }
            VhostCommand::Row(caller, requests, reply) => {
                let row = self.row(&caller, requests).await;
                self.answer(reply, Ok(row));
            }
            VhostCommand::Unbind(caller, binding, reply) => {
                let result = self.unbind(&caller, binding);
                self.answer(reply, result);
            }
            VhostCommand::DeleteExclusive(connection, reply) => {
                self.delete_exclusive(connection).await;
                self.answer(reply, Ok(()));
            }
            VhostCommand::Import(import) => self.import(*import).await,
            VhostCommand::ProvideEventExchange(wanted, reply) => {
                let result = self.provide_event_exchange(wanted);
                self.answer(reply, result);
            }
            VhostCommand::PoliciesChanged => self.policies_changed().await,
            VhostCommand::Stop(reply) => {
                self.record_histories().await;
                let (queues, delays) = (self.topology.queues(), self.topology.delays());
                futures_util::future::join_all(queues.iter().chain(&delays).map(QueueHandle::stop)).await;
                return Flow::End(reply);
            }
            VhostCommand::Drop(reply) => {
                let (queues, delays) = (self.topology.queues(), self.topology.delays());
                futures_util::future::join_all(queues.iter().chain(&delays).map(|queue| queue.delete(false, false)))
                    .await;
                self.delete_logs(&queues);
                self.note_all(|owner, node| {
                    events::vhost_dropped(node, &owner.vhost, &owner.topology.exchanges(), &queues).collect()
                });
                self.topology.roll_back(LiveTopology::new(self.vhost.clone()));
                return Flow::End(reply);
            }
        }
        Flow::Go
    }

    async fn policies_changed(&mut self) {
        for exchange in self.topology.exchanges() {
            let alternate = self.context.access.policy_alternate(&self.vhost, exchange.name.as_str());
            self.topology.set_policy_alternate(exchange.name.as_str(), alternate);
        }
        let told = self.topology.queues().into_iter().map(|queue| {
            let settings = self.context.access.queue_settings(&self.vhost, queue.spec());
            async move {
                // One that is gone needs none.
                let _ = queue.send(QueueCommand::Settings(Box::new(settings))).await;
            }
        });
        futures_util::future::join_all(told).await;
    }

    /// Answers once the batch is recorded and published. A refusal stays what it is.
    pub(super) fn answer<T: Send + 'static>(&mut self, reply: Reply<T>, result: Result<T, Error>) {
        self.batch.answers.push(Box::new(move |undone| {
            let result = match (result, undone) {
                (Ok(_), Some(error)) => Err(error.clone()),
                (result, _) => result,
            };
            // Whoever asked may be gone.
            let _ = reply.send(result);
        }));
    }

    /// Records the batch, publishes, answers. When it cannot be recorded, the picture goes
    /// back to `before`, but for queues that have ended.
    async fn commit(&mut self, before: LiveTopology) {
        let batch = std::mem::take(&mut self.batch);
        for queue in batch.discarded {
            // Nobody was told of it, so it is empty.
            let _ = queue.delete(false, false).await;
        }
        let written = match batch.writes.is_empty() {
            true => Ok(()),
            false => self.context.metadata.write(batch.writes).await.map(drop),
        };
        let undone = written.err().map(Error::from);
        if let Some(error) = &undone {
            tracing::error!(vhost = %self.vhost, %error, "a change could not be recorded and is undone");
            self.topology.roll_back(before);
            for queue in &batch.ended {
                self.topology.remove_queue(queue.spec().name.as_str());
            }
            for queue in batch.spawned {
                self.forget_exclusive(queue.spec());
                let _ = queue.delete(false, false).await;
            }
        }
        self.publish();
        if !batch.ended.is_empty() || !batch.gone.is_empty() {
            let gone = if undone.is_none() { batch.gone.as_slice() } else { &[] };
            self.shared.flows.forget(gone, batch.ended.iter().map(|queue| queue.spec().id));
        }
        if undone.is_none() {
            for queue in batch.obsolete {
                let _ = queue.delete(false, false).await;
            }
        }
        for answer in batch.answers {
            answer(undone.as_ref());
        }
        if undone.is_none() {
            self.delete_logs(&batch.ended);
            if let Some(events) = self.context.access.events() {
                events.tell_all(batch.told);
            }
        }
    }

    /// Whether anybody wants to know what changes.
    pub(super) fn is_told(&self) -> bool {
        self.context.access.events().is_some_and(Events::is_on)
    }

    /// Tells of something once the batch is recorded.
    pub(super) fn note(&mut self, event: impl FnOnce(&Self, &Events) -> Event) {
        if let Some(events) = self.context.access.events().filter(|events| events.is_on()) {
            let event = event(self, events);
            self.batch.told.push(event);
        }
    }

    /// Tells of several things once the batch is recorded.
    pub(super) fn note_all(&mut self, several: impl FnOnce(&Self, &str) -> Vec<Event>) {
        if let Some(events) = self.context.access.events().filter(|events| events.is_on()) {
            let several = several(self, events.node());
            self.batch.told.extend(several);
        }
    }

    /// Deletes the messages of queues whose records are gone. A crash before that leaves
    /// logs that nobody knows, and they are swept at the next start.
    fn delete_logs(&self, queues: &[QueueHandle]) {
        let logs: Vec<LogId> =
            queues.iter().filter(|queue| queue.spec().durable).flat_map(|queue| lasting_logs(queue.spec())).collect();
        if logs.is_empty() {
            return;
        }
        let (log, vhost) = (self.context.log.clone(), self.vhost.clone());
        tokio::spawn(async move {
            for id in logs {
                if let Err(error) = log.delete(id).await {
                    tracing::error!(%vhost, queue = id.0, %error, "the log of a deleted queue stays until the next start");
                }
            }
        });
    }

    /// How things stand, to go back there.
    pub(super) fn mark(&self) -> Mark {
        let Batch { writes, spawned, told, .. } = &self.batch;
        Mark { topology: self.topology.clone(), writes: writes.len(), spawned: spawned.len(), told: told.len() }
    }

    /// Goes back to where nothing of a request had happened.
    pub(super) fn undo(&mut self, mark: Mark) {
        self.topology.roll_back(mark.topology);
        self.batch.writes.truncate(mark.writes);
        self.batch.told.truncate(mark.told);
        for queue in self.batch.spawned.split_off(mark.spawned) {
            self.forget_exclusive(queue.spec());
            self.batch.discarded.push(queue);
        }
    }

    fn publish(&self) {
        if self.shared.topology.load().version() != self.topology.version() {
            self.shared.topology.store(Arc::new(self.topology.clone()));
            // What was listed keeps queues that may be gone.
            self.shared.listed.store(None);
            self.shared.changed.notify_one();
        }
    }

    /// Starts a queue and adds it to the working picture.
    pub(super) fn spawn(&mut self, spec: Arc<QueueSpec>, recover: Recover) -> QueueHandle {
        let settings = self.context.access.queue_settings(&self.vhost, &spec);
        if let Some(connection) = spec.exclusive_owner {
            self.exclusive.entry(connection).or_default().push(spec.name.clone());
        }
        let spawn = match spec.kind {
            QueueKind::Stream => spawn_stream,
            QueueKind::Classic | QueueKind::Quorum => spawn_queue,
        };
        let queue = spawn(QueueContext {
            spec,
            vhost: self.vhost.clone(),
            settings,
            log: self.context.log.clone(),
            recover,
            memory: self.context.queue_memory.clone(),
            traffic: self.context.traffic.clone(),
            sums: self.shared.sums.clone(),
            notices: self.notices.clone(),
            dead_letters: self.dead_letters.clone(),
        });
        self.topology.insert_queue(queue.clone());
        self.batch.spawned.push(queue.clone());
        queue
    }

    /// Starts to keep messages for an exchange that delays and is in the working picture.
    pub(super) fn spawn_delay(&mut self, exchange: Exchange, spec: QueueSpec, recover: bool) {
        let name = exchange.name.clone();
        let queue = spawn_delay(DelayContext {
            spec: Arc::new(spec),
            vhost: self.vhost.clone(),
            exchange,
            log: self.context.log.clone(),
            recover,
            shared: Arc::downgrade(&self.shared),
        });
        self.topology.set_delay(name.as_str(), queue.clone());
        self.batch.spawned.push(queue);
    }

    /// Notes that a queue has ended.
    pub(super) fn ended(&mut self, queue: QueueHandle) {
        self.forget_exclusive(queue.spec());
        self.batch.spawned.retain(|spawned| *spawned != queue);
        self.batch.ended.push(queue);
    }

    fn forget_exclusive(&mut self, spec: &QueueSpec) {
        if let Some(connection) = spec.exclusive_owner
            && let Some(names) = self.exclusive.get_mut(&connection)
        {
            names.retain(|name| *name != spec.name);
            if names.is_empty() {
                self.exclusive.remove(&connection);
            }
        }
    }
}
