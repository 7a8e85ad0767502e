//! Values as Elixir's `inspect` shows them; some failures of the reference are such terms.

use serde_json::Value;

use crate::output::Rows;
use crate::term::Term;

/// A JSON value as the reference holds it.
pub fn inspect(value: &Value) -> String {
    match value {
        Value::Null => "nil".to_owned(),
        Value::Array(items) => format!("[{}]", items.iter().map(inspect).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{} => {}", Value::from(key.as_str()), inspect(value)))
                .collect();
            format!("%{{{}}}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

/// A term.
pub fn term(value: &Term) -> String {
    let join = |items: &[Term]| items.iter().map(term).collect::<Vec<_>>().join(", ");
    match value {
        Term::Missing => ":\"\"".to_owned(),
        Term::Atom(word) => format!(":{}", atom(word)),
        Term::Text(text) => Value::from(text.as_str()).to_string(),
        Term::Chars(text) => format!("~c{}", Value::from(text.as_str())),
        Term::Bool(value) => value.to_string(),
        Term::Int(number) => number.to_string(),
        Term::Float(number) => super::erlang::float(*number),
        Term::List(items) => format!("[{}]", join(items)),
        Term::Tuple(items) => format!("{{{}}}", join(items)),
        Term::Map(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| match key {
                    Term::Atom(word) => format!("{}: {}", atom(word), term(value)),
                    _ => format!("{} => {}", term(key), term(value)),
                })
                .collect();
            format!("%{{{}}}", entries.join(", "))
        }
        Term::Pid(text) => format!("#PID{text}"),
    }
}

/// A word, in quotes when it holds anything odd.
pub fn atom(word: &str) -> String {
    let bare = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '@'));
    if bare { word.to_owned() } else { format!("\"{word}\"") }
}

/// Rows as keyword lists.
pub fn rows(rows: &Rows) -> Vec<String> {
    let row = |cells: &Vec<Term>| {
        let pairs: Vec<String> =
            rows.columns.iter().zip(cells).map(|(name, cell)| format!("{}: {}", atom(name), term(cell))).collect();
        format!("[{}]", pairs.join(", "))
    };
    rows.rows.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_keyword_lists() {
        let table = Rows {
            columns: vec!["user".into(), "apply-to".into()],
            rows: vec![vec![Term::text("g"), Term::List(vec![Term::atom("administrator")])]],
            ..Rows::default()
        };
        assert_eq!(rows(&table), ["[user: \"g\", \"apply-to\": [:administrator]]"]);
    }
}
