//! Where returned messages go, against a list that is sorted anew every time: in a classic queue
//! to their place, in a quorum queue before all others in the order they return.

use proptest::prelude::*;

use super::naive::{Done, get, numbered};
use super::*;

#[derive(Debug, Clone)]
enum Step {
    Publish,
    Get,
    Settle(usize, Disposition),
    CloseChannel,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let disposition = prop_oneof![
        Just(Disposition::Ack),
        Just(Disposition::Requeue),
        Just(Disposition::RejectRequeue),
        Just(Disposition::Discard),
    ];
    let step = prop_oneof![
        4 => Just(Step::Publish),
        4 => Just(Step::Get),
        4 => (any::<usize>(), disposition).prop_map(|(which, disposition)| Step::Settle(which, disposition)),
        1 => Just(Step::CloseChannel),
    ];
    prop::collection::vec(step, 1..150)
}

/// A message: its number, how often it failed, and its rank, by which messages come.
#[derive(Debug, Clone, Copy)]
struct Message {
    number: u64,
    failures: u64,
    rank: i64,
}

/// Ranks of fresh messages begin here; returned ones of a quorum queue stay below.
const FRESH: i64 = 1_000_000;

struct Model {
    quorum: bool,
    delivery_limit: Option<u64>,
    ready: Vec<Message>,
    returns: i64,
    dropped: Vec<(u64, DropReason)>,
}

impl Model {
    fn settle(&mut self, mut message: Message, disposition: Disposition) {
        let fails = self.quorum && disposition == Disposition::RejectRequeue;
        message.failures += u64::from(fails);
        if disposition == Disposition::Ack {
            return;
        }
        if disposition == Disposition::Discard {
            self.dropped.push((message.number, DropReason::Rejected));
        } else if fails && self.delivery_limit.is_some_and(|limit| message.failures > limit) {
            self.dropped.push((message.number, DropReason::DeliveryLimit));
        } else {
            if self.quorum {
                self.returns += 1;
                message.rank = self.returns;
            }
            self.ready.push(message);
        }
    }
}

proptest! {
    #[test]
    fn returned_messages_come_where_they_belong(
        steps in steps(), quorum in any::<bool>(), delivery_limit in prop::option::of(0..3u64),
    ) {
        let kind = if quorum { QueueKind::Quorum } else { QueueKind::Classic };
        let mut state = QueueState::new(QueueLimits { kind, delivery_limit, ..classic() });
        let mut model = Model { quorum, delivery_limit, ready: Vec::new(), returns: 0, dropped: Vec::new() };
        let mut out: Vec<(Message, u32)> = Vec::new();
        let (mut done, mut published) = (Done::default(), 0);
        for step in steps {
            match step {
                Step::Publish => {
                    published += 1;
                    state.publish(numbered(published, 8), 0, 0, false);
                    model.ready.push(Message { number: published, failures: 0, rank: FRESH + published as i64 });
                }
                Step::Get => {
                    model.ready.sort_by_key(|message| message.rank);
                    let got = get(&mut state, &mut done);
                    prop_assert_eq!(got.map(|(number, _)| number), model.ready.first().map(|message| message.number));
                    if let Some((_, slot)) = got {
                        out.push((model.ready.remove(0), slot));
                    }
                }
                Step::Settle(which, disposition) if !out.is_empty() => {
                    let (message, slot) = out.remove(which % out.len());
                    state.settle(slot, disposition, &mut done);
                    model.settle(message, disposition);
                }
                Step::Settle(..) => {}
                Step::CloseChannel => {
                    // What a channel has out returns in the order it was handed out.
                    close_session(&mut state, FETCHER, &mut done);
                    out.drain(..).for_each(|(message, _)| model.settle(message, Disposition::RejectRequeue));
                }
            }
            prop_assert_eq!(&done.dropped, &model.dropped);
            prop_assert_eq!(state.ready().0 as usize, model.ready.len());
            prop_assert_eq!(state.unacked().0 as usize, out.len());
        }
    }
}
