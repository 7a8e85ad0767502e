//! Parameters of operations: in the query, in headers and in the path.
//!
//! Owns their names, one line about each, and what values they take. Knows no endpoint.

/// Longest name of a queue or an exchange, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 255;

/// What values a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// Text of at most [`NAME_BYTES_MAX`] bytes.
    Name,
    /// `true` or `false`; anything else counts as `false`.
    Flag,
    /// A whole number.
    Integer {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// One of some words.
    OneOf(&'static [&'static str]),
}

/// A query parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    /// Its name.
    pub name: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// What it takes.
    pub kind: Kind,
}

impl Query {
    /// One that takes text.
    #[must_use]
    pub const fn text(name: &'static str, summary: &'static str) -> Self {
        Self { name, summary, kind: Kind::Text }
    }

    /// One that takes `true`.
    #[must_use]
    pub const fn flag(name: &'static str, summary: &'static str) -> Self {
        Self { name, summary, kind: Kind::Flag }
    }

    /// One that takes a number.
    #[must_use]
    pub const fn integer(name: &'static str, summary: &'static str, min: i64, max: i64) -> Self {
        Self { name, summary, kind: Kind::Integer { min, max } }
    }
}

/// Cuts answers down to some fields.
pub const COLUMNS: Query = Query::text("columns", "Comma-separated fields to return; dots reach inside.");

/// Turns a list into a page.
pub const PAGE: Query =
    Query::integer("page", "Page to return, from 1; turns the answer into a page envelope.", 1, i64::MAX);

/// Parameters of a listing that is sorted and cut to columns.
pub const LISTING: &[Query] = &[
    COLUMNS,
    Query::text("sort", "Field to sort by; dots reach inside."),
    Query::flag("sort_reverse", "`true` sorts backwards."),
];

/// Parameters of a listing that is also cut into pages.
pub const PAGED: &[Query] = &[
    LISTING[0],
    LISTING[1],
    LISTING[2],
    PAGE,
    Query::integer("page_size", "Items on a page; 100 when left out.", 1, 500),
    Query::text("name", "Keeps items whose name contains this; only with `page`."),
    Query::flag("use_regex", "`true` makes `name` a regular expression."),
];

/// Parameters of a single object cut to columns.
pub const OBJECT: &[Query] = &[COLUMNS];

/// Longest range of history that can be meant, in seconds.
const RANGE_SECONDS_MAX: i64 = 100_000_000;

const fn age(name: &'static str) -> Query {
    Query::integer(name, "How far back samples are shown, in seconds; together with the step.", 1, RANGE_SECONDS_MAX)
}

const fn step(name: &'static str) -> Query {
    let summary = "Seconds between two samples; at most 500 of them fit into a range.";
    Query::integer(name, summary, 1, RANGE_SECONDS_MAX)
}

/// Samples of message rates.
pub const MESSAGE_RANGE: &[Query] = &[age("msg_rates_age"), step("msg_rates_incr")];

/// Samples of queue lengths.
pub const LENGTH_RANGE: &[Query] = &[age("lengths_age"), step("lengths_incr")];

/// Samples of bytes in and out.
pub const DATA_RANGE: &[Query] = &[age("data_rates_age"), step("data_rates_incr")];

/// Samples of what a node uses.
pub const NODE_RANGE: &[Query] = &[age("node_stats_age"), step("node_stats_incr")];

/// A request header that an operation looks at, beside those of HTTP itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub name: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
}

/// Selects a virtual host for a listing whose path names none.
pub const VHOST_HEADER: Header =
    Header { name: "x-vhost", summary: "Lists what is in this virtual host only; unknown ones answer 404." };

/// A parameter of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathParameter {
    /// Its name, as it stands in braces.
    pub name: &'static str,
    /// What it names, in one line.
    pub summary: &'static str,
    /// What it takes.
    pub kind: Kind,
}

const fn named(name: &'static str, summary: &'static str) -> PathParameter {
    PathParameter { name, summary, kind: Kind::Text }
}

/// Units of time of the check of certificates.
const UNITS: &[&str] = &["day", "days", "week", "weeks", "month", "months", "year", "years"];

/// Every parameter a path may have, in order of names.
pub const PATH_PARAMETERS: &[PathParameter] = &[
    named("channel", "Name of a channel: that of its connection, a space, and its number in brackets."),
    named("component", "What a runtime parameter belongs to, such as `federation-upstream`."),
    named("connection", "Name of a connection: `client:port -> server:port`."),
    PathParameter {
        name: "exchange",
        summary: "Name of an exchange, at most 255 bytes; `amq.default` is the nameless one.",
        kind: Kind::Name,
    },
    named("filter", "Part of a table's name."),
    named("flag", "Name of a feature flag."),
    named("in_vhost", "Name of a virtual host."),
    named("limit", "Name of a limit: `max-connections`, and `max-queues` or `max-channels`."),
    named("name", "Name of a parameter."),
    named("node", "Name of a node."),
    named("password", "A password in the clear."),
    named("pattern", "Regular expression on names of queues."),
    named("policy", "Name of a policy."),
    PathParameter { name: "port", summary: "Number of a port.", kind: Kind::Integer { min: 0, max: 65_535 } },
    named("properties_key", "What tells bindings between two ends apart, from a listing, encoded once more."),
    named("protocols", "Names of protocols, separated by commas."),
    PathParameter { name: "queue", summary: "Name of a queue, at most 255 bytes.", kind: Kind::Name },
    PathParameter {
        name: "source",
        summary: "Name of the exchange messages come from; may be empty.",
        kind: Kind::Name,
    },
    PathParameter { name: "unit", summary: "Unit of time.", kind: Kind::OneOf(UNITS) },
    named("user", "Name of a user."),
    named("vhost", "Name of a virtual host; `%2F` or `~default` is the one named `/`."),
    PathParameter {
        name: "within",
        summary: "How many units of time.",
        kind: Kind::Integer { min: i64::MIN, max: i64::MAX },
    },
];

/// What is known of a parameter of a path.
#[must_use]
pub fn path_parameter(name: &str) -> Option<&'static PathParameter> {
    PATH_PARAMETERS.iter().find(|parameter| parameter.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_parameters_are_in_order_and_all_described() {
        assert!(PATH_PARAMETERS.is_sorted_by(|left, right| left.name < right.name));
        for endpoint in crate::endpoints() {
            for name in endpoint.parameters() {
                assert!(path_parameter(name).is_some(), "{}: nothing is said about {{{name}}}", endpoint.path);
            }
        }
    }
}
