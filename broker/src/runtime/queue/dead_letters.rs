//! A queue's dead letters until other queues have taken them.
//!
//! ```text
//! dead ─▶ left to the log ─▶ waiting (in memory) ─▶ under way ─▶ taken: forgotten
//!                                                      ▲    └─▶ not taken: once more, later
//!                                                      └──────────┘
//! ```
//! The queue never waits for them. What is in the log stays there until the queues it goes to
//! have taken it, so a crash loses no letter; when many wait, their messages are left to the
//! log. A letter that must arrive is kept for as long as nobody takes it. Any other is kept as
//! long as a queue that would take it cannot for want of storage.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::mpsc;
use tokio::time::{Duration, Instant, sleep_until};

use super::lane::{Demised, Kept, LETTERS_PER_BATCH_MAX, Lane, Terms};
use super::letter::{Fate, LetterAnswer, LetterBatch};
use super::stored::{self, Stored};
use crate::domain::message::Message;
use crate::domain::queue::QueueSpec;
use crate::domain::queue::page::Sum;
use crate::domain::queue::ready::Entry;
use crate::domain::queue::state::DropReason;
use crate::metrics::AtomicTraffic;
use crate::storage::{BoxFuture, Epoch, LogBatch, LogId, Position, QueueLog, ReadLimit, StorageError};

/// Letters of one queue that others have not answered for, or that are tried once more later.
const LETTERS_UNDER_WAY_MAX: usize = 1024;

/// The same for letters that must arrive, as in RabbitMQ.
const MUST_ARRIVE_UNDER_WAY_MAX: usize = 32;

/// Letters that wait with their messages in memory. Beyond it what is logged is left to the
/// log, and a queue of messages that are not stops handing out and dropping.
const LETTERS_IN_MEMORY_MAX: usize = 4096;

/// Bytes of their bodies, before logged ones are left to the log.
const BYTES_IN_MEMORY_MAX: u64 = 4 << 20;

/// Letters left to the log before the queue stops handing out and dropping messages, which
/// keeps further ones where they are.
const LETTERS_IN_LOG_MAX: usize = 1 << 20;

/// When a letter that nobody took is sent again, as in RabbitMQ. Changes of routes and of the
/// queue's settings do not wait for it.
const NOT_TAKEN_AGAIN_AFTER: Duration = Duration::from_secs(180);

/// When a letter is sent again to a queue that had no room in storage for it.
const UNAVAILABLE_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Letters being read back from the log.
struct Loading {
    count: usize,
    done: BoxFuture<'static, Result<LogBatch, StorageError>>,
}

/// Letters of one queue.
pub(super) struct DeadLetters {
    source: Arc<QueueSpec>,
    pump: mpsc::Sender<LetterBatch>,
    traffic: Arc<AtomicTraffic>,
    terms: Option<Terms>,
    in_log: VecDeque<Demised>,
    loading: Option<Loading>,
    lane: Lane,
    /// What is sent once more, and when.
    again: VecDeque<(Instant, Kept)>,
    held: Sum,
    /// Made when first needed: most queues have no dead letters.
    answers: Option<(mpsc::UnboundedSender<LetterAnswer>, mpsc::UnboundedReceiver<LetterAnswer>)>,
}

impl DeadLetters {
    pub(super) fn new(
        source: Arc<QueueSpec>,
        pump: mpsc::Sender<LetterBatch>,
        traffic: Arc<AtomicTraffic>,
        terms: Option<Terms>,
    ) -> Self {
        Self {
            source,
            pump,
            traffic,
            terms,
            in_log: VecDeque::new(),
            loading: None,
            lane: Lane::default(),
            again: VecDeque::new(),
            held: Sum::default(),
            answers: None,
        }
    }

    /// Whether letters go anywhere.
    pub(super) fn terms(&self) -> Option<&Terms> {
        self.terms.as_ref()
    }

    /// Takes a message that left, unless there is nowhere to send it.
    pub(super) fn push(&mut self, entry: Entry, reason: DropReason, at_s: u64, note: Option<u64>) {
        let demised = Demised {
            position: entry.logged.then_some(entry.position),
            note,
            bytes: entry.message.body_len(),
            failures: entry.failures,
            reason,
            at_s,
        };
        self.held.add(demised.bytes);
        let full = self.lane.waiting() >= LETTERS_IN_MEMORY_MAX || self.lane.bytes() >= BYTES_IN_MEMORY_MAX;
        if entry.logged && (full || !self.in_log.is_empty()) {
            self.in_log.push_back(demised);
        } else {
            self.lane.push(Kept { demised, message: entry.message, taken_by: Vec::new() });
        }
    }

    /// Takes over what died before the last stop.
    pub(super) fn recover(&mut self, demised: Demised) {
        self.held.add(demised.bytes);
        self.in_log.push_back(demised);
    }

    /// Letters that nobody has taken yet, and bytes of their bodies.
    pub(super) fn held(&self) -> Sum {
        self.held
    }

    /// Whether [`Self::turn`] has anything to do or wait for.
    pub(super) fn is_busy(&self) -> bool {
        self.loading.is_some() || self.lane.waiting() + self.lane.under_way() + self.again.len() > 0
    }

    /// Whether more messages may leave.
    pub(super) fn has_room(&self) -> bool {
        self.in_log.len() < LETTERS_IN_LOG_MAX
            // What is in the log does not stay in memory.
            && (self.lane.waiting() < LETTERS_IN_MEMORY_MAX || !self.in_log.is_empty())
    }

    /// Whether letters are being read from the queue's log.
    pub(super) fn is_loading(&self) -> bool {
        self.loading.is_some()
    }

    /// How many more letters may be under way.
    fn sendable(&self) -> usize {
        let max = match &self.terms {
            Some(Terms { must_arrive: true, .. }) => MUST_ARRIVE_UNDER_WAY_MAX,
            Some(_) => LETTERS_UNDER_WAY_MAX,
            None => 0,
        };
        max.saturating_sub(self.lane.under_way() + self.again.len())
    }

    /// Starts to read back letters when those in memory run out.
    pub(super) fn start_loading(&mut self, storage: &Arc<dyn QueueLog>, log: LogId, epoch: Epoch) {
        if self.loading.is_some() || self.in_log.is_empty() || self.lane.waiting() > 0 || self.sendable() == 0 {
            return;
        }
        let count = self.in_log.len().min(LETTERS_PER_BATCH_MAX);
        let mut positions: Vec<u64> = self.in_log.iter().take(count).filter_map(|demised| demised.position).collect();
        positions.sort_unstable();
        let ranges = positions.into_iter().map(|at| Position(at)..=Position(at)).collect();
        let limit = ReadLimit { records: count, bytes: BYTES_IN_MEMORY_MAX as usize };
        self.loading = Some(Loading { count, done: storage.read(log, epoch, ranges, limit) });
    }

    /// Takes letters that were read back. Answers with those that turned out to be lost.
    fn loaded(&mut self, count: usize, batch: LogBatch) -> Vec<Demised> {
        let mut messages: HashMap<u64, Message> = HashMap::new();
        self.traffic.disk_reads.fetch_add(batch.records.len() as u64, Relaxed);
        for record in batch.records {
            let position = record.position.0;
            if let Some(Stored { message, .. }) = stored::from_record(record) {
                messages.insert(position, message);
            }
        }
        let mut lost = Vec::new();
        let mut unread = Vec::new();
        for demised in self.in_log.drain(..count.min(self.in_log.len())).collect::<Vec<_>>() {
            let Some(position) = demised.position else { continue };
            match messages.remove(&position) {
                Some(message) => self.lane.push(Kept { demised, message, taken_by: Vec::new() }),
                None if batch.next.is_some_and(|next| position >= next.0) => unread.push(demised),
                None => lost.push(demised),
            }
        }
        unread.into_iter().rev().for_each(|demised| self.in_log.push_front(demised));
        lost
    }

    /// Hands a batch over, or hears what became of one. Answers with the letters that are
    /// over; nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// What storage says when letters cannot be read back.
    pub(super) async fn turn(&mut self) -> Result<Vec<Demised>, StorageError> {
        let sendable = self.sendable();
        let (_, heard) = self.answers.get_or_insert_with(mpsc::unbounded_channel);
        let again_at = self.again.front().map(|(at, _)| *at);
        let loading = &mut self.loading;
        let read = async {
            match loading {
                Some(loading) => loading.done.as_mut().await,
                None => std::future::pending().await,
            }
        };
        let pump = &self.pump;
        let permit = async { pump.clone().reserve_owned().await };
        let mut over = Vec::new();
        tokio::select! {
            answer = heard.recv() => {
                // What came with it costs no further turn.
                let mut next = answer;
                while let Some(answer) = next {
                    self.hear(answer, &mut over);
                    next = self.answers.as_mut().and_then(|(_, heard)| heard.try_recv().ok());
                }
            }
            batch = read => {
                let count = self.loading.take().map_or(0, |loading| loading.count);
                over = self.loaded(count, batch?.leading_on()?);
                self.forget(&over);
            }
            permit = permit, if sendable > 0 && self.lane.waiting() > 0 => {
                if let (Ok(permit), Some(terms), Some((answers, _))) = (permit, &self.terms, &self.answers) {
                    permit.send(self.lane.send(&self.source, terms, sendable, answers));
                } else {
                    // The vhost is gone, and so is everything letters could go to.
                    self.lane.clear();
                }
            }
            () = sleep_until(again_at.unwrap_or_else(Instant::now)), if again_at.is_some() => {
                let now = Instant::now();
                self.send_again(self.again.partition_point(|(at, _)| *at <= now));
            }
        }
        Ok(over)
    }

    fn hear(&mut self, answer: LetterAnswer, over: &mut Vec<Demised>) {
        let LetterAnswer::Fate { key, fate, taken_by } = answer else {
            return self.send_again(self.again.len());
        };
        // A purge may have been before.
        let Some(mut kept) = self.lane.arrived(key) else { return };
        let must_arrive = self.terms.as_ref().is_some_and(|terms| terms.must_arrive);
        let after = match fate {
            Fate::NoRoute | Fate::Refused if must_arrive => NOT_TAKEN_AGAIN_AFTER,
            Fate::Unavailable if self.terms.is_some() => UNAVAILABLE_AGAIN_AFTER,
            Fate::Taken | Fate::NoRoute | Fate::Refused | Fate::Unavailable => {
                if must_arrive && fate == Fate::Taken {
                    self.traffic.dead_letters_confirmed.fetch_add(1, Relaxed);
                }
                self.forget(&[kept.demised]);
                return over.push(kept.demised);
            }
        };
        kept.taken_by.extend(taken_by);
        let at = Instant::now() + after;
        let place = self.again.partition_point(|(other, _)| *other <= at);
        self.again.insert(place, (at, kept));
    }

    fn forget(&mut self, over: &[Demised]) {
        for demised in over {
            self.held = self.held.without(Sum { messages: 1, bytes: demised.bytes.into() });
        }
    }

    /// The first `count` of those that are sent once more go before all others.
    fn send_again(&mut self, count: usize) {
        let letters = self.again.drain(..count).map(|(_, kept)| kept).collect();
        self.lane.put_first(letters);
    }

    /// Other terms: what nobody took is sent on them. Answers with what is over since letters
    /// go nowhere any more.
    pub(super) fn set_terms(&mut self, terms: Option<Terms>) -> Vec<Demised> {
        self.terms = terms;
        if self.terms.is_none() {
            return self.purge();
        }
        self.send_again(self.again.len());
        Vec::new()
    }

    /// Gives all letters up. Answers with them; what is under way may still arrive.
    pub(super) fn purge(&mut self) -> Vec<Demised> {
        self.loading = None;
        self.held = Sum::default();
        let mut over = self.lane.clear();
        over.extend(self.again.drain(..).map(|(_, kept)| kept.demised));
        over.extend(self.in_log.drain(..));
        over
    }

    /// The queue is deleted: letters that left it before still arrive. Those that must arrive
    /// go with the queue, as do those left to its log.
    pub(super) fn hand_over(&mut self) {
        let mut lane = std::mem::take(&mut self.lane);
        let Some(terms) = self.terms.take().filter(|terms| !terms.must_arrive) else { return };
        if lane.waiting() == 0 {
            return;
        }
        let (source, pump) = (self.source.clone(), self.pump.clone());
        tokio::spawn(async move {
            // Nobody listens: the log of the queue is gone.
            let (answers, _) = mpsc::unbounded_channel();
            while lane.waiting() > 0 {
                if pump.send(lane.send(&source, &terms, usize::MAX, &answers)).await.is_err() {
                    return;
                }
            }
        });
    }
}
