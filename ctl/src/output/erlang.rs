//! The Erlang form: terms as `io:format("~p")` prints them, broken at 80 columns.

use crate::output::{Delivery, Rows};
use crate::term::Term;

const LINE_CHARS_MAX: usize = 80;

/// A term over as many lines as it needs.
pub fn render(term: &Term) -> String {
    let mut out = String::new();
    push(&mut out, term, 0, 0);
    out
}

/// Rows as lists of pairs.
pub fn rows(rows: &Rows) -> String {
    let list = rows
        .rows
        .iter()
        .map(|row| {
            let pairs =
                rows.columns.iter().zip(row).map(|(name, cell)| Term::pair(Term::atom(name.clone()), cell.clone()));
            Term::List(pairs.collect())
        })
        .collect();
    match rows.delivery {
        Delivery::Chunked => render(&Term::List(vec![Term::List(list)])),
        Delivery::Whole | Delivery::Streamed => render(&Term::List(list)),
    }
}

fn push(out: &mut String, term: &Term, column: usize, closing: usize) {
    let flat = flat(term);
    let nested = match term {
        Term::List(items) | Term::Tuple(items) => !items.is_empty(),
        Term::Map(entries) => !entries.is_empty(),
        _ => false,
    };
    if !nested || column + flat.chars().count() + closing <= LINE_CHARS_MAX {
        out.push_str(&flat);
        return;
    }
    match term {
        Term::List(items) => push_sequence(out, items, ("[", "]"), column, closing),
        Term::Tuple(items) => push_sequence(out, items, ("{", "}"), column, closing),
        Term::Map(entries) => {
            out.push_str("#{");
            for (at, (key, value)) in entries.iter().enumerate() {
                if at > 0 {
                    break_line(out, column + 2);
                }
                let key = self::flat(key);
                out.push_str(&key);
                out.push_str(" => ");
                push(out, value, column + 6 + key.chars().count(), closing + 1);
            }
            out.push('}');
        }
        _ => out.push_str(&flat),
    }
}

fn push_sequence(out: &mut String, items: &[Term], (open, close): (&str, &str), column: usize, closing: usize) {
    out.push_str(open);
    let pair = open == "{" && items.len() == 2 && matches!(items[0], Term::Atom(_) | Term::Text(_));
    if pair {
        let key = flat(&items[0]);
        out.push_str(&key);
        out.push(',');
        push(out, &items[1], column + 2 + key.chars().count(), closing + 1);
    } else {
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                break_line(out, column + 1);
            }
            push(out, item, column + 1, closing + 1);
        }
    }
    out.push_str(close);
}

fn break_line(out: &mut String, column: usize) {
    out.push_str(",\n");
    out.extend(std::iter::repeat_n(' ', column));
}

/// A term on one line.
pub fn flat(term: &Term) -> String {
    let join = |items: &[Term]| items.iter().map(flat).collect::<Vec<_>>().join(",");
    match term {
        Term::Missing => "''".to_owned(),
        Term::Atom(word) => atom(word),
        Term::Bool(value) => value.to_string(),
        Term::Int(number) => number.to_string(),
        Term::Float(number) => float(*number),
        Term::Text(text) => binary(text),
        Term::Chars(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        Term::List(items) => format!("[{}]", join(items)),
        Term::Tuple(items) => format!("{{{}}}", join(items)),
        Term::Map(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|(key, value)| format!("{} => {}", flat(key), flat(value))).collect();
            format!("#{{{}}}", entries.join(","))
        }
        Term::Pid(text) => text.clone(),
    }
}

/// A word stands bare when it begins with a small letter and holds nothing odd.
fn atom(word: &str) -> String {
    let bare = word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '@'));
    if bare { word.to_owned() } else { format!("'{}'", word.replace('\\', "\\\\").replace('\'', "\\'")) }
}

/// Bytes that are all printable in Latin-1 are shown as text, others as numbers.
pub fn binary(text: &str) -> String {
    if text.is_empty() {
        return "<<>>".to_owned();
    }
    let printable = |byte: u8| matches!(byte, 8..=13 | 27 | 32..=126 | 160..=255);
    if !text.bytes().all(printable) {
        let bytes: Vec<String> = text.bytes().map(|byte| byte.to_string()).collect();
        return format!("<<{}>>", bytes.join(","));
    }
    let mut out = String::from("<<\"");
    for byte in text.bytes() {
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            8 => out.push_str("\\b"),
            11 => out.push_str("\\v"),
            12 => out.push_str("\\f"),
            27 => out.push_str("\\e"),
            other => out.push(char::from(other)),
        }
    }
    out.push_str("\">>");
    out
}

/// The shortest form that reads back the same, always with a point.
pub fn float(number: f64) -> String {
    let plain = format!("{number:?}");
    if !plain.contains(['e', '.']) {
        return plain;
    }
    // Erlang prefers the exponent when it is shorter: 5.0e3, but 60.0.
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits = if digits.contains('.') { digits.to_owned() } else { format!("{digits}.0") };
    let scientific = format!("{digits}e{exponent}");
    if scientific.len() < plain.len() || plain.contains('e') { scientific } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_read_as_the_reference_prints_them() {
        for (number, expected) in [(60.0, "60.0"), (5.0, "5.0"), (5000.0, "5.0e3"), (0.4, "0.4"), (1.5, "1.5")] {
            assert_eq!(float(number), expected);
        }
    }

    #[test]
    fn terms_break_at_eighty_columns() {
        let row = |user: &str| {
            Term::List(
                [("user", user), ("configure", "^pam-.*"), ("write", ".*"), ("read", "^(a|b)$")]
                    .iter()
                    .map(|(key, value)| Term::pair(Term::atom(*key), Term::text(*value)))
                    .collect(),
            )
        };
        assert_eq!(
            render(&Term::List(vec![row("pam")])),
            "[[{user,<<\"pam\">>},\n  {configure,<<\"^pam-.*\">>},\n  {write,<<\".*\">>},\n  {read,<<\"^(a|b)$\">>}]]"
        );
        assert_eq!(flat(&Term::atom("a-b")), "'a-b'");
        assert_eq!(flat(&Term::text("x队")), "<<120,233,152,159>>");
    }
}
