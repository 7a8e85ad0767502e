//! One publisher: what it has to send, when, and what the server answered. The connection that carries it may carry others.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::clock::Clock;
use crate::confirms::Confirms;
use crate::connection::{Aside, aside};
use crate::error::PerfError;
use crate::options::Options;
use crate::pace::Pace;
use crate::plan::{Destination, PublisherPlan};
use crate::template::Template;
use crate::wire::{Frame, Incoming, ShortString, method};

/// A write is not made larger than this, whatever `--batch` says, unless one message is.
pub const WRITE_BYTES_MAX: usize = 256 * 1024;

/// How long to publish for when neither a count nor a duration was given.
const DURATION: Duration = Duration::from_secs(10);

/// What a publisher did.
pub struct Published {
    /// Its number.
    pub id: u32,
    /// Messages per destination.
    pub sent: Vec<(Destination, u64)>,
    /// When it began.
    pub started_ns: u64,
    /// When the server had answered for everything.
    pub finished_ns: u64,
    /// Confirmed messages.
    pub confirmed: u64,
    /// Refused messages (basic.nack).
    pub refused: u64,
    /// Returned messages (basic.return).
    pub returned: u64,
    /// Confirms for nothing.
    pub unknown_confirms: u64,
    /// Times the server said it was blocked by an alarm.
    pub blocked: u64,
    /// Publish to confirm.
    pub confirm_latency: Option<Histogram<u64>>,
}

/// What the server answers to publishes.
pub struct Answers {
    /// The window, with publisher confirms.
    pub confirms: Option<Confirms>,
    /// Messages that came back (basic.return).
    pub returned: u64,
    /// Times the server said that it does not read publishes.
    pub blocked: u64,
    returning: bool,
}

impl Answers {
    /// None yet; with a window, confirms are expected.
    pub fn new(confirms: Option<Confirms>) -> Self {
        Self { confirms, returned: 0, blocked: 0, returning: false }
    }

    /// Notes a frame.
    pub fn take(&mut self, frame: Frame<'_>) -> Result<(), PerfError> {
        match frame.incoming {
            Incoming::Method(id @ (method::BASIC_ACK | method::BASIC_NACK), mut args) => {
                let tag = args.long_long()?;
                let multiple = args.octet()? & 1 == 1;
                let Some(confirms) = &mut self.confirms else { return Err(PerfError::Unexpected(id.0, id.1)) };
                confirms.settle(tag, multiple, id == method::BASIC_ACK);
                Ok(())
            }
            Incoming::Method(method::BASIC_RETURN, _) => {
                self.returned += 1;
                self.returning = true;
                Ok(())
            }
            Incoming::Header { .. } | Incoming::Body(_) if self.returning => Ok(()),
            _ => {
                self.blocked += u64::from(aside(frame)? == Aside::Blocked);
                Ok(())
            }
        }
    }

    /// Publishes that wait for their confirm.
    pub fn outstanding(&self) -> u64 {
        self.confirms.as_ref().map_or(0, Confirms::outstanding)
    }

    /// How many may be published now.
    pub fn room(&self) -> u64 {
        self.confirms.as_ref().map_or(u64::MAX, Confirms::room)
    }
}

/// What a publisher wants to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It has made this many messages.
    Made(u64),
    /// Its next message is due then.
    Due(u64),
    /// Its window of confirms has no room.
    Full,
    /// It has made all its messages.
    Over,
}

/// A publisher on its channel.
pub struct Lane<'a> {
    /// What it is to do.
    pub plan: &'a PublisherPlan,
    /// Where it does it.
    pub channel: u16,
    /// What the server said.
    pub answers: Answers,
    template: Template,
    /// Messages per write at most.
    batch: u64,
    started_ns: u64,
    /// When to stop, unless it is a number of messages that is wanted.
    end_ns: Option<u64>,
    pace: Option<Pace>,
    /// Whether it is behind its schedule because the server made it wait.
    held_up: bool,
    /// The next sequence per destination.
    next: Vec<u64>,
    /// Messages made so far.
    made: u64,
}

impl<'a> Lane<'a> {
    /// A publisher that has not begun.
    pub fn new(
        plan: &'a PublisherPlan,
        channel: u16,
        exchange: &ShortString,
        options: &Options,
        frame_max: usize,
        clock: Clock,
    ) -> Self {
        let template = Template::new(plan, channel, exchange, options, frame_max);
        // As asked for, but never a huge write, and never more than half the window of confirms, so that one half can be
        // confirmed while the other is sent.
        let fitting = (WRITE_BYTES_MAX / template.message_bytes()).max(1);
        let half_window = options.confirm.map_or(u64::MAX, |window| u64::from(window.div_ceil(2)));
        Self {
            plan,
            channel,
            answers: Answers::new(options.confirm.map(|window| Confirms::new(window, clock))),
            template,
            batch: (options.batch.min(fitting) as u64).min(half_window),
            started_ns: 0,
            end_ns: None,
            pace: None,
            held_up: false,
            next: vec![0; plan.destinations.len()],
            made: 0,
        }
    }

    /// Begins now.
    pub fn start(&mut self, now_ns: u64, options: &Options) {
        self.started_ns = now_ns;
        self.end_ns = match self.plan.count {
            None => Some(now_ns + options.duration.unwrap_or(DURATION).as_nanos() as u64),
            Some(_) => None,
        };
        self.pace = self.plan.rate.map(|rate| Pace::new(now_ns + self.plan.delay.as_nanos() as u64, rate));
    }

    /// Appends what is due to the output, as far as the window has room.
    pub fn turn(&mut self, now_ns: u64, out: &mut Vec<u8>) -> Turn {
        let left = self.plan.count.map_or(u64::MAX, |count| count - self.made);
        // At the end of the time, what fell due while the publisher slept is still sent.
        let due_by_ns = self.end_ns.map_or(now_ns, |end_ns| now_ns.min(end_ns - 1));
        let due = self.pace.map_or(u64::MAX, |pace| pace.due_by(due_by_ns).saturating_sub(self.made));
        let time_is_over = self.end_ns.is_some_and(|end_ns| now_ns >= end_ns);
        if left == 0 || (time_is_over && (self.pace.is_none() || self.held_up || due == 0)) {
            return Turn::Over;
        }
        if due == 0 {
            self.held_up = false;
            let due_ns = self.pace.map_or(now_ns, |pace| pace.due_ns(self.made));
            return Turn::Due(self.end_ns.map_or(due_ns, |end_ns| due_ns.min(end_ns)));
        }
        // A whole batch or nothing: small dribbles cost both sides.
        let wanted = self.batch.min(left).min(due);
        if self.answers.room() < wanted {
            self.held_up = true;
            return Turn::Full;
        }
        self.make(wanted, now_ns, out);
        Turn::Made(wanted)
    }

    /// Appends messages. Late ones bear the time they were due, so that waiting counts as latency.
    fn make(&mut self, count: u64, now_ns: u64, out: &mut Vec<u8>) {
        let late = self.pace.filter(|_| self.held_up);
        for _ in 0..count {
            let index = (self.made % self.plan.routes.len() as u64) as usize;
            let destination = self.plan.routes[index].destination;
            let sent_ns = late.map_or(now_ns, |pace| pace.due_ns(self.made).min(now_ns));
            let sequence = self.next[destination];
            self.template.append(out, index, self.plan.id, sequence, sent_ns);
            if let Some(confirms) = &mut self.answers.confirms {
                confirms.published(sent_ns);
            }
            self.next[destination] += 1;
            self.made += 1;
        }
    }

    /// The server made the connection wait.
    pub fn hold_up(&mut self) {
        self.held_up = true;
    }

    /// Messages made, by destination.
    pub fn sent(&self) -> impl Iterator<Item = (Destination, u64)> + '_ {
        self.plan.destinations.iter().copied().zip(self.next.iter().copied())
    }

    /// What it did, in the end.
    pub fn published(self, finished_ns: u64) -> Published {
        let sent = self.sent().collect();
        let Answers { confirms, returned, blocked, .. } = self.answers;
        Published {
            id: self.plan.id,
            sent,
            started_ns: self.started_ns,
            finished_ns,
            confirmed: confirms.as_ref().map_or(0, |c| c.confirmed),
            refused: confirms.as_ref().map_or(0, |c| c.refused),
            unknown_confirms: confirms.as_ref().map_or(0, |c| c.unknown),
            returned,
            blocked,
            confirm_latency: confirms.map(|c| c.latency),
        }
    }
}
