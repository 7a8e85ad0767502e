//! Topic matching: words separated by `.`; in a binding key `*` stands for exactly one
//! word and `#` for zero or more.
//!
//! Bindings lie in a trie of words. Changing one copies the nodes on its path and shares
//! the rest, so an older snapshot stays what it was. The empty key has no word; `a..b`
//! has an empty one in the middle, which `*` matches.

use std::sync::Arc;

use imbl::HashMap;

use super::destinations::Destinations;
use super::{Bound, Sink};

/// Most `#` in one binding key: each further one multiplies the work per message.
pub const HASH_WILDCARDS_MAX: usize = 2;

/// Bindings of a topic exchange by the words of their keys.
#[derive(Debug, Clone)]
pub struct TopicMatcher<B> {
    root: Arc<Node<B>>,
}

#[derive(Debug, Clone)]
struct Node<B> {
    /// Bindings whose key ends here.
    here: Destinations<B>,
    words: Words<B>,
    star: Option<Arc<Node<B>>>,
    hash: Option<Arc<Node<B>>>,
}

/// The nodes words lead to. Most nodes have one, which needs no map: its first node
/// alone would be larger than the rest of a binding.
#[derive(Debug, Clone)]
enum Words<B> {
    None,
    One(Arc<str>, Arc<Node<B>>),
    Many(HashMap<Arc<str>, Arc<Node<B>>>),
}

impl<B: Clone> Words<B> {
    fn get(&self, word: &str) -> Option<&Node<B>> {
        match self {
            Self::One(only, node) if **only == *word => Some(node),
            Self::None | Self::One(..) => None,
            Self::Many(many) => many.get(word).map(Arc::as_ref),
        }
    }

    /// The node of a word, which is made if need be.
    fn reach(&mut self, word: &str) -> &mut Arc<Node<B>> {
        if let Self::One(only, node) = self
            && **only != *word
        {
            *self = Self::Many(HashMap::unit(only.clone(), node.clone()));
        }
        match self {
            Self::Many(many) => many.entry(Arc::from(word)).or_default(),
            Self::One(_, node) => node,
            Self::None => {
                *self = Self::One(Arc::from(word), Arc::default());
                self.reach(word)
            }
        }
    }

    /// Changes the node of a word, and drops it when nothing is left in it.
    fn prune(&mut self, word: &str, change: impl FnOnce(&mut Node<B>))
    where
        B: Bound,
    {
        match self {
            Self::One(only, node) if **only == *word => {
                let node = Arc::make_mut(node);
                change(node);
                if node.is_empty() {
                    *self = Self::None;
                }
            }
            Self::None | Self::One(..) => {}
            Self::Many(many) => {
                let Some(node) = many.get_mut(word) else { return };
                let node = Arc::make_mut(node);
                change(node);
                if node.is_empty() {
                    many.remove(word);
                }
                if many.is_empty() {
                    *self = Self::None;
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }
}

impl<B> Default for Node<B> {
    fn default() -> Self {
        Self { here: Destinations::default(), words: Words::None, star: None, hash: None }
    }
}

impl<B> Default for TopicMatcher<B> {
    fn default() -> Self {
        Self { root: Arc::default() }
    }
}

/// The words of a key; none for the empty key.
pub fn words(key: &str) -> impl Iterator<Item = &str> {
    key.split('.').filter(move |_| !key.is_empty())
}

/// Why a topic exchange refuses that binding key; `None` when it takes it.
#[must_use]
pub fn refusal(binding_key: &str) -> Option<String> {
    let wildcards = words(binding_key).filter(|&word| word == "#").count();
    (wildcards > HASH_WILDCARDS_MAX).then(|| {
        format!(
            "Topic binding key '{binding_key}' uses {wildcards} '#' wildcards, at most {HASH_WILDCARDS_MAX} are allowed"
        )
    })
}

impl<B: Bound> TopicMatcher<B> {
    /// Adds a binding.
    pub fn insert(&mut self, key: &str, bound: B) {
        let mut node = Arc::make_mut(&mut self.root);
        for word in words(key) {
            let next = match word {
                "*" => node.star.get_or_insert_default(),
                "#" => node.hash.get_or_insert_default(),
                word => node.words.reach(word),
            };
            node = Arc::make_mut(next);
        }
        node.here.insert(bound);
    }

    /// Removes a binding, and the nodes only it needed.
    pub fn remove(&mut self, key: &str, bound: &B) {
        let words: Vec<&str> = words(key).collect();
        Arc::make_mut(&mut self.root).remove(&words, bound.number());
    }

    /// Hands every binding whose key matches to `sink`, some more than once.
    pub fn matches(&self, routing_key: &str, sink: &mut impl Sink<B>) {
        let rest = (!routing_key.is_empty()).then_some(routing_key);
        self.root.matches(rest, sink);
    }
}

/// Splits the first word off; `None` stays for no word left.
fn split_word(rest: &str) -> (&str, Option<&str>) {
    match rest.split_once('.') {
        Some((word, rest)) => (word, Some(rest)),
        None => (rest, None),
    }
}

impl<B: Bound> Node<B> {
    fn is_empty(&self) -> bool {
        self.here.is_empty() && self.words.is_empty() && self.star.is_none() && self.hash.is_none()
    }

    fn remove(&mut self, words: &[&str], number: u64) {
        let Some((&word, rest)) = words.split_first() else {
            self.here.remove(number);
            return;
        };
        let remove_from = |slot: &mut Option<Arc<Self>>| {
            if let Some(next) = slot {
                let node = Arc::make_mut(next);
                node.remove(rest, number);
                if node.is_empty() {
                    *slot = None;
                }
            }
        };
        match word {
            "*" => remove_from(&mut self.star),
            "#" => remove_from(&mut self.hash),
            word => self.words.prune(word, |node| node.remove(rest, number)),
        }
    }

    /// Matches the words left. Depth is bounded by the words of a key, which is a short string.
    fn matches(&self, rest: Option<&str>, sink: &mut impl Sink<B>) {
        sink.visited();
        match rest {
            None => self.here.emit(sink),
            Some(rest) => self.matches_next_word(rest, sink),
        }
        if let Some(hash) = &self.hash {
            hash.matches_any_suffix(rest, sink);
        }
    }

    fn matches_next_word(&self, rest: &str, sink: &mut impl Sink<B>) {
        let (word, rest) = split_word(rest);
        if let Some(next) = self.words.get(word) {
            next.matches(rest, sink);
        }
        if let Some(star) = &self.star {
            star.matches(rest, sink);
        }
    }

    /// This is a `#` node: it has eaten zero or more of the words left.
    fn matches_any_suffix(&self, rest: Option<&str>, sink: &mut impl Sink<B>) {
        sink.visited();
        self.here.emit(sink);
        if !self.words.is_empty() || self.star.is_some() {
            let mut left = rest;
            while let Some(rest) = left {
                self.matches_next_word(rest, sink);
                left = split_word(rest).1;
            }
        }
        // `#.#` matches from here whatever it matches from further on.
        if let Some(hash) = &self.hash {
            hash.matches_any_suffix(rest, sink);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::tests::{Collected, Numbered};
    use super::*;

    /// The textbook definition, word by word.
    fn naive(pattern: &[&str], key: &[&str]) -> bool {
        match (pattern.split_first(), key.split_first()) {
            (None, None) => true,
            (Some((&"#", rest)), None) => naive(rest, key),
            (Some((&"#", rest)), Some((_, key_rest))) => naive(rest, key) || naive(pattern, key_rest),
            (Some((&"*", rest)), Some((_, key_rest))) => naive(rest, key_rest),
            (Some((word, rest)), Some((key_word, key_rest))) => word == key_word && naive(rest, key_rest),
            _ => false,
        }
    }

    fn matched(matcher: &TopicMatcher<Numbered>, key: &str) -> BTreeSet<u64> {
        let mut sink = Collected::default();
        matcher.matches(key, &mut sink);
        sink.0.into_iter().collect()
    }

    fn check(pattern: &str, key: &str, expected: bool) {
        let mut matcher = TopicMatcher::default();
        matcher.insert(pattern, Numbered(1));
        assert_eq!(!matched(&matcher, key).is_empty(), expected, "{pattern:?} against {key:?}");
        matcher.remove(pattern, &Numbered(1));
        assert!(matcher.root.is_empty(), "{pattern:?} left nodes behind");
    }

    #[test]
    fn words_and_wildcards() {
        for (pattern, key, expected) in [
            ("a.b", "a.b", true),
            ("a.b", "a.b.c", false),
            ("a.*", "a.b", true),
            ("a.*", "a", false),
            ("a.*", "a.b.c", false),
            ("*.b", "a.b", true),
            ("*", "", false),
            ("#", "", true),
            ("#", "a.b.c", true),
            ("", "", true),
            ("", "a", false),
            ("a.#", "a", true),
            ("a.#", "a.b.c", true),
            ("#.c", "a.b.c", true),
            ("#.c", "c", true),
            ("a.#.c", "a.c", true),
            ("a.#.c", "a.b.b.c", true),
            ("#.b.#", "a.b.c", true),
            ("#.b.#", "a.c", false),
            ("#.#", "", true),
            ("#.*", "", false),
            ("#.*", "a.b", true),
            ("a..b", "a..b", true),
            ("a.*.b", "a..b", true),
            ("a.b", "a..b", false),
            (".", ".", true),
            ("*.*", ".", true),
            ("*", "a.", false),
        ] {
            check(pattern, key, expected);
        }
    }

    #[test]
    fn a_snapshot_does_not_see_later_changes() {
        let mut matcher = TopicMatcher::default();
        matcher.insert("a.*", Numbered(1));
        let snapshot = matcher.clone();
        matcher.insert("a.b", Numbered(2));
        matcher.remove("a.*", &Numbered(1));
        assert_eq!(matched(&snapshot, "a.b"), BTreeSet::from([1]));
        assert_eq!(matched(&matcher, "a.b"), BTreeSet::from([2]));
    }

    /// Counts the nodes a match looks at.
    #[derive(Default)]
    struct Visits {
        nodes: usize,
        matched: BTreeSet<u64>,
    }

    impl Sink<Numbered> for Visits {
        fn matched(&mut self, bound: &Numbered) {
            self.matched.insert(bound.0);
        }

        fn visited(&mut self) {
            self.nodes += 1;
        }
    }

    /// The work of a match follows the words of the key and the wildcards on their way,
    /// not the number of bindings.
    #[test]
    fn a_match_among_a_hundred_thousand_bindings_visits_a_handful_of_nodes() {
        const BINDINGS: u64 = 100_000;
        let mut matcher = TopicMatcher::default();
        for number in 0..BINDINGS {
            let (region, device) = (number % 100, number / 100);
            let key = match number % 4 {
                0 => format!("region-{region}.device-{device}.*"),
                1 => format!("region-{region}.device-{device}.#"),
                2 => format!("region-{region}.*.sensor-{device}"),
                _ => format!("#.sensor-{device}-{region}"),
            };
            matcher.insert(&key, Numbered(number));
        }
        for (key, expected, nodes_max) in [
            ("region-4.device-7.temperature", vec![704], 12),
            ("region-5.device-7.temperature.now", vec![705], 12),
            ("region-6.any.sensor-7", vec![706], 12),
            ("a.b.c.d.sensor-7-7", vec![707], 12),
            ("nobody.listens", vec![], 6),
        ] {
            let mut visits = Visits::default();
            matcher.matches(key, &mut visits);
            assert_eq!(visits.matched, expected.into_iter().collect(), "{key}");
            assert!(visits.nodes <= nodes_max, "{key}: {} nodes", visits.nodes);
        }
    }

    fn any_key(words: &'static [&'static str]) -> impl Strategy<Value = String> {
        proptest::collection::vec(proptest::sample::select(words), 0..5).prop_map(|words| words.join("."))
    }

    proptest! {
        #[test]
        fn the_trie_matches_like_the_definition(
            patterns in proptest::collection::vec(any_key(&["a", "b", "", "*", "#"]), 1..20),
            removed in proptest::collection::vec(any::<bool>(), 20),
            key in any_key(&["a", "b", "c", ""]),
        ) {
            let mut matcher = TopicMatcher::default();
            for (number, pattern) in patterns.iter().enumerate() {
                matcher.insert(pattern, Numbered(number as u64));
            }
            for (number, pattern) in patterns.iter().enumerate().filter(|(number, _)| removed[*number]) {
                matcher.remove(pattern, &Numbered(number as u64));
            }
            let key_words: Vec<&str> = words(&key).collect();
            let expected: BTreeSet<u64> = patterns
                .iter()
                .enumerate()
                .filter(|(number, pattern)| !removed[*number] && naive(&words(pattern).collect::<Vec<_>>(), &key_words))
                .map(|(number, _)| number as u64)
                .collect();
            prop_assert_eq!(matched(&matcher, &key), expected);
        }
    }
}
