//! The table form: one line per row, cells separated by one tab, text raw. Aligned, by further tabs, where somebody looks.

use crate::output::Rows;
use crate::output::erlang;
use crate::term::Term;

/// The rows, with a header row or not; with `pad` each value is filled up to its header.
pub fn render(rows: &Rows, headers: bool, pad: bool) -> String {
    let mut out = String::new();
    if headers && !rows.columns.is_empty() {
        out.push_str(&rows.columns.join("\t"));
        out.push('\n');
    }
    for row in &rows.rows {
        for (at, term) in row.iter().enumerate() {
            if at > 0 {
                out.push('\t');
            }
            let text = cell(term);
            out.push_str(&text);
            if pad {
                let width = rows.columns.get(at).map_or(0, |name| name.chars().count());
                out.extend(std::iter::repeat_n(' ', width.saturating_sub(text.chars().count())));
            }
        }
        out.push('\n');
    }
    out
}

/// Columns between two tab stops of a terminal.
const TAB_STOP: usize = 8;

/// The rows with their columns one below the other: as many tabs behind a cell as its column needs.
pub fn aligned(rows: &Rows, headers: bool, heading: fn(&str) -> String) -> String {
    let cells: Vec<Vec<String>> = rows.rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    let width = |text: &str| text.chars().count();
    let stops: Vec<usize> = (0..rows.columns.len().max(cells.iter().map(Vec::len).max().unwrap_or(0)))
        .map(|at| {
            let header = rows.columns.get(at).filter(|_| headers).map_or(0, |name| width(name));
            let widest = cells.iter().filter_map(|row| row.get(at)).map(|text| width(text)).max().unwrap_or(0);
            header.max(widest) / TAB_STOP + 1
        })
        .collect();
    let line = |texts: &[String], heading: fn(&str) -> String| {
        let last = texts.len().saturating_sub(1);
        let parts = texts.iter().enumerate().map(|(at, text)| {
            let tabs = if at == last { 0 } else { stops[at] - width(text) / TAB_STOP };
            format!("{}{}", heading(text), "\t".repeat(tabs))
        });
        format!("{}\n", parts.collect::<String>())
    };
    let mut out = String::new();
    if headers && !rows.columns.is_empty() {
        out.push_str(&line(&rows.columns, heading));
    }
    for row in &cells {
        out.push_str(&line(row, str::to_owned));
    }
    out
}

/// One value as a cell shows it.
pub fn cell(term: &Term) -> String {
    if let Some(fields) = term.as_amqp_table() {
        return amqp_table(&fields);
    }
    match term {
        Term::Missing => String::new(),
        Term::Atom(text) | Term::Text(text) | Term::Chars(text) | Term::Pid(text) => text.clone(),
        Term::Bool(value) => value.to_string(),
        Term::Int(number) => number.to_string(),
        Term::Float(number) => erlang::float(*number),
        Term::List(items) => format!("[{}]", items.iter().map(element).collect::<Vec<_>>().join(", ")),
        Term::Map(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|(key, value)| format!("{} => {}", cell(key), cell(value))).collect();
            format!("#{{{}}}", entries.join(", "))
        }
        Term::Tuple(_) => term.as_address().unwrap_or_else(|| erlang::flat(term)),
    }
}

/// A value inside a list: a pair is shown with a blank.
fn element(term: &Term) -> String {
    match term {
        Term::Tuple(parts) if parts.len() == 2 => format!("{{{}, {}}}", erlang::flat(&parts[0]), cell(&parts[1])),
        other => cell(other),
    }
}

fn amqp_table(fields: &[(&str, &str, &Term)]) -> String {
    let fields: Vec<String> =
        fields.iter().map(|(name, kind, value)| format!("{{{},{}}}", quoted(name), amqp_value(kind, value))).collect();
    format!("[{}]", fields.join(","))
}

fn amqp_value(kind: &str, value: &Term) -> String {
    match (kind, value) {
        ("table", table) => table.as_amqp_table().map_or_else(|| "[]".to_owned(), |fields| amqp_table(&fields)),
        ("array", Term::List(items)) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| match item {
                    Term::Tuple(parts) => match parts.as_slice() {
                        [Term::Atom(kind), value] => amqp_value(kind, value),
                        _ => erlang::flat(item),
                    },
                    other => erlang::flat(other),
                })
                .collect();
            format!("[{}]", items.join(","))
        }
        (_, Term::Text(text)) => quoted(text),
        (_, other) => cell(other),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_look_as_recorded() {
        for (term, expected) in [
            (Term::Missing, ""),
            (Term::Bool(true), "true"),
            (Term::List(vec![Term::atom("a"), Term::atom("b")]), "[a, b]"),
            (Term::List(Vec::new()), "[]"),
            (Term::address(&json!("127.0.0.1")), "127.0.0.1"),
            (Term::Tuple(vec![Term::Int(0), Term::Int(9), Term::Int(1)]), "{0,9,1}"),
            (Term::List(vec![Term::pair(Term::atom("n@h"), Term::atom("running"))]), "[{n@h, running}]"),
            (
                Term::amqp_table(&json!({"x-max-length": 10, "x-overflow": "reject-publish"})),
                "[{\"x-max-length\",10},{\"x-overflow\",\"reject-publish\"}]",
            ),
            (Term::amqp_table(&json!({"a": {"b": true}, "c": ["x", 1]})), "[{\"a\",[{\"b\",true}]},{\"c\",[\"x\",1]}]"),
            (Term::map([("k", Term::Int(1)), ("k2", Term::text("v"))]), "#{k => 1, k2 => v}"),
        ] {
            assert_eq!(cell(&term), expected);
        }
    }

    #[test]
    fn columns_stand_one_below_the_other_where_somebody_looks() {
        let rows = Rows {
            columns: vec!["name".into(), "messages".into()],
            rows: vec![vec![Term::text("a name of nineteen"), Term::Int(2)], vec![Term::text("b"), Term::Int(3)]],
            ..Rows::default()
        };
        let expected = "name\t\t\tmessages\na name of nineteen\t2\nb\t\t\t3\n";
        assert_eq!(aligned(&rows, true, str::to_owned), expected);
        let narrow = Rows {
            columns: vec!["user".into(), "tags".into()],
            rows: vec![vec![Term::text("guest"), Term::text("[]")]],
            ..Rows::default()
        };
        assert_eq!(aligned(&narrow, true, str::to_owned), render(&narrow, true, false));
    }

    #[test]
    fn padding_follows_the_header() {
        let rows = Rows {
            columns: vec!["name".into(), "messages".into()],
            rows: vec![vec![Term::text("水"), Term::Int(2)]],
            ..Rows::default()
        };
        assert_eq!(render(&rows, true, true), "name\tmessages\n水   \t2       \n");
        assert_eq!(render(&rows, false, false), "水\t2\n");
    }
}
