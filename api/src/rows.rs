//! Long listings: things are looked at when their turn comes, and their fields go straight into
//! the answer. One page of many costs what is on it, and a field nobody asked for costs nothing.
//!
//! A resource says of a thing one field after the other (`describe`); whether a field is
//! written, cut, or only looked at for the order, `Fields` knows. Pages, columns and orders are
//! those of `page`.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use serde::Serialize;
use serde_json::Value;

use crate::error::ApiError;
use crate::page::{self, Columns, Listing};
use crate::query::QueryString;

/// Things that are described between two looks at what else there is to do.
const THINGS_PER_TURN: usize = 256;

/// Room that a described thing usually takes, in bytes.
const ROW_BYTES: usize = 1536;

/// Takes the fields of one thing in their order.
pub(crate) struct Fields<'a> {
    mode: Mode<'a>,
    failed: Option<serde_json::Error>,
}

enum Mode<'a> {
    /// Writes the fields, or those of them that are wanted.
    Write { to: &'a mut Vec<u8>, columns: Option<&'a Columns>, is_empty: bool },
    /// Looks for one field.
    Find { name: &'a str, found: Option<Value> },
}

impl Fields<'_> {
    /// Whether this field will be looked at, for those that cost something.
    pub(crate) fn wants(&self, field: &str) -> bool {
        match &self.mode {
            Mode::Write { columns, .. } => columns.is_none_or(|columns| columns.wants(field)),
            Mode::Find { name, .. } => *name == field,
        }
    }

    /// The same of several fields that cost something together.
    pub(crate) fn wants_any(&self, fields: &[&str]) -> bool {
        fields.iter().any(|field| self.wants(field))
    }

    /// Takes a field that costs something: it is only made when it will be looked at.
    pub(crate) fn put_with<T: Serialize>(&mut self, field: &'static str, value: impl FnOnce() -> T) {
        if self.wants(field) {
            self.put(field, &value());
        }
    }

    /// Takes a field.
    pub(crate) fn put<T: Serialize + ?Sized>(&mut self, field: &'static str, value: &T) {
        let result = match &mut self.mode {
            Mode::Find { name, found } if *name == field => {
                serde_json::to_value(value).map(|value| *found = Some(value))
            }
            Mode::Find { .. } => Ok(()),
            Mode::Write { to, columns: None, is_empty } => {
                begin(to, field, is_empty);
                serde_json::to_writer(&mut **to, value)
            }
            Mode::Write { to, columns: Some(columns), is_empty } => match columns.of(field) {
                None => Ok(()),
                Some(inner) => {
                    begin(to, field, is_empty);
                    if inner.takes_all_of(field) {
                        serde_json::to_writer(&mut **to, value)
                    } else {
                        serde_json::to_value(value)
                            .and_then(|value| serde_json::to_writer(&mut **to, &inner.cut(value)))
                    }
                }
            },
        };
        if let Err(error) = result {
            self.failed = Some(error);
        }
    }
}

fn begin(to: &mut Vec<u8>, field: &str, is_empty: &mut bool) {
    to.extend_from_slice(if std::mem::replace(is_empty, false) { b"{\"" } else { b",\"" });
    // Names of fields are written in sources and need no escapes.
    to.extend_from_slice(field.as_bytes());
    to.extend_from_slice(b"\":");
}

/// Writes one thing.
fn write(
    to: &mut Vec<u8>,
    columns: Option<&Columns>,
    describe: impl FnOnce(&mut Fields<'_>),
) -> Result<(), serde_json::Error> {
    let mut fields = Fields { mode: Mode::Write { to, columns, is_empty: true }, failed: None };
    describe(&mut fields);
    if let Some(error) = fields.failed {
        return Err(error);
    }
    if let Mode::Write { to, is_empty, .. } = fields.mode {
        // The reference's empty object is an empty list, and so is its JSON.
        to.extend_from_slice(if is_empty { b"[]" } else { b"}" });
    }
    Ok(())
}

/// The value of one field, or of one inside it; what is missing sorts as zero.
fn find(path: &[&str], describe: impl FnOnce(&mut Fields<'_>)) -> Result<Value, serde_json::Error> {
    let (name, inner) = path.split_first().map_or(("", path), |(name, inner)| (*name, inner));
    let mut fields = Fields { mode: Mode::Find { name, found: None }, failed: None };
    describe(&mut fields);
    if let Some(error) = fields.failed {
        return Err(error);
    }
    match fields.mode {
        Mode::Find { found: Some(value), .. } if inner.is_empty() => Ok(value),
        Mode::Find { found: Some(value), .. } => Ok(page::reach(&value, inner).into_owned()),
        Mode::Find { .. } | Mode::Write { .. } => Ok(Value::from(0)),
    }
}

/// One thing as a value, all of its fields.
pub(crate) fn value(describe: impl FnOnce(&mut Fields<'_>)) -> Result<Value, ApiError> {
    let mut text = Vec::with_capacity(ROW_BYTES);
    write(&mut text, None, describe)
        .and_then(|()| serde_json::from_slice(&text))
        .map_err(|error| ApiError::internal(error.to_string()))
}

/// A thing, its key and its place in the default order.
type Keyed<T> = (Value, usize, T);

/// Brings those places of a list in order that will be shown, and among the others only what has to be.
fn put_in_order<T>(keyed: &mut [Keyed<T>], shown: &Range<usize>, is_reversed: bool) {
    let compare = |one: &Keyed<T>, other: &Keyed<T>| -> Ordering {
        // What is equal stays as it came, so no two are.
        let order = page::compare(&one.0, &other.0).then(one.1.cmp(&other.1));
        if is_reversed { order.reverse() } else { order }
    };
    if shown.end < keyed.len() {
        keyed.select_nth_unstable_by(shown.end, compare);
    }
    let head = &mut keyed[..shown.end];
    if shown.start < head.len() {
        head.select_nth_unstable_by(shown.start, compare);
    }
    head[shown.start..].sort_unstable_by(compare);
}

/// The body of a listing of things that come in their default order, of those parameters that
/// the list honours. Lets others go on between one part of a long listing and the next.
pub(crate) async fn listing<T>(
    kind: Listing,
    mut things: Vec<T>,
    name: impl for<'a> Fn(&'a T) -> Cow<'a, str>,
    mut describe: impl FnMut(&T, &mut Fields<'_>),
    query: &QueryString,
) -> Result<Vec<u8>, ApiError> {
    let failed = |error: serde_json::Error| ApiError::internal(error.to_string());
    let page = kind.page(query)?;
    let total = things.len();
    if let Some(page) = &page {
        page.keep_named(&mut things, name);
    }
    let sheet = page.as_ref().map(|page| page.sheet(things.len(), total)).transpose()?;
    let shown = sheet.as_ref().map_or(0..things.len(), |sheet| sheet.places.clone());
    let is_reversed = query.is_true("sort_reverse");
    if let Some(path) = page::order(query) {
        let mut keyed = Vec::with_capacity(things.len());
        for (place, thing) in things.into_iter().enumerate() {
            if place % THINGS_PER_TURN == THINGS_PER_TURN - 1 {
                tokio::task::yield_now().await;
            }
            keyed.push((find(&path, |fields| describe(&thing, fields)).map_err(failed)?, place, thing));
        }
        put_in_order(&mut keyed, &shown, is_reversed);
        things = keyed.into_iter().map(|(.., thing)| thing).collect();
    } else if is_reversed {
        things.reverse();
    }
    let columns = kind.columns(query);
    let usual = if columns.is_some() { ROW_BYTES / 8 } else { ROW_BYTES };
    let mut body = Vec::with_capacity(shown.len() * usual + ROW_BYTES);
    if let Some(sheet) = &sheet {
        body.extend_from_slice(sheet.before().as_bytes());
    }
    body.push(b'[');
    for (place, thing) in things[shown].iter().enumerate() {
        if place > 0 {
            body.push(b',');
        }
        if place % THINGS_PER_TURN == THINGS_PER_TURN - 1 {
            tokio::task::yield_now().await;
        }
        write(&mut body, columns.as_ref(), |fields| describe(thing, fields)).map_err(failed)?;
    }
    body.push(b']');
    if let Some(sheet) = &sheet {
        body.extend_from_slice(sheet.after().as_bytes());
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use serde_json::json;

    use super::*;

    fn people() -> Vec<Value> {
        vec![
            json!({"name": "anna", "age": 7, "at": {"x": 2, "y": {"z": 1}}, "arguments": {"a": 1, "b": 2}}),
            json!({"name": "Bert", "at": {"x": 1}, "arguments": {}}),
            json!({"name": "cleo", "age": "old", "arguments": {"b": "\"quoted\""}}),
        ]
    }

    fn describe(person: &Value, fields: &mut Fields<'_>) {
        for field in ["name", "age", "at", "arguments"] {
            if let Some(value) = person.get(field) {
                fields.put(field, value);
            }
        }
    }

    #[tokio::test]
    async fn rows_are_listed_as_values_are_and_only_those_on_a_page_are_described() {
        let described = Cell::new(0);
        let describe = |person: &Value, fields: &mut Fields<'_>| {
            described.set(described.get() + 1);
            describe(person, fields);
        };
        fn name(person: &Value) -> Cow<'_, str> {
            person["name"].as_str().unwrap().into()
        }
        for (query, expected) in [
            ("", 3),
            ("columns=name", 3),
            ("columns=", 3),
            ("columns=at.x,none", 3),
            ("columns=at.y.z,arguments.a", 3),
            ("columns=at.none,age", 3),
            ("sort=age", 6),
            ("sort=at.x&sort_reverse=true", 6),
            ("sort_reverse=true", 3),
            ("page=1&page_size=2", 2),
            ("page=2&page_size=2&columns=name", 1),
            ("page=1&name=B", 1),
            ("page=1&name=^.e&use_regex=true", 1),
            ("page=1&page_size=1&sort_reverse=true", 1),
            ("page=1&page_size=1&sort=age", 4),
            ("page=4&page_size=1", 0),
        ] {
            described.set(0);
            let query = QueryString::parse(Some(query));
            let body = listing(Listing::Paged, people(), name, describe, &query).await.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body, page::listing(people(), &query, Listing::Paged).unwrap(), "{query:?}");
            assert_eq!(body.to_string(), page::listing(people(), &query, Listing::Paged).unwrap().to_string());
            assert_eq!(described.get(), expected, "{query:?}");
        }
        for query in ["page=9", "page=x", "page=0"] {
            let query = QueryString::parse(Some(query));
            let refused = listing(Listing::Paged, people(), name, describe, &query).await.unwrap_err();
            assert_eq!(refused, page::listing(people(), &query, Listing::Paged).unwrap_err());
        }
    }

    #[tokio::test]
    async fn every_page_of_an_order_is_a_part_of_the_whole() {
        let cards: Vec<_> = (0..60).map(|number| json!({"name": number.to_string(), "suit": number * 7 % 5})).collect();
        fn name(card: &Value) -> Cow<'_, str> {
            card["name"].as_str().unwrap().into()
        }
        let describe = |card: &Value, fields: &mut Fields<'_>| {
            fields.put("name", &card["name"]);
            fields.put("suit", &card["suit"]);
        };
        for order in ["sort=suit", "sort=suit&sort_reverse=true", "sort=none", "sort=none&sort_reverse=true"] {
            let query = QueryString::parse(Some(order));
            let whole = page::listing(cards.clone(), &query, Listing::Plain).unwrap();
            let mut pages = Vec::new();
            for number in 1..=9 {
                let query = QueryString::parse(Some(&format!("{order}&page={number}&page_size=7")));
                let body = listing(Listing::Paged, cards.clone(), name, describe, &query).await.unwrap();
                let body: Value = serde_json::from_slice(&body).unwrap();
                pages.extend_from_slice(body["items"].as_array().unwrap());
            }
            assert_eq!(Value::Array(pages), whole, "{order}");
            for kind in [Listing::Plain, Listing::Uncut, Listing::PagedUncut, Listing::PageIgnored] {
                let query = QueryString::parse(Some(&format!("{order}&page=2&page_size=7&columns=suit")));
                let body = listing(kind, cards.clone(), name, describe, &query).await.unwrap();
                let body: Value = serde_json::from_slice(&body).unwrap();
                assert_eq!(body, page::listing(cards.clone(), &query, kind).unwrap(), "{kind:?} {order}");
            }
        }
    }

    #[test]
    fn one_thing_is_a_value() {
        for person in people() {
            assert_eq!(value(|fields| describe(&person, fields)).unwrap(), person);
        }
    }
}
