//! Length limits against a list that is counted anew every time, in all modes of overflow.

use proptest::prelude::*;

use super::naive::{Done, get, numbered};
use super::*;

#[derive(Debug, Clone)]
enum Step {
    Publish {
        bytes: usize,
    },
    Get,
    Requeue(usize),
    Ack(usize),
    /// A policy changes.
    Limit {
        messages: Option<u64>,
        bytes: Option<u64>,
        overflow: Overflow,
    },
}

fn limit() -> impl Strategy<Value = (Option<u64>, Option<u64>, Overflow)> {
    let overflow =
        prop_oneof![Just(Overflow::DropHead), Just(Overflow::RejectPublish), Just(Overflow::RejectPublishDlx)];
    (prop::option::of(0..6u64), prop::option::of(0..80u64), overflow)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (8..30usize).prop_map(|bytes| Step::Publish { bytes }),
        3 => Just(Step::Get),
        2 => any::<usize>().prop_map(Step::Requeue),
        1 => any::<usize>().prop_map(Step::Ack),
        1 => limit().prop_map(|(messages, bytes, overflow)| Step::Limit { messages, bytes, overflow }),
    ];
    prop::collection::vec(step, 1..150)
}

#[derive(Debug, Clone, Copy)]
struct Message {
    number: u64,
    bytes: u64,
    /// Whether it was out before: in a quorum queue such messages stand before all others.
    returned: bool,
}

struct Model {
    kind: QueueKind,
    messages_max: u64,
    bytes_max: u64,
    overflow: Overflow,
    ready: Vec<Message>,
    dropped: Vec<(u64, DropReason)>,
}

impl Model {
    fn limit(&mut self, messages: Option<u64>, bytes: Option<u64>, overflow: Overflow) {
        (self.messages_max, self.bytes_max) = (messages.unwrap_or(u64::MAX), bytes.unwrap_or(u64::MAX));
        self.overflow = overflow;
    }

    fn is_too_long(&self, ready: &[Message]) -> bool {
        ready.len() as u64 > self.messages_max
            || ready.iter().map(|message| message.bytes).sum::<u64>() > self.bytes_max
    }

    /// A classic queue refuses what would not fit, a quorum queue what comes when it is too long.
    fn refuses(&self, message: Message) -> bool {
        let mut then = self.ready.clone();
        if self.kind == QueueKind::Classic {
            then.push(message);
        }
        self.overflow != Overflow::DropHead && self.is_too_long(&then)
    }

    fn shorten(&mut self) {
        while self.overflow == Overflow::DropHead && self.is_too_long(&self.ready) && !self.ready.is_empty() {
            self.dropped.push((self.ready.remove(0).number, DropReason::MaxLength));
        }
    }
}

proptest! {
    #[test]
    fn a_queue_is_as_long_as_it_may_be(steps in steps(), quorum in any::<bool>(), first in limit()) {
        let kind = if quorum { QueueKind::Quorum } else { QueueKind::Classic };
        let limits = |(max_length, max_length_bytes, overflow)| {
            QueueLimits { kind, max_length, max_length_bytes, overflow, ..classic() }
        };
        let mut state = QueueState::new(limits(first));
        let mut model = Model {
            kind, messages_max: 0, bytes_max: 0, overflow: first.2, ready: Vec::new(), dropped: Vec::new(),
        };
        model.limit(first.0, first.1, first.2);
        let mut out: Vec<(Message, u32)> = Vec::new();
        let (mut done, mut published) = (Done::default(), 0);
        for step in steps {
            match step {
                Step::Publish { bytes } => {
                    published += 1;
                    let message = Message { number: published, bytes: bytes as u64, returned: false };
                    let refused = state.refuses_publish(bytes as u32);
                    prop_assert_eq!(refused, model.refuses(message));
                    if !refused {
                        state.publish(numbered(published, bytes), 0, 0, false);
                        model.ready.push(message);
                    }
                }
                Step::Get => {
                    let got = get(&mut state, &mut done);
                    prop_assert_eq!(got.map(|(number, _)| number), model.ready.first().map(|message| message.number));
                    if let Some((_, slot)) = got {
                        out.push((model.ready.remove(0), slot));
                    }
                }
                Step::Requeue(which) if !out.is_empty() => {
                    let (message, slot) = out.remove(which % out.len());
                    state.settle(slot, Disposition::Requeue, &mut done);
                    let before = |other: &&Message| if quorum { other.returned } else { other.number < message.number };
                    let at = model.ready.iter().filter(before).count();
                    model.ready.insert(at, Message { returned: true, ..message });
                }
                Step::Ack(which) if !out.is_empty() => {
                    let (_, slot) = out.remove(which % out.len());
                    state.settle(slot, Disposition::Ack, &mut done);
                }
                Step::Requeue(_) | Step::Ack(_) => {}
                Step::Limit { messages, bytes, overflow } => {
                    state.set_limits(&limits((messages, bytes, overflow)));
                    model.limit(messages, bytes, overflow);
                }
            }
            // In steps, as its owner does.
            while state.enforce_length(1, &mut done) {}
            model.shorten();
            prop_assert_eq!(&done.dropped, &model.dropped);
            let bytes = model.ready.iter().map(|message| message.bytes).sum::<u64>();
            prop_assert_eq!(state.ready(), (model.ready.len() as u64, bytes));
        }
    }
}
