//! What consumers make of the frames they get: checks each message, counts it, and acknowledges in ranges. Knows no socket.

use hdrhistogram::Histogram;

use crate::connection::{CHANNEL, aside};
use crate::error::PerfError;
use crate::options::Options;
use crate::payload::{Mark, ORDER_BYTES};
use crate::report::latencies;
use crate::verify::QueueView;
use crate::wire::{Args, Encode, Frame, Incoming, Malformed, method};

/// What the consumers of a connection saw.
pub struct Consumed {
    /// Index of each queue they read, what they saw there, and how many messages the queue still held afterwards.
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
    /// They gave up: nothing came for too long although something should have.
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

/// One consumer: its channel, from `CHANNEL` on, is its place among those of the connection.
#[derive(Default)]
struct Lane {
    partial: Partial,
    unacked: u64,
    last_tag: u64,
}

/// The checking side of the consumers of one connection, apart from the connection that feeds them.
pub struct Receiver {
    /// What they saw so far.
    pub seen: Consumed,
    lanes: Vec<Lane>,
    /// Messages per own queue since `take_fresh`, and which queues have any.
    fresh: Vec<u64>,
    touched: Vec<usize>,
    /// Body size to expect; `None` accepts any.
    size: Option<u64>,
    /// Messages made before this are not of this run.
    oldest_ns: u64,
    /// Acknowledge after this many; 0 for automatic acknowledgement.
    ack_every: u64,
    /// When what is taken arrived.
    pub now_ns: u64,
}

/// A consumer tag is the index of the queue among the connection's own, in decimal.
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
    /// For the consumers of one connection, which read these queues in all.
    pub fn new(consumers: usize, queues: &[usize], options: &Options, started_ns: u64) -> Self {
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
        Self {
            seen,
            lanes: std::iter::repeat_with(Lane::default).take(consumers).collect(),
            fresh: vec![0; queues.len()],
            touched: Vec::new(),
            size: (!reading).then_some(options.size as u64),
            oldest_ns: if reading { 0 } else { started_ns },
            ack_every: if options.auto_ack { 0 } else { options.ack_every.unwrap_or(1) },
            now_ns: 0,
        }
    }

    /// Takes a frame; an acknowledgement that is due goes to the output.
    #[inline]
    pub fn take(&mut self, frame: Frame<'_>, out: &mut Vec<u8>) -> Result<(), PerfError> {
        let number = usize::from(frame.channel.wrapping_sub(CHANNEL));
        let Some(lane) = self.lanes.get_mut(number) else { return aside(frame).map(drop) };
        match frame.incoming {
            Incoming::Method(method::BASIC_DELIVER, args) => self.begin(number, args),
            Incoming::Header { body_bytes } if lane.partial.open => {
                lane.partial.body_bytes_left = body_bytes;
                self.seen.wrong_size += u64::from(self.size.is_some_and(|size| size != body_bytes));
                if body_bytes < ORDER_BYTES as u64 {
                    self.seen.queues[lane.partial.queue].1.unmarked += 1;
                    lane.partial.marked = true;
                }
                if body_bytes == 0 {
                    self.end(number, out)
                }
                Ok(())
            }
            Incoming::Body(bytes) if lane.partial.open => {
                let left = lane.partial.body_bytes_left.checked_sub(bytes.len() as u64).ok_or(Malformed::Short)?;
                lane.partial.body_bytes_left = left;
                if !lane.partial.marked {
                    lane.partial.marked = true;
                    let queue = lane.partial.queue;
                    self.mark(queue, bytes);
                }
                if left == 0 {
                    self.end(number, out)
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
    fn begin(&mut self, number: usize, mut args: Args<'_>) -> Result<(), PerfError> {
        let queue = queue_of_tag(args.short_string()?)?;
        let lane = &mut self.lanes[number];
        lane.last_tag = args.long_long()?;
        self.seen.redelivered += u64::from(args.octet()? & 1 == 1);
        if lane.partial.open || queue >= self.fresh.len() {
            return Err(PerfError::Unexpected(method::BASIC_DELIVER.0, method::BASIC_DELIVER.1));
        }
        lane.partial = Partial { queue, open: true, ..Partial::default() };
        Ok(())
    }

    #[inline]
    fn mark(&mut self, queue: usize, body: &[u8]) {
        let view = &mut self.seen.queues[queue].1;
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
    fn end(&mut self, number: usize, out: &mut Vec<u8>) {
        let lane = &mut self.lanes[number];
        lane.partial.open = false;
        let fresh = &mut self.fresh[lane.partial.queue];
        if *fresh == 0 {
            self.touched.push(lane.partial.queue);
        }
        *fresh += 1;
        self.seen.delivered += 1;
        if self.ack_every > 0 {
            lane.unacked += 1;
            if lane.unacked >= self.ack_every {
                lane.acknowledge(number, out);
            }
        }
    }

    /// Acknowledges everything so far.
    pub fn acknowledge_all(&mut self, out: &mut Vec<u8>) {
        for (number, lane) in self.lanes.iter_mut().enumerate() {
            lane.acknowledge(number, out);
        }
    }

    /// Calls `each` with the index of every own queue that got messages since the last call, and how many; returns their sum.
    pub fn take_fresh(&mut self, mut each: impl FnMut(usize, u64)) -> u64 {
        let mut total = 0;
        for queue in self.touched.drain(..) {
            let fresh = std::mem::take(&mut self.fresh[queue]);
            each(queue, fresh);
            total += fresh;
        }
        if total > 0 {
            self.seen.first_ns.get_or_insert(self.now_ns);
            self.seen.last_ns = Some(self.now_ns);
        }
        total
    }
}

impl Lane {
    fn acknowledge(&mut self, number: usize, out: &mut Vec<u8>) {
        if self.unacked == 0 {
            return;
        }
        let (tag, multiple) = (self.last_tag, self.unacked > 1);
        out.put_method(CHANNEL + number as u16, method::BASIC_ACK, |args| {
            args.extend_from_slice(&tag.to_be_bytes());
            args.push(u8::from(multiple));
        });
        self.unacked = 0;
    }
}
