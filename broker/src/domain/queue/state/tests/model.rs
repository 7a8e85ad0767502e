//! The queue against a naive model, at random.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::*;

/// What is done to a queue at random. Numbers are taken modulo what is there.
#[derive(Debug, Clone)]
enum Step {
    Publish,
    Consume { prefetch: u16, priority: i64, no_ack: bool },
    Cancel(usize),
    Close(usize),
    Settle(usize, Disposition),
    Get,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let disposition = prop_oneof![
        4 => Just(Disposition::Ack),
        2 => Just(Disposition::Requeue),
        1 => Just(Disposition::RejectRequeue),
        1 => Just(Disposition::Discard),
        1 => Just(Disposition::RejectDiscard),
    ];
    let step = prop_oneof![
        6 => Just(Step::Publish),
        1 => (0..4u16, -1..2i64, prop::bool::weighted(0.2))
            .prop_map(|(prefetch, priority, no_ack)| Step::Consume { prefetch, priority, no_ack }),
        1 => any::<usize>().prop_map(Step::Cancel),
        1 => any::<usize>().prop_map(Step::Close),
        6 => (any::<usize>(), disposition).prop_map(|(which, disposition)| Step::Settle(which, disposition)),
        2 => Just(Step::Get),
    ];
    prop::collection::vec(step, 1..200)
}

/// A queue as one would write it down: positions in order, and what was handed out.
#[derive(Default)]
struct Model {
    ready: Vec<u64>,
    /// Position → slot, session, consumer.
    out: BTreeMap<u64, (u32, SessionId, Option<ConsumerId>)>,
    gone: Vec<u64>,
    handed: HashMap<u64, u32>,
    consumers: Vec<(ConsumerId, Consumer)>,
}

impl Model {
    /// The head is handed out: it must be the oldest, and known as what it is.
    fn hand_out(&mut self, delivered: &Delivered, to: Option<(SessionId, Option<ConsumerId>)>) {
        let position: u64 = body(&delivered.message).parse().unwrap();
        assert_eq!(self.ready.first(), Some(&position), "the oldest comes first");
        self.ready.remove(0);
        let before = self.handed.entry(position).or_default();
        assert_eq!((delivered.redelivered, delivered.acquired), (*before > 0, *before));
        *before += 1;
        match to {
            Some((session, consumer)) => {
                self.out.insert(position, (delivered.slot, session, consumer));
            }
            None => self.gone.push(position),
        }
    }

    fn back(&mut self, position: u64) {
        let at = self.ready.partition_point(|&other| other < position);
        self.ready.insert(at, position);
    }

    fn out_with(&self, id: ConsumerId) -> usize {
        self.out.values().filter(|(_, _, consumer)| *consumer == Some(id)).count()
    }

    fn has_room(&self, id: ConsumerId, consumer: &Consumer) -> bool {
        consumer.no_ack || consumer.prefetch == 0 || self.out_with(id) < usize::from(consumer.prefetch)
    }
}

impl Effects for Model {
    fn admit(&mut self, _consumer: ConsumerId, _body_bytes: u32) -> bool {
        true
    }

    fn deliver(&mut self, id: ConsumerId, delivered: Delivered) {
        let consumer = self.consumers.iter().find(|(known, _)| *known == id).expect("it is attached").1.clone();
        assert!(self.has_room(id, &consumer), "prefetch is kept");
        let better =
            self.consumers.iter().any(|(id, other)| other.priority > consumer.priority && self.has_room(*id, other));
        assert!(!better, "a higher priority with room comes first");
        self.hand_out(&delivered, (!consumer.no_ack).then_some((consumer.session, Some(id))));
    }

    fn forget(&mut self, _position: u64) {}

    fn forget_through(&mut self, _first: u64, _last: u64) {}

    fn forget_spilled(&mut self, _key: u64) {}

    fn dropped(&mut self, entry: Entry, reason: DropReason) {
        assert_eq!(reason, DropReason::Rejected);
        self.gone.push(entry.position);
    }

    fn released(&mut self, _consumer: ConsumerId) {}
}

proptest! {
    #[test]
    fn nothing_is_lost_and_order_is_kept(steps in steps()) {
        let mut state = QueueState::new(classic());
        let mut model = Model::default();
        let mut published = 0u64;
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Publish => {
                    published += 1;
                    let text = published.to_string();
                    let message = Message::build("", "q", &[0, 0], text.as_bytes(), true);
                    prop_assert_eq!(state.publish(message, 0, 0, true), published);
                    model.ready.push(published);
                }
                Step::Consume { prefetch, priority, no_ack } => {
                    let session = SessionId { connection: ConnectionId(1), channel: number as u16, epoch: 0 };
                    let key = ConsumerKey(number as u32);
                    let consumer = Consumer::new(key, session, String::new(), no_ack, false, prefetch, priority);
                    model.consumers.push((state.add_consumer(consumer.clone()), consumer));
                }
                Step::Cancel(which) if !model.consumers.is_empty() => {
                    let (id, _) = model.consumers.remove(which % model.consumers.len());
                    prop_assert!(state.remove_consumer(id).is_some());
                }
                Step::Close(which) if !model.consumers.is_empty() => {
                    let (id, consumer) = model.consumers.remove(which % model.consumers.len());
                    let back: Vec<u64> = model.out.iter().filter(|(_, out)| out.1 == consumer.session).map(|(at, _)| *at).collect();
                    for position in back {
                        model.out.remove(&position);
                        model.back(position);
                    }
                    prop_assert_eq!(close_session(&mut state, consumer.session, &mut model), vec![id]);
                }
                Step::Settle(which, disposition) if !model.out.is_empty() => {
                    let position = *model.out.keys().nth(which % model.out.len()).unwrap();
                    let (slot, ..) = model.out.remove(&position).unwrap();
                    match disposition {
                        Disposition::Ack => model.gone.push(position),
                        Disposition::Requeue | Disposition::RejectRequeue => model.back(position),
                        Disposition::Discard | Disposition::RejectDiscard => {}
                    }
                    state.settle(slot, disposition, &mut model);
                }
                Step::Get => {
                    let got = state.get(FETCHER, false, &mut model);
                    prop_assert_eq!(got.is_none(), model.ready.is_empty());
                    if let Some(delivered) = got {
                        model.hand_out(&delivered, Some((FETCHER, None)));
                    }
                }
                Step::Cancel(_) | Step::Close(_) | Step::Settle(..) => {}
            }
            state.deliver(&mut model);
            let idle = model.consumers.iter().any(|(id, consumer)| model.has_room(*id, consumer));
            prop_assert!(model.ready.is_empty() || !idle, "a consumer with room waits beside ready messages");
            prop_assert_eq!(state.ready().0, model.ready.len() as u64);
            prop_assert_eq!(state.unacked().0, model.out.len() as u64);
            prop_assert_eq!(state.persistent().0, published - model.gone.len() as u64);
        }
        let mut all: Vec<u64> = model.ready.iter().chain(model.out.keys()).chain(&model.gone).copied().collect();
        all.sort_unstable();
        prop_assert_eq!(all, (1..=published).collect::<Vec<_>>());
        prop_assert_eq!(state.counters().publish, published);
    }
}
