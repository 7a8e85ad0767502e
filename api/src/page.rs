//! Listings: sorting, columns and pages, on objects as they will be sent.
//!
//! Orders values as the reference does (numbers, then words, objects, lists, texts), so
//! that a mixed column sorts the same.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use axum::http::StatusCode;
use fancy_regex::{Regex, RegexBuilder};
use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::query::QueryString;

/// Items on a page when nothing is said.
const PAGE_SIZE_DEFAULT: i64 = 100;

/// Most items on a page.
const PAGE_SIZE_MAX: i64 = 500;

/// Longest name filter taken as a regular expression, in bytes.
const FILTER_BYTES_MAX: usize = 1024;

/// Most backtracking steps of such a filter on one name, so that thousands of names are still looked at soon; a name
/// that needs more does not match.
const FILTER_STEPS_MAX: usize = 5_000;

/// Parameters that a list with pages wants a value of.
const PARAMETERS: &[&str] = &["page", "page_size", "name", "sort", "sort_reverse", "columns"];

/// Which of the listing parameters a list honours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listing {
    /// Sorting and columns.
    Plain,
    /// Sorting alone: objects are always whole.
    Uncut,
    /// And pages.
    Paged,
    /// Sorting and pages.
    PagedUncut,
    /// As plain; a page that makes no sense is refused all the same.
    PageIgnored,
}

impl Listing {
    /// The page asked for, if there are any.
    pub(crate) fn page(self, query: &QueryString) -> Result<Option<Page>, ApiError> {
        match self {
            Self::Plain | Self::Uncut => Ok(None),
            Self::Paged | Self::PagedUncut => Page::parse(query),
            Self::PageIgnored => Page::parse(query).map(|_| None),
        }
    }

    /// The columns asked for, if objects are cut.
    pub(crate) fn columns(self, query: &QueryString) -> Option<Columns> {
        match self {
            Self::Plain | Self::Paged | Self::PageIgnored => columns(query),
            Self::Uncut | Self::PagedUncut => None,
        }
    }
}

/// Whether a list is asked for as it comes: whole, in its default order, with all columns.
pub(crate) fn is_as_it_comes(query: &QueryString, kind: Listing) -> Result<bool, ApiError> {
    let page = kind.page(query)?;
    Ok(page.is_none() && query.get("columns").is_none() && order(query).is_none() && !query.is_true("sort_reverse"))
}

/// Sorts, filters, cuts and pages a list that comes in its default order.
pub(crate) fn listing(mut items: Vec<Value>, query: &QueryString, kind: Listing) -> Result<Value, ApiError> {
    let page = kind.page(query)?;
    let total = items.len();
    if let Some(page) = &page {
        page.keep_named(&mut items, |item| item.get("name").and_then(Value::as_str).unwrap_or_default().into());
    }
    sort(&mut items, query);
    let columns = kind.columns(query);
    let cut = |item| cut(columns.as_ref(), item);
    match page {
        None => Ok(Value::Array(items.into_iter().map(cut).collect())),
        Some(page) => {
            let sheet = page.sheet(items.len(), total)?;
            let shown: Vec<_> = items.drain(sheet.places.clone()).map(cut).collect();
            Ok(sheet.envelope(&shown))
        }
    }
}

fn cut(columns: Option<&Columns>, item: Value) -> Value {
    match columns {
        Some(columns) => columns.cut(item),
        None => item,
    }
}

/// One object, cut to the columns asked for.
pub(crate) fn object(item: Value, query: &QueryString) -> Result<Value, ApiError> {
    // Who asks for a page means columns of what is on it, which one object is not.
    let columns = columns(query).filter(|_| query.get("page").is_none());
    Ok(cut(columns.as_ref(), item))
}

/// The path of the field a listing is to be ordered by, if by any but the default.
pub(crate) fn order(query: &QueryString) -> Option<Vec<&str>> {
    let field = query.get("sort").filter(|field| !field.is_empty())?;
    Some(field.split('.').collect())
}

fn sort(items: &mut [Value], query: &QueryString) {
    if let Some(path) = order(query) {
        items.sort_by(|left, right| compare(&reach(left, &path), &reach(right, &path)));
    }
    if query.is_true("sort_reverse") {
        items.reverse();
    }
}

/// The value at a path; a missing one sorts as zero.
pub(crate) fn reach<'a>(item: &'a Value, path: &[&str]) -> Cow<'a, Value> {
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
pub(crate) fn compare(left: &Value, right: &Value) -> Ordering {
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
pub(crate) struct Columns(Vec<(String, Columns)>);

/// The columns asked for.
pub(crate) fn columns(query: &QueryString) -> Option<Columns> {
    let wanted = query.get("columns")?;
    let mut root = Columns::default();
    for column in wanted.split(',') {
        let mut at = &mut root;
        for field in column.strip_prefix('.').unwrap_or(column).split('.') {
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
    /// The columns inside a field; `None` when the field is not wanted.
    pub(crate) fn of(&self, field: &str) -> Option<&Self> {
        self.0.iter().find(|(wanted, _)| wanted == field).map(|(_, inner)| inner)
    }

    /// Whether a field is wanted, or part of it.
    pub(crate) fn wants(&self, field: &str) -> bool {
        self.of(field).is_some()
    }

    /// Whether nothing is left out of the field these are the columns inside of.
    pub(crate) fn takes_all_of(&self, field: &str) -> bool {
        self.0.is_empty() || WHOLE.contains(&field)
    }

    /// The value with what is wanted of it.
    pub(crate) fn cut(&self, item: Value) -> Value {
        if self.0.is_empty() {
            return item;
        }
        match item {
            Value::Object(fields) => {
                let kept = fields.into_iter().filter_map(|(name, value)| {
                    let inner = self.of(&name)?;
                    let value = if inner.takes_all_of(&name) { value } else { inner.cut(value) };
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
pub(crate) struct Page {
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
    /// The page a query asks for, if any.
    pub(crate) fn parse(query: &QueryString) -> Result<Option<Self>, ApiError> {
        let invalid = || ApiError::bad_request("Pagination parameters are invalid");
        if PARAMETERS.iter().any(|name| query.is_bare(name)) {
            return Err(invalid());
        }
        let integer = |name: &str| match query.get(name) {
            None => Ok(None),
            Some(text) => text.parse::<i64>().map(Some).map_err(|_| invalid()),
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
            Some(name) if query.is_true("use_regex") => {
                if name.len() > FILTER_BYTES_MAX {
                    return Err(ApiError::new(
                        StatusCode::BAD_REQUEST,
                        "invalid_pagination_parameters",
                        "name filter regex is too long",
                    ));
                }
                let regex = RegexBuilder::new(name).case_insensitive(true).backtrack_limit(FILTER_STEPS_MAX).build();
                regex.map_or(Filter::Nothing, |regex| Filter::Matches(Box::new(regex)))
            }
            Some(name) => Filter::Contains(name.to_lowercase()),
        };
        Ok(Some(Self { number, size: size.unwrap_or(PAGE_SIZE_DEFAULT), filter }))
    }

    /// Keeps what the name filter lets through.
    pub(crate) fn keep_named<T>(&self, items: &mut Vec<T>, name: impl for<'a> Fn(&'a T) -> Cow<'a, str>) {
        match &self.filter {
            Filter::Everything => {}
            Filter::Nothing => items.clear(),
            Filter::Contains(part) => items.retain(|item| name(item).to_lowercase().contains(part)),
            Filter::Matches(regex) => items.retain(|item| regex.is_match(&*name(item)).unwrap_or(false)),
        }
    }

    /// Which of so many items, left of `total` by the filter, stand on the page.
    pub(crate) fn sheet(&self, filtered: usize, total: usize) -> Result<Sheet, ApiError> {
        let count = i64::try_from(filtered).unwrap_or(i64::MAX);
        let offset = (self.number - 1).saturating_mul(self.size);
        if offset > count {
            return Err(ApiError::new(
                StatusCode::BAD_REQUEST,
                "page_out_of_range",
                format!("Page out of range, page: {} page size: {}, len: {count}", self.number, self.size),
            ));
        }
        let first = usize::try_from(offset).unwrap_or(usize::MAX);
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        Ok(Sheet {
            places: first..filtered.min(first.saturating_add(size)),
            number: self.number,
            size: self.size,
            filtered: count,
            total,
        })
    }
}

/// What stands on a page, and what is said around it.
#[derive(Debug)]
pub(crate) struct Sheet {
    /// Places of the items that stand on it.
    pub(crate) places: Range<usize>,
    number: i64,
    size: i64,
    filtered: i64,
    total: usize,
}

impl Sheet {
    fn pages(&self) -> i64 {
        (self.filtered + self.size - 1) / self.size
    }

    /// What is written before the list of items.
    pub(crate) fn before(&self) -> String {
        format!("{{\"filtered_count\":{},\"item_count\":{},\"items\":", self.filtered, self.places.len())
    }

    /// What is written behind it.
    pub(crate) fn after(&self) -> String {
        let Self { number, size, total, .. } = self;
        let pages = self.pages();
        format!(",\"page\":{number},\"page_count\":{pages},\"page_size\":{size},\"total_count\":{total}}}")
    }

    fn envelope(&self, items: &[Value]) -> Value {
        json!({
            "filtered_count": self.filtered,
            "item_count": items.len(),
            "items": items,
            "page": self.number,
            "page_count": self.pages(),
            "page_size": self.size,
            "total_count": self.total,
        })
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
        let long = format!("page=1&use_regex=true&name={}", "a".repeat(FILTER_BYTES_MAX + 1));
        let refusal = json!({"error": "invalid_pagination_parameters", "reason": "name filter regex is too long"});
        check(&long, refusal);
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
