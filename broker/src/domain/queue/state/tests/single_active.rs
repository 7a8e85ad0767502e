//! Which single consumer is served, against a list of consumers that is searched anew every time.

use proptest::prelude::*;

use super::naive::{Done, numbered};
use super::*;

#[derive(Debug, Clone)]
enum Step {
    Publish,
    Consume { priority: i64, prefetch: u16, no_ack: bool },
    Cancel(usize),
    Close(usize),
    Settle(usize, Disposition),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let disposition = prop_oneof![3 => Just(Disposition::Ack), 1 => Just(Disposition::Requeue)];
    let step = prop_oneof![
        5 => Just(Step::Publish),
        2 => (0..3i64, 0..3u16, prop::bool::weighted(0.2))
            .prop_map(|(priority, prefetch, no_ack)| Step::Consume { priority, prefetch, no_ack }),
        1 => any::<usize>().prop_map(Step::Cancel),
        1 => any::<usize>().prop_map(Step::Close),
        6 => (any::<usize>(), disposition).prop_map(|(which, disposition)| Step::Settle(which, disposition)),
    ];
    prop::collection::vec(step, 1..150)
}

struct Reader {
    id: ConsumerId,
    session: SessionId,
    priority: i64,
    /// `u16::MAX`: no limit.
    prefetch: u16,
    no_ack: bool,
}

struct Out {
    number: u64,
    slot: u32,
    to: ConsumerId,
    session: SessionId,
}

struct Model {
    quorum: bool,
    /// In order of registration.
    readers: Vec<Reader>,
    active: Option<ConsumerId>,
    /// In the order messages come.
    ready: Vec<u64>,
    /// How many of them were out before, of a quorum queue: they stand first.
    returned: usize,
    out: Vec<Out>,
}

impl Model {
    fn out_with(&self, id: ConsumerId) -> usize {
        self.out.iter().filter(|out| out.to == id).count()
    }

    fn best(&self) -> Option<&Reader> {
        let highest = self.readers.iter().map(|reader| reader.priority).max()?;
        self.readers.iter().find(|reader| reader.priority == highest)
    }

    fn choose(&mut self) {
        let stays = self.active.is_some_and(|id| {
            let there = self.readers.iter().any(|reader| reader.id == id);
            there && (!self.quorum || self.out_with(id) > 0)
        });
        if !stays {
            self.active = self.best().map(|reader| reader.id);
        }
    }

    fn back(&mut self, number: u64) {
        let at = match self.quorum {
            true => self.returned,
            false => self.ready.iter().filter(|&&other| other < number).count(),
        };
        self.returned += 1;
        self.ready.insert(at, number);
    }

    /// What the active consumer gets now; slots are known once it was delivered.
    fn deliver(&mut self) -> Vec<(ConsumerId, u64)> {
        let mut given = Vec::new();
        loop {
            self.choose();
            let Some(reader) = self.readers.iter().find(|reader| Some(reader.id) == self.active) else { break };
            let gives_way = self.quorum && self.best().is_some_and(|best| best.priority > reader.priority);
            let has_room = reader.no_ack || self.out_with(reader.id) < usize::from(reader.prefetch);
            if gives_way || !has_room || self.ready.is_empty() {
                break;
            }
            let number = self.ready.remove(0);
            self.returned = self.returned.saturating_sub(1);
            given.push((reader.id, number));
            if !reader.no_ack {
                let (to, session) = (reader.id, reader.session);
                self.out.push(Out { number, slot: 0, to, session });
            }
        }
        given
    }
}

proptest! {
    #[test]
    fn one_consumer_is_served_until_it_leaves_or_has_to_give_way(steps in steps(), quorum in any::<bool>()) {
        let kind = if quorum { QueueKind::Quorum } else { QueueKind::Classic };
        let mut state = QueueState::new(QueueLimits { kind, single_active_consumer: true, ..classic() });
        let mut done = Done::default();
        let mut model =
            Model { quorum, readers: Vec::new(), active: None, ready: Vec::new(), returned: 0, out: Vec::new() };
        let mut published = 0;
        for (step_number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Publish => {
                    published += 1;
                    state.publish(numbered(published, 8), 0, 0, false);
                    model.ready.push(published);
                }
                Step::Consume { priority, prefetch, no_ack } => {
                    let session = SessionId { connection: ConnectionId(1), channel: step_number as u16, epoch: 0 };
                    let key = ConsumerKey(step_number as u32);
                    let consumer = Consumer::new(key, session, String::new(), no_ack, false, prefetch, priority);
                    let id = state.add_consumer(consumer);
                    let prefetch = if prefetch == 0 { u16::MAX } else { prefetch };
                    model.readers.push(Reader { id, session, priority, prefetch, no_ack });
                }
                Step::Cancel(which) if !model.readers.is_empty() => {
                    let reader = model.readers.remove(which % model.readers.len());
                    state.remove_consumer(reader.id);
                }
                Step::Close(which) if !model.readers.is_empty() => {
                    let reader = model.readers.remove(which % model.readers.len());
                    prop_assert_eq!(close_session(&mut state, reader.session, &mut done), vec![reader.id]);
                    let (back, stay) = model.out.drain(..).partition(|out| out.session == reader.session);
                    model.out = stay;
                    let back: Vec<Out> = back;
                    back.iter().for_each(|out| model.back(out.number));
                }
                Step::Settle(which, disposition) if !model.out.is_empty() => {
                    let out = model.out.remove(which % model.out.len());
                    state.settle(out.slot, disposition, &mut done);
                    if disposition == Disposition::Requeue {
                        model.back(out.number);
                    }
                }
                Step::Cancel(_) | Step::Close(_) | Step::Settle(..) => {}
            }
            state.deliver(&mut done);
            let expected = model.deliver();
            let delivered: Vec<(ConsumerId, u64)> = done.delivered.iter().map(|&(to, number, _)| (to, number)).collect();
            prop_assert_eq!(delivered, expected);
            for (_, number, slot) in done.delivered.drain(..) {
                model.out.iter_mut().filter(|out| out.number == number).for_each(|out| out.slot = slot);
            }
            prop_assert_eq!(state.consumers().single_active(), model.active);
            for reader in &model.readers {
                prop_assert_eq!(state.consumers().is_active(reader.id), Some(reader.id) == model.active);
            }
            prop_assert_eq!(state.ready().0 as usize, model.ready.len());
        }
    }
}
