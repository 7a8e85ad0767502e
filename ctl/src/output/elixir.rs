//! Values as Elixir's `inspect` shows them; some failures of the reference are such terms.

use serde_json::Value;

use crate::output::{Delivery, Rows};
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
        Term::Pid(text) => pid(text),
    }
}

/// A word, in quotes when it holds anything odd.
pub fn atom(word: &str) -> String {
    let bare = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '@'));
    if bare { word.to_owned() } else { format!("\"{word}\"") }
}

/// A process as it is shown far from its node: without the node's name.
fn pid(text: &str) -> String {
    let bare = text.trim_start_matches('<').trim_end_matches('>');
    let mut parts: Vec<&str> = bare.rsplitn(4, '.').take(3).collect();
    parts.reverse();
    format!("#PID<{}>", parts.join("."))
}

/// Rows as pairs, one after the other with nothing between them.
pub fn loose_rows(rows: &Rows) -> Vec<String> {
    if rows.delivery == Delivery::Chunked {
        let keywords = Rows { delivery: Delivery::Whole, ..rows.clone() };
        return chunks(rows, self::rows(&keywords), "");
    }
    let pairs = |cells: &Vec<Term>| {
        let pairs = rows.columns.iter().zip(cells).map(|(name, cell)| format!("{{:{}, {}}}", atom(name), term(cell)));
        pairs.collect::<String>()
    };
    rows.rows.iter().map(pairs).collect()
}

/// Rows that came in one chunk stand together: those of a chunk have the first cell in common.
fn chunks(rows: &Rows, shown: Vec<String>, between: &str) -> Vec<String> {
    let mut chunks: Vec<String> = Vec::new();
    for (at, row) in shown.into_iter().enumerate() {
        match chunks.last_mut() {
            Some(chunk) if rows.rows[at].first() == rows.rows[at - 1].first() => {
                chunk.push_str(between);
                chunk.push_str(&row);
            }
            _ => chunks.push(row),
        }
    }
    chunks
}

/// Rows as keyword lists.
pub fn rows(rows: &Rows) -> Vec<String> {
    let row = |cells: &Vec<Term>| {
        let pairs: Vec<String> =
            rows.columns.iter().zip(cells).map(|(name, cell)| format!("{}: {}", atom(name), term(cell))).collect();
        format!("[{}]", pairs.join(", "))
    };
    let shown = rows.rows.iter().map(row).collect();
    if rows.delivery != Delivery::Chunked {
        return shown;
    }
    chunks(rows, shown, ", ").into_iter().map(|chunk| format!("[{chunk}]")).collect()
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

    #[test]
    fn rows_of_one_chunk_stand_together_and_others_are_pairs() {
        let row =
            |queue: &str, tag: &str| vec![Term::text(queue), Term::text(tag), Term::Pid("<n@h.1.2.3>".to_owned())];
        let table = Rows {
            columns: vec!["q".into(), "t".into(), "p".into()],
            rows: vec![row("a", "1"), row("a", "2"), row("b", "3")],
            ..Rows::default()
        };
        let pairs = "{:q, \"a\"}{:t, \"1\"}{:p, #PID<1.2.3>}";
        assert_eq!(loose_rows(&table).first().map(String::as_str), Some(pairs));
        let chunked = Rows { delivery: Delivery::Chunked, ..table };
        let (one, two) = ("[q: \"a\", t: \"1\", p: #PID<1.2.3>]", "[q: \"a\", t: \"2\", p: #PID<1.2.3>]");
        let three = "[q: \"b\", t: \"3\", p: #PID<1.2.3>]";
        assert_eq!(rows(&chunked), [format!("[{one}, {two}]"), format!("[{three}]")]);
        assert_eq!(loose_rows(&chunked), [format!("{one}{two}"), three.to_owned()]);
    }
}
