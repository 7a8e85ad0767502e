//! How a command fails and what the process exits with.
//!
//! Owns THE table from kind of failure to exit code (sysexits, as the reference uses
//! them) and the shapes a failure takes on standard error. Knows no command.

use serde_json::Value;

/// What went wrong, as far as the exit code cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An unknown formatter name.
    UnknownFormatter,
    /// Unknown command or switch, wrong number of words, wrong state of the application.
    Usage,
    /// A bad value: argument, file, virtual host, password, node name.
    Data,
    /// No such user.
    NoUser,
    /// The node cannot be reached, a failed health check, a refusal without a code of its own.
    Unavailable,
    /// Already there, or something broke inside.
    Software,
    /// It took too long.
    TryAgain,
    /// The tool could not set itself up.
    Configuration,
}

/// THE table: kind of failure to exit code.
#[must_use]
pub const fn exit_code(kind: Kind) -> u8 {
    match kind {
        Kind::UnknownFormatter => 1,
        Kind::Usage => 64,
        Kind::Data => 65,
        Kind::NoUser => 67,
        Kind::Unavailable => 69,
        Kind::Software => 70,
        Kind::TryAgain => 75,
        Kind::Configuration => 78,
    }
}

/// The form of the text on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The text as it is.
    Plain,
    /// `Error:`, then the text.
    Error,
    /// An argument validation failure: the text, the words given, the usage line.
    Validation,
    /// The same for a node in the wrong state.
    Environment,
}

/// A failed command.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// Decides the exit code.
    pub kind: Kind,
    /// Decides the form.
    pub shape: Shape,
    /// What is said.
    pub text: String,
    /// What is said instead with `--formatter json`, always with [`Kind::Unavailable`].
    pub json: Option<Value>,
    /// Whether it was found before the command began, so that no banner is printed.
    pub early: bool,
}

impl Failure {
    const fn new(kind: Kind, shape: Shape, text: String) -> Self {
        Self { kind, shape, text, json: None, early: false }
    }

    /// An operation was refused: `Error:` and a line.
    pub fn refused(kind: Kind, text: impl Into<String>) -> Self {
        Self::new(kind, Shape::Error, text.into())
    }

    /// A refusal that stands without the word `Error`.
    pub fn plain(kind: Kind, text: impl Into<String>) -> Self {
        Self::new(kind, Shape::Plain, text.into())
    }

    /// The words or switches are wrong.
    pub fn usage(text: impl Into<String>) -> Self {
        Self::new(Kind::Usage, Shape::Validation, text.into()).before_banner()
    }

    /// A word has a bad value.
    pub fn bad_argument(text: impl AsRef<str>) -> Self {
        Self::new(Kind::Data, Shape::Validation, format!("Bad argument: {}", text.as_ref())).before_banner()
    }

    /// The node is in the wrong state.
    pub fn environment(text: impl Into<String>) -> Self {
        Self::new(Kind::Usage, Shape::Environment, text.into()).before_banner()
    }

    /// The node took too long.
    pub fn timed_out(command: &str, node: &str, millis: u128) -> Self {
        let text = format!("Error: operation {command} on node {node} timed out. Timeout value used: {millis}");
        Self::new(Kind::TryAgain, Shape::Plain, text).before_banner()
    }

    /// The virtual host is not there.
    pub fn no_vhost(name: &str) -> Self {
        Self::plain(Kind::Data, format!("Virtual host '{name}' does not exist"))
    }

    /// With a JSON form.
    #[must_use]
    pub fn with_json(mut self, json: Value) -> Self {
        self.json = Some(json);
        self
    }

    /// Whether the node could not be reached at all.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        self.kind == Kind::Unavailable && self.shape == Shape::Plain
    }

    /// The same failure, unless the node could not be reached: some commands say that as their own environment check.
    #[must_use]
    pub fn unreachable_as(self, text: &str) -> Self {
        if self.is_unreachable() { Self::environment(text) } else { self }
    }

    /// Found before the command began.
    #[must_use]
    pub const fn before_banner(mut self) -> Self {
        self.early = true;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_the_recorded_code() {
        for (kind, code) in [
            (Kind::UnknownFormatter, 1),
            (Kind::Usage, 64),
            (Kind::Data, 65),
            (Kind::NoUser, 67),
            (Kind::Unavailable, 69),
            (Kind::Software, 70),
            (Kind::TryAgain, 75),
            (Kind::Configuration, 78),
        ] {
            assert_eq!(exit_code(kind), code);
        }
    }
}
