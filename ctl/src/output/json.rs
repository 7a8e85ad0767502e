//! The JSON form.

use serde_json::{Map, Number, Value};

use crate::output::{Delivery, Rows};
use crate::term::Term;

/// A value.
pub fn value(term: &Term) -> Value {
    match term {
        Term::Missing => Value::String(String::new()),
        Term::Atom(text) | Term::Text(text) | Term::Chars(text) => Value::String(text.clone()),
        Term::Bool(value) => Value::Bool(*value),
        Term::Int(number) => Value::from(*number),
        Term::Float(number) => Number::from_f64(*number).map_or(Value::Null, Value::Number),
        Term::List(items) => match pairs(items) {
            Some(entries) => Value::Object(entries),
            None => Value::Array(items.iter().map(value).collect()),
        },
        Term::Tuple(items) => Value::Array(items.iter().map(value).collect()),
        Term::Map(entries) => {
            Value::Object(entries.iter().map(|(key, item)| (super::table::cell(key), value(item))).collect())
        }
        Term::Pid(text) => Value::String(format!("Pid({text})")),
    }
}

/// A list of pairs whose keys are different words is an object.
fn pairs(items: &[Term]) -> Option<Map<String, Value>> {
    let mut entries = Map::new();
    for item in items {
        let Term::Tuple(parts) = item else { return None };
        let [Term::Atom(key) | Term::Text(key), content] = parts.as_slice() else { return None };
        if entries.insert(key.clone(), value(content)).is_some() {
            return None;
        }
    }
    (!entries.is_empty()).then_some(entries)
}

/// A row as an object.
pub fn row(columns: &[String], cells: &[Term]) -> Value {
    Value::Object(columns.iter().cloned().zip(cells.iter().map(value)).collect::<Map<_, _>>())
}

/// Each row on its own line, all but the first after a comma.
pub fn rows(rows: &Rows) -> String {
    let objects = rows.rows.iter().map(|cells| row(&rows.columns, cells).to_string());
    let body: Vec<String> = objects.collect();
    match rows.delivery {
        Delivery::Whole | Delivery::Streamed | Delivery::Chunked => format!("[\n{}\n]\n", body.join("\n,")),
    }
}
