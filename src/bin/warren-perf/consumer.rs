//! One consumer: its own connection, its own thread, one or more queues; checks each message and acknowledges in ranges.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use hdrhistogram::Histogram;

use crate::connection::{CHANNEL, Connection, Wait, aside};
use crate::error::PerfError;
use crate::options::{Options, QueueKind};
use crate::payload::{Mark, ORDER_BYTES};
use crate::plan::Plan;
use crate::report::latencies;
use crate::shared::Shared;
use crate::topology;
use crate::verify::QueueView;
use crate::wire::{Args, Encode, Frame, Incoming, Malformed, ShortString, method};

/// What a consumer saw.
pub struct Consumed {
    /// Index of each queue it read, what it saw there, and how many messages the queue still held afterwards.
    pub queues: Vec<(usize, QueueView, u64)>,
    /// Messages taken.
    pub delivered: u64,
    /// Of these, marked redelivered.
    pub redelivered: u64,
    /// Of these, with a body that is not as long as it should be.
    pub wrong_size: u64,
    /// When the first came.
    pub first_ns: Option<u64>,
    /// When the last came.
    pub last_ns: Option<u64>,
    /// Publish to delivery, in nanoseconds.
    pub latency: Histogram<u64>,
    /// It gave up: nothing came for too long although something should have.
    pub stalled: bool,
}

/// The message being received.
#[derive(Default)]
struct Partial {
    /// Index into the consumer's own queues.
    queue: usize,
    body_bytes_left: u64,
    /// Between a deliver and the end of its body.
    open: bool,
    /// The mark was looked for.
    marked: bool,
}

/// The checking side of a consumer, apart from the connection that feeds it.
struct Receiver {
    seen: Consumed,
    /// Messages per own queue since the last call of `publish_counts`.
    fresh: Vec<u64>,
    partial: Partial,
    /// Body size to expect; `None` accepts any.
    size: Option<u64>,
    /// Messages made before this are not of this run.
    oldest_ns: u64,
    /// Acknowledge after this many; 0 for automatic acknowledgement.
    ack_every: u64,
    unacked: u64,
    last_tag: u64,
    now_ns: u64,
}

/// A consumer tag is the index of the queue among the consumer's own, in decimal.
fn queue_of_tag(tag: &[u8]) -> Result<usize, PerfError> {
    let mut index = 0_usize;
    for digit in tag {
        if !digit.is_ascii_digit() {
            return Err(PerfError::Protocol(Malformed::Short));
        }
        index = index.wrapping_mul(10).wrapping_add(usize::from(digit - b'0'));
    }
    Ok(index)
}

impl Receiver {
    #[inline]
    fn take(&mut self, frame: Frame<'_>, out: &mut Vec<u8>) -> Result<(), PerfError> {
        match frame.incoming {
            Incoming::Method(method::BASIC_DELIVER, args) => self.begin(args),
            Incoming::Header { body_bytes } if self.partial.open => {
                self.partial.body_bytes_left = body_bytes;
                self.seen.wrong_size += u64::from(self.size.is_some_and(|size| size != body_bytes));
                if body_bytes < ORDER_BYTES as u64 {
                    self.seen.queues[self.partial.queue].1.unmarked += 1;
                    self.partial.marked = true;
                }
                if body_bytes == 0 {
                    self.end(out)
                }
                Ok(())
            }
            Incoming::Body(bytes) if self.partial.open => {
                if !self.partial.marked {
                    self.partial.marked = true;
                    self.mark(bytes);
                }
                let left = self.partial.body_bytes_left.checked_sub(bytes.len() as u64).ok_or(Malformed::Short)?;
                self.partial.body_bytes_left = left;
                if left == 0 {
                    self.end(out)
                }
                Ok(())
            }
            Incoming::Method(method::BASIC_CANCEL, _) => {
                let text = "cancelled: its queue is gone".to_owned();
                Err(PerfError::Refused { what: "the consumer".into(), code: 0, text })
            }
            _ => aside(frame).map(drop),
        }
    }

    #[inline]
    fn begin(&mut self, mut args: Args<'_>) -> Result<(), PerfError> {
        let queue = queue_of_tag(args.short_string()?)?;
        self.last_tag = args.long_long()?;
        self.seen.redelivered += u64::from(args.octet()? & 1 == 1);
        if self.partial.open || queue >= self.fresh.len() {
            return Err(PerfError::Unexpected(method::BASIC_DELIVER.0, method::BASIC_DELIVER.1));
        }
        self.partial = Partial { queue, open: true, ..Partial::default() };
        Ok(())
    }

    #[inline]
    fn mark(&mut self, body: &[u8]) {
        let view = &mut self.seen.queues[self.partial.queue].1;
        let Some(mark) = Mark::read(body) else {
            view.unmarked += 1;
            return;
        };
        if let Some(sent_ns) = mark.sent_ns {
            if sent_ns < self.oldest_ns {
                view.stale += 1;
                return;
            }
            self.seen.latency.saturating_record(self.now_ns.saturating_sub(sent_ns));
        }
        view.stream(mark.sender).note(mark.sequence);
    }

    #[inline]
    fn end(&mut self, out: &mut Vec<u8>) {
        self.partial.open = false;
        self.fresh[self.partial.queue] += 1;
        self.seen.delivered += 1;
        if self.ack_every > 0 {
            self.unacked += 1;
            if self.unacked >= self.ack_every {
                self.acknowledge(out);
            }
        }
    }

    /// Acknowledges everything so far.
    fn acknowledge(&mut self, out: &mut Vec<u8>) {
        if self.unacked == 0 {
            return;
        }
        let (tag, multiple) = (self.last_tag, self.unacked > 1);
        out.put_method(CHANNEL, method::BASIC_ACK, |args| {
            args.extend_from_slice(&tag.to_be_bytes());
            args.push(u8::from(multiple));
        });
        self.unacked = 0;
    }
}

/// A connected consumer.
pub struct Consumer<'a> {
    queues: &'a [usize],
    plan: &'a Plan,
    options: &'a Options,
    shared: &'a Shared,
    connection: Connection,
    receiver: Receiver,
}

impl<'a> Consumer<'a> {
    /// Connects; declares its queues when they are exclusive.
    pub fn connect(number: usize, plan: &'a Plan, options: &'a Options, shared: &'a Shared) -> Result<Self, PerfError> {
        let queues = plan.consumers[number].as_slice();
        let name = format!("warren-perf consumer {}", number + 1);
        let mut connection = Connection::open(&options.uri, &name, options.stall_timeout)?;
        connection.set_idle_wait(shared.idle)?;
        if options.queue_kind == QueueKind::Exclusive {
            for queue in queues {
                topology::declare_queue(&mut connection, plan, options, *queue)?;
            }
        }
        let reading = options.publishers == 0;
        let seen = Consumed {
            queues: queues.iter().map(|queue| (*queue, QueueView::default(), 0)).collect(),
            delivered: 0,
            redelivered: 0,
            wrong_size: 0,
            first_ns: None,
            last_ns: None,
            latency: latencies(),
            stalled: false,
        };
        let receiver = Receiver {
            seen,
            fresh: vec![0; queues.len()],
            partial: Partial::default(),
            size: (!reading).then_some(options.size as u64),
            oldest_ns: if reading { 0 } else { shared.clock.now_ns() },
            ack_every: if options.auto_ack { 0 } else { options.ack_every.unwrap_or(1) },
            unacked: 0,
            last_tag: 0,
            now_ns: 0,
        };
        Ok(Self { queues, plan, options, shared, connection, receiver })
    }

    /// Starts consuming from all its queues.
    pub fn subscribe(&mut self) -> Result<(), PerfError> {
        let (prefetch, auto_ack) = (self.options.prefetch, self.options.auto_ack);
        if prefetch > 0 && !auto_ack {
            let args = |args: &mut Vec<u8>| {
                args.extend_from_slice(&[0; 4]);
                args.extend_from_slice(&prefetch.to_be_bytes());
                args.push(0);
            };
            self.connection.call(method::BASIC_QOS, method::BASIC_QOS_OK, args, |_| Ok(()))?;
        }
        for (index, queue) in self.queues.iter().enumerate() {
            let tag = ShortString::try_from(index.to_string()).unwrap_or_default();
            let name = &self.plan.queues[*queue];
            self.connection.output.put_method(CHANNEL, method::BASIC_CONSUME, |args| {
                args.extend_from_slice(&[0, 0]);
                args.put_short(name);
                args.put_short(&tag);
                args.push(if auto_ack { 1 << 1 } else { 0 });
                args.put_table(&Vec::new());
            });
            self.await_answer(method::BASIC_CONSUME_OK)?;
        }
        Ok(())
    }

    /// Sends the output and waits for a method; deliveries that come first are taken.
    fn await_answer(&mut self, id: crate::wire::MethodId) -> Result<(), PerfError> {
        self.receiver.now_ns = self.shared.clock.now_ns();
        let Self { connection, receiver, .. } = self;
        connection.await_with(id, |frame, out| receiver.take(frame, out))?;
        self.note_progress();
        Ok(())
    }

    /// Takes messages until the run is complete, or nothing comes for too long.
    pub fn run(mut self) -> Result<Consumed, PerfError> {
        let stall_ns = self.options.stall_timeout.as_nanos() as u64;
        let mut progress = (self.shared.clock.now_ns(), 0);
        loop {
            let some = self.connection.receive(Wait::Idle)?;
            if some {
                self.receiver.now_ns = self.shared.clock.now_ns();
                let Self { connection, receiver, .. } = &mut self;
                connection.each_frame_with_output(|frame, out| receiver.take(frame, out))?;
                self.note_progress();
                if !self.connection.output.is_empty() {
                    self.flush()?;
                }
            } else {
                self.shared.check()?;
            }
            if self.shared.publishing.load(Relaxed) != 0 {
                progress.0 = self.shared.clock.now_ns();
            } else if self.shared.complete(self.queues) {
                break;
            } else if !some {
                let (now_ns, received) = (self.shared.clock.now_ns(), self.shared.received(self.queues));
                if received != progress.1 {
                    progress = (now_ns, received);
                } else if now_ns - progress.0 > stall_ns {
                    self.receiver.seen.stalled = true;
                    break;
                }
            }
        }
        self.finish()
    }

    fn flush(&mut self) -> Result<(), PerfError> {
        // While acknowledgements wait for room, deliveries that come in are taken; what they add to acknowledge waits too.
        let Self { connection, receiver, .. } = self;
        let mut later = Vec::new();
        connection.flush(|frame| receiver.take(frame, &mut later))?;
        connection.output.extend_from_slice(&later);
        Ok(())
    }

    /// Tells the others what came.
    fn note_progress(&mut self) {
        let receiver = &mut self.receiver;
        let mut total = 0;
        for (queue, fresh) in self.queues.iter().zip(&mut receiver.fresh) {
            if *fresh > 0 {
                self.shared.queues[*queue].received.fetch_add(*fresh, SeqCst);
                total += *fresh;
                *fresh = 0;
            }
        }
        if total > 0 {
            self.shared.delivered.fetch_add(total, Relaxed);
            receiver.seen.first_ns.get_or_insert(receiver.now_ns);
            receiver.seen.last_ns = Some(receiver.now_ns);
        }
    }

    /// Cancels, takes what was still under way, acknowledges the rest and looks at what the queues hold.
    fn finish(mut self) -> Result<Consumed, PerfError> {
        for index in 0..self.queues.len() {
            let tag = ShortString::try_from(index.to_string()).unwrap_or_default();
            self.connection.output.put_method(CHANNEL, method::BASIC_CANCEL, |args| {
                args.put_short(&tag);
                args.push(0);
            });
            self.await_answer(method::BASIC_CANCEL_OK)?;
        }
        self.receiver.acknowledge(&mut self.connection.output);
        for (index, queue) in self.queues.iter().enumerate() {
            let left = topology::count(&mut self.connection, &self.plan.queues[*queue])?;
            self.receiver.seen.queues[index].2 = left;
        }
        self.connection.close_channel()?;
        self.connection.close();
        Ok(self.receiver.seen)
    }
}
