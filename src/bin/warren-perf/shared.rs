//! What the threads of a run share: progress counters, what is expected where, the signal to start and the signal to give up.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::error::PerfError;

/// A door that opens once. Its lock guards only the flag and is never held with another.
#[derive(Default)]
pub struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    /// Lets everyone through, now and later.
    pub fn open(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.opened.notify_all();
    }

    /// Waits until it is open.
    pub fn pass(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        while !*open {
            open = self.opened.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Counters of one queue.
#[derive(Default)]
pub struct QueueCount {
    /// What publishers that are done have sent to it, or what was in it before the run.
    pub expected: AtomicU64,
    /// What consumers have taken from it.
    pub received: AtomicU64,
}

/// Shared by all threads of a run.
pub struct Shared {
    /// The time of the run.
    pub clock: Clock,
    /// Messages published so far.
    pub published: AtomicU64,
    /// Messages delivered so far.
    pub delivered: AtomicU64,
    /// Publishers that are not done.
    pub publishing: AtomicU32,
    /// By queue.
    pub queues: Vec<QueueCount>,
    /// Opened when publishers may start.
    pub publish: Gate,
    /// Opened when consumers may start.
    pub consume: Gate,
    aborted: AtomicBool,
    /// How long a consumer with nothing to do sleeps before it looks whether the run is over.
    pub idle: Duration,
}

impl Shared {
    /// For a run of this many queues, publishers, and connections that consume.
    pub fn new(clock: Clock, queues: usize, publishers: u32, consuming_connections: usize) -> Self {
        let queues = std::iter::repeat_with(QueueCount::default).take(queues).collect();
        // Many idle consumers must not keep the machine busy with looking.
        let idle = Duration::from_millis(consuming_connections as u64 * 2)
            .clamp(Duration::from_millis(20), Duration::from_secs(1));
        Self {
            clock,
            published: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            publishing: AtomicU32::new(publishers),
            queues,
            publish: Gate::default(),
            consume: Gate::default(),
            aborted: AtomicBool::new(false),
            idle,
        }
    }

    /// Makes every thread stop soon.
    pub fn abort(&self) {
        self.aborted.store(true, SeqCst);
        self.publish.open();
        self.consume.open();
    }

    /// Fails when the run was given up.
    pub fn check(&self) -> Result<(), PerfError> {
        if self.aborted.load(Relaxed) { Err(PerfError::Aborted) } else { Ok(()) }
    }

    /// Whether nothing more is to come from these queues.
    pub fn complete(&self, queues: &[usize]) -> bool {
        let all = |queue: &QueueCount| queue.received.load(SeqCst) >= queue.expected.load(SeqCst);
        self.publishing.load(SeqCst) == 0 && queues.iter().all(|queue| all(&self.queues[*queue]))
    }

    /// Messages taken from these queues so far.
    pub fn received(&self, queues: &[usize]) -> u64 {
        queues.iter().map(|queue| self.queues[*queue].received.load(Relaxed)).sum()
    }
}
