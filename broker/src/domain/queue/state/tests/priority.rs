//! Order of a priority queue against a list that is searched from end to end.

use proptest::prelude::*;

use super::naive::{Done, get, number, numbered};
use super::*;

#[derive(Debug, Clone)]
enum Step {
    Publish(u8),
    Get,
    Requeue(usize),
    Ack(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..=12u8).prop_map(Step::Publish),
        3 => Just(Step::Get),
        2 => any::<usize>().prop_map(Step::Requeue),
        1 => any::<usize>().prop_map(Step::Ack),
    ];
    prop::collection::vec(step, 1..150)
}

proptest! {
    #[test]
    fn the_highest_priority_comes_first_and_equals_in_order_of_arrival(steps in steps(), max_priority in 0..=10u8) {
        let mut state = QueueState::new(QueueLimits { max_priority, ..classic() });
        let mut done = Done::default();
        // Every message that is in the queue, by number: its priority, and its slot while it is out.
        let mut all: Vec<(u64, u8, Option<u32>)> = Vec::new();
        let mut published = 0;
        for step in steps {
            let out: Vec<usize> = (0..all.len()).filter(|&at| all[at].2.is_some()).collect();
            match step {
                Step::Publish(priority) => {
                    published += 1;
                    state.publish(numbered(published, 8), 0, priority, false);
                    // A priority above the queue's is as good as the highest.
                    all.push((published, priority.min(max_priority), None));
                }
                Step::Get => {
                    let mut best: Option<usize> = None;
                    for (at, (_, priority, slot)) in all.iter().enumerate() {
                        if slot.is_none() && best.is_none_or(|best| *priority > all[best].1) {
                            best = Some(at);
                        }
                    }
                    prop_assert_eq!(state.head().map(number), best.map(|at| all[at].0));
                    let got = get(&mut state, &mut done);
                    prop_assert_eq!(got.map(|(number, _)| number), best.map(|at| all[at].0));
                    if let (Some(at), Some((_, slot))) = (best, got) {
                        all[at].2 = Some(slot);
                    }
                }
                Step::Requeue(which) if !out.is_empty() => {
                    let slot = all[out[which % out.len()]].2.take();
                    state.settle(slot.unwrap(), Disposition::Requeue, &mut done);
                }
                Step::Ack(which) if !out.is_empty() => {
                    let (_, _, slot) = all.remove(out[which % out.len()]);
                    state.settle(slot.unwrap(), Disposition::Ack, &mut done);
                }
                Step::Requeue(_) | Step::Ack(_) => {}
            }
        }
        prop_assert_eq!(state.ready().0 as usize, all.iter().filter(|message| message.2.is_none()).count());
    }
}
