//! Direct matching: the routing key equals the binding key.

use std::sync::Arc;

use imbl::HashMap;

use super::destinations::Destinations;
use super::{Bound, Sink};

/// Bindings of a direct exchange by key.
#[derive(Debug, Clone)]
pub struct DirectMatcher<B> {
    keys: HashMap<Arc<str>, Destinations<B>>,
}

impl<B> Default for DirectMatcher<B> {
    fn default() -> Self {
        Self { keys: HashMap::new() }
    }
}

impl<B: Bound> DirectMatcher<B> {
    /// Adds a binding.
    pub fn insert(&mut self, key: &str, bound: B) {
        match self.keys.get_mut(key) {
            Some(destinations) => destinations.insert(bound),
            None => {
                self.keys.insert(Arc::from(key), Destinations::One(bound));
            }
        }
    }

    /// Removes a binding.
    pub fn remove(&mut self, key: &str, bound: &B) {
        if let Some(destinations) = self.keys.get_mut(key) {
            destinations.remove(bound.number());
            if destinations.is_empty() {
                self.keys.remove(key);
            }
        }
    }

    /// Hands every binding of that key to `sink`.
    pub fn matches(&self, routing_key: &str, sink: &mut impl Sink<B>) {
        if let Some(destinations) = self.keys.get(routing_key) {
            destinations.emit(sink);
        }
    }
}
