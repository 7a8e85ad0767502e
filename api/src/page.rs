//! Listings: sorting, columns and pages, on objects as they will be sent.
//!
//! Orders values as the reference does (numbers, then words, objects, lists, texts), so
//! that a mixed column sorts the same.

use std::borrow::Cow;
use std::cmp::Ordering;

use axum::http::StatusCode;
use fancy_regex::Regex;
use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::query::QueryString;
use crate::statistics::Ranges;

/// Items on a page when nothing is said.
const PAGE_SIZE_DEFAULT: i64 = 100;

/// Most items on a page.
const PAGE_SIZE_MAX: i64 = 500;

/// Longest name filter taken as a regular expression, in bytes.
const FILTER_BYTES_MAX: usize = 1024;

/// Which of the listing parameters a list honours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listing {
    /// Sorting and columns.
    Plain,
    /// And pages.
    Paged,
    /// As plain; a page that makes no sense is refused all the same.
    PageIgnored,
}

/// Refuses ranges of samples that make no sense.
fn check_ranges(query: &QueryString) -> Result<(), ApiError> {
    Ranges::parse(query).map(drop)
}

/// Sorts, filters, cuts and pages a list that comes in its default order.
pub(crate) fn listing(mut items: Vec<Value>, query: &QueryString, kind: Listing) -> Result<Value, ApiError> {
    let page = match kind {
        Listing::Plain => None,
        Listing::Paged => Page::parse(query)?,
        Listing::PageIgnored => Page::parse(query)?.and(None),
    };
    check_ranges(query)?;
    let total = items.len();
    if let Some(page) = &page {
        let name = |item: &Value| item.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        page.keep_named(&mut items, name);
    }
    sort(&mut items, query);
    let columns = columns(query);
    let cut = |item| cut(columns.as_ref(), item);
    match page {
        None => Ok(Value::Array(items.into_iter().map(cut).collect())),
        Some(page) => page.envelope(items, total, |item| Ok(cut(item))),
    }
}

/// As [`listing`] with pages, of things that are built only when they are sent: one page of
/// many costs what is on it. A sorted listing has to build them all.
pub(crate) fn listing_of<T>(
    mut things: Vec<T>,
    name: impl Fn(&T) -> String,
    build: impl Fn(&T) -> Result<Value, ApiError>,
    query: &QueryString,
) -> Result<Value, ApiError> {
    let is_sorted = query.get("sort").is_some_and(|field| !field.is_empty());
    let page = Page::parse(query)?.filter(|_| !is_sorted);
    let Some(page) = page else {
        let items = things.iter().map(build).collect::<Result<_, _>>()?;
        return listing(items, query, Listing::Paged);
    };
    check_ranges(query)?;
    let total = things.len();
    page.keep_named(&mut things, name);
    if query.is_true("sort_reverse") {
        things.reverse();
    }
    let columns = columns(query);
    page.envelope(things, total, |thing| Ok(cut(columns.as_ref(), build(&thing)?)))
}

fn cut(columns: Option<&Columns>, item: Value) -> Value {
    match columns {
        Some(columns) => columns.cut(item),
        None => item,
    }
}

/// One object, cut to the columns asked for.
pub(crate) fn object(item: Value, query: &QueryString) -> Result<Value, ApiError> {
    check_ranges(query)?;
    Ok(cut(columns(query).as_ref(), item))
}

fn sort(items: &mut [Value], query: &QueryString) {
    if let Some(field) = query.get("sort").filter(|field| !field.is_empty()) {
        let path: Vec<_> = field.split('.').collect();
        items.sort_by(|left, right| compare(&reach(left, &path), &reach(right, &path)));
    }
    if query.is_true("sort_reverse") {
        items.reverse();
    }
}

/// The value at a path; a missing one sorts as zero.
fn reach<'a>(item: &'a Value, path: &[&str]) -> Cow<'a, Value> {
    let found = path.iter().try_fold(item, |value, field| value.get(field));
    found.map_or_else(|| Cow::Owned(Value::from(0)), Cow::Borrowed)
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Number(_) => 0,
        Value::Bool(_) | Value::Null => 1,
        Value::Object(_) => 2,
        Value::Array(_) => 3,
        Value::String(_) => 4,
    }
}

/// The order of the reference's terms.
fn compare(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => left.as_f64().unwrap_or_default().total_cmp(&right.as_f64().unwrap_or_default()),
        },
        (Value::String(left), Value::String(right)) => left.as_bytes().cmp(right.as_bytes()),
        (Value::Array(left), Value::Array(right)) => {
            let pairs = left.iter().zip(right).map(|(left, right)| compare(left, right));
            pairs.fold(Ordering::Equal, Ordering::then).then(left.len().cmp(&right.len()))
        }
        (Value::Bool(_) | Value::Null, Value::Bool(_) | Value::Null) => left.to_string().cmp(&right.to_string()),
        (Value::Object(left), Value::Object(right)) => left.len().cmp(&right.len()),
        _ => rank(left).cmp(&rank(right)),
    }
}

/// A tree of wanted fields.
#[derive(Debug, Default)]
struct Columns(Vec<(String, Columns)>);

fn columns(query: &QueryString) -> Option<Columns> {
    let wanted = query.get("columns")?;
    let mut root = Columns::default();
    for column in wanted.split(',') {
        let mut at = &mut root;
        for field in column.split('.') {
            let position = at.0.iter().position(|(name, _)| name == field).unwrap_or_else(|| {
                at.0.push((field.to_owned(), Columns::default()));
                at.0.len() - 1
            });
            at = &mut at.0[position].1;
        }
    }
    Some(root)
}

/// Fields whose value is one to the reference: a column inside them means all of them.
const WHOLE: &[&str] = &["arguments", "client_properties"];

impl Columns {
    fn cut(&self, item: Value) -> Value {
        if self.0.is_empty() {
            return item;
        }
        match item {
            Value::Object(fields) => {
                let kept = fields.into_iter().filter_map(|(name, value)| {
                    let (_, inner) = self.0.iter().find(|(wanted, _)| *wanted == name)?;
                    let value = if WHOLE.contains(&name.as_str()) { value } else { inner.cut(value) };
                    Some((name, value))
                });
                let kept: Map<_, _> = kept.collect();
                // The reference's empty object is an empty list, and so is its JSON.
                if kept.is_empty() { Value::Array(Vec::new()) } else { Value::Object(kept) }
            }
            Value::Array(items) => Value::Array(items.into_iter().map(|item| self.cut(item)).collect()),
            other => other,
        }
    }
}

/// The page asked for.
#[derive(Debug)]
struct Page {
    number: i64,
    size: i64,
    filter: Filter,
}

#[derive(Debug)]
enum Filter {
    Everything,
    Nothing,
    Contains(String),
    Matches(Box<Regex>),
}

impl Page {
    fn parse(query: &QueryString) -> Result<Option<Self>, ApiError> {
        let integer = |name: &str| match query.get(name) {
            None => Ok(None),
            Some(text) => match text.trim().parse::<i64>() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(ApiError::bad_request("Pagination parameters are invalid")),
            },
        };
        let Some(number) = integer("page")? else { return Ok(None) };
        let size = integer("page_size")?;
        if number < 1 || size.is_some_and(|size| !(1..=PAGE_SIZE_MAX).contains(&size)) {
            let size = size.map_or_else(|| "undefined".to_owned(), |size| size.to_string());
            return Err(ApiError::new(
                StatusCode::BAD_REQUEST,
                "invalid_pagination_parameters",
                format!("Invalid pagination parameters: page number {number}, page size {size}"),
            ));
        }
        let filter = match query.get("name") {
            None | Some("") => Filter::Everything,
            Some(name) if query.is_true("use_regex") => match Regex::new(&format!("(?i){name}")) {
                Ok(regex) if name.len() <= FILTER_BYTES_MAX => Filter::Matches(Box::new(regex)),
                _ => Filter::Nothing,
            },
            Some(name) => Filter::Contains(name.to_lowercase()),
        };
        Ok(Some(Self { number, size: size.unwrap_or(PAGE_SIZE_DEFAULT), filter }))
    }

    fn keep_named<T>(&self, items: &mut Vec<T>, name: impl Fn(&T) -> String) {
        match &self.filter {
            Filter::Everything => {}
            Filter::Nothing => items.clear(),
            Filter::Contains(part) => items.retain(|item| name(item).to_lowercase().contains(part)),
            Filter::Matches(regex) => items.retain(|item| regex.is_match(&name(item)).unwrap_or(false)),
        }
    }

    fn envelope<T>(
        &self,
        items: Vec<T>,
        total: usize,
        show: impl Fn(T) -> Result<Value, ApiError>,
    ) -> Result<Value, ApiError> {
        let filtered = i64::try_from(items.len()).unwrap_or(i64::MAX);
        let offset = (self.number - 1).saturating_mul(self.size);
        if offset > filtered {
            return Err(ApiError::new(
                StatusCode::BAD_REQUEST,
                "page_out_of_range",
                format!("Page out of range, page: {} page size: {}, len: {filtered}", self.number, self.size),
            ));
        }
        let skip = usize::try_from(offset).unwrap_or(usize::MAX);
        let take = usize::try_from(self.size).unwrap_or(usize::MAX);
        let items = items.into_iter().skip(skip).take(take).map(show).collect::<Result<Vec<_>, _>>()?;
        Ok(json!({
            "filtered_count": filtered,
            "item_count": items.len(),
            "items": items,
            "page": self.number,
            "page_count": (filtered + self.size - 1) / self.size,
            "page_size": self.size,
            "total_count": total,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people() -> Vec<Value> {
        vec![
            json!({"name": "anna", "age": 7, "at": {"x": 2}}),
            json!({"name": "Bert", "at": {"x": 1}}),
            json!({"name": "cleo", "age": "old"}),
        ]
    }

    #[expect(clippy::needless_pass_by_value, reason = "rows are written as values")]
    fn check(query: &str, expected: Value) {
        let query = QueryString::parse(Some(query));
        let got = listing(people(), &query, Listing::Paged).unwrap_or_else(|error| error.body.unwrap());
        assert_eq!(got, expected);
    }

    #[test]
    fn only_what_is_on_a_page_is_built() {
        let built = std::cell::Cell::new(0);
        let build = |item: &Value| {
            built.set(built.get() + 1);
            Ok(item.clone())
        };
        let name = |item: &Value| item["name"].as_str().unwrap().to_owned();
        for (query, builds) in [
            ("page=1&page_size=2", 2),
            ("page=2&page_size=2&columns=name", 1),
            ("page=1&name=B", 1),
            ("page=1&page_size=1&sort_reverse=true", 1),
            ("page=1&page_size=1&sort=age", 3),
            ("columns=name", 3),
        ] {
            built.set(0);
            let parsed = QueryString::parse(Some(query));
            let lazy = listing_of(people(), name, build, &parsed).unwrap();
            assert_eq!((lazy, built.get()), (listing(people(), &parsed, Listing::Paged).unwrap(), builds), "{query}");
        }
        let parsed = QueryString::parse(Some("page=9"));
        assert_eq!(listing_of(people(), name, build, &parsed), listing(people(), &parsed, Listing::Paged));
    }

    #[test]
    fn listings_sort_filter_cut_and_page() {
        check("columns=name&sort=age", json!([{"name": "Bert"}, {"name": "anna"}, {"name": "cleo"}]));
        check(
            "columns=name&sort=at.x&sort_reverse=true",
            json!([{"name": "anna"}, {"name": "Bert"}, {"name": "cleo"}]),
        );
        check("columns=at.x,none", json!([{"at": {"x": 2}}, {"at": {"x": 1}}, []]));
        check("columns=", json!([[], [], []]));
        check(
            "columns=name&page=2&page_size=2",
            json!({"filtered_count": 3, "item_count": 1, "items": [{"name": "cleo"}], "page": 2, "page_count": 2,
                   "page_size": 2, "total_count": 3}),
        );
        check(
            "columns=name&page=1&name=b",
            json!({"filtered_count": 1, "item_count": 1, "items": [{"name": "Bert"}], "page": 1, "page_count": 1,
                   "page_size": 100, "total_count": 3}),
        );
        check(
            "page=1&name=(&use_regex=true",
            json!({"filtered_count": 0, "item_count": 0, "items": [], "page": 1, "page_count": 0, "page_size": 100,
                   "total_count": 3}),
        );
        check(
            "msg_rates_age=60&msg_rates_incr=0",
            json!({"error": "bad_request", "reason": "Invalid range parameters: age 60, incr 0"}),
        );
        check("columns=x&lengths_age=60", json!([[], [], []]));
        check("page=x", json!({"error": "bad_request", "reason": "Pagination parameters are invalid"}));
        check(
            "page=0",
            json!({"error": "invalid_pagination_parameters",
                   "reason": "Invalid pagination parameters: page number 0, page size undefined"}),
        );
        check(
            "page=9&page_size=1",
            json!({"error": "page_out_of_range", "reason": "Page out of range, page: 9 page size: 1, len: 3"}),
        );
    }
}
