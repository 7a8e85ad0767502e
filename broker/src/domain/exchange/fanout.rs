//! Fanout matching: every binding, whatever the key.

use super::destinations::Destinations;
use super::{Bound, Sink};

/// Bindings of a fanout exchange.
#[derive(Debug, Clone)]
pub struct FanoutMatcher<B> {
    all: Destinations<B>,
}

impl<B> Default for FanoutMatcher<B> {
    fn default() -> Self {
        Self { all: Destinations::default() }
    }
}

impl<B: Bound> FanoutMatcher<B> {
    /// Adds a binding.
    pub fn insert(&mut self, bound: B) {
        self.all.insert(bound);
    }

    /// Removes a binding.
    pub fn remove(&mut self, bound: &B) {
        self.all.remove(bound.number());
    }

    /// Hands every binding to `sink`.
    pub fn matches(&self, sink: &mut impl Sink<B>) {
        self.all.emit(sink);
    }
}
