//! Random choice: one of the bindings, each as likely as the other. The dice are thrown
//! by whoever routes.
//!
//! `x-local-random` chooses the same way, among queues alone: on one node every queue is
//! a local one. What may be bound to it is checked here.

use imbl::Vector;

use super::hash::place;
use super::{Bound, Sink};
use crate::domain::queue::QueueKind;

/// Bindings to choose from, in the order they were made.
#[derive(Debug, Clone)]
pub struct RandomMatcher<B: Clone> {
    bindings: Vector<B>,
}

impl<B: Clone> Default for RandomMatcher<B> {
    fn default() -> Self {
        Self { bindings: Vector::new() }
    }
}

impl<B: Bound> RandomMatcher<B> {
    /// Adds a binding; its number is higher than those of all before it.
    pub fn insert(&mut self, bound: B) {
        self.bindings.push_back(bound);
    }

    /// Removes a binding.
    pub fn remove(&mut self, bound: &B) {
        if let Ok(at) = self.bindings.binary_search_by_key(&bound.number(), Bound::number) {
            self.bindings.remove(at);
        }
    }

    /// Hands the binding that `chance`, a number out of all 64-bit numbers, falls on to `sink`.
    pub fn matches(&self, chance: u64, sink: &mut impl Sink<B>) {
        if !self.bindings.is_empty()
            && let Some(chosen) = self.bindings.get(place(chance, self.bindings.len()))
        {
            sink.matched(chosen);
        }
    }
}

/// Why an `x-local-random` exchange refuses a binding with that key to a queue of that
/// type (none: to an exchange); `None` when it takes it.
#[must_use]
pub fn local_refusal(binding_key: &str, queue: Option<QueueKind>) -> Option<String> {
    if !binding_key.is_empty() {
        return Some(format!("Non empty binding '{binding_key}' key not permitted"));
    }
    match queue {
        Some(QueueKind::Classic) => None,
        Some(kind) => Some(format!("Queue type rabbit_{kind}_queue not valid for this exchange type")),
        None => Some("Destination not found".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{Collected, Numbered};
    use super::*;

    fn chosen(matcher: &RandomMatcher<Numbered>, chance: u64) -> Vec<u64> {
        let mut sink = Collected::default();
        matcher.matches(chance, &mut sink);
        sink.0
    }

    #[test]
    fn nothing_is_chosen_among_none() {
        assert!(chosen(&RandomMatcher::default(), 7).is_empty());
    }

    #[test]
    fn what_local_random_refuses() {
        for (key, queue, expected) in [
            ("", Some(QueueKind::Classic), None),
            ("k", Some(QueueKind::Classic), Some("Non empty binding 'k' key not permitted")),
            ("", Some(QueueKind::Quorum), Some("Queue type rabbit_quorum_queue not valid for this exchange type")),
            ("", None, Some("Destination not found")),
        ] {
            assert_eq!(local_refusal(key, queue).as_deref(), expected);
        }
    }

    proptest! {
        #[test]
        fn every_binding_left_is_chosen_by_its_share_of_the_numbers(
            count in 1u64..12,
            removed in proptest::collection::vec(any::<bool>(), 12),
            chance in any::<u64>(),
        ) {
            let mut matcher = RandomMatcher::default();
            (0..count).for_each(|number| matcher.insert(Numbered(number)));
            let (gone, left): (Vec<u64>, Vec<u64>) = (0..count).partition(|number| removed[*number as usize]);
            gone.iter().for_each(|number| matcher.remove(&Numbered(*number)));
            if left.is_empty() {
                prop_assert!(chosen(&matcher, chance).is_empty());
            } else {
                let share = u64::MAX / left.len() as u64;
                for (at, number) in left.iter().enumerate() {
                    let within = at as u64 * share + (at as u64 + 1) + chance % (share - 2 * left.len() as u64);
                    prop_assert_eq!(chosen(&matcher, within), [*number]);
                }
            }
        }
    }
}
