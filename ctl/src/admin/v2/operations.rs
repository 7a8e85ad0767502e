//! What an operation of the second syntax is: its names, its flags, where they go, what is shown.
//!
//! Owns the vocabulary of the rows in `rows`; nothing here does anything.

use openapi::Method;

/// The type of a flag's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Text.
    Text,
    /// `true` or `false`.
    Bool,
    /// None: it is there or not.
    Switch,
    /// A whole number.
    Number,
    /// Words between commas or blanks.
    List,
    /// JSON.
    Json,
}

/// Whether a flag must be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It must.
    Required,
    /// It need not, and is left out then.
    Optional,
    /// It need not, and is this then.
    Default(&'static str),
}

/// Where a flag goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// Into the path.
    Path(&'static str),
    /// Into the body, under this key.
    Body(&'static str),
    /// Into the body's arguments, under this key.
    Argument(&'static str),
    /// It is the arguments.
    Arguments,
    /// Nowhere: the operation looks at it.
    Nowhere,
}

/// One flag.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    /// Its name.
    pub name: &'static str,
    /// Other names.
    pub aliases: &'static [&'static str],
    /// The type of its value.
    pub takes: Type,
    /// Whether it must be given.
    pub need: Need,
    /// Where it goes.
    pub to: To,
}

/// A flag with one name.
pub const fn flag(name: &'static str, takes: Type, need: Need, to: To) -> Flag {
    Flag { name, aliases: &[], takes, need, to }
}

impl Flag {
    /// The same under other names too.
    pub const fn or(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }
}

/// A title and a path into an object, per column.
pub type Columns = &'static [(&'static str, &'static str)];

/// What an operation does.
#[derive(Debug, Clone, Copy)]
pub enum Does {
    /// Shows a list.
    List(Columns),
    /// Shows one object, a line per field; without fields, all of them.
    Pairs(&'static str, Columns),
    /// Changes something.
    Changes,
    /// Asks a health check.
    Checks,
    /// Publishes a message.
    Publishes,
    /// Writes definitions to a file.
    Exports,
    /// Reads them from one.
    Imports,
    /// Deletes what a pattern matches.
    DeletesMany,
    /// Shows the address of the API.
    ShowsEndpoint,
    /// Hashes a password.
    Hashes,
}

/// One operation.
pub struct Operation {
    /// Group and name; the first is the usual one.
    pub called: &'static [(&'static str, &'static str)],
    /// What it does, in one line.
    pub about: &'static str,
    /// Its method.
    pub method: Method,
    /// Its path behind `/api`.
    pub path: &'static str,
    /// Its flags.
    pub flags: &'static [Flag],
    /// What its body always holds.
    pub fixed: &'static [(&'static str, &'static str)],
    /// What it does.
    pub does: Does,
}

impl Operation {
    /// Every name it has.
    pub fn names(&self) -> impl Iterator<Item = (&'static str, &'static str, &Self)> {
        self.called.iter().map(move |(group, name)| (*group, *name, self))
    }

    /// Whether such a refusal means that there is nothing left to do.
    pub fn is_idempotent(&self, status: u16) -> bool {
        match self.method {
            Method::Delete => status == 404,
            // What is there with other properties is left alone.
            Method::Put | Method::Post => status == 400,
            Method::Get => false,
        }
    }
}

/// Groups and names.
pub type Names = &'static [(&'static str, &'static str)];

/// An operation that shows a list.
pub const fn list(called: Names, about: &'static str, path: &'static str, columns: Columns) -> Operation {
    Operation { called, about, method: Method::Get, path, flags: &[], fixed: &[], does: Does::List(columns) }
}

/// An operation that changes something.
pub const fn change(
    called: Names,
    about: &'static str,
    method: Method,
    path: &'static str,
    flags: &'static [Flag],
) -> Operation {
    Operation { called, about, method, path, flags, fixed: &[], does: Does::Changes }
}

/// An operation that asks a health check.
pub const fn check(called: Names, about: &'static str, path: &'static str) -> Operation {
    Operation { called, about, method: Method::Get, path, flags: &[], fixed: &[], does: Does::Checks }
}

impl Operation {
    /// With these flags.
    pub const fn with(mut self, flags: &'static [Flag]) -> Self {
        self.flags = flags;
        self
    }

    /// With this in every body.
    pub const fn always(mut self, fixed: &'static [(&'static str, &'static str)]) -> Self {
        self.fixed = fixed;
        self
    }

    /// Doing something else with the answer.
    pub const fn doing(mut self, does: Does) -> Self {
        self.does = does;
        self
    }
}
