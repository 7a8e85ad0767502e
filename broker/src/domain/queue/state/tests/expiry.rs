//! Expiry against a list whose head alone is looked at.

use proptest::prelude::*;

use super::naive::{Done, get, numbered};
use super::*;

#[derive(Debug, Clone)]
enum Step {
    /// With the message's own time, and priority.
    Publish(Option<u64>, u8),
    Wait(u64),
    Get,
    Requeue(usize),
    /// The queue's own time from now on: a policy may change it.
    QueueTtl(Option<u64>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (prop::option::of(0..30u64), 0..3u8).prop_map(|(ttl, priority)| Step::Publish(ttl, priority)),
        4 => (0..20u64).prop_map(Step::Wait),
        2 => Just(Step::Get),
        2 => any::<usize>().prop_map(Step::Requeue),
        1 => prop::option::of(0..30u64).prop_map(Step::QueueTtl),
    ];
    prop::collection::vec(step, 1..120)
}

#[derive(Debug, Clone, Copy)]
struct Message {
    number: u64,
    priority: u8,
    expires_at_ms: Option<u64>,
}

/// Messages of each priority are a line, and only its head expires.
#[derive(Default)]
struct Model {
    lines: [Vec<Message>; 3],
    dropped: Vec<u64>,
}

impl Model {
    fn put(&mut self, message: Message) {
        let line = &mut self.lines[usize::from(message.priority)];
        line.push(message);
        line.sort_by_key(|message| message.number);
    }

    fn expire(&mut self, now_ms: u64) {
        for line in &mut self.lines {
            while line.first().is_some_and(|head| head.expires_at_ms.is_some_and(|at| at <= now_ms)) {
                self.dropped.push(line.remove(0).number);
            }
        }
    }

    fn take(&mut self) -> Option<Message> {
        let line = self.lines.iter_mut().rev().find(|line| !line.is_empty())?;
        Some(line.remove(0))
    }

    fn next_expiry_ms(&self) -> Option<u64> {
        self.lines.iter().filter_map(|line| line.first()?.expires_at_ms).min()
    }
}

proptest! {
    #[test]
    fn messages_expire_at_the_head_in_time_and_order(steps in steps(), max_priority in 0..3u8) {
        let mut state = QueueState::new(QueueLimits { max_priority, ..classic() });
        let (mut model, mut done) = (Model::default(), Done::default());
        let mut out: Vec<(Message, u32)> = Vec::new();
        let (mut now_ms, mut queue_ttl, mut published) = (1_000, None, 0);
        for step in steps {
            match step {
                Step::Publish(own, priority) => {
                    published += 1;
                    // The shorter of both counts, from the moment of arrival.
                    let ttl: Option<u64> = own.into_iter().chain(queue_ttl).min();
                    let expires_at_ms = ttl.map(|ttl| now_ms + ttl);
                    state.publish(numbered(published, 8), expires_at_ms.unwrap_or(0), priority, false);
                    model.put(Message { number: published, priority: priority.min(max_priority), expires_at_ms });
                }
                Step::Wait(ms) => now_ms += ms,
                Step::Get => {
                    let (got, expected) = (get(&mut state, &mut done), model.take());
                    prop_assert_eq!(got.map(|(number, _)| number), expected.map(|message| message.number));
                    out.extend(expected.zip(got.map(|(_, slot)| slot)));
                }
                Step::Requeue(which) if !out.is_empty() => {
                    let (message, slot) = out.remove(which % out.len());
                    state.settle(slot, Disposition::Requeue, &mut done);
                    model.put(message);
                }
                Step::Requeue(_) => {}
                Step::QueueTtl(ttl) => {
                    queue_ttl = ttl;
                    state.set_limits(&QueueLimits { max_priority, message_ttl_ms: ttl, ..classic() });
                }
            }
            prop_assert_eq!(state.next_expiry_ms(), model.next_expiry_ms());
            state.expire(now_ms, usize::MAX, &mut done);
            model.expire(now_ms);
            let dropped = |reason: &DropReason| *reason == DropReason::Expired;
            prop_assert!(done.dropped.iter().all(|(_, reason)| dropped(reason)));
            // Of one moment and several priorities, the order is nobody's business.
            let mut numbers: Vec<u64> = done.dropped.iter().map(|(number, _)| *number).collect();
            if max_priority > 0 {
                numbers.sort_unstable();
                model.dropped.sort_unstable();
            }
            prop_assert_eq!(&numbers, &model.dropped);
            prop_assert_eq!(state.ready().0 as usize, model.lines.iter().map(Vec::len).sum::<usize>());
        }
    }
}
