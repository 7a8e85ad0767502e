//! A persistent set of what one key leads to. Cloning shares everything, adding and
//! removing cost O(log n), and the common single entry needs no node at all.

use imbl::OrdMap;

use super::{Bound, Sink};

/// Bindings that match alike, by their number.
#[derive(Debug, Clone)]
pub(super) enum Destinations<B> {
    /// Exactly one.
    One(B),
    /// None, or several.
    Many(OrdMap<u64, B>),
}

impl<B> Default for Destinations<B> {
    fn default() -> Self {
        Self::Many(OrdMap::new())
    }
}

impl<B: Bound> Destinations<B> {
    /// Adds a binding.
    pub(super) fn insert(&mut self, bound: B) {
        match self {
            Self::Many(many) if many.is_empty() => *self = Self::One(bound),
            Self::Many(many) => {
                many.insert(bound.number(), bound);
            }
            Self::One(first) => {
                let mut many = OrdMap::unit(first.number(), first.clone());
                many.insert(bound.number(), bound);
                *self = Self::Many(many);
            }
        }
    }

    /// Removes the binding of that number.
    pub(super) fn remove(&mut self, number: u64) {
        match self {
            Self::One(only) if only.number() == number => *self = Self::default(),
            Self::One(_) => {}
            Self::Many(many) => {
                many.remove(&number);
            }
        }
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Many(many) if many.is_empty())
    }

    /// Hands every binding to `sink`.
    pub(super) fn emit(&self, sink: &mut impl Sink<B>) {
        match self {
            Self::One(only) => sink.matched(only),
            Self::Many(many) => many.values().for_each(|bound| sink.matched(bound)),
        }
    }
}
