//! Declaring what exists: it must be asked for as it is.
//!
//! Compared are the properties and those arguments the tables know for its type; integers
//! by value. The first difference is the refusal.

use std::borrow::Cow;

use super::{Check, EXCHANGE_ARGUMENTS, QUEUE_ARGUMENTS, QUEUE_TYPE};
use crate::domain::exchange::{Exchange, ExchangeKind};
use crate::domain::queue::{ConnectionId, QueueSpec};
use crate::domain::stream::age_ms;
use crate::domain::term::{Term, same_value};
use crate::domain::value::{FieldTable, FieldValue};
use crate::error::{Error, Resource};

/// An existing queue as it is asked for again.
#[derive(Debug, Clone, Copy)]
pub struct Redeclared<'a> {
    /// Durable; what is exclusive never is.
    pub durable: bool,
    /// Auto-delete.
    pub auto_delete: bool,
    /// The connection it is to be exclusive to.
    pub exclusive_owner: Option<ConnectionId>,
    /// Arguments, with the type explicit.
    pub arguments: &'a FieldTable,
}

/// Checks a redeclaration of a queue.
///
/// # Errors
/// [`Error::Locked`] when it is or would be exclusive to somebody else, [`Error::Inequivalent`].
pub fn check_queue_equivalence(queue: &Resource, current: &QueueSpec, asked: Redeclared<'_>) -> Result<(), Error> {
    if current.exclusive_owner != asked.exclusive_owner {
        return Err(Error::Locked(queue.clone()));
    }
    same_flag(queue, "durable", current.durable, asked.durable)?;
    same_flag(queue, "auto_delete", current.auto_delete, asked.auto_delete)?;
    for row in QUEUE_ARGUMENTS.iter().filter(|row| row.kinds.accept(current.kind)) {
        let current = current.arguments.get(row.name).map(|value| comparable(row.check, value));
        let asked = asked.arguments.get(row.name).map(|value| comparable(row.check, value));
        same_argument(queue, row.name, current.as_deref(), asked.as_deref())?;
    }
    Ok(())
}

/// Checks a redeclaration of an exchange.
///
/// # Errors
/// [`Error::Inequivalent`].
pub fn check_exchange_equivalence(
    resource: &Resource,
    current: &Exchange,
    kind: ExchangeKind,
    [durable, auto_delete, internal]: [bool; 3],
    arguments: &FieldTable,
) -> Result<(), Error> {
    if current.kind != kind {
        return Err(inequivalent(resource, "type", quoted(atom(kind)), quoted(atom(current.kind))));
    }
    same_flag(resource, "durable", current.durable, durable)?;
    same_flag(resource, "auto_delete", current.auto_delete, auto_delete)?;
    same_flag(resource, "internal", current.internal, internal)?;
    EXCHANGE_ARGUMENTS
        .iter()
        .try_for_each(|(name, _)| same_argument(resource, name, current.arguments.get(name), arguments.get(name)))
}

/// A type as the reference's runtime writes it: within quotes where it has a hyphen.
fn atom(kind: ExchangeKind) -> String {
    let name = kind.as_str();
    if name.contains('-') { quoted(name) } else { name.to_owned() }
}

fn same_flag(resource: &Resource, name: &str, current: bool, asked: bool) -> Result<(), Error> {
    if current == asked {
        return Ok(());
    }
    Err(inequivalent(resource, name, quoted(asked), quoted(current)))
}

/// An age is compared, and shown, in milliseconds.
fn comparable(check: Check, value: &FieldValue) -> Cow<'_, FieldValue> {
    match check {
        Check::Age => value.as_text().and_then(age_ms).map(|ms| Cow::Owned(FieldValue::text(&ms.to_string()))),
        _ => None,
    }
    .unwrap_or(Cow::Borrowed(value))
}

fn same_argument(
    resource: &Resource,
    name: &str,
    current: Option<&FieldValue>,
    asked: Option<&FieldValue>,
) -> Result<(), Error> {
    let (received, is) = match (current, asked) {
        (None, None) => return Ok(()),
        (Some(current), Some(asked)) if same_argument_value(current, asked) => return Ok(()),
        // A value of another type counts as none where none was given.
        (Some(current), Some(asked)) => (bare(asked), bare(current)),
        (None, Some(value)) if is_classic(name, value) => return Ok(()),
        (Some(value), None) if is_classic(name, value) => return Ok(()),
        (current, asked) => (typed(asked), typed(current)),
    };
    Err(inequivalent(resource, name, received, is))
}

/// A timestamp is as good as the integer it holds.
fn same_argument_value(one: &FieldValue, other: &FieldValue) -> bool {
    let number = |value: &FieldValue| match *value {
        FieldValue::Timestamp(seconds) => i64::try_from(seconds).ok(),
        ref other => other.as_i64(),
    };
    match (number(one), number(other)) {
        (Some(one), Some(other)) => one == other,
        _ => same_value(one, other),
    }
}

/// Queues from before types were explicit have none, and are classic.
fn is_classic(name: &str, value: &FieldValue) -> bool {
    name == QUEUE_TYPE && value.as_text() == Some("classic")
}

fn inequivalent(resource: &Resource, argument: &str, received: String, current: String) -> Error {
    Error::Inequivalent { argument: argument.to_owned(), resource: resource.clone(), received, current }
}

fn quoted(value: impl std::fmt::Display) -> String {
    format!("'{value}'")
}

/// The value alone, as it is shown when both sides have one.
fn bare(value: &FieldValue) -> String {
    match value {
        FieldValue::Void => "none".to_owned(),
        other => quoted(plain(other)),
    }
}

/// Value and type, as they are shown when only one side has one.
fn typed(value: Option<&FieldValue>) -> String {
    match value {
        None => "none".to_owned(),
        Some(value) => format!("the value '{}' of type '{}'", plain(value), value.type_name()),
    }
}

fn plain(value: &FieldValue) -> String {
    match value {
        FieldValue::LongString(bytes) | FieldValue::ByteArray(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => Term(other).to_string(),
    }
}
