//! One run from start to report: sets the stage, starts a thread per worker, watches, and puts together what they saw.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, Scope};
use std::time::Duration;

use crate::clock::Clock;
use crate::connection::Connection;
use crate::consumer::Consumer;
use crate::error::PerfError;
use crate::findings::{Findings, Measured};
use crate::lane::Published;
use crate::options::{Options, QueueKind};
use crate::plan::Plan;
use crate::progress::Progress;
use crate::publisher::Publisher;
use crate::receiver::Consumed;
use crate::report::Report;
use crate::shared::Shared;
use crate::topology;
use crate::usage::{Watch, own_cpu_seconds};

/// A worker's stack; none recurses or keeps much on it.
const STACK_BYTES: usize = 256 * 1024;

/// How often the watched processes are looked at.
const SAMPLE: Duration = Duration::from_millis(250);

/// How often queues are looked at while they fill up.
const COUNT_EVERY: Duration = Duration::from_millis(20);

/// What a worker tells the run.
enum Event {
    /// Connected; a consumer consumes unless the backlog comes first.
    Ready,
    Published(Vec<Published>),
    Consumed(Box<Consumed>),
    Failed(PerfError),
}

/// The run's own side while workers work.
struct Conductor<'a> {
    shared: &'a Shared,
    events: Receiver<Event>,
    watch: Watch,
    progress: Progress,
    published: Vec<Published>,
    consumed: Vec<Consumed>,
}

impl Conductor<'_> {
    /// Waits until `done`, sampling and showing progress meanwhile. The first failure stops all workers.
    fn wait(&mut self, done: impl Fn(&Self, usize) -> bool) -> Result<(), PerfError> {
        let mut ready = 0;
        while !done(self, ready) {
            match self.events.recv_timeout(SAMPLE) {
                Ok(Event::Ready) => ready += 1,
                Ok(Event::Published(published)) => self.published.extend(published),
                Ok(Event::Consumed(consumed)) => self.consumed.push(*consumed),
                Ok(Event::Failed(error)) => {
                    self.shared.abort();
                    self.progress.clear();
                    return Err(error);
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.watch.read_if_any()?;
                }
                Err(RecvTimeoutError::Disconnected) => return Err(PerfError::Aborted),
            }
            let (published, delivered) = (self.shared.published.load(Relaxed), self.shared.delivered.load(Relaxed));
            self.progress.show(self.shared.clock.now_ns(), published, delivered);
        }
        Ok(())
    }
}

/// Runs what the options ask for.
pub fn run(options: &Options) -> Result<Report, PerfError> {
    let plan = Plan::make(options)?;
    let watch = Watch::new(&options.server_pid)?;
    let clock = Clock::start();
    let mut stage = Connection::open(&options.uri, "warren-perf", options.stall_timeout, 1)?;
    let held = topology::declare(&mut stage, &plan, options)?;
    let shared = Shared::new(clock, plan.queues.len(), options.publishers, plan.consumer_connections.len());
    for (queue, held) in shared.queues.iter().zip(&held) {
        queue.expected.store(*held, SeqCst);
    }
    let result = std::thread::scope(|scope| {
        let outcome = conduct(scope, &plan, options, &shared, watch);
        if outcome.is_err() {
            shared.abort();
        }
        outcome
    });
    let result = result.and_then(|mut findings| {
        if options.consumers == 0 {
            findings.held = await_held(&mut stage, &plan, options, &shared)?;
            findings.measured.after = findings.watch.read_if_any()?;
        }
        if let Some(settle) = options.settle {
            std::thread::sleep(settle);
            findings.measured.settled = findings.watch.read_if_any()?;
        }
        Ok(findings)
    });
    if !options.keep {
        let deleted = topology::delete(&mut stage, &plan, options);
        if result.is_ok() {
            deleted?;
        }
    }
    stage.close();
    Ok(result?.report(&plan, options))
}

/// Starts the workers and leads them through the run.
fn conduct<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    plan: &'env Plan,
    options: &'env Options,
    shared: &'env Shared,
    watch: Watch,
) -> Result<Findings, PerfError> {
    let (sender, events) = channel();
    let progress = Progress::new(shared.clock.now_ns());
    let mut conductor = Conductor { shared, events, watch, progress, published: Vec::new(), consumed: Vec::new() };
    for number in 0..plan.consumer_connections.len() {
        spawn(scope, &sender, move |sender| {
            let mut consumer = Consumer::connect(number, plan, options, shared)?;
            if !options.backlog_first {
                consumer.subscribe()?;
            }
            let _ = sender.send(Event::Ready);
            shared.consume.pass();
            shared.check()?;
            if options.backlog_first {
                consumer.subscribe()?;
            }
            consumer.run().map(|seen| Event::Consumed(Box::new(seen)))
        })?;
    }
    if options.queue_kind == QueueKind::Exclusive {
        // Publishers must find the queues that consumers declare.
        conductor.wait(|_, ready| ready == plan.consumer_connections.len())?;
    }
    for publishers in &plan.publisher_connections {
        let publishers = &plan.publishers[publishers.clone()];
        spawn(scope, &sender, move |sender| {
            let publisher = Publisher::connect(publishers, plan, options, shared)?;
            let _ = sender.send(Event::Ready);
            shared.publish.pass();
            shared.check()?;
            publisher.run().map(Event::Published)
        })?;
    }
    drop(sender);
    let consuming = if options.queue_kind == QueueKind::Exclusive { 0 } else { plan.consumer_connections.len() };
    let waiting = plan.publisher_connections.len() + consuming;
    conductor.wait(|_, ready| ready == waiting)?;

    let client_before = own_cpu_seconds();
    let before = conductor.watch.read_if_any()?;
    shared.publish.open();
    if !options.backlog_first {
        shared.consume.open();
    }
    conductor.wait(|conductor, _| conductor.published.len() == plan.publishers.len())?;
    let between = if options.backlog_first { conductor.watch.read_if_any()? } else { None };
    shared.consume.open();
    conductor.wait(|conductor, _| conductor.consumed.len() == plan.consumer_connections.len())?;
    let after = conductor.watch.read_if_any()?;
    conductor.progress.clear();
    let client_cpu_seconds = own_cpu_seconds() - client_before;
    let measured = Measured { before, between, after, settled: None, client_cpu_seconds };
    let Conductor { watch, published, consumed, .. } = conductor;
    Ok(Findings { published, consumed, held: None, measured, watch })
}

/// Starts a worker whose result, good or bad, becomes an event.
fn spawn<'scope>(
    scope: &'scope Scope<'scope, '_>,
    sender: &Sender<Event>,
    work: impl FnOnce(&Sender<Event>) -> Result<Event, PerfError> + Send + 'scope,
) -> Result<(), PerfError> {
    let sender = sender.clone();
    let body = move || {
        // The kernel may round a worker's waits up by 50 us unless told otherwise; that would be measured as latency.
        let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
        let event = work(&sender).unwrap_or_else(Event::Failed);
        // Nobody listens any more when the run has failed elsewhere.
        let _ = sender.send(event);
    };
    let spawned = Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, body);
    spawned.map(drop).map_err(|source| PerfError::Local { what: "cannot start a thread", source })
}

/// Without consumers: waits until the queues hold what was sent, or stop growing; returns what they hold.
fn await_held(
    stage: &mut Connection,
    plan: &Plan,
    options: &Options,
    shared: &Shared,
) -> Result<Option<Vec<u64>>, PerfError> {
    let stall_ns = options.stall_timeout.as_nanos() as u64;
    let (mut last_total, mut last_ns) = (u64::MAX, shared.clock.now_ns());
    loop {
        let mut held = Vec::with_capacity(plan.queues.len());
        for name in &plan.queues {
            held.push(topology::count(stage, name)?);
        }
        let full = held.iter().zip(&shared.queues).all(|(held, queue)| *held >= queue.expected.load(SeqCst));
        let (total, now_ns) = (held.iter().sum(), shared.clock.now_ns());
        if total != last_total {
            (last_total, last_ns) = (total, now_ns);
        }
        if full || now_ns - last_ns > stall_ns {
            return Ok(Some(held));
        }
        std::thread::sleep(COUNT_EVERY);
    }
}
