//! The queue against scripts of what is asked of it.

mod expiry;
mod length;
mod model;
mod naive;
mod priority;
mod requeue;
mod single_active;

use std::collections::HashMap;

use super::*;
use crate::domain::queue::{ConnectionId, ConsumerKey};

/// Writes down what happens; every consumer has room.
#[derive(Default)]
struct Seen {
    lines: Vec<String>,
    /// Slots by body of what is out.
    slots: HashMap<String, u32>,
    names: HashMap<ConsumerId, String>,
}

fn body(message: &Message) -> String {
    String::from_utf8_lossy(message.body()).into_owned()
}

impl Seen {
    fn handed(&mut self, to: &str, delivered: &Delivered, no_ack: bool) {
        let body = body(&delivered.message);
        if !no_ack {
            self.slots.insert(body.clone(), delivered.slot);
        }
        let mut line = format!("{to}<{body}");
        if delivered.redelivered {
            line.push_str(&format!("*{}", delivered.acquired));
        }
        if delivered.failures > 0 {
            line.push_str(&format!("!{}", delivered.failures));
        }
        self.lines.push(line);
    }
}

impl Effects for Seen {
    fn admit(&mut self, _consumer: ConsumerId, _body_bytes: u32) -> bool {
        true
    }

    fn deliver(&mut self, consumer: ConsumerId, delivered: Delivered) {
        let name = self.names[&consumer].clone();
        self.handed(&name, &delivered, name.ends_with('-'));
    }

    fn forget(&mut self, position: u64) {
        self.lines.push(format!("forget {position}"));
    }

    fn forget_through(&mut self, first: u64, last: u64) {
        self.lines.push(format!("forget {first}-{last}"));
    }

    fn forget_spilled(&mut self, key: u64) {
        self.lines.push(format!("forget page {key}"));
    }

    fn dropped(&mut self, entry: Entry, reason: DropReason) {
        self.lines.push(format!("{} {}", reason.as_str(), body(&entry.message)));
    }

    fn released(&mut self, _consumer: ConsumerId) {}
}

/// What its owner does when a channel is gone.
fn close_session(state: &mut QueueState, session: SessionId, effects: &mut impl Effects) -> Vec<ConsumerId> {
    for slot in state.out_with(session) {
        state.settle(slot, Disposition::RejectRequeue, effects);
    }
    state.remove_consumers_of(session)
}

/// A queue, driven by words. A consumer whose name ends in `-` acknowledges nothing.
struct Script {
    state: QueueState,
    seen: Seen,
    consumers: HashMap<String, (ConsumerId, SessionId)>,
    now_ms: u64,
}

const FETCHER: SessionId = SessionId { connection: ConnectionId(9), channel: 9, epoch: 0 };

impl Script {
    fn new(limits: &QueueLimits) -> Self {
        let state = QueueState::new(limits.clone());
        Self { state, seen: Seen::default(), consumers: HashMap::new(), now_ms: 1000 }
    }

    /// Runs one line and tells what came of it.
    fn run(&mut self, line: &str) -> String {
        let (words, options): (Vec<&str>, Vec<&str>) = line.split_whitespace().partition(|word| !word.contains('='));
        let option = |name: &str| {
            let found = options.iter().find_map(|option| option.strip_prefix(name)?.strip_prefix('='));
            found.map(|value| value.parse::<i64>().unwrap())
        };
        let names = &words[1..];
        match words[0] {
            "publish" => {
                for name in names {
                    let message = Message::build("", "q", &[0, 0], name.as_bytes(), false);
                    if self.state.refuses_publish(message.body_len()) {
                        self.seen.lines.push(format!("refused {name}"));
                        continue;
                    }
                    let expires = option("ttl").map_or(0, |ttl| self.now_ms + ttl as u64);
                    let priority = option("priority").unwrap_or(0) as u8;
                    self.state.publish(message, expires, priority, option("logged").is_some());
                    self.settle_down();
                }
            }
            "consume" => {
                let number = self.consumers.len() as u16;
                let session = SessionId { connection: ConnectionId(1), channel: number, epoch: 0 };
                let prefetch = option("prefetch").unwrap_or(0) as u16;
                let consumer = Consumer::new(
                    ConsumerKey(number.into()),
                    session,
                    names[0].to_owned(),
                    names[0].ends_with('-'),
                    false,
                    prefetch,
                    option("priority").unwrap_or(0),
                );
                let id = self.state.add_consumer(consumer);
                self.seen.names.insert(id, names[0].to_owned());
                self.consumers.insert(names[0].to_owned(), (id, session));
            }
            "cancel" => {
                self.state.remove_consumer(self.consumers[names[0]].0);
            }
            "close" => {
                close_session(&mut self.state, self.consumers[names[0]].1, &mut self.seen);
            }
            "get" => match self.state.get(FETCHER, false, &mut self.seen) {
                Some(delivered) => self.seen.handed("get", &delivered, false),
                None => self.seen.lines.push("empty".to_owned()),
            },
            "purge" => {
                let (purged, _) = self.state.purge_some(usize::MAX, &mut self.seen);
                self.seen.lines.push(format!("purged {purged}"));
            }
            "wait" => self.now_ms += option("ms").unwrap() as u64,
            "limit" => {
                let limits = QueueLimits { max_length: option("length").map(|max| max as u64), ..Default::default() };
                self.state.set_limits(&limits);
            }
            settle => {
                let disposition = match settle {
                    "ack" => Disposition::Ack,
                    "nack" => Disposition::Requeue,
                    "reject" => Disposition::RejectRequeue,
                    "discard" => Disposition::Discard,
                    other => panic!("{other} is no command"),
                };
                for name in names {
                    self.state.settle(self.seen.slots[*name], disposition, &mut self.seen);
                }
            }
        }
        self.settle_down();
        std::mem::take(&mut self.seen.lines).join(", ")
    }

    /// What its owner does after every command.
    fn settle_down(&mut self) {
        self.state.expire(self.now_ms, usize::MAX, &mut self.seen);
        self.state.deliver(&mut self.seen);
        self.state.enforce_length(usize::MAX, &mut self.seen);
    }
}

/// Runs `command -> what comes of it` lines.
#[track_caller]
fn check(limits: &QueueLimits, script: &str) {
    let mut queue = Script::new(limits);
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (command, expected) = line.split_once("->").unwrap_or((line, ""));
        assert_eq!(queue.run(command), expected.trim(), "after `{}`", command.trim());
    }
}

fn classic() -> QueueLimits {
    QueueLimits::default()
}

fn quorum() -> QueueLimits {
    QueueLimits { kind: QueueKind::Quorum, max_priority: 31, ..QueueLimits::default() }
}

#[test]
fn consumers_take_turns_within_their_prefetch() {
    check(
        &classic(),
        "consume a prefetch=1
         consume b prefetch=2
         publish 1 2 3 4 5 -> a<1, b<2, b<3
         ack 2 -> b<4
         ack 1 -> a<5",
    );
}

#[test]
fn a_requeued_message_goes_to_the_next_consumer_in_its_old_place() {
    check(
        &classic(),
        "consume a prefetch=2
         publish 1 2 3 4 -> a<1, a<2
         consume b prefetch=1 -> b<3
         close a
         ack 3 -> b<1*1
         ack 1 -> b<2*1
         ack 2 -> b<4",
    );
}

#[test]
fn higher_priority_is_served_first_until_it_is_full() {
    check(
        &classic(),
        "consume low prefetch=2
         consume high prefetch=1 priority=5
         publish 1 2 -> high<1, low<2
         ack 1
         publish 3 4 5 -> high<3, low<4
         ack 4 -> low<5",
    );
}

#[test]
fn messages_of_a_cancelled_consumer_stay_out_until_its_channel_settles_or_closes() {
    check(
        &classic(),
        "consume a prefetch=2
         publish 1 2 3 -> a<1, a<2
         cancel a
         consume b prefetch=1 -> b<3
         ack 1
         ack 3
         nack 2 -> b<2*1
         ack 2",
    );
    check(
        &classic(),
        "consume a
         publish 1 2 -> a<1, a<2
         cancel a
         close a
         get -> get<1*1",
    );
}

#[test]
fn a_single_active_consumer_stays_until_it_leaves_and_is_followed_by_the_highest_priority() {
    check(
        &QueueLimits { single_active_consumer: true, ..classic() },
        "consume a prefetch=1
         consume b
         consume c priority=9
         consume d priority=9
         publish 1 2 -> a<1
         cancel a -> c<2
         nack 1 -> c<1*1
         close c -> d<1*2, d<2*1
         close d -> b<1*3, b<2*2",
    );
}

#[test]
fn in_a_quorum_queue_a_higher_priority_takes_over_once_nothing_is_out() {
    check(
        &QueueLimits { single_active_consumer: true, ..quorum() },
        "consume a prefetch=2
         publish 1 -> a<1
         consume b priority=5
         publish 2
         ack 1 -> b<2
         consume c priority=5
         publish 3 -> b<3",
    );
}

#[test]
fn deliveries_without_acknowledgement_are_forgotten_at_once() {
    check(
        &classic(),
        "publish 1 2 logged=1
         consume a- -> forget 1, a-<1, forget 2, a-<2
         close a-
         get -> empty",
    );
}

#[test]
fn a_message_expires_at_the_head_only() {
    check(
        &classic(),
        "publish 1 ttl=10
         publish 2
         publish 3 ttl=10
         wait ms=9
         wait ms=1 -> expired 1
         get -> get<2, expired 3",
    );
    check(
        &classic(),
        "publish 1 ttl=10
         get -> get<1
         wait ms=20
         nack 1 -> expired 1",
    );
    check(&classic(), "publish 1 ttl=0 -> expired 1");
    check(
        &classic(),
        "consume a-
         publish 1 ttl=1 -> a-<1",
    );
}

#[test]
fn a_queue_that_is_too_long_drops_its_head() {
    let two = QueueLimits { max_length: Some(2), ..classic() };
    check(
        &two,
        "publish 1 2 3 -> maxlen 1
         get -> get<2
         publish 4
         nack 2 -> maxlen 2",
    );
    check(&QueueLimits { max_length_bytes: Some(3), ..classic() }, "publish ab cd -> maxlen ab");
    check(&QueueLimits { max_length: Some(0), ..classic() }, "publish 1 -> maxlen 1");
    check(
        &QueueLimits { max_length: Some(0), ..classic() },
        "consume a-
         publish 1 -> a-<1",
    );
    // What would be delivered next goes first, whatever its priority.
    check(
        &QueueLimits { max_priority: 5, ..two },
        "publish high priority=5
         publish low priority=1
         publish middle priority=3 -> maxlen high",
    );
}

#[test]
fn a_full_queue_refuses_when_it_is_told_to() {
    let refuses = QueueLimits { overflow: Overflow::RejectPublish, ..classic() };
    check(
        &QueueLimits { max_length: Some(1), ..refuses },
        "publish 1 2 -> refused 2
         get -> get<1
         publish 3",
    );
    check(&QueueLimits { max_length: Some(0), ..refuses }, "publish 1 -> refused 1");
    check(&QueueLimits { max_length_bytes: Some(3), ..refuses }, "publish ab cd e f -> refused cd, refused f");
    // A quorum queue notices only afterwards.
    let quorum = QueueLimits { kind: QueueKind::Quorum, max_length: Some(1), ..refuses };
    check(&quorum, "publish 1 2 3 -> refused 3");
}

#[test]
fn new_limits_hold_at_once() {
    check(
        &classic(),
        "publish 1 2 3
         limit length=1 -> maxlen 1, maxlen 2
         limit
         publish 4 5",
    );
}

#[test]
fn priorities_come_before_age() {
    check(
        &QueueLimits { max_priority: 5, ..classic() },
        "publish a priority=1
         publish b priority=9
         publish c priority=5
         publish d priority=0
         get -> get<b
         nack b
         consume x- -> x-<b*1, x-<c, x-<a, x-<d",
    );
}

#[test]
fn a_quorum_queue_serves_returned_messages_first_in_the_order_they_returned() {
    check(
        &quorum(),
        "consume a prefetch=3
         publish 1 2 3 4 -> a<1, a<2, a<3
         cancel a
         nack 3
         nack 1
         nack 2
         consume x- -> x-<3*1, x-<1*1, x-<2*1, x-<4",
    );
}

#[test]
fn failed_deliveries_are_counted_and_limited() {
    let limited = QueueLimits { delivery_limit: Some(1), ..quorum() };
    check(
        &limited,
        "publish 1
         get -> get<1
         nack 1
         get -> get<1*1
         reject 1
         get -> get<1*2!1
         nack 1
         get -> get<1*3!1
         reject 1 -> delivery_limit 1",
    );
    check(
        &limited,
        "consume a
         publish 1 -> a<1
         close a
         consume b -> b<1*1!1
         close b -> delivery_limit 1",
    );
    check(
        &classic(),
        "publish 1
         get -> get<1
         reject 1
         get -> get<1*1
         reject 1
         get -> get<1*2",
    );
}

#[test]
fn discarded_and_purged_messages_leave() {
    check(
        &classic(),
        "publish 1 2 3 logged=1
         get -> get<1
         discard 1 -> rejected 1
         get -> get<2
         purge -> forget 3, purged 1
         ack 2 -> forget 2",
    );
}
