//! Modulus hashing: the hash of the routing keys, modulo the number of bindings. Bindings
//! are ordered by where they lead, so that the choice survives a restart; one more
//! binding moves nearly every key.

use imbl::Vector;

use super::hash::hash_all;
use super::{Placed, Sink};

/// Bindings to choose from, by destination.
#[derive(Debug, Clone)]
pub struct ModulusHashMatcher<B: Clone> {
    bindings: Vector<B>,
}

impl<B: Clone> Default for ModulusHashMatcher<B> {
    fn default() -> Self {
        Self { bindings: Vector::new() }
    }
}

impl<B: Placed> ModulusHashMatcher<B> {
    /// Adds a binding.
    pub fn insert(&mut self, bound: B) {
        if let Err(at) = self.place_of(&bound) {
            self.bindings.insert(at, bound);
        }
    }

    /// Removes a binding.
    pub fn remove(&mut self, bound: &B) {
        if let Ok(at) = self.place_of(bound) {
            self.bindings.remove(at);
        }
    }

    fn place_of(&self, bound: &B) -> Result<usize, usize> {
        self.bindings.binary_search_by(|other| {
            other.destination().cmp(bound.destination()).then(other.number().cmp(&bound.number()))
        })
    }

    /// Hands the binding these keys choose to `sink`.
    pub fn matches(&self, routing_keys: &[&str], sink: &mut impl Sink<B>) {
        let Some(at) = hash_all(routing_keys).checked_rem(self.bindings.len() as u64) else { return };
        if let Some(chosen) = self.bindings.get(at as usize) {
            sink.matched(chosen);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{CollectedPlaces, Placement, placement};
    use super::*;

    fn chosen(matcher: &ModulusHashMatcher<Placement>, keys: &[&str]) -> Vec<u64> {
        let mut sink = CollectedPlaces::default();
        matcher.matches(keys, &mut sink);
        sink.0
    }

    #[test]
    fn keys_spread_over_all_bindings_and_a_key_stays() {
        let mut matcher = ModulusHashMatcher::default();
        assert!(chosen(&matcher, &["k"]).is_empty());
        (0..4).for_each(|number| matcher.insert(placement(number, number)));
        let mut counts = [0; 4];
        for key in 0..1000 {
            let key = format!("key-{key}");
            let [number] = chosen(&matcher, &[&key])[..] else { panic!("exactly one") };
            assert_eq!(chosen(&matcher, &[&key]), [number]);
            counts[number as usize] += 1;
        }
        // Four equal shares of a thousand: each is 250, with a standard deviation of 14.
        assert!(counts.iter().all(|count| (180..=320).contains(count)), "{counts:?}");
    }

    proptest! {
        /// However the bindings came about, the choice depends on where they lead alone.
        #[test]
        fn the_order_of_binding_does_not_matter(
            places in proptest::collection::btree_set(0u64..20, 1..10),
            extra in proptest::collection::btree_set(20u64..30, 0..4),
            key in ".{0,8}",
        ) {
            let mut forwards = ModulusHashMatcher::default();
            for (number, place) in places.iter().chain(&extra).enumerate() {
                forwards.insert(placement(number as u64, *place));
            }
            for (number, place) in extra.iter().enumerate() {
                forwards.remove(&placement((places.len() + number) as u64, *place));
            }
            let mut backwards = ModulusHashMatcher::default();
            for (number, place) in places.iter().rev().enumerate() {
                backwards.insert(placement(number as u64, *place));
            }
            let place = |matcher: &ModulusHashMatcher<Placement>| {
                let mut sink = CollectedPlaces::default();
                matcher.matches(&[&key], &mut sink);
                sink.1
            };
            prop_assert_eq!(place(&forwards), place(&backwards));
        }
    }
}
