//! One publisher: its own connection, its own thread, batches of messages from templates.
//!
//! A message is copied from its template and marked; a batch is one write. Confirms are read between writes.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::confirms::Confirms;
use crate::connection::{Aside, CHANNEL, Connection, Wait, aside};
use crate::error::PerfError;
use crate::options::Options;
use crate::pace::Pace;
use crate::payload::{Mark, STAMP_BYTES};
use crate::plan::{Destination, PublisherPlan};
use crate::shared::Shared;
use crate::wire::encode::{Encode, Properties};
use crate::wire::{FRAME_OVERHEAD_BYTES, Frame, Incoming, ShortString, method};

/// A write is not made larger than this, whatever `--batch` says, unless one message is.
const WRITE_BYTES_MAX: usize = 256 * 1024;

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

/// The bytes of a message before they are marked.
struct Template {
    /// Publish method and content header, per route.
    heads: Vec<Vec<u8>>,
    /// All body frames.
    body: Vec<u8>,
    /// Octets of the first body frame that may carry the mark.
    mark_bytes: usize,
}

impl Template {
    fn new(plan: &PublisherPlan, exchange: &ShortString, options: &Options, frame_max: usize) -> Self {
        let head = |route: &crate::plan::Route| {
            let mut bytes = Vec::new();
            bytes.put_method(CHANNEL, method::BASIC_PUBLISH, |args| {
                args.extend_from_slice(&[0, 0]);
                args.put_short(exchange);
                args.put_short(&route.key);
                args.push(u8::from(options.mandatory));
            });
            let properties = Properties { persistent: options.persistent, headers: route.headers.clone() };
            bytes.put_header(CHANNEL, options.size as u64, &properties);
            bytes
        };
        let mut body = Vec::new();
        body.put_body(CHANNEL, &vec![0; options.size], frame_max);
        Self { heads: plan.routes.iter().map(head).collect(), body, mark_bytes: options.size.min(STAMP_BYTES) }
    }

    /// Appends a marked message.
    #[inline]
    fn append(&self, out: &mut Vec<u8>, route: usize, sender: u32, sequence: u64, sent_ns: u64) {
        out.extend_from_slice(&self.heads[route]);
        // The payload of the first body frame follows its seven octets of type, channel and size.
        let mark_at = out.len() + FRAME_OVERHEAD_BYTES - 1;
        out.extend_from_slice(&self.body);
        if self.mark_bytes > 0 {
            Mark::write(sender, sequence, sent_ns, &mut out[mark_at..mark_at + self.mark_bytes]);
        }
    }

    fn message_bytes(&self) -> usize {
        self.body.len() + self.heads.iter().map(Vec::len).max().unwrap_or(0)
    }
}

/// What the server answers to publishes.
struct Answers {
    confirms: Option<Confirms>,
    returned: u64,
    blocked: u64,
    returning: bool,
}

impl Answers {
    fn take(&mut self, frame: Frame<'_>) -> Result<(), PerfError> {
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

    fn outstanding(&self) -> u64 {
        self.confirms.as_ref().map_or(0, Confirms::outstanding)
    }

    fn room(&self) -> u64 {
        self.confirms.as_ref().map_or(u64::MAX, Confirms::room)
    }
}

/// A connected publisher that waits for the start.
pub struct Publisher<'a> {
    plan: &'a PublisherPlan,
    options: &'a Options,
    shared: &'a Shared,
    connection: Connection,
    template: Template,
    answers: Answers,
    /// The next sequence per destination.
    next: Vec<u64>,
    /// Messages made so far.
    made: u64,
}

impl<'a> Publisher<'a> {
    /// Connects and prepares.
    pub fn connect(
        plan: &'a PublisherPlan,
        exchange: &ShortString,
        options: &'a Options,
        shared: &'a Shared,
    ) -> Result<Self, PerfError> {
        let name = format!("warren-perf publisher {}", plan.id + 1);
        let mut connection = Connection::open(&options.uri, &name, options.stall_timeout)?;
        let template = Template::new(plan, exchange, options, connection.frame_max());
        let confirms = options.confirm.map(|window| Confirms::new(window, shared.clock));
        if confirms.is_some() {
            connection.call(method::CONFIRM_SELECT, method::CONFIRM_SELECT_OK, |args| args.push(0), |_| Ok(()))?;
        }
        let answers = Answers { confirms, returned: 0, blocked: 0, returning: false };
        let next = vec![0; plan.destinations.len()];
        Ok(Self { plan, options, shared, connection, template, answers, next, made: 0 })
    }

    /// Publishes until done; returns when the server has answered for everything.
    pub fn run(mut self) -> Result<Published, PerfError> {
        let started_ns = self.shared.clock.now_ns();
        let end_ns = match (self.plan.count, self.options.duration) {
            (None, duration) => {
                let duration = duration.unwrap_or(Duration::from_secs(10));
                Some(started_ns + duration.as_nanos() as u64)
            }
            (Some(_), _) => None,
        };
        let batch = self.batch();
        let pace = self.plan.rate.map(|rate| Pace::new(started_ns + self.plan.delay.as_nanos() as u64, rate));
        // Whether the publisher is behind its schedule because the server made it wait.
        let mut held_up = false;
        loop {
            self.shared.check()?;
            let now_ns = self.shared.clock.now_ns();
            let left = self.plan.count.map_or(u64::MAX, |count| count - self.made);
            // At the end of the time, what fell due while the publisher slept is still sent.
            let due_by_ns = end_ns.map_or(now_ns, |end_ns| now_ns.min(end_ns - 1));
            let due = pace.map_or(u64::MAX, |pace| pace.due_by(due_by_ns).saturating_sub(self.made));
            let over = end_ns.is_some_and(|end_ns| now_ns >= end_ns) && (pace.is_none() || held_up || due == 0);
            if left == 0 || over {
                break;
            }
            if due == 0 {
                held_up = false;
                self.wait_until_due(pace, end_ns, now_ns)?;
                continue;
            }
            let wanted = batch.min(left).min(due);
            if self.answers.room() < wanted {
                held_up = true;
                self.wait_for_room(wanted)?;
                continue;
            }
            self.make(wanted, now_ns, pace.filter(|_| held_up));
            held_up |= self.send(wanted)?;
        }
        self.finish(started_ns)
    }

    /// Messages per write: as asked for, but never a huge write, and never more than half the window of confirms, so that
    /// one half can be confirmed while the other is sent.
    fn batch(&self) -> u64 {
        let fitting = (WRITE_BYTES_MAX / self.template.message_bytes()).max(1);
        let half_window = self.options.confirm.map_or(u64::MAX, |window| u64::from(window.div_ceil(2)));
        (self.options.batch.min(fitting) as u64).min(half_window)
    }

    /// Appends messages to the output. Late ones bear the time they were due, so that waiting counts as latency.
    fn make(&mut self, count: u64, now_ns: u64, late: Option<Pace>) {
        for _ in 0..count {
            let index = (self.made % self.plan.routes.len() as u64) as usize;
            let destination = self.plan.routes[index].destination;
            let sent_ns = late.map_or(now_ns, |pace| pace.due_ns(self.made).min(now_ns));
            let sequence = self.next[destination];
            self.template.append(&mut self.connection.output, index, self.plan.id, sequence, sent_ns);
            if let Some(confirms) = &mut self.answers.confirms {
                confirms.published(sent_ns);
            }
            self.next[destination] += 1;
            self.made += 1;
        }
    }

    fn send(&mut self, count: u64) -> Result<bool, PerfError> {
        let Self { connection, answers, .. } = self;
        let waited = connection.flush(|frame| answers.take(frame))?;
        self.shared.published.fetch_add(count, Relaxed);
        self.receive(Wait::No)?;
        Ok(waited)
    }

    fn receive(&mut self, wait: Wait) -> Result<bool, PerfError> {
        let Self { connection, answers, .. } = self;
        let some = connection.receive(wait)?;
        connection.each_frame(|frame| answers.take(frame))?;
        Ok(some)
    }

    fn wait_until_due(&mut self, pace: Option<Pace>, end_ns: Option<u64>, now_ns: u64) -> Result<(), PerfError> {
        let due = pace.map_or(Duration::ZERO, |pace| pace.wait(self.made, now_ns));
        let end = end_ns.map_or(Duration::MAX, |end_ns| Duration::from_nanos(end_ns.saturating_sub(now_ns)));
        self.receive(Wait::For(due.min(end).min(self.shared.idle)))?;
        Ok(())
    }

    /// Waits until there is room for a whole batch: small dribbles cost both sides.
    fn wait_for_room(&mut self, wanted: u64) -> Result<(), PerfError> {
        while self.answers.room() < wanted {
            self.settle_some()?;
        }
        Ok(())
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

    fn finish(mut self, started_ns: u64) -> Result<Published, PerfError> {
        while self.answers.outstanding() > 0 {
            self.settle_some()?;
        }
        let Self { connection, answers, .. } = &mut self;
        // The answer comes when the server has handled all publishes; returned messages come before it.
        connection.close_channel_with(|frame| answers.take(frame))?;
        let finished_ns = self.shared.clock.now_ns();
        let sent: Vec<(Destination, u64)> = self.plan.destinations.iter().copied().zip(self.next).collect();
        for (destination, count) in &sent {
            match destination {
                Destination::Queue(queue) => {
                    self.shared.queues[*queue].expected.fetch_add(*count, SeqCst);
                }
                Destination::Every => {
                    for queue in &self.shared.queues {
                        queue.expected.fetch_add(*count, SeqCst);
                    }
                }
            }
        }
        self.shared.publishing.fetch_sub(1, SeqCst);
        self.connection.close();
        let Answers { confirms, returned, blocked, .. } = self.answers;
        let published = Published {
            id: self.plan.id,
            sent,
            started_ns,
            finished_ns,
            confirmed: confirms.as_ref().map_or(0, |c| c.confirmed),
            refused: confirms.as_ref().map_or(0, |c| c.refused),
            unknown_confirms: confirms.as_ref().map_or(0, |c| c.unknown),
            returned,
            blocked,
            confirm_latency: confirms.map(|c| c.latency),
        };
        Ok(published)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::plan::Plan;
    use crate::wire::FrameBuffer;

    /// The messages a template makes, read back: method, header size, mark, body octets in all.
    fn read_back(arguments: &str, frame_max: usize) -> (u64, Option<Mark>, usize) {
        let words = std::iter::once("warren-perf").chain(arguments.split_whitespace());
        let options = Options::try_parse_from(words).unwrap();
        let plan = Plan::make(&options).unwrap();
        let template = Template::new(&plan.publishers[0], &plan.exchange, &options, frame_max);
        let mut out = Vec::new();
        template.append(&mut out, 0, 5, 6, 7);
        assert!(out.len() <= template.message_bytes());
        let mut buffer = FrameBuffer::new(out.len() + 1, frame_max);
        buffer.room()[..out.len()].copy_from_slice(&out);
        buffer.filled(out.len());
        let (mut size, mut mark, mut body) = (0, None, 0);
        while let Some(frame) = buffer.next_frame().unwrap() {
            match frame.incoming {
                Incoming::Method(id, _) => assert_eq!(id, method::BASIC_PUBLISH),
                Incoming::Header { body_bytes } => size = body_bytes,
                Incoming::Body(bytes) => {
                    mark = mark.or_else(|| Mark::read(bytes));
                    body += bytes.len();
                }
                Incoming::Heartbeat => unreachable!(),
            }
        }
        (size, mark, body)
    }

    #[test]
    fn a_template_becomes_a_whole_marked_message_of_any_size() {
        let mark = Mark { sender: 5, sequence: 6, sent_ns: Some(7) };
        assert_eq!(read_back("-s 0", 4096), (0, None, 0));
        assert_eq!(read_back("-s 7", 4096), (7, None, 7));
        assert_eq!(read_back("-s 8", 4096), (8, Some(Mark { sent_ns: None, ..mark }), 8));
        assert_eq!(read_back("-s 16 --persistent", 4096), (16, Some(mark), 16));
        assert_eq!(read_back("-s 10000 -t headers --mandatory", 4096), (10_000, Some(mark), 10_000));
    }
}
