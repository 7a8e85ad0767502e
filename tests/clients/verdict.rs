//! What came of one client.

use std::fmt;

/// What came of one client.
#[derive(Debug)]
pub enum Verdict {
    /// All went well; with what is worth saying.
    Passed(String),
    /// Something did not; with what was said.
    Failed(String),
    /// The host lacks something; with what.
    NotRun(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed(note) if note.is_empty() => write!(f, "ok"),
            Self::Passed(note) => write!(f, "ok ({note})"),
            Self::Failed(said) => write!(f, "FAILED\n{said}\n---"),
            Self::NotRun(lacking) => write!(f, "NOT RUN: {lacking}"),
        }
    }
}
