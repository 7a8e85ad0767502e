//! What an import of definitions did, kind by kind.

use std::collections::BTreeMap;

use super::Put;
use crate::domain::name::VhostName;

/// Objects that were left out, beyond which they are counted and no longer named.
const SKIPPED_NAMED_MAX: usize = 1000;

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Counts by kind, under the names of the lists of a definitions document.
    pub kinds: BTreeMap<&'static str, ImportCounts>,
    /// Objects that were left out, the first ones.
    pub skipped: Vec<SkippedObject>,
}

/// How many objects were treated how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportCounts {
    /// They are new.
    pub created: usize,
    /// They were changed.
    pub updated: usize,
    /// They were as asked.
    pub unchanged: usize,
    /// They were left out, or left as they are although asked otherwise.
    pub skipped: usize,
}

/// An object that was left out, or left as it is although asked otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedObject {
    /// The list it stands in.
    pub section: &'static str,
    /// Where it stands there, from 0.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Its vhost.
    pub vhost: VhostName,
    /// Why, in words.
    pub reason: String,
}

impl ImportReport {
    /// Counts of all kinds together.
    #[must_use]
    pub fn totals(&self) -> ImportCounts {
        self.kinds.values().fold(ImportCounts::default(), |sum, counts| sum.and(*counts))
    }

    /// Counts an object that was taken; `changed`: it was there and is not as it was.
    pub(crate) fn count(&mut self, section: &'static str, put: Put, changed: bool) {
        let counts = self.kinds.entry(section).or_default();
        match (put, changed) {
            (Put::Created, _) => counts.created += 1,
            (Put::Existed, true) => counts.updated += 1,
            (Put::Existed, false) => counts.unchanged += 1,
        }
    }

    /// Counts an object that was left out.
    pub(crate) fn skip(&mut self, object: SkippedObject) {
        self.kinds.entry(object.section).or_default().skipped += 1;
        if self.skipped.len() < SKIPPED_NAMED_MAX {
            self.skipped.push(object);
        }
    }

    /// Adds what another part of the import did.
    pub(crate) fn add(&mut self, other: Self) {
        for (kind, counts) in other.kinds {
            let own = self.kinds.entry(kind).or_default();
            *own = own.and(counts);
        }
        let room = SKIPPED_NAMED_MAX.saturating_sub(self.skipped.len());
        self.skipped.extend(other.skipped.into_iter().take(room));
    }
}

impl ImportCounts {
    /// The sum.
    fn and(self, other: Self) -> Self {
        Self {
            created: self.created + other.created,
            updated: self.updated + other.updated,
            unchanged: self.unchanged + other.unchanged,
            skipped: self.skipped + other.skipped,
        }
    }
}
