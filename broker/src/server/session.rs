//! An open connection: its channels and consumers, and what a chunk of input does.
//!
//! The session knows no socket: the driver brings chunks of whole frames and carries the
//! output away. Everything a client asks runs here in order; publishes and settlements of
//! a chunk are gathered and handed to their queues as one batch each.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::ack_timeout::Deadlines;
use super::channel::{Channel, Channels};
use super::firehose::Firehose;
use super::outgoing::Outgoing;
use super::output::Output;
use super::throttle::Throttle;
use crate::amqp091::content;
use crate::amqp091::encode;
use crate::amqp091::frame::{self, Frame};
use crate::amqp091::handshake::{Capabilities, Tuned};
use crate::amqp091::method::Method;
use crate::amqp091::reply::{ReplyCode, Violation};
use crate::domain::name::{UserName, VhostName};
use crate::domain::queue::{ConnectionId, ConsumerKey, SessionId};
use crate::domain::routing::RouteBuffer;
use crate::domain::user::User;
use crate::facade::{Broker, Caller};
use crate::metrics::AtomicTraffic;
use crate::runtime::clock::now_ms;
use crate::runtime::directory::Directory;
use crate::runtime::flows::Taken;
use crate::runtime::queue::{ConnectionEvent, ConnectionSender, OutboundCredit, QueueCommand, QueueHandle};
use crate::runtime::registry::ConnectionEntry;
use crate::runtime::vhost::{LiveTopology, VhostHandle};

/// A consumer of this connection.
pub(super) struct Consumer {
    pub(super) channel: u16,
    pub(super) tag: String,
    pub(super) no_ack: bool,
    pub(super) queue: QueueHandle,
    pub(super) taken: Arc<Taken>,
    pub(super) credit: Arc<OutboundCredit>,
    /// How long its deliveries may stay unsettled.
    pub(super) ack_timeout: Option<Duration>,
}

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Serving.
    Open,
    /// The broker said close: only `connection.close-ok` is waited for.
    Closing,
    /// Over: write what is left and close the socket.
    Closed,
}

/// What a connection is opened with.
pub(super) struct Opened {
    pub(super) broker: Broker,
    pub(super) entry: Arc<ConnectionEntry>,
    pub(super) sender: ConnectionSender,
    pub(super) events: mpsc::UnboundedReceiver<ConnectionEvent>,
    pub(super) user: Arc<User>,
    pub(super) vhost: VhostName,
    pub(super) tuned: Tuned,
    pub(super) capabilities: Capabilities,
    pub(super) vhost_handle: VhostHandle,
}

/// An open connection.
pub(super) struct Session {
    pub(super) broker: Broker,
    pub(super) id: ConnectionId,
    pub(super) entry: Arc<ConnectionEntry>,
    pub(super) sender: ConnectionSender,
    pub(super) events: mpsc::UnboundedReceiver<ConnectionEvent>,
    pub(super) user: UserName,
    pub(super) caller: Caller,
    pub(super) vhost: VhostName,
    pub(super) tuned: Tuned,
    pub(super) capabilities: Capabilities,
    pub(super) channels: Channels,
    pub(super) consumers: HashMap<ConsumerKey, Consumer>,
    pub(super) next_consumer: u32,
    pub(super) next_epoch: u32,
    pub(super) outgoing: Outgoing,
    pub(super) output: Output,
    pub(super) standing: Standing,
    /// The client said close and has its answer: the socket is the client's to close.
    pub(super) left_by_client: bool,
    /// Whether what goes with the connection has been told to go.
    detached: bool,
    pub(super) vhost_handle: VhostHandle,
    pub(super) topology: Arc<LiveTopology>,
    pub(super) directory: Arc<Directory>,
    pub(super) traffic: Arc<AtomicTraffic>,
    pub(super) routes: RouteBuffer<QueueHandle>,
    /// Channels with publishes that may be answered at the end of the pass.
    pub(super) to_confirm: Vec<u16>,
    /// Channels something happened on in this pass.
    touched: Vec<u16>,
    pub(super) throttle: Throttle,
    pub(super) deadlines: Deadlines,
    pub(super) max_message_size: u32,
    /// Present while messages of the vhost are copied to the firehose.
    pub(super) firehose: Option<Box<Firehose>>,
}

/// A method of class connection that has no place on an open one.
fn out_of_state() -> Violation {
    Violation::connection(ReplyCode::ChannelError, "unexpected method in connection state running")
}

impl Session {
    pub(super) fn new(opened: Opened) -> Self {
        let Opened { broker, entry, sender, events, user, vhost, tuned, capabilities, vhost_handle } = opened;
        let directory = broker.directory();
        let max_message_size = broker.settings().max_message_size;
        let mut session = Self {
            id: entry.id,
            caller: Caller::on_connection(user.name.clone(), entry.id),
            user: user.name.clone(),
            traffic: broker.traffic_counters().clone(),
            broker,
            entry,
            sender,
            events,
            vhost,
            tuned,
            capabilities,
            channels: Channels::default(),
            consumers: HashMap::new(),
            next_consumer: 0,
            next_epoch: 0,
            outgoing: Outgoing::default(),
            output: Output::default(),
            standing: Standing::Open,
            left_by_client: false,
            detached: false,
            topology: vhost_handle.topology(),
            vhost_handle,
            directory,
            routes: RouteBuffer::default(),
            to_confirm: Vec::new(),
            touched: Vec::new(),
            throttle: Throttle::default(),
            deadlines: Deadlines::default(),
            max_message_size,
            firehose: None,
        };
        session.attach_firehose();
        session.alarms_changed();
        session
    }

    /// Takes a chunk of whole frames, cut from a buffer of `held_bytes`. Answers how much of
    /// it was taken: a blocked connection leaves the rest for later.
    pub(super) async fn take_chunk(&mut self, chunk: &Bytes, held_bytes: usize) -> usize {
        self.refresh();
        self.notice_alarms();
        self.outgoing.reading_from(held_bytes);
        let mut at = 0;
        let mut frames = 0;
        while at < chunk.len() && self.standing != Standing::Closed && !self.is_blocked() {
            match self.publish_at(chunk, at) {
                Ok(Some(next)) => {
                    frames += 3;
                    at = next;
                    continue;
                }
                Ok(None) => {}
                Err((channel, violation)) => {
                    self.fail(channel, &violation, (60, 40)).await;
                    // A channel error leaves the rest of the content to be skipped frame by frame.
                    if self.standing != Standing::Open {
                        continue;
                    }
                }
            }
            // Boxed, so that a connection which never does this has no room for it.
            if let Some(number) = self.starts_row(&chunk[at..])
                && let Some(taken) = Box::pin(self.take_row(chunk, at, number)).await
            {
                frames += taken.frames;
                at = taken.next;
                continue;
            }
            match frame::read(&chunk[at..], self.tuned.frame_max) {
                Ok(Some(frame)) => {
                    frames += 1;
                    at += frame.payload.len() + frame::OVERHEAD_BYTES;
                    self.take_frame(frame).await;
                }
                Ok(None) => break,
                Err(violation) => {
                    self.fail(0, &violation, (0, 0)).await;
                    break;
                }
            }
        }
        self.entry.recv_cnt.fetch_add(frames, Relaxed);
        self.traffic.recv_cnt.fetch_add(frames, Relaxed);
        at
    }

    /// Takes a publish whose frames lie at `at`; returns where the next frame starts.
    fn publish_at(&mut self, chunk: &Bytes, at: usize) -> Result<Option<usize>, (u16, Violation)> {
        // While an alarm is in force, content is taken frame by frame: its header blocks.
        if self.standing != Standing::Open || self.is_alarmed() {
            return Ok(None);
        }
        let number = u16::from_be_bytes([chunk[at + 1], chunk[at + 2]]);
        if chunk[at] != frame::METHOD
            || self.channels.get(&number).is_none_or(|channel| channel.closing || channel.gathering.is_some())
        {
            return Ok(None);
        }
        let Some(found) = content::publish_in_place(chunk, at) else { return Ok(None) };
        self.publish_in_place(number, &found, chunk).map_err(|violation| (number, violation))?;
        Ok(Some(found.next()))
    }

    async fn take_frame(&mut self, frame: Frame<'_>) {
        if self.standing == Standing::Closing {
            if frame.kind == frame::METHOD && Method::ids_of(frame.payload) == (10, 51) {
                self.standing = Standing::Closed;
            }
            return;
        }
        let result = match frame.kind {
            _ if !frame::is_known(&frame) => Err((frame::unknown(&frame), (0, 0))),
            frame::HEARTBEAT if frame.channel == 0 => Ok(()),
            frame::HEARTBEAT => Err((frame::misplaced(&frame), (0, 0))),
            frame::HEADER | frame::BODY if frame.channel == 0 => Err((frame::misplaced(&frame), (0, 0))),
            frame::HEADER | frame::BODY if !self.awaits_content(frame.channel) => Err((
                Violation::connection(
                    ReplyCode::UnexpectedFrame,
                    "expected method frame, got non method frame instead",
                ),
                (0, 0),
            )),
            frame::METHOD => {
                let ids = Method::ids_of(frame.payload);
                match Method::decode(frame.payload) {
                    // A method in the place of content is an error of the publish before it.
                    Ok(method) if self.is_gathering(frame.channel) => {
                        self.take_method(frame.channel, method).await.map_err(|violation| (violation, (60, 40)))
                    }
                    Ok(method) => self.take_method(frame.channel, method).await.map_err(|violation| (violation, ids)),
                    Err(_) if frame.channel == 0 && Method::is_of_brokers(ids) => Err((out_of_state(), ids)),
                    Err(violation) => Err((violation, ids)),
                }
            }
            frame::HEADER | frame::BODY => {
                self.content_arrived();
                self.take_content(frame).map_err(|violation| (violation, (60, 40)))
            }
            _ => Err((frame::unknown(&frame), (0, 0))),
        };
        if let Err((violation, ids)) = result {
            self.fail(frame.channel, &violation, ids).await;
        }
    }

    /// Whether a content frame is in order on a channel, or to be ignored there.
    fn awaits_content(&self, number: u16) -> bool {
        self.channels.get(&number).is_some_and(|channel| channel.closing || channel.gathering.is_some())
    }

    fn is_gathering(&self, number: u16) -> bool {
        self.channels.get(&number).is_some_and(|channel| !channel.closing && channel.gathering.is_some())
    }

    fn take_content(&mut self, frame: Frame<'_>) -> Result<(), Violation> {
        let Some(channel) = self.channels.get_mut(&frame.channel) else { return Ok(()) };
        // A channel that is closing ignores what was under way.
        let Some(gathering) = channel.gathering.as_mut().filter(|_| !channel.closing) else { return Ok(()) };
        let whole = gathering.take(frame.kind, frame.payload)?;
        if gathering.body_len().is_some_and(|len| len > u64::from(self.max_message_size)) {
            let len = gathering.body_len().unwrap_or_default();
            channel.gathering = None;
            return Err(self.too_large(len));
        }
        if whole && let Some(publish) = channel.gathering.take().and_then(content::Gathering::finish) {
            self.publish(frame.channel, publish)?;
        }
        Ok(())
    }

    async fn take_method(&mut self, number: u16, method: Method<'_>) -> Result<(), Violation> {
        if number == 0 {
            return self.connection_method(method).await;
        }
        if let Method::ChannelOpen { .. } = method {
            return self.open_channel(number);
        }
        let Some(channel) = self.channels.get_mut(&number) else {
            if matches!(method, Method::ChannelCloseOk {}) {
                return Ok(());
            }
            return Err(Violation::connection(ReplyCode::ChannelError, "expected 'channel.open'"));
        };
        if channel.closing {
            match method {
                Method::ChannelClose { .. } => encode::bare(&mut self.output.bytes, number, 20, 41),
                Method::ChannelCloseOk {} => self.forget_channel(number),
                _ => {}
            }
            return Ok(());
        }
        if let Some(gathering) = channel.gathering.take() {
            return Err(gathering.interrupted());
        }
        match method {
            Method::BasicPublish { exchange, routing_key, mandatory, immediate, .. } => {
                channel.gathering = Some(content::Gathering::new(exchange, routing_key, mandatory, immediate));
                Ok(())
            }
            Method::BasicAck { .. } | Method::BasicNack { .. } | Method::BasicReject { .. } => {
                self.settle(number, &method)
            }
            Method::ChannelClose { .. } => {
                self.flush().await;
                self.leave_channel(number).await;
                encode::bare(&mut self.output.bytes, number, 20, 41);
                self.forget_channel(number);
                Ok(())
            }
            method => {
                // What the client published or settled before comes before what it asks now.
                self.flush().await;
                self.touch(number);
                self.channel_method(number, method).await?;
                self.refresh();
                Ok(())
            }
        }
    }

    async fn connection_method(&mut self, method: Method<'_>) -> Result<(), Violation> {
        match method {
            Method::ConnectionClose { .. } => {
                // Who connects again after the answer finds neither exclusive queues nor consumers of before.
                self.detach().await;
                encode::bare(&mut self.output.bytes, 0, 10, 51);
                self.standing = Standing::Closed;
                self.left_by_client = true;
                Ok(())
            }
            Method::ConnectionUpdateSecret { reason, .. } => {
                self.flush().await;
                self.update_secret(reason).await
            }
            Method::ConnectionStartOk { .. }
            | Method::ConnectionSecureOk { .. }
            | Method::ConnectionTuneOk { .. }
            | Method::ConnectionOpen { .. }
            | Method::ConnectionCloseOk {} => Err(out_of_state()),
            _ => Err(out_of_state()),
        }
    }

    fn open_channel(&mut self, number: u16) -> Result<(), Violation> {
        if self.channels.contains_key(&number) {
            return Err(Violation::connection(ReplyCode::ChannelError, "second 'channel.open' seen"));
        }
        let open = self.channels.len();
        if open >= usize::from(self.tuned.channel_max) {
            return Err(Violation::connection(
                ReplyCode::NotAllowed,
                format!(
                    "number of channels opened ({open}) has reached the negotiated channel_max ({})",
                    self.tuned.channel_max
                ),
            ));
        }
        self.check_channel_limit()?;
        self.next_epoch += 1;
        let session = SessionId { connection: self.id, channel: number, epoch: self.next_epoch };
        let counts_flows = self.broker.settings().count_flows;
        self.channels.insert(number, Channel::new(session, self.entry.add_channel(number), counts_flows));
        self.broker.registry().channel_created.fetch_add(1, Relaxed);
        self.tell_channel_created(number);
        encode::channel_open_ok(&mut self.output.bytes, number);
        Ok(())
    }

    /// Tells the client what it broke, and ends the channel or the connection.
    pub(super) async fn fail(&mut self, number: u16, violation: &Violation, ids: (u16, u16)) {
        if self.standing != Standing::Open {
            return;
        }
        let ids = violation.ids(ids);
        self.flush().await;
        let text = violation.reply_text();
        let code = violation.code.number();
        if violation.hard || number == 0 {
            tracing::warn!(connection = %self.entry.name(), channel = number, code, "closing a connection: {text}");
            encode::close(&mut self.output.bytes, 0, code, &text, ids);
            self.standing = Standing::Closing;
            return;
        }
        tracing::warn!(connection = %self.entry.name(), channel = number, code, "closing a channel: {text}");
        self.leave_channel(number).await;
        encode::close(&mut self.output.bytes, number, code, &text, ids);
        if let Some(channel) = self.channels.get_mut(&number) {
            channel.closing = true;
            channel.gathering = None;
        }
    }

    /// Detaches a channel from its queues: when it returns consumers have left, and what is out is back.
    async fn leave_channel(&mut self, number: u16) {
        self.stop_replies(number, None);
        let Some(channel) = self.channels.get_mut(&number) else { return };
        let session = channel.session;
        let mut queues: Vec<QueueHandle> = Vec::new();
        let mut remember = |queue: QueueHandle| {
            if !queues.contains(&queue) {
                queues.push(queue);
            }
        };
        for outstanding in channel.outstanding.drain(..) {
            remember(outstanding.taken.queue().clone());
        }
        let consumers = std::mem::take(&mut channel.consumers);
        for key in consumers.into_values() {
            if let Some(consumer) = self.consumers.remove(&key) {
                self.tell_consumer_deleted(&consumer, false);
                remember(consumer.queue);
            }
        }
        let mut answers = Vec::with_capacity(queues.len());
        for queue in queues {
            let (reply, answer) = oneshot::channel();
            let _ = queue.send(QueueCommand::SessionClosed { session, reply }).await;
            answers.push(answer);
        }
        // All are at it together; one that is gone does not answer.
        for answer in answers {
            let _ = answer.await;
        }
    }

    fn forget_channel(&mut self, number: u16) {
        if let Some(mut channel) = self.channels.remove(&number) {
            channel.count_published(&self.traffic);
            channel.flows.leave(&self.vhost_handle);
            self.tell_channel_closed(number, channel.consumers.len());
            self.entry.remove_channel(number);
            self.broker.registry().channel_closed.fetch_add(1, Relaxed);
        }
    }

    /// Looks whether topology or directory have a newer snapshot.
    pub(super) fn refresh(&mut self) {
        let directory = self.broker.directory();
        if !Arc::ptr_eq(&directory, &self.directory) {
            self.directory = directory;
            self.attach_firehose();
        }
        let published = self.vhost_handle.published().load();
        if !Arc::ptr_eq(&published, &self.topology) {
            self.topology = arc_swap::Guard::into_inner(published);
        }
    }

    /// Hands gathered publishes and settlements to their queues.
    pub(super) async fn flush(&mut self) {
        if !self.outgoing.is_empty() {
            let taken = self.outgoing.flush(&self.sender).await;
            self.confirmed(&taken);
        }
        self.answer_confirms();
        self.count_touched();
    }

    /// Something happened on a channel. A run on one channel is noted once.
    pub(super) fn touch(&mut self, number: u16) {
        if self.touched.last() != Some(&number) {
            self.touched.push(number);
        }
    }

    /// Brings the numbers of the channels up to date that this pass touched.
    fn count_touched(&mut self) {
        if self.touched.is_empty() {
            return;
        }
        let now_ms = now_ms();
        for number in self.touched.drain(..) {
            if let Some(channel) = self.channels.get_mut(&number) {
                channel.count_published(&self.traffic);
                channel.entry.active_at_ms.store(now_ms, Relaxed);
            }
        }
    }

    /// Leaves all queues; those that go with the connection, or with its consumers, are gone when it returns.
    async fn detach(&mut self) {
        self.flush().await;
        let numbers: Vec<u16> = self.channels.keys().copied().collect();
        for number in numbers {
            self.leave_channel(number).await;
            self.forget_channel(number);
        }
        if !std::mem::replace(&mut self.detached, true) {
            self.broker.connection_ended(&self.vhost, self.id).await;
        }
    }

    /// The connection is over: everything it holds goes back.
    pub(super) async fn end(&mut self) {
        self.detach().await;
        self.broker.registry().remove(self.id);
        self.tell_connection_closed();
    }
}
