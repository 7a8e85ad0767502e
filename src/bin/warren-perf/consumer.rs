//! A connection that consumes: one thread, one consumer or several that share it, each on a channel of its own and with one
//! or more queues.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

use crate::connection::{CHANNEL, Connection, Wait, aside};
use crate::error::PerfError;
use crate::options::{Options, QueueKind};
use crate::pace::Pace;
use crate::plan::Plan;
use crate::receiver::{Consumed, Receiver};
use crate::shared::Shared;
use crate::topology;
use crate::wire::{Encode, MethodId, ShortString, method};

/// Connected consumers.
pub struct Consumer<'a> {
    plan: &'a Plan,
    options: &'a Options,
    shared: &'a Shared,
    connection: Connection,
    receiver: Receiver,
    /// The queues of all of them, in the order of their consumer tags.
    queues: Vec<usize>,
    /// The channel that reads each of these queues.
    channels: Vec<u16>,
}

impl<'a> Consumer<'a> {
    /// Connects the consumers of one connection (by its number); declares their queues when they are exclusive.
    pub fn connect(number: usize, plan: &'a Plan, options: &'a Options, shared: &'a Shared) -> Result<Self, PerfError> {
        let range = plan.consumer_connections[number].clone();
        let name = match range.len() {
            1 => format!("warren-perf consumer {}", range.start + 1),
            _ => format!("warren-perf consumers {} to {}", range.start + 1, range.end),
        };
        // The plan allows no more workers on a connection than channel numbers.
        let mut connection = Connection::open(&options.uri, &name, options.stall_timeout, range.len() as u16)?;
        connection.set_idle_wait(shared.idle)?;
        let consumers = &plan.consumers[range];
        let queues: Vec<usize> = consumers.iter().flatten().copied().collect();
        let channels = (CHANNEL..).zip(consumers).flat_map(|(channel, own)| own.iter().map(move |_| channel)).collect();
        if options.queue_kind == QueueKind::Exclusive {
            for queue in &queues {
                topology::declare_queue(&mut connection, plan, options, *queue)?;
                topology::bind_queue(&mut connection, plan, *queue)?;
            }
        }
        let receiver = Receiver::new(consumers.len(), &queues, options, shared.clock.now_ns());
        Ok(Self { plan, options, shared, connection, receiver, queues, channels })
    }

    /// Starts consuming from all queues.
    pub fn subscribe(&mut self) -> Result<(), PerfError> {
        let (prefetch, auto_ack) = (self.options.prefetch, self.options.auto_ack);
        let mut last = 0;
        for index in 0..self.queues.len() {
            let channel = self.channels[index];
            if prefetch > 0 && !auto_ack && channel != last {
                self.connection.output.put_method(channel, method::BASIC_QOS, |args| {
                    args.extend_from_slice(&[0; 4]);
                    args.extend_from_slice(&prefetch.to_be_bytes());
                    args.push(0);
                });
                self.await_answer(channel, method::BASIC_QOS_OK)?;
            }
            last = channel;
            let tag = ShortString::try_from(index.to_string()).unwrap_or_default();
            let name = &self.plan.queues[self.queues[index]];
            self.connection.output.put_method(channel, method::BASIC_CONSUME, |args| {
                args.extend_from_slice(&[0, 0]);
                args.put_short(name);
                args.put_short(&tag);
                args.push(if auto_ack { 1 << 1 } else { 0 });
                args.put_table(&Vec::new());
            });
            self.await_answer(channel, method::BASIC_CONSUME_OK)?;
        }
        Ok(())
    }

    /// Sends the output and waits for a method; deliveries that come first are taken.
    fn await_answer(&mut self, channel: u16, id: MethodId) -> Result<(), PerfError> {
        self.receiver.now_ns = self.shared.clock.now_ns();
        let Self { connection, receiver, .. } = self;
        connection.await_with(channel, id, |frame, out| receiver.take(frame, out))?;
        self.note_progress();
        Ok(())
    }

    /// Takes messages until the run is complete, or nothing comes for too long.
    pub fn run(mut self) -> Result<Consumed, PerfError> {
        let stall_ns = self.options.stall_timeout.as_nanos() as u64;
        let started_ns = self.shared.clock.now_ns();
        let share = self.channels.last().map_or(1, |last| last - CHANNEL + 1);
        let pace = self
            .options
            .consume_rate
            .map(|rate| Pace::new(started_ns, rate * f64::from(share) / self.plan.consumers.len() as f64));
        let mut progress = (started_ns, 0);
        loop {
            if let Some(pace) = pace {
                self.dawdle(pace)?;
            }
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
            } else if self.shared.complete(&self.queues) {
                break;
            } else if !some {
                let (now_ns, received) = (self.shared.clock.now_ns(), self.shared.received(&self.queues));
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

    /// A slow consumer: leaves the socket alone until what it has taken is due.
    fn dawdle(&self, pace: Pace) -> Result<(), PerfError> {
        loop {
            let wait_ns = pace.due_ns(self.receiver.seen.delivered).saturating_sub(self.shared.clock.now_ns());
            if wait_ns == 0 {
                return Ok(());
            }
            self.shared.check()?;
            std::thread::sleep(Duration::from_nanos(wait_ns).min(self.shared.idle));
        }
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
        let Self { receiver, queues, shared, .. } = self;
        let total = receiver.take_fresh(|own, fresh| {
            shared.queues[queues[own]].received.fetch_add(fresh, SeqCst);
        });
        if total > 0 {
            self.shared.delivered.fetch_add(total, Relaxed);
        }
    }

    /// Cancels, takes what was still under way, acknowledges the rest and looks at what the queues hold.
    fn finish(mut self) -> Result<Consumed, PerfError> {
        for index in 0..self.queues.len() {
            let tag = ShortString::try_from(index.to_string()).unwrap_or_default();
            self.connection.output.put_method(self.channels[index], method::BASIC_CANCEL, |args| {
                args.put_short(&tag);
                args.push(0);
            });
            self.await_answer(self.channels[index], method::BASIC_CANCEL_OK)?;
        }
        self.receiver.acknowledge_all(&mut self.connection.output);
        for (index, queue) in self.queues.iter().enumerate() {
            let left = topology::count(&mut self.connection, &self.plan.queues[*queue])?;
            self.receiver.seen.queues[index].2 = left;
        }
        let channels = self.channels.last().copied().unwrap_or(CHANNEL);
        for channel in CHANNEL..=channels {
            self.connection.close_channel_with(channel, |frame| aside(frame).map(drop))?;
        }
        self.connection.close();
        Ok(self.receiver.seen)
    }
}
