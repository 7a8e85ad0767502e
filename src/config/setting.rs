//! How a key finds its setting: by its name, its other name, or a free last word. What
//! settings there are it does not know.

use super::table::{Initial, Setting};

impl Setting {
    /// Whether `key` is this setting, and under which word.
    pub fn matches<'k>(&self, key: &'k str) -> Option<&'k str> {
        if key == self.key || Some(key) == self.alias {
            return Some("");
        }
        let (stem, word) = self.key.split_once('$')?;
        debug_assert!(!word.contains('.'), "only the last part of a key is free");
        key.strip_prefix(stem).filter(|word| !word.is_empty() && !word.replace("\\.", "").contains('.'))
    }

    /// The key that is set when nothing is.
    pub fn initial_assignment(&self) -> Option<(String, &'static str)> {
        match self.initial {
            Initial::Value(value) => Some((self.key.to_owned(), value)),
            Initial::Named(word, value) => {
                let stem = self.key.split('$').next().unwrap_or_default();
                Some((format!("{stem}{word}"), value))
            }
            Initial::Unset(_) => None,
        }
    }
}
