//! A connection that publishes: one thread, one publisher or several that share it, each on a channel of its own.
//!
//! All that is due is appended to one buffer, and a buffer is one write. Confirms are read between writes.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

use crate::connection::{CHANNEL, Connection, Wait};
use crate::error::PerfError;
use crate::lane::{Lane, Published, Turn, WRITE_BYTES_MAX};
use crate::options::Options;
use crate::plan::{Destination, Plan, PublisherPlan};
use crate::shared::Shared;
use crate::wire::{Frame, method};

/// Connected publishers that wait for the start.
pub struct Publisher<'a> {
    options: &'a Options,
    shared: &'a Shared,
    connection: Connection,
    /// By channel, from `CHANNEL` on.
    lanes: Vec<Lane<'a>>,
    /// Whose turn is first, so that a full buffer does not always favour the same ones.
    first: usize,
}

/// What the turns of all publishers came to.
struct Pass {
    made: u64,
    /// The earliest moment a message falls due.
    due_ns: u64,
    full: bool,
    over: bool,
}

/// Hands an answer to the publisher it is for; what concerns the connection goes to the first.
fn take(lanes: &mut [Lane<'_>], frame: Frame<'_>) -> Result<(), PerfError> {
    let index = usize::from(frame.channel.saturating_sub(CHANNEL)).min(lanes.len() - 1);
    lanes[index].answers.take(frame)
}

impl<'a> Publisher<'a> {
    /// Connects and prepares; `publishers` is not empty.
    pub fn connect(
        publishers: &'a [PublisherPlan],
        plan: &Plan,
        options: &'a Options,
        shared: &'a Shared,
    ) -> Result<Self, PerfError> {
        let name = match publishers {
            [one] => format!("warren-perf publisher {}", one.id + 1),
            many => format!("warren-perf publishers {} to {}", many[0].id + 1, many[many.len() - 1].id + 1),
        };
        // The plan allows no more workers on a connection than channel numbers.
        let channels = publishers.len() as u16;
        let mut connection = Connection::open(&options.uri, &name, options.stall_timeout, channels)?;
        let frame_max = connection.frame_max();
        let lane = |(channel, plan_of)| Lane::new(plan_of, channel, &plan.exchange, options, frame_max, shared.clock);
        let lanes: Vec<Lane<'_>> = (CHANNEL..).zip(publishers).map(lane).collect();
        if options.confirm.is_some() {
            for lane in &lanes {
                let args = |args: &mut Vec<u8>| args.push(0);
                connection.call_on(
                    lane.channel,
                    method::CONFIRM_SELECT,
                    method::CONFIRM_SELECT_OK,
                    args,
                    |_| Ok(()),
                )?;
            }
        }
        Ok(Self { options, shared, connection, lanes, first: 0 })
    }

    /// Publishes until done; returns when the server has answered for everything.
    pub fn run(mut self) -> Result<Vec<Published>, PerfError> {
        let started_ns = self.shared.clock.now_ns();
        self.lanes.iter_mut().for_each(|lane| lane.start(started_ns, self.options));
        let stall_ns = self.options.stall_timeout.as_nanos() as u64;
        // Since when a full window waits without any word from the server.
        let mut silent_since_ns = None;
        loop {
            self.shared.check()?;
            let now_ns = self.shared.clock.now_ns();
            let pass = self.pass(now_ns);
            if pass.over {
                break;
            }
            if pass.made > 0 {
                self.send(pass.made)?;
                continue;
            }
            let until_due = Duration::from_nanos(pass.due_ns.saturating_sub(now_ns));
            let some = self.receive(Wait::For(until_due.min(self.shared.idle)))?;
            if some || !pass.full {
                silent_since_ns = None;
            } else if now_ns - *silent_since_ns.get_or_insert(now_ns) > stall_ns {
                return Err(self.connection.stalled("confirms"));
            }
        }
        self.finish()
    }

    /// Gives every publisher its turn, until the buffer is large enough for one write.
    fn pass(&mut self, now_ns: u64) -> Pass {
        let mut pass = Pass { made: 0, due_ns: u64::MAX, full: false, over: true };
        let lanes = self.lanes.len();
        for step in 0..lanes {
            let index = (self.first + step) % lanes;
            match self.lanes[index].turn(now_ns, &mut self.connection.output) {
                Turn::Over => continue,
                Turn::Made(count) => pass.made += count,
                Turn::Due(due_ns) => pass.due_ns = pass.due_ns.min(due_ns),
                Turn::Full => pass.full = true,
            }
            pass.over = false;
            if self.connection.output.len() >= WRITE_BYTES_MAX {
                self.first = index + 1;
                break;
            }
        }
        pass
    }

    fn send(&mut self, count: u64) -> Result<(), PerfError> {
        let Self { connection, lanes, .. } = self;
        if connection.flush(|frame| take(lanes, frame))? {
            lanes.iter_mut().for_each(Lane::hold_up);
        }
        self.shared.published.fetch_add(count, Relaxed);
        self.receive(Wait::No)?;
        Ok(())
    }

    fn receive(&mut self, wait: Wait) -> Result<bool, PerfError> {
        let Self { connection, lanes, .. } = self;
        let some = connection.receive(wait)?;
        connection.each_frame(|frame| take(lanes, frame))?;
        Ok(some)
    }

    /// Waits for the server to settle something.
    fn settle_some(&mut self) -> Result<(), PerfError> {
        let deadline_ns = self.shared.clock.now_ns() + self.options.stall_timeout.as_nanos() as u64;
        while !self.receive(Wait::For(self.shared.idle))? {
            self.shared.check()?;
            if self.shared.clock.now_ns() > deadline_ns {
                return Err(self.connection.stalled("confirms"));
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Published>, PerfError> {
        while self.lanes.iter().any(|lane| lane.answers.outstanding() > 0) {
            self.settle_some()?;
        }
        let Self { connection, lanes, shared, .. } = &mut self;
        // The answer comes when the server has handled all publishes; returned messages come before it.
        for channel in lanes.iter().map(|lane| lane.channel).collect::<Vec<_>>() {
            connection.close_channel_with(channel, |frame| take(lanes, frame))?;
        }
        let finished_ns = shared.clock.now_ns();
        for (destination, count) in lanes.iter().flat_map(Lane::sent) {
            let reached = match destination {
                Destination::Queue(queue) => &shared.queues[queue..=queue],
                Destination::Every => &shared.queues[..],
            };
            for queue in reached {
                queue.expected.fetch_add(count, SeqCst);
            }
        }
        shared.publishing.fetch_sub(lanes.len() as u32, SeqCst);
        self.connection.close();
        Ok(self.lanes.into_iter().map(|lane| lane.published(finished_ns)).collect())
    }
}
